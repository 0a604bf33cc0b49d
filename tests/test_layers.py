"""Single layers: arguments, errors, calling."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import layers
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.layers import (
    L1,
    L2,
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool1D,
    MaxPool2D,
    Penalty,
    ReLU,
    ZeroPadding2D,
    check_gradients,
    from_config,
)


def test_a_lone_convolution_as_on_the_seeds_page() -> None:
    """A 50x50 picture, 10 on its left half; an averaging and an edge kernel."""
    picture = np.zeros((1, 50, 50, 1))
    picture[:, :, :25] = 10
    layer = Conv2D(2, (2, 2))
    assert layer.weights == []
    assert layer(picture).shape == (1, 49, 49, 2)
    assert [array.shape for array in layer.weights] == [(2, 2, 1, 2), (2,)]
    mean, edge = np.full((2, 2), 0.25), np.array([[1.0, -1.0], [1.0, -1.0]])
    layer.set_weights([np.stack([mean, edge], axis=-1)[:, :, None, :], [0.0, 0.0]])
    y = layer(picture)
    assert y[0, 0, 0, 0] == 10 and y[0, 0, 24, 0] == 5 and y[0, 0, 30, 0] == 0
    assert y[0, 10, 24, 1] == 20 and np.count_nonzero(y[..., 1]) == 49
    assert layer(y[..., :1]).shape == (1, 48, 48, 2)
    assert layer(np.zeros((3, 7, 9, 1))).shape == (3, 6, 8, 2)


def test_a_lone_layer_is_the_same_twice_and_another_with_another_seed() -> None:
    x = np.ones((1, 4, 4, 1))
    np.testing.assert_array_equal(Conv2D(3, 2)(x), Conv2D(3, 2)(x))
    assert (Conv2D(3, 2)(x) != Conv2D(3, 2)(x, seed=1)).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float64, bool])
def test_any_real_dtype_and_order_comes_out_as_float32(dtype: Any) -> None:
    x = np.asfortranarray(np.random.default_rng(0).integers(0, 2, (2, 5, 4, 3)).astype(dtype))
    layer = Conv2D(4, (2, 3), activation="relu")
    y = layer(x)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, layer(np.ascontiguousarray(x, np.float32)))


def test_keras_names_and_positions() -> None:
    assert layers.Convolution2D is Conv2D and layers.MaxPooling2D is MaxPool2D
    assert layers.AveragePooling2D is AvgPool2D and layers.BatchNormalization is BatchNorm
    conv = Conv2D(3, 3, 1, padding="SAME")
    assert (conv.kernel_size, conv.strides, conv.padding) == ((3, 3), (1, 1), "same")
    pool = MaxPool2D((2, 2), (2, 2), "SAME")
    assert pool.padding == "same" and MaxPool2D(3).strides == (3, 3)
    dense = Dense(10, "Softmax", False, "He_Normal")
    assert dense.activation == "softmax" and not dense.use_bias
    assert Dense(1, activation="linear").activation is None
    assert LeakyReLU().negative_slope == 0.3
    assert [Conv2D(1, 1).name, MaxPool2D().name, ReLU().name, layers.GlobalAveragePooling2D().name] == [
        "conv2d",
        "max_pool2d",
        "relu",
        "global_avg_pool2d",
    ]


def test_leaky_relu_has_keras_two_slopes() -> None:
    x = np.array([[-1.0, 2.0]])
    np.testing.assert_allclose(layers.Activation("leaky_relu")(x), [[-0.2, 2.0]], rtol=1e-6)
    np.testing.assert_allclose(LeakyReLU()(x), [[-0.3, 2.0]], rtol=1e-6)
    assert layers.Activation("Swish").activation == "silu"
    np.testing.assert_allclose(ReLU(1.5, 0.1, 0.5)(x), [[-0.15, 1.5]], rtol=1e-6)


def test_parameter_counts_of_the_seeds() -> None:
    conv = Conv2D(36, 3, input_shape=(32, 32, 3))
    conv.build((32, 32, 3), np.random.default_rng(0))
    assert conv.count_params() == (3 * 3 * 3 + 1) * 36
    alex = Conv2D(256, 5, padding=2, groups=2)
    alex.build((27, 27, 96), np.random.default_rng(0))
    assert alex.weights[0].shape == (5, 5, 48, 256) and alex.count_params() == 307456


def test_conv1d_is_conv2d_one_pixel_high() -> None:
    x = np.random.default_rng(0).standard_normal((2, 9, 3)).astype(np.float32)
    one, two = Conv1D(4, 3, 2, (1, 2)), Conv2D(4, (1, 3), (1, 2), ((0, 0), (1, 2)))
    two(x[:, None])
    one(x)
    assert one.weights[0].shape == (3, 3, 4)
    one.set_weights([two.weights[0][0], two.weights[1]])
    np.testing.assert_array_equal(one(x), two(x[:, None])[:, 0])
    assert MaxPool1D(2)(np.arange(6).reshape(1, 6, 1)).ravel().tolist() == [1, 3, 5]


@pytest.mark.parametrize("size", [(4, 3), (20, 15)])  # 300 places are more than a byte tells apart
def test_global_max_pooling_gives_the_largest_and_its_gradient_to_the_first(size: tuple[int, int]) -> None:
    layer = pellucid.GlobalMaxPooling2D()
    x = np.random.default_rng(4).integers(-9, 9, (3, *size, 2)).astype(np.float32)  # with ties
    x[1, 2, 1, 0] = np.nan
    y, cache = layer.forward(x)
    np.testing.assert_array_equal(y, x.max(axis=(1, 2)))
    dx, _ = layer.backward(np.array([[1, 2], [3, 4], [5, 6]], np.float32), cache)
    expected = np.zeros_like(x).reshape(3, -1, 2)
    for n, c in np.ndindex(3, 2):
        expected[n, x[n, :, :, c].argmax(), c] = 2 * n + c + 1
    np.testing.assert_array_equal(dx, expected.reshape(x.shape))
    model = pellucid.Sequential([pellucid.Conv2D(4, 3, input_shape=(*size, 2)), layer, pellucid.Dense(2, "softmax")])
    pictures = np.nan_to_num(x)
    seen = pellucid.trace(model, pictures)
    np.testing.assert_allclose(model.predict(pictures), seen.outputs, rtol=1e-5)
    assert "global max pool" in pellucid.visualise.architecture_text(model)
    assert pellucid.transfer.features_depth(model) == 2  # it ends the maps
    found = pellucid.visualise.dissect(model, pictures[0], layer.name)
    assert found.kind == "max" and found.result == pytest.approx(found.computed, rel=1e-6)


def test_dropout_scales_and_replays() -> None:
    layer, x = Dropout(0.25), np.ones((40, 50), np.float32)
    y, cache = layer.forward(x, training=True, key=(0, 5, 1))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.05
    dx, _ = layer.backward(x, cache)
    np.testing.assert_array_equal(dx, y)
    other, _ = layer.forward(x, training=True, key=(0, 6, 1))
    assert (other != y).any()
    with pytest.raises(ConfigError, match=re.escape("'dropout' (Dropout 0.25) needs key=(seed, step, layer index)")):
        layer.forward(x, training=True)


def test_batch_norm_keeps_running_numbers() -> None:
    layer = BatchNorm(momentum=0.9)
    rng = np.random.default_rng(0)
    layer.build((5, 4, 3), rng)
    mean, variance = np.zeros(3), np.ones(3)
    for _ in range(4):
        x = (3 + 2 * rng.standard_normal((6, 5, 4, 3))).astype(np.float32)
        y, cache = layer.forward(x, training=True)
        np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(layer.state["mean"], mean, rtol=1e-5, atol=1e-6)
        layer.apply_state(cache)
        mean = 0.9 * mean + 0.1 * x.mean((0, 1, 2), dtype=np.float64)
        variance = 0.9 * variance + 0.1 * x.var((0, 1, 2), dtype=np.float64)
    np.testing.assert_allclose(layer.state["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(layer.state["variance"], variance, rtol=1e-5)
    expected = (x - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
    assert [array.shape for array in layer.weights] == [(3,)] * 4 and layer.count_params() == 12
    layer.trainable = False
    y, cache = layer.forward(x, training=True)
    np.testing.assert_array_equal(y, layer(x))
    layer.apply_state(cache)
    np.testing.assert_allclose(layer.state["mean"], mean, rtol=1e-5)


class Halve(Layer):
    """A user's own layer: y = scale * x / 2, with nothing but what it must have."""

    def __init__(self, offset: float = 0.0, name: str | None = None) -> None:
        super().__init__(name=name)
        self.offset = offset

    def build(self, input_shape, rng):
        self.params["scale"] = np.ones(input_shape[-1], np.float32)

    def forward(self, x, *, training=False, key=None):
        return self.params["scale"] * x / 2 + self.offset, x

    def backward(self, dy, cache, *, need_dx=True):
        return dy * self.params["scale"] / 2, {"dscale": (dy * cache / 2).sum(axis=0)}


