"""Layers that bring pictures to the numbers and the size a network takes: scaling, normalising, cutting, resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import flag
from pellucid._fixed import Fixed, Taken
from pellucid.errors import ConfigError, ShapeError, expect_known, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array, Shape, real_array
from pellucid.ops.geometry import LARGEST, MAX_SIDE, expect_numbers, number, whole


class Affine(Layer):
    """y = x * scale + offset, in each channel; nothing of it is trained."""

    supports_masking = True
    role = "rescaling"
    takes_one = True

    def scale_offset(self) -> tuple[Array, Array]:
        """Both as float64, one number or one a channel."""
        raise NotImplementedError

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        scale, offset = (each.astype(x.dtype) for each in self.scale_offset())
        return np.asarray(x * scale + offset), scale

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return np.asarray(dy * cache) if need_dx else None, {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        scale, offset = self.scale_offset()
        return x * scale + offset


class Rescaling(Affine):
    """y = x * scale + offset, in use and in training; one number each, or one a channel.

    Shapes: any, unchanged.
    Errors: ConfigError for anything but numbers.
    """

    caption = ("rescale",)

    def __init__(
        self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, **named: Unpack[Named]
    ) -> None:
        super().__init__(**named)
        self.scale, self.offset = _numbers(scale, "Rescaling: scale"), _numbers(offset, "Rescaling: offset")

    def scale_offset(self) -> tuple[Array, Array]:
        return np.asarray(self.scale, np.float64), np.asarray(self.offset, np.float64)

    def output_shape(self, input_shape: Shape) -> Shape:
        for each in self.scale_offset():
            if each.size not in (1, *input_shape[-1:]):
                raise ShapeError(f"{self.place()} has {each.size} numbers, got {input_shape[-1]} channels")
        return tuple(input_shape)

    def detail(self) -> str:
        return "" if isinstance(self.scale, tuple) else f"{self.scale:.4g}"


class Normalization(Affine):
    """y = (x - mean) / sqrt(variance), of each channel; both are given, or found by `adapt(pictures)` before training.

    invert: y = x * sqrt(variance) + mean instead.
    Shapes: any, unchanged; mean, variance one number or (C,).
    Errors: ConfigError where neither was given or found; for an axis other than the last, or None: one for all.
    Source: Keras's Normalization, which adds no small number to the variance but keeps it above 1e-7 squared.
    """

    caption = ("normalize",)

    def __init__(
        self,
        axis: int | None = -1,
        mean: float | Sequence[float] | None = None,
        variance: float | Sequence[float] | None = None,
        invert: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        if not (axis is None or type(axis) is int):
            raise ConfigError(f"Normalization: axis must be the channels', -1, or None, got {shown(axis)}")
        if (mean is None) != (variance is None):
            raise ConfigError("Normalization: give mean and variance, or neither and call adapt(pictures)")
        self.axis, self.invert = axis, flag(invert, "Normalization: invert")
        self.mean = None if mean is None else _numbers(mean, "Normalization: mean")
        self.variance = None if variance is None else _numbers(variance, "Normalization: variance")

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take mean and variance of these numbers. Shapes: data (N, ..., C), or an iterable of such batches."""
        batches = [data] if isinstance(data, np.ndarray | list | tuple) else [_first(batch) for batch in data][:steps]
        numbers = np.concatenate([np.asarray(real_array(each, f"{self.place()}: data")) for each in batches])
        axes = tuple(range(numbers.ndim)) if self.axis is None else tuple(range(numbers.ndim - 1))
        mean, variance = (found(axis=axes, dtype=np.float64) for found in (numbers.mean, numbers.var))
        self.take(mean, variance)

    def take(self, mean: Any, variance: Any) -> None:
        """Normalise by these from now on. Errors: ConfigError for anything but numbers."""
        given = {"mean": mean, "variance": variance}
        vars(self).update({name: _numbers(value, f"Normalization: {name}") for name, value in given.items()})
        Fixed.last_change = object()

    def scale_offset(self) -> tuple[Array, Array]:
        if self.mean is None or self.variance is None:
            raise ConfigError(f"{self.place()} has no mean yet; call adapt(pictures) before the model is trained")
        mean, spread = np.asarray(self.mean), np.maximum(np.sqrt(self.variance), 1e-7)
        return (spread, mean) if self.invert else (1 / spread, -mean / spread)

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.axis not in (-1, None, len(input_shape)):
            raise ShapeError(f"{self.place()} normalises channels, the last axis, got axis={self.axis}")
        return tuple(input_shape)


