"""Recurrent layers: one step after the other, each by what the one before left behind.

Letters: N batch, T steps, C features, U units, G gates. Work along the steps is Python and NumPy: right, and slower
than anything else here; what does not depend on the step before, x @ kernel, is one product for all steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypedDict, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import flag, within
from pellucid._fixed import Taken
from pellucid.errors import ConfigError, ShapeError
from pellucid.initializers import InitializerLike
from pellucid.layers.activation import activate, activate_backward, standardize_activation
from pellucid.layers.constraint import Constraint
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.penalty import Penalty
from pellucid.layers.several import called_with_mask, joined, pack, unpack
from pellucid.layers.traits import Nonlinearity
from pellucid.layers.weighted import hold
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import number, whole

PARTS = {"kernel": "kernel", "recurrent_kernel": "recurrent", "bias": "bias"}
"""Its parameters, and what its arguments call them: `recurrent_initializer`."""


class BehindNamed(Named, total=False):
    """What the constructors of all of them take by name, behind what is in `RecurrentNamed`."""

    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    kernel_constraint: Any
    recurrent_constraint: Any
    bias_constraint: Any
    dropout: float
    recurrent_dropout: float
    return_sequences: bool
    return_state: bool
    go_backwards: bool
    zero_output_for_mask: bool


class RecurrentNamed(BehindNamed, total=False):
    """All of that."""

    use_bias: bool
    kernel_initializer: InitializerLike
    recurrent_initializer: InitializerLike
    bias_initializer: InitializerLike


class Run(TypedDict):
    """What `run_backward` needs of `run`."""

    x: Array
    steps: list[Any]
    mask: Array | None
    drops: tuple[Any, Any]
    zeros: bool


def _not_stateful(value: Any) -> bool | str:
    return not value or "state is kept between batches by nobody: give initial_state=, and take it by return_state=True"


class Recurrent(Layer):
    """What recurrent layers share: weights, masks, states that come in and go out.

    It reads a series, and may read, behind it, the states it begins with and a mask (N,T,1), see `masking`. A step that
    does not count leaves states as they are.
    Shapes: x (N,T,C) -> (N,U), or (N,T,U) with return_sequences; with return_state a row of that and the states, which
        calling the layer gives one by one.
    Errors: ConfigError for arguments; ShapeError for another number of features than it was built for.
    """

    merges: ClassVar[bool] = True
    reads_mask: ClassVar[bool] = True
    role = "recurrent"
    gates: ClassVar[int] = 1
    num_states: ClassVar[int] = 1
    taken: ClassVar[Mapping[str, Taken]] = {
        **Layer.taken,
        **dict.fromkeys(("unroll", "implementation", "use_cudnn", "consume_less"), lambda value: True),
        "time_major": lambda value: not value or "series are (N, T, C) here",
        "stateful": _not_stateful,
    }

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        recurrent_initializer: InitializerLike = "orthogonal",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.units = whole(units, f"{where}: units")
        self.activation = within(f"{where}: activation", standardize_activation, activation)
        self.use_bias = flag(use_bias, f"{where}: use_bias")
        hold(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        hold(self, "recurrent", recurrent_initializer, recurrent_regularizer, recurrent_constraint)
        hold(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self.dropout = number(dropout, f"{where}: dropout", 0.0, 1.0)
        self.recurrent_dropout = number(recurrent_dropout, f"{where}: recurrent_dropout", 0.0, 1.0)
        self.return_sequences = flag(return_sequences, f"{where}: return_sequences")
        self.return_state = flag(return_state, f"{where}: return_state")
        self.go_backwards = flag(go_backwards, f"{where}: go_backwards")
        self.zero_output_for_mask = flag(zero_output_for_mask, f"{where}: zero_output_for_mask")

    # Traits

    @property
    def nonlinearity(self) -> Nonlinearity | None:
        return None  # it acts within each step, and not on the result

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        return self.return_sequences

    @property
    def gives_several(self) -> bool:  # type: ignore[override]
        return self.return_state

    @property
    def drop_rate(self) -> float:
        return max(self.dropout, self.recurrent_dropout)

    @property
    def state_sizes(self) -> list[int]:
        """The numbers that each of its states has."""
        return [self.units] * self.num_states

    def detail(self) -> str:
        return f"{self.units}{', all steps' if self.return_sequences else ''}"

    def penalties(self) -> dict[str, Penalty]:
        return {name: said for name in self.params if (said := getattr(self, f"{PARTS[name]}_regularizer"))}

    def constraints(self) -> dict[str, Constraint]:
        return {name: said for name in self.params if (said := getattr(self, f"{PARTS[name]}_constraint"))}

    def macs(self, input_shape: Any) -> int:
        steps = input_shape[0][0]
        return int(steps) * sum(self.params[name].size for name in ("kernel", "recurrent_kernel"))

    # Shapes

    def output_shape(self, input_shape: Any) -> Shape:
        shape = tuple(input_shape[0])
        if len(shape) != 2:
            got = ", ".join(map(str, shape))
            raise ShapeError(f"{self.place()} needs a series (N, T, C), got (N, {got}){self.source()}")
        features = len(self.params.get("kernel", ())) or shape[1]
        if shape[1] != features:
            raise ShapeError(f"{self.place()} was built for {features} features, got {shape[1]}{self.source()}")
        states = [each for each in input_shape[1:] if len(each) == 1]
        if [size for (size,) in states] not in ([], self.state_sizes):
            raise ShapeError(f"{self.place()} begins with states of {self.state_sizes} numbers, got {states}")
        return joined([self.result_shape(shape), *self.states_shapes()])

    def result_shape(self, shape: Shape) -> Shape:
        """Of what it gives beside states, for a series of this shape."""
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def states_shapes(self) -> list[Shape]:
        """Of the states it gives."""
        return [(size,) for size in self.state_sizes] if self.return_state else []

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        wide = self.gates * self.units
        params = {
            "kernel": self.draw("kernel_initializer", (input_shape[0][-1], wide), rng),
            "recurrent_kernel": self.draw("recurrent_initializer", (self.units, wide), rng),
        }
        if self.use_bias:
            params["bias"] = self._draw_bias(wide, rng)
        self.params = params
        self.built = True

    def _draw_bias(self, wide: int, rng: np.random.Generator) -> Array:
        return self.draw("bias_initializer", (wide,), rng)

    # One step, which each kind has of its own

    def _input_bias(self) -> Array | None:
        return self.params.get("bias")

    def _step(self, z: Array, states: Sequence[Array]) -> tuple[list[Array], Any]:
        """The states after a step, the answer first. Shapes: z (N,G*U), of x @ kernel + bias; states (N,U)."""
        raise NotImplementedError

    def _step_backward(self, d: Sequence[Array], kept: Any, grads: dict[str, Array]) -> tuple[Array, list[Array]]:
        """(dz, gradients of the states before) of those after; what belongs to its own weights is added to grads."""
        raise NotImplementedError

    def _act(self, z: Array, kind: str | None) -> tuple[Array, Any]:
        how = None if kind is None else Nonlinearity(kind)
        y, kept = activate(np.ascontiguousarray(z), how)
        return y, (kept, how)

    @staticmethod
    def _act_backward(d: Array, kept: Any) -> Array:
        return activate_backward(np.ascontiguousarray(d), *kept)

    # All steps

    def run(
        self,
        x: Array,
        states: Sequence[Array],
        mask: Array | None,
        training: bool,
        key: Key | None,
        zeros: bool = False,
    ) -> tuple[Array, list[Array], Run]:
        """(answer, states after the last step, what backward needs). zeros: what steps that do not count answer with,
        in place of the answer before. Shapes: x (N,T,C), states (N,U), mask (N,T,1).
        """
        n, steps, features = x.shape
        drops = self._drops(n, features, x.dtype, training, key)
        given = x if drops[0] is None else x * drops[0][:, None]
        now = list(states) or [np.zeros((n, size), x.dtype) for size in self.state_sizes]
        z = ops.dense(given.reshape(-1, features), self.params["kernel"], self._input_bias()).reshape(n, steps, -1)
        z = np.ascontiguousarray(z.transpose(1, 0, 2))
        last = np.zeros_like(now[0])
        kept, answers = [], []
        for t in range(steps - 1, -1, -1) if self.go_backwards else range(steps):
            before = [now[0] if drops[1] is None else now[0] * drops[1], *now[1:]]
            after, own = self._step(z[t], before)
            if mask is not None:
                counts = mask[:, t] != 0
                after = [np.where(counts, new, old) for new, old in zip(after, now, strict=True)]
                last = np.where(counts, after[0], 0 if zeros else last)
            else:
                last = after[0]
            now = after
            kept.append((t, own))
            if self.return_sequences:
                answers.append(last)
        y = np.stack(answers, axis=1) if self.return_sequences else last
        return y, now, {"x": given, "steps": kept, "mask": mask, "drops": drops, "zeros": zeros}

    def run_backward(
        self, dy: Array, d_states: Sequence[Array], kept: Run
    ) -> tuple[Array, list[Array], dict[str, Array]]:
        """(dx, gradients of the first states, those of its parameters) of `run`."""
        x, mask, drops = kept["x"], kept["mask"], kept["drops"]
        n, steps, features = x.shape
        grads = {"drecurrent_kernel": np.zeros_like(self.params["recurrent_kernel"], dtype=dy.dtype)}
        d = list(d_states) or [np.zeros((n, size), dy.dtype) for size in self.state_sizes]
        dlast = np.zeros_like(d[0]) if self.return_sequences else dy
        dz = np.empty((steps, n, self.gates * self.units), dy.dtype)
        for place in range(steps - 1, -1, -1):
            t, own = kept["steps"][place]
            if self.return_sequences:
                dlast = dlast + dy[:, place]
            passed: list[Any] = [0, *(0 for _ in d[1:])]
            if mask is None:
                arrived, dlast = [d[0] + dlast, *d[1:]], np.zeros_like(dlast)
            else:
                counts = mask[:, t] != 0
                arrived = [np.where(counts, one, 0) for one in (d[0] + dlast, *d[1:])]
                passed = [np.where(counts, 0, one) for one in d]
                dlast = np.zeros_like(dlast) if kept["zeros"] else np.where(counts, 0, dlast)
            dz[t], before = self._step_backward(arrived, own, grads)
            if drops[1] is not None:
                before[0] = before[0] * drops[1]
            d = [one + other for one, other in zip(before, passed, strict=True)]
        rows = np.ascontiguousarray(dz.transpose(1, 0, 2)).reshape(n * steps, -1)
        grads["dkernel"] = ops.dense_backward_kernel(np.ascontiguousarray(x.reshape(-1, features)), rows)
        if self.use_bias and "dbias" not in grads:
            grads["dbias"] = ops.bias_backward(rows)
        elif self.use_bias:
            grads["dbias"][0] = ops.bias_backward(rows)
        dx = ops.dense_backward_input(rows, self.params["kernel"]).reshape(x.shape)
        return dx if drops[0] is None else dx * drops[0][:, None], d, grads

    def _drops(self, n: int, features: int, dtype: Any, training: bool, key: Key | None) -> tuple[Any, Any]:
        """What inputs and states are multiplied by while training, the same at each step; None for nothing."""
        if not training or not self.drop_rate:
            return None, None
        if key is None:
            raise ConfigError(f"{self.place()} needs key=(seed, step, layer index) in training, got None")
        seed, step, index = key
        ones = np.ones((n, features), np.float32), np.ones((n, self.units), np.float32)
        found = (
            ops.dropout(one, rate, (seed, step, index + (place + 1) * 2**16)).astype(dtype) if rate else None
            for place, (one, rate) in enumerate(zip(ones, (self.dropout, self.recurrent_dropout), strict=True))
        )
        first, second = found
        return first, second

    # As a layer

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        states, mask = states_and_mask(x)
        y, after, kept = self.run(x[0], states, mask, training, key, zeros=self.zero_output_for_mask)
        parts = [y, *(after if self.return_state else ())]
        return pack(parts), ([part.shape for part in parts], [each.shape for each in x], kept)

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        shapes, given, kept = cache
        first, *d_states = unpack(dy, shapes)
        dx, begun, grads = self.run_backward(first, d_states, kept)
        ordered = {f"d{name}": grads[f"d{name}"] for name in self.params}
        return (for_each(given, dx, begun) if need_dx else None), ordered

    def __call__(
        self, x: Any, seed: int | None = None, training: Any = None, mask: Any = None, initial_state: Any = None
    ) -> Any:
        """As `Layer.__call__`; a list with return_state: the answer, then each state.

        mask: (N,T), which steps count. initial_state: one or a list.
        """
        begun = [] if initial_state is None else initial_state
        begun = list(begun) if isinstance(begun, list | tuple) else [begun]
        given = [*(x if isinstance(x, list | tuple) else [x]), *begun]
        return called_with_mask(self, given, seed, training, mask)

    def parts_of(self, shapes: Sequence[Shape]) -> list[Shape] | None:
        """The shapes of what its row holds, where it gives several values."""
        return [self.result_shape(tuple(shapes[0])), *self.states_shapes()] if self.return_state else None


def states_and_mask(x: Sequence[Array]) -> tuple[list[Array], Array | None]:
    """What is read behind a series: states (N,U), and a mask (N,T,1)."""
    masks = [each for each in x[1:] if each.ndim == 3]
    return [each for each in x[1:] if each.ndim == 2], masks[0] if masks else None


def for_each(given: Sequence[Shape], dx: Array, begun: Sequence[Array]) -> list[Array]:
    """The gradients of what was read: the series, the states, and zeros for a mask."""
    states = iter(begun)
    return [dx, *(next(states) if len(shape) == 2 else np.zeros(shape, dx.dtype) for shape in given[1:])]


class SimpleRNN(Recurrent):
    """h = f(x @ kernel + h @ recurrent_kernel + bias), at each step of its own h of before.

    Shapes: as `Recurrent`; kernel (C,U), recurrent_kernel (U,U), bias (U,).
    Source: Elman 1990, "Finding structure in time".
    """

    def _step(self, z: Array, states: Sequence[Array]) -> tuple[list[Array], Any]:
        h, kept = self._act(z + states[0] @ self.params["recurrent_kernel"], self.activation)
        return [h], (states[0], kept)

    def _step_backward(self, d: Sequence[Array], kept: Any, grads: dict[str, Array]) -> tuple[Array, list[Array]]:
        before, how = kept
        dz = self._act_backward(d[0], how)
        grads["drecurrent_kernel"] += before.T @ dz
        return dz, [dz @ self.params["recurrent_kernel"].T]
