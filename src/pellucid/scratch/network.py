"""What the book's networks share: parameters by name, each at home in a layer."""

from __future__ import annotations

import math
import os
import pickle
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, ShapeError, unknown_name
from pellucid.ops import Array, Shape
from pellucid.scratch.gradient import numerical_gradient
from pellucid.scratch.layers import Dropout
from pellucid.scratch.layout import as_floats
from pellucid.scratch.losses import SoftmaxWithLoss
from pellucid.scratch.merged import Link, links
from pellucid.scratch.normalization import BatchNormalization

__all__ = ["LayeredNetwork"]

_GAINS = {"he": 2.0, "relu": 2.0, "xavier": 1.0, "sigmoid": 1.0}


class LayeredNetwork:
    """Layers behind each other and a loss; what stands in `params` counts, changed in place or replaced.

    homes: for each parameter, the place of its layer in `layers` and its name there ("W1": ("Conv1", "W")).
    """

    def __init__(self, params: dict[str, Array], layers: Any, homes: Mapping[str, tuple[Any, str]]) -> None:
        self.params = params
        self.layers: Any = layers
        self.last_layer = SoftmaxWithLoss()
        self._homes = homes
        self._chain: Sequence[Link] | None = None

    def _scores(self, x: Any, train_flg: bool | None = None) -> Array:
        """What the layers make of x. train_flg: for those that work otherwise in training; None: as they do unasked."""
        self._bind()
        chain = links(self._in_order())
        for link in chain:
            if train_flg is not None and isinstance(link, Dropout | BatchNormalization):
                x = link.forward(x, train_flg)
            else:
                x = link.forward(x)
        self._chain = chain
        return np.asarray(x)

    def predict(self, x: Any) -> Array:
        """Scores (N, output_size), before softmax."""
        return self._scores(x)

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy of a batch."""
        return self.last_layer.forward(self.predict(x), t)

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by back-propagation."""
        self._chain = None
        self._training_loss(x, t)
        # without a chain somebody's own `predict` ran, through the layers themselves
        chain: Sequence[Link] = self._in_order() if self._chain is None else self._chain
        dout: Any = self.last_layer.backward()
        for link in reversed(chain):
            dout = link.backward(dout)
        return {key: getattr(self.layers[place], f"d{name}") for key, (place, name) in self._homes.items()}

    def numerical_gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by differences of the loss, in float64. Slow: two passes a weight."""
        x = as_floats(self, x)
        return {key: numerical_gradient(lambda _: self._training_loss(x, t), self.params[key]) for key in self._homes}

    def _training_loss(self, x: Any, t: Any) -> float:
        """The loss whose gradient is wanted."""
        return self.loss(x, t)

    def _in_order(self) -> list[Any]:
        return list(self.layers.values() if isinstance(self.layers, Mapping) else self.layers)

    def _bind(self) -> None:
        """The layers work on what stands in `params`."""
        places = self.layers if isinstance(self.layers, Mapping) else range(len(self.layers))
        for key, (place, name) in self._homes.items():
            if place in places:
                setattr(self.layers[place], name, self.params[key])


class PlainNetwork(LayeredNetwork):
    """One whose passes are in the dtype that NumPy has for x and the weights together, and that is judged at once."""

    def predict(self, x: Any) -> Array:
        """Scores (N, output_size), before softmax."""
        return self._scores(self._in_precision(x))

    def accuracy(self, x: Any, t: Any) -> float:
        """The share of examples whose largest score is that of t, a label or a row."""
        return share_right(self.predict, x, t, max(len(x), 1))

    def _in_precision(self, x: Any) -> Array:
        rows = as_floats(self.predict, x)
        return rows.astype(np.result_type(rows, *self.params.values()), copy=False)


class SavedNetwork(LayeredNetwork):
    """One that is kept as a pickle, and is judged in batches."""

    def accuracy(self, x: Any, t: Any, batch_size: int = 100) -> float:
        """The share of pictures whose largest score is that of t, a label or a row."""
        return share_right(self.predict, x, t, batch_size)

    def save_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Writes `params` as a pickle of a dict of arrays, which the book's own code reads.

        Errors: CheckpointError if it cannot be written; what stood there before then still does.
        """
        from pellucid.files.atomic import replacing

        with replacing(file_name) as file:
            pickle.dump({key: np.array(value) for key, value in self.params.items()}, file)

    def load_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Reads a pickle of `save_params` or of the book; nothing in it is run.

        Looked for where the process works, then beside the program that runs: the book looks beside its own module.
        Errors: DataError if it cannot be read, asks to run something, or holds other arrays than this network.
        """
        from pellucid.files import safe_pickle

        loaded = safe_pickle.load(found(Path(file_name)))
        wrong = _mismatches(loaded, self.params)
        if wrong:
            raise DataError(f"{file_name}: {'; '.join(wrong)}; make the network with the sizes that it was saved with")
        self.params.update((key, loaded[key]) for key in self.params)
        self._bind()


def share_right(predict: Callable[[Any], Array], x: Any, t: Any, batch_size: int) -> float:
    """The share of x whose largest score is that of t, a label or a row, counting the last, smaller batch.

    Errors: ShapeError unless there is a label for each, and something to judge.
    """
    labels = np.asarray(t)
    if labels.ndim == 2:
        labels = labels[:, 0] if labels.shape[1] == 1 else labels.argmax(axis=1)
    if len(labels) != len(x) or not len(x) or batch_size < 1:
        raise ShapeError(
            f"accuracy needs pictures, a label for each, and batches of at least 1; "
            f"got {len(x)} pictures, {len(labels)} labels, batch_size {batch_size}"
        )
    right = 0
    for start in range(0, len(x), batch_size):
        part = slice(start, start + batch_size)
        right += int(np.count_nonzero(predict(x[part]).argmax(axis=1) == labels[part]))
    return right / len(x)


def spread(weight_init_std: float | str, shape: Shape) -> float:
    """The standard deviation of the first weights: a number, or a word for what fits so many inputs.

    Errors: ConfigError for an unknown word.
    """
    if not isinstance(weight_init_std, str):
        return weight_init_std
    if weight_init_std.lower() not in _GAINS:
        raise unknown_name("weight_init_std", weight_init_std, _GAINS)
    inputs = shape[0] if len(shape) == 2 else math.prod(shape[1:])
    return math.sqrt(_GAINS[weight_init_std.lower()] / inputs)


def drawn(shapes: Mapping[str, Shape], weight_init_std: float | str, dtype: Any = float) -> dict[str, Array]:
    """Weights W1, W2, ... from np.random, and biases b1, b2, ... of zeros, one a unit or filter.

    Errors: ConfigError for a size below 1.
    """
    if min(min(shape) for shape in shapes.values()) < 1:
        raise ConfigError(f"every size must be at least 1, got weights of {', '.join(map(str, shapes.values()))}")
    params: dict[str, Array] = {}
    for key, shape in shapes.items():
        params[key] = (spread(weight_init_std, shape) * np.random.randn(*shape)).astype(dtype)
        params[f"b{key[1:]}"] = np.zeros(shape[1] if len(shape) == 2 else shape[0], dtype)
    return params


def homes(places: Sequence[Any]) -> dict[str, tuple[Any, str]]:
    """W1 and b1 live in the first of these layers, W2 and b2 in the second, ..."""
    return {f"{name}{number}": (place, name) for number, place in enumerate(places, 1) for name in ("W", "b")}


def found(path: Path) -> Path:
    """A relative path where the process works, else beside the program that runs."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    if program is not None and not path.exists() and (beside := Path(program).parent / path).exists():
        return beside
    return path


def _mismatches(loaded: Any, params: Mapping[str, Array]) -> list[str]:
    """What a pickle lacks, or has otherwise, in words."""
    if not isinstance(loaded, dict):
        return [f"expected a dict of {', '.join(params)}, got {type(loaded).__name__}"]
    wrong = [f"{key!r} is not of this network" for key in loaded if key not in params]
    for key, own in params.items():
        value = loaded.get(key)
        if value is None:
            wrong.append(f"{key} is missing")
        elif not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            wrong.append(f"{key} is no array of floats but {getattr(value, 'dtype', type(value).__name__)}")
        elif value.shape != own.shape:
            wrong.append(f"{key} is {value.shape}, this network's {own.shape}")
    return wrong
