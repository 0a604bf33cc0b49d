"""The book's optimizers: `update(params, grads)` changes the arrays of a dict in place.

A step is computed in the gradient's dtype, on the compiled kernels for float32, and added to the parameter in its own.
What an optimizer remembers (v, h, m) is kept by the parameter's name.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

import numpy as np

from pellucid import ops
from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array

__all__ = ["SGD", "AdaGrad", "Adam", "Momentum", "Nesterov", "RMSprop"]

EPSILON = 1e-7
"""The book's, in every optimizer that divides."""


class Optimizer:
    """What all share: each parameter's gradient, and the place where its step goes."""

    def __init__(self, lr: float) -> None:
        self.lr = lr
        self._steps: dict[str, Array] = {}

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        """Changes every array of `params` in place; plain numbers there are exchanged for new ones.

        Shapes: grads[key] like params[key].
        Errors: ConfigError if a gradient is missing, or a parameter is no array of floats that may be written;
            ShapeError if their shapes differ.
        """
        for key, given in list(params.items()):
            number = isinstance(given, int | float | np.number) and not isinstance(given, bool | np.complexfloating)
            param = np.array(given, given.dtype if isinstance(given, np.floating) else float) if number else given
            grad = _checked(key, param, grads)
            if param.dtype == grad.dtype and param.flags.c_contiguous:
                self._move(key, param.reshape(-1), grad)
            else:
                step = remembered(self._steps, key, grad)
                step[...] = 0
                self._move(key, step.reshape(-1), grad)
                param += step
            if number:
                params[key] = param[()] if isinstance(given, np.number) else float(param)

    def _move(self, key: str, param: Array, grad: Array) -> None:
        """param += the step for grad.

        Shapes: param flat, grad like the parameter.
        """
        raise NotImplementedError


def remembered(memory: dict[str, Array], key: str, grad: Array) -> Array:
    """What is kept under this name: zeros shaped like the gradient, at first or where another shape or dtype came."""
    if key not in memory or memory[key].shape != grad.shape or memory[key].dtype != grad.dtype:
        memory[key] = np.zeros_like(grad)
    return memory[key]


def _checked(key: str, param: Any, grads: Mapping[str, Array]) -> Array:
    """The gradient of a parameter, contiguous."""
    if not isinstance(param, np.ndarray) or param.dtype.kind != "f" or not param.flags.writeable:
        raise ConfigError(f"params[{key!r}] must be a writable array of floats, or a number")
    if key not in grads:
        raise ConfigError(f"grads has nothing for {key!r}; it has {', '.join(map(repr, grads)) or 'nothing at all'}")
    grad = np.asarray(grads[key])
    if grad.shape != param.shape:
        raise ShapeError(f"grads[{key!r}] must be shaped like its parameter {param.shape}, got {grad.shape}")
    return np.ascontiguousarray(grad, np.result_type(grad.dtype, np.float32)).reshape(param.shape)


class SGD(Optimizer):
    """p -= lr * g."""

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)

    def _move(self, key: str, param: Array, grad: Array) -> None:
        ops.sgd_update(param, grad.reshape(-1), lr=self.lr)


class Momentum(Optimizer):
    """v = momentum * v - lr * g; p += v."""

    _nesterov = False

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        super().__init__(lr)
        self.momentum = momentum
        self.v: dict[str, Array] = {}

    def _move(self, key: str, param: Array, grad: Array) -> None:
        velocity = remembered(self.v, key, grad).reshape(-1)
        ops.sgd_update(param, grad.reshape(-1), velocity, lr=self.lr, momentum=self.momentum, nesterov=self._nesterov)


class Nesterov(Momentum):
    """v = momentum * v - lr * g; p += momentum * v - lr * g.

    Differs from the book's published code, which takes the moved v where the formula has the one before: its first step
    is momentum^2 * lr * g too long.

    Source: Nesterov 1983, as Bengio, Boulanger-Lewandowski & Pascanu 2013, section 3.5, rearrange it.
    """

    _nesterov = True


class AdaGrad(Optimizer):
    """h += g^2; p -= lr * g / (sqrt(h) + 1e-7).

    Source: Duchi, Hazan & Singer 2011, figure 1 (diagonal).
    """

    def __init__(self, lr: float = 0.01) -> None:
        super().__init__(lr)
        self.h: dict[str, Array] = {}

    def _move(self, key: str, param: Array, grad: Array) -> None:
        h = remembered(self.h, key, grad)
        h += grad * grad
        param -= (self.lr * grad / (np.sqrt(h) + EPSILON)).reshape(-1)


class RMSprop(Optimizer):
    """h = decay_rate * h + (1 - decay_rate) * g^2; p -= lr * g / (sqrt(h) + 1e-7).

    Source: Tieleman & Hinton 2012, lecture 6.5.
    """

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate
        self.h: dict[str, Array] = {}

    def _move(self, key: str, param: Array, grad: Array) -> None:
        h = remembered(self.h, key, grad)
        h *= self.decay_rate
        h += (1 - self.decay_rate) * grad * grad
        param -= (self.lr * grad / (np.sqrt(h) + EPSILON)).reshape(-1)


class Adam(Optimizer):
    """m += (1-b1)(g-m); v += (1-b2)(g^2-v); p -= lr * sqrt(1-b2^t) / (1-b1^t) * m / (sqrt(v) + 1e-7), t = `iter`.

    Source: Kingma & Ba 2015, end of section 2.
    """

    def __init__(self, lr: float = 0.001, beta1: float = 0.9, beta2: float = 0.999) -> None:
        super().__init__(lr)
        self.beta1, self.beta2 = beta1, beta2
        self.iter = 0
        self.m: dict[str, Array] = {}
        self.v: dict[str, Array] = {}

    def update(self, params: MutableMapping[str, Any], grads: Mapping[str, Any]) -> None:
        self.iter += 1
        super().update(params, grads)

    def _move(self, key: str, param: Array, grad: Array) -> None:
        m, v = (remembered(memory, key, grad).reshape(-1) for memory in (self.m, self.v))
        rates: dict[str, Any] = {"lr": self.lr, "beta1": self.beta1, "beta2": self.beta2, "epsilon": EPSILON}
        ops.adam_update(param, grad.reshape(-1), m, v, step=self.iter, **rates)


OPTIMIZERS: Mapping[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adagrad": AdaGrad,
    "rmsprop": RMSprop,
    "rmsprpo": RMSprop,  # the book's own spelling
    "adam": Adam,
}
"""By the names a Trainer takes, in any case."""
