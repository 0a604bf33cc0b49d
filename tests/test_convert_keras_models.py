"""Whole models in Keras's files, with their architecture: what Keras 3 writes, and what Keras 1 and 2 wrote."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras is not installed")
h5py = pytest.importorskip("h5py", reason="h5py is not installed")

from keras import layers as KL  # noqa: E402  # after the backend was chosen

import pellucid  # noqa: E402
from pellucid import CheckpointError, convert  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),  # PyTorch and NumPy 2
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
]

SHAPE = (12, 10, 3)
RNG = np.random.default_rng(8)
PICTURES = RNG.normal(size=(2, *SHAPE)).astype(np.float32)


def filled(model: Any) -> Any:
    """With weights that are neither zero nor one anywhere."""
    model.set_weights(
        [RNG.uniform(0.5, 1.5, w.shape) if "variance" in w.name else RNG.normal(0, 0.4, w.shape) for w in model.weights]
    )
    return model


def branched() -> Any:
    """Additions, models within models, one that is called on what another gives, activations as layers."""
    inputs = keras.Input(SHAPE)
    x = KL.Conv2D(4, 3, padding="same", activation="relu", kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2))(inputs)
    x = KL.BatchNormalization(scale=False)(x)
    x = KL.Add()([x, KL.SeparableConv2D(4, 3, padding="same")(x)]) + x
    values = keras.Input((12, 10, 4))
    both = [KL.Conv2D(3, 1)(values), KL.Conv2D(2, 1, activation=KL.LeakyReLU(negative_slope=0.1))(values)]
    x = keras.Model(values, KL.Concatenate()(both), name="inner")(x)
    deeper = keras.Sequential([KL.PReLU(shared_axes=[1, 2]), KL.Conv2D(6, 1), KL.Dropout(0.1)])
    x = keras.Sequential([KL.GroupNormalization(5), KL.BatchNormalization(), deeper])(x)
    x = KL.Multiply()([x, KL.Conv2D(6, 1, activation="sigmoid")(KL.GlobalAveragePooling2D(keepdims=True)(x))])
    again = KL.ReLU(6.0)
    x = again(KL.MaxPooling2D(2, padding="same")(again(keras.ops.relu(x))))
    model = keras.Model(inputs, KL.Dense(3, activation="softmax")(KL.Flatten()(x)))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def scaled() -> Any:
    layer = KL.Normalization()
    layer.adapt(PICTURES)
    return layer


def in_row() -> Any:
    """One of each other layer."""
    return keras.Sequential(
        [
            keras.Input(SHAPE),
            scaled(),
            KL.Rescaling(0.5, offset=-0.25),
            KL.RandomFlip(),
            KL.RandomRotation(0.1, interpolation="nearest"),  # which ours has not
            KL.ZeroPadding2D(((1, 0), (2, 1))),
            KL.Conv2D(5, 3, strides=2, dilation_rate=1),
            KL.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
            KL.LayerNormalization(),
            KL.Activation("swish"),
            KL.Conv2DTranspose(4, 3, strides=2, padding="same"),
            KL.UpSampling2D(2, interpolation="bilinear"),
            KL.Cropping2D(1),
            KL.AveragePooling2D(2),  # with "same" PyTorch's backend counts padding, TensorFlow's and ours do not
            KL.ELU(0.5),
            KL.LeakyReLU(negative_slope=0.2),
            KL.SpatialDropout2D(0.2),
            KL.Dropout(0.2, noise_shape=(None, 1, 1, 1)),
            KL.Reshape((-1, 4)),
            KL.Permute((2, 1)),
            KL.Conv1D(3, 2, padding="same"),
            KL.MaxPooling1D(2),
            KL.Softmax(axis=1),
            KL.Dense(2),
            KL.GlobalMaxPooling1D(),
        ]
    )


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("make", [branched, in_row])
def test_models_of_keras_3_answer_as_there(make: Callable[[], Any], ending: str, tmp_path: Path) -> None:
    theirs = filled(make())
    theirs.save(tmp_path / f"model.{ending}")
    ours = pellucid.load(tmp_path / f"model.{ending}")
    np.testing.assert_allclose(ours.predict(PICTURES), theirs.predict(PICTURES, verbose=0), rtol=1e-5, atol=1e-6)
    if make is branched:
        assert (type(ours.optimizer).__name__, ours.optimizer.config()["momentum"]) == ("SGD", 0.9)
        assert ours.layers[0].penalties()
    else:
        assert isinstance(ours, pellucid.Sequential)
    again = tmp_path / "again.safetensors"
    ours.save(again)
    np.testing.assert_array_equal(pellucid.load(again).predict(PICTURES), ours.predict(PICTURES))


@pytest.mark.parametrize("flatten", ["channels_first", "channels_last"])
def test_channels_first_are_turned(flatten: str, tmp_path: Path) -> None:
    first = {"data_format": "channels_first"}
    inputs = keras.Input((3, 12, 10))
    x = KL.BatchNormalization(axis=1)(KL.Conv2D(4, 3, activation="relu", **first)(inputs))
    x = KL.PReLU()(KL.MaxPooling2D(2, **first)(KL.Concatenate(axis=1)([x, KL.Conv2D(2, 1, **first)(x)])))
    theirs = filled(keras.Model(inputs, KL.Dense(4)(KL.Flatten(data_format=flatten)(x))))
    theirs.save(tmp_path / "first.keras")
    model, report = convert.import_network(tmp_path / "first.keras")
    expected = theirs.predict(np.ascontiguousarray(PICTURES.transpose(0, 3, 1, 2)), verbose=0)
    np.testing.assert_allclose(model.predict(PICTURES), expected, rtol=1e-5, atol=1e-6)
    assert any("channels first" in note for note in report.notes)


def legacy(path: Path, config: Any, weights: Mapping[str, Mapping[str, Any]], **attributes: str) -> Path:
    """An .h5 in the layout of Keras 1 and 2. weights: of each layer its arrays by name."""
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        for name, value in attributes.items():
            file.attrs[name] = value.encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for layer, arrays in weights.items():
            group.create_group(layer).attrs["weight_names"] = [name.encode() for name in arrays]
            for name, array in arrays.items():
                group[layer][name] = np.asarray(array, np.float32)
    return path


CONVOLUTION_1 = {
    "name": "c", "nb_filter": 2, "nb_row": 3, "nb_col": 2, "border_mode": "valid", "subsample": [1, 1],
    "activation": "relu", "bias": True, "init": "glorot_uniform", "W_regularizer": None, "W_constraint": None,
}  # fmt: skip
DENSE_1 = {"name": "d", "output_dim": 3, "activation": "softmax", "init": "normal", "bias": True, "input_dim": None}
KERNEL, BIAS = RNG.normal(size=(3, 2, 3, 2)), RNG.normal(size=2)
DENSE, DENSE_BIAS = RNG.normal(size=(180, 3)) / 10, RNG.normal(size=3)


def keras_1(order: str) -> tuple[Any, dict[str, dict[str, Any]]]:
    shape = [None, 12, 10, 3] if order == "tf" else [None, 3, 12, 10]
    records = [
        {
            "class_name": "Convolution2D",
            "config": {**CONVOLUTION_1, "dim_ordering": order, "batch_input_shape": shape},
        },
        {"class_name": "Flatten", "config": {"name": "f"}},
        {"class_name": "Dense", "config": DENSE_1},
    ]
    kernel = KERNEL if order == "tf" else KERNEL.transpose(3, 2, 0, 1)
    weights = {"c": {"c_W": kernel, "c_b": BIAS}, "f": {}, "d": {"d_W": DENSE, "d_b": DENSE_BIAS}}
    return {"class_name": "Sequential", "config": records}, weights


def expected_1(kernel: np.ndarray, order: str) -> np.ndarray:
    maps = np.zeros((2, 10, 9, 2))
    for i in range(3):
        for j in range(2):
            maps += PICTURES[:, i : i + 10, j : j + 9] @ kernel[i, j]
    maps = np.maximum(maps + BIAS, 0)
    rows = (maps if order == "tf" else maps.transpose(0, 3, 1, 2)).reshape(2, -1)
    scores = np.exp(rows @ DENSE + DENSE_BIAS)
    return scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("order", ["tf", "th"])
@pytest.mark.parametrize("backend", ["tensorflow", "theano"])
def test_models_of_keras_1_are_read_and_theanos_kernels_turned(order: str, backend: str, tmp_path: Path) -> None:
    config, weights = keras_1(order)
    model = pellucid.load(legacy(tmp_path / "k.h5", config, weights, keras_version="1.2.2", backend=backend))
    kernel = KERNEL[::-1, ::-1] if backend == "theano" else KERNEL
    np.testing.assert_allclose(model.predict(PICTURES), expected_1(kernel, order), rtol=1e-4, atol=1e-6)


def test_a_kernel_that_may_be_theanos_is_refused(tmp_path: Path) -> None:
    path = legacy(tmp_path / "k.h5", *keras_1("th"), keras_version="1.2.2")
    with pytest.raises(CheckpointError, match="whether Theano trained it"):
        pellucid.load(path)


def test_a_functional_model_of_keras_2_is_read(tmp_path: Path) -> None:
    """Layers in any order, an addition by TensorFlow, a name of the layer that is not that of its weights."""

    def record(kind: str, name: str, reads: list[Any], **config: Any) -> dict[str, Any]:
        return {"class_name": kind, "name": name, "config": {"name": name, **config}, "inbound_nodes": reads}

    dense = {"units": 4, "activation": "linear", "use_bias": True}
    records = [
        record("TFOpLambda", "tf.math.add", [["b", 0, 0, {"y": ["a", 0, 0], "name": None}]], function="math.add"),
        record("Dense", "b", [[["a", 0, 0, {}]]], **dense),
        record("Dense", "a", [[["i", 0, 0, {}]]], **dense),
        record("InputLayer", "i", [], batch_input_shape=[None, 5], dtype="float32", sparse=False),
    ]
    config = {"name": "m", "layers": records, "input_layers": [["i", 0, 0]], "output_layers": [["tf.math.add", 0, 0]]}
    first, second, bias = RNG.normal(size=(5, 4)), RNG.normal(size=(4, 4)), RNG.normal(size=4)
    weights = {"b": {"b/kernel:0": second, "b/bias:0": bias}, "a": {"x_7/kernel:0": first, "x_7/bias:0": bias}}
    path = legacy(tmp_path / "k.h5", {"class_name": "Functional", "config": config}, weights, keras_version="2.9.0")
    x = RNG.normal(size=(3, 5)).astype(np.float32)
    a = x @ first + bias
    np.testing.assert_allclose(pellucid.load(path).predict(x), a @ second + bias + a, rtol=1e-5, atol=1e-5)


def test_the_command_line_imports_a_whole_model(command: Any, tmp_path: Path) -> None:
    theirs = filled(keras.Sequential([keras.Input(SHAPE), KL.Flatten(), KL.Dense(2)], name="own"))
    theirs.save(tmp_path / "own.keras")
    out = tmp_path / "own.safetensors"
    status, told, err = command("import", tmp_path / "own.keras", "--out", out)
    assert status == 0 and "Keras model (.keras)" in told, err
    ours = pellucid.load(out)
    assert ours.name == "own"
    np.testing.assert_allclose(ours.predict(PICTURES), theirs.predict(PICTURES, verbose=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: KL.Lambda(lambda x: x * 2, name="twice"), "Lambda 'twice': programs in a file are not run"),
        (
            lambda: KL.SpectralNormalization(KL.Dense(2), name="m"),
            "SpectralNormalization 'm': they have no counterpart",
        ),
        (lambda: KL.Dropout(0.5, noise_shape=(None, 1, 1, 3), name="n"), "Dropout 'n': noise_shape"),
    ],
)
def test_what_has_no_counterpart_is_named(layer: Callable[[], Any], words: str, tmp_path: Path) -> None:
    inputs = keras.Input(SHAPE)
    keras.Model(inputs, layer()(inputs)).save(tmp_path / "m.keras")
    with pytest.raises(CheckpointError, match=words):
        pellucid.load(tmp_path / "m.keras")


def test_one_layer_in_two_places_stays_one(tmp_path: Path) -> None:
    """Called by itself, and within a model that is called twice."""
    inputs, shared = keras.Input((4,)), KL.Dense(4, name="shared")
    inner = keras.Sequential([keras.Input((4,)), KL.Dense(4, activation="tanh", name="within")], name="inner")
    model = keras.Model(inputs, inner(shared(inner(shared(inputs)))))
    model.save(tmp_path / "m.keras")
    ours = pellucid.load(tmp_path / "m.keras")
    assert len(ours.layers) == 4 and ours.count_params() == model.count_params() == 40
    np.testing.assert_allclose(ours.predict(np.eye(4)), model.predict(np.eye(4), verbose=0), rtol=0, atol=1e-6)


def test_weights_alone_are_said_to_be_that(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), KL.Dense(2)]).save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(CheckpointError, match="holds weights alone, and no network"):
        pellucid.load(tmp_path / "m.weights.h5")


def test_losses_that_are_functions_come_along_and_rows_are_scaled(tmp_path: Path) -> None:
    theirs = keras.Sequential([keras.Input((5, 4)), KL.Flatten(), KL.Dense(3, activation="softmax")])
    theirs.compile("adam", keras.losses.sparse_categorical_crossentropy)
    theirs.save(tmp_path / "rows.keras")
    model, report = convert.import_network(tmp_path / "rows.keras", scaling="plain")
    assert not report.notes and model.compiled_config()["loss"]["type"] == "CategoricalCrossentropy"
    levels = RNG.integers(0, 256, (2, 5, 4)).astype(np.uint8)
    expected = theirs.predict(levels / np.float32(255), verbose=0)
    np.testing.assert_allclose(model.predict(levels), expected, rtol=1e-5)
    pictures = keras.Sequential([keras.Input((5, 4, 3)), KL.Flatten()])
    pictures.save(tmp_path / "pictures.keras")
    assert convert.import_network(tmp_path / "pictures.keras")[1].notes
    assert not convert.import_network(tmp_path / "pictures.keras", scaling="raw")[1].notes
