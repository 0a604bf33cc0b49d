"""What all optimizers have: a learning rate, weight decay, clipping, and a config."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypedDict

import numpy as np

from pellucid import ops, schedules
from pellucid._arguments import flag, several, word
from pellucid._fixed import Fixed, Taken, config_of
from pellucid.autodiff import Variable, tensor
from pellucid.errors import ConfigError, shown
from pellucid.ops import Array
from pellucid.ops.geometry import number
from pellucid.optimizers.applying import Applied, apply_gradients
from pellucid.schedules import Schedule

Rate = float | Schedule | Mapping[str, Any]
"""A learning rate: a number, a schedule, or a schedule's config."""


class Clipping(TypedDict, total=False):
    """What every constructor takes besides the learning rate, weight decay and its own numbers."""

    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    lr: float | None
    decay: float


class Common(Clipping, total=False):
    """The same with weight decay, where that has no place of its own."""

    weight_decay: float | None
    decoupled_weight_decay: bool


class LearningRate(float):
    """A learning rate as a number that, as in Keras, also has `numpy()`, and `assign(value)`, which changes it."""

    _of: Optimizer

    @classmethod
    def of(cls, optimizer: Optimizer, value: float) -> LearningRate:
        """The learning rate of this optimizer."""
        rate = cls(value)
        rate._of = optimizer
        return rate

    def numpy(self) -> np.float32:
        """The number as NumPy has it."""
        return np.float32(self)

    def assign(self, value: Rate) -> None:
        """Set the optimizer's learning rate."""
        self._of.learning_rate = value

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)


