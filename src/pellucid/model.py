"""Sequential: layers in a row, with Keras's habits. Numbers are computed by plans, training by the trainer."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import losses, optimizers
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, ShapeError
from pellucid.inputs import check_range, input_range, make_examples, standardize_images
from pellucid.layers import Input, Layer
from pellucid.layers.layer import snake_case, standardize_shape
from pellucid.losses import Loss
from pellucid.ops.geometry import Array, Shape
from pellucid.optimizers import Optimizer
from pellucid.parameters import FlatParameters
from pellucid.plan import InferencePlan
from pellucid.summary import Summary, summarize
from pellucid.train import History, Listener, Progress, TrainConfig, Trainer, evaluate

PREDICT_BYTES = 256 * 2**20
"""What predict may use for activations when it picks a batch size itself."""


class Evaluation:
    """What `evaluate` found: unpacks as numbers (loss, accuracy), and answers `["accuracy"]` and `["loss"]`."""

    def __init__(self, logs: dict[str, float]) -> None:
        self._logs = dict(logs)

    def __iter__(self) -> Iterator[float]:
        return iter(self._logs.values())

    def __len__(self) -> int:
        return len(self._logs)

    def __getitem__(self, key: str | int) -> float:
        return self._logs[key] if isinstance(key, str) else list(self._logs.values())[key]

    def keys(self) -> list[str]:
        """Names of the numbers, in order."""
        return list(self._logs)

    def __repr__(self) -> str:
        return ", ".join(f"{name} {value:.4f}" for name, value in self._logs.items())


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

    def __init__(self, layers: Sequence[Layer] | None = None, name: str = "sequential", *, seed: int = 0) -> None:
        self.name, self.seed = name, seed
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
        self._inference: InferencePlan | None = None
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
        if not self.layers and self._input_shape is None:
            self._input_shape = layer.input_shape
        self._name(layer)
        layer.position = len(self.layers)
        layer.fed_by = self.layers[-1].name if self.layers else None
        shape = self._shape_after(self.layers)
        if shape is not None:
            layer.ensure_built(shape, np.random.default_rng([self.seed, layer.position]))
            layer.output_shape(shape)
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
        raise ConfigError(f"{self.name} has no layer {name!r}; it has {', '.join(layer.name for layer in self.layers)}")

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Make every layer's weights. Shapes: without the batch axis, or with None in front of it, as Keras has it."""
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
        for i, layer in enumerate(self.layers):
            layer.ensure_built(shape, np.random.default_rng([self.seed, i]))
            shape = layer.output_shape(shape)

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
            self.slots = new.carry_over(self.slots, old)
        self._parameters, self._laid_out, self._inference = new, True, None
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
        start = 0
        for layer, number in zip(self.layers, counts, strict=True):
            if number:
                layer.set_weights(weights[start : start + number])
            start += number

    # Use

    def __call__(self, x: Any) -> Array:
        """Every layer in turn on a batch of floats, as in use; never scales."""
        y = np.ascontiguousarray(x, np.float32)
        if self._input_shape is None and self.layers:
            self.build(y.shape[1:])
        for layer in self.layers:
            y = layer(y)
        return y

    def scaled(self, images: Any) -> Array:
        """Pictures as the first layer gets them: uint8 scaled by `preprocessing`, floats as they are."""
        pictures = standardize_images(images, self._input_shape, self.name)
        if pictures.dtype != np.uint8:
            return np.ascontiguousarray(pictures, np.float32)
        scale, offset = self.preprocessing.scale_offset(pictures.shape[-1])
        return np.asarray(pictures * scale + offset)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int = 0) -> Array:
        """Outputs for every picture. Shapes: x (M, H, W, C) -> (M, classes)."""
        images = standardize_images(x, self._input_shape, self.name)
        self.build(images.shape[1:] if self._input_shape is None else None)
        check_range(images, self.trained_on, self.name)
        plan = self._inference_plan(batch_size, len(images))
        outputs = np.empty((len(images), *plan.outputs.shape[1:]), np.float32)
        for start in range(0, len(images), plan.capacity):
            batch = self.scaled(images[start : start + plan.capacity])
            plan.inputs[: len(batch)] = batch
            outputs[start : start + len(batch)] = plan.run(len(batch))
        return outputs

    def _inference_plan(self, batch_size: int | None, count: int) -> InferencePlan:
        parameters = self.parameters
        if batch_size is None:
            batch_size = max(1, min(256, PREDICT_BYTES // max(self.outline().activation_bytes, 1), count))
        if self._inference is None or self._inference.capacity != batch_size:
            self._inference = InferencePlan(self.layers, parameters, input_shape=self.input_shape, capacity=batch_size)
        return self._inference

    # Training

    def compile(
        self, optimizer: str | Optimizer = "adam", loss: str | Loss | None = None, metrics: Sequence[str] | None = None
    ) -> None:
        """Choose optimizer and loss, by name or object. Keras's name for the metric, "accuracy", is measured anyway."""
        for metric in metrics or ():
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
        batch_size: int = 32,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Listener] | None = None,
        validation_split: float = 0.0,
        validation_data: tuple[Any, ...] | None = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | str | None = None,
        sample_weight: Any = None,
    ) -> History:
        """Train on pictures x with labels y; returns one number an epoch of everything measured, under Keras's names.

        Shapes: x (M, H, W, C); y (M,) or (M, 1) class numbers, or (M, classes); sample_weight (M,).
        validation_split: a stratified, seeded part of the pictures (Keras takes the last ones), held out.
        Errors: DataError for labels that do not fit the pictures or the classes; DivergedError for a loss that is no
        number.
        """
        self._compiled()
        config = TrainConfig(
            epochs=epochs, batch_size=batch_size, shuffle=shuffle, seed=self.seed, class_weight=class_weight
        )
        examples, held = make_examples(
            self, x, y, class_weight, sample_weight, validation_split=validation_split, validation_data=validation_data
        )
        self.trained_on.setdefault("range", input_range(examples.images))
        listeners = list(callbacks or ())
        if verbose:
            listeners.append(Progress(file=sys.stdout))
        self.prepare_slots()
        try:
            return Trainer(self, examples, config, validation=held, listeners=listeners).run()
        finally:
            for listener in listeners:
                if isinstance(listener, Progress):
                    listener.close()

    def evaluate(
        self, x: Any, y: Any, batch_size: int = 32, verbose: int | str = "auto", sample_weight: Any = None
    ) -> Evaluation:
        """Mean loss and accuracy over pictures x with labels y."""
        self._compiled()
        examples, _ = make_examples(self, x, y, None, sample_weight)
        check_range(examples.images, self.trained_on, self.name)
        result = Evaluation(evaluate(self, examples, batch_size))
        if verbose:
            print(f"{len(examples):,} pictures: {result}")
        return result

    # Looking and keeping

    def outline(self) -> Summary:
        """Rows and totals as an object whose `str()` is the table."""
        return summarize(self.name, self.input_shape, self.layers)

    def summary_data(self) -> dict[str, Any]:
        """The summary as plain data."""
        return self.outline().to_json()

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the table of layers: output shape, kernel, parameters, MACs, receptive field, memory."""
        print_fn(f"{self.name}\n{self.outline()}")

    def save(self, path: str | Path) -> None:
        """Write the model file; `pellucid.load` reads it back."""
        from pellucid import model_file

        model_file.save(self, Path(path))

    # Inside

    def _name(self, layer: Layer) -> None:
        taken = {other.name for other in self.layers}
        if layer.auto_named:
            base, number = snake_case(type(layer).__name__), 0
            while (name := base if number == 0 else f"{base}_{number}") in taken:
                number += 1
            layer.name = name
        elif layer.name in taken:
            raise ConfigError(f"{self.name} has a layer {layer.name!r} already; give this one another name")

    def _shape_after(self, layers: Sequence[Layer]) -> Shape | None:
        shape = self._input_shape
        for layer in layers:
            if shape is None:
                return None
            shape = layer.output_shape(shape)
        return shape

    def _forget_layout(self) -> None:
        self._inference = None
        self._changes += 1
        self._laid_out = False
