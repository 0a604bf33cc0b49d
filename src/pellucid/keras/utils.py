"""Keras's utilities."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, shown
from pellucid.keras.backend import standardize_dtype
from pellucid.keras.config import disable_interactive_logging, enable_interactive_logging
from pellucid.keras.described import deserialize as deserialize_keras_object
from pellucid.keras.described import serialize as serialize_keras_object
from pellucid.keras.directory import image_dataset_from_directory
from pellucid.keras.fetching import get_file
from pellucid.keras.nesting import clear_session
from pellucid.keras.older import renamed
from pellucid.keras.pictures import array_to_img, img_to_array, load_img, save_img
from pellucid.keras.registered import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)
from pellucid.keras.seeds import set_random_seed
from pellucid.keras.tensor import InputLayer, KerasTensor
from pellucid.keras.windows import timeseries_dataset_from_array
from pellucid.keras.words import pad_sequences
from pellucid.ops import Array, real_array

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "image_dataset_from_directory",
    "img_to_array",
    "is_keras_tensor",
    "load_img",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "serialize_keras_object",
    "set_random_seed",
    "standardize_dtype",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]  # fmt: skip


class PyDataset:
    """Numbered batches of one's own: write `__len__` and `__getitem__(number)`, and `on_epoch_end` if you like.

    workers, use_multiprocessing and max_queue_size change nothing.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __len__(self) -> int:
        """Batches of an epoch."""
        raise NotImplementedError(f"{type(self).__name__} has no __len__()")

    def __getitem__(self, index: int) -> Any:
        """A batch (x, y) or (x, y, sample_weight)."""
        raise NotImplementedError(f"{type(self).__name__} has no __getitem__(index)")

    @property
    def num_batches(self) -> int:
        """Batches of an epoch; programs may set what their `__len__` says."""
        count: int | None = self.__dict__.get("num_batches")
        return len(self) if count is None else count

    @num_batches.setter
    def num_batches(self, count: int) -> None:
        self.__dict__["num_batches"] = count

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))


Sequence = PyDataset


@renamed(y="x", nb_classes="num_classes")
def to_categorical(x: Any, num_classes: int | None = None) -> Array:
    """Class numbers as one-hot rows. Shapes: (...) or (..., 1) -> (..., classes) float32.

    Errors: DataError for numbers that are no class.
    """
    numbers = real_array(x, "to_categorical: x")
    shape = numbers.shape[:-1] if numbers.ndim > 1 and numbers.shape[-1] == 1 else numbers.shape
    flat = numbers.reshape(-1).astype(np.int64)
    classes = int(flat.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    if flat.size and (flat.min() < 0 or flat.max() >= classes):
        raise DataError(f"to_categorical: numbers run from {flat.min()} to {flat.max()}, expected 0 to {classes - 1}")
    rows = np.zeros((flat.size, classes), np.float32)
    rows[np.arange(flat.size), flat] = 1
    return rows.reshape(*shape, classes)


def is_keras_tensor(x: Any) -> bool:
    """Whether it is a network's value."""
    return isinstance(x, KerasTensor | InputLayer)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What of these is given, as `fit` takes a batch."""
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of a batch, None for what is not there. Errors: ConfigError for more than three."""
    parts = tuple(data) if isinstance(data, list | tuple) else (data,)
    if len(parts) > 3:
        raise ConfigError(f"a batch is x, (x, y) or (x, y, sample_weight), got {len(parts)} parts")
    return (*parts, None, None)[:3]


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """Numbers divided by their length along an axis; 0 stays 0."""
    array = np.atleast_1d(real_array(x, "normalize: x"))
    length = np.atleast_1d(np.linalg.norm(array, order, axis))
    length[length == 0] = 1
    return np.asarray(array / np.expand_dims(length, axis))


class Progbar:
    """A line that says how far something is, written anew by `update(current, values)`."""

    def __init__(
        self, target: int | None, width: int = 20, verbose: int = 1, interval: float = 0.05,
        stateful_metrics: Any = None, unit_name: str = "step",
    ) -> None:  # fmt: skip
        self.target, self._width, self._verbose = target, width, verbose
        self._sums: dict[str, list[float]] = {}
        self._seen = 0
        self._last = set(stateful_metrics or ())

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """So much is done; values: (name, value) pairs, of which means are shown."""
        for name, value in values or ():
            mean = self._sums.setdefault(name, [0.0, 0.0])
            new = max(current - self._seen, 1)
            if name in self._last:
                mean[:] = float(value), 1.0
            else:
                mean[:] = mean[0] + float(value) * new, mean[1] + new
        self._seen = current
        if not self._verbose:
            return
        done = bool(finalize) or (self.target is not None and current >= self.target)
        share = current / self.target if self.target else 0.0
        bar = "=" * int(self._width * share)
        shown_ = "".join(f" - {name}: {total / count:.4f}" for name, (total, count) in self._sums.items())
        text = f"{current}/{self.target or '?'} [{bar:<{self._width}}]{shown_}"
        sys.stdout.write(f"\r{text}{chr(10) if done else ''}")
        sys.stdout.flush()

    def add(self, n: int, values: Any = None) -> None:
        """So much more is done."""
        self.update(self._seen + n, values)


def plot_model(model: Any, to_file: Any = "model.png", *_: Any, **__: Any) -> None:
    """Draw a network's layers into a file; how Keras would draw them changes nothing.

    Errors: ConfigError for a network that is not built.
    """
    model_to_dot(model).write(to_file)


plot = plot_model


def model_to_dot(model: Any, *_: Any, **__: Any) -> _Drawing:
    """The drawing of `plot_model`; Graphviz is not needed.

    Errors: ConfigError for a network that is not built.
    """
    if not model.built:
        raise ConfigError(f"plot_model: {shown(model)} is not built; give its first layer an input_shape")
    return _Drawing(model)


class _Drawing:
    """A network's layers, drawn: `create(format="svg")` gives the bytes of a file, `write(path)` writes one."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def write(self, path: Any, prog: Any = None, format: str | None = None) -> None:
        """Into a file, or a stream of bytes. format: by default by the file's ending."""
        from pellucid import visualise

        visualise.architecture_figure(self._model).savefig(path, format=None if format == "raw" else format)

    def create(self, prog: Any = None, format: str = "png") -> bytes:
        """The bytes of a file."""
        stream = io.BytesIO()
        self.write(stream, format=format)
        return stream.getvalue()
