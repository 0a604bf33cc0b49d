"""Optimizer updates in place on flat vectors, in Keras's formulas.

`control` holds what changes from step to step, as float64: learning rate, step number (from 1), gradient scale.
Rules are written with operators alone: the torch engine runs them on tensors, with numbers or tensors as control.
Weight decay adds weight_decay * p to the gradient; AdamW ("decoupled") shrinks p by lr * weight_decay instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.table import PARAMETERS, call, op


def _numbers(control: Array) -> Sequence[float]:
    """Python's numbers, which change no array's dtype."""
    numbers: Sequence[float] = control.tolist() if isinstance(control, np.ndarray) else control
    return numbers


def _gradient(param: Array, grad: Array, control: Array, weight_decay: float) -> Array:
    scale = _numbers(control)[2]
    scaled = grad if scale == 1 else grad * scale
    return scaled + weight_decay * param if weight_decay else scaled


@op(passes={"param": 2, "velocity": 2}, typical=[call("16,000,000", param=PARAMETERS, momentum=0.9)])
def sgd(
    param: Array,
    grad: Array,
    velocity: Array | None,
    control: Array,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """v = momentum * v - lr * g; p += v, or with Nesterov p += momentum * v - lr * g. Without velocity p -= lr * g."""
    step = _numbers(control)[0] * _gradient(param, grad, control, weight_decay)
    if velocity is None:
        param -= step
        return
    velocity *= momentum
    velocity -= step
    param += momentum * velocity - step if nesterov else velocity


@op(
    passes={"param": 2, "m": 2, "v": 2},
    typical=[call("16,000,000", param=PARAMETERS, beta1=0.9, beta2=0.999, epsilon=1e-7)],
)
def adam(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    control: Array,
    *,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t)/(1-b1^t) * m / (sqrt(v) + epsilon)."""
    lr, step, _ = _numbers(control)
    g = _gradient(param, grad, control, 0.0 if decoupled else weight_decay)
    if decoupled and weight_decay:
        param *= 1 - lr * weight_decay
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    alpha = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    param -= alpha * m / (v**0.5 + epsilon)


@op(passes={"param": 2, "square": 2}, typical=[call("16,000,000", param=PARAMETERS, epsilon=1e-7)])
def adagrad(
    param: Array, grad: Array, square: Array, control: Array, *, epsilon: float, weight_decay: float = 0.0
) -> None:
    """s += g^2; p -= lr * g / sqrt(s + epsilon)."""
    g = _gradient(param, grad, control, weight_decay)
    square += g * g
    param -= _numbers(control)[0] * g / (square + epsilon) ** 0.5


@op(
    passes={"param": 2, "square": 2, "velocity": 2, "mean": 2},
    typical=[call("16,000,000", param=PARAMETERS, velocity=None, mean=None, rho=0.9, momentum=0.0, epsilon=1e-7)],
)
def rmsprop(
    param: Array,
    grad: Array,
    square: Array,
    velocity: Array | None,
    mean: Array | None,
    control: Array,
    *,
    rho: float,
    momentum: float,
    epsilon: float,
    weight_decay: float = 0.0,
) -> None:
    """s = rho*s + (1-rho)*g^2; p -= lr * g / sqrt(s + epsilon).

    With `mean` (centered) s loses the squared running mean of g; with `velocity` the step is u = momentum*u + step.
    """
    g = _gradient(param, grad, control, weight_decay)
    square += (1 - rho) * (g * g - square)
    spread = square
    if mean is not None:
        mean += (1 - rho) * (g - mean)
        spread = square - mean * mean
    step = _numbers(control)[0] * g / (spread + epsilon) ** 0.5
    if velocity is not None:
        velocity *= momentum
        velocity += step
        step = velocity
    param -= step


@op(
    passes={"param": 2, "square": 2, "delta": 2},
    typical=[call("16,000,000", param=PARAMETERS, rho=0.95, epsilon=1e-7)],
)
def adadelta(
    param: Array,
    grad: Array,
    square: Array,
    delta: Array,
    control: Array,
    *,
    rho: float,
    epsilon: float,
    weight_decay: float = 0.0,
) -> None:
    """s = rho*s + (1-rho)*g^2; u = -sqrt(d + epsilon)/sqrt(s + epsilon) * g; d = rho*d + (1-rho)*u^2; p += lr * u."""
    g = _gradient(param, grad, control, weight_decay)
    square += (1 - rho) * (g * g - square)
    step = -((delta + epsilon) ** 0.5) / (square + epsilon) ** 0.5 * g
    delta += (1 - rho) * (step * step - delta)
    param += _numbers(control)[0] * step


@op(
    fields={"pictures": "N"},
    passes={"grad": 2, "totals": 2},
    typical=[call("16,000,000", param=PARAMETERS, l1=0.0, l2=1e-4, pictures=1)],
)
def add_penalty(param: Array, grad: Array, totals: Array | None, *, l1: float, l2: float, pictures: int) -> None:
    """grad += l1 * sign(p) + 2 * l2 * p; totals[0] += pictures * (l1 * sum|p| + l2 * sum p^2), in float64."""
    grad += l1 * np.sign(param) + (2 * l2) * param
    if totals is not None:
        wide = param.astype(np.float64)
        totals[0] += pictures * (l1 * np.abs(wide).sum() + l2 * np.square(wide).sum())


@op(passes={"grad": 2}, typical=[call("16,000,000", grad=PARAMETERS, limit=3.0)])
def clip_by_value(grad: Array, *, limit: float) -> None:
    """Every entry to -limit .. limit."""
    np.clip(grad, -limit, limit, out=grad)


@op(passes={"grad": 3}, typical=[call("16,000,000", grad=PARAMETERS, limit=1e-3)])
def clip_by_norm(grad: Array, *, limit: float) -> None:
    """grad *= limit / |grad| where that is below 1.

    NumPy's sum has a fixed order; a BLAS dot product would change its bits with the number of threads.
    """
    norm = math.sqrt(np.square(grad, dtype=np.float64).sum())
    if norm > limit:
        grad *= grad.dtype.type(limit / norm)
