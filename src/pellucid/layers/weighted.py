"""What convolutions and dense layers share: how kernel and bias begin, what penalises them, what acts on the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar, Unpack

import numpy as np

from pellucid import initializers
from pellucid._arguments import flag, within
from pellucid._fixed import Taken
from pellucid.initializers import InitializerLike
from pellucid.layers.behind import Activated, split_activation
from pellucid.layers.constraint import Constraint, standardize_constraint
from pellucid.layers.layer import Layer, Named
from pellucid.layers.penalty import Penalty, standardize_penalty
from pellucid.layers.taken import drawn_by
from pellucid.ops import Array, Shape

Given = TypeVar("Given")

ABOUT: Mapping[str, Callable[[Any], Any]] = {
    "initializer": initializers.get,
    "regularizer": standardize_penalty,
    "constraint": standardize_constraint,
}
"""What arguments say of a parameter, and what reads it: `kernel_initializer`."""


def hold(layer: Layer, word: str, *said: Any, called: str = "") -> None:
    """Keep what is said of a parameter, in the order of ABOUT, as the layer's `{word}_initializer` and so on.

    called: what the arguments call it, where that is another word. Errors: ConfigError for what cannot be read.
    """
    for (what, read), given in zip(ABOUT.items(), said, strict=True):
        setattr(layer, f"{word}_{what}", within(f"{type(layer).__name__}: {called or word}_{what}", read, given))


class KernelAndBias:
    """What `hold` keeps of the two."""

    kernel_initializer: initializers.Initializer
    kernel_regularizer: Penalty | None
    kernel_constraint: Constraint | None
    bias_initializer: initializers.Initializer
    bias_regularizer: Penalty | None
    bias_constraint: Constraint | None


class BiasedNamed(Named, total=False):
    """What their constructors take by name, see `Weighted`."""

    activation: str | Callable[[Any], Any] | None
    use_bias: bool
    bias_initializer: InitializerLike
    bias_regularizer: Any
    bias_constraint: Any


class WeightedNamed(BiasedNamed, total=False):
    """The same, and what is said of a kernel."""

    kernel_initializer: InitializerLike
    kernel_regularizer: Any
    kernel_constraint: Any


class Weighted(KernelAndBias, Activated):
    """A layer with a kernel, and a bias unless it is said to have none. Errors: ConfigError for arguments."""

    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        "weights": drawn_by(kernel_initializer="glorot_uniform", bias_initializer="zeros"),
    }
    kernel_word: ClassVar[str] = "kernel"
    """What its arguments call the kernel: `kernel_initializer`."""
    last_kernel: ClassVar[str] = "kernel"
    """The parameter that its results are sums by: of several, the last."""

    def __init__(
        self,
        activation: str | Callable[[Any], Any] | None = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        *,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.activation, self.behind = within(f"{where}: activation", split_activation, activation)
        self.use_bias = flag(use_bias, f"{where}: use_bias")
        hold(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint, called=self.kernel_word)
        hold(self, "bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        params = self._draw_kernels(input_shape[-1], rng)
        if self.use_bias:
            params["bias"] = self.draw("bias_initializer", (self.filters_of(input_shape[-1]),), rng)
        self.params = params
        self.built = True

    def filters_of(self, channels: int) -> int:
        """How many filters, or units, it has for so many input channels."""
        return self._kernel_shape(channels)[-1]

    def _draw_kernels(self, channels: int, rng: np.random.Generator) -> dict[str, Array]:
        return {"kernel": self._draw_kernel(channels, rng)}

    def _draw_kernel(self, channels: int, rng: np.random.Generator) -> Array:
        """A kernel for so many input channels, or inputs."""
        return self.draw(f"{self.kernel_word}_initializer", self._kernel_shape(channels), rng)

    def _kernel_shape(self, channels: int) -> Shape:
        """The kernel's shape for so many."""
        raise NotImplementedError

    def penalties(self) -> dict[str, Penalty]:
        return self._given({"kernel": self.kernel_regularizer, "bias": self.bias_regularizer})

    def constraints(self) -> dict[str, Constraint]:
        return self._given({"kernel": self.kernel_constraint, "bias": self.bias_constraint})

    def _given(self, each: Mapping[str, Given | None]) -> dict[str, Given]:
        """Of what is said of its parameters what is not None; there may be no bias."""
        return {name: said for name, said in each.items() if said is not None and (name != "bias" or self.use_bias)}
