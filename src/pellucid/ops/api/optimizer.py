"""Optimizer updates, in place on flat vectors, in Keras's formulas.

Weight decay adds weight_decay * p to the gradient, except where it is decoupled. `step` counts from 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.ops.dispatch import expect_axes, expect_shape, run
from pellucid.ops.geometry import Array
from pellucid.ops.table import row


def _vectors(op: str, **values: Array | None) -> tuple[Array | None, ...]:
    """Checks that all are writable contiguous vectors of one size and dtype: they are changed in place."""
    param = values["param"]
    for name, value in values.items():
        if value is None:
            continue
        flags = value.flags if isinstance(value, np.ndarray) and value.dtype.kind == "f" else None
        if flags is None or not flags.c_contiguous:
            raise ConfigError(f"{op}: {name} must be a contiguous float array, since it is changed in place")
        if value.ndim != 1:
            expect_axes(op, name, value, "parameters")
        if param is None or value.dtype != param.dtype:
            raise ConfigError(f"{op}: {name} is {value.dtype}, the parameters are not; give all in one dtype")
        if value.shape != param.shape:
            expect_shape(op, name, value, param.shape, "one number for each parameter")
        if name != "grad" and not flags.writeable:
            raise ConfigError(f"{op}: {name} is read-only, but it is to be changed in place; give the array itself")
    return tuple(values.values())


def optimizer_update(
    rule: str,
    param: Array,
    grad: Array,
    moments: Mapping[str, Array | None],
    *,
    lr: float,
    step: int = 1,
    weight_decay: float = 0.0,
    **options: Any,
) -> None:
    """The step of any optimizer by its rule, such as "adam": its moments by name, then the numbers it takes.

    Shapes: all (parameters,); param and moments are changed.
    Errors: ShapeError or ConfigError if they do not match; ConfigError if step is below 1.
    """
    op = f"{rule}_update"
    if step < 1:
        raise ConfigError(f"{op}: step counts from 1, got {step}")
    arrays = _vectors(op, param=param, grad=grad, **{name: moments.get(name) for name in row(rule).arrays[2:-1]})
    control = np.array([lr, step, 1.0])
    run(rule, *arrays, control, checked=arrays, weight_decay=weight_decay, **options)


def sgd_update(
    param: Array,
    grad: Array,
    velocity: Array | None = None,
    *,
    lr: float,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """v = momentum * v - lr * g; p += v. With nesterov p += momentum * v - lr * g. Without velocity p -= lr * g.

    Shapes: all (parameters,); param and velocity are changed.
    Errors: ShapeError or ConfigError if they do not match; ConfigError for momentum without velocity.
    Source: Sutskever, Martens, Dahl & Hinton 2013, equations 1-4 (Nesterov 1983), in Keras's rearrangement.
    """
    if momentum and velocity is None:
        raise ConfigError(
            f"sgd_update: momentum {momentum} needs a velocity, got None; give a vector of zeros at first"
        )
    rates: dict[str, Any] = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
    optimizer_update("sgd", param, grad, {"velocity": velocity}, nesterov=nesterov, **rates)


def adam_update(
    param: Array,
    grad: Array,
    m: Array,
    v: Array,
    *,
    lr: float,
    beta1: float,
    beta2: float,
    epsilon: float,
    step: int,
    weight_decay: float = 0.0,
    decoupled: bool = False,
) -> None:
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + epsilon).

    decoupled is AdamW: p -= lr * weight_decay * p first, and the gradient is left alone.

    Shapes: all (parameters,); param, m and v are changed.
    Errors: ShapeError or ConfigError if they do not match; ConfigError if step is below 1.
    Source: Kingma & Ba 2015, end of section 2 (epsilon as there); Loshchilov & Hutter 2019, algorithm 2.
    """
    rates: dict[str, Any] = {"lr": lr, "beta1": beta1, "beta2": beta2, "epsilon": epsilon, "weight_decay": weight_decay}
    optimizer_update("adam", param, grad, {"m": m, "v": v}, step=step, decoupled=decoupled, **rates)


def adagrad_update(
    param: Array, grad: Array, square: Array, *, lr: float, epsilon: float, weight_decay: float = 0.0
) -> None:
    """s += g^2; p -= lr * g / sqrt(s + epsilon).

    Shapes: all (parameters,); param and square are changed.
    Errors: ShapeError or ConfigError if they do not match.
    Source: Duchi, Hazan & Singer 2011, figure 1 (diagonal).
    """
    rates: dict[str, Any] = {"lr": lr, "epsilon": epsilon, "weight_decay": weight_decay}
    optimizer_update("adagrad", param, grad, {"square": square}, **rates)


def rmsprop_update(
    param: Array,
    grad: Array,
    square: Array,
    velocity: Array | None = None,
    mean: Array | None = None,
    *,
    lr: float,
    rho: float,
    epsilon: float,
    momentum: float = 0.0,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> None:
    """s = rho * s + (1-rho) * g^2; p -= lr * g / sqrt(s + epsilon).

    centered subtracts the square of `mean`, the running mean of g, from s; momentum makes the step
    u = momentum * u + lr * g / sqrt(...), kept in `velocity`.

    Shapes: all (parameters,); param, square, velocity and mean are changed.
    Errors: ShapeError or ConfigError if they do not match; ConfigError if momentum or centered lacks its vector.
    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, equations 38-41.
    """
    if (momentum and velocity is None) or (centered and mean is None):
        lacking = "momentum needs a velocity" if velocity is None and momentum else "centered needs a mean"
        raise ConfigError(f"rmsprop_update: {lacking}, got None; give a vector of zeros at first")
    moments = {"square": square, "velocity": velocity if momentum else None, "mean": mean if centered else None}
    rates: dict[str, Any] = {"lr": lr, "rho": rho, "epsilon": epsilon, "weight_decay": weight_decay}
    optimizer_update("rmsprop", param, grad, moments, momentum=momentum, **rates)


def adadelta_update(
    param: Array,
    grad: Array,
    square: Array,
    delta: Array,
    *,
    lr: float,
    rho: float,
    epsilon: float,
    weight_decay: float = 0.0,
) -> None:
    """s = rho*s + (1-rho)*g^2; u = -sqrt(d + epsilon) / sqrt(s + epsilon) * g; d = rho*d + (1-rho)*u^2; p += lr * u.

    Shapes: all (parameters,); param, square and delta are changed.
    Errors: ShapeError or ConfigError if they do not match.
    Source: Zeiler 2012, algorithm 1.
    """
    rates: dict[str, Any] = {"lr": lr, "rho": rho, "epsilon": epsilon, "weight_decay": weight_decay}
    optimizer_update("adadelta", param, grad, {"square": square, "delta": delta}, **rates)
