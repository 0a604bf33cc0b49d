"""Weights from PyTorch: written by PyTorch, read without it, and the outputs compared."""

from __future__ import annotations

import io
import os
import pickle
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_networks as networks

from pellucid import layers as L
from pellucid import zoo
from pellucid.convert import import_model, import_weights, open_weights
from pellucid.errors import CheckpointError, ConfigError
from pellucid.model import Sequential

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SIDES = {"vgg": ((32, 64), (1, 2)), "ale": ((95, 127), (2, 3))}
"""Pictures, and the maps they leave before the dense layers: not square, so that their order matters."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def small(name: str, seed: int = 0) -> tuple[Any, Sequential]:
    """A network with few dense units in PyTorch, and ours for the same pictures."""
    side, maps = SIDES[name[:3]]
    module = networks.scramble(networks.network(name, maps=maps, units=24, classes=7), seed)
    options: dict[str, object] = {"dense_units": 24}
    if name.endswith("_bn"):
        options["batch_norm"] = True
    model = zoo.build(name.removesuffix("_bn"), input_shape=(*side, 3), classes=7, options=options)
    return module, model


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


def safetensors(module: Any, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "w.pth": lambda module, path: torch.save(module.state_dict(), path),
    "legacy.pth": lambda module, path: torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False),
    "w.safetensors": safetensors,
}


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
            *(nn.Conv2d(6, 4, 2, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 4, 8), nn.Sigmoid()),
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
    with pytest.raises(ConfigError, match="unknown scaling 'torch'; did you mean 'torchvision'"):
        import_weights(model, tmp_path / "w.pth", scaling="torch")
    with pytest.raises(ConfigError, match="unknown model"):
        import_model(tmp_path / "w.pth", "resnet50")
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


# Files that are damaged, or mean harm


class Planted:
    def __init__(self, call: Any, *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("where", ["value", "key", "beside"])
def test_a_planted_call_never_runs(legacy: bool, where: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    trap = Planted(os.system, f"touch {canary}")
    state: dict[Any, Any] = dict(small("vgg11")[0].state_dict())
    content = {"state_dict": state, "trap": trap} if where == "beside" else state
    if where == "value":
        state["features.0.weight"] = trap
    elif where == "key":
        state[Planted(os.system, f"touch {canary}")] = torch.zeros(1)
    torch.save(content, tmp_path / "evil.pth", _use_new_zipfile_serialization=not legacy)
    _, model = small("vgg11")
    with pytest.raises(CheckpointError, match=r"evil\.pth: refused: the name (posix|nt)\.system.*state_dict\(\)"):
        import_weights(model, tmp_path / "evil.pth")
    assert not canary.exists()


def test_whole_modules_scripts_and_other_archives_say_what_to_do(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 3), tmp_path / "module.pth")
    with pytest.raises(CheckpointError, match=r"refused: the name torch\.nn\.modules.*torch\.save\(model\.state_dict"):
        open_weights(tmp_path / "module.pth")
    with zipfile.ZipFile(tmp_path / "script.pt", "w") as archive:
        archive.writestr("script/data.pkl", b"\x80\x02}.")
        archive.writestr("script/constants.pkl", b"\x80\x02).")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", "")
    for file, text in (
        ("script.pt", "TorchScript"),
        ("other.zip", "without a PyTorch state dict"),
        ("model.keras", "unzip it, and give the model.weights.h5"),
    ):
        with pytest.raises(CheckpointError, match=text):
            open_weights(tmp_path / file)


def zip_with(path: Path, state: bytes, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("a/data.pkl", state)
        for name, data in members.items():
            archive.writestr(f"a/data/{name}", data)
    return path


def described(shape: object, strides: object, offset: int = 0, count: int = 6, kind: str = "FloatStorage") -> bytes:
    """A state dict's pickle with one tensor, described at will."""

    class Global:
        def __init__(self, name: str) -> None:
            self.name = name

    class Pickler(pickle._Pickler):  # the one in Python can be told to write a name without having it
        def persistent_id(self, obj: Any) -> Any:
            return None

        def save(self, obj: Any, save_persistent_id: bool = True) -> None:
            if isinstance(obj, Global):
                self.write(b"c" + obj.name.replace(" ", "\n").encode() + b"\n")
            elif isinstance(obj, tuple) and obj and obj[0] == "PERSISTENT":
                self.save(obj[1])
                self.write(b"Q")
            elif isinstance(obj, tuple) and obj and obj[0] == "CALL":
                self.save(obj[1])
                self.save(obj[2])
                self.write(b"R")
            else:
                super().save(obj, save_persistent_id)

    out = io.BytesIO()
    storage = ("PERSISTENT", ("storage", Global(f"torch {kind}"), "0", "cpu", count))
    tensor = ("CALL", Global("torch._utils _rebuild_tensor_v2"), (storage, offset, shape, strides, False, None))
    Pickler(out, 2).dump({"features.0.weight": tensor})
    return out.getvalue()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"shape": (2, 4), "strides": (4, 1)}, "reaches beyond its storage of 6 numbers"),
        ({"shape": (2, 3), "strides": (3, 1), "offset": 1}, "reaches beyond its storage"),
        ({"shape": (2, 3), "strides": (-3, 1), "offset": 3}, "strides"),
        ({"shape": (2, -3), "strides": (3, 1)}, "shape"),
        ({"shape": (2, 3), "strides": (3,)}, "strides"),
        ({"shape": (2, 3.0), "strides": (3, 1)}, "shape"),
        ({"shape": (True, 3), "strides": (3, 1)}, "shape"),
        ({"shape": (1,) * 9, "strides": (1,) * 9}, "shape"),
        ({"shape": (2**60,), "strides": (0,)}, "shape"),
        ({"shape": (2,), "strides": (2**30,), "count": 2**31}, "spread over"),
        ({"shape": (2, 3), "strides": (3, 1), "count": 7}, "has 24 bytes, expected 28"),
        ({"shape": (2, 3), "strides": (3, 1), "kind": "DoubleStorage"}, "has 24 bytes, expected 48"),
        ({"shape": (2, 3), "strides": (3, 1), "kind": "QInt8Storage"}, r"the name torch\.QInt8Storage"),
    ],
)
def test_tensors_that_lie_about_their_storage(fields: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = zip_with(tmp_path / "w.pth", described(**fields), {"0": bytes(24)})
    with pytest.raises(CheckpointError, match=rf"w\.pth: .*{message}"):
        open_weights(path)


def test_honest_descriptions_are_read(tmp_path: Path) -> None:
    values = np.arange(6, dtype="<f4")
    for shape, strides, offset, expected in (
        ((2, 3), (3, 1), 0, values.reshape(2, 3)),
        ((3, 2), (1, 3), 0, values.reshape(2, 3).T),
        ((2, 2), (3, 1), 1, values[[[1, 2], [4, 5]]]),
        ((), (), 5, values[5]),
        ((3, 2), (0, 1), 2, np.tile(values[2:4], (3, 1))),
        ((0, 4), (4, 1), 0, np.zeros((0, 4))),
    ):
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = zip_with(tmp_path / "w.pth", described(shape, strides, offset), {"0": values.tobytes()}, packing)
            with open_weights(path) as source:
                np.testing.assert_array_equal(source.read("features.0.weight"), expected)


def test_a_storage_that_unfolds_is_not_unfolded(tmp_path: Path) -> None:
    """16 GB of zeros in 16 MB would be read only as far as the model needs; here the shape is refused before."""
    path = zip_with(tmp_path / "w.pth", described((2, 3), (3, 1)), {"1": bytes(24)})
    with pytest.raises(CheckpointError, match="storage '0' is missing, expected 24 bytes"):
        open_weights(path)
    path = zip_with(tmp_path / "w.pth", described((2, 3), (3, 1)), {"0": bytes(24)}, zipfile.ZIP_LZMA)
    with pytest.raises(CheckpointError, match="packed in a way PyTorch does not use"):
        open_weights(path)
    big = b"\x80\x02}" + b"X\x04\x00\x00\x00aaaa0" * 2_000_000 + b"."
    path = zip_with(tmp_path / "w.pth", big, {}, zipfile.ZIP_DEFLATED)
    with pytest.raises(CheckpointError, match=r"'a/data\.pkl' takes \d+ bytes, at most 16777216 are expected"):
        open_weights(path)


def test_a_table_of_contents_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(b"PK\x03\x04" + bytes(100) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**30, 0, 0))
    with pytest.raises(CheckpointError, match=r"table of contents takes 1073741824 bytes"):
        open_weights(path)


