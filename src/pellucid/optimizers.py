"""Optimizers, with Keras's names, arguments and defaults.

An optimizer holds its settings and nothing else: moments are made by `slots` and kept by whoever trains, so they can
be saved and resumed. Parameters are flat vectors, changed in place.

`weight_decay` w adds w * parameter to the gradient (L2, as in PyTorch); AdamW shrinks the parameters by
learning_rate * w instead. Keras shrinks in all of them, which is the same for plain SGD only.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pellucid import ops, schedules
from pellucid.errors import ConfigError, unknown_name
from pellucid.ops import Array
from pellucid.schedules import Schedule

Rate = float | Schedule | Mapping[str, Any]
"""A learning rate: a number, a schedule, or a schedule's config."""


class Optimizer:
    """What all have: a learning rate or a schedule of it, weight decay, and clipping.

    Units: clipvalue bounds each entry of a gradient, clipnorm the length of each parameter's, global_clipnorm that of
    all together; at most one may be given.
    Errors: ConfigError for arguments, at construction.
    """

    def __init__(
        self,
        learning_rate: Rate,
        lr: float | None = None,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate if lr is None else lr
        self.weight_decay = None if weight_decay is None else self._number("weight_decay", weight_decay)
        self.clipnorm = self._limit("clipnorm", clipnorm)
        self.clipvalue = self._limit("clipvalue", clipvalue)
        self.global_clipnorm = self._limit("global_clipnorm", global_clipnorm)
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"{type(self).__name__}: give at most one way of clipping, got {' and '.join(given)}")
        self.no_decay: tuple[str, ...] = ()

    @property
    def learning_rate(self) -> float | Schedule:
        """A number, or a schedule; may be set at any time."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        schedule = schedules.get(value)
        self._learning_rate = schedule.value if isinstance(schedule, schedules.Constant) else schedule

    @property
    def lr(self) -> float | Schedule:
        """The learning rate under its short name."""
        return self._learning_rate

    @lr.setter
    def lr(self, value: Rate) -> None:
        self.learning_rate = value

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return schedules.get(self._learning_rate)(step)

    def slots(self, size: int) -> dict[str, Array]:
        """Fresh moments for a vector of this size, by name."""
        return {}

    def update(
        self,
        param: Array,
        grad: Array,
        slots: Mapping[str, Array],
        *,
        learning_rate: float,
        step: int,
        weight_decay: float = 0.0,
    ) -> None:
        """Change `param` and `slots` in place. Units: step counts from 1. Shapes: all 1-D of one size."""
        self._step(param, grad, slots, learning_rate, step, weight_decay)

    def _step(self, p: Array, grad: Array, slots: Mapping[str, Array], lr: float, step: int, decay: float) -> None:
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def exclude_from_weight_decay(self, names: Sequence[str]) -> None:
        """No decay from now on for parameters whose name, such as "conv1/bias", contains one of these words."""
        self.no_decay = tuple(dict.fromkeys((*self.no_decay, *names)))

    def weight_decay_of(self, name: str) -> float:
        """The decay of the parameter of this name: `weight_decay`, or 0 where it is excluded."""
        return 0.0 if any(word in name for word in self.no_decay) else self.weight_decay or 0.0

    def clip(self, gradients: Sequence[Array]) -> None:
        """Bound the gradients in place, one array a parameter.

        Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
        """
        if self.clipvalue is not None:
            for gradient in gradients:
                np.clip(gradient, -self.clipvalue, self.clipvalue, out=gradient)
        if self.clipnorm is not None:
            for gradient in gradients:
                _shorten(gradient, math.sqrt(_square_sum(gradient)), self.clipnorm)
        if self.global_clipnorm is not None:
            norm = math.sqrt(sum(_square_sum(gradient) for gradient in gradients))
            for gradient in gradients:
                _shorten(gradient, norm, self.global_clipnorm)

    def config(self) -> dict[str, Any]:
        """What `get` turns back into this optimizer, ready for JSON."""
        arguments: dict[str, Any] = {"type": type(self).__name__}
        for name in inspect.signature(type(self).__init__).parameters:
            if name in ("self", "lr"):
                continue
            value = getattr(self, name)
            arguments[name] = value.config() if isinstance(value, Schedule) else value
        arguments["no_decay"] = list(self.no_decay)
        return arguments

    def _number(self, name: str, value: Any, below: float = math.inf) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < below:
            bound = "of at least 0" if below == math.inf else f"from 0 to below {below:g}"
            raise ConfigError(f"{type(self).__name__}: {name} must be a number {bound}, got {value!r}")
        return float(value)

    def _limit(self, name: str, value: float | None) -> float | None:
        if value is None:
            return None
        if self._number(name, value) == 0:
            raise ConfigError(f"{type(self).__name__}: {name} must be above 0, got {value!r}; None turns it off")
        return float(value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self._learning_rate!r})"


def _square_sum(gradient: Array) -> float:
    # Summed by NumPy in a fixed order: a BLAS dot product would change its bits with the number of threads.
    return float(np.square(gradient, dtype=np.float64).sum())


def _shorten(gradient: Array, norm: float, limit: float) -> None:
    if norm > limit:
        gradient *= gradient.dtype.type(limit / norm)


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
        self.centered = bool(centered)

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
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
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
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
    ) -> None:
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, weight_decay, clipnorm, clipvalue, global_clipnorm, lr=lr
        )


_CLASSES: dict[str, type[Optimizer]] = {cls.__name__: cls for cls in (SGD, Adagrad, RMSprop, Adadelta, Adam, AdamW)}
NAMES = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adadelta", "adam", "adamw")
"""Every optimizer `get` knows by name."""


def get(spec: str | Optimizer | Mapping[str, Any], *, learning_rate: float | None = None) -> Optimizer:
    """The optimizer that `spec` names: a name in any case, an Optimizer, or a stored config.

    `learning_rate` replaces the default of one given by name.
    Errors: ConfigError for an unknown name or anything else.
    """
    if isinstance(spec, Optimizer):
        return spec
    if isinstance(spec, type) and issubclass(spec, Optimizer):
        spec = spec.__name__
    if isinstance(spec, str):
        name = spec.lower()
        if name not in NAMES:
            raise unknown_name("optimizer", spec, NAMES)
        makers: dict[str, Callable[..., Optimizer]] = {cls_name.lower(): cls for cls_name, cls in _CLASSES.items()}
        maker = {**makers, "momentum": Momentum, "nesterov": Nesterov}[name]
        return maker() if learning_rate is None else maker(learning_rate)
    if isinstance(spec, Mapping):
        arguments = dict(spec)
        cls = _CLASSES.get(str(arguments.pop("type", None)))
        if cls is None:
            raise unknown_name("optimizer", spec.get("type"), _CLASSES)
        excluded = arguments.pop("no_decay", ())
        optimizer = cls(**arguments)
        optimizer.exclude_from_weight_decay(excluded)
        return optimizer
    raise ConfigError(f"an optimizer is a name or an Optimizer, got {spec!r}; known names: {', '.join(NAMES)}")


def from_config(config: Mapping[str, Any]) -> Optimizer:
    """The optimizer that `optimizer.config()` described; its moments are kept elsewhere."""
    return get(config)
