"""Model files: the same bits back, readable by others, one clear error for each thing that is wrong."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from small_model import fit, pictures, small

import pellucid
from pellucid import layers as L
from pellucid import optimizers, zoo
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError
from pellucid.files import tensor_file
from pellucid.model import Sequential


def everything() -> Sequential:
    """One of each built-in layer that fits in a row, with arguments that are not the defaults."""
    return Sequential(
        [
            L.Input((12, 11, 4)),
            L.ZeroPadding2D((1, 0)),
            L.Conv2D(6, (3, 2), (2, 1), "same", groups=2, activation="leaky_relu", kernel_regularizer=L.L1L2(0.1, 0.2)),
            L.BatchNorm(momentum=0.8, center=False),
            L.LeakyReLU(0.05),
            L.LocalResponseNorm(3, alpha=0.01),
            L.MaxPool2D((2, 3), 2, padding=((0, 1), (1, 0))),
            L.AvgPool2D(2, 1, "same"),
            L.Conv2D(5, 2, dilation_rate=(1, 2), use_bias=False, kernel_initializer="he_normal", name="last conv"),
            L.Activation("tanh"),
            L.Dropout(0.3),
            L.Flatten(),
            L.Dense(3, "softmax", kernel_initializer=pellucid.initializers.RandomNormal(stddev=0.3)),
        ],
        name="everything",
        seed=9,
    )


def test_a_model_comes_back_bit_for_bit(tmp_path: Path) -> None:
    model = everything()
    x, y = pictures(20, (12, 11, 4))
    optimizer = optimizers.Adam(pellucid.schedules.Cosine(0.01, 100), clipnorm=1.0)
    model.compile(optimizer, pellucid.losses.CategoricalCrossentropy(label_smoothing=0.1))
    model.class_names = ("고양이", "dog", "c")
    model.preprocessing = Preprocessing(mean=(0.1, 0.2, 0.3, 0.4), std=(0.5,), size=(12, 11), resize="pad")
    model.trained_on["data"] = "noise"
    model.layers[2].trainable = False
    fit(model, x, y, batch_size=7)
    model.save(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    assert [layer.config() for layer in again.layers] == [layer.config() for layer in model.layers]
    assert [w.tobytes() for w in again.weights] == [w.tobytes() for w in model.weights]
    assert again.layers[2].trainable is False and again.layers[0].trainable is True
    assert again.predict(x).tobytes() == model.predict(x).tobytes()
    as_bytes = np.random.default_rng(0).integers(0, 256, (3, 12, 11, 4), np.uint8)
    assert again.predict(as_bytes).tobytes() == model.predict(as_bytes).tobytes()
    assert (again.name, again.seed, again.class_names) == ("everything", 9, model.class_names)
    assert (again.preprocessing, again.trained_on) == (model.preprocessing, model.trained_on)
    assert again.compiled_config() == model.compiled_config() is not None
    assert tuple(again.evaluate(x, y, verbose=0)) == tuple(model.evaluate(x, y, verbose=0))
    again.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


def test_training_goes_on_from_a_file_as_from_fresh_moments(tmp_path: Path) -> None:
    x, y = pictures()
    model = small()
    model.compile(optimizers.SGD(0.1), "categorical_crossentropy")
    fit(model, x, y, shuffle=False)
    model.save(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    for each in (model, again):
        fit(each, x, y, shuffle=False)
    np.testing.assert_array_equal(again.parameters.vector, model.parameters.vector)


def test_it_opens_in_the_safetensors_library(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors.numpy")
    model = zoo.photo_net((32, 32, 3), filters=(4, 5))
    model.save(tmp_path / "m.safetensors")
    theirs = library.load_file(tmp_path / "m.safetensors")
    own = {f"{layer.name}/{k}": v for layer in model.layers for k, v in (layer.params | layer.state).items()}
    assert theirs.keys() == own.keys() and "norm1/variance" in own
    for name, array in own.items():
        np.testing.assert_array_equal(theirs[name], array)


def test_a_run_folder_is_its_best_model(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(pellucid.load(tmp_path).weights[0], model.weights[0])
    with pytest.raises(CheckpointError, match="cannot be read"):
        pellucid.load(tmp_path / "nothing")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        pellucid.load(str(empty))


class Twice(L.Layer):
    """y = factor * x."""

    def __init__(self, factor: float = 2.0, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.factor = factor

    def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
        return x * np.float32(self.factor), None

    def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
        return dy * np.float32(self.factor), {}


def test_layers_of_ones_own_are_loaded_by_those_who_have_them(tmp_path: Path) -> None:
    model = Sequential([L.Input((3, 3, 1)), Twice(5.0), L.Flatten(), L.Dense(2)])
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"its layer .twice. is of a class of your own, Twice"):
        pellucid.load(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors", {"Twice": Twice})
    x = np.ones((2, 3, 3, 1), np.float32)
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_a_model_trained_on_pictures_with_nan_can_still_be_saved(tmp_path: Path) -> None:
    model = small()
    x, y = pictures()
    model.compile("sgd", "categorical_crossentropy")
    x[3] = np.nan
    with pytest.raises(pellucid.DivergedError):
        fit(model, x, y)
    model.save(tmp_path / "m.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pellucid.load(tmp_path / "m.safetensors")
    _, facts = tensor_file.read(tmp_path / "m.safetensors")
    json.dumps(facts, allow_nan=False)
