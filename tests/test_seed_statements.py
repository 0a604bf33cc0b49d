"""What the pages say that no other test holds, and what is right where a page is not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pellucid import ops, optimizers, scratch, zoo
from pellucid.exercises import check_edge_kernel, two_halves
from pellucid.layers import Activation, AvgPool2D, Conv1D, Conv2D, Dense, Flatten, Layer, MaxPool2D
from pellucid.model import Sequential
from pellucid.model.tracing import trace

RNG = np.random.default_rng(5)

# 000: convolution and pooling ---------------------------------------------------------------------------------------


def test_a_convolution_is_multiplied_accumulated_and_given_its_bias() -> None:
    """The loops of a textbook, over a picture with three channels and two filters of another height than width."""
    x, kernel = RNG.normal(size=(1, 6, 7, 3)).astype(np.float32), RNG.normal(size=(2, 3, 3, 2)).astype(np.float32)
    bias = np.array([0.5, -2.0], np.float32)
    conv = Conv2D(2, (2, 3), strides=(2, 1), padding=((1, 0), (0, 1)))
    conv(x)
    conv.set_weights([kernel, bias])
    padded = np.pad(x[0], ((1, 0), (0, 1), (0, 0)))
    expected = np.zeros((3, 6, 2))
    for i in range(3):
        for j in range(6):
            for o in range(2):
                window = padded[2 * i : 2 * i + 2, j : j + 3]
                expected[i, j, o] = (window.astype(np.float64) * kernel[..., o]).sum() + bias[o]
    np.testing.assert_allclose(conv(x)[0], expected, atol=1e-5)


def test_so_many_kernels_give_so_many_maps_and_each_is_as_deep_as_its_input() -> None:
    colour = RNG.random((2, 9, 8, 3))
    for filters in (1, 3, 5):
        conv = Conv2D(filters, 3)
        assert conv(colour).shape == (2, 7, 6, filters) and conv.weights[0].shape == (3, 3, 3, filters)


def test_channels_are_convolved_one_by_one_and_added() -> None:
    colour, kernel = RNG.random((1, 6, 6, 3)), RNG.normal(size=(3, 3, 3, 1))
    whole, one = Conv2D(1, 3), Conv2D(1, 3)
    whole(colour)
    whole.set_weights([kernel, [0]])
    parts = []
    for channel in range(3):
        one(colour[..., channel : channel + 1])
        one.set_weights([kernel[:, :, channel : channel + 1], [0]])
        parts.append(one(colour[..., channel : channel + 1]))
    np.testing.assert_allclose(whole(colour), sum(parts), atol=1e-5)


@pytest.mark.parametrize("pooling", [MaxPool2D(2), AvgPool2D(2)])
def test_pooling_has_no_parameters_keeps_channels_and_halves_height_and_width(pooling: Layer) -> None:
    maps = RNG.normal(size=(2, 8, 6, 5)).astype(np.float32)
    pooled = pooling(maps)
    assert pooling.count_params() == 0 and pooled.shape == (2, 4, 3, 5)
    for channel in range(5):  # each map by itself
        np.testing.assert_array_equal(pooling(maps[..., channel : channel + 1]), pooled[..., channel : channel + 1])


def test_a_shift_by_one_pixel_that_max_pooling_does_not_notice_and_one_it_does() -> None:
    """3x3 windows of a 6x6 picture: the peaks stay in their windows when all moves right once, and leave them later."""
    picture = np.zeros((6, 6), np.float32)
    for row, column, value in ((1, 1, 9), (0, 3, 7), (4, 0, 6), (5, 4, 8)):
        picture[row, column] = value
    shifted = [np.roll(picture, by, axis=1) for by in range(3)]
    pooled = [MaxPool2D(3)(each[None, :, :, None])[0, :, :, 0].tolist() for each in shifted]
    assert pooled[0] == pooled[1] == [[9, 7], [6, 8]] and pooled[2] != pooled[0]


def test_padding_never_wins_against_a_negative_value() -> None:
    negative = np.full((1, 4, 4, 1), -3.0)
    assert MaxPool2D(2, padding=1)(negative).max() == -3 and AvgPool2D(2, padding=1)(negative).max() == -3


def test_im2col_has_a_column_for_each_weight_of_a_filter_and_costs_memory() -> None:
    """The page's x1 and x2: 5x5 filters over 7x7 pictures of 3 channels, each in 9 places."""
    for number in (1, 10):
        pictures = RNG.random((number, 3, 7, 7)).astype(np.float32)
        columns = scratch.im2col(pictures, 5, 5, stride=1, pad=0)
        assert columns.shape == (number * 3 * 3, 5 * 5 * 3) and columns.dtype == np.float32
        np.testing.assert_array_equal(columns[-1], pictures[-1, :, 2:, 2:].ravel())
    digit = np.zeros((1, 1, 28, 28), np.float32)
    assert scratch.im2col(digit, 5, 5, pad=2).nbytes == 25 * digit.nbytes


