"""Sequential: layers in a row, with Keras's habits. Numbers are computed by plans, training by the trainer."""

from __future__ import annotations

import copy
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from pellucid import losses, optimizers
from pellucid._arguments import flag, path_of, several, verbosity
from pellucid._locks import building
from pellucid.datasets.transforms import Preprocessing
from pellucid.display import Shown
from pellucid.errors import ConfigError, shown
from pellucid.inputs import build_for, check_range, input_range, make_examples, standardize_images
from pellucid.inside import Inside
from pellucid.layers import LAYERS, Layer
from pellucid.layers.stack import Stack
from pellucid.losses import Loss
from pellucid.ops import choose_direct_convolution
from pellucid.ops.geometry import Array, whole
from pellucid.optimizers import Optimizer
from pellucid.parameters import FlatParameters
from pellucid.plan import Predictor
from pellucid.progress import work_bar
from pellucid.summary import MemorySummary, Summary, memory_of, summarize
from pellucid.text import printable, say
from pellucid.train import (
    ACCURACY_NAMES,
    Checkpoints,
    Evaluation,
    History,
    Listener,
    Progress,
    TrainConfig,
    Trainer,
    evaluate,
    fit_resumable,
    named,
    standardize_listeners,
)
from pellucid.train.doctor import Doctor

__all__ = [
    "PREDICT_BYTES",
    "Sequential",
    "set_exact_convolution",
]

PREDICT_BYTES = 256 * 2**20
"""What predict may use for activations when it picks a batch size itself."""


def _no_bar(done: int, total: int, what: str) -> None:
    """One batch needs no bar."""


