"""What is random while training: zeros, so that no unit leans on another, and noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._fixed import Fixed, Taken
from pellucid.errors import ConfigError
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.taken import only_none
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import number

SELU_FLOOR = 1.6732632423543772 * 1.0507009873554805
"""What SELU comes to, below 0, for very negative x: alpha * scale."""


class Random(Layer):
    """A layer that draws while training. The draw is a function of key = (seed, step, layer index) and the place in the
    array, so the cache is the key alone, and backward draws the same again. In use it gives x itself.

    Errors: ConfigError for a training pass without a key.
    """

    supports_masking = True

    def draw_from(self, x: Array, key: Key) -> Array:
        """What it makes of x while training."""
        raise NotImplementedError

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        if not training or self.steady:
            return x, None
        if key is None:
            raise ConfigError(f"{self.place()} needs key=(seed, step, layer index) in training, got None")
        return self.draw_from(x, key), key

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return dy if cache is None else self.draw_from(dy, cache), {}


class Dropout(Random):
    """While training, each value is 0 with probability `rate`, else x / (1 - rate); in use, x itself.

    Shapes: any, unchanged.
    Errors: ConfigError for a rate outside [0, 1), or for a training pass without a key.
    Source: Srivastava et al. 2014, section 10 (scaled while training); Salmon et al. 2011 (Threefry).
    """

    role = "dropout"
    linear = True

    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        "noise_shape": only_none("SpatialDropout2D drops whole channels, StochasticDepth whole pictures"),
    }

    def __init__(
        self,
        rate: float,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.rate = number(rate, f"{type(self).__name__}: rate", 0.0, 1.0)

    def always(self, training: bool) -> None:
        super().always(training)
        if not training:
            self.set_rate(0.0)

    def set_rate(self, rate: float) -> None:
        """Another rate from the next `fit` on; what trains already goes on with the one it began with.

        Errors: ConfigError for a rate outside [0, 1).
        """
        vars(self)["rate"] = number(rate, f"{type(self).__name__}: rate", 0.0, 1.0)
        Fixed.last_change = object()

    @property
    def drop_rate(self) -> float:
        return self.rate

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"dropout {self.rate:g}",)

    def draw_from(self, x: Array, key: Key) -> Array:
        return ops.dropout(x, self.rate, key)

    def detail(self) -> str:
        return f"{self.rate:g}"


class SpatialDropout2D(Dropout):
    """Dropout of whole maps: in training each channel of a picture is 0 with probability `rate`, else x / (1 - rate).

    Neighbouring pixels are much alike, so that zeros among them leave the map there; here it goes.

    Shapes: x (N,H,W,C), unchanged.
    Errors: as Dropout; ShapeError for anything but pictures.
    Source: Tompson, Goroshin, Jain, LeCun & Bregler 2015, section 3.2.
    """

    axes: ClassVar[str] = "H, W, C"

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, self.axes, "Dropout takes any shape")
        return input_shape

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"spatial dropout {self.rate:g}",)

    def draw_from(self, x: Array, key: Key) -> Array:
        return ops.spatial_dropout(x, self.rate, key)


class StochasticDepth(Dropout):
    """Dropout of whole pictures: in training all of a picture's numbers are 0 with probability `rate`, else scaled.

    Before an addition it leaves the block that it stands behind out, for some pictures of each step.

    Shapes: any, unchanged.
    Errors: as Dropout.
    Source: Huang, Sun, Liu, Sedra & Weinberger 2016, section 3; kept blocks are scaled in training, as Dropout does.
    """

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"stochastic depth {self.rate:g}",)

    def draw_from(self, x: Array, key: Key) -> Array:
        return ops.spatial_dropout(as_one_map(x), self.rate, key).reshape(x.shape)


def as_one_map(x: Array) -> Array:
    """Each picture's numbers as one map. Shapes: x (N, ...) -> (N, numbers, 1, 1), a view."""
    return x.reshape(len(x), -1, 1, 1)


class SpatialDropout1D(SpatialDropout2D):
    """Dropout of whole channels of a series: in training each is 0 with probability `rate`, else x / (1 - rate).

    Shapes: x (N,W,C), unchanged.
    Errors: as Dropout; ShapeError for anything but series.
    Source: Tompson, Goroshin, Jain, LeCun & Bregler 2015, section 3.2.
    """

    axes = "W, C"


class AlphaDropout(Dropout):
    """Dropout to the value that SELU falls towards, so that mean 0 and variance 1 stay what they are.

    While training y = a * d + b, where d is -SELU_FLOOR with probability `rate`, else x; in use, x itself.
    a = 1 / sqrt((1 - rate) * (1 + rate * SELU_FLOOR^2)) and b = a * rate * SELU_FLOOR.

    Shapes: any, unchanged.
    Errors: as Dropout.
    Source: Klambauer, Unterthiner, Mayr & Hochreiter 2017, "Self-normalizing neural networks", section 3.
    """

    linear = False

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"alpha dropout {self.rate:g}",)

    @property
    def _scale(self) -> float:
        """a."""
        return float(((1 - self.rate) * (1 + self.rate * SELU_FLOOR**2)) ** -0.5)

    def _dropped(self, x: Array, key: Key) -> Array:
        """a * x, or 0."""
        return ops.dropout(x, self.rate, key) * np.float32(self._scale * (1 - self.rate))

    def draw_from(self, x: Array, key: Key) -> Array:
        offset = self._scale * (self.rate - 1) * SELU_FLOOR
        return self._dropped(x + np.float32(SELU_FLOOR), key) + np.float32(offset)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        return dy if cache is None else self._dropped(dy, cache), {}


class GaussianNoise(Random):
    """While training, y = x + stddev * z with independent normal z; in use, x itself. The gradient is dy.

    Shapes: any, unchanged.
    Errors: ConfigError for a negative stddev, or for a training pass without a key.
    Source: Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    """

    role = "noise"

    def __init__(self, stddev: float, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.stddev = number(stddev, "GaussianNoise: stddev", 0.0)

    @property
    def steady(self) -> bool:
        return not self.custom and self.stddev == 0

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"noise {self.stddev:g}",)

    def draw_from(self, x: Array, key: Key) -> Array:
        return ops.gaussian_noise(x, self.stddev, key)

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return x + (self.forward(np.zeros(x.shape, x.dtype), training=training, key=key)[0])

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return dy if need_dx else None, {}

    def detail(self) -> str:
        return f"{self.stddev:g}"
