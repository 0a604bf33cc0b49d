"""The table of patterns: which layers run as native steps, and which run together.

A pattern matches exact types, never subclasses, so that a user's override of a layer wins. The first row that matches
is taken, so longer patterns stand above shorter ones. `lower_by_layer` takes what no row does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from pellucid import ops
from pellucid.errors import ShapeError
from pellucid.layers import (
    LAYERS,
    Add,
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Cropping2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GaussianNoise,
    GlobalAvgPool1D,
    GlobalAvgPool2D,
    GlobalMaxPool1D,
    GlobalMaxPool2D,
    GroupNorm,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    MaxPool2D,
    Multiply,
    Padding2D,
    Permute,
    PReLU,
    ReLU,
    Reshape,
    ScaledTanh,
    SeparableConv2D,
    Softmax,
    SpatialDropout2D,
    StochasticDepth,
    Subsampling2D,
    TableConv2D,
    UpSampling2D,
    ZeroPadding2D,
)
from pellucid.layers.activation import Elementwise
from pellucid.layers.depthwise import POINTWISE
from pellucid.layers.dropout import as_one_map
from pellucid.ops import native
from pellucid.ops.geometry import Array, Shape
from pellucid.plan.activation import lower_activation, lower_prelu, lower_softmax
from pellucid.plan.batch_norm import lower_batch_norm
from pellucid.plan.border import lower_cropping2d, lower_padding2d, lower_upsampling2d
from pellucid.plan.convolution import back_through, lower_conv2d, lower_separable_conv2d
from pellucid.plan.folding import fold, folds
from pellucid.plan.group_norm import lower_group_norm, lower_layer_norm
from pellucid.plan.inverted_residual import lower_inverted_residual
from pellucid.plan.lenet import lower_scaled_tanh, lower_subsampling2d, lower_table_conv2d
from pellucid.plan.lowered import Context, Lower, Lowered, activation_behind
from pellucid.plan.merge import lower_add, lower_concatenate, lower_multiply
from pellucid.plan.normed_convolution import lower_normed_convolutions
from pellucid.plan.pooled_convolution import lower_conv2d_pool
from pellucid.plan.pooling import (
    lower_avg_pool2d,
    lower_global_avg_pool2d,
    lower_global_max_pool2d,
    lower_max_pool2d,
)
from pellucid.plan.rearranging import lower_permute, lower_renamed
from pellucid.plan.transposed_convolution import lower_conv2d_transpose
from pellucid.plan.work import Work

ACTIVATIONS = tuple(
    cls
    for cls in LAYERS.values()
    if issubclass(cls, Elementwise) and cls.forward is Elementwise.forward and cls is not Softmax
)
"""Layers that are an activation and nothing else."""
POOLINGS = (MaxPool2D, AvgPool2D)
CONVOLUTIONS: tuple[tuple[type[Layer], Lower], ...] = (
    (Conv2D, lower_conv2d),
    (DepthwiseConv2D, lower_conv2d),
    (SeparableConv2D, lower_separable_conv2d),
)


def match(context: Context, layers: Sequence[Layer], before: Sequence[Sequence[Lowered]]) -> Lowered:
    """The longest pattern at the head of `layers`. before: what each of them reads besides the layer before it."""
    if native.available:
        row = _folded(context, layers, before[0][0].y.ndim)
        for types, lower in PATTERNS:
            head = row[: len(types)]
            if len(head) == len(types) and all(type(part[0]) is b for part, b in zip(head, types, strict=True)):
                for first, *norm in head:
                    if norm:
                        fold(context, first, cast(BatchNorm, norm[0]))
                read = [value for each in before[: sum(map(len, head))] for value in each]
                context.reading = [value.y for value in read]
                lowered = lower(context, tuple(part[0] for part in head), *read)
                if lowered is not None:
                    return replace(lowered, layers=tuple(layers[: sum(map(len, row[: len(lowered.layers)]))]))
    context.reading = [value.y for value in before[0]]
    return lower_by_layer(context, layers[0], *before[0])


def _folded(context: Context, layers: Sequence[Layer], rank: int) -> list[Sequence[Layer]]:
    """The layers, each with the batch norm that its weights take in, if there is one. rank: of what the first reads."""
    row: list[Sequence[Layer]] = []
    for layer in layers:
        if row and len(row[-1]) == 1 and folds(context, row[-1][0], layer, rank if len(row) == 1 else 0):
            row[-1] = (row[-1][0], layer)
        else:
            row.append((layer,))
    return row


def lower_by_layer(context: Context, layer: Layer, *before: Lowered) -> Lowered:
    """Any layer by its own forward and backward, in Python, between the native programs."""
    context.in_python.append(layer)
    read = [value.y for value in before]
    y = context.output_of(layer)
    cache: list[object] = []

    def forward(n: int) -> None:
        given: Any = [x[:n] for x in read]
        result, kept = layer.forward(
            given if layer.merges else given[0], training=context.training, key=context.key(layer)
        )
        _check(layer, "forward gave an output", result, y[:n].shape)
        y[:n] = result
        if context.training:
            cache[:] = [kept]

    def finish(n: int) -> None:
        layer.apply_state(cache[0])

    if context.training:
        context.finish.append(finish)

    def backward(dy: Array, *passed: Array | None) -> Sequence[Work]:
        places = {name: context.gradient(layer, name) for name in layer.params}

        def work(n: int) -> None:
            wanted = any(dx is not None for dx in passed)
            result: Any
            result, gradients = layer.backward(dy[:n], cache[0], need_dx=wanted)
            for name, place in places.items():
                if place is not None:
                    gradient = gradients.get(f"d{name}")
                    _check(layer, f"backward gave d{name}", gradient, place.shape)
                    place[...] = gradient
            for dx, made in zip(passed, result if layer.merges and wanted else [result] * len(passed), strict=True):
                if dx is not None:
                    _check(layer, "backward gave dx", made, dx[:n].shape)
                    dx[:n] = made

        return (work,)

    return Lowered((layer,), y, (forward,), backward, needs_output=True)


def _check(layer: Layer, what: str, array: Array | None, shape: Shape) -> None:
    """Errors: ShapeError where a layer's own code gives nothing, or another shape (NumPy would repeat it to fit)."""
    given = None if array is None else np.shape(array)
    if given != shape:
        raise ShapeError(
            f"{layer.place()}: {what} of shape {given}, expected {shape}; "
            "pellucid.check_gradients(layer, input_shape) helps to find out why"
        )


