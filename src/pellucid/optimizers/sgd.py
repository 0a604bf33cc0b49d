"""Stochastic gradient descent, plain, with momentum and with Nesterov's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid import ops
from pellucid.ops import Array
from pellucid.optimizers.optimizer import Optimizer, Rate


class SGD(Optimizer):
    """v = momentum * v - lr * g; p += v. With nesterov: p += momentum * v - lr * g.

    Source: Sutskever et al. 2013, eqs. 1-4, as Keras arranges them.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(learning_rate, lr, weight_decay, clipnorm, clipvalue, global_clipnorm)
        self.momentum = self._number("momentum", momentum, 1.0)
        self.nesterov = bool(nesterov)

    def slots(self, size: int) -> dict[str, Array]:
        return {"velocity": np.zeros(size, np.float32)} if self.momentum else {}

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        velocity = slots.get("velocity")
        ops.sgd_update(p, grad, velocity, lr=lr, momentum=self.momentum, nesterov=self.nesterov, weight_decay=decay)


def Momentum(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with momentum 0.9."""
    return SGD(learning_rate, momentum, lr=lr)


def Nesterov(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with Nesterov's momentum 0.9."""
    return SGD(learning_rate, momentum, nesterov=True, lr=lr)
