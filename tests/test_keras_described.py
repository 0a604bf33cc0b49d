"""Layers and models by Keras's own configs, and what Keras's programs ask of a layer before it has seen a picture."""

from __future__ import annotations

import functools
import inspect
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


GIVEN: dict[str, Any] = {
    **{"num_classes": 3, "target_class_ids": [1], "class_id": 1, "value": 2.0, "name": "own"},
    **dict.fromkeys(("recall", "precision", "specificity", "sensitivity"), 0.4),
    **{"initial_learning_rate": 0.5, "decay_steps": 5, "decay_rate": 0.9, "first_decay_steps": 5},
    **{"boundaries": [3], "values": [0.5, 0.25], "learning_rate": 0.5, "weight_decay": 0.25, "momentum": 0.5},
    **{"from_logits": True, "thresholds": 0.4, "num_thresholds": 50, "stddev": 0.5,},
    **{"l1": 0.5, "l2": 0.25, "max_value": 3.0},
}  # fmt: skip
"""What is said of each that takes it."""
MODULES = ("constraints", "initializers", "losses", "metrics", "optimizers", "optimizers.schedules", "regularizers")


def module_of(package: Any, path: str) -> Any:
    return functools.reduce(getattr, path.split("."), package)


def described() -> list[tuple[str, str]]:
    """Every class that both have, by Keras's list; one that Keras 3.15 gives a text for is left out."""
    found = [
        (path, name)
        for path in MODULES
        for name, value in vars(module_of(keras, path)).items()
        if inspect.isclass(value) and name == value.__name__ and hasattr(module_of(ours, path), name)
    ]
    abstract = {
        "CategoricalGeneralizedCrossEntropy",
        "Constraint",
        "Initializer",
        "LearningRateSchedule",
        "Loss",
        "Metric",
        "MeanMetricWrapper",
        "Optimizer",
        "Regularizer",
    }
    return [(path, name) for path, name in found if name not in abstract]


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return float(np.float32(value)) if isinstance(value, float) else value


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras, of its own learning rate
@pytest.mark.parametrize(("path", "name"), described(), ids=str)
def test_what_layers_and_compile_are_given_is_described_as_by_keras(path: str, name: str) -> None:
    (there, theirs), (here, own) = (
        (each, getattr(each, name)) for each in (module_of(keras, path), module_of(ours, path))
    )
    known = inspect.signature(theirs).parameters.keys() & inspect.signature(own).parameters.keys()
    given = {word: GIVEN[word] for word in sorted(known & GIVEN.keys())}
    thing, other = own(**given), theirs(**given)
    config, expected = thing.get_config(), other.get_config()
    assert here.serialize(here.deserialize(here.serialize(thing))) == here.serialize(thing)
    assert rounded(here.deserialize(there.serialize(other)).get_config()) == rounded(config) or name == "Huber"
    back = there.deserialize(here.serialize(thing)).get_config()
    assert {word: rounded(back[word]) for word in given if word in expected} == {
        word: rounded(expected[word]) for word in given if word in expected
    }
    if isinstance(own, type) and path != "constraints":
        assert rounded(own.from_config(config).get_config()) == rounded(config)
        assert rounded(own.from_config(expected).get_config()) == rounded(config) or name == "Huber"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_objects_of_ones_own_are_made_by_their_names() -> None:
    for path in ("losses", "metrics", "optimizers"):
        module = module_of(ours, path)
        assert module.deserialize({"class_name": "own", "config": "own"}, {"own": abs}) is abs
        with pytest.raises(ConfigError, match="unknown"):
            module.deserialize("no such thing")
    rate = keras.optimizers.schedules.ExponentialDecay(0.5, 5, 0.5)
    again = ours.optimizers.deserialize(keras.optimizers.serialize(keras.optimizers.Adam(rate)))
    assert again.learning_rate(5) == 0.25
    assert keras.optimizers.deserialize(ours.optimizers.serialize(again)).get_config()["learning_rate"]["config"][
        "decay_rate"
    ] == pytest.approx(0.5)
