"""Layers that keep activations in range: across the batch, within an example, or across neighbouring channels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import flag, within
from pellucid._fixed import Taken
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.initializers import InitializerLike
from pellucid.layers.calculation import normalized
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.taken import only_none
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_AXES, MAX_SIDE, number, whole

KEPT_DOWN = ("regularizer", "constraint")
"""What Keras takes for weights beside their initializers."""


class NormNamed(Named, total=False):
    """What their constructors take by name, see `Norm`."""

    beta_initializer: InitializerLike
    gamma_initializer: InitializerLike


class Norm(Layer):
    """What layers share that bring numbers to mean 0 and variance 1 and then give them a scale and a shift."""

    supports_masking = True

    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        **{f"{name}_{kind}": only_none("leave it out") for name in ("beta", "gamma") for kind in KEPT_DOWN},
    }

    def __init__(
        self,
        *,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.epsilon = number(epsilon, f"{where}: epsilon", 0.0)
        self.center = flag(center, f"{where}: center")
        self.scale = flag(scale, f"{where}: scale")
        self.gamma_initializer = within(f"{where}: gamma_initializer", initializers.get, gamma_initializer)
        self.beta_initializer = within(f"{where}: beta_initializer", initializers.get, beta_initializer)

    def expect_last(self, axis: int, input_shape: Shape) -> None:
        """Errors: ShapeError unless `axis`, counted with the batch, is the channels' of such an input."""
        if axis not in (-1, len(input_shape)):
            raise ShapeError(
                f"{self.place()} normalises channels, the last axis, got axis={axis} for "
                f"(N, {', '.join(map(str, input_shape))}){self.source()}; leave axis out"
            )

    def weights_shape(self, input_shape: Shape) -> Shape:
        """That of gamma and beta. Errors: ConfigError or ShapeError where such an input cannot be normalised."""
        return input_shape[-1:]

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        shape = self.weights_shape(self.output_shape(input_shape))
        kinds = {"gamma": self.scale, "beta": self.center}
        self.params = {name: self.draw(f"{name}_initializer", shape, rng) for name, there in kinds.items() if there}
        self.built = True

    def gamma_beta(self, input_shape: Shape, dtype: Any = np.float32) -> tuple[Array, Array]:
        """Scale and shift; ones and zeros where it has none."""
        shape = self.weights_shape(input_shape)
        gamma = self.params["gamma"] if self.scale else np.ones(shape, dtype)
        beta = self.params["beta"] if self.center else np.zeros(shape, dtype)
        return gamma, beta

    def scaled(self, x: Any, weights: Mapping[str, Any]) -> Any:
        """Normalised numbers with scale and shift, of recorded arrays."""
        y = x * weights["gamma"] if self.scale else x
        return y + weights["beta"] if self.center else y

    def gradients(self, dgamma: Array, dbeta: Array) -> dict[str, Array]:
        """Those of the parameters that there are."""
        return {f"d{name}": d for name, d in (("gamma", dgamma), ("beta", dbeta)) if name in self.params}