def test_every_cut_and_flip_is_an_error_or_numbers(tmp_path: Path) -> None:
    module = networks.scramble(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.Flatten(), torch.nn.Linear(2, 2)))
    for legacy in (False, True):
        whole = tmp_path / "whole.pth"
        torch.save(module.state_dict(), whole, _use_new_zipfile_serialization=not legacy)
        data = whole.read_bytes()
        broken = tmp_path / "broken.pth"
        places = np.random.default_rng(1).integers(0, len(data), 150).tolist()
        for place in places:
            flipped = bytearray(data)
            flipped[place] ^= 0x55
            for content in (data[:place], bytes(flipped)):
                broken.write_bytes(content)
                model = Sequential([L.Input((2, 2, 1)), L.Conv2D(2, 2), L.Flatten(), L.Dense(2)])
                try:
                    import_weights(model, broken)
                except CheckpointError as error:
                    assert re.match(rf"{re.escape(str(broken))}[: ]", str(error))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no file of weights that is known here; expected .pth"),
        (b"<!DOCTYPE html><html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"\x1f\x8b\x08\x00" + bytes(40), "gzip"),
        (b"\x89HDF", "no file of weights"),
        (b"\x80\x04]\x94.", "holds a list; expected a dict of arrays"),
        (struct.pack("<Q", 10**9) + b'{"a": 1}', "no whole safetensors file"),
    ],
)
def test_files_that_are_no_weights(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "f.pth").write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"f\.pth: .*{message}"):
        open_weights(tmp_path / "f.pth")
    with pytest.raises(CheckpointError, match="no such file"):
        open_weights(tmp_path / "g.pth")
    with pytest.raises(CheckpointError, match="is no file"):
        open_weights(tmp_path)


def test_a_model_of_our_own_needs_no_import(tmp_path: Path) -> None:
    Sequential([L.Input((2,)), L.Dense(1)]).save(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match="is a Pellucid model file already"):
        open_weights(tmp_path / "m.safetensors")
