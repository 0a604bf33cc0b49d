"""State dicts whose names are not ours: read by shapes and order where these are clear, refused where they are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_branches as branches
import torch_networks as networks
from torch_files import safetensors

from pellucid import Model, zoo
from pellucid import layers as L
from pellucid.convert import import_weights
from pellucid.errors import CheckpointError
from pellucid.model import Sequential

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
nn = torch.nn


NAMES = {"conv1": "conv2d", "conv2": "conv2d_1", "fc1": "dense", "fc2": "dense_1", "fc3": "dense_2"}
"""Of the modules of `lenet` and the layers of `ours`."""


def named(**modules: Any) -> Any:
    return networks.scramble(branches.named(**modules))


def lenet() -> Any:
    """As tutorials write it: conv1, conv2, fc1, fc2, fc3."""
    return named(
        **{"conv1": nn.Conv2d(1, 3, 3), "act1": nn.ReLU(), "pool": nn.MaxPool2d(2), "conv2": nn.Conv2d(3, 4, 2)},
        **{"flat": nn.Flatten(), "fc1": nn.Linear(4 * 3 * 2, 6), "fc2": nn.Linear(6, 6), "fc3": nn.Linear(6, 5)},
    )


def ours(classes: int = 5) -> Sequential:
    layers = [L.Input((10, 8, 1)), L.Conv2D(3, 3, activation="relu"), L.MaxPool2D(2), L.Conv2D(4, 2), L.Flatten()]
    return Sequential([*layers, L.Dense(6), L.Dense(6), L.Dense(classes)], name="ours")


def agree(model: Model, module: Any) -> None:
    x = np.random.default_rng(1).random((2, *model.input_shape), np.float32)
    with torch.no_grad():
        wanted = module.eval()(torch.from_numpy(np.moveaxis(x, -1, 1).copy())).numpy()
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-4, atol=1e-5)


def test_layers_called_otherwise_are_found_and_that_is_said(tmp_path: Path) -> None:
    module, model = lenet(), ours()
    torch.save({"epoch": 3, "model_state_dict": module.state_dict()}, tmp_path / "w.pth")
    report = import_weights(model, tmp_path / "w.pth")
    agree(model, module)
    assert report.by_order == {
        "conv1": "conv2d",
        "conv2": "conv2d_1",
        "fc1": "dense",
        "fc2": "dense_1",
        "fc3": "dense_2",
    }
    assert any("shapes and order" in note and "conv1 is conv2d" in note for note in report.notes)
    report = import_weights(other := ours(classes=2), tmp_path / "w.pth")
    assert report.fresh == ("dense_2",) and other.output_shape == (2,)
    assert import_weights(ours(), tmp_path / "w.pth", no_top=True).fresh == ("dense", "dense_1", "dense_2")


@pytest.mark.parametrize("epsilon", [1e-3, 1e-5])
def test_an_epsilon_that_pytorch_has_not_is_said(epsilon: float, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(18, 2))
    torch.save(module.state_dict(), tmp_path / "w.pth")
    made = [L.Input((5, 4, 1)), L.Conv2D(3, 3), L.BatchNorm(epsilon=epsilon, name="norm"), L.Flatten(), L.Dense(2)]
    notes = import_weights(Sequential(made), tmp_path / "w.pth").notes
    assert any("'norm' adds 0.001 to the variance" in note for note in notes) == (epsilon != 1e-5)


def test_a_sorted_file_is_read_where_names_differ_in_numbers_alone(tmp_path: Path) -> None:
    """safetensors does not keep the order of definition."""
    module, model = lenet(), ours()
    safetensors(module, tmp_path / "w.safetensors")
    import_weights(model, tmp_path / "w.safetensors")
    agree(model, module)
    state = {name.replace("fc2", "dense"): value for name, value in module.state_dict().items()}
    state["zero.weight"], state["zero.bias"] = state.pop("fc3.weight")[:1].repeat(6, 1), torch.zeros(6)
    from safetensors.torch import save_file

    save_file(state, tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match="dense and zero have the same shapes, and the file does not"):
        import_weights(ours(classes=6), tmp_path / "w.safetensors")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_torchscript_gives_its_weights_and_runs_nothing(tmp_path: Path) -> None:
    module, model = lenet().eval(), ours()
    torch.jit.script(module).save(tmp_path / "w.pt")
    report = import_weights(model, tmp_path / "w.pt")
    agree(model, module)
    assert report.form == "weights of a TorchScript program"


class Residual(nn.Module):
    """A block of CIFAR's ResNet in two manners: norms behind their convolutions, or all convolutions first."""

    def __init__(self, inputs: int, width: int, stride: int, *, norms_last: bool) -> None:
        super().__init__()
        for number, sizes in enumerate([(inputs, width, 3, stride), (width, width, 3, 1)], start=1):
            self.add_module(f"c{number}", branches.conv(*sizes))
            if not norms_last:
                self.add_module(f"n{number}", nn.BatchNorm2d(width))
        if norms_last:
            self.n1, self.n2 = nn.BatchNorm2d(width), nn.BatchNorm2d(width)
        self.skip = None
        if stride > 1:
            self.skip = nn.Sequential(branches.conv(inputs, width, 1, stride), nn.BatchNorm2d(width))

    def forward(self, x: Any) -> Any:
        y = self.n2(self.c2(torch.relu(self.n1(self.c1(x)))))
        return torch.relu(y + (x if self.skip is None else self.skip(x)))


