"""Optimizers that are computed by NumPy: rarely chosen, and slower than those with a kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid.ops import Array
from pellucid.optimizers.algorithms import Adam
from pellucid.optimizers.optimizer import Common, Rate

CONVERGED = 1000
"""Steps after which Nadam's b1 is what it was given."""


class _Betas(Adam):
    """With Adam's arguments. Weight decay adds weight_decay * parameter to the gradient."""

    rule: ClassVar[str] = ""
    moments: ClassVar[tuple[str, ...]]

    def update(
        self,
        param: Array,
        grad: Array,
        slots: Mapping[str, Array],
        *,
        learning_rate: float,
        step: int,
        weight_decay: float = 0.0,
        xp: Any = np,
    ) -> None:
        """xp: the package whose arrays they are, NumPy or PyTorch."""
        g = grad + float(weight_decay) * param if weight_decay else grad
        param -= float(learning_rate) * self.change(g, slots, step, xp)

    def change(self, g: Array, slots: Mapping[str, Array], step: int, xp: Any) -> Array:
        """What a learning rate of 1 takes off the parameters; changes the moments."""
        raise NotImplementedError


class Adamax(_Betas):
    """m: running mean of g; u = max(b2 * u, |g|); p -= lr / (1 - b1^t) * m / (u + epsilon).

    Source: Kingma & Ba 2015, section 7.1.
    """

    moments = ("m", "u")

    def change(self, g: Array, slots: Mapping[str, Array], step: int, xp: Any) -> Array:
        m, u = slots["m"], slots["u"]
        m += (1 - self.beta_1) * (g - m)
        u[...] = xp.maximum(self.beta_2 * u, xp.abs(g))
        return m / ((u + self.epsilon) * (1 - self.beta_1**step))


class Nadam(_Betas):
    """Adam with Nesterov's look ahead; b1 of step t is b1 * (1 - 0.96^t / 2).

    Source: Dozat 2016, algorithm 2, with Keras's schedule of b1.
    """

    moments = ("m", "v")

    def change(self, g: Array, slots: Mapping[str, Array], step: int, xp: Any) -> Array:
        m, v = slots["m"], slots["v"]
        beta, beta_after = (self.beta_1 * (1 - 0.5 * 0.96**t) for t in (step, step + 1))
        falling = 1 - 0.5 * 0.96 ** np.arange(1, min(step, CONVERGED) + 1)
        product = self.beta_1**step * float(falling.prod())
        m += (1 - self.beta_1) * (g - m)
        v += (1 - self.beta_2) * (g * g - v)
        ahead = beta_after * m / (1 - product * beta_after) + (1 - beta) * g / (1 - product)
        change: Array = ahead / (xp.sqrt(v / (1 - self.beta_2**step)) + self.epsilon)
        return change


class Lion(_Betas):
    """p -= lr * sign(b1 * m + (1 - b1) * g); m = b2 * m + (1 - b2) * g.

    Source: Chen et al. 2023, program 1.
    """

    moments = ("m",)

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **named: Unpack[Common]
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, **named)

    def change(self, g: Array, slots: Mapping[str, Array], step: int, xp: Any) -> Array:
        m = slots["m"]
        signs: Array = xp.sign(self.beta_1 * m + (1 - self.beta_1) * g)
        m += (1 - self.beta_2) * (g - m)
        return signs

    def options(self) -> dict[str, Any]:
        return {"beta1": self.beta_1, "beta2": self.beta_2}