def test_a_layer_of_ones_own() -> None:
    assert check_gradients(Halve(), (5,)).ok
    layer = Halve(1.0)
    assert layer(np.full((2, 3), 4)).tolist() == [[3.0] * 3] * 2
    layer.set_weights([[2, 2, 2]])
    assert layer(np.full((1, 3), 4)).tolist() == [[5.0] * 3]
    assert layer.built and layer.name == "halve"
    again = from_config(layer.config(), {"Halve": Halve})
    assert isinstance(again, Halve) and again.offset == 1.0
    with pytest.raises(ConfigError, match="unknown layer 'Halve'"):
        from_config(layer.config())


def test_a_layer_of_ones_own_that_takes_anything_by_name_cannot_be_kept() -> None:
    class Anything(Halve):
        def __init__(self, offset=0.0, **kwargs):
            super().__init__(offset, **kwargs)
            self.kwargs = kwargs

    with pytest.raises(ConfigError, match=r"\(Anything\): its __init__ takes \*\*kwargs,.*write each"):
        Anything(name="any").config()


def test_wrong_gradients_are_found() -> None:
    class Wrong(Halve):
        def backward(self, dy, cache, *, need_dx=True):
            return dy * self.params["scale"] / 2, {"dscale": 1.001 * (dy * cache / 2).sum(axis=0)}

    class Missing(Halve):
        def backward(self, dy, cache, *, need_dx=True):
            return dy[:1], {}

    class Signless(ReLU):
        def backward(self, dy, cache, *, need_dx=True):
            return dy, {}

    result = check_gradients(Wrong(), (5,))
    assert not result.ok and 5e-4 < result.error < 2e-3
    assert [array.name for array in result.arrays if array.error > result.tolerance] == ["dscale"]
    assert "WRONG dscale" in str(result)
    missing = check_gradients(Missing(), (5,))
    assert "must have shape (3, 5), has (1, 5)" in str(missing) and "did not return it" in str(missing)
    assert not check_gradients(Signless(), (4, 5)).ok


