"""Activations: as layers of their own, and for the `activation=` of convolutions and dense layers."""

from __future__ import annotations

import math
from typing import TypeVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import within
from pellucid.errors import ConfigError, ShapeError, shown, unknown_name
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.traits import Nonlinearity
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_AXES, above_zero, number, whole

Kind = TypeVar("Kind", bound=Layer)
ACTIVATIONS = ("linear", *ops.ACTIVATIONS, "softmax")


def standardize_activation(activation: object) -> str | None:
    """The activation's name in small letters; None for none.

    Errors: ConfigError for an unknown name, or for anything but a name.
    """
    if activation is None:
        return None
    if not isinstance(activation, str):
        raise ConfigError(
            f"must be a name ({', '.join(ACTIVATIONS)}), got {shown(activation)}; "
            "add a layer object to the model as a layer of its own"
        )
    name = activation.lower().replace("leakyrelu", "leaky_relu")
    if name not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    return None if name == "linear" else name


def activate(z: Array, how: Nonlinearity | None, *, out: Array | None = None) -> Array:
    """y = f(z), into `out` where given; softmax runs over the last axis. Without amplitude and steepness."""
    if how is None:
        return z
    if how.kind == "softmax":
        return ops.softmax(z, out=out)
    return ops.activation(z, how.kind, **how.numbers, out=out)


def activate_backward(dy: Array, y: Array, how: Nonlinearity | None) -> Array:
    """dz from dy and y = f(z)."""
    if how is None:
        return dy
    if how.kind == "softmax":
        return ops.softmax_backward(dy, y)
    return ops.activation_backward(dy, y, how.kind, **how.numbers)


class Elementwise(Layer):
    """y = f(x), f its nonlinearity; what the activations below have in common. Its cache is y.

    Shapes: any, unchanged.
    """

    role = "activation"

    @property
    def caption(self) -> tuple[str, ...]:
        how = self.nonlinearity
        return () if how is None else (how.word,)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        y = activate(x, self.nonlinearity)
        return y, y

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return activate_backward(dy, cache, self.nonlinearity) if need_dx else None, {}