class Optimizer(Fixed):
    """What all have: a learning rate or a schedule of it, weight decay, and clipping.

    lr: another name of learning_rate. decay: of older programs, rate(t) = learning_rate / (1 + decay * t), t in steps.
    weight_decay: how much of each parameter is added to its gradient (L2), or with decoupled_weight_decay, times the
    learning rate, taken off the parameter itself, as Keras does in all of them.
    Keras's `name`, and its arguments for averaged weights, scaled losses and gathered gradients at their defaults, are
    taken and change nothing.

    One of ours names its `rule`, an operation of `pellucid.ops`, with the moments and numbers that this takes; one of
    your own may override `update` instead, and then trains without a kernel.

    Units: clipvalue bounds each entry of a gradient, clipnorm the length of each parameter's, global_clipnorm that of
    all together; at most one may be given.
    Errors: ConfigError for arguments, at construction.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        "name": lambda value: value is None or isinstance(value, str),
        "use_ema": lambda value: value is False,
        "ema_momentum": lambda value: isinstance(value, float),
        "ema_overwrite_frequency": lambda value: value is None,
        "loss_scale_factor": lambda value: value is None,
        "gradient_accumulation_steps": lambda value: value is None,
        "jit_compile": lambda value: value is False or value is True,
    }
    assignable = frozenset({"no_decay"})
    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        "no_decay": lambda made, names: tuple(
            word(name, f"{type(made).__name__}: no_decay: each")
            for name in several(names, f"{type(made).__name__}: no_decay")
        )
    }

    rule: ClassVar[str] = ""
    moments: ClassVar[tuple[str, ...]] = ()
    """Vectors beside the parameters that the rule changes, in its order; `slots` may leave some out."""

    def __init__(
        self,
        learning_rate: Rate,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        *,
        lr: float | None = None,
        decay: float = 0.0,
        decoupled_weight_decay: bool = False,
    ) -> None:
        self.learning_rate = learning_rate if lr is None else lr
        falls = self._number("decay", decay)
        if falls:
            start = self._number("learning_rate beside decay", self._learning_rate)
            self.learning_rate = schedules.InverseTimeDecay(start, 1, falls)
        self.weight_decay = None if weight_decay is None else self._number("weight_decay", weight_decay)
        self.decoupled_weight_decay = flag(decoupled_weight_decay, f"{type(self).__name__}: decoupled_weight_decay")
        self.clipnorm = self._limit("clipnorm", clipnorm)
        self.clipvalue = self._limit("clipvalue", clipvalue)
        self.global_clipnorm = self._limit("global_clipnorm", global_clipnorm)
        given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigError(f"{type(self).__name__}: give at most one way of clipping, got {' and '.join(given)}")
        self.no_decay: tuple[str, ...] = ()
        self._applied = Applied()

    @property
    def learning_rate(self) -> float | Schedule:
        """A number, or a schedule; may be set at any time."""
        rate = self._learning_rate
        return rate if isinstance(rate, Schedule) else LearningRate.of(self, rate)

    @learning_rate.setter
    def learning_rate(self, value: Rate) -> None:
        try:
            schedule = schedules.get(value)
        except ConfigError as error:
            raise ConfigError(f"{type(self).__name__}: learning_rate: {error}") from error
        self._learning_rate = schedule.value if isinstance(schedule, schedules.Constant) else schedule

    @property
    def lr(self) -> float | Schedule:
        """The learning rate under its short name."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: Rate) -> None:
        self.learning_rate = value

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        return schedules.get(self._learning_rate)(step)

    def slots(self, size: int) -> dict[str, Array]:
        """Fresh moments for a vector of this size, by name."""
        return {name: np.zeros(size, np.float32) for name in self.moments}

    def options(self) -> dict[str, Any]:
        """The numbers that the rule takes besides learning rate and weight decay, under its names for them."""
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
        if not self.rule:
            raise NotImplementedError(f"{type(self).__name__} has no update")
        missing = sorted(self.slots(0).keys() - slots.keys())
        if missing:
            raise ConfigError(f"{type(self).__name__}: update needs the moments that slots() gives, got no {missing}")
        moments = {name: slots.get(name) for name in self.moments}
        rates: dict[str, Any] = {"lr": learning_rate, "step": step, "weight_decay": weight_decay}
        decoupled = self.decoupled_weight_decay
        ops.optimizer_update(self.rule, param, grad, moments, **rates, decoupled=decoupled, **self.options())

    def apply_gradients(self, grads_and_vars: Iterable[Any], *_: Any, **__: Any) -> None:
        """One step by gradients that a tape gave: pairs (gradient, variable), as `zip(gradients, variables)`.

        Errors: ConfigError where no variable has a gradient; ShapeError for one of another shape.
        """
        apply_gradients(self, self._applied, grads_and_vars)

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any]) -> None:
        """The same of two lists, as Keras 3 has it."""
        self.apply_gradients(zip(grads, trainable_variables, strict=True))

    def get_updates(self, loss: Any, params: Any, *more: Any) -> list[Any]:
        """As updates of `keras.backend.function`, one step that makes a loss smaller. Before Keras 2.0.5 the order was
        (params, constraints, loss)."""
        loss, params = (more[0], loss) if more else (loss, params)
        return [(lambda *grads: self.apply(grads, params), *loss.gradients(params))]

    def build(self, variables: Sequence[Any]) -> None:
        """Nothing: moments are made in the first step."""

    @property
    def iterations(self) -> Any:
        """How many steps it has taken; of a model that was compiled with it, those of `fit`, too."""
        return tensor(np.int64(self._applied.step))

    @property
    def variables(self) -> list[Any]:
        """Its steps, its learning rate, and the moments of the model that was compiled with it: live, as variables."""
        counted = Variable(np.int64(self._applied.step), trainable=False, name="iteration")
        rate = Variable(self.learning_rate_at(self._applied.step), trainable=False, name="learning_rate")
        return [counted, rate, *self._applied.variables(self.slots)]

    def used_by(self, model: Any) -> None:
        """Take the steps of `apply_gradients` with the moments and the count of this model's `fit`."""
        self._applied.belongs_to(model)

    def exclude_from_weight_decay(self, names: Sequence[str] = (), *, var_names: Sequence[str] = ()) -> None:
        """No decay from now on for parameters whose name, such as "conv1/bias", contains one of these words, which
        Keras calls var_names."""
        words = (word for given in (names, var_names) for word in several(given, f"{type(self).__name__}: no_decay"))
        self.no_decay = tuple(dict.fromkeys((*self.no_decay, *words)))

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
        arguments = {**config_of(self), "no_decay": list(self.no_decay)}
        arguments.pop("lr", None)
        return arguments

    def _number(self, name: str, value: Any, below: float = math.inf) -> float:
        return number(value, f"{type(self).__name__}: {name}", 0.0, below)

    def _limit(self, name: str, value: float | None) -> float | None:
        if value is None:
            return None
        found = self._number(name, value)
        if found == 0:
            raise ConfigError(f"{type(self).__name__}: {name} must be above 0, got {shown(value)}; None turns it off")
        return found

    def __repr__(self) -> str:
        return f"{type(self).__name__}(learning_rate={self._learning_rate!r})"


def _square_sum(gradient: Array) -> float:
    # Summed by NumPy in a fixed order: a BLAS dot product would change its bits with the number of threads.
    return float(np.square(gradient, dtype=np.float64).sum())


def _shorten(gradient: Array, norm: float, limit: float) -> None:
    if norm > limit:
        gradient *= gradient.dtype.type(limit / norm)
