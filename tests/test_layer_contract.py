"""What every layer promises. One that takes pictures and needs no argument is tested as soon as it is named.

The others, and what is special, have a row each. Those that read several values have theirs in test_graph.py.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

from pellucid import layers, ops
from pellucid.errors import ShapeError
from pellucid.layers import Layer, check_gradients, from_config


@dataclass(frozen=True)
class Row:
    """A layer and the shape of a picture for it; windows and pictures are never square."""

    make: Callable[[], Layer]
    input_shape: tuple[int, ...]


ROWS: dict[str, Row] = {
    "Conv2D": Row(lambda: layers.Conv2D(4, (3, 2)), (6, 5, 3)),
    "Conv2D-same-strided-relu": Row(
        lambda: layers.Conv2D(4, (2, 3), (2, 1), "same", activation="relu", kernel_regularizer="l2"), (7, 6, 3)
    ),
    "Conv2D-grouped-dilated": Row(
        lambda: layers.Conv2D(6, (2, 3), padding=((1, 0), (2, 1)), dilation_rate=(2, 1), groups=2, use_bias=False),
        (6, 5, 4),
    ),
    "Conv2D-softmax": Row(lambda: layers.Conv2D(3, 1, activation="softmax"), (3, 2, 2)),
    "Conv2DTranspose": Row(lambda: layers.Conv2DTranspose(4, 2, 2), (3, 2, 3)),
    "Conv2DTranspose-same-strided-relu": Row(
        lambda: layers.Conv2DTranspose(4, (2, 3), (2, 1), "same", activation="relu", kernel_regularizer="l2"), (4, 3, 2)
    ),
    "Conv2DTranspose-dilated-padded": Row(
        lambda: layers.Conv2DTranspose(
            4, (2, 3), (2, 3), ((1, 0), (2, 1)), (1, 2), dilation_rate=(2, 1), use_bias=False
        ),
        (3, 2, 5),
    ),
    "Conv1D": Row(lambda: layers.Conv1D(4, 3, 2, "same", activation="tanh"), (9, 3)),
    "Conv1D-padded": Row(lambda: layers.Conv1D(6, 3, padding=(2, 1), dilation_rate=2, groups=3), (8, 6)),
    "Conv1DTranspose": Row(lambda: layers.Conv1DTranspose(4, 3, 2, "same", 1, activation="tanh"), (5, 3)),
    "Conv1DTranspose-padded": Row(
        lambda: layers.Conv1DTranspose(4, 2, 3, (1, 0), dilation_rate=2, use_bias=False), (4, 3)
    ),
    "DepthwiseConv1D": Row(lambda: layers.DepthwiseConv1D(3, 2, (1, 0), 2, activation="relu"), (8, 3)),
    "SeparableConv1D": Row(lambda: layers.SeparableConv1D(4, 3, dilation_rate=2, depth_multiplier=2), (8, 3)),
    "DepthwiseConv2D": Row(lambda: layers.DepthwiseConv2D((3, 2)), (6, 5, 3)),
    "DepthwiseConv2D-same-strided-relu": Row(
        lambda: layers.DepthwiseConv2D((2, 3), 2, "same", 2, activation="relu", depthwise_regularizer="l2"), (7, 6, 3)
    ),
    "DepthwiseConv2D-dilated": Row(
        lambda: layers.DepthwiseConv2D(2, padding=((1, 0), (2, 1)), dilation_rate=(2, 1), use_bias=False), (6, 5, 4)
    ),
    "SeparableConv2D": Row(lambda: layers.SeparableConv2D(4, (3, 2)), (6, 5, 3)),
    "SeparableConv2D-same-strided-relu": Row(
        lambda: layers.SeparableConv2D(
            5, (2, 3), 2, "same", depth_multiplier=2, activation="relu", pointwise_regularizer="l2", use_bias=False
        ),
        (7, 6, 3),
    ),
    "TableConv2D": Row(lambda: layers.TableConv2D(((0, 2), (1,), (0, 1, 2), (2, 0)), (3, 2)), (6, 5, 3)),
    "TableConv2D-same-strided-relu": Row(
        lambda: layers.TableConv2D(
            ((3, 1), (0, 2)), (2, 3), (2, 1), "same", activation="relu", use_bias=False, kernel_regularizer="l2"
        ),
        (7, 6, 4),
    ),
    "Dense": Row(lambda: layers.Dense(5), (7,)),
    "Dense-softmax": Row(lambda: layers.Dense(5, "softmax", kernel_regularizer=("l1", 0.1)), (7,)),
    **{f"Activation-{kind}": Row(partial(layers.Activation, kind), (4, 3, 2)) for kind in ops.ACTIVATIONS},
    "Conv2D-gelu": Row(lambda: layers.Conv2D(4, (3, 2), activation="gelu"), (6, 5, 3)),
    "Dense-silu": Row(lambda: layers.Dense(6, "silu"), (7,)),
    "Dense-leaky": Row(lambda: layers.Dense(6, "leaky_relu", use_bias=False), (7,)),
    "MaxPool2D-overlapping": Row(lambda: layers.MaxPool2D((3, 2), (2, 1), 1), (7, 5, 3)),
    "AvgPool2D": Row(lambda: layers.AvgPool2D((2, 3)), (6, 7, 3)),
    "AvgPool2D-overlapping-same": Row(lambda: layers.AvgPool2D((3, 2), (2, 1), "same"), (7, 5, 3)),
    "MaxPool2D-ceil": Row(lambda: layers.MaxPool2D((3, 2), (2, 3), ceil_mode=True), (8, 6, 3)),
    "AvgPool2D-ceil-counted": Row(
        lambda: layers.AvgPool2D((3, 2), (2, 3), 1, ceil_mode=True, count_include_pad=True), (7, 6, 3)
    ),
    "Subsampling2D": Row(lambda: layers.Subsampling2D((2, 3)), (6, 7, 3)),
    "Subsampling2D-overlapping": Row(
        lambda: layers.Subsampling2D((3, 2), (2, 1), kernel_initializer="ones", bias_initializer="ones"), (7, 5, 3)
    ),
    "MaxPool1D": Row(lambda: layers.MaxPool1D(3, 2, "same"), (8, 3)),
    "AvgPool1D": Row(lambda: layers.AvgPool1D(3, 2, (1, 0)), (8, 3)),
    "AvgPool1D-ceil-counted": Row(lambda: layers.AvgPool1D(3, 2, 1, ceil_mode=True, count_include_pad=True), (8, 3)),
    "Dense-maps": Row(lambda: layers.Dense(4, "softmax"), (5, 3, 2)),
    "GlobalAvgPool1D": Row(layers.GlobalAvgPool1D, (8, 3)),
    "GlobalMaxPool1D": Row(layers.GlobalMaxPool1D, (8, 3)),
    "GlobalAvgPool2D-keepdims": Row(lambda: layers.GlobalAvgPool2D(keepdims=True), (6, 5, 3)),
    "GlobalMaxPool1D-keepdims": Row(lambda: layers.GlobalMaxPool1D(keepdims=True), (8, 3)),
    "AdaptiveAvgPool2D": Row(lambda: layers.AdaptiveAvgPool2D((3, 2)), (7, 5, 3)),
    "AdaptiveMaxPool2D": Row(lambda: layers.AdaptiveMaxPool2D((3, 4)), (7, 5, 3)),
    "AdaptiveAvgPool1D": Row(lambda: layers.AdaptiveAvgPool1D(3), (8, 3)),
    "AdaptiveMaxPool1D": Row(lambda: layers.AdaptiveMaxPool1D(5), (8, 3)),
    "RepeatVector": Row(lambda: layers.RepeatVector(4), (3,)),
    "Reshape": Row(lambda: layers.Reshape((-1, 5)), (6, 5, 3)),
    "Slice": Row(lambda: layers.Slice(3, (2, 4)), (12,)),
    "Permute": Row(lambda: layers.Permute((3, 1, 2)), (6, 5, 3)),
    "Padding2D-reflect": Row(lambda: layers.Padding2D(((2, 1), (0, 3)), "reflect"), (4, 5, 3)),
    "Padding2D-edge": Row(lambda: layers.Padding2D(((2, 1), (0, 6)), mode="edge"), (4, 5, 3)),
    "Cropping2D-asymmetric": Row(lambda: layers.Cropping2D(((2, 1), (0, 3))), (6, 5, 3)),
    "UpSampling2D-bilinear": Row(lambda: layers.UpSampling2D((2, 3), "bilinear"), (4, 5, 3)),
    "SpatialDropout2D": Row(lambda: layers.SpatialDropout2D(0.4), (5, 3, 8)),
    "StochasticDepth": Row(lambda: layers.StochasticDepth(0.4), (5, 3, 8)),
    "GaussianNoise": Row(lambda: layers.GaussianNoise(0.3), (5, 3, 2)),
    "Softmax-channels-first": Row(lambda: layers.Softmax(axis=1), (5, 3, 2)),
    "Dropout": Row(lambda: layers.Dropout(0.4), (5, 3, 2)),
    "AlphaDropout": Row(lambda: layers.AlphaDropout(0.4), (5, 3, 2)),
    "Activation": Row(lambda: layers.Activation("tanh"), (4, 3, 2)),
    "Activation-linear": Row(lambda: layers.Activation("linear"), (4,)),
    "ReLU of three numbers": Row(lambda: layers.ReLU(0.9, 0.1, 0.2), (4, 3, 2)),
    "PReLU": Row(lambda: layers.PReLU("random_normal", shared_axes=(1, 2)), (4, 3, 2)),
    "PReLU-unshared": Row(lambda: layers.PReLU("random_normal"), (4, 3, 2)),
    "LeakyReLU": Row(lambda: layers.LeakyReLU(0.1), (4, 3, 2)),
    "ScaledTanh-other": Row(lambda: layers.ScaledTanh(0.5, 2.0), (7,)),
    "RBF": Row(lambda: layers.RBF(5), (7,)),
    "RBF-normal": Row(lambda: layers.RBF(3, "random_normal"), (4,)),
    "LocalResponseNorm": Row(lambda: layers.LocalResponseNorm(3, 0.1, 0.6, 1.5), (3, 2, 7)),
    "BatchNorm-dense-bare": Row(lambda: layers.BatchNorm(center=False, scale=False, momentum=0.5), (6,)),
    "LayerNorm-rows": Row(lambda: layers.LayerNorm(center=False), (7,)),
    "LayerNorm-whole": Row(lambda: layers.LayerNorm((1, 2, 3), 1e-2, scale=False), (4, 3, 2)),
    "RMSNorm-whole": Row(lambda: layers.RMSNorm((1, 2, 3), 1e-2), (4, 3, 2)),
    "Power-cube": Row(lambda: layers.Power(3), (4, 3, 2)),
    "Power-reciprocal": Row(lambda: layers.Power(-1.0), (4, 3, 2)),
    "UnitNormalization-rows": Row(lambda: layers.UnitNormalization((1, 3)), (4, 3, 2)),
    "GroupNorm": Row(lambda: layers.GroupNorm(3), (5, 4, 6)),
    "GroupNorm-each": Row(lambda: layers.GroupNorm(-1, center=False, scale=False), (5, 4, 3)),
    "GroupNorm-dense": Row(lambda: layers.GroupNorm(2), (8,)),
    "ZeroPadding2D": Row(lambda: layers.ZeroPadding2D(((0, 1), (2, 3))), (4, 3, 2)),
    "ZeroPadding1D": Row(lambda: layers.ZeroPadding1D((2, 1)), (5, 3)),
    "Cropping1D": Row(lambda: layers.Cropping1D((2, 1)), (6, 3)),
    "UpSampling1D": Row(lambda: layers.UpSampling1D(3), (5, 2)),
    "SpatialDropout1D": Row(lambda: layers.SpatialDropout1D(0.4), (5, 8)),
    "RandomRotation": Row(lambda: layers.RandomRotation(0.1), (6, 5, 2)),
    "RandomZoom": Row(lambda: layers.RandomZoom((-0.3, 0.2), 0.4, "nearest"), (6, 5, 2)),
    "RandomTranslation": Row(lambda: layers.RandomTranslation(0.2, 0.3, "constant"), (6, 5, 2)),
    "RandomBrightness": Row(lambda: layers.RandomBrightness(0.2, (-9, 9)), (6, 5, 2)),
    "RandomContrast": Row(lambda: layers.RandomContrast(0.5, (-9, 9)), (6, 5, 2)),
    "RandomCrop": Row(lambda: layers.RandomCrop(4, 3), (6, 5, 2)),
    "Rescaling": Row(lambda: layers.Rescaling(0.5, (1, 2, 3)), (4, 3, 3)),
    "Normalization": Row(lambda: layers.Normalization(mean=[1, 2], variance=[0.5, 4]), (4, 3, 2)),
    "Normalization-inverted": Row(lambda: layers.Normalization(None, 2, 3, invert=True), (4, 3, 2)),
    "Resizing": Row(lambda: layers.Resizing(7, 5), (4, 6, 2)),
    "Resizing-cropped": Row(lambda: layers.Resizing(3, 5, "nearest", True), (7, 6, 2)),
    "CenterCrop": Row(lambda: layers.CenterCrop(3, 2), (6, 5, 3)),
    "CenterCrop-of-smaller": Row(lambda: layers.CenterCrop(7, 5), (4, 3, 2)),
    "Input": Row(lambda: layers.Input((4, 3, 2)), (4, 3, 2)),
    "Embedding": Row(lambda: layers.Embedding(7, 3, embeddings_regularizer="l2"), (5,)),
    "Embedding-of-two-axes": Row(lambda: layers.Embedding(5, 2, mask_zero=True), (3, 2)),
    "Masking": Row(lambda: layers.Masking(0.5), (5, 3)),
    "StepMask": Row(layers.StepMask, (5,)),
    "StepMask-features": Row(lambda: layers.StepMask(0.5, features=True), (5, 3)),
    "SliceRest": Row(lambda: layers.SliceRest(2, 3), (11,)),
    "TimeDistributed": Row(lambda: layers.TimeDistributed(layers.Conv2D(2, (3, 2), activation="tanh")), (3, 5, 4, 2)),
    "TimeDistributed-LSTM": Row(lambda: layers.TimeDistributed(layers.LSTM(3)), (3, 4, 2)),
    "EinsumDense": Row(lambda: layers.EinsumDense("abc,cde->abde", (None, 3, 2), "relu", "be"), (5, 3)),
    "EinsumDense-summed": Row(lambda: layers.EinsumDense("...bc,bd->...d", 4, bias_axes="d"), (5, 3, 2)),
}


def needs_nothing(cls: type[Layer]) -> bool:
    arguments = inspect.signature(cls).parameters.values()
    return not cls.merges and all(one.default is not one.empty for one in arguments)


ROWS |= {name: Row(cls, (6, 5, 3)) for name, cls in layers.LAYERS.items() if needs_nothing(cls) and name not in ROWS}
KEY = (7, 3, 2)

every_row = pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())


def built(row: Row) -> Layer:
    layer = row.make()
    layer.build(row.input_shape, np.random.default_rng(0))
    return layer


def batch(row: Row, n: int = 3, seed: int = 1) -> np.ndarray:
    if rows := row.make().table_rows:
        return np.random.default_rng(seed).integers(rows, size=(n, *row.input_shape)).astype(np.float32)
    return np.random.default_rng(seed).standard_normal((n, *row.input_shape)).astype(np.float32)


def contents(value: Any) -> Any:
    """Something that compares equal only for equal contents, arrays included."""
    if isinstance(value, np.ndarray):
        return (str(value.dtype), value.shape, value.tobytes())
    if isinstance(value, dict):
        return {name: contents(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [contents(item) for item in value]
    return value


def test_every_exported_layer_has_a_row() -> None:
    exported = {
        value
        for name in layers.__all__
        if isinstance(value := getattr(layers, name), type) and issubclass(value, Layer) and value is not Layer
    }
    assert exported == set(layers.LAYERS.values())
    assert {type(row.make()) for row in ROWS.values()} == {cls for cls in exported if not cls.merges}


@every_row
@pytest.mark.parametrize("n", [1, 3])
def test_shapes_types_and_gradient_names(row: Row, n: int) -> None:
    layer = built(row)
    assert layer.built
    x = batch(row, n)
    y, cache = layer.forward(x, training=True, key=KEY)
    assert y.dtype == np.float32 and y.flags.c_contiguous
    assert y.shape == (n, *layer.output_shape(row.input_shape))
    dx, grads = layer.backward(np.ones_like(y), cache)
    assert dx is not None and dx.shape == x.shape and dx.dtype == np.float32
    assert {name: grad.shape for name, grad in grads.items()} == {
        f"d{name}": param.shape for name, param in layer.params.items()
    }
    assert all(grad.dtype == np.float32 for grad in grads.values())


@every_row
def test_passes_are_pure(row: Row) -> None:
    layer = built(row)
    x, before = batch(row), contents(vars(layer))
    kept = x.copy()
    y, cache = layer.forward(x, training=True, key=KEY)
    stored = contents(cache)
    dy = np.random.default_rng(2).standard_normal(y.shape).astype(np.float32)
    kept_dy, kept_y = dy.copy(), y.copy()
    first, second = layer.backward(dy, cache), layer.backward(dy, cache)
    assert contents(first) == contents(second)
    assert contents(layer.forward(x, training=True, key=KEY)[0]) == contents(y)
    assert contents(vars(layer)) == before
    assert contents(cache) == stored
    for array, copied in ((x, kept), (dy, kept_dy), (y, kept_y)):
        np.testing.assert_array_equal(array, copied)


@every_row
def test_without_dx_the_other_gradients_are_the_same(row: Row) -> None:
    layer = built(row)
    y, cache = layer.forward(batch(row), training=True, key=KEY)
    dx, grads = layer.backward(np.ones_like(y), cache, need_dx=False)
    assert dx is None
    assert contents(grads) == contents(layer.backward(np.ones_like(y), cache)[1])


@every_row
def test_the_gradient_of_the_input_alone_is_the_same(row: Row) -> None:
    layer = built(row)
    y, cache = layer.forward(batch(row), training=True, key=KEY)
    np.testing.assert_array_equal(
        layer.backward_input(np.ones_like(y), cache), layer.backward(np.ones_like(y), cache)[0]
    )


def test_a_backward_written_anew_gives_the_gradient_of_the_input_alone_too() -> None:
    class Guided(layers.Dense):
        def backward(self, dy, cache, *, need_dx=True):
            dx, grads = super().backward(dy, cache, need_dx=need_dx)
            return np.maximum(dx, 0), grads

    layer = Guided(3)
    x = np.random.default_rng(8).normal(size=(2, 5)).astype(np.float32)
    layer(x)
    y, cache = layer.forward(x)
    guided = layer.backward_input(np.ones_like(y), cache)
    assert (guided == 0).any() and not (guided < 0).any()


@every_row
@pytest.mark.parametrize("training", [True, False])
def test_gradients_against_finite_differences(row: Row, training: bool) -> None:
    result = check_gradients(row.make(), row.input_shape, training=training)
    assert result.ok, str(result)
    assert result.arrays and all(array.tried for array in result.arrays)


@every_row
def test_config_round_trip(row: Row) -> None:
    layer = row.make()
    stored = json.loads(json.dumps(layer.config()))
    again = from_config(stored)
    assert type(again) is type(layer) and again.config() == layer.config()
    assert again.output_shape(row.input_shape) == layer.output_shape(row.input_shape)
    again.build(row.input_shape, np.random.default_rng(0))
    assert contents(again.get_weights()) == contents(built(row).get_weights())


@every_row
def test_weights_round_trip(row: Row) -> None:
    layer, other = built(row), built(row)
    given = [np.random.default_rng(9).random(array.shape) for array in layer.weights]
    live = layer.weights
    version = layer.version
    layer.set_weights([array.tolist() for array in given])
    assert layer.version > version
    for array, expected in zip(live, given, strict=True):
        np.testing.assert_array_equal(array, expected.astype(np.float32))
        assert not array.flags.writeable
    other.set_weights(layer.get_weights())
    x = batch(row)
    np.testing.assert_array_equal(layer(x, training=False), other(x, training=False))
    assert layer.count_params() == sum(array.size for array in given)
    with pytest.raises(ShapeError, match=f"'{layer.name}'"):
        layer.set_weights([*given, np.zeros(3)])


@every_row
def test_bound_parameters_live_in_the_given_arrays(row: Row) -> None:
    layer = built(row)
    kept = layer.get_weights()
    flat = np.full(sum(param.size for param in layer.params.values()), np.nan, np.float32)
    views, offset = {}, 0
    for name, param in layer.params.items():
        views[name] = flat[offset : offset + param.size].reshape(param.shape)
        offset += param.size
    layer.bind(views)
    assert contents(layer.get_weights()) == contents(kept)
    assert not any(param.flags.writeable for param in layer.params.values())
    twin = copy.deepcopy(layer)
    layer.set_weights([array + 1 for array in kept])
    np.testing.assert_array_equal(
        flat, np.concatenate([np.zeros(0, np.float32), *map(np.ravel, kept)])[: flat.size] + 1
    )
    assert contents(twin.get_weights()) == contents(kept)
    twin.set_weights([array + 2 for array in kept])
    assert contents(layer.get_weights()) == contents([array + 1 for array in kept])
    assert contents(twin.get_weights()) == contents([array + 2 for array in kept])


@every_row
def test_in_use_nothing_is_random(row: Row) -> None:
    layer = built(row)
    x = batch(row)
    first, _ = layer.forward(x, training=False, key=(1, 1, 1))
    second, _ = layer.forward(x, training=False, key=None)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, layer(x.astype(np.float64), training=False))


@every_row
def test_a_frozen_layer_called_steady_gives_in_training_what_it_gives_in_use(row: Row) -> None:
    layer, x = built(row), batch(row)
    layer.trainable = False
    same = np.array_equal(layer.forward(x, training=True, key=KEY)[0], layer.forward(x)[0])
    if layer.steady:
        assert same
    else:
        assert layer.role in ("dropout", "noise", "augmentation") and not same


@every_row
def test_two_threads_share_a_layer(row: Row) -> None:
    layer = built(row)
    inputs = [batch(row, seed=seed) for seed in (3, 4)]
    expected = [contents(one_pass(layer, x)) for x in inputs]
    wrong: list[int] = []

    def work(which: int) -> None:
        for _ in range(10):
            if contents(one_pass(layer, inputs[which])) != expected[which]:
                wrong.append(which)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, (0, 1)))
    assert not wrong


def one_pass(layer: Layer, x: np.ndarray) -> Any:
    y, cache = layer.forward(x, training=True, key=KEY)
    return y, *layer.backward(np.ones_like(y), cache)


@every_row
def test_arguments_common_to_all(row: Row) -> None:
    layer = row.make()
    assert layer.auto_named and layer.weights == [] and not layer.built and layer.trainable
    stored = layer.config()
    named = from_config({**stored, "name": "mine", "trainable": False})
    assert named.name == "mine" and not named.auto_named and not named.trainable
    if "input_shape" in stored:
        assert from_config({**stored, "input_shape": list(row.input_shape)}).input_shape == row.input_shape
