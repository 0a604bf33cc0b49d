"""Layers that change each picture while training, by what `fit(augment=...)` has for it; in use they give it as it is.

What happens to a picture is a function of key = (seed, step, layer index) and its place in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._fixed import Taken
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.layers.dropout import Random
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.rescaling import CenterCrop
from pellucid.layers.symbolic import is_symbolic
from pellucid.ops import Array, Shape
from pellucid.ops.changes import Changes
from pellucid.ops.geometry import LARGEST, number

COUNTERS = 0xA07 << 16
"""Where their draws begin, apart from those of other kinds by the same seed."""

Range = float | Sequence[float]
"""A number f for (-f, f), or (lowest, highest)."""


class RandomPictures(Random):
    """What they have in common. Errors: ConfigError for a training pass without a key; ShapeError but for pictures."""

    role = "augmentation"
    takes_one = True
    uniforms: ClassVar[int] = 1
    """Random numbers that each picture takes."""

    def __call__(self, x: Any, seed: int | None = None, training: Any = None) -> Any:
        """As every layer; but on arrays it changes pictures unless training=False, and anew each time unless it is
        given a seed, as Keras's does: so it stands in a data set's `map`."""
        if is_symbolic(x):
            return super().__call__(x, training=training)
        drawn = int(np.random.randint(2**31)) if seed is None else seed  # by NumPy's generator, as Keras's seed sets it
        return super().__call__(x, drawn, True if training is None else training)

    def uniform(self, count: int, key: Key) -> Array:
        """From 0 to 1, for so many pictures. Shapes: (uniforms, count)."""
        seed, step, layer = key
        counters = COUNTERS + (layer << 8) + np.arange((self.uniforms + 1) // 2)[:, None]
        first, second = ops.uniform((seed, step), np.arange(count), counters)
        return np.concatenate([first, second])[: self.uniforms]

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        return tuple(input_shape)

    @property
    def steady(self) -> bool:
        return False


class Moved(RandomPictures):
    """Each picture from other places of it, between pixels by the distance to the nearest four."""

    linear = True

    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        "fill_value": lambda value: not value,
        "interpolation": lambda value: value == "bilinear",
    }

    def __init__(self, fill_mode: str = "reflect", **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.fill_mode = expect_known("fill_mode", fill_mode, ("reflect", "nearest", "constant"))

    def change(self, changes: Changes, u: Array) -> None:
        """Say where the pixels come from. Shapes: u (uniforms, n)."""
        raise NotImplementedError

    @property
    def _border(self) -> str:
        return "edge" if self.fill_mode == "nearest" else self.fill_mode

    def _draws(self, shape: Shape, key: Key, dtype: Any) -> Array:
        changes = Changes(shape[0], shape[1:])
        self.change(changes, self.uniform(shape[0], key))
        return changes.rows().astype(dtype)

    def draw_from(self, x: Array, key: Key) -> Array:
        numbers, channels = np.arange(len(x)), x.shape[-1]
        same = {"scale": np.ones(channels, x.dtype), "offset": np.zeros(channels, x.dtype)}
        return ops.augment(x, numbers, self._draws(x.shape, key, x.dtype), border=self._border, **same)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx or cache is None:
            return dy if need_dx else None, {}
        return ops.augment_backward(dy, self._draws(dy.shape, cache, dy.dtype), border=self._border), {}


class RandomFlip(Moved):
    """Mirrored left and right ("horizontal"), top and bottom ("vertical"), or both, each with probability 1/2.

    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for another mode.
    """

    uniforms = 2

    def __init__(self, mode: str = "horizontal_and_vertical", **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.mode = expect_known("mode", mode, ("horizontal", "vertical", "horizontal_and_vertical"))

    def change(self, changes: Changes, u: Array) -> None:
        signs = np.where(u < 0.5, -1, 1)
        across, down = "horizontal" in self.mode, "vertical" in self.mode
        changes.move(xx=signs[0] if across else 1.0, yy=signs[1] if down else 1.0)

    def detail(self) -> str:
        return self.mode.replace("_", " ")


class RandomRotation(Moved):
    """Turned about the middle, by a share of a whole turn from `factor`.

    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for what is no range.
    """

    def __init__(self, factor: Range, fill_mode: str = "reflect", **named: Unpack[Named]) -> None:
        super().__init__(fill_mode, **named)
        self.factor = _range(factor, "RandomRotation: factor")

    def change(self, changes: Changes, u: Array) -> None:
        angle = 2 * math.pi * _within(self.factor, u[0])
        cos, sin = np.cos(angle), np.sin(angle)
        changes.move(xx=cos, xy=-sin, yx=sin, yy=cos)

    def detail(self) -> str:
        return f"{self.factor[0]:g} to {self.factor[1]:g}"


class RandomZoom(Moved):
    """Smaller, by a share from `height_factor`; below 0 larger. width_factor: of the columns; None: as the rows.

    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for what is no range, or begins below -1.
    """

    uniforms = 2

    def __init__(
        self,
        height_factor: Range,
        width_factor: Range | None = None,
        fill_mode: str = "reflect",
        **named: Unpack[Named],
    ) -> None:
        super().__init__(fill_mode, **named)
        self.height_factor = _range(height_factor, "RandomZoom: height_factor", -1)
        self.width_factor = None if width_factor is None else _range(width_factor, "RandomZoom: width_factor", -1)

    def change(self, changes: Changes, u: Array) -> None:
        rows = 1 + _within(self.height_factor, u[0])
        columns = rows if self.width_factor is None else 1 + _within(self.width_factor, u[1])
        changes.move(xx=columns, yy=rows)

    def detail(self) -> str:
        return f"{self.height_factor[0]:g} to {self.height_factor[1]:g}"


class RandomTranslation(Moved):
    """Moved down by a share of the height from `height_factor`, and right by one of the width.

    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for what is no range.
    """

    uniforms = 2

    def __init__(
        self, height_factor: Range, width_factor: Range, fill_mode: str = "reflect", **named: Unpack[Named]
    ) -> None:
        super().__init__(fill_mode, **named)
        self.height_factor = _range(height_factor, "RandomTranslation: height_factor")
        self.width_factor = _range(width_factor, "RandomTranslation: width_factor")

    def change(self, changes: Changes, u: Array) -> None:
        down, right = _within(self.height_factor, u[0]), _within(self.width_factor, u[1])
        changes.move(x=-right * changes.width, y=-down * changes.height)

    def detail(self) -> str:
        return f"{self.height_factor[1]:g}, {self.width_factor[1]:g}"


class Recoloured(RandomPictures):
    """Each picture's numbers changed, and kept within value_range."""

    def __init__(self, factor: Range, value_range: Sequence[float] = (0, 255), **named: Unpack[Named]) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.factor = self.factor_of(factor, f"{where}: factor")
        self.value_range = _range(value_range, f"{where}: value_range")

    def factor_of(self, given: Range, what: str) -> tuple[float, float]:
        """The two numbers that `factor` stands for. Errors: ConfigError."""
        return _range(given, what)

    def ends(self) -> tuple[float, float]:
        """The lowest and the highest amount."""
        return self.factor

    def recolour(self, x: Array, amount: Array) -> Array:
        """The numbers before they are kept within the range. Shapes: amount (n,1,1,1)."""
        raise NotImplementedError

    def recolour_back(self, dy: Array, amount: Array) -> Array:
        """The gradient through it."""
        raise NotImplementedError

    def _amount(self, x: Array, key: Key) -> Array:
        return _within(self.ends(), self.uniform(len(x), key)[0]).astype(x.dtype).reshape(-1, 1, 1, 1)

    def draw_from(self, x: Array, key: Key) -> Array:
        return np.clip(self.recolour(x, self._amount(x, key)), *self.value_range).astype(x.dtype, copy=False)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        y, kept = super().forward(x, training=training, key=key)
        return y, None if kept is None else (kept, x)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx or cache is None:
            return dy if need_dx else None, {}
        key, x = cache
        amount, (low, high) = self._amount(x, key), self.value_range
        changed = self.recolour(x, amount)
        inside = (changed > low) & (changed < high)
        return self.recolour_back(np.where(inside, dy, dy.dtype.type(0)), amount), {}

    def detail(self) -> str:
        low, high = self.ends()
        return f"{low:g} to {high:g}"