def test_check_gradients_leaves_the_layer_alone() -> None:
    layer = Conv2D(2, 2, activation="relu")
    assert check_gradients(layer, (4, 3, 2)).ok and not layer.built
    layer(np.zeros((1, 4, 3, 2)))
    kept = layer.get_weights()
    assert check_gradients(layer, (4, 3, 2)).ok
    for array, before in zip(layer.weights, kept, strict=True):
        np.testing.assert_array_equal(array, before)
        assert array.dtype == np.float32


def test_a_kink_inside_a_layer_is_no_error() -> None:
    """Pre-activations of many units come within the step of zero; a smaller step leaves the kink behind."""
    for seed in range(3):
        assert check_gradients(Dense(64, "relu"), (24,), seed=seed, epsilon=1e-3).ok


@pytest.mark.parametrize(
    ("spec", "penalty"),
    [
        (None, None),
        ("l1", Penalty(l1=0.01)),
        ("L2", Penalty(l2=0.01)),
        (("l2", 0.5), Penalty(l2=0.5)),
        (L1(0.1), Penalty(l1=0.1)),
        (L2(), Penalty(l2=0.01)),
        ({"l1": 0.1, "l2": 0.2}, Penalty(0.1, 0.2)),
        ("l1_l2", Penalty(0.01, 0.01)),
    ],
)
def test_penalties(spec: Any, penalty: Penalty | None) -> None:
    for layer in (Conv2D(1, 1, kernel_regularizer=spec), Dense(1, kernel_regularizer=spec)):
        assert layer.penalties() == ({} if penalty is None else {"kernel": penalty})
        assert from_config(layer.config()).penalties() == layer.penalties()


