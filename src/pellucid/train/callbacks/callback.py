"""A callback as Keras has it: methods that a training calls, here by the events that every listener hears."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from pellucid._text import say
from pellucid.errors import ConfigError, shown
from pellucid.optimizers.optimizer import Rate
from pellucid.schedules import InverseTimeDecay, Schedule
from pellucid.train.events import (
    BatchEnded,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    PicturesJudged,
    Stop,
    TrainingEnded,
    TrainingStarted,
)
from pellucid.train.history import Columns, History, named

OF_BATCHES = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")

Logs = Mapping[str, float] | None


class Callback:
    """Write the methods you need; `self.model` is the model, `self.params` says epochs and steps of an epoch.

    Epochs and batches count from 0; logs are the epoch's means so far, under the names that `compile` was asked for.
    `self.model.stop_training = True` ends training: set amid an epoch, at once, and that epoch has not ended then.
    """

    model: Any = None
    params: Mapping[str, Any] = MappingProxyType({})
    changes_rate: ClassVar[bool] = False
    """Whether it sets the learning rate, so that a history in Keras's form has that of each epoch."""
    _judged = 0

    def set_model(self, model: Any) -> None:
        """Called before training."""
        self.model = model

    def set_params(self, params: Mapping[str, Any]) -> None:
        """Called before training."""
        self.params = dict(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Before the first step."""

    def on_train_end(self, logs: Logs = None) -> None:
        """After the last."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch, and after its held-out pictures were judged."""

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """`on_train_batch_begin` by its older name."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """`on_train_batch_end` by its older name."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a step."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a step."""
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Logs = None) -> None:
        """Before held-out pictures are judged."""

    def on_test_end(self, logs: Logs = None) -> None:
        """After they were."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of them."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of them."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """Before a `predict` of `pellucid.keras` that was given it."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """After that."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of its pictures."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After one; logs["outputs"] are the answers."""

    @property
    def every_batch(self) -> bool:
        """Whether one of the methods that are called in every step is written."""
        return any(getattr(type(self), name) is not getattr(Callback, name) for name in OF_BATCHES)

    def __call__(self, event: Event) -> Stop | None:
        match event:
            case TrainingStarted():
                self._judged = 0
                self.set_model(event.model)
                self.set_params({"epochs": event.epochs, "steps": event.steps_per_epoch, "verbose": 1})
                self.on_train_begin({})
            case EpochStarted():
                self.on_epoch_begin(event.epoch, {})
                self.on_train_batch_begin(0, {})
            case BatchEnded():
                self.on_train_batch_end(event.batch, self.named(event.logs))
                if event.batch + 1 < (self.params.get("steps") or 0):
                    self.on_train_batch_begin(event.batch + 1, {})
            case EvaluationStarted():
                self._judged = 0
                self.on_test_begin({})
                self.on_test_batch_begin(0, {})
            case PicturesJudged():
                self.on_test_batch_end(self._judged, self.named(event.logs))
                self._judged += 1
                if event.done < event.total:
                    self.on_test_batch_begin(self._judged, {})
            case EpochEnded():
                logs = self.named(event.logs)
                if self._judged:
                    self._judged = 0
                    self.on_test_end({name: value for name, value in logs.items() if name.startswith("val_")})
                self.on_epoch_end(event.epoch, logs)
            case TrainingEnded():
                self.on_train_end({})
        return None

    def named(self, logs: Mapping[str, float]) -> dict[str, float]:
        """Numbers under the names that `compile` was asked for."""
        return named(logs, getattr(self.model, "metric_names", ("accuracy",)))

    def rate(self) -> float:
        """The optimizer's learning rate; of older programs' `decay=`, that which it falls from.

        Errors: ConfigError where it is a schedule, which no callback may change.
        """
        rate = self.model.optimizer.learning_rate
        if _falls(rate):
            return float(rate.initial_learning_rate)
        if isinstance(rate, Schedule):
            raise ConfigError(
                f"{type(self).__name__} changes the learning rate, but the optimizer follows {type(rate).__name__}; "
                "give the optimizer a number"
            )
        return float(rate)

    def set_rate(self, value: Rate) -> None:
        """Give the optimizer this learning rate, from which it falls on where it was made with `decay=`."""
        rate = self.model.optimizer.learning_rate
        self.model.optimizer.learning_rate = replace(rate, initial_learning_rate=value) if _falls(rate) else value


def _falls(rate: object) -> bool:
    """Whether an optimizer made this schedule of its `decay`."""
    return isinstance(rate, InverseTimeDecay) and rate.decay_steps == 1 and not rate.staircase


class LambdaCallback(Callback):
    """A callback of functions, each under the name of the method it stands for.

    Errors: ConfigError for a name that is none of those, and for what is no function.
    """

    def __init__(self, **functions: Callable[..., Any] | None) -> None:
        for name, function in functions.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise ConfigError(f"LambdaCallback: {name} is no method of a callback, on_epoch_end is one")
            if function is None:
                continue
            if not callable(function):
                raise ConfigError(f"LambdaCallback: {name} must be a function, got {shown(function)}")
            setattr(self, name, function)

    @property
    def every_batch(self) -> bool:
        return any(name in vars(self) for name in OF_BATCHES)


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch: schedule(epoch, rate), or schedule(epoch), gives it.

    verbose: 1 says it. Errors: ConfigError for what is no function, or gives no number.
    """

    changes_rate = True

    def __init__(self, schedule: Callable[..., Rate], verbose: int = 0) -> None:
        if not callable(schedule):
            raise ConfigError(f"LearningRateScheduler: schedule must be a function of the epoch, got {shown(schedule)}")
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        rate = self.rate()
        self.set_rate(self.schedule(epoch, rate) if self._takes_rate else self.schedule(epoch))
        if self.verbose:
            say(f"epoch {epoch + 1}: learning rate {self.rate():g}")


class BaseLogger(Callback):
    """A callback with nothing to do: logs are means already. stateful_metrics changes nothing."""

    def __init__(self, stateful_metrics: Any = None) -> None:
        pass


class TerminateOnNaN(Callback):
    """A loss that is no number ends training with what was measured so far, and the weights from before that step.

    Without it, `fit` raises DivergedError then.
    """

    def __call__(self, event: Event) -> Stop | None:
        if isinstance(event, TrainingEnded) and event.diverged:
            say(f"{event.reason}: training ends")
            return Stop(event.reason)
        return None


class ProgbarLogger(Callback):
    """Nothing to do: `fit(verbose=1)` shows the progress."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass


class HistoryCallback(Callback):
    """What `fit` returns, as a callback: `history["loss"]` and so on, one number an epoch; `epoch`, their numbers."""

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = Columns()
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Logs = None) -> None:
        self.history, self.epoch = Columns(), []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        made = History()
        made.history, made.epoch = self.history, self.epoch
        made.append(epoch, logs or {}, improved=False)


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a function of C, whose arguments nobody knows
        return True
    return True
