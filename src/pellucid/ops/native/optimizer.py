"""Steps of optimizers, on flat vectors; control is float64 (learning rate, step number from 1, gradient scale)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.ops.geometry import Array
from pellucid.ops.native.runtime import expect_shape, step

if TYPE_CHECKING:
    from pellucid.ops._native import Step


def sgd(
    param: Array,
    grad: Array,
    velocity: Array | None,
    control: Array,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Step:
    """v = momentum * v - lr * g; p += v, or with Nesterov p += momentum * v - lr * g. Without velocity p -= lr * g."""
    expect_shape("sgd", param.shape, grad=grad, velocity=velocity)
    expect_shape("sgd", (3,), control=control)
    arrays = {"param": param, "grad": grad, "velocity": velocity, "control": control}
    options = {"momentum": momentum, "weight_decay": weight_decay}
    return step("sgd", **arrays, COUNT=param.size, NESTEROV=int(nesterov), **options)


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
) -> Step:
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t)/(1-b1^t) * m / (sqrt(v) + epsilon)."""
    expect_shape("adam", param.shape, grad=grad, m=m, v=v)
    expect_shape("adam", (3,), control=control)
    arrays = {"param": param, "grad": grad, "m": m, "v": v, "control": control}
    options = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay}
    return step("adam", **arrays, COUNT=param.size, DECOUPLED=int(decoupled), **options)


def adagrad(
    param: Array, grad: Array, square: Array, control: Array, *, epsilon: float, weight_decay: float = 0.0
) -> Step:
    """s += g^2; p -= lr * g / sqrt(s + epsilon)."""
    expect_shape("adagrad", param.shape, grad=grad, square=square)
    expect_shape("adagrad", (3,), control=control)
    arrays = {"param": param, "grad": grad, "square": square, "control": control}
    return step("adagrad", **arrays, COUNT=param.size, epsilon=epsilon, weight_decay=weight_decay)


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
) -> Step:
    """s = rho*s + (1-rho)*g^2; p -= lr * g / sqrt(s + epsilon); less mean(g)^2 with `mean`, u with `velocity`."""
    expect_shape("rmsprop", param.shape, grad=grad, square=square, velocity=velocity, mean=mean)
    expect_shape("rmsprop", (3,), control=control)
    arrays = {"param": param, "grad": grad, "square": square, "velocity": velocity, "mean": mean, "control": control}
    options = {"rho": rho, "momentum": momentum, "epsilon": epsilon, "weight_decay": weight_decay}
    return step("rmsprop", **arrays, COUNT=param.size, **options)


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
) -> Step:
    """s = rho*s + (1-rho)*g^2; u = sqrt(d + eps)/sqrt(s + eps) * g; d = rho*d + (1-rho)*u^2; p -= lr * u."""
    expect_shape("adadelta", param.shape, grad=grad, square=square, delta=delta)
    expect_shape("adadelta", (3,), control=control)
    arrays = {"param": param, "grad": grad, "square": square, "delta": delta, "control": control}
    options = {"rho": rho, "epsilon": epsilon, "weight_decay": weight_decay}
    return step("adadelta", **arrays, COUNT=param.size, **options)


def add_penalty(param: Array, grad: Array, totals: Array | None, *, l1: float, l2: float, pictures: int) -> Step:
    """grad += l1 * sign(p) + 2 * l2 * p; totals[0] += pictures * (l1 * sum|p| + l2 * sum p^2), in float64."""
    expect_shape("add_penalty", param.shape, grad=grad)
    expect_shape("add_penalty", (3,), totals=totals)
    return step("add_penalty", param=param, grad=grad, totals=totals, N=pictures, COUNT=param.size, l1=l1, l2=l2)


def clip_by_value(grad: Array, *, limit: float) -> Step:
    """Every entry to -limit .. limit."""
    return step("clip_by_value", grad=grad, COUNT=grad.size, limit=limit)


def clip_by_norm(grad: Array, *, limit: float) -> Step:
    """grad *= limit / |grad| where that is below 1."""
    return step("clip_by_norm", grad=grad, COUNT=grad.size, limit=limit)