def test_features_become_small_and_thick() -> None:
    for name, input_shape in (("cifar-net", (32, 32, 3)), ("vgg16", (64, 64, 3))):
        model = zoo.build(name, input_shape=input_shape, options={"dense_units": 8} if name == "vgg16" else {})
        maps = [row.output_shape for row in model.outline().rows if row.type == "MaxPool2D"]
        assert all(b[0] * 2 == a[0] and b[2] >= a[2] for a, b in itertools.pairwise(maps)) and len(maps) >= 3


# 001: what is learned -----------------------------------------------------------------------------------------------


def test_the_kernels_of_a_convolution_are_learned_and_not_a_step_before_learning() -> None:
    rng = np.random.default_rng(0)
    pictures, labels = rng.normal(size=(64, 8, 8, 1)).astype(np.float32), np.arange(64) % 3
    model = Sequential([Conv2D(4, 3, input_shape=(8, 8, 1)), Activation("relu"), Flatten(), Dense(3, "softmax")])
    before = model.get_weights()
    model.compile("sgd", "categorical_crossentropy")
    model.fit(pictures, labels, verbose=0)
    changed = [float(np.abs(a - b).max()) for a, b in zip(before, model.get_weights(), strict=True)]
    assert min(changed) > 1e-4, "kernel and bias of the convolution as of the dense half"


def test_one_half_finds_features_and_the_other_one_tells_classes_from_them() -> None:
    """What stands before Flatten gives features; the dense half answers from them alone, and from nothing else."""
    model = zoo.simple_convnet()
    pictures = RNG.integers(0, 256, (3, 28, 28, 1)).astype(np.uint8)
    seen = trace(model, pictures)
    extracting, classifying = ([layer.name for layer in half] for half in (model.layers[:2], model.layers[2:]))
    assert (extracting, classifying) == (["conv1", "pool1"], ["flatten", "affine1", "affine2"])
    features = values = seen["pool1"].output
    assert features.shape == (3, 12, 12, 30)
    for layer in model.layers[2:]:
        values = layer(values)
    np.testing.assert_allclose(values, model.predict(pictures), rtol=1e-5)
    swapped = features[[1, 0, 2]]
    for layer in model.layers[2:]:
        swapped = layer(swapped)
    np.testing.assert_allclose(swapped, values[[1, 0, 2]], rtol=1e-5)


def test_weights_come_from_gradients_not_from_luck() -> None:
    """A 2x2 kernel that starts as noise learns the exercise's answer from what the edge should look like."""
    picture = two_halves(seed=None).T
    target = np.zeros((1, 49 * 49), np.float32)
    target.reshape(49, 49)[24] = 20
    model = Sequential([Conv2D(1, 2, input_shape=(50, 50, 1)), Flatten()], seed=7)
    assert not check_edge_kernel(model.get_weights()[0])
    model.compile(optimizers.Adam(0.1), "mse")
    noisy = np.stack([two_halves(seed=seed).T for seed in range(16)])[..., None]
    model.fit(noisy, np.repeat(target, 16, axis=0), batch_size=4, epochs=100, verbose=0)
    kernel = model.get_weights()[0][:, :, 0, 0]
    assert check_edge_kernel(kernel) and picture.shape == (50, 50)
    np.testing.assert_allclose(kernel / np.abs(kernel).max(), [[1, 1], [-1, -1]], atol=0.2)


def test_linear_layers_back_propagate_and_collapse_into_one() -> None:
    x = RNG.normal(size=(6, 5)).astype(np.float32)
    first, second = Dense(7), Dense(3)
    middle, cache_1 = first.forward(_built(first, x), training=True)
    y, cache_2 = second.forward(_built(second, middle), training=True)
    dmiddle, _ = second.backward(np.ones_like(y), cache_2)
    _, grads = first.backward(dmiddle, cache_1)
    assert np.abs(grads["dkernel"]).min() > 0, "the gradient of a straight line is a constant, and not 0"
    (w1, b1), (w2, b2) = first.get_weights(), second.get_weights()
    np.testing.assert_allclose(y, x @ (w1 @ w2) + (b1 @ w2 + b2), atol=1e-5)


