"""Activations: as layers of their own, and for the `activation=` of convolutions and dense layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import within
from pellucid.errors import ConfigError, ShapeError, shown, unknown_name
from pellucid.initializers import InitializerLike
from pellucid.layers.behind import Activated, split_activation
from pellucid.layers.calculation import activated
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.traits import Nonlinearity
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_AXES, above_zero, number, whole

Kind = TypeVar("Kind", bound=Layer)
SPELLINGS = {"leakyrelu": "leaky_relu", "swish": "silu", "hard_swish": "hard_silu"}


def _log_softmax(z: Array, *, out: Array | None = None) -> Array:
    shifted = z - z.max(axis=-1, keepdims=True)
    return np.asanyarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _log_softmax_backward(dy: Array, y: Array) -> Array:
    return np.asarray(dy - np.exp(y) * dy.sum(axis=-1, keepdims=True))


def _sparsemax(z: Array, *, out: Array | None = None) -> Array:
    """max(z - t, 0), t such that they sum to 1: of the k largest, where z_k is still above their sum less 1 by k."""
    falling = -np.sort(-z, axis=-1)
    over = falling.cumsum(axis=-1) - 1
    ranks = np.arange(1, z.shape[-1] + 1)
    kept = (falling * ranks > over).sum(axis=-1, keepdims=True)
    return np.asanyarray(np.maximum(z - np.take_along_axis(over, kept - 1, axis=-1) / kept.astype(z.dtype), 0))


def _sparsemax_backward(dy: Array, y: Array) -> Array:
    kept = y > 0
    mean = (dy * kept).sum(axis=-1, keepdims=True) / kept.sum(axis=-1, keepdims=True).astype(dy.dtype)
    return np.asarray((dy - mean) * kept)


OF_ROWS: dict[str, tuple[Callable[..., Array], Callable[[Array, Array], Array]]] = {
    "softmax": (ops.softmax, ops.softmax_backward),
    "log_softmax": (_log_softmax, _log_softmax_backward),
    "sparsemax": (_sparsemax, _sparsemax_backward),
}
"""Activations that compare the numbers of the last axis, with their gradients by y; softmax alone has a kernel."""
ACTIVATIONS = ("linear", *ops.ACTIVATIONS, *OF_ROWS)


def standardize_activation(activation: object) -> str | None:
    """The activation's name in small letters; None for none.

    Errors: ConfigError for an unknown name, or for anything but a name.
    """
    if activation is None:
        return None
    if callable(activation) and getattr(activation, "__module__", "") == "pellucid.keras.activations":
        activation = getattr(activation, "__name__", activation)  # a function by that name
    if not isinstance(activation, str):
        raise ConfigError(f"must be a name, such as relu, a layer object or a function, got {shown(activation)}")
    name = activation.lower()
    name = SPELLINGS.get(name, name)
    if name not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)
    return None if name == "linear" else name


def activate(z: Array, how: Nonlinearity | None, *, in_place: bool = False) -> tuple[Array, Array]:
    """y = f(z), and what `activate_backward` reads of them; those of rows run over the last axis.

    Without amplitude and steepness. in_place: z is nobody else's, and y may lie there.
    """
    if how is None:
        return z, z
    if how.kind in OF_ROWS:
        y = OF_ROWS[how.kind][0](z, out=z if in_place else None)
    else:
        y = ops.activation(z, how.kind, **how.numbers, out=z if in_place and not how.reads_input else None)
    return y, z if how.reads_input else y


def activate_backward(dy: Array, y: Array, how: Nonlinearity | None) -> Array:
    """dz from dy and what `activate` gave second."""
    if how is None:
        return dy
    if how.kind in OF_ROWS:
        return OF_ROWS[how.kind][1](dy, y)
    return ops.activation_backward(dy, y, how.kind, **how.numbers)


class Elementwise(Layer):
    """y = f(x), f its nonlinearity; what the activations below have in common. Its cache is y, or x where the
    gradient reads that.

    Shapes: any, unchanged.
    """

    supports_masking, role = True, "activation"

    @property
    def caption(self) -> tuple[str, ...]:
        how = self.nonlinearity
        return () if how is None else (how.word,)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        return activate(x, self.nonlinearity)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return activate_backward(dy, cache, self.nonlinearity) if need_dx else None, {}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return activated(x, self.nonlinearity)


class Activation(Activated, Elementwise):
    """y = f(x), f by name: "relu", "leaky_relu" (slope 0.2), "relu6", "elu", "selu", "sigmoid", "hard_sigmoid", "tanh",
    "softsign", "softplus", "silu" or "swish", "hard_silu" or "hard_swish", "gelu", "gelu_tanh" (its approximation),
    "celu", "exponential", "hard_shrink", "soft_shrink" (both with threshold 0.5), "hard_tanh", "log_sigmoid", "mish",
    "sparse_plus", "sparse_sigmoid", "squareplus", "tanh_shrink"; over the last axis "softmax", "log_softmax" and
    "sparsemax", the nearest point whose numbers sum to 1; "linear".

    Shapes: any, unchanged.
    Errors: ConfigError for an unknown name.
    Source: `ops.activation` names them; Martins & Astudillo 2016, algorithm 1 (sparsemax).
    """

    def __init__(
        self,
        activation: str | Callable[[Any], Any] | None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.activation, self.behind = within("Activation: activation", split_activation, activation)

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


class PReLU(Layer):
    """y = x where x > 0, else alpha * x, alpha trained: of each number of a picture, or shared along `shared_axes`.

    Shapes: x (N,...) -> the same; alpha as a picture, with 1 for each shared axis. shared_axes count from 1, the first
        of a picture: (1, 2) gives each channel of maps one alpha.
    Errors: ConfigError for axes that are none; ShapeError for pictures of another shape than it was built for.
    Source: He, Zhang, Ren & Sun 2015, "Delving Deep into Rectifiers", equations 1 and 8.
    """

    role = "activation"
    caption = ("PReLU",)

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        *,
        shared_axes: int | Sequence[int] | None = None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.alpha_initializer = within("PReLU: alpha_initializer", initializers.get, alpha_initializer)
        axes = () if shared_axes is None else shared_axes if isinstance(shared_axes, list | tuple) else (shared_axes,)
        self.shared_axes = tuple(whole(axis, "PReLU: shared_axes") for axis in axes)

    def _alpha_shape(self, input_shape: Shape) -> Shape:
        """Errors: ConfigError for an axis that pictures of this shape have not."""
        beyond = [axis for axis in self.shared_axes if axis > len(input_shape)]
        if beyond:
            raise ConfigError(
                f"{self.place()}: shared_axes has {beyond[0]}, but the axes of a picture {tuple(input_shape)} count "
                f"from 1 to {len(input_shape)}"
            )
        return tuple(1 if axis in self.shared_axes else size for axis, size in enumerate(input_shape, 1))

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.params = {"alpha": self.draw("alpha_initializer", self._alpha_shape(input_shape), rng)}
        self.built = True

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.params and self.params["alpha"].shape != self._alpha_shape(input_shape):
            raise ShapeError(
                f"{self.place()} has alphas of shape {self.params['alpha'].shape}, pictures of shape "
                f"{tuple(input_shape)}{self.source()} need {self._alpha_shape(input_shape)}; share axes that may change"
            )
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return ops.prelu(x, self.params["alpha"]), x

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        dx, dalpha = ops.prelu_backward(dy, cache, self.params["alpha"])
        return dx if need_dx else None, {"dalpha": dalpha}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return np.where(x > 0, x, weights["alpha"] * x)

    def detail(self) -> str:
        return f"shared {', '.join(map(str, self.shared_axes))}" if self.shared_axes else ""


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

    def __init__(self, amplitude: float = 1.7159, slope: float = 2 / 3, **named: Unpack[Named]) -> None:
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
        dims = list(range(1, x.ndim))
        place = self.place_of(len(dims))
        dims[place], dims[-1] = dims[-1], dims[place]
        return x if place == len(dims) - 1 else ops.permute(x, dims)

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        place = self.place_of(x.ndim - 1) + 1
        return np.swapaxes(activated(np.swapaxes(x, place, -1), self.nonlinearity), place, -1)

    def detail(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"


def without_activation(layer: Kind) -> Kind:
    """The layer with the same arrays and no activation; the layer itself stays as it is, whatever becomes of it."""
    bare = object.__new__(type(layer))
    bare.__dict__.update(layer.__dict__, activation=None, _store=layer.store.apart())
    return bare


def with_activation(detail: str, activation: str | None) -> str:
    """A layer's detail with its activation's name behind it."""
    return detail if activation is None else f"{detail}, {activation}"
