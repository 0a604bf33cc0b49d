"""The algorithms: gradient descent with or without momentum, and those whose steps adapt to each parameter."""

from __future__ import annotations

from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid.ops import Array
from pellucid.optimizers.optimizer import Clipping, Common, Optimizer, Rate


class SGD(Optimizer):
    """v = momentum * v - lr * g; p += v. With nesterov: p += momentum * v - lr * g.

    Source: Sutskever et al. 2013, eqs. 1-4, as Keras arranges them.
    """

    rule = "sgd"
    moments: ClassVar[tuple[str, ...]] = ("velocity",)

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.momentum = self._number("momentum", momentum, 1.0)
        self.nesterov = flag(nesterov, "SGD: nesterov")

    def slots(self, size: int) -> dict[str, Array]:
        return super().slots(size) if self.momentum else {}

    def options(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "nesterov": self.nesterov}


def Momentum(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with momentum 0.9."""
    return SGD(learning_rate, momentum, lr=lr)


def Nesterov(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with Nesterov's momentum 0.9."""
    return SGD(learning_rate, momentum, nesterov=True, lr=lr)


class Adagrad(Optimizer):
    """s += g^2; p -= lr * g / sqrt(s + epsilon); s starts at `initial_accumulator_value`.

    Source: Duchi, Hazan & Singer 2011, with Keras's epsilon.
    """

    rule = "adagrad"
    moments: ClassVar[tuple[str, ...]] = ("square",)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.initial_accumulator_value = self._number("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = self._number("epsilon", epsilon)

    def slots(self, size: int) -> dict[str, Array]:
        return {"square": np.full(size, self.initial_accumulator_value, np.float32)}

    def options(self) -> dict[str, Any]:
        return {"epsilon": self.epsilon}


class RMSprop(Optimizer):
    """s = rho * s + (1 - rho) * g^2; p -= lr * g / sqrt(s + epsilon); centered takes mean(g)^2 off s.

    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, eqs. 38-41.
    """

    rule = "rmsprop"
    moments: ClassVar[tuple[str, ...]] = ("square", "velocity", "mean")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.rho = self._number("rho", rho, 1.0)
        self.momentum = self._number("momentum", momentum, 1.0)
        self.epsilon = self._number("epsilon", epsilon)
        self.centered = flag(centered, "RMSprop: centered")

    def slots(self, size: int) -> dict[str, Array]:
        unused = {"velocity": not self.momentum, "mean": not self.centered}
        return {name: vector for name, vector in super().slots(size).items() if not unused.get(name)}

    def options(self) -> dict[str, Any]:
        return {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}


class Adadelta(Optimizer):
    """s = rho*s + (1-rho)*g^2; u = sqrt(d + eps) / sqrt(s + eps) * g; d = rho*d + (1-rho)*u^2; p -= lr * u.

    Source: Zeiler 2012, algorithm 1; the paper's lr is 1, Keras's 0.001.
    """

    rule = "adadelta"
    moments: ClassVar[tuple[str, ...]] = ("square", "delta")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.rho = self._number("rho", rho, 1.0)
        self.epsilon = self._number("epsilon", epsilon)

    def options(self) -> dict[str, Any]:
        return {"rho": self.rho, "epsilon": self.epsilon}


class Adam(Optimizer):
    """m, v: running means of g and g^2; p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon).

    Source: Kingma & Ba 2015, the efficient form at the end of section 2, which Keras uses.
    """

    rule = "adam"
    moments: ClassVar[tuple[str, ...]] = ("m", "v")
    decoupled = False

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **named)
        self.beta_1 = self._number("beta_1", beta_1, 1.0)
        self.beta_2 = self._number("beta_2", beta_2, 1.0)
        self.epsilon = self._number("epsilon", epsilon)

    def options(self) -> dict[str, Any]:
        rates = {"beta1": self.beta_1, "beta2": self.beta_2, "epsilon": self.epsilon}
        return {**rates, "decoupled": self.decoupled}


class AdamW(Adam):
    """Adam whose decay is not mixed into the moments: p -= lr * weight_decay * p, then Adam's step.

    Source: Loshchilov & Hutter 2019, algorithm 2.
    """

    decoupled = True

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **named: Unpack[Clipping],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, weight_decay=weight_decay, **named)