class Cut(Layer):
    """What changes the size of pictures to a given one. Errors: ConfigError for a size below 1."""

    role = "rearrangement"
    linear = True
    takes_one = True
    interpolation = "bilinear"

    def __init__(self, height: int, width: int, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.height = whole(height, f"{where}: height", MAX_SIDE)
        self.width = whole(width, f"{where}: width", MAX_SIDE)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        shape = self.height, self.width, input_shape[2]
        expect_numbers(shape, f"{self.place()}: its output")
        return shape

    def part(self, input_shape: Shape) -> tuple[int, int]:
        """How many rows and columns of a picture, around its middle, are brought to the size; here all that have its
        shape."""
        height, width = input_shape[0], input_shape[1]
        rows, columns = int(width * self.height / self.width), int(height * self.width / self.height)
        return min(height, rows) or 1, min(width, columns) or 1

    def rows_columns(self, input_shape: Shape) -> tuple[Array, Array]:
        """By what rows and columns of a picture become those of the result. Shapes: (height, H), (width, W)."""
        (rows, columns), (height, width, *_) = self.part(input_shape), input_shape
        exact = self.interpolation == "nearest"
        return (
            _between(self.height, rows, (height - rows) // 2, height, exact),
            _between(self.width, columns, (width - columns) // 2, width, exact),
        )

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        rows, columns = (each.astype(x.dtype) for each in self.rows_columns(x.shape[1:]))
        return _resized(x, rows, columns), (rows, columns)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return _resized(dy, *(each.T for each in cache)) if need_dx else None, {}

    def detail(self) -> str:
        return f"{self.height}x{self.width}"


class Resizing(Cut):
    """Pictures brought to a size: between pixels by the distance to the nearest four ("bilinear"), or by the nearest
    one ("nearest"). crop_to_aspect_ratio: what is too long is cut off around the middle, not squeezed.

    Shapes: x (N,H,W,C) -> y (N,height,width,C).
    Errors: ConfigError for a size below 1, or another interpolation.
    Source: Keras's Resizing: half-pixel centres, no smoothing.
    """

    caption = ("resize",)
    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        "antialias": lambda value: not value,
        "fill_mode": lambda value: True,
        "fill_value": lambda value: True,
        "pad_to_aspect_ratio": lambda value: not value or "crop_to_aspect_ratio=True cuts instead",
    }

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(height, width, **named)
        self.interpolation = expect_known("interpolation", interpolation, ops.INTERPOLATIONS)
        self.crop_to_aspect_ratio = flag(crop_to_aspect_ratio, "Resizing: crop_to_aspect_ratio")

    def part(self, input_shape: Shape) -> tuple[int, int]:
        return super().part(input_shape) if self.crop_to_aspect_ratio else (input_shape[0], input_shape[1])


class CenterCrop(Cut):
    """The middle of each picture; of one that is smaller, the same as `Resizing` with crop_to_aspect_ratio.

    Shapes: x (N,H,W,C) -> y (N,height,width,C).
    Errors: ConfigError for a size below 1.
    """

    caption = ("center crop",)

    def part(self, input_shape: Shape) -> tuple[int, int]:
        fits = self.height <= input_shape[0] and self.width <= input_shape[1]
        return (self.height, self.width) if fits else super().part(input_shape)


class Numbers(tuple[float, ...]):
    """Several numbers, one a channel."""

    def numpy(self) -> Array:
        """As an array. Shapes: (C,)."""
        return np.array(self, np.float32)


def _numbers(given: Any, what: str) -> float | Numbers:
    """One number, or several as a tuple. Errors: ConfigError."""
    several = given.reshape(-1).tolist() if isinstance(given, np.ndarray) and given.ndim else given
    if isinstance(several, list | tuple) and several:
        return Numbers(number(each, what, -LARGEST) for each in several)
    return number(given, what, -LARGEST)


def _first(batch: Any) -> Any:
    """The pictures of a batch, which may be (pictures, labels)."""
    return batch[0] if isinstance(batch, list | tuple) else batch


def _between(out: int, size: int, first: int, whole: int, exact: bool) -> Array:
    """Weights that make `out` pixels of `size` from `first` on, of `whole`. Shapes: (out, whole)."""
    place = np.clip((np.arange(out) + 0.5) * size / out - 0.5, 0, size - 1)
    if exact:
        place = np.minimum(np.floor((np.arange(out) + 0.5) * size / out), size - 1)
    low = np.floor(place).astype(int)
    share, high = place - low, np.minimum(low + 1, size - 1)
    weights = np.zeros((out, whole))
    np.add.at(weights, (np.arange(out), first + low), 1 - share)
    np.add.at(weights, (np.arange(out), first + high), share)
    return weights


def _resized(x: Array, rows: Array, columns: Array) -> Array:
    """y[n,i,j,c] = sum over (h,w) of rows[i,h] * columns[j,w] * x[n,h,w,c]."""
    n, height, width, channels = x.shape
    tall = np.matmul(rows, x.reshape(n, height, width * channels)).reshape(n, len(rows), width, channels)
    return np.ascontiguousarray(np.matmul(columns, tall))
