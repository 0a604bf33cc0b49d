"""Model files: the same bits back, readable by others, one clear error for each thing that is wrong."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import fit, pictures, small

import pellucid
from pellucid import checkpoint, optimizers, zoo
from pellucid import layers as L
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError
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


def rewrite(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
    tensors, facts = checkpoint.read(path)
    change(tensors, facts)
    checkpoint.write(path, tensors, facts)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "m.safetensors"
    small().save(path)
    return path


def test_all_wrong_tensors_stand_in_one_error(saved: Path) -> None:
    def change(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
        tensors["hidden/kernel"] = tensors["hidden/kernel"].T.copy()
        del tensors["out/bias"]
        tensors["extra/kernel"] = np.zeros(2, np.float32)

    rewrite(saved, change)
    with pytest.raises(CheckpointError) as caught:
        pellucid.load(saved)
    message = str(caught.value)
    for part in (
        "hidden/kernel: (7, 16), expected (16, 7)",
        "out/bias: missing, expected (3,)",
        "extra/kernel: (2,), expected nothing",
        str(saved),
    ):
        assert part in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("kind", "history", "holds no Pellucid model"),
        ("layers", [{"type": "Convv2D"}], "unknown layer 'Convv2D'"),
        ("layers", [{"type": "Dense", "units": 3, "wings": 2}], "wings"),
        ("layers", ["Dense"], "cannot be followed"),
        ("layers", 5, "cannot be followed"),
        ("layers", [{"type": "Flatten"}, {"type": "Dense", "units": 10**13}], "the file is far too short"),
        ("layers", [{"type": "Dense", "units": 3}], "put Flatten"),
        ("layers", [{"type": "Conv2D", "filters": 1, "kernel_size": 9}], "needs at least 9x9"),
        ("input_shape", [6, -5, 2], "cannot be followed"),
        ("input_shape", None, "cannot be followed"),
        ("preprocessing", {"scale": "big"}, "cannot be followed"),
        ("compiled", {"optimizer": {"type": "os.system"}, "loss": {}}, "cannot be followed"),
        ("trained_on", 3, "cannot be followed"),
        ("seed", -4, "seed must be"),
    ],
)
def test_a_wrong_description_is_refused(saved: Path, key: str, value: object, message: str) -> None:
    rewrite(saved, lambda tensors, facts: facts.update({key: value}))
    with pytest.raises(CheckpointError, match=message) as caught:
        pellucid.load(saved)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a zip", b"\x80\x04\x95 a pickle" * 9, b"\x00" * 64])
def test_what_is_no_model_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"m\.safetensors"):
        pellucid.load(path)


def test_names_in_a_file_are_looked_up_in_tables_and_nowhere_else(saved: Path, tmp_path: Path) -> None:
    witness = tmp_path / "witness.py"
    witness.write_text("raise SystemExit('imported')")
    for kind in ("witness.Layer", "builtins.eval", "__class__", "Layer", str(witness)):
        rewrite(saved, lambda tensors, facts, kind=kind: facts.update(layers=[{"type": kind}]))  # type: ignore[misc]
        with pytest.raises(CheckpointError, match="unknown layer"):
            pellucid.load(saved)


def test_weights_that_are_no_numbers_are_loaded_with_a_warning(saved: Path) -> None:
    def change(tensors: dict[str, Any], facts: dict[str, Any]) -> None:
        tensors["out/bias"][1] = np.nan

    rewrite(saved, change)
    with pytest.warns(UserWarning, match="NaN or infinite"):
        model = pellucid.load(saved)
    assert np.isnan(model.get_layer("out").weights[1]).tolist() == [False, True, False]


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
    with pytest.raises(CheckpointError, match="unknown layer 'Twice'"):
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
    _, facts = checkpoint.read(tmp_path / "m.safetensors")
    json.dumps(facts, allow_nan=False)
