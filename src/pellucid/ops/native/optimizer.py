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


def add_penalty(param: Array, grad: Array, *, l1: float, l2: float) -> Step:
    """grad += l1 * sign(p) + 2 * l2 * p."""
    expect_shape("add_penalty", param.shape, grad=grad)
    return step("add_penalty", param=param, grad=grad, COUNT=param.size, l1=l1, l2=l2)