class BatchNorm(Norm):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, for each channel.

    While training, mean and variance are the batch's (variance divides by the count, as in Keras), and after the step
    the running ones become momentum * running + (1 - momentum) * batch. In use, and where the layer is frozen
    (trainable=False), the running ones are taken.

    Shapes: x (N,...,C) -> the same; gamma, beta, mean, variance (C,).
    Errors: ConfigError for momentum outside [0, 1) or a negative epsilon; ShapeError for another channel count.
    Source: Ioffe & Szegedy 2015, algorithms 1 and 2.
    """

    role = "batch norm"
    caption = ("batch norm",)

    @property
    def steady(self) -> bool:
        return super().steady and not self.trainable

    checks: ClassVar[Mapping[str, Callable[[Any, Any], Any]]] = {
        "trainable": lambda layer, value: layer.thawed(flag(value, f"{layer.name}: trainable"))
    }
    taken: ClassVar[Mapping[str, Taken]] = {
        **Norm.taken,
        "fused": lambda value: True,
        "mode": lambda value: value == 0 or "a batch's own mean and variance are taken while training alone",
        "renorm": lambda value: not value,
        "synchronized": lambda value: not value,
        "virtual_batch_size": only_none("give fit smaller batches"),
    }

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        *,
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        **named: Unpack[NormNamed],
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **named)
        self.axis = _one_axis(axis, "BatchNorm: axis")
        self.momentum = number(momentum, "BatchNorm: momentum", 0.0, 1.0)
        mean, variance = moving_mean_initializer, moving_variance_initializer
        self.moving_mean_initializer = within("BatchNorm: moving_mean_initializer", initializers.get, mean)
        self.moving_variance_initializer = within("BatchNorm: moving_variance_initializer", initializers.get, variance)

    def always(self, training: bool) -> None:
        super().always(training)
        if not training:
            self.trainable, self._running_alone = False, True

    def thawed(self, trained: bool) -> bool:
        """What `trainable` becomes: a layer that takes its running numbers for ever stays frozen, and says so."""
        if trained and self.__dict__.get("_running_alone"):
            warnings.warn(
                f"{self.place()} was called with training=False, so it stays frozen, its gamma and beta too",
                stacklevel=4,
            )
            return False
        return trained

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        kinds = ("mean", "variance")
        self.state = {name: self.draw(f"moving_{name}_initializer", input_shape[-1:], rng) for name in kinds}
        super().build(input_shape, rng)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.expect_last(self.axis, input_shape)
        if self.state and input_shape[-1] != self.state["mean"].size:
            raise ShapeError(
                f"{self.place()} was built for {self.state['mean'].size} channels, got {input_shape[-1]}{self.source()}"
            )
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        gamma, beta = self.gamma_beta(x.shape, x.dtype)
        if training and self.trainable:
            y, mean, variance = ops.batch_norm(x, gamma, beta, epsilon=self.epsilon)
            return y, (x, mean, variance, True)
        mean, variance = self.state["mean"], self.state["variance"]
        y = ops.batch_norm_inference(x, gamma, beta, mean, variance, epsilon=self.epsilon)
        # Copies: apply_state writes the running numbers in place, and a cache must not change under its owner.
        return y, (x, mean.copy(), variance.copy(), False)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, mean, variance, from_batch = cache
        gamma, _ = self.gamma_beta(x.shape, x.dtype)
        dx: Array | None
        if from_batch:
            dx, dgamma, dbeta = ops.batch_norm_backward(dy, x, gamma, mean, variance, epsilon=self.epsilon)
        else:
            deviation = np.sqrt(variance + variance.dtype.type(self.epsilon))
            dx = self.backward_input(dy, cache) if need_dx else None
            dgamma = ops.bias_backward(dy * (x - mean)) / deviation
            dbeta = ops.bias_backward(dy)
        return dx if need_dx else None, self.gradients(dgamma, dbeta)

    def backward_input(self, dy: Array, cache: Cache) -> Array | None:
        x, _, variance, from_batch = cache
        if from_batch:
            return self.backward(dy, cache)[0]
        gamma, _ = self.gamma_beta(x.shape, x.dtype)
        return np.asarray(dy * (gamma / np.sqrt(variance + variance.dtype.type(self.epsilon))))

    def apply_state(self, cache: Cache) -> None:
        _, mean, variance, from_batch = cache
        if not from_batch:
            return
        for name, batch in (("mean", mean), ("variance", variance)):
            running = self.state[name]
            running *= running.dtype.type(self.momentum)
            running += running.dtype.type(1.0 - self.momentum) * batch
        self.version += 1

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        if training and self.trainable:
            return self.scaled(normalized(x, tuple(range(x.ndim - 1)), self.epsilon), weights)
        mean, variance = self.state["mean"], self.state["variance"]
        return self.scaled((x - mean) / np.sqrt(variance + variance.dtype.type(self.epsilon)), weights)


class LayerNorm(Norm):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each place's own numbers.

    Nothing is taken from other examples, so it does in training what it does in use.

    Shapes: x (N,...) -> the same; gamma, beta: the last axes, by default (C,). Mean and variance (which divides by the
        count) are taken over those axes.
    axis: the last one, or the last several, all of them, e.g. (1, 2, 3) or (-3, -2, -1) for pictures; 0 is the batch.
    Errors: ConfigError for a negative epsilon, or no axes; ShapeError for axes that are not the last of its input, or
        another length than it was built for.
    Source: Ba, Kiros & Hinton 2016, equations 3 and 4.
    """

    role = "layer norm"
    caption = ("layer norm",)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **named: Unpack[NormNamed],
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **named)
        several = axis if isinstance(axis, Sequence) and not isinstance(axis, str) else (axis,)
        least = "LayerNorm: axis"
        if not several:
            raise ConfigError(f"{least} must name one axis or more, got {shown(axis)}")
        numbers = tuple(whole(each, least, MAX_AXES, least=-MAX_AXES) for each in several)
        self.axis = numbers if isinstance(axis, Sequence) else numbers[0]

    def weights_shape(self, input_shape: Shape) -> Shape:
        rank = len(input_shape) + 1
        given = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        axes = sorted(axis % rank for axis in given)
        if any(not -rank <= axis < rank for axis in given) or axes != list(range(max(rank - len(axes), 1), rank)):
            raise ShapeError(
                f"{self.place()} normalises the last axes of its input, one or more, got axis {self.axis} for "
                f"(N, {', '.join(map(str, input_shape))}){self.source()}"
            )
        return input_shape[axes[0] - 1 :]

    def output_shape(self, input_shape: Shape) -> Shape:
        shape, built = self.weights_shape(tuple(input_shape)), next(iter(self.params.values()), None)
        if built is not None and built.shape != shape:
            raise ShapeError(f"{self.place()} was built for {built.shape}, got {shape}{self.source()}")
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        gamma, beta = self.gamma_beta(self.output_shape(x.shape[1:]), x.dtype)
        y, mean, variance = ops.layer_norm(x, gamma, beta, epsilon=self.epsilon)
        return y, (x, mean, variance)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, mean, variance = cache
        gamma, _ = self.gamma_beta(x.shape[1:], x.dtype)
        dx, *own = ops.layer_norm_backward(dy, x, gamma, mean, variance, epsilon=self.epsilon)
        return dx if need_dx else None, self.gradients(*own)

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        axes = tuple(range(x.ndim - len(self.weights_shape(x.shape[1:])), x.ndim))
        return self.scaled(normalized(x, axes, self.epsilon), weights)

    def detail(self) -> str:
        return "" if self.axis == -1 else f"axis {self.axis}"