def test_penalty_gradient_is_its_loss_derivative() -> None:
    penalty, w = Penalty(0.3, 0.2), np.array([0.5, -2.0, 0.0, 3.0])
    assert penalty.loss(w) == pytest.approx(0.3 * 5.5 + 0.2 * 13.25)
    np.testing.assert_allclose(penalty.gradient(w), [0.5, -1.1, 0.0, 1.5])


def at(layer: Layer, position: int, fed_by: str) -> Layer:
    layer.position, layer.fed_by = position, (fed_by,)
    return layer


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: at(Conv2D(1, 5, name="conv2"), 3, "pool1").output_shape((4, 4, 1)),
            "layer 3 'conv2' (Conv2D 5x5, valid) needs at least 5x5 input, got 4x4 from 'pool1'; "
            'use padding="same", a smaller kernel, or a larger picture',
        ),
        (lambda: MaxPool2D((2, 3))(np.zeros((1, 2, 2, 1))), "'max_pool2d' (MaxPool2D 2x3, valid) needs at least 2x3"),
        (lambda: Conv2D(1, 2)(np.zeros((5, 5))), "needs input (N, H, W, C), got (N, 5)"),
        (lambda: Conv1D(1, 2)(np.zeros((1, 5, 5, 1))), "needs input (N, W, C), got (N, 5, 5, 1)"),
        (lambda: layers.RBF(1)(np.zeros((1, 5, 5, 1))), "put Flatten() or GlobalAvgPool2D() before it"),
        (lambda: Dense(1)(np.zeros(5)), "needs a batch (N, ...), got shape (5,)"),
        (lambda: Conv2D(4, 1, groups=2)(np.zeros((1, 2, 2, 3))), "cannot split 3 input channels into 2 groups"),
        (lambda: layers.Input((3, 2)).output_shape((2, 3)), "expects (N, 3, 2), got (N, 2, 3)"),
        (lambda: Dense(2).set_weights([]), "has no weights yet"),
    ],
)
def test_shape_errors(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ShapeError, match=re.escape(message)):
        call()


