"""A block of MobileNetV2 in use as one step: a convolution 1x1 to more channels, one of each by itself, one 1x1."""

from __future__ import annotations

from typing import Any, Unpack

import numpy as np

from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair, conv2d_shape
from pellucid.ops.reference.conv import conv2d
from pellucid.ops.table import SAME3, Numbers, call, op

_POINTWISE: dict[str, Any] = {"strides": (1, 1), "padding": NO_PADS}
_RELU6: dict[str, Any] = {"activation": "relu6", "ceiling": 6.0}


@op(
    flops={
        "expand": "2 * N * H * W * I * C",
        "kernel": "2 * N * OH * OW * C * KH * KW",
        "project": "2 * N * OH * OW * C * O",
    },
    typical=[
        call(
            "16 x 56x56x24, 3x3 on 144, 24", x=(16, 56, 56, 24), expand=(24, 144), expand_bias=(144,),
            kernel=(3, 3, 144), project=(144, 24), **SAME3, **_RELU6,
        ),
        call(
            "16 x 14x14x96, 3x3 on 576, 96, + addend", x=(16, 14, 14, 96), expand=(96, 576), expand_bias=(576,),
            kernel=(3, 3, 576), project=(576, 96), addend=(16, 14, 14, 96), **SAME3, **_RELU6,
        ),
        call(
            "16 x 112x112x32, 3x3, 16", x=(16, 112, 112, 32), expand=None, expand_bias=None, kernel=(3, 3, 32),
            project=(32, 16), **SAME3, **_RELU6,
        ),
    ],
)  # fmt: skip
def inverted_residual(
    x: Array,
    expand: Array | None,
    expand_bias: Array | None,
    kernel: Array,
    bias: Array | None,
    project: Array,
    project_bias: Array | None,
    y: Array,
    *,
    strides: Pair,
    padding: Pads,
    addend: Array | None = None,
    expand_scale: Array | None = None,
    project_scale: Array | None = None,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """y = f(f(x . expand + expand_bias) * kernel + bias) . project + project_bias (+ addend).

    Shapes: x (N, H, W, I), expand (I, C), kernel (KH, KW, C), project (C, O), y and addend (N, OH, OW, O). Without
    `expand` the kernel slides over x itself. A kernel is 3x3 or 5x5, strides are 1 or 2, and C is a multiple of 16.
    expand_scale (C,), project_scale (O,): a factor of each filter.
    """
    how: dict[str, Any] = {"activation": activation, **numbers}
    channels = kernel.shape[-1]
    wide = x
    if expand is not None:
        wide = np.empty((*x.shape[:3], channels), x.dtype)
        conv2d(x, expand[None, None], expand_bias, wide, scale=expand_scale, **_POINTWISE, **how)
    window: Any = {"strides": strides, "padding": padding, "groups": channels}
    deep = np.empty(conv2d_shape(wide.shape, (*kernel.shape[:2], 1, channels), **window), x.dtype)
    conv2d(wide, kernel[:, :, None], bias, deep, **window, **how)
    conv2d(deep, project[None, None], project_bias, y, addend=addend, scale=project_scale, **_POINTWISE)
