"""A dense layer whose sums are spelled as letters."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid._arguments import several, word
from pellucid.autodiff.rules import RULES
from pellucid.errors import ConfigError, ShapeError, shown
from pellucid.initializers import InitializerLike
from pellucid.layers.activation import activate, activate_backward, with_activation
from pellucid.layers.layer import Cache, Key, Named
from pellucid.layers.weighted import Weighted
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import whole

SPELLING = re.compile(r"((?:\.{3})?[a-zA-Z]+(?:\.{3})?),([a-zA-Z]+)->((?:\.{3})?[a-zA-Z]*(?:\.{3})?)")


class EinsumNamed(Named, total=False):
    """What its constructor hands on."""

    kernel_initializer: InitializerLike
    bias_initializer: InitializerLike
    kernel_regularizer: Any
    bias_regularizer: Any
    kernel_constraint: Any
    bias_constraint: Any


class EinsumDense(Weighted):
    """y = f(einsum(equation, x, kernel) + bias), e.g. "abc,cd->abd" for a Dense(d); "..." stands for any axes.

    output_shape: the sizes that the kernel brings, in the order of y's axes without the batch; None for one that x
    has. bias_axes: the letters of y that the bias has; None for no bias.
    Shapes: x (N,...) -> y as spelled.
    Errors: ConfigError for an equation that is none; ShapeError for an x that does not fit it.
    """

    role = "dense"
    linear = True
    caption = ("einsum",)
    supports_masking = False

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: str | None = None,
        bias_axes: str | None = None,
        **weighted: Unpack[EinsumNamed],
    ) -> None:
        super().__init__(activation, bias_axes is not None, **weighted)
        self.equation = word(equation, "EinsumDense: equation").replace(" ", "")
        found = SPELLING.fullmatch(self.equation)
        if found is None:
            raise ConfigError(f'EinsumDense: equation must be like "abc,cd->abd", got {shown(equation)}')
        self._terms = found.groups()
        given = [output_shape] if isinstance(output_shape, int | np.integer) else several(output_shape, "output_shape")
        self._answer = tuple(None if one is None else whole(one, "EinsumDense: output_shape") for one in given)
        free = len(self._terms[2]) - 1 - len(self._answer)
        if "..." not in self.equation and free < 0:
            raise ConfigError(f"EinsumDense: output_shape has {len(self._answer)} sizes, more than {equation} gives y")
        self._answer = (*(None for _ in range(free if "..." not in self.equation else 0)), *self._answer)
        self.bias_axes = bias_axes

    def config(self) -> dict[str, Any]:
        vars(self)["output_shape"] = self._answer
        try:
            return super().config()
        finally:
            del vars(self)["output_shape"]

    def detail(self) -> str:
        return with_activation(self.equation, self.activation)

    def spelled(self, rank: int) -> tuple[str, str, str]:
        """The letters of x, kernel and y, all written out, for an x of so many axes. Errors: ShapeError."""
        x, kernel, y = self._terms
        free = [letter for letter in string.ascii_letters if letter not in "".join(self._terms)]
        more = "".join(free[: max(rank - len(x.replace("...", "")), 0)])
        x, y = x.replace("...", more), y.replace("...", more)
        if len(x) != rank:
            raise ShapeError(f"{self.place()} spells {len(x)} axes of its input, got {rank}{self.source()}")
        return x, kernel, y

    def sizes(self, input_shape: Shape) -> dict[str, int]:
        """The size of each letter, "" for the batch. Errors: ShapeError for letters that nobody gives a size."""
        x, kernel, y = self.spelled(len(input_shape) + 1)
        found: dict[str, int] = dict(zip(x[1:], input_shape, strict=True))
        behind = [letter for letter in y if letter != x[0]]
        for letter, size in zip(reversed(behind), reversed(self._answer), strict=False):
            if size is not None and found.setdefault(letter, size) != size:
                raise ShapeError(f"{self.place()}: axis {letter!r} is {found[letter]} of its input, {size} of y")
        if missing := [letter for letter in kernel + y[1:] if letter not in found]:
            raise ShapeError(f"{self.place()}: the size of {missing[0]!r} is not known; say it in output_shape")
        return found

    def output_shape(self, input_shape: Shape) -> Shape:
        sizes = self.sizes(tuple(input_shape))
        _, kernel, y = self.spelled(len(input_shape) + 1)
        if self.params and self.params["kernel"].shape != tuple(sizes[letter] for letter in kernel):
            raise ShapeError(f"{self.place()} was built for a kernel {self.params['kernel'].shape}{self.source()}")
        return tuple(sizes[letter] for letter in y[1:])

    def macs(self, input_shape: Shape) -> int:
        x, kernel, y = self.spelled(len(input_shape) + 1)
        sizes = self.sizes(tuple(input_shape))
        return math.prod(sizes[letter] for letter in set((x + kernel + y).replace(x[0], "")))

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        sizes = self.sizes(tuple(input_shape))
        x, kernel, y = self.spelled(len(input_shape) + 1)
        ins, outs = (
            [sizes[letter] for letter in kernel if (letter in x) is inside and (inside or letter in y)]
            for inside in (True, False)
        )
        shape = tuple(sizes[letter] for letter in kernel)
        drawn = self.draw("kernel_initializer", (math.prod(ins), math.prod(outs)), rng)
        self.params = {"kernel": drawn.reshape(shape)}
        if self.bias_axes is not None:
            first = min(y.index(letter) for letter in self.bias_axes)
            bias = tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in y[first:])
            self.params = {"kernel": drawn.reshape(shape), "bias": self.draw("bias_initializer", bias, rng)}
        self.built = True

    def _spelling(self, rank: int) -> str:
        return "{},{}->{}".format(*self.spelled(rank))

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        z = np.einsum(self._spelling(x.ndim), x, self.params["kernel"], optimize=True)
        z = np.ascontiguousarray(z + self.params["bias"] if self.use_bias else z)
        y, kept = activate(z, self.nonlinearity)
        return y, (x, kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        x, kept = cache
        dz = activate_backward(dy, kept, self.nonlinearity)
        rule = RULES[np.einsum].pulls(None, (self._spelling(x.ndim), x, self.params["kernel"]), {})
        found = rule(dz, (0, 1) if need_dx else (1,))
        grads = {"dkernel": np.ascontiguousarray(found[1])}
        if self.use_bias:
            bias = self.params["bias"]
            ahead = dz.ndim - bias.ndim
            ones = tuple(ahead + axis for axis, size in enumerate(bias.shape) if size == 1)
            grads["dbias"] = np.ascontiguousarray(dz.sum(axis=(*range(ahead), *ones)).reshape(bias.shape))
        return (np.ascontiguousarray(found[0]) if need_dx else None), grads
