"""Network: layers in a graph, their parameters in one vector, optimizer and loss; answers for pictures."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np

from pellucid import losses, ops, optimizers
from pellucid._arguments import flag, record, several, verbosity, within
from pellucid._locks import building
from pellucid._progress import work_bar
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, PellucidError, shown
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT, Graph
from pellucid.layers.parameters import FlatParameters
from pellucid.layers.stack import Stack
from pellucid.layers.symbolic import is_symbolic
from pellucid.losses import Loss
from pellucid.metrics import Metric
from pellucid.model.inputs import check_range, names_for, scaling_for
from pellucid.model.pictures import as_rows, build_for, standardize_images
from pellucid.model.streams import answers_for, is_stream
from pellucid.model.summary import Summary, summarize
from pellucid.ops.geometry import Array, Shape, whole
from pellucid.ops.memory import give_back
from pellucid.optimizers import Optimizer
from pellucid.plan import Predictor
from pellucid.train import ACCURACY_NAMES, Examples, OptimizerState
from pellucid.train.joined import agree_on_call, answers_of_all
from pellucid.train.measuring import plain as plain_metric


class Network(Stack):
    """Layers in a graph, their parameters in one vector, optimizer and loss, and plans that answer for pictures."""

    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        **Stack.checks,
        "class_names": lambda model, value: names_for(model, value),
        "preprocessing": lambda model, value: scaling_for(model, value),
        "trained_on": lambda model, value: record(value, f"{model.name}: trained_on"),
        "exact_convolution": lambda model, value: flag(value, "exact_convolution"),
        "stop_training": lambda model, value: flag(value, "stop_training"),
        "labels_in_rows": lambda model, value: flag(value, "labels_in_rows"),
    }
    exact_convolution: bool
    """Whether 3x3 and 5x5 convolutions are computed as the sums they are, never by Winograd's algorithm.

    Winograd's rounds up to 10 times as much and takes a third of the time (docs/accuracy.md). The file keeps it.
    """
    cuts_labels: ClassVar[bool] = False
    """Whether class numbers that are not whole are cut to whole ones, with a warning."""
    holds_out_last: ClassVar[bool] = False
    """Whether `validation_split` takes the last pictures, as Keras does, and not of each class its share."""
    stop_training: bool
    """Set by a callback: training ends after the batch or epoch in hand, as if it had answered `Stop`."""
    labels_in_rows: bool
    """Whether the labels given last are rows, one-hot or shares of classes; metrics of one's own see them so."""
    optimizer_state: OptimizerState
    """What the optimizer has come to; `fit` goes on from there."""

    def __init__(self, name: str, *, seed: int, exact_convolution: bool) -> None:
        self.name = name  # which what is checked below calls it by
        self.exact_convolution = exact_convolution
        self.preprocessing = Preprocessing()
        self.class_names: tuple[str, ...] | None = None
        self.labels_in_rows = False
        self.trained_on: dict[str, Any] = {}
        self.optimizer_state = OptimizerState()
        self._optimizer: Optimizer | None = None
        self._loss: Loss | None = None
        self._metrics: tuple[str | Metric, ...] = ()
        self.stop_training = False
        self._parameters: FlatParameters | None = None
        self._predictor = Predictor()
        self._laid_out = False
        super().__init__(name, seed)

    @property
    def parameters(self) -> FlatParameters:
        """All parameters in one vector; laid out anew after layers were added, removed, frozen or thawed."""
        self.build()
        if self.shares:
            self._claim()
        current = self._current()
        if current is not None:
            return current
        with self.turns.taken(), building:
            current = self._current()
            if current is not None:  # another thread was first
                return current
            old, new = self._parameters, FlatParameters(self.flat_layers)
            if old is not None:
                slots = self.optimizer_state.slots
                fresh = self.optimizer.slots(new.gradients.size) if slots else {}
                self.optimizer_state.slots = new.carry_over(slots, old, fresh)
            new.bind()
            if new.vector.nbytes > 1 << 20:
                give_back()  # the arrays that the layers had
            self._parameters, self._laid_out = new, True
            self._predictor.forget()
            return new

    def other_owners(self) -> list[Network]:
        """The models that its layers belong to at the moment, besides itself."""
        owners = [None if layer.owner is None else layer.owner() for layer in self.flat_layers]
        return [owner for owner in dict.fromkeys(owners) if owner is not None and owner is not self]

    def _claim(self) -> None:
        """Make the layers its own, with the values they have; a model that loses some lays out anew when asked.

        Errors: ConfigError while such a model is being trained.
        """
        others = self.other_owners()
        for other in others:
            if other.turns.busy:
                raise ConfigError(
                    f"{self.name} shares layers with {other.name}, which is being trained; train one at a time"
                )
        if others or any(layer.owner is None or layer.owner() is None for layer in self.flat_layers):
            for number, (layer, node) in enumerate(zip(self.flat_layers, self._nodes, strict=True)):
                layer.owner, layer.position = weakref.ref(self), number
                layer.fed_by = tuple(self.flat_layers[i].name for i in node.inputs if i != INPUT)
            for network in (self, *others):
                network._laid_out = False
                network._predictor.forget()

    def _current(self) -> FlatParameters | None:
        """The parameters as they are laid out, unless that is to be done anew; never while another thread trains."""
        old = self._parameters
        return old if old is not None and self._laid_out and (old.is_current() or self.turns.elsewhere) else None

    def attach(self, layer: Layer, inputs: tuple[int, ...], shapes: Sequence[Shape] = ()) -> None:
        """As `Stack.attach`; where pictures are scaled by a layer, they come to it as they are."""
        scales = (
            isinstance(layer, Layer) and layer.role == "rescaling" and not any(one.params for one in self.flat_layers)
        )
        super().attach(layer, inputs, shapes)
        if scales:
            self.preprocessing = replace(self.preprocessing, scale=1.0)

    def detach(self) -> Layer:
        """Take the last layer off and return it, with its weights; the classes were those of the head that is gone."""
        layer = super().detach()
        if layer.params:
            self.class_names = None
        return layer

    # Use

    def scaled(self, images: Any) -> Array:
        """Pictures as the first layer gets them: uint8 scaled by `preprocessing`, floats as they are."""
        pictures = standardize_images(as_rows(self, images), self._input_shape, self.name)
        if pictures.dtype != np.uint8:
            return np.asarray(pictures, np.float32)
        count, channels = len(pictures), pictures.shape[-1]
        scale, offset = self.preprocessing.scale_offset(channels)
        pixels = np.asarray(pictures[:]).reshape(count, 1, -1, channels)
        return ops.gather(pixels, np.arange(count), scale=scale, offset=offset).reshape(pictures.shape)

    def __call__(self, x: Any) -> Any:
        return super().__call__(x if is_symbolic(x) else as_rows(self, x))

    def predict(
        self, x: Any, batch_size: int | None = None, verbose: int | str = "auto", steps: int | None = None
    ) -> Any:
        """Outputs for every picture; while another thread trains, with the weights of that moment.

        Shapes: x (M, H, W, C) -> (M, classes); a list of such, in order, from a model with several outputs.
        x may also be batches, as in `fit`, of which `steps` are taken; labels among them are left alone.
        verbose: 0 for silence; "auto" for a bar on a terminal where it takes longer than a second; 1 elsewhere too.
        Processes that torchrun has started share the batches of one call, and each has all answers.
        """
        if is_stream(x):
            return answers_for(x, steps, lambda batch: self.predict(batch, batch_size, 0))
        verbose, images = verbosity(verbose), build_for(self, x)
        check_range(images, self.trained_on, self.name)
        count = len(images)
        capacity = 256 if batch_size is None else whole(batch_size, "predict: batch_size")
        if batch_size is None and count > 1:
            capacity = min(capacity, self._predictor.pictures_together(lambda: self.graph))
        if count <= capacity:
            return self._answer(images, np.asarray, max(count, 1))
        processes = agree_on_call("predict", self.parameters, Examples(images, np.zeros(count)).fingerprint, capacity)
        done, verbose = 0, 0 if processes.rank else verbose
        with work_bar(verbose) as bar:

            def told(batch: Any) -> Array:
                nonlocal done
                bar(done, count, "answering for pictures")
                done = min(done + len(batch) * processes.world, count)
                return np.asarray(batch)

            if processes.world > 1:
                return answers_of_all(processes, count, capacity, lambda at: self._answer(images[at], told, capacity))
            return self._answer(images, told, capacity)

    def _answer(self, images: Any, prepare: Callable[[Any], Array], capacity: int) -> Any:
        if self.turns.elsewhere:  # all answers are of one step's weights
            with self.turns.taken():
                return self._predictor.run(self._state, images, prepare, capacity, self.preprocessing.scale_offset)
        return self._predictor.run(self._state, images, prepare, capacity, self.preprocessing.scale_offset)

    def _state(self) -> tuple[Graph, FlatParameters, int]:
        return self.graph, self.parameters, self.version

    def outline(self) -> Summary:
        """Rows and totals as an object whose `str()` is the table."""
        return summarize(self.name, self.graph)

    # Compiling

    def compile(
        self,
        optimizer: str | Optimizer = "adam",
        loss: str | Loss | None = None,
        metrics: Any = None,
        *,
        loss_weights: None = None,
        weighted_metrics: None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose optimizer and loss, by name or object.

        metrics: what is measured besides the loss, in this order, by name or object (see `pellucid.metrics`), or a
        function of (y_true, y_pred). "accuracy" (or "acc") is the share of right answers, of the kind that targets and
        loss have; it is measured where nothing is said, too, and costs nothing.
        loss_weights and weighted_metrics must be None; Keras's run_eagerly, steps_per_execution, jit_compile and
        auto_scale_loss change nothing.
        Errors: ConfigError for unknown names; what was chosen before then stays.
        """
        for name, value in (("loss_weights", loss_weights), ("weighted_metrics", weighted_metrics)):
            if value is not None and not (isinstance(value, list | tuple | dict) and not value):
                raise ConfigError(f"{self.name}: compile({name}=...) is not known here, got {shown(value)}")
        chosen = optimizers.get(optimizer), losses.get("categorical_crossentropy" if loss is None else loss)
        one = isinstance(metrics, str | Metric | Mapping) or callable(metrics)
        asked = [metrics] if one else several(() if metrics is None else metrics, "metrics")
        measured = tuple(within(f"{self.name}: metrics", plain_metric, metric) for metric in asked)
        self.turns.expect_own(self.name, "compiled")
        self._optimizer, self._loss = chosen
        self._metrics = measured
        self.optimizer_state.restart()
        self._optimizer.used_by(self)

    @property
    def metrics(self) -> tuple[str | Metric, ...]:
        """What `compile` was asked to measure."""
        return self._metrics

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Under which names that is recorded, after the loss; the accuracy where nothing was asked for."""
        names = (metric if isinstance(metric, str) else metric.name for metric in self._metrics)
        return tuple(dict.fromkeys(names)) or ACCURACY_NAMES[:1]

    @property
    def metrics_names(self) -> list[str]:
        """Of what `evaluate` gives: the loss, then those."""
        return ["loss", *self.metric_names]

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer chosen by `compile`."""
        return self._compiled()[0]

    @property
    def loss(self) -> Loss:
        """The loss chosen by `compile`."""
        return self._compiled()[1]

    def _compiled(self) -> tuple[Optimizer, Loss]:
        if self._optimizer is None or self._loss is None:
            raise ConfigError(f'{self.name} is not compiled; call compile("adam", "categorical_crossentropy") first')
        return self._optimizer, self._loss

    def compiled_config(self) -> dict[str, Any] | None:
        """What `compile` chose, as plain data."""
        if self._optimizer is None or self._loss is None:
            return None
        chosen = {
            "optimizer": _marked(self._optimizer, self._optimizer.config(), optimizers.get),
            "loss": _marked(self._loss, self._loss.config(), losses.get),
        }
        told = [metric if isinstance(metric, str) else metric.config() for metric in self._metrics]
        named = {} if self.metric_names == ACCURACY_NAMES[:1] else {"metrics": told}
        return {**chosen, **named}

    def prepare_slots(self) -> None:
        """Make the optimizer's moments fit the trainable parameters, keeping those there are."""
        with self.turns.taken(), building:
            size, state = self.parameters.gradients.size, self.optimizer_state
            if not state.slots or next(iter(state.slots.values())).size != size:
                state.slots = self.optimizer.slots(size)

    # Inside

    def __copy__(self) -> Self:
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A twin with layers and parameters of its own, as far trained as this one."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        memo[id(self._predictor)] = Predictor()
        with self.turns.taken():
            if self.built:
                memo[id(self.parameters)] = None  # laid out anew, in the same order
            twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()})
        for layer in twin.flat_layers:
            layer.owner = weakref.ref(twin)
        if twin._optimizer is not None:
            twin._optimizer.used_by(twin)
        return twin

    def _changed(self) -> None:
        super()._changed()
        self._predictor.forget()
        self._laid_out = False


def _marked(chosen: Any, config: dict[str, Any], get: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """The config, marked where nothing but a class of a user's own would make the same again."""
    try:
        again = get(config)
    except PellucidError:
        again = None
    return config if _kinds(again) == _kinds(chosen) else {**config, "own": True}


def _kinds(thing: object) -> dict[str, type]:
    return {"": type(thing), **{name: type(value) for name, value in getattr(thing, "__dict__", {}).items()}}