class Sequential(Stack, Shown):
    """Layers in a row: each takes what the one before gives.

        model = Sequential([Conv2D(30, 5, activation="relu", input_shape=(28, 28, 1)), MaxPool2D(), Flatten(),
                            Dense(10, activation="softmax")])
        model.compile("adam", "categorical_crossentropy")
        model.fit(images, labels, batch_size=100, epochs=3)

    Shapes: pictures (N, H, W, C); whole numbers, which must be 0 to 255, are divided by 255 by fit, evaluate and
    predict, floats are left alone.
    Errors: ConfigError for a layer that belongs to another model or a name used twice; ShapeError where layers do not
    fit together, at the layer that does not fit.
    """

    assignable = frozenset(
        {"name", "seed", "class_names", "preprocessing", "trained_on", "slots", "optimizer_step", "num_epochs"}
    )
    instead: ClassVar[dict[str, str]] = {
        "optimizer": "is chosen by compile(optimizer, loss)",
        "loss": "is chosen by compile(optimizer, loss)",
        "metrics": "are chosen by compile(optimizer, loss, metrics)",
        "layers": "are changed by add(layer) and pop()",
        "weights": "are read; write with set_weights([...])",
        "learning_rate": "is the optimizer's: model.optimizer.learning_rate",
        "lr": "is the optimizer's: model.optimizer.learning_rate",
        "stop_training": "does nothing; a callback stops by returning pellucid.train.Stop(reason)",
    }

    def __init__(
        self,
        layers: Sequence[Layer] | None = None,
        name: str | None = None,
        *,
        seed: int = 0,
        exact_convolution: bool = False,
    ) -> None:
        self.exact_convolution = exact_convolution
        self.preprocessing = Preprocessing()
        self.class_names: tuple[str, ...] | None = None
        self.trained_on: dict[str, Any] = {}
        self.slots: dict[str, Array] = {}
        self.optimizer_step = 0
        self.num_epochs = 0
        self._optimizer: Optimizer | None = None
        self._loss: Loss | None = None
        self._metric_names = ACCURACY_NAMES[:1]
        self._parameters: FlatParameters | None = None
        self._predictor = Predictor()
        self._laid_out = False
        super().__init__(layers, "sequential" if name is None else name, seed)

    @property
    def exact_convolution(self) -> bool:
        """Whether 3x3 and 5x5 convolutions are computed as the sums they are, never by Winograd's algorithm.

        Winograd's rounds up to 10 times as much and takes a third of the time (docs/accuracy.md). The file keeps it.
        Errors: ConfigError for anything but True or False.
        """
        return self._exact_convolution

    @exact_convolution.setter
    def exact_convolution(self, exact: bool) -> None:
        self._exact_convolution = flag(exact, "exact_convolution")

    @property
    def parameters(self) -> FlatParameters:
        """All parameters in one vector; laid out anew after layers were added, removed, frozen or thawed."""
        self.build()
        current = self._current()
        if current is not None:
            return current
        with self.turns.taken(), building:
            current = self._current()
            if current is not None:  # another thread was first
                return current
            old, new = self._parameters, FlatParameters(self.layers)
            if old is not None:
                fresh = self.optimizer.slots(new.gradients.size) if self.slots else {}
                self.slots = new.carry_over(self.slots, old, fresh)
            new.bind()
            self._parameters, self._laid_out = new, True
            self._predictor.forget()
            return new

    def _current(self) -> FlatParameters | None:
        """The parameters as they are laid out, unless that is to be done anew; never while another thread trains."""
        old = self._parameters
        return old if old is not None and self._laid_out and (old.is_current() or self.turns.elsewhere) else None

    def pop(self) -> Layer:
        """Take the last layer off and return it, with its weights; the classes were those of the head that is gone."""
        layer = super().pop()
        if layer.params:
            self.class_names = None
        return layer

    # Use

    def scaled(self, images: Any) -> Array:
        """Pictures as the first layer gets them: uint8 scaled by `preprocessing`, floats as they are."""
        return self._as_floats(standardize_images(images, self._input_shape, self.name))

    def _as_floats(self, pictures: Any) -> Array:
        if pictures.dtype != np.uint8:
            return np.ascontiguousarray(pictures, np.float32)
        scale, offset = self.preprocessing.scale_offset(pictures.shape[-1])
        floats = pictures * scale
        floats += offset
        return np.asarray(floats)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = "auto") -> Array:
        """Outputs for every picture. Shapes: x (M, H, W, C) -> (M, classes).

        verbose: 0 for silence; "auto" for a bar on a terminal where it takes longer than a second; 1 elsewhere too.
        """
        images = build_for(self, x)
        check_range(images, self.trained_on, self.name)
        capacity = min(256 if batch_size is None else whole(batch_size, "predict: batch_size"), len(images))
        if batch_size is None and capacity > 1:
            capacity = min(capacity, PREDICT_BYTES // max(self.outline().activation_bytes, 1))
        capacity, done = max(capacity, 1), 0
        with nullcontext(_no_bar) if len(images) <= capacity else work_bar(verbose) as bar:

            def scaled(batch: Any) -> Array:
                nonlocal done
                bar(done, len(images), "answering for pictures")
                done += len(batch)
                return self._as_floats(batch)

            return self._predictor.run(
                self.layers,
                self.parameters,
                images,
                scaled,
                input_shape=self.input_shape,
                capacity=capacity,
                version=self.version,
            )

    # Training

    def compile(
        self,
        optimizer: str | Optimizer = "adam",
        loss: str | Loss | None = None,
        metrics: str | Sequence[str] | None = None,
    ) -> None:
        """Choose optimizer and loss, by name or object.

        metrics: under which of Keras's names the accuracy, which is measured anyway, is recorded: "accuracy", "acc",
        "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy".
        Errors: ConfigError for unknown names; what was chosen before then stays.
        """
        chosen = optimizers.get(optimizer), losses.get("categorical_crossentropy" if loss is None else loss)
        names = [metrics] if isinstance(metrics, str) else several(() if metrics is None else metrics, "metrics")
        for name in names:
            if not isinstance(name, str) or name not in ACCURACY_NAMES:
                raise ConfigError(
                    f"metrics={shown(name)} is not measured in training, {', '.join(ACCURACY_NAMES)} are; "
                    "use pellucid.metrics on predictions"
                )
        self.turns.expect_own(self.name, "compiled")
        self._optimizer, self._loss = chosen
        self._metric_names = tuple(dict.fromkeys(names)) or ACCURACY_NAMES[:1]
        self.slots, self.optimizer_step = {}, 0

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Under which names the accuracy is recorded."""
        return self._metric_names

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
        chosen = {"optimizer": self._optimizer.config(), "loss": self._loss.config()}
        named = {} if self.metric_names == ACCURACY_NAMES[:1] else {"metrics": list(self.metric_names)}
        return {**chosen, **named}

    def prepare_slots(self) -> None:
        """Make the optimizer's moments fit the trainable parameters, keeping those there are."""
        with self.turns.taken(), building:
            self._prepare_slots()

    def _prepare_slots(self) -> None:
        size = self.parameters.gradients.size
        if not self.slots or next(iter(self.slots.values())).size != size:
            self.slots = self.optimizer.slots(size)

    def fit(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Listener | Sequence[Listener] | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | None = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | str | None = None,
        sample_weight: Any = None,
        cache_features: bool = True,
        doctor: bool = True,
        resume: str | Path | None = None,
    ) -> History:
        """Train on pictures x with labels y; returns one number an epoch of everything measured, under Keras's names.

        Shapes: x (M, H, W, C); y (M,) or (M, 1) class numbers or words, or (M, classes); sample_weight (M,).
        verbose: 0 for silence, 1 or "auto" for a bar (plain lines where the output is no terminal), 2 for plain lines.
        validation_split: a stratified, seeded part of the pictures (Keras takes the last ones), held out.
        cache_features: where the first layers are frozen, compute their outputs once and not in every epoch: the same
        numbers, in up to 1 GiB of memory and beyond that a file that goes with the end of `fit`.
        doctor: say, in a line each with the remedy, what keeps a network from learning (see `train.doctor`); what was
        said is in the history's `advice`. It changes no number.
        resume: a folder for checkpoints. Where it holds one of this same training, training goes on from there, to the
        same bits as if it had never stopped; so a program that was stopped is simply run again.
        Errors: DataError for labels that do not fit the pictures or the classes; DivergedError for a loss that is no
        number.
        """
        self._compiled()
        listeners = standardize_listeners(callbacks)
        verbose, watched = verbosity(verbose), flag(doctor, "doctor")
        folder = None if resume is None else path_of(resume, "resume")
        config = TrainConfig(
            epochs,
            32 if batch_size is None else batch_size,
            shuffle=flag(shuffle, "shuffle"),
            seed=self.seed,
            cache_features=flag(cache_features, "cache_features"),
        )
        examples, held = make_examples(
            self, x, y, class_weight, sample_weight, validation_split=validation_split, validation_data=validation_data
        )
        self.trained_on.setdefault("range", input_range(examples.images))
        if verbose:
            listeners.append(Progress(sys.stdout, bar=verbose != 2))
        watching = Doctor(self, examples, held, tell=tuple(listeners)) if watched else None
        try:
            kept = None if folder is None else Checkpoints(folder)
            trainer = Trainer(
                self,
                examples,
                config,
                validation=held,
                listeners=[*([watching] if watching else []), *listeners],
                checkpoints=kept,
            )
            history = trainer.run() if kept is None else fit_resumable(trainer, kept)
            history.advice = [said.text for said in watching.findings] if watching else []
            return history
        finally:
            for listener in listeners:
                if isinstance(listener, Progress):
                    listener.close()

    def evaluate(
        self,
        x: Any,
        y: Any,
        batch_size: int | None = 32,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        *,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Evaluation:
        """Mean loss and accuracy over pictures x with labels y.

        verbose: 0 for silence, else the result is printed; while it takes longer than a second, "auto" has a bar on a
        terminal, 1 plain lines elsewhere too. progress: called as progress(done, total, what), instead of that bar.
        """
        self._compiled()
        count = 32 if batch_size is None else whole(batch_size, "evaluate: batch_size")
        verbose = verbosity(verbose)
        if progress is not None and not callable(progress):
            raise ConfigError(f"evaluate: progress must be a function (done, total, what), got {shown(progress)}")
        examples, _ = make_examples(self, x, y, None, sample_weight, training=False)
        check_range(examples.images, self.trained_on, self.name)
        total = len(examples)
        with work_bar(0 if progress else verbose) as bar:
            tell = progress or bar
            logs = evaluate(
                self,
                examples,
                count,
                tell=lambda done: tell(done, total, "judging pictures"),
            )
        result = Evaluation(named(logs, self.metric_names))
        if verbose:
            say(f"{len(examples):,} pictures: {result}")
        return result

    # Looking and keeping

    def outline(self) -> Summary:
        """Rows and totals as an object whose `str()` is the table."""
        return summarize(self.name, self.input_shape, self.layers)

    def memory(self, batch_size: int = 32) -> MemorySummary:
        """What training and prediction in such batches will take, before they run; with Adam if not compiled."""
        count = whole(batch_size, "batch_size")
        return memory_of(
            self.layers,
            self.parameters,
            input_shape=self.input_shape,
            batch_size=count,
            optimizer=self._optimizer,
            loss=self._loss,
        )

    def summary_data(self, batch_size: int = 32) -> dict[str, Any]:
        """The summary as plain data."""
        return {**self.outline().to_json(), "memory": self.memory(batch_size).to_json()}

    def summary(self, print_fn: Callable[[str], object] = say, *, batch_size: int = 32) -> None:
        """Print the table of layers: output shape, kernel, parameters, MACs, receptive field, memory."""
        if not callable(print_fn):
            raise ConfigError(f"summary: print_fn must be a function of a text, got {shown(print_fn)}")
        print_fn(f"{printable(self.name)}\n{self.outline()}\n{self.memory(batch_size)}")

    def save(self, path: str | Path | Inside) -> None:
        """Write the model file, NAME.safetensors; `pellucid.load` reads it back.

        Errors: CheckpointError for a name that ends in anything else, and for what cannot be written.
        """
        from pellucid import model_file

        model_file.save(self, path if isinstance(path, Inside) else path_of(path, "save: path"))

    def facts(self) -> dict[str, Any]:
        """All that a file keeps of it but the tensors."""
        from pellucid import model_file

        return model_file.facts_of(self)

    # Inside

    def _changed(self) -> None:
        super()._changed()
        self._predictor.forget()
        self._laid_out = False

    def __repr__(self) -> str:
        count = f"{len(self.layers)} layer{'s' * (len(self.layers) != 1)}"
        if not self.built:
            return f"<{type(self).__name__} {self.name!r}: {count}, not built>"
        out = self.output_shape[0] if len(self.output_shape) == 1 else self.output_shape
        numbers = f"{self.count_params():,} parameters"
        return f"<{type(self).__name__} {self.name!r}: {count}, {self.input_shape} -> {out}, {numbers}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """A model pickles as its file, with classes of one's own beside it, which must be found by their names."""
        from pellucid import model_file

        own = {type(layer).__name__: type(layer) for layer in self.layers if type(layer) not in LAYERS.values()}
        kind = None if type(self) is Sequential else type(self)
        for cls in (*own.values(), *((kind,) if kind else ())):
            if "<locals>" in cls.__qualname__:
                raise ConfigError(f"{self.name} cannot be pickled: define {cls.__name__} at the top of a module")
        more = {name: value for name, value in vars(self).items() if name not in vars(Sequential())}
        return model_file.from_bytes, (model_file.to_bytes(self), own, kind), more or None

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
        for layer in twin.layers:
            layer.owner = weakref.ref(twin)
        return twin


def set_exact_convolution(model: Sequential | bool, exact: bool = True) -> None:
    """Compute the convolutions of a model directly, or by Winograd's algorithm where that is faster (exact=False).

    set_exact_convolution(True), without a model: of every model from now on, whatever it says itself, until
    set_exact_convolution(False); a training that runs already goes on as it began.
    Errors: ConfigError for what is neither a model nor True or False.
    """
    if isinstance(model, Sequential):
        model.exact_convolution = exact
    else:
        choose_direct_convolution(flag(model, "exact_convolution"))


def __dir__() -> list[str]:
    return list(__all__)
