"""Optimizer updates in place on flat vectors, in Keras's formulas.

`control` holds what changes from step to step, as float64: learning rate, step number (from 1), gradient scale.
Rules are written with operators and with methods that arrays and tensors have alone: the torch engine runs them on
tensors, with numbers or tensors as control.
Weight decay adds weight_decay * p to the gradient; where it is decoupled, it shrinks p by lr * weight_decay instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.table import PARAMETERS, call, op


def _numbers(control: Array) -> Sequence[float]:
    """Python's numbers, which change no array's dtype."""
    numbers: Sequence[float] = control.tolist() if isinstance(control, np.ndarray) else control
    return numbers


def _gradient(param: Array, grad: Array, control: Array, weight_decay: float, decoupled: bool) -> Array:
    """The gradient that a rule sees; a decoupled decay is taken off the parameters here."""
    lr, _, scale = _numbers(control)
    scaled = grad if isinstance(scale, float) and scale == 1 else grad * scale
    if not weight_decay:
        return scaled
    if decoupled:
        param *= 1 - lr * weight_decay
        return scaled
    return scaled + weight_decay * param


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
    decoupled: bool = False,
) -> None:
    """v = momentum * v - lr * g; p += v, or with Nesterov p += momentum * v - lr * g. Without velocity p -= lr * g."""
    step = _numbers(control)[0] * _gradient(param, grad, control, weight_decay, decoupled)
    if velocity is None:
        param -= step
        return
    velocity *= momentum
    velocity -= step
    param += momentum * velocity - step if nesterov else velocity


_BETAS = {"beta1": 0.9, "beta2": 0.999}


@op(
    passes={"param": 2, "m": 2, "v": 2, "v_max": 2},
    typical=[call("16,000,000", param=PARAMETERS, v_max=None, **_BETAS, epsilon=1e-7)],
)
def adam(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
    control: Array,
    *,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t)/(1-b1^t) * m / (sqrt(v) + epsilon).

    With `v_max` (AMSGrad) the largest v until now stands for v in the step.
    """
    g = _gradient(param, grad, control, weight_decay, decoupled)
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    if v_max is not None:
        v_max[...] = v_max.clip(min=v)
        v = v_max
    lr, step, _ = _numbers(control)
    alpha = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    param -= alpha * m / (v**0.5 + epsilon)


@op(passes={"param": 2, "m": 2, "u": 2}, typical=[call("16,000,000", param=PARAMETERS, **_BETAS, epsilon=1e-7)])
def adamax(
    param: Array,
    grad: Array,
    m: Array,
    u: Array,
    control: Array,
    *,
    beta1: float,
    beta2: float,
    epsilon: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """m += (1-b1)(g-m); u = max(b2 * u, |g|); p -= lr / (1-b1^t) * m / (u + epsilon)."""
    g = _gradient(param, grad, control, weight_decay, decoupled)
    m += (1 - beta1) * (g - m)
    u[...] = (beta2 * u).clip(min=abs(g))
    lr, step, _ = _numbers(control)
    param -= lr / (1 - beta1**step) * m / (u + epsilon)


@op(passes={"param": 2, "m": 2, "v": 2}, typical=[call("16,000,000", param=PARAMETERS, **_BETAS, epsilon=1e-7)])
def nadam(
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
    """With b(t) = b1 (1 - 0.96^t / 2) and B the product of b(1) to b(t): m += (1-b1)(g-m); v += (1-b2)(g^2-v);
    p -= lr * (b(t+1) m / (1 - B b(t+1)) + (1 - b(t)) g / (1 - B)) / (sqrt(v / (1-b2^t)) + epsilon)."""
    g = _gradient(param, grad, control, weight_decay, decoupled)
    lr, step, _ = _numbers(control)
    now, after = (beta1 * (1 - 0.5 * 0.96**t) for t in (step, step + 1))
    # log(1 - x) = -sum of x^k / k, and of x = 0.96^t / 2 the sum over t is that of a geometric series
    fallen = sum(0.48**k / k * (1 - 0.96 ** (k * step)) / (1 - 0.96**k) for k in range(1, 50))
    product = beta1**step * math.e**-fallen
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    ahead = after / (1 - product * after) * m + (1 - now) / (1 - product) * g
    param -= lr * ahead / ((v / (1 - beta2**step)) ** 0.5 + epsilon)


@op(passes={"param": 2, "m": 2}, typical=[call("16,000,000", param=PARAMETERS, beta1=0.9, beta2=0.99)])
def lion(
    param: Array,
    grad: Array,
    m: Array,
    control: Array,
    *,
    beta1: float,
    beta2: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """p -= lr * sign(b1 * m + (1-b1) g); m += (1-b2)(g-m)."""
    g = _gradient(param, grad, control, weight_decay, decoupled)
    way: Any = beta1 * m + (1 - beta1) * g
    param -= _numbers(control)[0] * (np.sign(way) if isinstance(way, np.ndarray) else way.sign())
    m += (1 - beta2) * (g - m)


@op(passes={"param": 2, "square": 2}, typical=[call("16,000,000", param=PARAMETERS, epsilon=1e-7)])
def adagrad(
    param: Array,
    grad: Array,
    square: Array,
    control: Array,
    *,
    epsilon: float,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """s += g^2; p -= lr * g / sqrt(s + epsilon)."""
    g = _gradient(param, grad, control, weight_decay, decoupled)
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
    decoupled: bool = False,
) -> None:
    """s = rho*s + (1-rho)*g^2; p -= lr * g / sqrt(s + epsilon).

    With `mean` (centered) s loses the squared running mean of g; with `velocity` the step is u = momentum*u + step.
    """
    g = _gradient(param, grad, control, weight_decay, decoupled)
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
    decoupled: bool = False,
) -> None:
    """s = rho*s + (1-rho)*g^2; u = -sqrt(d + epsilon)/sqrt(s + epsilon) * g; d = rho*d + (1-rho)*u^2; p += lr * u."""
    g = _gradient(param, grad, control, weight_decay, decoupled)
    square += (1 - rho) * (g * g - square)
    step = -((delta + epsilon) ** 0.5) / (square + epsilon) ** 0.5 * g
    delta += (1 - rho) * (step * step - delta)
    param += _numbers(control)[0] * step


@op(passes={"param": 2, "square": 2, "linear": 2}, typical=[call("16,000,000", param=PARAMETERS, l1=0.1, l2=0.1)])
def ftrl(
    param: Array,
    grad: Array,
    square: Array,
    linear: Array,
    control: Array,
    *,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """z += g + 2 shrinkage p - (sqrt(s + g^2) - sqrt(s)) / lr * p; s += g^2;
    p = (z kept from -l1 to l1, - z) / (sqrt(s) / lr + 2 l2 + beta / lr). A learning rate of 0 changes nothing."""
    lr = _numbers(control)[0]
    if isinstance(lr, float) and lr == 0:
        return
    g, root = _gradient(param, grad, control, weight_decay, decoupled), square**0.5
    square += g * g
    linear += g + 2 * l2_shrinkage * param - (square**0.5 - root) / lr * param
    param[...] = (linear.clip(-l1, l1) - linear) / (square**0.5 / lr + (2 * l2 + beta / lr))


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
