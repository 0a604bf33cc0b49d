"""Layers and models by Keras's own configs, and what Keras's programs ask of a layer before it has seen a picture."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from pellucid import keras as ours
from pellucid.errors import CheckpointError, ConfigError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(3)


def branched() -> Any:
    inputs = keras.Input((9, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu", kernel_regularizer="l2", name="first")(inputs)
    x = keras.layers.Add()([x, keras.layers.Conv2D(4, 1)(x)])
    x = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D(keepdims=True)(x))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x), name="net")


def series() -> Any:
    each = [keras.layers.SeparableConv1D(4, 3), keras.layers.Conv1DTranspose(3, 3, strides=2), keras.layers.Flatten()]
    return keras.Sequential([keras.Input((9, 3)), *each, keras.layers.Dense(2)])


@pytest.mark.parametrize("make", [branched, series])
def test_keras_describes_a_model_and_it_answers_the_same(make: Any) -> None:
    theirs = make()
    for model in (
        ours.models.model_from_json(theirs.to_json()),
        getattr(ours, type(theirs).__name__.replace("Functional", "Model")).from_config(theirs.get_config()),
    ):
        assert model.name == theirs.name
        assert [one.name for one in model.layers] == [one.name for one in theirs.layers]
        model.set_weights([weight.value.detach().numpy() for weight in theirs.weights])
        x = RNG.random((3, *model.input_shape[1:]), np.float32)
        np.testing.assert_allclose(model.predict(x, verbose=0), theirs(x).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "error", "what"),
    [
        ("{", ConfigError, "what model.to_json"),
        ("[1]", ConfigError, "what model.to_json"),
        (
            lambda: keras.Sequential(
                [keras.Input((3, 2)), keras.layers.SpectralNormalization(keras.layers.Dense(2), name="r")]
            ).to_json(),
            CheckpointError,
            "SpectralNormalization",
        ),
    ],
)
def test_what_is_no_network_of_ours_is_named(text: Any, error: type[Exception], what: str) -> None:
    with pytest.raises(error, match=what):
        ours.models.model_from_json(text() if callable(text) else text)


def test_layers_go_there_and_back() -> None:
    layer = ours.layers.Conv2D(3, (3, 2), padding="same", activation="relu", name="own", kernel_initializer="he_normal")
    again = keras.layers.deserialize(ours.layers.serialize(layer))
    assert again.kernel_size == (3, 2) and again.name == "own" and again.activation is keras.activations.relu
    back = ours.layers.deserialize(keras.layers.serialize(again))
    assert back.config() == layer.config() and layer.get_config()["kernel_size"] == again.get_config()["kernel_size"]
    assert type(layer).from_config(layer.get_config()).config() == layer.config()


def test_a_clone_has_other_layers_where_a_function_says_so() -> None:
    model = ours.models.model_from_json(branched().to_json())

    def wider(layer: Any) -> Any:
        own = {"filters": 6} if isinstance(layer, ours.layers.Conv2D) else {}
        return type(layer).from_config({**layer.get_config(), **own})

    clone = ours.models.clone_model(model, clone_function=wider)
    assert [layer.filters for layer in clone.layers if hasattr(layer, "filters")] == [6, 6]
    assert [layer.name for layer in clone.layers] == [layer.name for layer in model.layers]
    assert clone.predict(RNG.random((2, 9, 8, 3), np.float32), verbose=0).shape == (2, 2)


def test_pictures_of_any_size_stay_so() -> None:
    model = ours.Sequential([ours.Input((None, None, 3)), ours.layers.Conv2D(2, 3), ours.layers.GlobalMaxPool2D()])
    again = ours.models.model_from_json(model.to_json())
    assert again.predict(np.zeros((1, 9, 8, 3)), verbose=0).shape == (1, 2)


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("Conv2D", (3, (3, 2)), (None, None, 7, 3)),
        ("Conv1DTranspose", (4, 3, 2), (5, None, 3)),
        ("Dense", (3,), (None, 4)),
        ("BatchNormalization", (), (None, 6, 5, 3)),
        ("GlobalAveragePooling2D", (None, True), (None, None, None, 3)),
        ("RepeatVector", (3,), (2, 6)),
        ("Add", (), [(None, 4, 3), (None, 4, 3)]),
    ],
)
def test_build_and_shapes_count_the_batch(name: str, arguments: tuple[Any, ...], shape: Any) -> None:
    theirs = getattr(keras.layers, name)(*arguments)
    given = {"keepdims": True} if name.startswith("Global") else {}
    layer = getattr(ours.layers, name)(*(() if given else arguments), **given)
    assert layer.compute_output_shape(shape) == tuple(theirs.compute_output_shape(shape))
    layer.build(shape)
    theirs.build(shape)
    assert layer.built and layer.dtype == theirs.dtype
    assert [a.shape for a in layer.get_weights()] == [tuple(w.shape) for w in theirs.weights]


def test_shapes_without_a_batch_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected \(batch, ...\)"):
        ours.layers.Dense(3).build((4,))
