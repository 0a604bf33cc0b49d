"""Weights from PyTorch: written by PyTorch, read without it, and the outputs compared."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_networks as networks
from torch_files import SIDES, WRITERS, safetensors, small

from pellucid import layers as L
from pellucid import zoo
from pellucid.convert import import_weights, open_weights
from pellucid.errors import CheckpointError, ConfigError
from pellucid.model import Model, Sequential
from pellucid.zoo import import_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def pictures(model: Sequential, count: int = 3) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *model.input_shape)).astype(np.uint8)


def answers(
    module: Any, images: np.ndarray, mean: tuple[float, ...] = MEAN, std: tuple[float, ...] = STD
) -> np.ndarray:
    """torchvision's pipeline for pictures of the right size: to 0...1, less mean, by deviation; then softmax."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    x = (x - torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    with torch.no_grad():
        return torch.softmax(module.double()(x), dim=1).numpy()


def agree(model: Sequential, module: Any) -> None:
    images = pictures(model)
    expected = answers(module, images)
    assert np.ptp(expected, axis=1).min() > 0.05, "outputs that hardly differ would agree with anything"
    np.testing.assert_allclose(model.predict(images), expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("file", WRITERS)
@pytest.mark.parametrize("name", ["vgg11", "vgg11_bn", "alexnet-owt"])
def test_outputs_are_pytorchs(name: str, file: str, tmp_path: Path) -> None:
    module, model = small(name)
    WRITERS[file](module, tmp_path / file)
    report = import_weights(model, tmp_path / file)
    agree(model, module)
    assert report.scaling == "torchvision" and report.fresh == () and report.checked is None
    learned = [value for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")]
    assert (report.arrays, report.numbers) == (len(learned), sum(value.numel() for value in learned))
    assert report.numbers == model.count_params()


@pytest.mark.parametrize("name", networks.NUM_PARAMS)
def test_every_published_network_has_the_names_and_the_count(name: str, tmp_path: Path) -> None:
    with torch.device("meta"):
        published = networks.network(name)
        module = networks.network(name, maps=SIDES[name[:3]][1], units=24, classes=7)
    assert sum(value.numel() for value in published.parameters()) == networks.NUM_PARAMS[name]
    base = name.removesuffix("_bn")
    options = {"dense_units": 24, **({"batch_norm": True} if name.endswith("_bn") else {})}
    model = zoo.build(base, input_shape=(*SIDES[name[:3]][0], 3), classes=7, options=options)
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "any.pth")
    with open_weights(tmp_path / "any.pth") as source:
        wanted = {item.tensor: item.shape for item in source.wanted(model, blue_first=False)}
    assert wanted == {
        key: tuple(value.shape) for key, value in module.state_dict().items() if not key.endswith("batches_tracked")
    }


def test_a_single_sequential_is_read_by_number(tmp_path: Path) -> None:
    nn = torch.nn
    module = networks.scramble(
        nn.Sequential(
            *(nn.Conv2d(2, 6, (3, 2)), nn.BatchNorm2d(6), nn.Tanh(), nn.MaxPool2d(2)),
            *(nn.Conv2d(6, 12, 3, padding=1, groups=6), nn.ReLU()),
            *(nn.Conv2d(12, 4, 2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 4, 8), nn.Sigmoid()),
            *(nn.Dropout(0.3), nn.Linear(8, 3)),
        )
    )
    model = Sequential(
        [
            L.Input((10, 11, 2)),
            L.Conv2D(6, (3, 2)),
            L.BatchNorm(epsilon=1e-5),
            L.Tanh(),
            L.MaxPool2D(2),
            L.DepthwiseConv2D(3, 1, 1, 2, activation="relu"),
            L.Conv2D(4, 2, groups=2, activation="relu"),
            L.Flatten(),
            L.Dense(8, activation="sigmoid"),
            L.Dropout(0.3),
            L.Dense(3, activation="softmax"),
        ]
    )
    torch.save(module.state_dict(), tmp_path / "own.pt")
    report = import_weights(model, tmp_path / "own.pt")
    images = pictures(model)
    assert report.scaling == "plain"
    np.testing.assert_allclose(model.predict(images), answers(module, images, (0.0,), (1.0,)), rtol=1e-4)


def test_checkpoints_are_unwrapped_and_that_is_said(tmp_path: Path) -> None:
    module, model = small("vgg11")
    wrapped = OrderedDict((f"module.{name}", value) for name, value in module.state_dict().items())
    optimizer = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9).state_dict()
    for legacy in (False, True):
        path = tmp_path / f"{legacy}.pth"
        content = {
            "epoch": 3,
            "best": 0.5,
            "loss": torch.zeros(2),
            "optimizer": optimizer,
            "state_dict": wrapped,
            "name": "x",
        }
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
        report = import_weights(model, path)
        assert "'state_dict'" in report.notes[0] and "'module.'" in report.notes[1]
    agree(model, module)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
