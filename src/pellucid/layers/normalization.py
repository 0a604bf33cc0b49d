"""Layers that keep activations in range: across the batch, or across neighbouring channels."""

from __future__ import annotations

from typing import Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import flag
from pellucid.errors import ShapeError
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import MAX_SIDE, number, whole


class BatchNorm(Layer):
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

    def __init__(
        self,
        *,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.momentum = number(momentum, "BatchNorm: momentum", 0.0, 1.0)
        self.epsilon = number(epsilon, "BatchNorm: epsilon", 0.0)
        self.center = flag(center, "BatchNorm: center")
        self.scale = flag(scale, "BatchNorm: scale")
        # Keras's names; no arguments yet, but whoever fills a model from a file finds them as in every other layer
        self.gamma_initializer = self.moving_variance_initializer = initializers.get("ones")
        self.beta_initializer = self.moving_mean_initializer = initializers.get("zeros")

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        channels = self.output_shape(input_shape)[-1]
        self.params = {}
        if self.scale:
            self.params["gamma"] = self.draw("gamma_initializer", (channels,), rng)
        if self.center:
            self.params["beta"] = self.draw("beta_initializer", (channels,), rng)
        self.state = {
            "mean": self.draw("moving_mean_initializer", (channels,), rng),
            "variance": self.draw("moving_variance_initializer", (channels,), rng),
        }
        self.built = True

    def output_shape(self, input_shape: Shape) -> Shape:
        if self.state and input_shape[-1] != self.state["mean"].size:
            raise ShapeError(
                f"{self.place()} was built for {self.state['mean'].size} channels, got {input_shape[-1]}{self.source()}"
            )
        return tuple(input_shape)

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        gamma, beta = self._gamma_beta()
        if training and self.trainable:
            y, mean, variance = ops.batch_norm(x, gamma, beta, epsilon=self.epsilon)
            return y, (x, mean, variance, True)
        mean, variance = self.state["mean"], self.state["variance"]
        y = ops.batch_norm_inference(x, gamma, beta, mean, variance, epsilon=self.epsilon)
        # Copies: apply_state writes the running numbers in place, and a cache must not change under its owner.
        return y, (x, mean.copy(), variance.copy(), False)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, mean, variance, from_batch = cache
        gamma, _ = self._gamma_beta()
        dx: Array | None
        if from_batch:
            dx, dgamma, dbeta = ops.batch_norm_backward(dy, x, gamma, mean, variance, epsilon=self.epsilon)
        else:
            deviation = np.sqrt(variance + variance.dtype.type(self.epsilon))
            dx = dy * (gamma / deviation) if need_dx else None
            dgamma = ops.bias_backward(dy * (x - mean)) / deviation
            dbeta = ops.bias_backward(dy)
        grads = {"dgamma": dgamma, "dbeta": dbeta}
        return dx if need_dx else None, {f"d{name}": grads[f"d{name}"] for name in self.params}

    def apply_state(self, cache: Cache) -> None:
        _, mean, variance, from_batch = cache
        if not from_batch:
            return
        for name, batch in (("mean", mean), ("variance", variance)):
            running = self.state[name]
            running *= running.dtype.type(self.momentum)
            running += running.dtype.type(1.0 - self.momentum) * batch
        self.version += 1

    def _gamma_beta(self) -> tuple[Array, Array]:
        mean = self.state["mean"]
        gamma = self.params["gamma"] if self.scale else np.ones_like(mean)
        beta = self.params["beta"] if self.center else np.zeros_like(mean)
        return gamma, beta


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
        self,
        size: int = 5,
        alpha: float = 1e-4,
        beta: float = 0.75,
        k: float = 2.0,
        **named: Unpack[Named],
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