def residual(*, norms_last: bool) -> Any:
    blocks = [Residual(3, 4, 1, norms_last=norms_last), Residual(4, 6, 2, norms_last=norms_last)]
    blocks[0].skip = nn.Sequential(branches.conv(3, 4, 1), nn.BatchNorm2d(4))
    return named(body=nn.Sequential(*blocks), end=branches._average(), out=nn.Linear(6, 3))


def residual_of_ours() -> Model:
    def normed(x: Any, filters: int, size: int, stride: int = 1) -> Any:
        return L.BatchNorm(epsilon=1e-5)(L.Conv2D(filters, size, stride, padding=size // 2, use_bias=False)(x))

    x = inputs = L.Input((9, 8, 3))
    for filters, stride in ((4, 1), (6, 2)):
        skip = normed(x, filters, 1, stride)
        y = normed(L.ReLU()(normed(x, filters, 3, stride)), filters, 3)
        x = L.ReLU()(L.Add()([skip, y]))
    return Model(inputs, L.Dense(3)(L.GlobalAvgPool2D()(x)), "residual")


def test_branches_are_told_apart_by_their_convolutions(tmp_path: Path) -> None:
    """A norm of 4 channels on the shortcut, and one on the way beside it, are those of their convolutions."""
    module, model = residual(norms_last=False), residual_of_ours()
    torch.save(module.state_dict(), tmp_path / "w.pth")
    import_weights(model, tmp_path / "w.pth")
    agree(model, module)


def test_what_stands_side_by_side_in_equal_shapes_is_refused(tmp_path: Path) -> None:
    module, model = residual(norms_last=True), residual_of_ours()
    torch.save(module.state_dict(), tmp_path / "w.pth")
    before = model.get_weights()
    with pytest.raises(CheckpointError, match=r"Order and shapes do not tell either: .*"):
        import_weights(model, tmp_path / "w.pth")
    inputs = L.Input((4, 4, 3))
    twins = Model(inputs, L.Add()([L.Conv2D(2, 1)(inputs), L.Conv2D(2, 1)(inputs)]), "twins")
    pair = branches.named(left=nn.Conv2d(3, 2, 1), right=nn.Conv2d(3, 2, 1))
    torch.save(pair.state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="conv2d and conv2d_1 have the same shapes and stand side by side"):
        import_weights(twins, tmp_path / "w.pth")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_norms_after_all_convolutions_are_read_in_a_row(tmp_path: Path) -> None:
    """As tutorials define them: conv1, conv2, bn1, bn2; each in its place when it runs."""
    convs, norms = [nn.Conv2d(2, 3, 3), nn.Conv2d(3, 3, 3)], [nn.BatchNorm2d(3), nn.BatchNorm2d(3)]
    parts = dict(zip(("conv1", "bn1", "conv2", "bn2"), (convs[0], norms[0], convs[1], norms[1]), strict=True))
    module = named(**parts, flat=nn.Flatten(), fc=nn.Linear(3 * 3 * 2, 4))
    layers = [layer for _ in range(2) for layer in (L.Conv2D(3, 3), L.BatchNorm(epsilon=1e-5))]
    model = Sequential([L.Input((7, 6, 2)), *layers, L.Flatten(), L.Dense(4)])
    state = module.state_dict()
    order = sorted(state, key=lambda name: ["conv1", "conv2", "bn1", "bn2", "fc"].index(name.split(".")[0]))
    torch.save({name: state[name] for name in order}, tmp_path / "w.pth")
    import_weights(model, tmp_path / "w.pth")
    agree(model, module)


def test_the_error_names_all_that_is_missing_the_dense_layers_too(tmp_path: Path) -> None:
    torch.save(lenet().state_dict(), tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as caught:
        import_weights(zoo.cifar_net(), tmp_path / "w.pth")
    text = str(caught.value)
    assert "10 missing: features.{0,4,8}, classifier.{0,3}; 10 left over: conv1, conv2, fc1, fc2, fc3" in text, text
    assert "the network has conv1 bias (36,), weight (36, 3, 3, 3) and 4 more where the file has conv1" in text
    assert len(caught.value.faults["missing"]) == 10  # type: ignore[attr-defined]


def test_names_of_our_layers_are_right_names(tmp_path: Path) -> None:
    """Of chains too, and before all others."""
    module, model = lenet(), ours()
    state = {f"{NAMES[name.partition('.')[0]]}.{name.partition('.')[2]}": v for name, v in module.state_dict().items()}
    torch.save(dict(reversed(state.items())), tmp_path / "w.pth")
    assert import_weights(model, tmp_path / "w.pth").by_order == {}
    agree(model, module)


@pytest.mark.parametrize("part", ["scale", "center"])
def test_a_norm_without_scale_or_offset_takes_a_file_that_has_neutral_ones(part: str, tmp_path: Path) -> None:
    def made(seed: int) -> Sequential:
        norm = L.BatchNorm(name="norm", **{part: False})
        layers = [L.Input((6, 5, 3)), L.Conv2D(4, 3, use_bias=False, name="conv"), norm, L.Flatten(), L.Dense(2)]
        return Sequential(layers, seed=seed)

    first = made(0)
    first.save(tmp_path / "net.pth")
    second = made(1)
    import_weights(second, tmp_path / "net.pth", scaling="plain")
    x = np.random.default_rng(1).random((2, 6, 5, 3), np.float32)
    np.testing.assert_array_equal(second.predict(x), first.predict(x))
    state = torch.load(tmp_path / "net.pth")
    name = "norm.weight" if part == "scale" else "norm.bias"
    torch.save(state | {name: state[name] + 0.5}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=f"1 left over: {name}"):
        import_weights(made(1), tmp_path / "other.pth", scaling="plain")
