"""Weights from Keras: written by Keras, read by h5py in a process of its own, and the outputs compared."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from keras_layouts import KERNEL, small, write
from picture_files import write as write_picture

import pellucid
from pellucid import layers as L
from pellucid import zoo
from pellucid.convert import import_weights, keras, open_weights
from pellucid.errors import CheckpointError, ConfigError
from pellucid.model import Sequential
from pellucid.zoo import import_model

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
    return zoo.build("vgg16", **{"input_shape": (*SIDE, 3), "classes": 7, "options": {"dense_units": 64}, **arguments})


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


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two classes."""
    folder = tmp_path_factory.mktemp("colours")
    for number in range(4):
        write_picture(folder / "daisy" / f"{number}.png", colour=(240, 240, 60 + number))
        write_picture(folder / "rose" / f"{number}.png", colour=(200, 20 + number, 60))
    return folder


@pytest.mark.parametrize("file", ["vgg16_notop.h5", "vgg16.h5"])
def test_the_command_line_takes_kerass_older_files(
    file: str, files: Path, colours: Path, command: Command, tmp_path: Path
) -> None:
    """Weights alone and whole models: for a head of one's own on frozen features, and as a model file."""
    words = ["--set", "dense_units=4", "--size", 32]
    with h5py.File(files / file) as opened:
        kernel = opened.get("model_weights", opened)["block5_conv3/block5_conv3/kernel"][()]
    run, out = tmp_path / "run", tmp_path / "vgg16.safetensors"
    status, told, err = command(
        "train", "vgg16", "--weights", files / file, "--freeze", "features", "--data", colours,
        *words, "--epochs", 1, "--out", run,
    )  # fmt: skip
    assert status == 0, err
    assert "13 of 16 layers; fc6, fc7, fc8 start anew" in told
    np.testing.assert_array_equal(pellucid.load(run).get_layer("conv5_3").params["kernel"], kernel)
    status, told, err = command(
        "import", files / file, "--as", "vgg16", "--no-top", *words, "--classes", 2, "--out", out
    )
    assert status == 0 and "Keras weights (.h5)" in told, err
    np.testing.assert_array_equal(pellucid.load(out).get_layer("conv5_3").params["kernel"], kernel)


def test_the_names_are_those_of_keras(files: Path) -> None:
    own = [layer for layer in zoo.build("vgg19", input_shape=(32, 32, 3)).layers if layer.params][:16]
    names = [(keras._vgg_name(layer.name), list(layer.params["kernel"].shape)) for layer in own]
    assert [list(item) for item in names] == json.loads((files / "vgg19.json").read_text())


# Files written with h5py, in the layouts that Keras 1 and 2 wrote


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