def test_convolutions_in_a_row_collapse_into_a_larger_one() -> None:
    """3x3 after 3x3 is a 5x5, unless there is an activation between."""
    x = RNG.normal(size=(1, 9, 9, 1)).astype(np.float32)
    first, second = Conv2D(1, 3), Conv2D(1, 3)
    y = second(first(x))
    a, b = (layer.get_weights()[0][:, :, 0, 0].astype(np.float64) for layer in (first, second))
    joined = np.zeros((5, 5))
    for i in range(3):
        for j in range(3):
            joined[i : i + 3, j : j + 3] += a * b[i, j]
    once = ops.conv2d(
        x.astype(np.float64), joined[:, :, None, None], strides=(1, 1), padding=((0, 0), (0, 0))
    )  # fmt: skip
    np.testing.assert_allclose(y, once, atol=1e-5)
    assert np.abs(second(np.maximum(first(x), 0)) - once).max() > 0.01


def _built(layer: Layer, x: np.ndarray) -> np.ndarray:
    layer.ensure_built(x.shape[1:], np.random.default_rng(1))
    return x


# 002: grids and units -----------------------------------------------------------------------------------------------


def test_a_series_is_a_grid_with_one_axis() -> None:
    series = RNG.normal(size=(2, 30, 1)).astype(np.float32)
    conv = Conv1D(1, 5)
    y = conv(series)
    kernel = conv.get_weights()[0][:, 0, 0]
    expected = np.stack([np.correlate(row[:, 0], kernel, mode="valid") for row in series])
    np.testing.assert_allclose(y[..., 0], expected, atol=1e-5)


def test_both_basic_units_can_be_stacked() -> None:
    one = [Conv2D(4, 3, padding="same"), Activation("relu"), MaxPool2D(2)]
    two = [Conv2D(8, 3, padding="same"), Conv2D(8, 3, padding="same"), Activation("relu"), MaxPool2D(2)]
    model = Sequential([*one, *two])
    model.build((12, 12, 1))
    assert model.output_shape == (3, 3, 8)


# 003: flattening and six steps --------------------------------------------------------------------------------------


def test_4x4x32_is_flattened_to_512() -> None:
    assert Flatten()(np.zeros((1, 4, 4, 32))).shape == (1, 512)


def test_training_in_the_pages_six_steps_is_what_fit_does() -> None:
    """0 choose sizes, 1 initialise, 2 forward, 3 cost, 4 backward and update, 5 repeat; by hand, then by fit."""
    rng = np.random.default_rng(2)
    pictures, labels = rng.normal(size=(12, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, 12)

    def network() -> Sequential:
        layers = [Conv2D(2, (3, 3), input_shape=(6, 6, 1)), MaxPool2D(2), Flatten(), Dense(3)]
        return Sequential(layers, seed=4)

    model = network()
    weights = [layer.get_weights() for layer in model.layers]
    for _ in range(3):  # one batch holds all twelve
        caches, y = [], pictures
        for layer in model.layers:
            y, cache = layer.forward(y, training=True)
            caches.append(cache)
        odds = np.exp(y - y.max(axis=1, keepdims=True))
        probability = odds / odds.sum(axis=1, keepdims=True)
        dy = ((probability - np.eye(3)[labels]) / 12).astype(np.float32)
        for layer, cache, arrays in reversed(list(zip(model.layers, caches, weights, strict=True))):
            dy, grads = layer.backward(dy, cache)
            for array, grad in zip(arrays, grads.values(), strict=True):
                array -= 0.1 * grad
        for layer, arrays in zip(model.layers, weights, strict=True):
            layer.set_weights(arrays)

    fitted = network()
    fitted.compile(optimizers.SGD(0.1), "categorical_crossentropy")
    fitted.fit(pictures, labels, batch_size=12, epochs=3, shuffle=False, verbose=0)
    for by_hand, by_fit in zip(model.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(by_fit, by_hand, atol=1e-6)


# 004: batches -------------------------------------------------------------------------------------------------------


def test_pictures_go_through_in_batches_and_come_out_as_one_by_one() -> None:
    pictures = RNG.random((5, 28, 28, 1)).astype(np.float32)
    model = zoo.simple_convnet()
    together = model.predict(pictures)
    alone = np.concatenate([model.predict(picture[None]) for picture in pictures])
    assert together.shape == (5, 10)
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_convolution_answers_a_batch_picture_by_picture() -> None:
    pictures = RNG.random((3, 28, 28, 1))
    conv = Conv2D(3, 3, 1, padding="SAME")
    whole = conv(pictures)
    assert whole.shape == (3, 28, 28, 3) and [array.shape for array in conv.weights] == [(3, 3, 1, 3), (3,)]
    np.testing.assert_allclose(whole, np.concatenate([conv(each[None]) for each in pictures]), atol=1e-6)
