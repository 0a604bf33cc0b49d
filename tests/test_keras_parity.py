"""Losses and metrics called by hand, and arguments by position, beside Keras itself."""

from __future__ import annotations

import inspect
import os
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from pellucid import initializers, layers, losses, metrics, optimizers  # noqa: E402  # after the backend was chosen

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2


def value(tensor: Any) -> Any:
    """A tensor as an array."""
    return tensor.detach().numpy()


SHARES = [0.0, 1e-8, 1e-7, 0.25, 0.5, 1 - 1e-7, 1.0]


def batches(count: int = 12) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(class numbers, probabilities, weights) of several sizes, some rows at 0 and 1, some that do not sum to 1."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(count):
        n, k = int(rng.integers(1, 9)), int(rng.integers(2, 7))
        shares = rng.random((n, k)).astype(np.float32)
        if number % 3:
            shares /= shares.sum(axis=1, keepdims=True)
        if number % 2:
            shares[0] = np.eye(k)[0]
            shares.reshape(-1)[: len(SHARES)] = SHARES[: shares.size]
            shares[:, -1] += 1e-3
        made.append((rng.integers(0, k, n), shares, rng.random(n).astype(np.float32)))
    return made


def same(ours: Any, theirs: Any, *given: np.ndarray) -> None:
    """Both losses of these arrays, without weights and with them."""
    *arrays, weights = given
    for extra in ({}, {"sample_weight": weights}):
        expected = float(value(theirs(*arrays, **extra)))
        assert ours(*arrays, **extra) == pytest.approx(expected, rel=2e-6, abs=1e-7)


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_by_hand_are_kerass(from_logits: bool, smoothing: float) -> None:
    for labels, shares, weights in batches():
        y_pred = np.log(shares + 1e-3).astype(np.float32) if from_logits else shares
        one_hot = np.eye(shares.shape[1], dtype=np.float32)[labels]
        several = (shares[::-1] > 0.3).astype(np.float32)
        for name, y_true in (("CategoricalCrossentropy", one_hot), ("BinaryCrossentropy", several)):
            ours, theirs = getattr(losses, name), getattr(keras.losses, name)
            binary = np.clip(y_pred, 0, 1) if name.startswith("Bin") and not from_logits else y_pred
            same(ours(from_logits, smoothing), theirs(from_logits, smoothing), y_true, binary, weights)
        if not smoothing:
            name = "SparseCategoricalCrossentropy"
            same(getattr(losses, name)(from_logits), getattr(keras.losses, name)(from_logits), labels, y_pred, weights)


@pytest.mark.parametrize("name", ["MeanSquaredError", "MeanAbsoluteError"])
def test_losses_of_numbers_by_hand_are_kerass(name: str) -> None:
    for labels, shares, weights in batches():
        same(getattr(losses, name)(), getattr(keras.losses, name)(), shares[::-1] * 3, shares - 1, weights)
        one, other = labels.astype(np.float32), shares[:, 0]
        expected = float(value(getattr(keras.losses, name)()(one, other)))
        assert getattr(losses, name)()(one, other) == pytest.approx(expected, rel=1e-6)


def test_one_unit_under_binary_cross_entropy() -> None:
    y_true, y_pred = np.array([1.0, 0.0, 1.0]), np.array([[0.9], [0.2], [0.7]], np.float32)
    expected = float(value(keras.losses.BinaryCrossentropy()(y_true[:, None], y_pred)))
    for labels in (y_true, y_true[:, None], [1, 0, 1], [True, False, True]):
        assert losses.BinaryCrossentropy()(labels, y_pred) == pytest.approx(expected, rel=1e-6)
    assert losses.BinaryCrossentropy()(y_true, y_pred[:, 0]) == pytest.approx(expected, rel=1e-6)


def test_metrics_by_hand_are_kerass() -> None:
    for labels, shares, _ in batches(24):
        shares = np.round(shares * 4) / 4 + np.arange(shares.shape[1], dtype=np.float32) * 1e-3  # many near ties
        one_hot = np.eye(shares.shape[1], dtype=np.float32)[labels]
        whole = value(keras.metrics.categorical_accuracy(one_hot, shares)).mean()
        assert metrics.accuracy(labels, shares) == metrics.accuracy(one_hot, shares) == pytest.approx(whole)
        best = value(keras.metrics.sparse_top_k_categorical_accuracy(labels, shares, k=2)).mean()
        assert metrics.top_k(labels, shares, 2) == pytest.approx(best)
        single = np.round(shares[:, 0] * 4) / 4  # a half is class 0
        binary = value(keras.metrics.binary_accuracy(labels[:, None] > 0, single[:, None])).mean()
        assert metrics.accuracy(labels > 0, single[:, None]) == pytest.approx(float(binary))