@pytest.mark.parametrize("legacy", [False, True])
def test_other_precisions_and_strides(dtype: str, legacy: bool, tmp_path: Path) -> None:
    module, model = small("alexnet-owt")
    module = module.to(getattr(torch, dtype)).to(memory_format=torch.channels_last)
    state = module.state_dict()
    state["classifier.4.bias"] = torch.arange(48, dtype=getattr(torch, dtype))[1::2]  # every other one of a storage
    torch.save(state, tmp_path / "w.pth", _use_new_zipfile_serialization=not legacy)
    import_weights(model, tmp_path / "w.pth")
    kernel = model.get_layer("conv2").get_weights()[0]
    np.testing.assert_array_equal(kernel, state["features.3.weight"].float().permute(2, 3, 1, 0).numpy())
    np.testing.assert_array_equal(model.get_layer("fc7").get_weights()[1], np.arange(1, 48, 2, dtype=np.float32))


def test_bfloat16_in_safetensors_says_what_to_do(tmp_path: Path) -> None:
    module, model = small("alexnet-owt")
    before = model.get_weights()
    safetensors(module.bfloat16(), tmp_path / "w.safetensors")
    with pytest.raises(CheckpointError, match=r"w\.safetensors: .* holds bfloat16.*save it as float32"):
        import_weights(model, tmp_path / "w.safetensors")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_one_error_lists_all_that_does_not_fit(tmp_path: Path) -> None:
    module, model = small("vgg11")
    state = module.state_dict()
    del state["features.0.bias"], state["classifier.3.weight"]
    state["features.3.weight"] = torch.zeros(128, 64, 5, 5)
    state["features.6.bias"] = torch.zeros(256, dtype=torch.int32)
    state["more.weight"] = torch.zeros(2, 3)
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError) as caught:
        import_weights(model, tmp_path / "w.pth")
    text = str(caught.value)
    assert "w.pth does not fit vgg11" in text
    assert "2 missing: features.0.bias (64,), classifier.3.weight (24, 24)" in text
    assert "features.3.weight (128, 64, 5, 5), layer 'conv2_1' needs (128, 64, 3, 3)" in text
    assert "1 not of floats: features.6.bias (int32)" in text and "1 left over: more.weight (2, 3)" in text


def test_what_our_own_file_lacks_is_named_as_it_is_in_it(tmp_path: Path) -> None:
    model = zoo.build("resnet20")
    model.save(tmp_path / "own.pth")
    state = torch.load(tmp_path / "own.pth", weights_only=True)
    gone = [name for name in state if name.startswith("block2_1")][:6]
    torch.save({name: array for name, array in state.items() if name not in gone}, tmp_path / "own.pth")
    with pytest.raises(CheckpointError) as caught:
        import_weights(model, tmp_path / "own.pth")
    text = str(caught.value)
    assert "6 missing" in text and "left over" not in text and all(name in text for name in gone)


def test_another_network_with_batch_norm_is_not_said_to_have_none(tmp_path: Path) -> None:
    zoo.build("mobilenet-v2").save(tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="Is it the same network") as caught:
        import_weights(zoo.build("resnet20"), tmp_path / "w.pth")
    assert "has none" not in str(caught.value)


