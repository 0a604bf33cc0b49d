"""Activations and softmax."""

from __future__ import annotations

import math
from typing import Unpack, cast

import numpy as np

from pellucid.errors import ConfigError, ShapeError
from pellucid.ops.dispatch import array, arrays, expect_shape, options_of, result, run
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.rearranging import slope_shapes
from pellucid.ops.reference.nonlinear import ACTIVATIONS as FORMULAS
from pellucid.ops.reference.nonlinear import formula
from pellucid.ops.reference.nonlinear import normal_below as normal_below
from pellucid.ops.table import Numbers

ACTIVATIONS = {kind: one.usual for kind, one in FORMULAS.items()}
"""The activations of each number by itself, with what each takes beside it in a layer that says nothing else."""


READ_INPUT = frozenset(kind for kind, one in FORMULAS.items() if one.reads_input)
"""Those of them whose gradient is made of x, not of y."""


def check_numbers(op: str, *, slope: float = 0.0, threshold: float = 0.0, ceiling: float = math.inf) -> None:
    """Errors: ConfigError for a negative number."""
    for name, value in (("slope", slope), ("threshold", threshold), ("ceiling", ceiling)):
        if not value >= 0:
            raise ConfigError(f"{op}: {name} must be at least 0, got {value}; with less the gradient is lost")


def _check(op: str, kind: str, numbers: Numbers) -> None:
    """Errors: ConfigError for an unknown activation, or numbers that it cannot take."""
    divides = formula(kind).divides
    check_numbers(op, **numbers)
    if divides and not numbers.get("slope"):
        raise ConfigError(f"{op}: {kind} needs a slope above 0, got {numbers.get('slope', 0.0):g}")


@options_of(check_numbers)
def activation(x: Array, kind: str, *, out: Array | None = None, **numbers: Unpack[Numbers]) -> Array:
    """relu max(x, 0); leaky_relu x if x > 0 else slope * x; relu6 min(x, ceiling) if x > threshold else
    slope * (x - threshold); elu x if x > 0 else slope * (exp(x) - 1); sigmoid 1 / (1 + exp(-x)); tanh; selu elu, scaled
    so that mean 0 and variance 1 stay; hard_sigmoid min(max(x / 6 + 1/2, 0), 1); softsign x / (1 + |x|); softplus
    log(1 + exp(x)); silu x * sigmoid(x); hard_silu x * hard_sigmoid(x); gelu x * P(X <= x), X normal; gelu_tanh
    x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))); celu x if x > 0 else slope * (exp(x / slope) - 1); exponential
    exp(x); hard_shrink 0 where |x| <= threshold else x; soft_shrink x less what of it lies within the threshold;
    hard_tanh min(max(x, -1), 1); log_sigmoid -log(1 + exp(-x)); mish x * tanh(log(1 + exp(x))); sparse_plus
    (x + 1)^2 / 4 from -1 to 1, then x; sparse_sigmoid min(max(x / 2 + 1/2, 0), 1); squareplus
    (x + sqrt(x^2 + slope)) / 2; tanh_shrink x - tanh(x). NaN stays NaN.

    Shapes: any; `out` may be x.
    Errors: ConfigError for an unknown kind or a negative number, and for a slope of 0 of celu and squareplus.
    Source: Nair & Hinton 2010 (ReLU); Maas et al. 2013 (leaky ReLU); Krizhevsky 2010 (ReLU6); Clevert et al. 2016
        (ELU); Klambauer et al. 2017 (SELU); Elfwing et al. 2018 (SiLU); Howard et al. 2019 (hard_silu, hard_sigmoid);
        Hendrycks & Gimpel 2016 (GELU, section 2); Dugas et al. 2001 (softplus); Turian et al. 2009 (softsign);
        Barron 2017 (CELU); Donoho & Johnstone 1994 (hard_shrink, soft_shrink); Collobert 2004 (hard_tanh); Misra 2019
        (Mish); Barron 2021 (squareplus).
    """
    _check("activation", kind, numbers)
    x = array("activation", "x", x)
    y = result("activation", x.shape, (x,), out, in_place=0)
    run("activation", x, y, kind=kind, **numbers)
    return y


@options_of(check_numbers)
def activation_backward(
    dy: Array, y: Array, kind: str, *, out: Array | None = None, **numbers: Unpack[Numbers]
) -> Array:
    """dx = dy * f'(x), with f' from the result y: relu [y > 0]; leaky_relu 1 or slope; relu6 likewise, 0 from the
    ceiling on; elu 1 or y + slope; sigmoid y (1-y); tanh 1-y^2; and so for all but those in
    `READ_INPUT` (silu, gelu, mish and the like), whose y gives no x: they are given x for y.

    Shapes: dy as y; `out` may be dy.
    Errors: ShapeError if they differ; ConfigError for an unknown kind or a negative number.
    """
    op = "activation_backward"
    _check(op, kind, numbers)
    dy, y = arrays(op, dy=dy, y=y)
    expect_shape(op, "dy", dy, y.shape, "it is the gradient of y")
    dx = result(op, y.shape, (dy, y), out, in_place=0)
    run(op, dy, y, dx, kind=kind, **numbers)
    return dx


