"""Activations and softmax."""

from __future__ import annotations

import math
from typing import Unpack

import numpy as np

from pellucid.errors import ConfigError
from pellucid.ops.dispatch import array, arrays, expect_shape, options_of, result, run
from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import ACTIVATIONS as FORMULAS
from pellucid.ops.reference.nonlinear import formula
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


@options_of(check_numbers)
def activation(x: Array, kind: str, *, out: Array | None = None, **numbers: Unpack[Numbers]) -> Array:
    """relu max(x, 0); leaky_relu x if x > 0 else slope * x; relu6 min(x, ceiling) if x > threshold else
    slope * (x - threshold); elu x if x > 0 else slope * (exp(x) - 1); sigmoid 1 / (1 + exp(-x)); tanh; selu elu, scaled
    so that mean 0 and variance 1 stay; hard_sigmoid min(max(x / 6 + 1/2, 0), 1); softsign x / (1 + |x|); softplus
    log(1 + exp(x)); silu x * sigmoid(x); hard_silu x * hard_sigmoid(x); gelu x * P(X <= x), X normal; gelu_tanh
    x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). NaN stays NaN.

    Shapes: any; `out` may be x.
    Errors: ConfigError for an unknown kind or a negative number.
    Source: Nair & Hinton 2010 (ReLU); Maas et al. 2013 (leaky ReLU); Krizhevsky 2010 (ReLU6); Clevert et al. 2016
        (ELU); Klambauer et al. 2017 (SELU); Elfwing et al. 2018 (SiLU); Howard et al. 2019 (hard_silu, hard_sigmoid);
        Hendrycks & Gimpel 2016 (GELU, section 2); Dugas et al. 2001 (softplus); Turian et al. 2009 (softsign).
    """
    formula(kind)
    check_numbers("activation", **numbers)
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
    `READ_INPUT` (silu, hard_silu, gelu, gelu_tanh), whose y gives no x: they are given x for y.

    Shapes: dy as y; `out` may be dy.
    Errors: ShapeError if they differ; ConfigError for an unknown kind or a negative number.
    """
    op = "activation_backward"
    formula(kind)
    check_numbers(op, **numbers)
    dy, y = arrays(op, dy=dy, y=y)
    expect_shape(op, "dy", dy, y.shape, "it is the gradient of y")
    dx = result(op, y.shape, (dy, y), out, in_place=0)
    run(op, dy, y, dx, kind=kind, **numbers)
    return dx


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