def test_a_file_cut_short_says_that_it_ends(tmp_path: Path) -> None:
    module, model = small("vgg11")
    torch.save(module.state_dict(), tmp_path / "w.pth", _use_new_zipfile_serialization=False)
    whole = (tmp_path / "w.pth").read_bytes()
    (tmp_path / "w.pth").write_bytes(whole[:-1000])
    with pytest.raises(CheckpointError, match=r"ends within storage '\d+', of \d+ numbers; a download that was cut"):
        import_weights(model, tmp_path / "w.pth")


def test_batch_norm_is_put_in_where_the_file_has_it(tmp_path: Path) -> None:
    module, plain = small("vgg11_bn")
    torch.save(module.state_dict(), tmp_path / "w.pth")
    _, without = small("vgg11")
    with pytest.raises(CheckpointError, match="The file has batch normalisation, the network has none"):
        import_weights(without, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match="dense layers were trained for another size of picture"):
        import_model(tmp_path / "w.pth", "vgg11", size=64, options={"dense_units": 24})
    model, report = import_model(tmp_path / "w.pth", "vgg11", size=64, options={"dense_units": 24}, no_top=True)
    assert report.fresh == ("fc6", "fc7", "fc8") and model.output_shape == (1000,)
    np.testing.assert_array_equal(
        model.get_layer("norm2_1").get_weights()[3], module.state_dict()["features.5.running_var"].numpy()
    )
    assert plain.get_layer("norm2_1").config()["epsilon"] == module.features[1].eps
    named, _ = import_model(tmp_path / "w.pth", "vgg11_bn", size=64, options={"dense_units": 24}, no_top=True)
    assert named.count_params() == model.count_params()


