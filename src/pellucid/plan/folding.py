"""Batch normalisation in use, taken into the weights of the convolution or dense layer before it.

With s = gamma / sqrt(variance + epsilon), s * (x * k + b - mean) + beta is x * (s k) + (s (b - mean) + beta): to scale
and shift the weights once is to scale and shift every output. Each scaled weight is rounded once, so an output differs
from the unfolded one by no more than a few roundings of the sum of |x| |s k|, of |s (b - mean)| and of |beta|.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from pellucid.layers import BatchNorm, Conv2D, Conv2DTranspose, Dense, DepthwiseConv2D, Layer, SeparableConv2D
from pellucid.layers.normalization import Norm
from pellucid.layers.weighted import Weighted
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan.lowered import Context


def gamma_beta(context: Context, norm: Norm, size: int) -> tuple[Array, Array]:
    """A normalisation's scale and shift, `size` numbers each; ones and zeros where it has none."""
    gamma, beta = context.parameter(norm, "gamma"), context.parameter(norm, "beta")
    return (
        context.constant(size, 1) if gamma is None else gamma.reshape(-1),
        context.constant(size, 0) if beta is None else beta.reshape(-1),
    )


def folds(context: Context, first: Layer, norm: Layer, rank: int) -> bool:
    """Whether the weights of a layer take in the batch norm behind it. rank: axes of what the layer reads.

    In training that is a frozen norm: it multiplies the gradient of the weights, as it multiplies them. Where the first
    is frozen and the norm is trained they stay two: what lies between may be kept for all epochs.
    """
    if type(norm) is not BatchNorm or (context.training and norm.trainable):
        return False
    convolves = type(first) in (Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D)
    linear = convolves or (type(first) is Dense and rank == 2)
    return linear and first.nonlinearity is None and (first.trainable or not norm.trainable)


def fold(context: Context, first: Layer, norm: BatchNorm) -> None:
    """Where `folds` says so: from here on the layer's folded weights stand for its own."""
    name = cast(Weighted, first).last_kernel
    if (first.name, "bias") in context.folded:
        return
    kernel, bias = cast(Array, context.parameter(first, name)), context.parameter(first, "bias")
    channels = norm.state["mean"].size
    gamma, beta = gamma_beta(context, norm, channels)
    mean, variance, zeros = norm.state["mean"], norm.state["variance"], context.constant(channels, 0)
    vector, folded_bias = context.buffer((channels,)), context.buffer((channels,))
    ones, shift = context.constant(channels, 1)[None], (zeros if bias is None else bias)[None]
    scale, last = (gamma, zeros, zeros, variance), first.role != "transposed convolution"
    context.prepare += (
        native.batch_norm_inference(ones, *scale, vector[None], epsilon=norm.epsilon),
        native.batch_norm_inference(shift, gamma, beta, mean, variance, folded_bias[None], epsilon=norm.epsilon),
    )
    context.statistics += (mean, variance)
    for each in (name, "bias"):
        gradient = context.gradient(first, each) if context.training else None
        if gradient is not None:
            context.rescale += _scaled(context, gradient, gradient, scale, norm.epsilon, last=last or each == "bias")

    def scaled_kernel() -> Array:
        folded = context.buffer(kernel.shape)
        context.prepare += _scaled(context, kernel, folded, scale, norm.epsilon, last=last)
        return folded

    context.folded[first.name, "bias"] = folded_bias
    context.scales[first.name, name] = vector, scaled_kernel


def _scaled(
    context: Context, kernel: Array, scaled: Array, norm: tuple[Array, ...], epsilon: float, *, last: bool
) -> Iterable[native.Step]:
    """Each filter of a kernel by its channel's scale; a transposed convolution's filters stand last but one."""
    channels = norm[0].size
    if last:
        rows, result = kernel.reshape(-1, channels), scaled.reshape(-1, channels)
        return (native.batch_norm_inference(rows, *norm, result, epsilon=epsilon),)
    inputs, taps = kernel.shape[-1], kernel.size // kernel.shape[-1] // channels
    turned = context.buffer((1, taps, inputs, channels))
    given, result = (array.reshape(1, taps, channels, inputs, 1) for array in (kernel, scaled))
    return (
        native.permute(given, turned.reshape(1, taps, inputs, channels, 1)),
        native.batch_norm_inference(turned, *norm, turned, epsilon=epsilon),
        native.permute(turned.reshape(1, taps, inputs, channels, 1), result),
    )
