"""The algorithms: gradient descent with or without momentum, and those whose steps adapt to each parameter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pellucid import ops
from pellucid._arguments import flag
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
        self.nesterov = flag(nesterov, "SGD: nesterov")

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


class Adagrad(Optimizer):
    """s += g^2; p -= lr * g / sqrt(s + epsilon); s starts at `initial_accumulator_value`.

    Source: Duchi, Hazan & Singer 2011, with Keras's epsilon.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(learning_rate, lr, weight_decay, clipnorm, clipvalue, global_clipnorm)
        self.initial_accumulator_value = self._number("initial_accumulator_value", initial_accumulator_value)
        self.epsilon = self._number("epsilon", epsilon)

    def slots(self, size: int) -> dict[str, Array]:
        return {"square": np.full(size, self.initial_accumulator_value, np.float32)}

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        ops.adagrad_update(p, grad, slots["square"], lr=lr, epsilon=self.epsilon, weight_decay=decay)


class RMSprop(Optimizer):
    """s = rho * s + (1 - rho) * g^2; p -= lr * g / sqrt(s + epsilon); centered takes mean(g)^2 off s.

    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, eqs. 38-41.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(learning_rate, lr, weight_decay, clipnorm, clipvalue, global_clipnorm)
        self.rho = self._number("rho", rho, 1.0)
        self.momentum = self._number("momentum", momentum, 1.0)
        self.epsilon = self._number("epsilon", epsilon)
        self.centered = flag(centered, "RMSprop: centered")

    def slots(self, size: int) -> dict[str, Array]:
        names = ["square", *(["velocity"] if self.momentum else []), *(["mean"] if self.centered else [])]
        return {name: np.zeros(size, np.float32) for name in names}

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        ops.rmsprop_update(
            p,
            grad,
            slots["square"],
            slots.get("velocity"),
            slots.get("mean"),
            lr=lr,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
            weight_decay=decay,
        )


class Adadelta(Optimizer):
    """s = rho*s + (1-rho)*g^2; u = sqrt(d + eps) / sqrt(s + eps) * g; d = rho*d + (1-rho)*u^2; p -= lr * u.

    Source: Zeiler 2012, algorithm 1; the paper's lr is 1, Keras's 0.001.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(learning_rate, lr, weight_decay, clipnorm, clipvalue, global_clipnorm)
        self.rho = self._number("rho", rho, 1.0)
        self.epsilon = self._number("epsilon", epsilon)

    def slots(self, size: int) -> dict[str, Array]:
        return {"square": np.zeros(size, np.float32), "delta": np.zeros(size, np.float32)}

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        ops.adadelta_update(
            p, grad, slots["square"], slots["delta"], lr=lr, rho=self.rho, epsilon=self.epsilon, weight_decay=decay
        )


class Adam(Optimizer):
    """m, v: running means of g and g^2; p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon).

    Source: Kingma & Ba 2015, the efficient form at the end of section 2, which Keras uses.
    """

    decoupled = False

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__(learning_rate, lr, weight_decay, clipnorm, clipvalue, global_clipnorm)
        self.beta_1 = self._number("beta_1", beta_1, 1.0)
        self.beta_2 = self._number("beta_2", beta_2, 1.0)
        self.epsilon = self._number("epsilon", epsilon)

    def slots(self, size: int) -> dict[str, Array]:
        return {"m": np.zeros(size, np.float32), "v": np.zeros(size, np.float32)}

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        ops.adam_update(
            p,
            grad,
            slots["m"],
            slots["v"],
            lr=lr,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            step=step,
            weight_decay=decay,
            decoupled=self.decoupled,
        )


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
        *,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        lr: float | None = None,
    ) -> None:
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            weight_decay=weight_decay,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            lr=lr,
        )
