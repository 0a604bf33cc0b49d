"""Steps that a model takes by itself: `train_step` and `test_step`, as Keras has them, and `fit` over such steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import losses, metrics, optimizers
from pellucid._arguments import verbosity
from pellucid.autodiff import GradientTape
from pellucid.errors import ConfigError, DivergedError, shown
from pellucid.keras.batches import batches_of, count_of, each_of
from pellucid.keras.several import OutputLosses
from pellucid.keras.tensor import Calculated, tensor
from pellucid.keras.watching import OfBatch, values_read, with_losses
from pellucid.layers.recorded import nested_layers
from pellucid.metrics import Mean, Metric
from pellucid.model.pictures import as_rows
from pellucid.model.streams import is_stream
from pellucid.plan import accuracy_kind
from pellucid.train import History, Progress, standardize_listeners
from pellucid.train.events import BatchEnded, EpochEnded, EpochStarted, Stop, TrainingEnded, TrainingStarted
from pellucid.train.measuring import COUNTED


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """A batch's pictures, labels and weights, None for what it has not."""
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    return (*parts, None, None)[:3] if len(parts) < 3 else parts[:3]


class Steps:
    """What `Model` has of them. One that overrides `train_step` or `test_step` is trained and judged by these."""

    if TYPE_CHECKING:
        name: str
        losses: Any
        output_names: Any
        stop_training: bool
        trainable_variables: Any
        held_layers: Any
        own_variables: Any
        built: bool
        graph: Any
        _keys: Any
        inputs: Any
        outputs: Any
        optimizer_state: Any
        seed: int

        def __call__(self, x: Any, training: Any = None) -> Any: ...
        def _clear(self) -> None: ...
        def _stand(self, sources: Sequence[Any], answers: Sequence[Any]) -> None: ...

    _has_loss = True
    """Whether `compile` was given one; else what layers add to the loss is all of it."""
    _loss_tracker: Mean | None = None
    _own_metrics: tuple[Any, ...] | None = None
    _several: OutputLosses | None = None
    """Of a network with several outputs."""

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = None,
        metrics: Any = None,
        *,
        loss_weights: Any = None,
        **options: Any,
    ) -> None:
        """As of `pellucid.Model`; with several outputs loss, loss_weights and metrics are one for all, a list with one
        for each, or by the outputs' names, and `fit` takes its steps by a tape."""
        names = self._output_names(loss)
        self._loss_tracker = self._own_metrics = self._several = None
        if len(names) > 1 and loss is not None:
            several = OutputLosses(names, loss, loss_weights, metrics)
            first = next((each for each in several.losses if each is not None), None)
            super().compile(optimizer, first, None, **options)  # type: ignore[misc]
            self._several = several
            return
        if isinstance(loss, list | tuple | Mapping) and len(loss) == 1:
            loss = next(iter(loss.values() if isinstance(loss, Mapping) else loss))
            nested = isinstance(metrics, list | tuple | Mapping) and len(metrics) == 1
            inner = next(iter(metrics.values() if isinstance(metrics, Mapping) else metrics)) if nested else metrics
            metrics = inner if isinstance(metrics, Mapping) or isinstance(inner, list | tuple) else metrics
        super().compile(optimizer, loss, metrics, loss_weights=loss_weights, **options)  # type: ignore[misc]

    def _output_names(self, loss: Any) -> list[str]:
        """The names of its outputs; before it is built those by which losses are said, or their numbers."""
        if self._keys:
            return list(self._keys)
        if self.built:
            names: list[str] = self.output_names
            return names
        if isinstance(loss, Mapping):
            return list(map(str, loss))
        return [f"output_{number + 1}" for number in range(len(loss) if isinstance(loss, list | tuple) else 1)]

    @property
    def takes_own_steps(self) -> bool:
        """Whether it overrides a step, or a layer's call adds to the loss."""
        own = any(getattr(type(self), name) is not getattr(Steps, name) for name in ("train_step", "test_step"))
        layers = self.held_layers()
        every = {id(one): one for layer in layers for one in (layer, *nested_layers(layer))}
        own = own or self._several is not None
        adds = any(getattr(layer, "adds_to_loss", False) for layer in every.values())
        return own or bool(self.own_variables()) or adds

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on a batch (x, y) or (x, y, sample_weight); what is measured so far in the epoch, by name."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(x, y, y_pred, sample_weight)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return self._measured(loss, x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """What a batch adds to what is measured, by name."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        return self._measured(self.compute_loss(x, y, y_pred, sample_weight), x, y, y_pred, sample_weight)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: Any = None
    ) -> Any:
        """What `compile` chose, and `losses`."""
        own = None if self._several is not None else getattr(self.loss, "call", None)
        if isinstance(own, OfBatch) and sample_weight is None:
            total = np.mean(tensor(own(tensor(y), y_pred)))
        else:
            judge = self.loss if self._several is None else self._several.loss
            total = judge(y, y_pred, sample_weight) if y is not None and self._has_loss else 0.0
        for each in self.losses:
            total = total + each
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Takes a batch in; what is measured so far."""
        for metric in self.step_metrics(y, y_pred)[1:]:
            metric.update_state(np.asarray(y), np.asarray(y_pred), sample_weight)
        return {metric.name: metric.result() for metric in self.metrics}

    def _measured(self, loss: Any, x: Any, y: Any, y_pred: Any, sample_weight: Any) -> dict[str, Any]:
        count = count_of(x)
        if self._several is not None:
            self._loss_tracker = self._loss_tracker or Mean("loss")
            self._loss_tracker.update_state(float(loss), count)
            measured = self._several.measure(y, y_pred, sample_weight, count, _metric)
            return {"loss": self._loss_tracker.result(), **measured}
        self.step_metrics(y, y_pred)[0].update_state(float(loss), count)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def step_metrics(self, y: Any, y_pred: Any) -> list[Metric]:
        """The loss's mean, then what `compile` was asked to measure, made for such labels."""
        if self._loss_tracker is None:
            self._loss_tracker = Mean("loss")
        if self._own_metrics is None:
            answers, labels = np.asarray(y_pred), np.asarray(y)
            kind = accuracy_kind(self.loss.joint_activation, labels)
            self._own_metrics = tuple(
                _metric(asked, kind, answers.shape[-1])
                for asked in super().metrics  # type: ignore[misc]
            )
        return [self._loss_tracker, *self._own_metrics]

    @property
    def metrics(self) -> Any:
        """What `compile` was asked to measure; of a model that takes its own steps objects, the loss's mean first."""
        if not self.takes_own_steps:
            return super().metrics  # type: ignore[misc]
        if self._several is not None:
            return [*([] if self._loss_tracker is None else [self._loss_tracker]), *self._several.every]
        return [] if self._loss_tracker is None else [self._loss_tracker, *(self._own_metrics or ())]

    def add_loss(self, loss: Any, inputs: Any = None) -> None:
        """Add what is calculated of this network's values to the loss; `fit` takes its steps by a tape then.

        inputs: as older programs say what it is calculated from; it changes nothing.
        Errors: ConfigError for what is no such value.
        """
        if not isinstance(loss, Calculated):
            raise ConfigError(
                f"{self.name}: add_loss takes what is calculated of this network's values, got {shown(loss)}"
            )
        self._watch([loss], [])

    def of_arrays(self, loss: Any) -> Any:
        """A loss for `compile`: a function that reads values of this network, too, as one of arrays alone."""
        values = values_read(loss)
        return OfBatch(loss, self._watch([], values)) if values else loss

    def _watch(self, losses: Sequence[Any], values: Sequence[Any]) -> Any:
        """The layer behind this network's last that has these losses and reads these values."""
        sources, answers = self.inputs, self.outputs
        self._clear()
        watched = with_losses(answers[0], losses, values)
        self._stand(sources, [watched, *answers[1:]])
        return watched.layer

    @property
    def optimizer(self) -> Any:
        """The optimizer chosen by `compile`; a class of one's own may set it."""
        return super().optimizer  # type: ignore[misc]

    @optimizer.setter
    def optimizer(self, optimizer: Any) -> None:
        self._optimizer = optimizers.get(optimizer)
        self.optimizer_state.restart()
        self._optimizer.used_by(self)

    @property
    def loss(self) -> Any:
        """The loss chosen by `compile`; a class of one's own may set it, and whatever it likes before that."""
        return super().loss  # type: ignore[misc]

    @loss.setter
    def loss(self, loss: Any) -> None:
        self._loss = losses.get(loss) if isinstance(loss, str | losses.Loss) or callable(loss) else None

    def reset_metrics(self) -> None:
        """Measure anew."""
        for metric in self.metrics:
            if isinstance(metric, Metric):
                metric.reset_state()

    # fit and evaluate over such steps

    def fit(self, x: Any = None, y: Any = None, *args: Any, **options: Any) -> Any:
        """As of `pellucid.Model`; where the model takes its own steps, one `train_step` a batch."""
        if not self.takes_own_steps:
            return super().fit(x, y, *args, **options)  # type: ignore[misc]
        names = ("batch_size", "epochs", "verbose", "callbacks", "validation_split", "validation_data", "shuffle")
        return _Fitting(self, x, y, {**dict(zip(names, args, strict=False)), **options}).run()

    def judged_by_steps(
        self, x: Any, y: Any, batch_size: Any, steps: Any, sample_weight: Any = None
    ) -> dict[str, float]:
        """What `test_step` came to over all batches."""
        self.reset_metrics()
        logs: Mapping[str, Any] = {}
        for data, _ in batches_of(self, x, y, sample_weight, batch_size, steps, "evaluate").epoch(0):
            logs = self.test_step(data)
        return _numbers(logs)