def beside(ours: Any, theirs: Any, x: np.ndarray) -> None:
    """Both layers with the same weights give the same; those of a transposed convolution have the same shape too."""
    rng = np.random.default_rng(3)
    ours(x), theirs(x)
    assert [array.shape for array in ours.weights] == [tuple(array.shape) for array in theirs.weights]
    weights = [rng.standard_normal(array.shape).astype(np.float32) for array in ours.weights]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    expected = value(theirs(x))
    assert ours.output_shape(x.shape[1:]) == expected.shape[1:]
    np.testing.assert_allclose(ours(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "arguments",
    [
        {"kernel_size": 2, "strides": 2},
        {"kernel_size": 3, "strides": 2, "padding": "same"},
        {"kernel_size": (3, 2), "strides": (1, 3), "padding": "valid"},
        {"kernel_size": 3, "strides": 2, "padding": "same", "output_padding": 0},
        {"kernel_size": 4, "strides": 3, "padding": "valid", "output_padding": (2, 0)},
        {"kernel_size": 3, "strides": 1, "padding": "same", "dilation_rate": 2},
    ],
    ids=str,
)
def test_transposed_convolution_is_kerass(arguments: dict[str, Any]) -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3)).astype(np.float32)
    beside(layers.Conv2DTranspose(4, **arguments), keras.layers.Conv2DTranspose(4, **arguments), x)


def test_layer_and_group_norm_are_kerass() -> None:
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 6)).astype(np.float32) + 1
    for axis in (-1, [2, 3], (-3, -2, -1)):
        beside(layers.LayerNormalization(axis), keras.layers.LayerNormalization(axis), x)
    for groups in (1, 3, -1):
        beside(layers.GroupNormalization(groups), keras.layers.GroupNormalization(groups), x)


def positional(cls: Any) -> list[str]:
    """The arguments that may be given by position, in their order."""
    parameters = inspect.signature(cls).parameters.values()
    return [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]


PAIRS = [
    *((getattr(layers, name), getattr(keras.layers, name)) for name in (
        "Conv1D", "Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Dense", "Dropout", "MaxPooling1D", "MaxPooling2D",
        "AveragePooling1D", "AveragePooling2D",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D", "Flatten", "Reshape", "Permute",
        "Activation", "ReLU", "LeakyReLU", "Softmax", "ZeroPadding2D", "Cropping2D", "SpatialDropout2D",
        "GaussianNoise", "BatchNormalization", "Conv2DTranspose", "LayerNormalization", "GroupNormalization",
    )),
    *((getattr(optimizers, name), getattr(keras.optimizers, name)) for name in (
        "SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "Adamax", "Nadam", "Lion", "Ftrl",
    )),
    *((getattr(losses, name), getattr(keras.losses, name)) for name in (
        "CategoricalCrossentropy", "SparseCategoricalCrossentropy", "BinaryCrossentropy", "MeanSquaredError",
    )),
    *((getattr(initializers, name), getattr(keras.initializers, name)) for name in (
        "Constant", "RandomNormal", "RandomUniform", "VarianceScaling", "Zeros", "Ones",
    )),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=lambda cls: f"{cls.__module__.split('.')[0]}.{cls.__name__}")
def test_arguments_by_position_are_kerass(ours: Any, theirs: Any) -> None:
    """What stands at a place means the same there, or cannot be given by position here."""
    here, there = positional(ours), positional(theirs)
    assert here == there[: len(here)]


@pytest.mark.parametrize(("name", "given"), [("DepthwiseConv2D", ((3, 2),)), ("SeparableConv2D", (5, (3, 2)))])
@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": "same", "depth_multiplier": 2, "activation": "relu"},
        {"dilation_rate": 2, "use_bias": False},
    ],
)
def test_depthwise_convolutions_are_kerass(name: str, given: tuple[Any, ...], options: dict[str, Any]) -> None:
    x = np.random.default_rng(1).standard_normal((2, 8, 7, 4), np.float32)
    ours, theirs = getattr(layers, name)(*given, **options), getattr(keras.layers, name)(*given, **options)
    y = ours(x)
    theirs.build(x.shape)
    assert [(w.name, tuple(w.shape)) for w in theirs.weights] == [(key, a.shape) for key, a in ours.params.items()]
    theirs.set_weights(ours.get_weights())
    np.testing.assert_allclose(y, value(theirs(x)), rtol=1e-5, atol=1e-6)
