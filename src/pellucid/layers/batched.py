"""What Keras's programs ask of a layer besides: shapes that count the batch, and its arguments as a config."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import numpy as np

from pellucid._arguments import made, several
from pellucid.errors import ConfigError, shown
from pellucid.layers.config import config_of
from pellucid.ops.geometry import Shape, standardize_shape

if TYPE_CHECKING:
    from pellucid.layers.layer import Layer

FREE_SIDE, OTHER_SIDE = 224, 256
"""What stands for an axis whose size is not known; what differs between the two depends on it."""


def stated_shape(given: Any, where: str) -> tuple[Shape | None, tuple[int | None, ...] | None]:
    """What a layer is told of its input's shape: where all sizes are known; where some are None, which take any.

    Errors: ConfigError for anything else.
    """
    if given is None or not (isinstance(given, list | tuple) and None in given):
        return None if given is None else standardize_shape(given, where), None
    standardize_shape([FREE_SIDE if size is None else size for size in given], where)
    return None, tuple(given)


class Batched:
    """Of a layer."""

    supports_masking: ClassVar[bool] = False
    hands_on: ClassVar[bool] = False
    """Whether **kwargs of its constructor are known to go to Keras's: name and trainable."""

    @property
    def dtype(self) -> str:
        """Of all numbers."""
        return "float32"

    compute_dtype = variable_dtype = dtype

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """What comes out. Shapes: with the batch axis; None for a size that is not known; a list where it merges."""
        layer, shapes = cast("Layer", self), _each(input_shape)
        found, other = (layer.output_of([_sizes(shape, side) for shape in shapes]) for side in (FREE_SIDE, OTHER_SIDE))
        return shapes[0][0], *(a if a == b else None for a, b in zip(found, other, strict=True))

    def config(self) -> dict[str, Any]:
        """The constructor's arguments, ready for JSON; `layers.from_config` makes the same layer again.

        Reads, for each parameter of `__init__`, the attribute of that name.
        Errors: ConfigError for a layer of your own that keeps an argument under another name, or takes *args, **kwargs.
        """
        return config_of(cast("Layer", self))

    def get_config(self) -> dict[str, Any]:
        """The arguments that `from_config` makes the same layer of, sizes as tuples; one of your own adds its own."""
        arguments = self.config()
        del arguments["type"]
        kept = {name: value for name, value in arguments.items() if name != "input_shape" or value is not None}
        return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The layer that `get_config` described; it has no weights yet. Errors: ConfigError for other arguments."""
        layer: Self = made(cls, dict(config), cls.__name__)
        return layer


def either_way(build: Callable[..., None]) -> Callable[..., None]:
    """A layer's build(input_shape, rng), or Keras's: build(input_shape) with the batch axis in it."""
    if list(inspect.signature(build).parameters) != ["self", "input_shape", "rng"]:
        return build

    @functools.wraps(build)
    def called(self: Any, input_shape: Any, rng: np.random.Generator | None = None) -> None:
        if rng is not None:
            build(self, input_shape, rng)
            return
        sizes = [_sizes(shape, FREE_SIDE) for shape in _each(input_shape)]
        self.ensure_built(sizes if self.merges else sizes[0], np.random.default_rng(0))

    return called


def _each(given: Any) -> list[tuple[Any, ...]]:
    """One shape, or each of a list of them. Errors: ConfigError for what is no shape with a batch axis."""
    shapes = several(given, "input_shape")
    if not all(isinstance(shape, Sequence) and not isinstance(shape, str) for shape in shapes):
        shapes = [tuple(shapes)]
    if not shapes or any(len(shape) < 2 for shape in shapes):
        raise ConfigError(f"input_shape: expected (batch, ...), e.g. (None, 28, 28, 1), got {shown(given)}")
    return [tuple(shape) for shape in shapes]


def _sizes(shape: Sequence[Any], side: int) -> Shape:
    """A shape without its batch axis, `side` for what is not known."""
    return tuple(side if size is None else size for size in shape[1:])