def test_a_built_layer_keeps_its_channels() -> None:
    conv, dense, norm = Conv2D(2, 3, name="first"), Dense(2), BatchNorm()
    conv(np.zeros((1, 5, 5, 3)))
    dense(np.zeros((1, 8)))
    norm(np.zeros((1, 4, 4, 3)))
    with pytest.raises(ShapeError, match=r"'first' \(Conv2D 3x3, valid\) was built for 3 input channels, got 1"):
        conv(np.zeros((1, 5, 5, 1)))
    with pytest.raises(ShapeError, match="was built for 8 inputs, got 9"):
        dense(np.zeros((1, 9)))
    with pytest.raises(ShapeError, match="was built for 3 channels, got 4"):
        norm(np.zeros((1, 4, 4, 4)))
    with pytest.raises(ShapeError, match=r"kernel must have shape \(3, 3, 3, 2\), got \(3, 3\)"):
        conv.set_weights([np.zeros((3, 3)), np.zeros(2)])
    with pytest.raises(ShapeError, match=r"needs a list of arrays, \[kernel, bias\], got 1"):
        conv.set_weights([np.zeros((3, 3, 3, 2))])
    with pytest.raises(ShapeError, match="cannot live in"):
        conv.bind({"kernel": np.zeros((3, 3, 3, 2), np.float32)})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Conv2D(0, 3), "Conv2D: filters must be a whole number of at least 1, got 0"),
        (lambda: Conv2D(2.5, 3), "filters must be a whole number of at least 1, got 2.5"),
        (lambda: Conv2D(1, (3, 0)), "Conv2D: kernel_size must be"),
        (lambda: Conv2D(1, 3, "same"), "Conv2D: strides must be"),
        (lambda: Conv2D(1, 3, padding="sane"), "got 'sane'"),
        (lambda: Conv2D(1, 3, padding=-1), "got -1"),
        (lambda: Conv2D(3, 3, groups=2), "3 filters do not divide into 2 groups"),
        (lambda: Conv2D(1, 3, activation="rellu"), "did you mean 'relu'"),
        (lambda: Conv2D(1, 3, activation=ReLU), "Conv2D: activation: must be a name"),
        (lambda: Conv2D(1, 3, kernel_initializer="xavier_unifrm"), "did you mean 'xavier_uniform'"),
        (lambda: Conv2D(1, 3, kernel_regularizer="l3"), "kernel_regularizer: unknown penalty 'l3'"),
        (lambda: Conv2D(1, 3, kernel_regularizer=("l2", -1)), "l2 must be a number of at least 0, got -1"),
        (lambda: Conv2D(1, 3, kernel_regularizer=0.1), "got 0.1"),
        (lambda: Conv2D(1, 3, input_shape=(0, 3, 1)), "input_shape must be 1 to 8 sizes of at least 1"),
        (lambda: Conv2D(1, 3, name=""), "name must be a word, got ''"),
        (lambda: Conv1D(1, (3, 3)), "Conv1D: kernel_size must be a whole number of at least 1, got (3, 3)"),
        (lambda: Conv1D(1, 3, padding=((1, 1), (0, 0))), "Conv1D: padding must be"),
        (lambda: MaxPool2D(2, 0), "MaxPool2D: strides must be"),
        (lambda: MaxPool2D(2, padding=2), "MaxPool2D: padding must be smaller than the window 2x2, got 2"),
        (lambda: Dense(True), "Dense: units must be a whole number of at least 1, got True"),
        (lambda: Dropout(1.0), "Dropout: rate must be a number from 0 to below 1, got 1.0"),
        (lambda: ReLU(max_value=-1), "ReLU: max_value must be a number of at least 0, got -1"),
        (lambda: LeakyReLU(-0.1), "negative_slope must be a number of at least 0, got -0.1"),
        (lambda: BatchNorm(momentum=1.0), "momentum must be a number from 0 to below 1"),
        (lambda: LocalResponseNorm(0), "size must be a whole number"),
        (lambda: ZeroPadding2D("same"), "got 'same'"),
        (lambda: layers.Activation(3), "got 3"),
        (lambda: from_config({"type": "Conv3D"}), "did you mean 'Conv"),
        (lambda: from_config({"type": "Flatten", "sise": 3}), "unknown argument of Flatten: 'sise'"),
        (lambda: check_gradients(Flatten(), (3,), epsilon=0), "epsilon must be above 0, got 0"),
    ],
)
def test_arguments_are_checked_where_they_are_given(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        call()


def test_only_real_numbers_are_taken() -> None:
    with pytest.raises(DataError, match="must be real numbers, got an array of complex128"):
        Dense(1)(np.zeros((1, 3), complex))
    with pytest.raises(DataError, match="got an array of <U1"):
        Dense(1)([["a"]])
