"""Sequential: layers in a row, with Keras's habits. Numbers are computed by plans, training by the trainer."""

from __future__ import annotations

import copy
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from pellucid import losses, optimizers
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, PellucidError, ShapeError, unknown_name
from pellucid.inputs import build_for, check_range, input_range, make_examples, standardize_images
from pellucid.layers import Input, Layer
from pellucid.layers.layer import positive_int, standardize_shape
from pellucid.losses import Loss
from pellucid.ops.geometry import Array, Shape
from pellucid.optimizers import Optimizer
from pellucid.parameters import FlatParameters
from pellucid.plan import Predictor
from pellucid.summary import MemorySummary, Summary, memory_of, summarize
from pellucid.train import (
    Evaluation,
    History,
    Listener,
    Progress,
    TrainConfig,
    Trainer,
    evaluate,
    standardize_listeners,
)

PREDICT_BYTES = 256 * 2**20
"""What predict may use for activations when it picks a batch size itself."""


class Sequential:
    """Layers in a row: each takes what the one before gives.

        model = Sequential([Conv2D(30, 5, activation="relu", input_shape=(28, 28, 1)), MaxPool2D(), Flatten(),
                            Dense(10, activation="softmax")])
        model.compile("adam", "categorical_crossentropy")
        model.fit(images, labels, batch_size=100, epochs=3)

    Shapes: pictures (N, H, W, C); uint8 is divided by 255 by fit, evaluate and predict, floats are left alone.
    Errors: ConfigError for a layer that belongs to another model or a name used twice; ShapeError where layers do not
    fit together, at the layer that does not fit.
    """

    def __init__(self, layers: Sequence[Layer] | None = None, name: str | None = None, *, seed: int = 0) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
            raise ConfigError(f"Sequential: seed must be a whole number from 0 to below 2^32, got {seed!r}")
        self.name, self.seed = name or "sequential", int(seed)
        self.layers: list[Layer] = []
        self.preprocessing = Preprocessing()
        self.class_names: tuple[str, ...] | None = None
        self.trained_on: dict[str, Any] = {}
        self.slots: dict[str, Array] = {}
        self.optimizer_step = 0
        self.num_epochs = 0
        self._input_shape: Shape | None = None
        self._optimizer: Optimizer | None = None
        self._loss: Loss | None = None
        self._parameters: FlatParameters | None = None
        self._predictor = Predictor()
        self._changes = 0
        self._laid_out = False
        for layer in layers or ():
            self.add(layer)

    # Layers

    def add(self, layer: Layer) -> None:
        """Put a layer at the end; it is built at once where the input's shape is known."""
        if isinstance(layer, Input):
            if self.layers or self._input_shape is not None:
                raise ConfigError(
                    f"{self.name}: Input must come first, and once; it came after {len(self.layers)} layers"
                )
            self._input_shape = layer.shape
            return
        if not isinstance(layer, Layer):
            raise ConfigError(f"{self.name}: only layers can be added, got {layer!r}")
        owner = layer.owner() if layer.owner is not None else None
        if owner is not None:
            whose = "this model already" if owner is self else f"the model {owner.name!r}"
            raise ConfigError(f"layer {layer.name!r} belongs to {whose}; make a new layer, or pop() it there first")
        first = not self.layers
        stated = layer.input_shape if first else None
        if stated is not None and self._input_shape not in (None, stated):
            raise ShapeError(f"{self.name} has input shape {self._input_shape}, its first layer says {stated}; say one")
        layer.take_name({other.name for other in self.layers}, self.name)
        layer.position = len(self.layers)
        layer.fed_by = None if first else self.layers[-1].name
        shape = (self._input_shape or stated) if first else self._shape_after(self.layers)
        try:
            if shape is not None:
                self._build_layer(layer, shape)
        except PellucidError:  # it stays outside, and may go elsewhere
            layer.position = layer.fed_by = None
            raise
        if first:
            self._input_shape = shape
        layer.owner = weakref.ref(self)
        self.layers.append(layer)
        self._forget_layout()

    def pop(self) -> Layer:
        """Take the last layer off and return it, with its weights."""
        if not self.layers:
            raise ConfigError(f"{self.name} has no layers to pop")
        layer = self.layers.pop()
        if layer.params:
            layer.bind({name: np.array(array) for name, array in layer.params.items()})
        layer.owner = layer.position = layer.fed_by = None
        if not self.layers and layer.input_shape is not None:
            self._input_shape = None
        self._changes += layer.version  # which counts no longer: the sum must not fall
        self._forget_layout()
        return layer

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name, or at this place."""
        if index is not None:
            if not -len(self.layers) <= index < len(self.layers):
                raise ConfigError(f"{self.name} has {len(self.layers)} layers, no layer {index}")
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise unknown_name(f"layer of {self.name}", name, [layer.name for layer in self.layers])

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make every layer's weights. Shapes: without the batch axis, or with None in front of it, as Keras has it."""
        if input_shape is None and self.built:
            return
        before = self._input_shape
        if input_shape is not None:
            trimmed = input_shape[1:] if input_shape and input_shape[0] is None else input_shape
            if None in trimmed:
                raise ConfigError(f"{self.name} is built for one size of picture, got {tuple(input_shape)}")
            shape = standardize_shape([size for size in trimmed if size is not None], self.name)
            if self._input_shape is not None and self._input_shape != shape:
                raise ShapeError(f"{self.name} has input shape {self._input_shape}, cannot be built for {shape}")
            self._input_shape = shape
        if self._input_shape is None:
            raise ConfigError(
                f"{self.name} does not know its input's shape; give the first layer input_shape=(H, W, C)"
            )
        shape = self._input_shape
        try:
            for layer in self.layers:
                shape = self._build_layer(layer, shape)
        except PellucidError:
            self._input_shape = before
            raise

    @property
    def built(self) -> bool:
        """Whether every layer has its weights."""
        return bool(self.layers) and self._input_shape is not None and all(layer.built for layer in self.layers)

    @property
    def input_shape(self) -> Shape:
        """(H, W, C) of one picture."""
        self.build()
        return self._input_shape or ()

    @property
    def output_shape(self) -> Shape:
        """What comes out for one picture."""
        self.build()
        return self._shape_after(self.layers) or ()

    @property
    def parameters(self) -> FlatParameters:
        """All parameters in one vector; laid out anew after layers were added, removed, frozen or thawed."""
        self.build()
        old = self._parameters
        if old is not None and self._laid_out and old.is_current():
            return old
        new = FlatParameters(self.layers)
        if old is not None:
            self.slots = new.carry_over(self.slots, old, self.optimizer.slots(new.gradients.size) if self.slots else {})
        self._parameters, self._laid_out = new, True
        self._predictor.forget()
        return new

    @property
    def version(self) -> int:
        """Grows whenever weights change; whoever keeps something made of weights compares it."""
        return self._changes + sum(layer.version for layer in self.layers)

    def touch(self) -> None:
        """Say that the parameters have changed."""
        self._changes += 1

    def count_params(self) -> int:
        """How many numbers the model's weights hold, running means included."""
        self.build()
        return sum(layer.count_params() for layer in self.layers)

    @property
    def weights(self) -> list[Array]:
        """Live read-only arrays of all layers in order."""
        return [array for layer in self.layers for array in layer.weights]

    def get_weights(self) -> list[Array]:
        """Copies of `weights`."""
        return [array.copy() for array in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Write new values into all weights, in the order of `weights`."""
        self.build()
        counts = [len(layer.weights) for layer in self.layers]
        if len(weights) != sum(counts):
            raise ShapeError(f"{self.name} has {sum(counts)} weight arrays, got {len(weights)}")
        ends = np.cumsum(counts).tolist()
        parts = [weights[end - number : end] for end, number in zip(ends, counts, strict=True)]
        for layer, part in zip(self.layers, parts, strict=True):
            layer.check_weights(part)  # all before the first is written
        for layer, part in zip(self.layers, parts, strict=True):
            if part:
                layer.set_weights(part)

    # Use

    def __call__(self, x: Any) -> Array:
        """Every layer in turn on a batch of floats, as in use; never scales."""
        y = np.asarray(x)
        if not self.built:
            self.build(y.shape[1:] if self._input_shape is None else None)
        for layer in self.layers:
            y = layer(y)
        return y

    def scaled(self, images: Any) -> Array:
        """Pictures as the first layer gets them: uint8 scaled by `preprocessing`, floats as they are."""
        pictures = standardize_images(images, self._input_shape, self.name)
        if pictures.dtype != np.uint8:
            return np.ascontiguousarray(pictures, np.float32)
        scale, offset = self.preprocessing.scale_offset(pictures.shape[-1])
        floats = pictures * scale
        floats += offset
        return np.asarray(floats)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int = 0) -> Array:
        """Outputs for every picture. Shapes: x (M, H, W, C) -> (M, classes)."""
        images = build_for(self, x)
        check_range(images, self.trained_on, self.name)
        capacity = min(256 if batch_size is None else positive_int(batch_size, "predict: batch_size"), len(images))
        if batch_size is None and capacity > 1:
            capacity = min(capacity, PREDICT_BYTES // max(self.outline().activation_bytes, 1))
        return self._predictor.run(
            self.layers, self.parameters, images, self.scaled, input_shape=self.input_shape, capacity=max(capacity, 1)
        )

    # Training

    def compile(
        self,
        optimizer: str | Optimizer = "adam",
        loss: str | Loss | None = None,
        metrics: str | Sequence[str] | None = None,
    ) -> None:
        """Choose optimizer and loss, by name or object. Keras's name for the metric, "accuracy", is measured anyway."""
        for metric in [metrics] if isinstance(metrics, str) else metrics or ():
            if metric not in ("accuracy", "acc"):
                raise ConfigError(
                    f"metrics={metric!r} is not measured in training; use pellucid.metrics on predictions"
                )
        self._optimizer = optimizers.get(optimizer)
        self._loss = losses.get("categorical_crossentropy" if loss is None else loss)
        self.slots, self.optimizer_step = {}, 0

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
        return {"optimizer": self._optimizer.config(), "loss": self._loss.config()}

    def prepare_slots(self) -> None:
        """Make the optimizer's moments fit the trainable parameters, keeping those there are."""
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
    ) -> History:
        """Train on pictures x with labels y; returns one number an epoch of everything measured, under Keras's names.

        Shapes: x (M, H, W, C); y (M,) or (M, 1) class numbers, or (M, classes); sample_weight (M,).
        verbose: 0 for silence, 1 or "auto" for a bar (plain lines where the output is no terminal), 2 for plain lines.
        validation_split: a stratified, seeded part of the pictures (Keras takes the last ones), held out.
        Errors: DataError for labels that do not fit the pictures or the classes; DivergedError for a loss that is no
        number.
        """
        self._compiled()
        listeners = standardize_listeners(callbacks)
        if verbose not in (0, 1, 2, "auto"):
            raise ConfigError(f'verbose must be 0, 1, 2 or "auto", got {verbose!r}')
        config = TrainConfig(epochs, 32 if batch_size is None else batch_size, shuffle=bool(shuffle), seed=self.seed)
        examples, held = make_examples(
            self, x, y, class_weight, sample_weight, validation_split=validation_split, validation_data=validation_data
        )
        self.trained_on.setdefault("range", input_range(examples.images))
        if verbose:
            listeners.append(Progress(sys.stdout, bar=verbose != 2))
        self.prepare_slots()
        try:
            return Trainer(self, examples, config, validation=held, listeners=listeners).run()
        finally:
            for listener in listeners:
                if isinstance(listener, Progress):
                    listener.close()

    def evaluate(
        self, x: Any, y: Any, batch_size: int | None = 32, verbose: int | str = "auto", sample_weight: Any = None
    ) -> Evaluation:
        """Mean loss and accuracy over pictures x with labels y."""
        self._compiled()
        examples, _ = make_examples(self, x, y, None, sample_weight)
        check_range(examples.images, self.trained_on, self.name)
        result = Evaluation(evaluate(self, examples, 32 if batch_size is None else batch_size))
        if verbose:
            print(f"{len(examples):,} pictures: {result}")
        return result

    # Looking and keeping

    def outline(self) -> Summary:
        """Rows and totals as an object whose `str()` is the table."""
        return summarize(self.name, self.input_shape, self.layers)

    def memory(self, batch_size: int = 32) -> MemorySummary:
        """What training and prediction in such batches will take, before they run; with Adam if not compiled."""
        count = positive_int(batch_size, "batch_size")
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

    def summary(self, print_fn: Callable[[str], object] = print, *, batch_size: int = 32) -> None:
        """Print the table of layers: output shape, kernel, parameters, MACs, receptive field, memory."""
        print_fn(f"{self.name}\n{self.outline()}\n{self.memory(batch_size)}")

    def save(self, path: str | Path) -> None:
        """Write the model file; `pellucid.load` reads it back."""
        from pellucid import model_file

        model_file.save(self, Path(path))

    # Inside

    def _build_layer(self, layer: Layer, shape: Shape) -> Shape:
        """What comes out of a layer for this input; makes its weights if it has none."""
        if not layer.built:
            layer.ensure_built(shape, np.random.default_rng([self.seed, layer.position or 0]))
        return layer.output_shape(shape)

    def _shape_after(self, layers: Sequence[Layer]) -> Shape | None:
        shape = self._input_shape
        for layer in layers:
            if shape is None:
                return None
            shape = layer.output_shape(shape)
        return shape

    def _forget_layout(self) -> None:
        self._predictor.forget()
        self._changes += 1
        self._laid_out = False

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A twin with layers and parameters of its own, as far trained as this one."""
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        memo[id(self._predictor)] = Predictor()
        if self.built:
            memo[id(self.parameters)] = None  # laid out anew, in the same order
        twin.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items()})
        for layer in twin.layers:
            layer.owner = weakref.ref(twin)
        return twin
