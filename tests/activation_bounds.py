"""How far an activation and its gradient may be off, number by number: derived from how kernels compute them.

eps is 2^-23. A rounding, of a product, a sum, a quotient or a constant, is at most eps/2 of its result. What functions
of vectors are off by is said in native/common/vec.hpp, in ulps, of which one is at most eps of the result. An error d
of t becomes one of t f'(t) / f(t) times d in f(t), its condition: to first order, beside which the second is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.nonlinear import ACTIVATIONS, SELU_ALPHA, SELU_SCALE
from pellucid.ops.table import NUMBERS

EXP, TANH, SIGMOID, LOG1P = 1.0, 1.3, 2.4, 2.0
"""vexp, vtanh, vsigmoid and vlog1p, in ulps."""
NUMPY_EXP = 2.52
"""What NumPy says of its own exp of float32, beside which vexp is exact: kernel and reference keep one bound."""
ROUNDING = 0.5
LEAST = 2.0**-126 * 2**23
"""The smallest normal number in eps: below it all digits may be lost, of a sigmoid before x multiplies it, too."""
ELU = TANH + 3 * ROUNDING
"""2 t / (1 - t), t = tanh(v / 2) <= 0, has the condition 1 / (1 - t) <= 1; then a sum, a quotient and a product."""
CUBIC = 5 * ROUNDING
"""Of v (a + b v^2), which adds nothing of two signs: v^2, b, b v^2, the sum, v times it."""

NORMAL = np.array(
    [0.12694266038, 0.12694158146, 0.11413581941, 0.087626080961, 0.059975119574, 0.011178668749, 0.071199937251,
     0.15029066898, 0.095343626824, 0.020695481174]
)  # fmt: skip
"""Sizes of the coefficients of vnormal_below, from that of t^0 on."""
NORMAL_FIT = 3.2e-8 * 2**23
"""How far that polynomial is from the function."""
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _bell(x: Array) -> Array:
    """Of e^(-x^2/2), relatively: its exponent has the rounding of x^2."""
    return EXP + ROUNDING * x * x / 2


def _normal_below(x: Array) -> Array:
    """Of the share of a normal distribution below x: bell * (t p(t)), t = 1 / (1 + 0.318 |x|), or above 0 1 less that.

    The condition of t p(t), Q(|x|) / bell, follows from Q' = -bell / sqrt(2 pi). Horner's rule rounds the term of t^k
    at most 2 k + 1 times.
    """
    size = np.minimum(np.abs(x), 36)
    part = 0.31819805 * size
    t, bell, tail = 1 / (1 + part), np.exp(-size * size / 2), _erfc(size / math.sqrt(2)) / 2
    condition = (bell / (math.sqrt(2 * math.pi) * tail) - size) * (1 + part) / 0.31819805
    powers = np.arange(len(NORMAL))
    horner = ROUNDING * ((2 * powers + 1) * NORMAL * t[..., None] ** powers).sum(axis=-1) / (tail / bell / t)
    of_t = condition * (2 * ROUNDING * part * t + 2 * ROUNDING)
    return tail * (_bell(size) + of_t + horner + NORMAL_FIT + 2 * ROUNDING) + ROUNDING * (x > 0)


def _steep(x: Array) -> Array:
    """Of x times the density of a normal distribution."""
    return np.abs(x) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * (_bell(x) + 3 * ROUNDING)


def _sigmoid(x: Array) -> Array:
    return np.exp(-np.logaddexp(0, -x))


def _cubic(x: Array) -> Array:
    return 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)


def _gate(u: Array, off: float) -> Array:
    """Of sigmoid(u), relatively, where u is off by so much."""
    return SIGMOID + off * np.abs(u) * _sigmoid(-u)


def _gated_step(x: Array, u: Array, step: Array, off: float) -> Array:
    """Of s + step * s (1 - s), s = sigmoid(u), by that of -|u|."""
    least = _sigmoid(-np.abs(u))
    of_least = _gate(-np.abs(u), off)
    of_rest = (least * of_least + ROUNDING) / (1 - least)
    size = np.abs(step)
    of_step = size * least * (1 - least) * (of_least + of_rest + off + 2 * ROUNDING)
    return least * of_least + ROUNDING * (x > 0) + of_step + LEAST * np.minimum(1 + size, 1000)


def _mish_step(x: Array) -> Array:
    """Of t + x s r (1 + t): t = n / (n + 2), s = e / (1 + e), r = 2 / (n + 2), n = e (e + 2), in all at most 6 e."""
    e = np.exp(np.minimum(x, 20))
    t = e * (e + 2) / (e * (e + 2) + 2)
    product = np.minimum(np.abs(x), 110) * e / (1 + e) * (1 - t * t)
    return (2 * EXP + 4 * ROUNDING) * t + (6 * EXP + 14 * ROUNDING) * product + LEAST * np.minimum(1 + np.abs(x), 110)


FORWARD: dict[str, Callable[..., Array]] = {
    "relu": lambda x, y, **_: 0 * y,
    "leaky_relu": lambda x, y, **_: 2 * ROUNDING * np.abs(y),
    "relu6": lambda x, y, slope, threshold, **_: 3 * ROUNDING * np.abs(y) + ROUNDING * slope * threshold,
    "elu": lambda x, y, **_: (ELU + ROUNDING) * np.abs(y),
    "selu": lambda x, y, **_: (ELU + ROUNDING) * np.abs(y),
    "sigmoid": lambda x, y, **_: SIGMOID * y,
    "tanh": lambda x, y, **_: TANH * np.abs(y),
    "hard_sigmoid": lambda x, y, **_: 3 * ROUNDING * y,
    "softsign": lambda x, y, **_: 2 * ROUNDING * np.abs(y),
    # log1p's condition is at most 1
    "softplus": lambda x, y, **_: (EXP + LOG1P) * np.log1p(np.exp(-np.abs(x))) + ROUNDING * y,
    "silu": lambda x, y, **_: (SIGMOID + ROUNDING) * np.abs(y) + LEAST * np.minimum(np.abs(x), 110),
    "hard_silu": lambda x, y, **_: 4 * ROUNDING * np.abs(y),
    "gelu": lambda x, y, **_: np.abs(x) * _normal_below(x) + ROUNDING * np.abs(y) + LEAST * np.minimum(np.abs(x), 110),
    "gelu_tanh": lambda x, y, **_: (
        (_gate(_cubic(x), CUBIC) + ROUNDING) * np.abs(y) + LEAST * np.minimum(np.abs(x), 110)
    ),
    # the condition of e^z - 1 at z = x / slope is at most 1; both are rounded
    "celu": lambda x, y, **_: (ELU + 3 * ROUNDING) * np.abs(y),
    "exponential": lambda x, y, **_: NUMPY_EXP * y,
    "hard_shrink": lambda x, y, **_: 0 * y,
    "hard_tanh": lambda x, y, **_: 0 * y,
    "log_sigmoid": lambda x, y, **_: (EXP + LOG1P) * np.log1p(np.exp(-np.abs(x))) + ROUNDING * np.abs(y),
    # n / (n + 2) by n = e (e + 2), whose condition by e is at most 2
    "mish": lambda x, y, **_: (2 * EXP + 5 * ROUNDING) * np.abs(y) + LEAST * np.minimum(np.abs(x), 110),
    "soft_shrink": lambda x, y, threshold, **_: ROUNDING * (np.abs(y) + threshold),
    "sparse_plus": lambda x, y, **_: 3 * ROUNDING * y,
    "sparse_sigmoid": lambda x, y, **_: ROUNDING * y,
    # b, and the root of v^2 + b: at most 2; a sum, perhaps a quotient, of b / 2
    "squareplus": lambda x, y, **_: 5 * ROUNDING * y,
    "tanh_shrink": lambda x, y, **_: TANH * np.abs(np.tanh(x)) + ROUNDING * np.abs(y),
}
"""In eps, of x and y = f(x)."""

DERIVATIVE: dict[str, Callable[..., Array]] = {
    "relu": lambda y, d, **_: 0 * d,
    "leaky_relu": lambda y, d, **_: ROUNDING * d,
    "relu6": lambda y, d, **_: ROUNDING * d,
    "elu": lambda y, d, slope, **_: ROUNDING * (d + slope),
    "selu": lambda y, d, **_: ROUNDING * (d + SELU_SCALE * SELU_ALPHA),
    "sigmoid": lambda y, d, **_: 2 * ROUNDING * d,
    "tanh": lambda y, d, **_: ROUNDING * (d + y * y),
    "hard_sigmoid": lambda y, d, **_: ROUNDING * d,
    "softsign": lambda y, d, **_: 3 * ROUNDING * d,
    "softplus": lambda y, d, **_: ELU * d,
    "silu": lambda x, d, **_: _gated_step(x, x, x, 0.0) + ROUNDING * np.abs(d),
    "hard_silu": lambda x, d, **_: 2 * ROUNDING * np.minimum(np.abs(x), 3) / 3 + ROUNDING * np.abs(d),
    "gelu": lambda x, d, **_: (
        _normal_below(x) + _steep(np.clip(x, -36, 36)) + ROUNDING * np.abs(d) + LEAST * np.minimum(np.abs(x), 110)
    ),
    "gelu_tanh": lambda x, d, **_: (
        _gated_step(x, _cubic(x), x * 1.6 * (1 + 0.1342 * x * x), CUBIC) + ROUNDING * np.abs(d)
    ),
    # of z = x / slope, both rounded, e^z is off by these times |z|
    "celu": lambda x, d, slope, **_: (NUMPY_EXP + 2 * ROUNDING * np.abs(np.minimum(x, 0) / slope)) * d,
    "exponential": lambda x, d, **_: NUMPY_EXP * d,
    "hard_shrink": lambda x, d, **_: 0 * d,
    "hard_tanh": lambda x, d, **_: 0 * d,
    "log_sigmoid": lambda x, d, **_: SIGMOID * d,
    "mish": lambda x, d, **_: _mish_step(x) + ROUNDING * np.abs(d),
    "soft_shrink": lambda x, d, **_: 0 * d,
    "sparse_plus": lambda x, d, **_: ROUNDING * d,
    "sparse_sigmoid": lambda x, d, **_: 0 * d,
    # below 0 b / 2 over a product of two that are off by 2 and 3, above 0 1 less that
    "squareplus": lambda x, d, **_: 8 * ROUNDING * np.where(x > 0, 1 - d, d) + ROUNDING * (x > 0),
    "tanh_shrink": lambda x, d, **_: (2 * TANH + ROUNDING) * d,
}
"""In eps, of what the gradient is made of (y, or x where it reads that) and f'(x)."""


def forward_bound(x: Array, kind: str, **numbers: float) -> Array:
    """The error that y = f(x) may have, in eps. All in float64."""
    given, formula = {**NUMBERS, **numbers}, ACTIVATIONS[kind]
    return FORWARD[kind](x, formula.f(x, *formula.taken(given)), **given)


def backward_bound(dy: Array, y: Array, kind: str, **numbers: float) -> Array:
    """The error that dy f'(x) may have, in eps: that of f', and a rounding of the product."""
    given, formula = {**NUMBERS, **numbers}, ACTIVATIONS[kind]
    d = formula.df(np.ones_like(y), y, *formula.taken(given))
    return np.abs(dy) * (DERIVATIVE[kind](y, d, **given) + ROUNDING * np.abs(d))