class Activation(Elementwise):
    """y = f(x), f by name: "relu", "leaky_relu" (slope 0.2), "relu6", "elu", "sigmoid", "tanh", "softmax" (last axis),
    "linear".

    Shapes: any, unchanged.
    Errors: ConfigError for an unknown name.
    """

    def __init__(
        self,
        activation: str | None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.activation = within("Activation: activation", standardize_activation, activation)

    def detail(self) -> str:
        return self.activation or "linear"


class ReLU(Elementwise):
    """y = min(x, max_value) where x > threshold, else negative_slope * (x - threshold); by default y = max(x, 0).

    The gradient is 0 from max_value on, and negative_slope up to the threshold. NaN stays NaN.

    Shapes: any, unchanged.
    Errors: ConfigError for a negative number.
    Source: Nair & Hinton 2010; ReLU6, max_value=6: Krizhevsky 2010, "Convolutional Deep Belief Networks on CIFAR-10".
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.max_value = None if max_value is None else number(max_value, "ReLU: max_value", 0.0)
        self.negative_slope = number(negative_slope, "ReLU: negative_slope", 0.0)
        self.threshold = number(threshold, "ReLU: threshold", 0.0)

    @property
    def nonlinearity(self) -> Nonlinearity:
        ceiling = math.inf if self.max_value is None else self.max_value
        if ceiling < math.inf or self.threshold:
            return Nonlinearity("relu6", self.negative_slope, self.threshold, ceiling)
        return Nonlinearity("leaky_relu", self.negative_slope) if self.negative_slope else Nonlinearity("relu")

    def detail(self) -> str:
        given = {"max": self.max_value, "slope": self.negative_slope or None, "threshold": self.threshold or None}
        return ", ".join(f"{name} {value:g}" for name, value in given.items() if value is not None)


class LeakyReLU(Elementwise):
    """y = x where x > 0, else negative_slope * x.

    Shapes: any, unchanged.
    Errors: ConfigError for a negative slope.
    Source: Maas, Hannun & Ng 2013, section 2.
    """

    def __init__(self, negative_slope: float = 0.3, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.negative_slope = number(negative_slope, "LeakyReLU: negative_slope", 0.0)

    @property
    def nonlinearity(self) -> Nonlinearity:
        return Nonlinearity("leaky_relu", self.negative_slope)

    def detail(self) -> str:
        return f"{self.negative_slope:g}"


class ELU(Elementwise):
    """y = x where x > 0, else alpha * (exp(x) - 1).

    Shapes: any, unchanged.
    Errors: ConfigError for a negative alpha.
    Source: Clevert, Unterthiner & Hochreiter 2016, equation 15.
    """

    def __init__(self, alpha: float = 1.0, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.alpha = number(alpha, "ELU: alpha", 0.0)

    @property
    def nonlinearity(self) -> Nonlinearity:
        return Nonlinearity("elu", self.alpha)

    def detail(self) -> str:
        return f"{self.alpha:g}"


class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x)).

    Shapes: any, unchanged.
    """

    nonlinearity = Nonlinearity("sigmoid")


class Tanh(Elementwise):
    """y = tanh(x).

    Shapes: any, unchanged.
    """

    nonlinearity = Nonlinearity("tanh")


class ScaledTanh(Elementwise):
    """y = amplitude * tanh(slope * x); with the paper's numbers f(1) = 1 and f(-1) = -1, where the curve bends most.

    Shapes: any, unchanged.
    Errors: ConfigError for an amplitude or slope that is not above 0.
    Source: LeCun, Bottou, Bengio & Haffner 1998, equation 6 and appendix A: amplitude 1.7159, slope 2/3.
    """

    def __init__(
        self,
        amplitude: float = 1.7159,
        slope: float = 2 / 3,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.amplitude = above_zero(amplitude, "ScaledTanh: amplitude")
        self.slope = above_zero(slope, "ScaledTanh: slope")

    @property
    def nonlinearity(self) -> Nonlinearity:
        return Nonlinearity("tanh", amplitude=self.amplitude, steepness=self.slope)

    @property
    def caption(self) -> tuple[str, ...]:
        return ("scaled tanh",)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        scaled = x * x.dtype.type(self.slope)
        tanh = ops.activation(scaled, "tanh", out=scaled)
        return tanh * tanh.dtype.type(self.amplitude), tanh

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        dx = ops.activation_backward(dy, cache, "tanh")
        dx *= dx.dtype.type(self.amplitude * self.slope)
        return dx, {}

    def detail(self) -> str:
        return f"{self.amplitude:g} tanh({self.slope:.4g}x)"


class Softmax(Elementwise):
    """y = exp(x) / sum of exp(x) over an axis, counted with the batch: -1 is the last, 1 the first of a picture.

    Shapes: any, unchanged.
    Errors: ConfigError for an axis that is no whole number, or the batch's; ShapeError where there is no such axis.
    """

    nonlinearity = Nonlinearity("softmax")

    def __init__(self, axis: int = -1, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.axis = whole(axis, "Softmax: axis", MAX_AXES, least=-MAX_AXES)
        if self.axis == 0:
            raise ConfigError("Softmax: axis 0 is the batch, whose pictures have nothing to do with each other")

    def place_of(self, axes: int) -> int:
        """Its axis among so many, without the batch. Errors: ShapeError where it has none."""
        place = self.axis + axes if self.axis < 0 else self.axis - 1
        if not 0 <= place < axes:
            raise ShapeError(f"{self.place()} needs axis {self.axis}, got {axes} besides the batch{self.source()}")
        return place

    def output_shape(self, input_shape: Shape) -> Shape:
        self.place_of(len(input_shape))
        return input_shape

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        y = self._last(ops.softmax(self._last(x)))
        return y, y

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return self._last(ops.softmax_backward(self._last(dy), self._last(cache))) if need_dx else None, {}

    def _last(self, x: Array) -> Array:
        """Its axis in the last one's place, and that in its."""
        return np.ascontiguousarray(x.swapaxes(1 + self.place_of(x.ndim - 1), -1))

    def detail(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"


def without_activation(layer: Kind) -> Kind:
    """The layer with the same arrays and no activation; the layer itself stays as it is."""
    bare = object.__new__(type(layer))
    bare.__dict__.update(layer.__dict__, activation=None, owner=None, _writable={})
    return bare


def with_activation(detail: str, activation: str | None) -> str:
    """A layer's detail with its activation's name behind it."""
    return detail if activation is None else f"{detail}, {activation}"
