"""Optimizer updates in place on flat vectors, in Keras's formulas.

What all rules take stands once, in `rule`: parameters, gradient, `control`, weight decay. `control` holds what changes
from step to step, as float64: learning rate, step number (from 1), gradient scale.
Rules are written with operators and with methods that arrays and tensors have alone: the torch engine runs them on
tensors, with numbers or tensors as control.
Weight decay adds weight_decay * p to the gradient; where it is decoupled, it shrinks p by lr * weight_decay instead.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.table import PARAMETERS, call, op


def _update(
    param: Array, grad: Array, control: Array, *, weight_decay: float = 0.0, decoupled: bool = False
) -> tuple[Any, Any, Array]:
    """(learning rate, step, gradient) as a rule sees them; a decoupled decay is taken off the parameters here."""
    # Python's numbers, which change no array's dtype
    numbers: Sequence[float] = control.tolist() if isinstance(control, np.ndarray) else control
    lr, step, scale = numbers
    scaled = grad if isinstance(scale, float) and scale == 1 else grad * scale
    if decoupled and weight_decay:
        param *= 1 - lr * weight_decay
    elif weight_decay:
        scaled = scaled + weight_decay * param
    return lr, step, scaled


COMMON = inspect.signature(_update).parameters
"""What every rule takes beside its moments and its own numbers."""


def rule(**typical: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The row of an optimizer. From formula(p, lr, step, g, its moments, *, its numbers), which changes p and moments,
    comes the operation (param, grad, its moments, control, *, its numbers, weight_decay=0, decoupled=False).

    typical: its numbers in the benchmark, and the moments that are not there (None).
    """

    def enter(formula: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(formula).parameters.values())[4:]
        moments = [one for one in own if one.kind is not one.KEYWORD_ONLY]
        numbers = own[len(moments) :]
        param, grad, control, *decay = COMMON.values()
        signature = inspect.Signature([param, grad, *moments, control, *numbers, *decay])

        @functools.wraps(formula)
        def twin(*args: Any, **kwargs: Any) -> None:
            given = signature.bind(*args, **kwargs).arguments
            common = {name: given.pop(name) for name in COMMON if name in given}
            formula(common["param"], *_update(**common), **given)

        twin.__signature__ = signature  # type: ignore[attr-defined]
        passes = {one.name: 2 for one in (param, *moments)}
        return op(passes=passes, typical=[call("16,000,000", param=PARAMETERS, **typical)])(twin)

    return enter


@rule(momentum=0.9)
def sgd(
    p: Array, lr: Any, step: Any, g: Array, velocity: Array | None, *, momentum: float = 0.0, nesterov: bool = False
) -> None:
    """v = momentum * v - lr * g; p += v, or with Nesterov p += momentum * v - lr * g. Without velocity p -= lr * g."""
    change = lr * g
    if velocity is None:
        p -= change
        return
    velocity *= momentum
    velocity -= change
    p += momentum * velocity - change if nesterov else velocity


_BETAS = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}