@options_of(check_numbers)
def activation_gradient(dy: Array, y: Array, kind: str, **numbers: Unpack[Numbers]) -> Array:
    """The same of functions of NumPy's, for arrays that record what is calculated of them."""
    return formula(kind).df(dy, y, *formula(kind).taken(numbers))


def prelu(x: Array, alpha: Array, *, out: Array | None = None) -> Array:
    """y = x where x > 0, else alpha * x. NaN stays NaN.

    Shapes: x (N,...), alpha as a picture, with 1 for each axis along which there is one slope -> y like x; `out` may
    be x.
    Errors: ShapeError for another alpha.
    Source: He, Zhang, Ren & Sun 2015, equation 1.
    """
    x, alpha = arrays("prelu", x=x, alpha=alpha)
    laid_x, laid_alpha, slopes = _laid_slopes("prelu", x, alpha)
    y = result("prelu", x.shape, (x, alpha), out, in_place=0)
    run("prelu", x.reshape(laid_x), slopes.reshape(laid_alpha), y.reshape(laid_x))
    return y


def prelu_backward(dy: Array, x: Array, alpha: Array, *, out: Array | None = None) -> tuple[Array, Array]:
    """dx = dy where x > 0, else alpha * dy; dalpha = sum of dy * x below 0, over the batch and all that share a slope.

    Shapes: dy, x, alpha as `prelu` -> dx like x, dalpha like alpha; `out` may be dy.
    Errors: ShapeError if shapes do not match.
    Source: He, Zhang, Ren & Sun 2015, equations 3 and 4.
    """
    op = "prelu_backward"
    dy, x, alpha = arrays(op, dy=dy, x=x, alpha=alpha)
    expect_shape(op, "dy", dy, x.shape, "it is the gradient of prelu's output")
    laid_x, laid_alpha, slopes = _laid_slopes(op, x, alpha)
    dx, dalpha = result(op, x.shape, (dy, x, alpha), out, in_place=0), np.empty_like(slopes)
    row = dy.reshape(laid_x), x.reshape(laid_x), slopes.reshape(laid_alpha), dx.reshape(laid_x)
    run(op, *row, dalpha.reshape(laid_alpha))
    shared = tuple(axis for axis, size in enumerate(alpha.shape) if size < dalpha.shape[axis])
    return dx, dalpha.sum(axis=shared, keepdims=True)


def _laid_slopes(op: str, x: Array, alpha: Array) -> tuple[Shape, Shape, Array]:
    """`slope_shapes`, and the slopes, or where those do not go, one for each number of a picture.

    Errors: ShapeError for slopes that do not go with x.
    """
    picture = x.shape[1:]
    fits = alpha.ndim == len(picture) and all(a in (1, b) for a, b in zip(alpha.shape, picture, strict=True))
    if not picture or not fits:
        raise ShapeError(f"{op}: alpha must have shape {picture}, or 1 along some axes, got {alpha.shape}")
    laid = slope_shapes(x.shape, alpha.shape)
    if laid is None:
        alpha = np.ascontiguousarray(np.broadcast_to(alpha, x.shape[1:]))
        laid = cast("tuple[Shape, Shape]", slope_shapes(x.shape, alpha.shape))
    return *laid, alpha


def softmax(x: Array, *, out: Array | None = None) -> Array:
    """y[n,k] = exp(x[n,k] - m) / sum over k of exp(x[n,k] - m), m the row's largest.

    Shapes: x (..., K); `out` may be x.
    Errors: ConfigError if x holds no floats.
    Source: Bridle 1990.
    """
    x = array("softmax", "x", x)
    y = result("softmax", x.shape, (x,), out, in_place=0)
    run("softmax", *map(np.atleast_2d, (x, y)))
    return y


def softmax_backward(dy: Array, y: Array, *, out: Array | None = None) -> Array:
    """dx = y * (dy - sum over k of dy * y).

    Shapes: dy as y (..., K); `out` may be dy.
    Errors: ShapeError if they differ.
    """
    dy, y = arrays("softmax_backward", dy=dy, y=y)
    expect_shape("softmax_backward", "dy", dy, y.shape, "it is the gradient of y")
    dx = result("softmax_backward", y.shape, (dy, y), out, in_place=0)
    run("softmax_backward", *map(np.atleast_2d, (dy, y, dx)))
    return dx