def _one_row(x: Array) -> Array:
    """(N, ..., C) as pictures (N, 1, W, C): a dense layer at each place is a convolution 1x1."""
    return x.reshape(len(x), 1, -1, x.shape[-1])


def lower_dense(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """dense + bias + activation: y = f(x W + b); a softmax takes a second step."""
    dense = cast(Dense, layers[0])
    x, activation = before.y, activation_behind(dense, layers[1:])
    kernel, bias = context.parameter(dense, "kernel"), context.parameter(dense, "bias")
    if kernel is None or activation is None:
        return None
    kind, numbers = activation
    softmax, rows = kind == "softmax", x.ndim == 2
    shape = (*x.shape[1:-1], dense.units)
    apart = softmax or (context.training and kind in ops.READ_INPUT)
    y = z = context.output(shape)
    how: dict[str, Any] = {"activation": "linear" if apart else kind, **numbers}
    forward: list[Work] = [
        native.dense(x, kernel, bias, z, **how)
        if rows
        else native.conv2d(_one_row(x), kernel[None, None], bias, _one_row(z), **how, **POINTWISE)
    ]
    if apart:
        y = context.output(shape)
        forward.append(native.softmax(z, y) if softmax else native.activation(z, y, kind, **numbers))

    def backward(dy: Array, dx: Array | None) -> Sequence[Work]:
        work: list[Work] = []
        if softmax:
            work.append(native.softmax_backward(dy, y, z))
            dy = z
        elif kind != "linear":
            work.append(native.activation_backward(dy, z, dy, kind, **numbers))
        dkernel, dbias = context.gradient(dense, "kernel"), context.gradient(dense, "bias")
        if dbias is not None:
            work.append(native.bias_backward(dy, dbias))
        if not rows:
            whole = None if dkernel is None else dkernel[None, None]
            passed = None if dx is None else _one_row(dx)
            return [*work, *back_through(_one_row(x), kernel[None, None], _one_row(dy), whole, passed, POINTWISE)]
        if dkernel is not None:
            work.append(native.dense_backward_kernel(x, dy, dkernel))
        if dx is not None:
            work.append(native.dense_backward_input(dy, kernel, dx))
        return work

    return Lowered(layers, y, forward, backward, needs_output=kind != "linear")


def lower_random(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """Dropout and noise by a counter-based generator: the mask is made anew in backward, never stored."""
    layer, x = layers[0], before.y
    if not context.training or layer.steady:
        return Lowered(layers, x, needs_output=before.needs_output, in_place=True)
    noise = isinstance(layer, GaussianNoise)
    amount = float(layer.stddev if isinstance(layer, GaussianNoise) else layer.drop_rate)
    step = native.gaussian_noise if noise else native.dropout if type(layer) is Dropout else native.spatial_dropout
    y = context.output(x.shape[1:]) if before.needs_output else x

    def draw(*numbers: Array) -> Sequence[Work]:
        source, target = map(as_one_map, numbers) if type(layer) is StochasticDepth else numbers
        return (step(source, target, amount, context.counter, context.positions[layer.name]),)

    return Lowered(layers, y, draw(x, y), lambda dy, dx: () if noise else draw(dy, dy), in_place=True)


def lower_local_response_norm(context: Context, layers: tuple[Layer, ...], before: Lowered) -> Lowered | None:
    """Local response normalisation across channels."""
    norm, x = cast(LocalResponseNorm, layers[0]), before.y
    settings: dict[str, Any] = {"size": norm.size, "alpha": norm.alpha, "beta": norm.beta}
    y, scale = context.output(x.shape[1:]), context.record(x.shape)
    return Lowered(
        layers,
        y,
        (native.local_response_norm(x, y, scale, k=norm.k, **settings),),
        lambda dy, dx: (native.local_response_norm_backward(dy, x, y, scale, dx, **settings),),
        needs_output=True,
    )


_BETWEEN = tuple((BatchNorm, ReLU, conv) for conv in (Conv2D, DepthwiseConv2D))
_NORMED = tuple(
    (*lead, *chain, *tail)
    for chain in (*((*one, *other) for one in _BETWEEN for other in _BETWEEN), *_BETWEEN, ())
    for lead in ((Conv2D,), (DepthwiseConv2D,), ())
    for tail in ((BatchNorm, Add, ReLU), (BatchNorm, Add), (BatchNorm, ReLU), (BatchNorm,), ())
    if (lead or chain) and (chain or tail)
)
"""Convolutions with batch norm and ReLU between them, and perhaps another batch norm behind, the longer rows first."""

_BLOCKS = tuple(
    (*lead, DepthwiseConv2D, activation, Conv2D, *added)
    for activation in ACTIVATIONS
    for lead in ((Conv2D, activation), ())
    for added in ((Add,), ())
)
"""Inverted residual blocks in use, the longer rows first."""

PATTERNS: tuple[tuple[tuple[type[Layer], ...], Lower], ...] = (
    *((row, lower_normed_convolutions) for row in _NORMED),
    *((row, lower_inverted_residual) for row in _BLOCKS),
    *(((Conv2D, activation, pool), lower_conv2d_pool) for activation in ACTIVATIONS for pool in POOLINGS),
    *(((Conv2D, pool), lower_conv2d_pool) for pool in POOLINGS),
    *(((conv, Add, activation), lower) for conv, lower in CONVOLUTIONS for activation in ACTIVATIONS),
    *(((conv, Add), lower) for conv, lower in CONVOLUTIONS),
    *(((conv, activation), lower) for conv, lower in CONVOLUTIONS for activation in ACTIVATIONS),
    *(((Dense, activation), lower_dense) for activation in ACTIVATIONS),
    *(((conv,), lower) for conv, lower in CONVOLUTIONS),
    *(((Conv2DTranspose, activation), lower_conv2d_transpose) for activation in ACTIVATIONS),
    ((Conv2DTranspose,), lower_conv2d_transpose),
    ((Dense,), lower_dense),
    *(((activation,), lower_activation) for activation in ACTIVATIONS),
    ((Softmax,), lower_softmax),
    ((PReLU,), lower_prelu),
    ((MaxPool2D,), lower_max_pool2d),
    ((AvgPool2D,), lower_avg_pool2d),
    *(((pool,), lower_global_avg_pool2d) for pool in (GlobalAvgPool2D, GlobalAvgPool1D)),
    *(((pool,), lower_global_max_pool2d) for pool in (GlobalMaxPool2D, GlobalMaxPool1D)),
    *(((renamed,), lower_renamed) for renamed in (Flatten, Reshape)),
    ((Permute,), lower_permute),
    *(((padding,), lower_padding2d) for padding in (Padding2D, ZeroPadding2D)),
    ((Cropping2D,), lower_cropping2d),
    ((UpSampling2D,), lower_upsampling2d),
    ((Add,), lower_add),
    ((Multiply,), lower_multiply),
    ((Concatenate,), lower_concatenate),
    *(((layer,), lower_random) for layer in (Dropout, SpatialDropout2D, StochasticDepth, GaussianNoise)),
    ((LocalResponseNorm,), lower_local_response_norm),
    *(((BatchNorm, Add, activation), lower_batch_norm) for activation in ACTIVATIONS),
    ((BatchNorm, Add), lower_batch_norm),
    *(((BatchNorm, activation), lower_batch_norm) for activation in ACTIVATIONS),
    ((BatchNorm,), lower_batch_norm),
    ((LayerNorm,), lower_layer_norm),
    ((GroupNorm,), lower_group_norm),
    ((ScaledTanh,), lower_scaled_tanh),
    ((Subsampling2D,), lower_subsampling2d),
    ((TableConv2D,), lower_table_conv2d),
)
