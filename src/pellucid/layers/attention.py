"""Attention: of each query, the mean of values weighted by how well their keys fit it.

Letters: N batch, T queries, S keys and values, D features, H heads, K numbers of a key, V of a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid import initializers, ops
from pellucid._arguments import flag
from pellucid._fixed import Taken
from pellucid.errors import ConfigError, ShapeError, expect_known
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.several import called_with_mask, joined, pack, unpack
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import number

FAR = 1e9
"""What is taken off the score of a key that does not count, as in Keras."""


def neutral(*values: Any) -> Taken:
    """An argument of Keras's that may have these values alone."""
    return lambda value: value in values or "leave it out"


class Attending(Layer):
    """What layers of attention share. They read [query, value, key], and may read a mask behind these: (N,S,1), which
    keys count, or (N,T,S), which keys for which query.

    use_causal_mask: no query looks at a key behind its own place. return_attention_scores: the weights, too.
    Errors: ShapeError for other numbers of features, or of keys than of values.
    """

    merges: ClassVar[bool] = True
    reads_mask: ClassVar[bool] = True
    masked_read: ClassVar[int] = 1
    masks_queries: ClassVar[bool] = False
    """Whether queries that do not count get zeros."""
    supports_masking = True
    role = "attention"
    taken: ClassVar[Mapping[str, Taken]] = {**Layer.taken, "flash_attention": neutral(None, False)}

    def __init__(
        self,
        dropout: float = 0.0,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        where = type(self).__name__
        self.dropout = number(dropout, f"{where}: dropout", 0.0, 1.0)
        self.use_causal_mask = flag(use_causal_mask, f"{where}: use_causal_mask")
        self.return_attention_scores = flag(return_attention_scores, f"{where}: return_attention_scores")

    @property
    def gives_several(self) -> bool:  # type: ignore[override]
        return self.return_attention_scores

    @property
    def drop_rate(self) -> float:
        return self.dropout

    # Shapes

    def output_shape(self, input_shape: Any) -> Shape:
        return joined(self._parts([tuple(shape) for shape in input_shape]))

    def _parts(self, shapes: Sequence[Shape]) -> list[Shape]:
        query, value, key = self._three(shapes)
        if not len(query) == len(value) == len(key) >= 2:
            raise ShapeError(f"{self.place()} needs series (N, T, D), got {query}, {value} and {key}{self.source()}")
        if value[:-1] != key[:-1]:
            raise ShapeError(f"{self.place()} has keys {key[:-1]} for values {value[:-1]}; give as many of both")
        scores = (*self._score_heads(), int(np.prod(query[:-1])), int(np.prod(key[:-1])))
        return [self._answer_shape(query, value, key), *([scores] if self.return_attention_scores else [])]

    def parts_of(self, shapes: Sequence[Shape]) -> list[Shape] | None:
        """As of `Recurrent`."""
        return self._parts([tuple(shape) for shape in shapes]) if self.return_attention_scores else None

    def _three(self, given: Sequence[Any]) -> list[Any]:
        if len(given) not in (2, 3, 4):
            raise ShapeError(f"{self.place()} reads [query, value] or [query, value, key], got {len(given)} values")
        return [given[0], given[1], given[2] if len(given) > 2 else given[1]]

    def _score_heads(self) -> Shape:
        return ()

    def _answer_shape(self, query: Shape, value: Shape, key: Shape) -> Shape:
        raise NotImplementedError

    # Weights of keys

    def _weights(
        self, scores: Array, mask: Array | None, training: bool, key: Key | None
    ) -> tuple[Array, Array, Key | None]:
        """(softmax of the scores, what values are weighted by while training, what that was drawn with)."""
        counts = self._counts(scores.shape, mask)
        if counts is not None:
            scores = np.where(counts, scores, scores - scores.dtype.type(FAR))
        weights = ops.softmax(np.ascontiguousarray(scores))
        if not training or not self.dropout:
            return weights, weights, None
        if key is None:
            raise ConfigError(f"{self.place()} needs key=(seed, step, layer index) in training, got None")
        return weights, ops.dropout(weights, self.dropout, key), key

    def _weights_backward(self, d: Array, d_scores: Array | None, weights: Array, key: Key | None) -> Array:
        """The gradient of the scores, from that of the weights that were used and of those that were given."""
        if key is not None:
            d = ops.dropout(np.ascontiguousarray(d), self.dropout, key)
        d = d if d_scores is None else d + d_scores
        return ops.softmax_backward(np.ascontiguousarray(d), weights)

    def _counts(self, shape: Shape, mask: Array | None) -> Array | None:
        """Which scores count. Shapes: scores (N,T,S) or (N,H,T,S) -> what stretches to it; None for all."""
        counts = None
        if mask is not None:
            counts = mask.swapaxes(1, 2) if mask.shape[1:] == (shape[-1], 1) else mask
            counts = counts != 0
            if counts.ndim < len(shape):
                counts = counts[:, None]
        if self.use_causal_mask:
            causal = np.tri(shape[-2], shape[-1]) > 0
            counts = causal if counts is None else counts & causal
        return counts

    # As a layer

    def __call__(  # type: ignore[override]
        self,
        query: Any,
        value: Any = None,
        key: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool | None = None,
        training: Any = None,
        use_causal_mask: bool | None = None,
        mask: Any = None,
        seed: int | None = None,
        **masks: Any,
    ) -> Any:
        """Of a query, values and keys, by default the values; or of a list of these. With return_attention_scores the
        answer and the weights.

        attention_mask: (N,T,S), which keys count for which query. mask: of a list's values, which count.
        """
        given = list(query) if isinstance(query, list | tuple) else [query, value, key]
        given = self._three([one for one in given if one is not None])
        shown = isinstance(mask, list | tuple) and mask[0] is not None and self.masks_queries
        if isinstance(mask, list | tuple) and len(mask) > 1 and mask[1] is not None:
            given.append(np.asarray(mask[1], np.float32)[..., None])
        if attention_mask is not None:
            given.append(attention_mask if hasattr(attention_mask, "sizes") else np.asarray(attention_mask, np.float32))
        before = self.use_causal_mask, self.return_attention_scores
        said = use_causal_mask, return_attention_scores
        own = vars(self)  # what is said when it is called first
        own["use_causal_mask"], own["return_attention_scores"] = (
            one if two is None else bool(two) for one, two in zip(before, said, strict=True)
        )
        answer = called_with_mask(self, given, seed, training, None)
        if not any(hasattr(one, "sizes") for one in given):
            own["use_causal_mask"], own["return_attention_scores"] = before
        if not shown:
            return answer
        rows = np.asarray(mask[0], np.float32)[..., None]  # queries that do not count get zeros
        return [answer[0] * rows, *answer[1:]] if isinstance(answer, list) else answer * rows


class Attention(Attending):
    """y = softmax(q k^T) v, of series as they are. It reads [query, value] or [query, value, key].

    use_scale: scores are multiplied by a number that is learned. score_mode: "dot", or "concat": the sum of
    tanh(q + k), times a number that is learned.
    Shapes: query (N,T,D), value (N,S,V), key (N,S,D) -> (N,T,V); scale and concat_score_weight ().
    Source: Luong et al. 2015, section 3.1.
    """

    caption = ("attention",)
    masks_queries = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(dropout, use_causal_mask, return_attention_scores, **named)
        self.use_scale = flag(use_scale, f"{type(self).__name__}: use_scale")
        self.score_mode = expect_known("score_mode", score_mode, ("dot", "concat"))

    def _answer_shape(self, query: Shape, value: Shape, key: Shape) -> Shape:
        if query[-1] != key[-1] or len(query) != 2:
            raise ShapeError(f"{self.place()} compares queries {query} with keys {key}; give both as many features")
        return query[0], value[-1]

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        names = [name for name, there in (("scale", self.use_scale), ("concat_score_weight", self._adds())) if there]
        self.params = {name: np.ones((), np.float32) for name in names}
        self.built = True

    def _adds(self) -> bool:
        return self.score_mode == "concat"

    def _scores(self, q: Array, k: Array) -> tuple[Array, Any]:
        scale, weight = (self.params.get(name, np.float32(1)) for name in ("scale", "concat_score_weight"))
        if not self._adds():
            plain = q @ k.swapaxes(-1, -2)
            return plain * scale, plain
        total = q[:, :, None] + k[:, None]
        bent = np.tanh(scale * total)
        return weight * bent.sum(axis=-1), (total, bent)

    def _scores_backward(self, d: Array, q: Array, k: Array, kept: Any) -> tuple[Array, Array, dict[str, Array]]:
        scale, weight = (self.params.get(name, np.float32(1)) for name in ("scale", "concat_score_weight"))
        if not self._adds():
            plain = d * scale
            return plain @ k, plain.swapaxes(-1, -2) @ q, {"dscale": (d * kept).sum()}
        total, bent = kept
        inner = d[..., None] * weight * (1 - bent * bent)
        grads = {
            "dscale": (inner * total).sum(),
            "dconcat_score_weight": (d * bent.sum(-1)).sum(),
        }
        return (inner * scale).sum(axis=2), (inner * scale).sum(axis=1), grads

    def forward(self, x: Any, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape([each.shape[1:] for each in x])
        q, v, k = self._three(x)
        scores, kept = self._scores(q, k)
        weights, used, drawn = self._weights(scores, x[3] if len(x) > 3 else None, training, key)
        parts = [used @ v, *([weights] if self.return_attention_scores else [])]
        return pack(parts), (x, kept, weights, used, drawn, [part.shape for part in parts])

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Any, dict[str, Array]]:
        x, kept, weights, used, drawn, shapes = cache
        q, v, k = self._three(x)
        dout, *d_given = unpack(dy, shapes)
        d = self._weights_backward(dout @ v.swapaxes(-1, -2), d_given[0] if d_given else None, weights, drawn)
        dq, dk, grads = self._scores_backward(d, q, k, kept)
        own = {f"d{name}": np.asarray(grads[f"d{name}"], dy.dtype) for name in self.params}
        dv = used.swapaxes(-1, -2) @ dout
        return (back_to(x, dq, dv, dk) if need_dx else None), own


class AdditiveAttention(Attention):
    """y = softmax(scores) v, score = sum of scale * tanh(q + k), a number of scale for each feature.

    Shapes: as Attention; scale (D,).
    Source: Bahdanau, Cho & Bengio 2015, section 3.1.
    """

    def __init__(
        self,
        use_scale: bool = True,
        dropout: float = 0.0,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(use_scale, "dot", dropout, use_causal_mask, return_attention_scores, **named)

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.output_shape(input_shape)
        if self.use_scale:
            self.params = {"scale": initializers.glorot_uniform()((input_shape[0][-1],), rng)}
        self.built = True

    def _scores(self, q: Array, k: Array) -> tuple[Array, Any]:
        bent = np.tanh(q[:, :, None] + k[:, None])
        return (bent * self.params.get("scale", np.float32(1))).sum(axis=-1), bent

    def _scores_backward(self, d: Array, q: Array, k: Array, kept: Any) -> tuple[Array, Array, dict[str, Array]]:
        inner = d[..., None] * self.params.get("scale", np.float32(1)) * (1 - kept * kept)
        return inner.sum(axis=2), inner.sum(axis=1), {"dscale": (d[..., None] * kept).sum(axis=(0, 1, 2))}


def back_to(x: Sequence[Array], dq: Array, dv: Array, dk: Array) -> list[Array]:
    """The gradients of what was read: [query, value, key, mask], of which the last may be missing."""
    if len(x) == 2:
        return [dq, dv + dk]
    return [dq, dv, dk, *(np.zeros(each.shape, dq.dtype) for each in x[3:])]
