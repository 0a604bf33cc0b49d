"""The algorithms: gradient descent with or without momentum, and those whose steps adapt to each parameter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid._fixed import Taken
from pellucid.ops import Array
from pellucid.ops.geometry import number
from pellucid.ops.table import row
from pellucid.optimizers.optimizer import Clipping, Common, Optimizer, Rate

Check = Callable[[Any, Any], Any]


def _number(name: str, below: float = math.inf) -> Check:
    return lambda made, value: number(value, f"{type(made).__name__}: {name}", 0.0, below)


def _flag(name: str) -> Check:
    return lambda made, value: flag(value, f"{type(made).__name__}: {name}")


_PENALTIES = {name: f"{name}_regularization_strength" for name in ("l1", "l2", "l2_shrinkage")}
_CHECKS = {
    **{name: _number(name, 1.0) for name in ("momentum", "rho", "beta_1", "beta_2")},
    **{name: _number(name) for name in ("epsilon", "beta", "initial_accumulator_value", *_PENALTIES.values())},
    **{name: _flag(name) for name in ("nesterov", "centered", "amsgrad")},
}
"""What the arguments that are the rules' own may be."""


class _Algorithm(Optimizer):
    """One with a rule, whose row says which moments and numbers it takes.

    `attributes`: what a number of the rule is called here, where that is another name. `asked_by`: moments that are
    there only where an argument asks for them.
    """

    attributes: ClassVar[Mapping[str, str]] = {"beta1": "beta_1", "beta2": "beta_2"}
    asked_by: ClassVar[Mapping[str, str]] = {}
    checks: ClassVar[Mapping[str, Check]] = {**Optimizer.checks, **_CHECKS}
    _numbers: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "rule" in vars(cls):
            _, _, *moments, control = row(cls.rule).arrays  # between what all rules take
            own = row(cls.rule).parameters
            cls.moments = tuple(moments)
            cls._numbers = own[own.index(control) + 1 : own.index("weight_decay")]

    def slots(self, size: int) -> dict[str, Array]:
        every = super().slots(size).items()
        return {name: zeros for name, zeros in every if name not in self.asked_by or getattr(self, self.asked_by[name])}

    def options(self) -> dict[str, Any]:
        return {name: getattr(self, self.attributes.get(name, name)) for name in self._numbers}


class SGD(_Algorithm):
    """v = momentum * v - lr * g; p += v. With nesterov: p += momentum * v - lr * g.

    Source: Sutskever et al. 2013, eqs. 1-4, as Keras arranges them.
    """

    rule = "sgd"
    asked_by: ClassVar[Mapping[str, str]] = {"velocity": "momentum"}

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.momentum = momentum
        self.nesterov = nesterov


def Momentum(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with momentum 0.9."""
    return SGD(learning_rate, momentum, lr=lr)


def Nesterov(learning_rate: Rate = 0.01, momentum: float = 0.9, *, lr: float | None = None) -> SGD:
    """SGD with Nesterov's momentum 0.9."""
    return SGD(learning_rate, momentum, nesterov=True, lr=lr)


class Adagrad(_Algorithm):
    """s += g^2; p -= lr * g / sqrt(s + epsilon); s starts at `initial_accumulator_value`.

    Source: Duchi, Hazan & Singer 2011, with Keras's epsilon.
    """

    rule = "adagrad"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def slots(self, size: int) -> dict[str, Array]:
        return {**super().slots(size), "square": np.full(size, self.initial_accumulator_value, np.float32)}


class RMSprop(_Algorithm):
    """s = rho * s + (1 - rho) * g^2; p -= lr * g / sqrt(s + epsilon); centered takes mean(g)^2 off s.

    Source: Tieleman & Hinton 2012, lecture 6.5; centered: Graves 2013, eqs. 38-41.
    """

    rule = "rmsprop"
    asked_by: ClassVar[Mapping[str, str]] = {"velocity": "momentum", "mean": "centered"}

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
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered


class Adadelta(_Algorithm):
    """s = rho*s + (1-rho)*g^2; u = sqrt(d + eps) / sqrt(s + eps) * g; d = rho*d + (1-rho)*u^2; p -= lr * u.

    Source: Zeiler 2012, algorithm 1; the paper's lr is 1, Keras's 0.001.
    """

    rule = "adadelta"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.rho = rho
        self.epsilon = epsilon


class _Betas(_Algorithm):
    """With two rates of running means, under the names that their rules have for them."""

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **named)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


class Adam(_Betas):
    """m, v: running means of g and g^2; p -= lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon).

    amsgrad: the largest v until now stands for v, so that steps never grow again.

    Source: Kingma & Ba 2015, the efficient form at the end of section 2, which Keras uses; AMSGrad: Reddi, Kale & Kumar
        2018, algorithm 2.
    """

    rule = "adam"
    asked_by: ClassVar[Mapping[str, str]] = {"v_max": "amsgrad"}

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **named)
        self.amsgrad = amsgrad


class AdamW(Adam):
    """Adam whose decay is not mixed into the moments: p -= lr * weight_decay * p, then Adam's step.

    Source: Loshchilov & Hutter 2019, algorithm 2.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **named: Unpack[Clipping],
    ) -> None:
        decay = self._number("weight_decay", weight_decay)
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
            weight_decay=decay,
            decoupled_weight_decay=True,
            **named,
        )


class Adamax(_Betas):
    """m: running mean of g; u = max(b2 * u, |g|); p -= lr / (1 - b1^t) * m / (u + epsilon).

    Source: Kingma & Ba 2015, section 7.1.
    """

    rule = "adamax"


class Nadam(_Betas):
    """Adam with Nesterov's look ahead; b1 of step t is b1 * (1 - 0.96^t / 2).

    Source: Dozat 2016, algorithm 2, with Keras's schedule of b1.
    """

    rule = "nadam"


class Lion(_Algorithm):
    """p -= lr * sign(b1 * m + (1 - b1) * g); m = b2 * m + (1 - b2) * g.

    Source: Chen et al. 2023, program 1.
    """

    rule = "lion"

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        *common: float | None,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        self.beta_1 = beta_1
        self.beta_2 = beta_2


class Ftrl(_Algorithm):
    """z += g - (sqrt(s + g^2) - sqrt(s)) / lr * p; s += g^2; p = 0 where |z| is at most l1, else
    (l1 sign(z) - z) / ((sqrt(s) + beta) / lr + 2 l2); s starts at `initial_accumulator_value`.

    l2_shrinkage adds 2 * l2_shrinkage * p to g in z alone. A learning rate of 0 changes nothing. Keras's
    learning_rate_power is -0.5, that of the formula.

    Source: McMahan et al. 2013, algorithm 1, with Keras's l2.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        **Optimizer.taken,
        "learning_rate_power": lambda value: value == -0.5 or "only -0.5 is there, the square root of the paper",
    }
    rule = "ftrl"
    attributes: ClassVar[Mapping[str, str]] = _PENALTIES

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        *,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **named: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **named)
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def slots(self, size: int) -> dict[str, Array]:
        return {**super().slots(size), "square": np.full(size, self.initial_accumulator_value, np.float32)}
