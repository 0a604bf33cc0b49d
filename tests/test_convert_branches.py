"""Published networks with branches: PyTorch writes their weights, ours read them, and the outputs are compared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_branches as branches
from torch_networks import scramble

import pellucid
from pellucid import zoo
from pellucid.convert import import_weights
from pellucid.errors import CheckpointError
from pellucid.layers import Add, BatchNorm, Conv2D, Dense, GlobalAvgPool2D, Input, ReLU
from pellucid.zoo.googlenet import MODULES

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

TWINS: dict[str, tuple[dict[str, Any], Callable[[], Any]]] = {
    "resnet18": ({"filters": 8}, lambda: branches.resnet((2, 2, 2, 2), False, 8, 7)),
    "resnet34": ({"filters": 4}, lambda: branches.resnet((3, 4, 6, 3), False, 4, 7)),
    "resnet50": ({"filters": 4}, lambda: branches.resnet((3, 4, 6, 3), True, 4, 7)),
    "squeezenet1_0": ({}, lambda: branches.squeezenet(96, 7, (4, 8), 7)),
    "squeezenet1_1": ({}, lambda: branches.squeezenet(64, 3, (3, 5), 7)),
    "googlenet": ({}, lambda: branches.googlenet(MODULES, 7)),
    "mobilenet-v2": ({"width": 0.25}, lambda: branches.mobilenet_v2((8, 8, 8, 16, 24, 40, 80), 7)),
    **{name: ({}, lambda form=form: branches.efficientnet_lite(*form, 7)) for name, form in branches.LITES.items()},
    "densenet121": ({"growth": 4}, lambda: branches.densenet((6, 12, 24, 16), 4, 7)),
}
"""Our options and PyTorch's twin of each, with 7 classes."""


@pytest.mark.parametrize("name", TWINS)
def test_outputs_are_pytorchs(name: str, tmp_path: Path) -> None:
    """Of pictures that are not square and of odd sides, where paddings and rounding show."""
    options, twin = TWINS[name]
    module = scramble(twin()).eval()
    torch.save(module.state_dict(), tmp_path / "w.pth")
    model = zoo.build(name, input_shape=(75, 98, 3), classes=7, options=options)
    report = import_weights(model, tmp_path / "w.pth", scaling="plain")
    assert not report.fresh and report.numbers == model.count_params()
    x = np.random.default_rng(1).random((2, 75, 98, 3), np.float32)
    with torch.no_grad():
        logits = module.double()(torch.from_numpy(x).permute(0, 3, 1, 2).double())
    wanted = torch.softmax(logits, 1).numpy()
    assert np.ptp(wanted, axis=1).min() > 0.01, "outputs that hardly differ would agree with anything"
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-3, atol=1e-6)


def test_scaling_is_that_of_the_published_weights(tmp_path: Path) -> None:
    for name, mean, std in (("squeezenet1_1", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), ("googlenet", 0.5, 0.5)):
        torch.save(TWINS[name][1]().state_dict(), tmp_path / "w.pth")
        model = zoo.build(name, input_shape=(64, 64, 3), classes=7)
        import_weights(model, tmp_path / "w.pth")
        fit = model.preprocessing
        assert np.allclose(fit.mean or 0, mean) and np.allclose(fit.std or 1, std) and fit.resize == "center"


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
def test_another_number_of_classes_leaves_the_last_layer_fresh(name: str, tmp_path: Path) -> None:
    options, twin = TWINS[name]
    state = twin().state_dict()
    torch.save(state, tmp_path / "w.pth")
    model, report = zoo.import_model(tmp_path / "w.pth", name, classes=3, size=64, options=options)
    last = [layer.name for layer in model.layers if layer.params][-1]
    assert report.fresh == (last,) and model.output_shape == (3,)
    whole, report = zoo.import_model(tmp_path / "w.pth", name, size=64, options=options)
    assert not report.fresh and whole.output_shape == (7,)


def test_old_names_and_what_only_helped_training_are_known(tmp_path: Path) -> None:
    """As in densenet121-a639ec97.pth and googlenet-1378be20.pth."""
    options, twin = TWINS["densenet121"]
    state = twin().state_dict()
    old = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): value for name, value in state.items()}
    assert old.keys() != state.keys()
    torch.save(old, tmp_path / "dense.pth")
    model = zoo.build("densenet121", input_shape=(64, 64, 3), classes=7, options=options)
    import_weights(model, tmp_path / "dense.pth")
    kernel = state["features.denseblock1.denselayer1.conv2.weight"].permute(2, 3, 1, 0).numpy()
    np.testing.assert_array_equal(model.get_layer("block1_1_conv2").params["kernel"], kernel)
    state = TWINS["googlenet"][1]().state_dict()
    extra = {"aux1.conv.conv.weight": torch.zeros(128, 512, 1, 1), "aux2.fc2.weight": torch.zeros(1000, 1024)}
    torch.save({**extra, **state}, tmp_path / "google.pth")
    model, report = zoo.import_model(tmp_path / "google.pth", "googlenet", size=64)
    assert not report.fresh and model.output_shape == (7,)


