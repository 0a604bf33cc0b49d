"""Weights from Keras: written by Keras, read by h5py in a process of its own, and the outputs compared."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.convert import import_model, import_weights, keras, open_weights
from pellucid.errors import CheckpointError, ConfigError
from pellucid.model import Sequential

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

SIDE = (32, 64)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What tests/keras_files.py writes."""
    for needed in ("keras", "torch"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    folder = tmp_path_factory.mktemp("keras")
    program = Path(__file__).with_name("keras_files.py")
    done = subprocess.run([sys.executable, str(program), str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def vgg16(**arguments: Any) -> Sequential:
    return zoo.build("vgg16", **{"input_shape": (*SIDE, 3), "classes": 7, **arguments})


@pytest.mark.parametrize("file", ["vgg16.weights.h5", "vgg16.h5"])
def test_vgg16_answers_as_in_keras(file: str, files: Path) -> None:
    """Pictures as uint8: Keras's own preparation (blue first, less the mean) must be in the model by then."""
    model = vgg16()
    report = import_weights(model, files / file)
    assert (report.scaling, report.fresh, report.arrays) == ("caffe", (), 32)
    assert report.numbers == model.count_params()
    expected = np.load(files / "vgg16.npy")
    assert np.ptp(expected, axis=1).min() > 0.05, "outputs that hardly differ would agree with anything"
    np.testing.assert_allclose(model.predict(np.load(files / "images.npy")), expected, rtol=1e-4)
    assert model.preprocessing.resize == "stretch"


def test_the_scaling_can_be_chosen(files: Path) -> None:
    model = vgg16()
    assert import_weights(model, files / "vgg16.h5", scaling="plain").scaling == "plain"
    floats = np.load(files / "images.npy").astype(np.float32)[..., ::-1] - (103.939, 116.779, 123.68)
    np.testing.assert_allclose(model.predict(floats), np.load(files / "vgg16.npy"), rtol=1e-4)
    assert model.preprocessing.mean is None and model.preprocessing.scale == 1 / 255


@pytest.mark.parametrize("file", ["own.weights.h5", "own.h5"])
def test_a_network_of_ones_own_is_read_in_order(file: str, files: Path) -> None:
    """More than ten convolutions' worth of names, batch normalisation, a layer without a bias, pictures of 11 x 9."""
    model = Sequential(
        [
            L.Input((11, 9, 2)),
            L.Conv2D(6, (3, 2), padding="same"),
            L.BatchNorm(),
            L.ReLU(),
            L.Dropout(0.3),
            *(L.Conv2D(4 + i, 2, activation="relu", use_bias=i != 3) for i in range(6)),
            L.Flatten(),
            L.Dense(8, activation="tanh"),
            L.Dense(3, activation="softmax"),
        ]
    )
    report = import_weights(model, files / file)
    assert report.scaling == "plain" and not report.fresh
    with np.load(files / "own.npz") as own:
        assert np.ptp(own["answers"], axis=1).min() > 0.01
        np.testing.assert_allclose(model.predict(own["images"]), own["answers"], rtol=1e-4)


def test_without_top_the_head_starts_anew(files: Path) -> None:
    model, report = import_model(files / "body.weights.h5", "vgg16", classes=3, size=64, options={"dense_units": 16})
    assert report.fresh == ("fc6", "fc7", "fc8") and model.output_shape == (3,) and report.arrays == 26
    np.testing.assert_array_equal(model.get_layer("conv5_3").get_weights()[0], np.load(files / "body.npy"))
    whole = zoo.build("vgg16", input_shape=(64, 64, 3), options={"dense_units": 16})
    with pytest.raises(CheckpointError, match=r"fc1/kernel .*trained for another size of picture"):
        import_weights(whole, files / "vgg16.h5")
    assert import_weights(whole, files / "vgg16.h5", no_top=True).fresh == ("fc6", "fc7", "fc8")
    other = vgg16(classes=5)
    assert import_weights(other, files / "vgg16.weights.h5").fresh == ("fc8",)


def test_the_names_are_those_of_keras(files: Path) -> None:
    own = [layer for layer in zoo.build("vgg19", input_shape=(32, 32, 3)).layers if layer.params][:16]
    names = [(keras._vgg_name(layer.name), list(layer.params["kernel"].shape)) for layer in own]
    assert [list(item) for item in names] == json.loads((files / "vgg19.json").read_text())


# Files written with h5py, in the layouts that Keras 1 and 2 wrote

NAMES = ("block1_conv1", "block1_pool", "fc1")


def small() -> Sequential:
    return Sequential(
        [L.Input((4, 4, 3)), L.Conv2D(2, 3, name="conv1_1"), L.MaxPool2D(2), L.Flatten(), L.Dense(2, name="fc6")]
    )


def write(path: Path, change: Callable[[Any], None] = lambda file: None, *, style: str = "{layer}_{which}_1:0") -> Path:
    """A weights file of two layers, and what `change` does to it. Keras 1 names a kernel W, Keras 2 kernel."""
    rng = np.random.default_rng(2)
    shapes = {"block1_conv1": ((3, 3, 3, 2), (2,)), "fc1": ((2, 2), (2,)), "block1_pool": ()}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in NAMES]
        for layer in NAMES:
            group = file.create_group(layer)
            names = [style.format(layer=layer, which=which) for which in "Wb"[: len(shapes[layer])]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, shape in zip(names, shapes[layer], strict=True):
                group[name] = rng.normal(size=shape).astype(np.float32)
        change(file)
    return path


KERNEL = "block1_conv1/block1_conv1_W_1:0"


@pytest.mark.parametrize("style", ["{layer}_{which}_1:0", "{layer}/{which}:0"])
def test_the_layout_of_keras_1_and_2(style: str, tmp_path: Path) -> None:
    model = small()
    report = import_weights(model, write(tmp_path / "w.h5", style=style), scaling="caffe")
    assert report.arrays == 4 and report.fresh == ()
    rng = np.random.default_rng(2)
    kernel = rng.normal(size=(3, 3, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kernel[:, :, ::-1])


def test_long_lists_of_names_are_cut_by_keras(tmp_path: Path) -> None:
    def cut(file: Any) -> None:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"] = [b"block1_conv1"]
        file.attrs["layer_names1"] = [b"block1_pool", b"fc1"]

    assert import_weights(small(), write(tmp_path / "w.h5", cut)).arrays == 4


def test_compressed_and_half_precision_arrays(tmp_path: Path) -> None:
    def pack(file: Any) -> None:
        values = file[KERNEL][()].astype(np.float16)
        del file[KERNEL]
        file.create_dataset(KERNEL, data=values, compression="gzip", shuffle=True, fletcher32=True)

    model = small()
    import_weights(model, write(tmp_path / "w.h5", pack))
    kernel = np.random.default_rng(2).normal(size=(3, 3, 3, 2)).astype(np.float32)
    np.testing.assert_array_equal(model.layers[0].get_weights()[0], kernel.astype(np.float16).astype(np.float32))


def replaced(make: Callable[[Any, str], None]) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[KERNEL]
        make(file, KERNEL)

    return change


def virtual(file: Any, name: str) -> None:
    layout = h5py.VirtualLayout((3, 3, 3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", (3, 3, 3, 2))
    file.create_virtual_dataset(name, layout)


def external(file: Any, name: str) -> None:
    file.create_dataset(name, (3, 3, 3, 2), "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def link(target: Any) -> Callable[[Any, str], None]:
    def make(file: Any, name: str) -> None:
        file[name] = target

    return make


def chunked(file: Any, name: str) -> None:
    file.create_dataset(name, (3, 3, 3, 2**28), "f4", chunks=(3, 3, 3, 2**24), compression="gzip")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced(link(h5py.SoftLink("/fc1/fc1_W_1:0"))), r"/block1_conv1/block1_conv1_W_1:0: is a link"),
        (replaced(link(h5py.ExternalLink("/etc/other.h5", "/x"))), r"block1_conv1_W_1:0: is a link"),
        (replaced(virtual), r"block1_conv1_W_1:0: its numbers lie in other files"),
        (replaced(external), r"block1_conv1_W_1:0: its numbers lie in other files"),
        (replaced(lambda file, name: file.create_dataset(name, (2**40,), "f4")), "holds no numbers"),
        (replaced(lambda file, name: file.create_dataset(name, (3,), "f4", chunks=(3,))), "holds no numbers"),
        (replaced(chunked), "stored in chunks"),
        (replaced(lambda file, name: file.create_group(name)), "expected a data set, got a Group"),
        (replaced(lambda file, name: None), r"block1_conv1_W_1:0: is missing"),
        (replaced(lambda file, name: file.create_dataset(name, data=[b"text"])), "holds .*expected numbers"),
        (replaced(lambda file, name: file.create_dataset(name, dtype="f4")), "no axes"),
        (
            replaced(lambda file, name: file.create_dataset(name, data=np.zeros((9, 9), "i4"), scaleoffset=0)),
            "packed by filter 6",
        ),
        (lambda file: file.attrs.__setitem__("layer_names", 5), "layer_names'?: expected a list of names"),
        (lambda file: file.attrs.__setitem__("layer_names", [b"../x"]), "is missing"),
        (lambda file: file["fc1"].attrs.__setitem__("weight_names", [b"a"] * 99), "/fc1: has 99 weights"),
        (lambda file: file.attrs.__delitem__("layer_names"), "holds no weights of a Keras model"),
    ],
)
def test_what_a_file_of_weights_has_no_need_of_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "w.h5", change)
    with pytest.raises(CheckpointError, match=rf"w\.h5.*{message}"):
        import_weights(small(), path)


def test_one_error_lists_all_that_does_not_fit(tmp_path: Path) -> None:
    def change(file: Any) -> None:
        del file["fc1/fc1_b_1:0"]
        file["fc1"].attrs["weight_names"] = [b"fc1_W_1:0"]
        del file[KERNEL]
        file[KERNEL] = np.zeros((2, 3, 3, 3), np.float32)
        file.attrs["layer_names"] = [b"block1_conv1", b"fc1", b"more"]
        file.create_group("more").attrs["weight_names"] = [b"w"]
        file["more"]["w"] = np.zeros(4, np.float32)

    with pytest.raises(CheckpointError) as caught:
        import_weights(small(), write(tmp_path / "w.h5", change))
    text = str(caught.value)
    assert "1 missing: fc1/bias (2,)" in text and "1 left over: /more/w (4,)" in text
    assert "block1_conv1_W_1:0 (2, 3, 3, 3), layer 'conv1_1' needs (3, 3, 3, 2)" in text


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    data = write(tmp_path / "w.h5").read_bytes()
    broken = tmp_path / "broken.h5"
    for place in (9, 200, len(data) // 2, len(data) - 8):
        broken.write_bytes(data[:place])
        with pytest.raises(CheckpointError, match=r"broken\.h5: is no whole HDF5 file"):
            open_weights(broken)


def test_the_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that hangs is ended; one that dies is noticed; nothing it says is trusted."""
    path = write(tmp_path / "w.h5")
    reader = tmp_path / "reader.py"
    monkeypatch.setattr(keras, "_READER", reader)
    monkeypatch.setattr(keras, "ANSWER_S", 1.0)
    for program, message in (
        ("import time; time.sleep(60)", "limits of memory and time"),
        ("raise SystemExit(3)", "limits of memory and time"),
        ("print('[]', flush=True)", r"\[\]"),
        ("""print('{"layers": [{"arrays": 1}]}', flush=True)""", "index that makes no sense"),
    ):
        reader.write_text(program)
        with pytest.raises(CheckpointError, match=rf"w\.h5: .*{message}"):
            open_weights(path)
    index = (
        '{"style": "legacy", "layers": [{"name": "l", "arrays": [{"path": "a", "shape": [2], "dtype": "float32"}]}]}'
    )
    for answer, message in (
        ('{"bytes": 800}', "expected 8 bytes, its reader has 800"),
        ('{"bytes": 8}', "ended after 0 of 8 bytes"),
        ('{"error": "no more"}', "no more"),
    ):
        reader.write_text(f"print({index!r}, flush=True)\ninput()\nprint({answer!r}, flush=True)")
        with open_weights(path) as source, pytest.raises(CheckpointError, match=message):
            source.read("a")


@pytest.mark.skipif(sys.platform != "linux", reason="the limits of memory are Linux's")
def test_a_reader_that_wants_too_much_memory_is_refused(tmp_path: Path) -> None:
    from pellucid.convert import hdf5_reader

    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hdf5_reader as r; r.set_limits()\n"
        "try:\n    bytearray(3 << 30)\nexcept MemoryError:\n    print('refused')\n"
        "try:\n    open(sys.argv[2], 'w').write('x' * 9999)\nexcept OSError:\n    print('unwritten')\n"
    )
    folder = str(Path(hdf5_reader.__file__).parent)
    import signal

    done = subprocess.run(
        [sys.executable, "-P", "-c", code, folder, str(tmp_path / "x")],
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN) and None,
    )
    assert done.stdout.split() == ["refused", "unwritten"]


def test_without_h5py_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "w.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ConfigError, match=r"w\.h5: .*pip install 'pellucid\[h5\]'"):
        open_weights(path)


def test_the_process_ends_with_the_source(tmp_path: Path) -> None:
    with open_weights(write(tmp_path / "w.h5")) as source:
        process = source._process  # type: ignore[attr-defined]
        assert process.poll() is None
    assert process.poll() is not None
    if os.path.isdir("/proc"):
        assert not Path(f"/proc/{process.pid}").exists()