def test_the_head_stays_fresh_for_other_classes_and_where_there_is_none(tmp_path: Path) -> None:
    module, model = small("alexnet-owt")
    torch.save(module.state_dict(), tmp_path / "w.pth")
    side = SIDES["ale"][0]
    other = zoo.build("alexnet-owt", input_shape=(*side, 3), classes=4, seed=3, options={"dense_units": 24})
    before = other.get_layer("fc8").get_weights()
    report = import_weights(other, tmp_path / "w.pth")
    assert report.fresh == ("fc8",)
    for old, new in zip(before, other.get_layer("fc8").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(
        other.get_layer("fc7").get_weights()[0], module.state_dict()["classifier.4.weight"].numpy().T
    )
    torch.save(module.features.state_dict(prefix="features."), tmp_path / "features.pth")
    assert import_weights(model, tmp_path / "features.pth").fresh == ("fc6", "fc7", "fc8")
    state = module.state_dict()
    del state["classifier.1.bias"]  # a head that is damaged is not a head that is absent
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(CheckpointError, match=r"1 missing: classifier\.1\.bias"):
        import_weights(model, tmp_path / "w.pth")


def test_classes_and_size_come_from_the_file_and_the_arguments(tmp_path: Path) -> None:
    """torchvision's AlexNet at its own size, with few dense units."""
    module = networks.scramble(networks.network("alexnet-owt", units=16, classes=5))
    torch.save(module.state_dict(), tmp_path / "w.pth")
    model, report = import_model(tmp_path / "w.pth", "alexnet_owt", options={"dense_units": 16})
    assert model.input_shape == (224, 224, 3) and model.output_shape == (5,) and not report.fresh
    fit = model.preprocessing
    assert (fit.mean, fit.std, fit.size, fit.resize) == (MEAN, STD, (224, 224), "center")
    agree(model, module)
    images, labels = pictures(model, 2), [0, 1]
    assert model.evaluate(images, labels, verbose=0)["loss"] > 0, "it is compiled"
    with pytest.raises(ConfigError, match="unknown scaling 'torchvison'; did you mean 'torchvision'"):
        import_weights(model, tmp_path / "w.pth", scaling="torchvison")
    with pytest.raises(ConfigError, match="unknown model"):
        import_model(tmp_path / "w.pth", "resnet51")
    with pytest.raises(ConfigError, match="option of alexnet-owt"):
        import_model(tmp_path / "w.pth", "alexnet-owt", options={"units": 2})


def test_what_is_not_a_number_is_said(tmp_path: Path) -> None:
    module, model = small("alexnet-owt")
    module.classifier[6].bias.data[0] = float("nan")
    torch.save(module.state_dict(), tmp_path / "w.pth")
    assert "NaN or infinite numbers are in classifier.6.bias" in import_weights(model, tmp_path / "w.pth").notes[0]


def test_a_layer_without_a_twin_is_named(tmp_path: Path) -> None:
    class Odd(L.Layer):
        def build(self, input_shape: Any, rng: Any) -> None:
            self.params = {"weight": np.ones(1, np.float32)}

    module, _ = small("alexnet-owt")
    torch.save(module.state_dict(), tmp_path / "w.pth")
    with pytest.raises(ConfigError, match=r"layer 0 'odd' \(Odd\): weights of a Odd cannot be read from PyTorch's"):
        import_weights(Sequential([L.Input((8, 8, 3)), Odd(name="odd")]), tmp_path / "w.pth")


def like_pytorch() -> list[tuple[L.Layer, list[Any]]]:
    """Layers in a row, and the modules that each is."""
    nn = torch.nn
    return [
        (L.Conv2D(6, 3), [nn.Conv2d(3, 6, 3)]),
        (L.GroupNorm(3, epsilon=1e-5), [nn.GroupNorm(3, 6)]),
        (L.PReLU(shared_axes=(1, 2)), [nn.PReLU(6)]),
        (L.SeparableConv2D(4, 3, padding=1), [nn.Conv2d(6, 6, 3, 1, 1, groups=6, bias=False), nn.Conv2d(6, 4, 1)]),
        (L.LayerNorm((1, 2, 3), epsilon=1e-5), [nn.LayerNorm((4, 7, 5))]),
        (L.Conv2DTranspose(5, (3, 2), 2), [nn.ConvTranspose2d(4, 5, (3, 2), 2)]),
        (L.PReLU(shared_axes=(1, 2, 3)), [nn.PReLU()]),
        (L.Flatten(), [nn.Flatten()]),
        (L.Dense(7), [nn.Linear(5 * 15 * 10, 7)]),
        (L.LayerNorm(epsilon=1e-5), [nn.LayerNorm(7)]),
        (L.Softmax(), [nn.Softmax(dim=1)]),
    ]


@pytest.mark.parametrize("named", [False, True])
def test_every_layer_with_a_twin_is_read(named: bool, tmp_path: Path) -> None:
    """One Sequential, whose names are numbers, and a network with a branch, whose layers' names are the modules'."""
    rows = like_pytorch()
    modules = [module for _, pair in rows for module in pair]
    whole = networks.scramble(torch.nn.Sequential(*modules[:-1]))
    state = whole.state_dict()
    inputs = L.Input((9, 7, 3))
    if named:
        paths = [
            f"part{number}{part}"
            for number, (_, pair) in enumerate(rows)
            for part in (("",) if len(pair) == 1 else (".depthwise", ".pointwise"))
        ]
        state = OrderedDict(
            (f"{paths[int(name.split('.')[0])]}.{name.split('.', 1)[1]}", v) for name, v in state.items()
        )
        value: Any = inputs
        for number, (layer, _) in enumerate(rows):
            layer.name = f"part{number}"
            value = layer(value if number else L.Add()([value, L.Dropout(0.5)(value)]))
        model: Any = Model(inputs, value)
    else:
        model = Sequential([inputs, *(layer for layer, _ in rows)])
    torch.save(state, tmp_path / "w.pth")
    import_weights(model, tmp_path / "w.pth", scaling="plain")
    x = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    with torch.no_grad():
        given = torch.tensor(np.moveaxis(2 * x if named else x, -1, 1).copy())
        expected = torch.softmax(whole(given), dim=1).numpy()
    assert np.ptp(expected, axis=1).min() > 0.05
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-4, atol=1e-6)