def test_bad_weights_are_told_in_one_error(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    model = zoo.resnet18((64, 64, 3), 7, filters=8)
    before = [array.copy() for array in model.weights]
    torch.save(TWINS["squeezenet1_1"][1]().state_dict(), path)
    with pytest.raises(
        CheckpointError,
        match=r"does not fit resnet18: 102 missing: conv1, bn1, layer1.*, fc; 52 left over: .* the same network",
    ):
        import_weights(model, path)
    state = TWINS["resnet18"][1]().state_dict()
    torch.save({name: value for name, value in state.items() if not name.startswith("layer3.0.bn2.")}, path)
    with pytest.raises(CheckpointError, match=r"4 missing: layer3\.0\.bn2\.weight \(32,\)"):
        import_weights(model, path)
    whole = tmp_path / "whole.pth"
    torch.save(state, whole)
    path.write_bytes(whole.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="use another copy of the file"):
        import_weights(model, path)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_network_of_ones_own_is_read_by_the_names_of_its_layers(tmp_path: Path) -> None:
    """PyTorch's body.0.conv1 is our body_0_conv1."""
    block = branches.Residual(3, 3, 1, False)
    module = scramble(
        branches.named(body=torch.nn.Sequential(block), end=branches._average(), fc=torch.nn.Linear(3, 2))
    )
    torch.save(module.eval().state_dict(), tmp_path / "w.pth")
    inputs = Input((9, 8, 3))
    y = BatchNorm(epsilon=1e-5, name="body_0_bn1")(Conv2D(3, 3, padding=1, use_bias=False, name="body_0_conv1")(inputs))
    y = Conv2D(3, 3, padding=1, use_bias=False, name="body_0_conv2")(ReLU()(y))
    y = Add()([BatchNorm(epsilon=1e-5, name="body_0_bn2")(y), inputs])
    model = pellucid.Model(inputs, Dense(2, name="fc")(GlobalAvgPool2D()(ReLU()(y))), "own")
    import_weights(model, tmp_path / "w.pth")
    x = np.random.default_rng(1).random((2, 9, 8, 3), np.float32)
    with torch.no_grad():
        wanted = module(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-4, atol=1e-5)


class SmallBlock(torch.nn.Module):
    """Of a residual network for small pictures. projected: its shortcut has weights, where shapes differ."""

    def __init__(self, inputs: int, channels: int, *, projected: bool) -> None:
        super().__init__()
        self.strides, self.more = (1, 0) if inputs == channels else (2, channels - inputs)
        self.conv1 = torch.nn.Conv2d(inputs, channels, 3, self.strides, 1, bias=False)
        self.bn1, self.bn2 = torch.nn.BatchNorm2d(channels), torch.nn.BatchNorm2d(channels)
        self.conv2 = torch.nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        if projected and self.more:
            projection = torch.nn.Conv2d(inputs, channels, 1, self.strides, bias=False)
            self.downsample = torch.nn.Sequential(projection, torch.nn.BatchNorm2d(channels))

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if hasattr(self, "downsample"):
            x = self.downsample(x)
        elif self.more:
            x = torch.nn.functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return torch.relu(y + x)


@pytest.mark.parametrize("projected", [True, False])
def test_small_residual_networks_answer_as_in_pytorch(projected: bool, tmp_path: Path) -> None:
    """Padded on every side where a map is halved; shortcuts are of zeros where the file has no weights for them."""
    torch.manual_seed(0)
    blocks = [SmallBlock(*sizes, projected=projected) for sizes in ((4, 4), (4, 8), (8, 16))]
    first = {"conv1": torch.nn.Conv2d(3, 4, 3, 1, 1, bias=False), "bn1": torch.nn.BatchNorm2d(4)}
    stages = {f"layer{i}": torch.nn.Sequential(block) for i, block in enumerate(blocks, 1)}
    module = torch.nn.ModuleDict({**first, **stages, "fc": torch.nn.Linear(16, 5)})
    for name, array in module.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            array.copy_(torch.rand(array.shape) + 0.5)
    module.eval()
    torch.save({"state_dict": module.state_dict()}, tmp_path / "small.th")
    options = {"blocks": 1, "filters": 4}
    model, report = zoo.import_model(tmp_path / "small.th", "resnet20", size=12, options=options, scaling="raw")
    assert any("padded as PyTorch" in note for note in report.notes) and not report.fresh
    pictures = np.random.default_rng(1).normal(size=(3, 12, 12, 3)).astype(np.float32)
    with torch.no_grad():
        x = torch.relu(module["bn1"](module["conv1"](torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()))))
        x = module["layer3"](module["layer2"](module["layer1"](x)))
        expected = torch.softmax(module["fc"](x.mean((2, 3))), 1).numpy()
    np.testing.assert_allclose(model.predict(pictures), expected, rtol=1e-5, atol=1e-6)