def _metric(asked: Any, kind: str | None, units: int) -> Metric:
    if isinstance(asked, str) and asked in COUNTED:
        binary = kind == "binary" or (kind is None and units == 1)
        made: Metric = metrics.BinaryAccuracy(asked) if binary else metrics.CategoricalAccuracy(asked)
        return made
    return metrics.get(asked)


def _numbers(logs: Any) -> dict[str, float]:
    if not isinstance(logs, Mapping):
        raise ConfigError("train_step and test_step give a dictionary: {metric.name: metric.result() for ...}")
    return {str(name): float(np.mean(np.asarray(value))) for name, value in logs.items()}


class _Fitting:
    """`fit` by `train_step`: the events are those of every training, so that callbacks hear the same."""

    def __init__(self, model: Any, x: Any, y: Any, options: dict[str, Any]) -> None:
        self.model, take = model, options.pop
        self.epochs, self.first = int(take("epochs", 1)), int(take("initial_epoch", 0))
        self.verbose, self.size = verbosity(take("verbose", "auto")), take("batch_size", 32)
        self.listeners = standardize_listeners(take("callbacks", None))
        if self.verbose:
            self.listeners.append(Progress(sys.stdout, bar=self.verbose != 2))
        split, held, shuffle = (
            float(take("validation_split", 0.0)),
            take("validation_data", None),
            take("shuffle", True),
        )
        weights, self.held_steps = take("sample_weight", None), take("validation_steps", None)
        steps, self.every = take("steps_per_epoch", None), int(take("validation_freq", 1))
        self.held_size = take("validation_batch_size", None) or self.size
        for ignored in ("cache_features", "doctor"):
            options.pop(ignored, None)
        if refused := [name for name, value in options.items() if value is not None]:
            raise ConfigError(f"{model.name}: fit by steps of its own takes no {', '.join(refused)}; leave it out")
        if split and not is_stream(x):
            x = as_rows(model, x)
            if model._several is not None and y is not None:
                y = model._several.of_each(y, "labels")
            cut = len(x) - int(len(x) * split)
            parts = [None if part is None else each_of(part, np.asarray) for part in (y, weights)]
            first, last = (
                [None if p is None else each_of(p, itemgetter(rows)) for p in parts]
                for rows in (slice(cut), slice(cut, None))
            )
            held = held or (x[cut:], last[0])
            x, (y, weights) = x[:cut], first
        self.held = held
        self.data = batches_of(model, x, y, weights, self.size, steps, "fit", model.seed if shuffle else None)
        self.stop: Stop | None = None

    def run(self) -> History:
        model, history, step = self.model, History(), 0
        model.stop_training = False
        self._tell(
            TrainingStarted(self.first, self.epochs, self.data.steps, self.data.count, 0, self.size or 32, model)
        )
        for epoch in range(self.first, self.epochs):
            if self.stop:
                break
            self._tell(EpochStarted(epoch))
            model.reset_metrics()
            start, seen, logs = time.perf_counter(), 0, {}
            for batch, (data, count) in enumerate(self.data.epoch(epoch)):
                logs = _numbers(model.train_step(data))
                if not np.isfinite(list(logs.values())).all():
                    raise DivergedError(
                        f"{shown_of(logs)} in epoch {epoch + 1}, batch {batch + 1}, are no numbers any more"
                    )
                seen += count
                self._tell(BatchEnded(epoch, batch, step, count, logs))
                step += 1
                if self.stop:
                    break
            if self.held is not None and (epoch + 1) % self.every == 0:
                logs = {**logs, **{f"val_{name}": value for name, value in self._judged().items()}}
            elapsed = time.perf_counter() - start
            rate = model.optimizer.learning_rate_at(max(int(model.optimizer.iterations) - 1, 0))
            history.append(epoch, {**logs}, improved=False)
            self._tell(EpochEnded(epoch, logs, rate, elapsed, seen / elapsed, False))
        self._tell(TrainingEnded(self.stop.reason if self.stop else "all epochs done", len(history.epoch), -1))
        for listener in self.listeners:
            if isinstance(listener, Progress):
                listener.close()
        return history

    def _judged(self) -> dict[str, float]:
        stream = is_stream(self.held) and not isinstance(self.held, tuple)
        x, y, weights = (self.held, None, None) if stream else unpack_x_y_sample_weight(self.held)
        found: dict[str, float] = self.model.judged_by_steps(x, y, self.held_size, self.held_steps, weights)
        return found

    def _tell(self, event: Any) -> None:
        for listener in self.listeners:
            if isinstance(answer := listener(event), Stop):
                self.stop = answer
        if self.model.stop_training and self.stop is None:
            self.stop = Stop("stop_training was set")


def shown_of(logs: Mapping[str, float]) -> str:
    """Numbers with their names."""
    return ", ".join(f"{name} {value:g}" for name, value in logs.items())