class RandomBrightness(Recoloured):
    """A share of the value range from `factor` is added to the whole picture, which is then kept within it.

    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for what is no range.
    """

    def recolour(self, x: Array, amount: Array) -> Array:
        low, high = self.value_range
        return np.asarray(x + amount * x.dtype.type(high - low))

    def recolour_back(self, dy: Array, amount: Array) -> Array:
        return dy


class RandomContrast(Recoloured):
    """Each channel away from its mean, or towards it: y = mean + (1 + a) * (x - mean), -lower <= a <= upper.

    factor: (lower, upper), neither below 0; a number stands for both, as Keras's page has it.
    Shapes: x (N,H,W,C), unchanged.
    Errors: ConfigError for a number below 0.
    """

    def factor_of(self, given: Range, what: str) -> tuple[float, float]:
        pair = given if isinstance(given, list | tuple | np.ndarray) else (given, given)
        if len(pair) != 2:
            raise ConfigError(f"{what} must be a number, or (lower, upper), got {shown(given)}")
        lower, upper = (number(each, what, 0.0) for each in pair)
        return lower, upper

    def ends(self) -> tuple[float, float]:
        return -self.factor[0], self.factor[1]

    def recolour(self, x: Array, amount: Array) -> Array:
        mean = x.mean(axis=(1, 2), keepdims=True)
        return np.asarray(mean + (1 + amount) * (x - mean))

    def recolour_back(self, dy: Array, amount: Array) -> Array:
        return np.asarray((1 + amount) * dy - amount * dy.mean(axis=(1, 2), keepdims=True))