class GroupNorm(Norm):
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and variance of each group of channels.

    They are taken over all places of one example and C / groups channels, and so do not depend on the batch.

    Shapes: x (N,...,C) -> the same; gamma, beta (C,). groups: -1 for as many as channels (instance norm), as in Keras.
    Errors: ConfigError for arguments; ShapeError for channels that do not divide into groups, or another count than it
        was built for.
    Source: Wu & He 2018, equations 1 to 3 and 7.
    """

    role = "group norm"

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **named: Unpack[NormNamed],
    ) -> None:
        super().__init__(epsilon=epsilon, center=center, scale=scale, **named)
        self.axis = _one_axis(axis, "GroupNorm: axis")
        self.groups = -1 if isinstance(groups, int) and groups == -1 else whole(groups, "GroupNorm: groups")

    def groups_of(self, channels: int) -> int:
        """How many groups so many channels are."""
        return channels if self.groups == -1 else self.groups

    def output_shape(self, input_shape: Shape) -> Shape:
        self.expect_last(self.axis, input_shape)
        channels, built = input_shape[-1], next(iter(self.params.values()), None)
        if built is not None and built.size != channels:
            raise ShapeError(f"{self.place()} was built for {built.size} channels, got {channels}{self.source()}")
        if channels % self.groups_of(channels):
            raise ShapeError(
                f"{self.place()} cannot split {channels} channels{self.source()} into {self.groups} groups; "
                "choose groups that divide the channels"
            )
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        gamma, beta = self.gamma_beta(self.output_shape(x.shape[1:]), x.dtype)
        y, mean, variance = ops.group_norm(x, gamma, beta, groups=self.groups_of(x.shape[-1]), epsilon=self.epsilon)
        return y, (x, mean, variance)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, mean, variance = cache
        gamma, _ = self.gamma_beta(x.shape[1:], x.dtype)
        groups = self.groups_of(x.shape[-1])
        dx, *own = ops.group_norm_backward(dy, x, gamma, mean, variance, groups=groups, epsilon=self.epsilon)
        return dx if need_dx else None, self.gradients(*own)

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        groups = self.groups_of(x.shape[-1])
        grouped = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
        return self.scaled(normalized(grouped, (1, 3), self.epsilon).reshape(x.shape), weights)

    def detail(self) -> str:
        return "one channel each" if self.groups == -1 else f"groups {self.groups}"

    @property
    def caption(self) -> tuple[str, ...]:
        return ("instance norm" if self.groups == -1 else f"group norm {self.groups}",)


class LocalResponseNorm(Layer):
    """y[c] = x[c] / (k + alpha * sum over the `size` nearest channels of x^2) ** beta, at each place.

    Shapes: x (N,H,W,C) -> the same.
    Units: size in channels. alpha multiplies the plain sum, as in the paper; PyTorch divides it by size.
    Errors: ConfigError for arguments; ShapeError for anything but pictures.
    Source: Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """

    role = "response norm"
    caption = ("LRN",)

    def __init__(
        self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 2.0, **named: Unpack[Named]
    ) -> None:
        super().__init__(**named)
        self.size = whole(size, "LocalResponseNorm: size", MAX_SIDE)
        self.alpha = number(alpha, "LocalResponseNorm: alpha", 0.0)
        self.beta = number(beta, "LocalResponseNorm: beta", 0.0)
        self.k = number(k, "LocalResponseNorm: k", 0.0)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        y, scale = ops.local_response_norm(x, size=self.size, alpha=self.alpha, beta=self.beta, k=self.k)
        return y, (x, y, scale)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        if not need_dx:
            return None, {}
        x, y, scale = cache
        return ops.local_response_norm_backward(dy, x, y, scale, size=self.size, alpha=self.alpha, beta=self.beta), {}

    def detail(self) -> str:
        return f"size {self.size}"


def _one_axis(axis: Any, what: str) -> int:
    """Errors: ConfigError for what is no whole number; a list of one is taken, as Keras does."""
    bare = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
    return whole(bare, what, MAX_AXES, least=-MAX_AXES)
