"""What every metric is: sums over pictures that come in batches, and the number that is made of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from pellucid._fixed import Fixed, Taken, config_of, is_float32
from pellucid.autodiff import tensor
from pellucid.errors import ConfigError, DataError, shown
from pellucid.losses.loss import Number
from pellucid.ops import Array, real_array


class Variable(np.ndarray[Any, Any]):
    """A number, or an array of them, that a metric of one's own changes as in Keras: by `assign` and `assign_add`."""

    def assign(self, value: Any) -> Variable:
        """Take this value."""
        self[...] = np.asarray(value)
        return self

    def assign_add(self, value: Any) -> Variable:
        """Add this value."""
        return self.assign(np.add(self, np.asarray(value)))

    def numpy(self) -> Array:
        """The value as an array of its own."""
        return np.array(self)


class Metric(Fixed):
    """Sums over batches: `update_state(y_true, y_pred)` adds one, `result()` is the number so far.

    One of your own writes these two, as in Keras, and makes its sums by `add_weight`.
    name: under which it is recorded; by default its class's. Keras's `dtype` at its default changes nothing.
    """

    taken: ClassVar[Mapping[str, Taken]] = {
        "dtype": is_float32,
        "label_weights": lambda value: value is None,
        "axis": lambda value: type(value) is int and value == -1,
    }
    named: ClassVar[str] = ""
    """The name by default, where it is not the class's."""
    takes_rows: ClassVar[bool] = True
    """Whether labels that `fit` was given as rows, one-hot, come as rows, or as the class numbers that losses keep."""

    def __init__(self, name: str | None = None) -> None:
        if not (name is None or (isinstance(name, str) and name)):
            raise ConfigError(f"{type(self).__name__}: name must be a word, got {shown(name)}")
        self.name = name or self.named or snake_case(type(self).__name__)
        self._variables: dict[str, Variable] = {}

    def __init_subclass__(cls) -> None:
        if "result" in cls.__dict__:  # so that programs may call `numpy()` on what it gives
            cls.result = _with_numpy(cls.__dict__["result"])  # type: ignore[method-assign, assignment]

    def add_weight(self, name: str | None = None, shape: Any = (), initializer: Any = "zeros", **_: Any) -> Variable:
        """A sum of this shape, which begins at 0, in float64. Errors: ConfigError for another beginning."""
        if initializer not in ("zeros", "zero", None) and not type(initializer).__name__.lower().startswith("zero"):
            raise ConfigError(
                f'{self.name}: sums of a metric begin at 0, got initializer={shown(initializer)}; "zeros"'
            )
        made = np.zeros((shape,) if isinstance(shape, int) else tuple(shape)).view(Variable)
        self._variables[name or f"sum_{len(self._variables)}"] = made
        return made

    def add_variable(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: Any = None
    ) -> Variable:
        """`add_weight` with Keras 3's order of arguments."""
        return self.add_weight(name, shape, initializer)

    @property
    def sums(self) -> Mapping[str, Variable]:
        """The sums by name."""
        return self._variables

    @property
    def variables(self) -> list[Variable]:
        """The sums."""
        return list(self._variables.values())

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch. Shapes: y_true in any form that `fit` takes; y_pred (N,...,K); sample_weight (N,) or (N, 1)."""
        raise NotImplementedError(f"{type(self).__name__} has no update_state(y_true, y_pred, sample_weight=None)")

    def result(self) -> Any:
        """The number, of all batches since `reset_state`."""
        raise NotImplementedError(f"{type(self).__name__} has no result()")

    def reset_state(self) -> None:
        """Begin anew."""
        for variable in self._variables.values():
            variable[...] = 0

    def reset_states(self) -> None:
        """`reset_state` by its older name."""
        self.reset_state()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Add a batch; the number so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def config(self) -> dict[str, Any]:
        """What `metrics.get` turns back into this metric, ready for JSON."""
        return config_of(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def _with_numpy(result: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @functools.wraps(result)
    def found(self: Any) -> Any:
        value = result(self)
        return Number(value) if isinstance(value, float) else tensor(value) if type(value) is np.ndarray else value

    return found


def snake_case(name: str) -> str:
    """A class's name as Keras names its objects.

    >>> snake_case("SparseTopKCategoricalAccuracy"), snake_case("AUC")
    ('sparse_top_k_categorical_accuracy', 'auc')
    """
    apart = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", apart).lower()


def pair(metric: Metric, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Labels and answers as arrays of numbers, answers with an axis of units.

    Errors: DataError for anything else, and for another number of labels than answers.
    """
    t, y = real_array(y_true, f"{metric.name}: y_true"), real_array(y_pred, f"{metric.name}: y_pred")
    if y.ndim == 0 or t.ndim == 0 or len(t) != len(y):
        raise DataError(
            f"{metric.name}: y_true {t.shape} and y_pred {y.shape} must have one entry each for each picture"
        )
    return t, y[:, None] if y.ndim == 1 else y


def as_rows(metric: Metric, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Both as float64 of one shape, class numbers as one-hot rows. Shapes: (N,...,K).

    Errors: DataError for shapes that do not fit.
    """
    t, y = pair(metric, y_true, y_pred)
    y = y.astype(np.float64)
    units = y.shape[-1]
    numbered = t[..., 0] if t.ndim == y.ndim and t.shape[-1] == 1 else t
    if units > 1 and numbered.shape == y.shape[:-1]:
        return np.equal(numbered[..., None], np.arange(units)).astype(np.float64), y
    if t.shape == y.shape[:-1] and units == 1:
        t = t[..., None]
    if t.shape != y.shape:
        raise DataError(f"{metric.name}: y_true {t.shape} does not fit y_pred {y.shape}")
    return t.astype(np.float64), y


def as_numbers(metric: Metric, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Class numbers of labels, and the answers as rows. Shapes: (N,...), (N,...,K).

    Errors: DataError for shapes that do not fit.
    """
    t, y = pair(metric, y_true, y_pred)
    if t.ndim == y.ndim:
        t = t[..., 0] if t.shape[-1] == 1 else t.argmax(axis=-1)
    if t.shape != y.shape[:-1]:
        raise DataError(f"{metric.name}: labels {t.shape} do not fit y_pred {y.shape}")
    return t, y


def weights_for(sample_weight: Any, values: Array) -> Array:
    """A weight for each value; 1 where none are given. Shapes: sample_weight (N,), (N, 1) or as values (N,...)."""
    if sample_weight is None:
        return np.ones(values.shape)
    given = np.asarray(sample_weight, np.float64)
    if given.ndim > 1 and given.shape[-1] == 1 and given.ndim > values.ndim:
        given = given[..., 0]
    if given.ndim and given.shape[0] not in (1, len(values)):
        raise DataError(f"{len(values)} pictures but {len(given)} weights; give one to each picture")
    if given.ndim > values.ndim:  # of what is a mean already
        given = given.mean(axis=tuple(range(values.ndim, given.ndim)))
    return np.broadcast_to(given.reshape(given.shape + (1,) * (values.ndim - given.ndim)), values.shape)