@rule(v_max=None, **_BETAS)
def adam(
    p: Array,
    lr: Any,
    step: Any,
    g: Array,
    m: Array,
    v: Array,
    v_max: Array | None,
    *,
    beta1: float,
    beta2: float,
    epsilon: float,
) -> None:
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t)/(1-b1^t) * m / (sqrt(v) + epsilon).

    With `v_max` (AMSGrad) the largest v until now stands for v in the step.
    """
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    if v_max is not None:
        v_max[...] = v_max.clip(min=v)
        v = v_max
    alpha = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    p -= alpha * m / (v**0.5 + epsilon)


@rule(**_BETAS)
def adamax(
    p: Array, lr: Any, step: Any, g: Array, m: Array, u: Array, *, beta1: float, beta2: float, epsilon: float
) -> None:
    """m += (1-b1)(g-m); u = max(b2 * u, |g|); p -= lr / (1-b1^t) * m / (u + epsilon)."""
    m += (1 - beta1) * (g - m)
    u[...] = (beta2 * u).clip(min=abs(g))
    p -= lr / (1 - beta1**step) * m / (u + epsilon)


@rule(**_BETAS)
def nadam(
    p: Array, lr: Any, step: Any, g: Array, m: Array, v: Array, *, beta1: float, beta2: float, epsilon: float
) -> None:
    """With b(t) = b1 (1 - 0.96^t / 2) and B the product of b(1) to b(t): m += (1-b1)(g-m); v += (1-b2)(g^2-v);
    p -= lr * (b(t+1) m / (1 - B b(t+1)) + (1 - b(t)) g / (1 - B)) / (sqrt(v / (1-b2^t)) + epsilon)."""
    now, after = (beta1 * (1 - 0.5 * 0.96**t) for t in (step, step + 1))
    # log(1 - x) = -sum of x^k / k, and of x = 0.96^t / 2 the sum over t is that of a geometric series
    fallen = sum(0.48**k / k * (1 - 0.96 ** (k * step)) / (1 - 0.96**k) for k in range(1, 50))
    product = beta1**step * math.e**-fallen
    m += (1 - beta1) * (g - m)
    v += (1 - beta2) * (g * g - v)
    ahead = after / (1 - product * after) * m + (1 - now) / (1 - product) * g
    p -= lr * ahead / ((v / (1 - beta2**step)) ** 0.5 + epsilon)


@rule(beta1=0.9, beta2=0.99)
def lion(p: Array, lr: Any, step: Any, g: Array, m: Array, *, beta1: float, beta2: float) -> None:
    """p -= lr * sign(b1 * m + (1-b1) g); m += (1-b2)(g-m)."""
    way: Any = beta1 * m + (1 - beta1) * g
    p -= lr * (np.sign(way) if isinstance(way, np.ndarray) else way.sign())
    m += (1 - beta2) * (g - m)


@rule(epsilon=1e-7)
def adagrad(p: Array, lr: Any, step: Any, g: Array, square: Array, *, epsilon: float) -> None:
    """s += g^2; p -= lr * g / sqrt(s + epsilon)."""
    square += g * g
    p -= lr * g / (square + epsilon) ** 0.5


@rule(velocity=None, mean=None, rho=0.9, momentum=0.0, epsilon=1e-7)
def rmsprop(
    p: Array,
    lr: Any,
    step: Any,
    g: Array,
    square: Array,
    velocity: Array | None,
    mean: Array | None,
    *,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    """s = rho*s + (1-rho)*g^2; p -= lr * g / sqrt(s + epsilon).

    With `mean` (centered) s loses the squared running mean of g; with `velocity` the step is u = momentum*u + step.
    """
    square += (1 - rho) * (g * g - square)
    spread = square
    if mean is not None:
        mean += (1 - rho) * (g - mean)
        spread = square - mean * mean
    change = lr * g / (spread + epsilon) ** 0.5
    if velocity is not None:
        velocity *= momentum
        velocity += change
        change = velocity
    p -= change


@rule(rho=0.95, epsilon=1e-7)
def adadelta(
    p: Array, lr: Any, step: Any, g: Array, square: Array, delta: Array, *, rho: float, epsilon: float
) -> None:
    """s = rho*s + (1-rho)*g^2; u = -sqrt(d + epsilon)/sqrt(s + epsilon) * g; d = rho*d + (1-rho)*u^2; p += lr * u."""
    square += (1 - rho) * (g * g - square)
    change = -((delta + epsilon) ** 0.5) / (square + epsilon) ** 0.5 * g
    delta += (1 - rho) * (change * change - delta)
    p += lr * change


@rule(l1=0.1, l2=0.1)
def ftrl(
    p: Array,
    lr: Any,
    step: Any,
    g: Array,
    square: Array,
    linear: Array,
    *,
    l1: float = 0.0,
    l2: float = 0.0,
    l2_shrinkage: float = 0.0,
    beta: float = 0.0,
) -> None:
    """z += g + 2 shrinkage p - (sqrt(s + g^2) - sqrt(s)) / lr * p; s += g^2;
    p = (z kept from -l1 to l1, - z) / (sqrt(s) / lr + 2 l2 + beta / lr). A learning rate of 0 changes nothing."""
    if isinstance(lr, float) and lr == 0:
        return
    root = square**0.5
    square += g * g
    linear += g + 2 * l2_shrinkage * p - (square**0.5 - root) / lr * p
    p[...] = (linear.clip(-l1, l1) - linear) / (square**0.5 / lr + (2 * l2 + beta / lr))


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