class RandomCrop(CenterCrop, RandomPictures):
    """A part of each picture, anywhere while training, its middle in use; a smaller one is enlarged as `Resizing` does.

    Shapes: x (N,H,W,C) -> y (N,height,width,C).
    Errors: ConfigError for a size below 1.
    """

    uniforms = 2
    caption = ("random crop",)
    role = "augmentation"

    def output_shape(self, input_shape: Shape) -> Shape:
        return CenterCrop.output_shape(self, input_shape)

    def _places(self, shape: Shape, key: Key) -> tuple[Array, Array]:
        """Above which row and left of which column each part begins."""
        room = np.array([[shape[1] - self.height + 1], [shape[2] - self.width + 1]])
        top, left = np.floor(self.uniform(shape[0], key) * room).astype(int)
        return top, left

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        if not training or x.shape[1] < self.height or x.shape[2] < self.width:
            return CenterCrop.forward(self, x)
        if key is None:
            raise ConfigError(f"{self.place()} needs key=(seed, step, layer index) in training, got None")
        parts = zip(x, *self._places(x.shape, key), strict=True)
        return np.stack([each[i : i + self.height, j : j + self.width] for each, i, j in parts]), (key, x.shape)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx or not isinstance(cache[0], tuple):
            return CenterCrop.backward(self, dy, cache, need_dx=need_dx)
        key, shape = cache
        dx = np.zeros(shape, dy.dtype)
        for each, part, i, j in zip(dx, dy, *self._places(shape, key), strict=True):
            each[i : i + self.height, j : j + self.width] = part
        return dx, {}


def _range(given: Any, what: str, least: float = -LARGEST) -> tuple[float, float]:
    """(lowest, highest). Errors: ConfigError."""
    if isinstance(given, list | tuple | np.ndarray) and len(given) == 2:
        low, high = (number(each, what, least) for each in given)
        if low <= high:
            return low, high
    elif not isinstance(given, list | tuple | np.ndarray):
        most = number(given, what, 0.0)
        return max(-most, least), most
    raise ConfigError(f"{what} must be a number, or (lowest, highest), got {shown(given)}")


def _within(ends: tuple[float, float], u: Array) -> Array:
    return np.asarray(ends[0] + (ends[1] - ends[0]) * u)
