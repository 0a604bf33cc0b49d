"""Convolution between two batch norms: the one in front is applied as x is read, and neither's result is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack, cast

import numpy as np

from pellucid.ops.geometry import NO_PADS, Array, Pads, Pair
from pellucid.ops.reference.conv import conv2d, conv2d_backward_input, conv2d_backward_kernel
from pellucid.ops.reference.nonlinear import activation_backward, formula
from pellucid.ops.reference.normalization import batch_norm_inference
from pellucid.ops.table import CONVOLUTION_FLOPS, SAME3, VALID, WIDE_MAP, Numbers, call, op

_FRONT = ("x_gamma", "x_beta", "x_mean", "x_variance")
_BEHIND = ("y", "gamma", "mean", "variance", "dgamma", "dbeta")


def _reads_input(values: Mapping[str, Any]) -> str | None:
    if values["activation"] != "linear" and formula(values["activation"]).reads_input:
        return f"the gradient of {values['activation']!r} needs its input"
    return None


def _in_part(values: Mapping[str, Any]) -> str | None:
    wrong = _reads_input(values)
    if wrong is not None:
        return wrong
    for names in (_FRONT, _BEHIND if "dy" in values else ("mean", "variance")):
        if len({values[name] is None for name in names}) > 1:
            return f"{', '.join(names)} are given together, or none of them"
    if values["x_mean"] is None and not (values["x_y"] is None is values.get("x_addend")):
        return "x_y and x_addend are of a batch norm in front, and x_mean is not given"
    return None


def _read(
    x: Array, norm: tuple[Array | None, ...], x_epsilon: float, activation: str, numbers: Numbers, addend: Array | None
) -> Array:
    """x as the convolution reads it."""
    if norm[0] is None:
        return x
    read, known = np.empty_like(x), cast("tuple[Array, Array, Array, Array]", norm)
    batch_norm_inference(x, *known, read, epsilon=x_epsilon, activation=activation, addend=addend, **numbers)
    return read


_NORMED: dict[str, Any] = {"activation": "relu6", "ceiling": 6.0, "x_epsilon": 1e-3}
_FRONT_SHAPES = dict.fromkeys(_FRONT, (144,))
_NARROW = {"x": WIDE_MAP, "kernel": (1, 1, 144, 24), **_FRONT_SHAPES, **_NORMED, **VALID}
_WIDE = {"x": (*WIDE_MAP[:-1], 24), "kernel": (1, 1, 24, 144), **VALID}
_ALONE = {"x": WIDE_MAP, "kernel": (3, 3, 1, 144), "groups": 144, **_FRONT_SHAPES, **_NORMED, **SAME3}
_MEASURED = {"mean": (144,), "variance": (144,)}
_SQUARE: dict[str, Any] = {"x": (128, 16, 16, 32), "kernel": (3, 3, 32, 32), **dict.fromkeys(_FRONT, (32,)), **SAME3}
_SQUARE |= {"mean": (32,), "variance": (32,), "activation": "relu", "x_epsilon": 1e-3}
_BACK: dict[str, Any] = {
    "y": WIDE_MAP, "gamma": (144,), "dgamma": (144,), "dbeta": (144,), **_MEASURED, "epsilon": 1e-3,
}  # fmt: skip
_TAKEN = {"x_dgamma": (144,), "x_dbeta": (144,)}


@op(
    flops=CONVOLUTION_FLOPS,
    refuse=_in_part,
    typical=[
        call("16 x 56x56x144, 1x1, 24", **_NARROW),
        call("16 x 56x56x144, depthwise 3x3", **_ALONE, **_MEASURED),
        call("16 x 56x56x24, 1x1, 144", **_WIDE, **_MEASURED),
        call("128 x 16x16x32, 3x3, 32", **_SQUARE),
    ],
)
def conv2d_norm(
    x: Array,
    kernel: Array,
    y: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    mean: Array | None = None,
    variance: Array | None = None,
    x_gamma: Array | None = None,
    x_beta: Array | None = None,
    x_mean: Array | None = None,
    x_variance: Array | None = None,
    x_addend: Array | None = None,
    x_y: Array | None = None,
    x_epsilon: float = 0.0,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """y = convolution of f(x_gamma * (x - x_mean) / sqrt(x_variance + x_epsilon) + x_beta + x_addend), or of x itself.

    x_y: where what is convolved is kept. mean, variance: of y over all axes but the last (biased), for the batch norm
    behind it; both or neither. Channels that are normalised are a multiple of 16.
    """
    read = _read(x, (x_gamma, x_beta, x_mean, x_variance), x_epsilon, activation, numbers, x_addend)
    if x_y is not None:
        x_y[...] = read
    conv2d(read, kernel, None, y, strides=strides, padding=padding, dilation=dilation, groups=groups)
    if mean is not None and variance is not None:
        mean[...] = y.mean(axis=(0, 1, 2), dtype=np.float64)
        variance[...] = y.var(axis=(0, 1, 2), dtype=np.float64)


@op(
    flops="4 * N * OH * OW * O * KH * KW * (C / GROUPS)",
    refuse=_in_part,
    typical=[
        call("16 x 56x56x144, 1x1, 24", dkernel=(1, 1, 144, 24), dx=WIDE_MAP, **_NARROW, **_TAKEN),
        call("16 x 56x56x144, depthwise 3x3", dkernel=(3, 3, 1, 144), dx=WIDE_MAP, **_ALONE, **_BACK, **_TAKEN),
        call("16 x 56x56x24, 1x1, 144", dkernel=(1, 1, 24, 144), dx=(*WIDE_MAP[:-1], 24), **_WIDE, **_BACK),
        call(
            "128 x 16x16x32, 3x3, 32",
            dkernel=(3, 3, 32, 32),
            dx=(128, 16, 16, 32),
            y=(128, 16, 16, 32),
            epsilon=1e-3,
            **dict.fromkeys(("gamma", "dgamma", "dbeta", "x_dgamma", "x_dbeta"), (32,)),
            **_SQUARE,
        ),
    ],
)
def conv2d_norm_backward(
    dy: Array,
    x: Array,
    kernel: Array,
    dkernel: Array | None,
    dx: Array | None,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    addend: Array | None = None,
    y: Array | None = None,
    gamma: Array | None = None,
    mean: Array | None = None,
    variance: Array | None = None,
    dgamma: Array | None = None,
    dbeta: Array | None = None,
    epsilon: float = 0.0,
    x_gamma: Array | None = None,
    x_beta: Array | None = None,
    x_mean: Array | None = None,
    x_variance: Array | None = None,
    x_y: Array | None = None,
    x_dgamma: Array | None = None,
    x_dbeta: Array | None = None,
    x_epsilon: float = 0.0,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """The gradients of conv2d_norm: of its kernel, of the result of the batch norm in front, and of that one's numbers.

    dy: of the convolution's result; with y, gamma ... dbeta, of the result of the batch norm behind it, whose own
    gradients are dgamma and dbeta. dx: of the result of the batch norm in front (dx of its input follows from x_dgamma
    and x_dbeta in the same manner), or without one of x. addend: another gradient of what the convolution reads. x_y:
    what the convolution read, without which it is computed again, and must be where something was added to it.
    """
    window: dict[str, Any] = {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}
    dz = dy
    if y is not None:
        inverse = 1 / np.sqrt(cast(Array, variance) + epsilon)
        rows, xhat = y.size // y.shape[-1], (y - mean) * inverse
        dz = cast(Array, gamma) * inverse * (dy - cast(Array, dbeta) / rows - xhat * (cast(Array, dgamma) / rows))
        dz = dz.astype(dy.dtype)
    norm = (x_gamma, x_beta, x_mean, x_variance)
    read = _read(x, norm, x_epsilon, activation, numbers, None) if x_y is None else x_y
    if dkernel is not None:
        conv2d_backward_kernel(read, dz, dkernel, **window)
    if dx is None:
        return
    conv2d_backward_input(dz, kernel, dx, addend=addend, **window)
    if x_mean is None:
        return
    if activation != "linear":
        activation_backward(dx, read, dx, activation, **numbers)
    if x_dgamma is not None and x_dbeta is not None:
        xhat = (x - x_mean) / np.sqrt(cast(Array, x_variance) + x_epsilon)
        x_dgamma[...] = (dx * xhat).sum(axis=(0, 1, 2), dtype=np.float64)
        x_dbeta[...] = dx.sum(axis=(0, 1, 2), dtype=np.float64)


_EXPAND = {"input": (16, 56, 56, 24), "expand": (24, 144), "dexpand": (24, 144), "dinput": (16, 56, 56, 24)}


@op(
    refuse=_reads_input,
    flops={"kernel": "4 * N * OH * OW * C * KH * KW", "expand": "4 * N * H * W * I * C"},
    typical=[
        call("16 x 56x56x24, 1x1, 144, depthwise 3x3", dkernel=(3, 3, 1, 144), **_EXPAND, **_ALONE, **_BACK, **_TAKEN)
    ],
)
def expanded_conv2d_norm_backward(
    dy: Array,
    x: Array,
    kernel: Array,
    dkernel: Array,
    input: Array,
    expand: Array,
    dexpand: Array,
    dinput: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    addend: Array | None = None,
    y: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    dgamma: Array,
    dbeta: Array,
    epsilon: float = 0.0,
    x_gamma: Array,
    x_beta: Array,
    x_mean: Array,
    x_variance: Array,
    x_dgamma: Array,
    x_dbeta: Array,
    x_epsilon: float = 0.0,
    activation: str = "linear",
    **numbers: Unpack[Numbers],
) -> None:
    """conv2d_norm_backward of a depthwise convolution, and then of the one 1x1, input . expand, that made its x.

    x_mean and x_variance are those of input . expand. addend: another gradient of the input.
    Shapes: input, dinput, addend (N, H, W, I), expand, dexpand (I, C), of x (N, H, W, C) and kernel (KH, KW, 1, C), 3x3
    or 5x5 with strides of 1 or 2; C is a multiple of 16.
    """
    between: dict[str, Any] = {
        "gamma": x_gamma,
        "mean": x_mean,
        "variance": x_variance,
        "dgamma": x_dgamma,
        "dbeta": x_dbeta,
    }
    behind: dict[str, Any] = {"gamma": gamma, "mean": mean, "variance": variance, "dgamma": dgamma, "dbeta": dbeta}
    of_x = {f"x_{name}": value for name, value in between.items()}
    dx = np.empty_like(x)
    conv2d_norm_backward(
        dy, x, kernel, dkernel, dx, strides=strides, padding=padding, dilation=dilation, groups=groups, y=y,
        epsilon=epsilon, x_beta=x_beta, x_epsilon=x_epsilon, activation=activation, **behind, **of_x, **numbers,
    )  # fmt: skip
    conv2d_norm_backward(
        dx, input, expand[None, None], dexpand[None, None], dinput, strides=(1, 1), padding=NO_PADS, addend=addend,
        y=x, epsilon=x_epsilon, **between,
    )  # fmt: skip
