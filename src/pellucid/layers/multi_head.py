"""Attention of several heads, each of which compares numbers of its own. Letters: as in `attention`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import ops
from pellucid._arguments import flag, several
from pellucid._fixed import Taken
from pellucid.errors import ShapeError
from pellucid.initializers import InitializerLike
from pellucid.layers.attention import Attending, back_to, neutral
from pellucid.layers.constraint import Constraint
from pellucid.layers.layer import Cache, Key, Named
from pellucid.layers.penalty import Penalty
from pellucid.layers.several import pack, unpack
from pellucid.layers.weighted import KernelAndBias, hold
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import whole

READS = ("query", "key", "value")
"""In the order of Keras's weights."""


class MultiHeadAttention(KernelAndBias, Attending):
    """y = [head_1, ..., head_H] @ output, head = softmax(q k^T / sqrt(K)) v of queries, keys and values that each head
    makes of what it reads by matrices of its own. It is called on (query, value), or (query, value, key).

    Shapes: query (N,T,...,D) -> (N,T,...,D), or output_shape for the last axis; query_kernel (D,H,K), query_bias (H,K),
        those of key and value likewise; output_kernel (H,V,D), output_bias (D,). Axes between the batch and the last
        are all attended over.
    Errors: ConfigError for sizes below 1; ShapeError as the others.
    Source: Vaswani et al. 2017, section 3.2.2.
    """

    caption = ("heads",)
    taken: ClassVar[Mapping[str, Taken]] = {
        **Attending.taken,
        "attention_axes": lambda axes: axes in (None, 1, (1,), [1]) or "Reshape brings the axes into one series",
        "sliding_window": neutral(None),
        "use_gate": neutral(False),
    }

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: int | Sequence[int] | None = None,
        *,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(dropout, use_causal_mask, return_attention_scores, **named)
        where = "MultiHeadAttention"
        self.num_heads = whole(num_heads, f"{where}: num_heads")
        self.key_dim = whole(key_dim, f"{where}: key_dim")
        self.value_dim = self.key_dim if value_dim is None else whole(value_dim, f"{where}: value_dim")
        self.use_bias = flag(use_bias, f"{where}: use_bias")
        given = [output_shape] if isinstance(output_shape, int | np.integer) else output_shape
        sizes = [
            whole(one, f"{where}: output_shape")
            for one in several([] if given is None else given, f"{where}: output_shape")
        ]
        self._answer = tuple(sizes)
        hold(self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        hold(self, "bias", bias_initializer, bias_regularizer, bias_constraint)

    def config(self) -> dict[str, Any]:
        method = type(self).output_shape
        vars(self)["output_shape"] = self._answer or None  # which is a method's name, too
        try:
            return super().config()
        finally:
            del vars(self)["output_shape"]
            assert self.output_shape.__func__ is method  # type: ignore[attr-defined]

    def detail(self) -> str:
        return f"{self.num_heads} of {self.key_dim}"

    def _each(self, what: str) -> dict[str, Any]:
        said = {"kernel": getattr(self, f"kernel_{what}"), "bias": getattr(self, f"bias_{what}")}
        found = {name: said[name.rpartition("_")[2]] for name in self.params}
        return {name: one for name, one in found.items() if one is not None}

    def penalties(self) -> dict[str, Penalty]:
        return self._each("regularizer")

    def constraints(self) -> dict[str, Constraint]:
        return self._each("constraint")

    def macs(self, input_shape: Any) -> int:
        query, value, key = self._three([tuple(shape) for shape in input_shape])
        places = {"query": query, "value": value, "key": key, "output": query}
        numbers = sum(int(np.prod(shape[:-1])) * self.params[f"{name}_kernel"].size for name, shape in places.items())
        scores = int(np.prod(query[:-1])) * int(np.prod(key[:-1])) * self.num_heads
        return numbers + scores * (self.key_dim + self.value_dim)

    def _score_heads(self) -> Shape:
        return (self.num_heads,)

    def _answer_shape(self, query: Shape, value: Shape, key: Shape) -> Shape:
        for name, shape in zip(READS, (query, key, value), strict=True):
            kernel = self.params.get(f"{name}_kernel")
            if kernel is not None and kernel.shape[0] != shape[-1]:
                raise ShapeError(
                    f"{self.place()} was built for {kernel.shape[0]} features of a {name}, got {shape[-1]}"
                    f"{self.source()}"
                )
        return *query[:-1], *(self._answer or query[-1:])

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        query, value, key = self._three([tuple(shape) for shape in input_shape])
        params: dict[str, Array] = {}
        for name, shape in zip(READS, (query, key, value), strict=True):
            heads = (self.num_heads, self.value_dim if name == "value" else self.key_dim)
            params |= self._drawn(name, shape[-1:], heads, rng)
        params |= self._drawn("output", (self.num_heads, self.value_dim), self._answer or query[-1:], rng)
        self.params = params
        self.built = True

    def _drawn(self, name: str, ins: Shape, outs: Shape, rng: np.random.Generator) -> dict[str, Array]:
        kernel = self.draw("kernel_initializer", (int(np.prod(ins)), int(np.prod(outs))), rng)
        found = {f"{name}_kernel": kernel.reshape(*ins, *outs)}
        return found | ({f"{name}_bias": self.draw("bias_initializer", outs, rng)} if self.use_bias else {})

    # Each head's numbers

    def _flat(self, name: str) -> tuple[Array, Array | None]:
        """A kernel as a matrix, and its bias as a row."""
        kernel, bias = self.params[f"{name}_kernel"], self.params.get(f"{name}_bias")
        ins = kernel.shape[: 2 if name == "output" else 1]
        return kernel.reshape(int(np.prod(ins)), -1), None if bias is None else bias.reshape(-1)

    def _heads(self, x: Array, name: str) -> Array:
        """(N,T,D) -> (N,H,T,K)."""
        rows = ops.dense(np.ascontiguousarray(x.reshape(-1, x.shape[-1])), *self._flat(name))
        return rows.reshape(len(x), -1, self.num_heads, rows.shape[-1] // self.num_heads).transpose(0, 2, 1, 3)

    def _heads_backward(self, d: Array, x: Array, name: str, grads: dict[str, Array]) -> Array:
        rows = np.ascontiguousarray(d.transpose(0, 2, 1, 3)).reshape(-1, d.shape[1] * d.shape[3])
        return self._rows_backward(rows, x.reshape(-1, x.shape[-1]), name, grads).reshape(x.shape)

    def _rows_backward(self, d: Array, x: Array, name: str, grads: dict[str, Array]) -> Array:
        kernel = self.params[f"{name}_kernel"]
        grads[f"d{name}_kernel"] = ops.dense_backward_kernel(np.ascontiguousarray(x), d).reshape(kernel.shape)
        if self.use_bias:
            grads[f"d{name}_bias"] = ops.bias_backward(d).reshape(self.params[f"{name}_bias"].shape)
        return ops.dense_backward_input(d, self._flat(name)[0])

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        (answer, *_) = self._parts([each.shape[1:] for each in x])
        query, value, keys = self._three(x)
        q, k, v = (self._heads(each, name) for each, name in zip((query, keys, value), READS, strict=True))
        scale = q.dtype.type(self.key_dim**-0.5)
        scores = (q * scale) @ k.swapaxes(-1, -2)
        weights, used, drawn = self._weights(scores, x[3] if len(x) > 3 else None, training, key)
        mixed = np.ascontiguousarray((used @ v).transpose(0, 2, 1, 3)).reshape(-1, self.num_heads * self.value_dim)
        y = ops.dense(mixed, *self._flat("output")).reshape(len(query), *answer)
        parts = [y, *([weights] if self.return_attention_scores else [])]
        return pack(parts), (x, q, k, v, weights, used, drawn, mixed, [part.shape for part in parts])

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        x, q, k, v, weights, used, drawn, mixed, shapes = cache
        query, value, keys = self._three(x)
        d, *d_given = unpack(dy, shapes)
        grads: dict[str, Array] = {}
        rows = np.ascontiguousarray(d).reshape(len(mixed), -1)
        d = self._rows_backward(rows, mixed, "output", grads)
        d = d.reshape(len(query), -1, self.num_heads, self.value_dim).transpose(0, 2, 1, 3)
        dv = used.swapaxes(-1, -2) @ d
        ds = self._weights_backward(d @ v.swapaxes(-1, -2), d_given[0] if d_given else None, weights, drawn)
        ds = ds * ds.dtype.type(self.key_dim**-0.5)
        dq = self._heads_backward(ds @ k, query, "query", grads)
        dk = self._heads_backward(ds.swapaxes(-1, -2) @ q, keys, "key", grads)
        dv = self._heads_backward(dv, value, "value", grads)
        return (back_to(x, dq, dv, dk) if need_dx else None), {f"d{name}": grads[f"d{name}"] for name in self.params}
