"""Rows of a table by their numbers: what words, places and other kinds of things come into a network as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

import numpy as np

from pellucid._arguments import flag
from pellucid._fixed import Taken
from pellucid.errors import DataError
from pellucid.initializers import InitializerLike
from pellucid.layers.constraint import Constraint
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.masking import StepMask
from pellucid.layers.penalty import Penalty
from pellucid.layers.taken import drawn_by
from pellucid.layers.weighted import hold
from pellucid.ops import Array, Shape, float32_array
from pellucid.ops.geometry import whole


class Embedding(Layer):
    """Row x of a table for each number x: y[n,t] = embeddings[x[n,t]].

    mask_zero: steps of number 0 count for nothing in recurrent layers, attention and averages behind.
    Shapes: x (N,...) whole numbers -> y (N,...,output_dim); embeddings (input_dim,output_dim).
    Errors: ConfigError for sizes below 1; DataError for a number that is not whole, or not below input_dim.
    """

    role = "embedding"
    embeddings_regularizer: Penalty | None
    embeddings_constraint: Constraint | None
    taken: ClassVar[Mapping[str, Taken]] = {
        **{name: said for name, said in Layer.taken.items() if name != "input_dim"},
        "input_length": lambda length: length is None or {"input_shape": (length,)},
        "dropout": lambda rate: not rate or "SpatialDropout1D(rate) behind it drops features",
        "sparse": lambda value: True,
        "weights": drawn_by(embeddings_initializer="uniform"),
    }

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: InitializerLike = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        **named: Unpack[Named],
    ) -> None:
        super().__init__(**named)
        self.input_dim = whole(input_dim, "Embedding: input_dim", 2**24)
        self.output_dim = whole(output_dim, "Embedding: output_dim")
        given = "uniform" if embeddings_initializer is None else embeddings_initializer
        hold(self, "embeddings", given, embeddings_regularizer, embeddings_constraint)
        self.mask_zero = flag(mask_zero, "Embedding: mask_zero")

    def step_mask(self) -> StepMask | None:
        return StepMask() if self.mask_zero else None

    @property
    def table_rows(self) -> int:  # type: ignore[override]
        return self.input_dim

    def output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape, self.output_dim

    def build(self, input_shape: Shape, rng: np.random.Generator) -> None:
        self.params = {"embeddings": self.draw("embeddings_initializer", (self.input_dim, self.output_dim), rng)}
        self.built = True

    def _batch(self, x: Any) -> Array:
        return np.ascontiguousarray(float32_array(x, f"{self.place()}: its input"))  # numbers in a row, too

    def rows_of(self, x: Array) -> Array:
        """The numbers of the rows. Errors: DataError for one that there is not."""
        rows = x.astype(np.int64)
        wrong = (rows != x) | (rows < 0) | (rows >= self.input_dim)
        if wrong.any():
            raise DataError(
                f"{self.place()} has rows 0 to {self.input_dim - 1}, got {x[wrong][0]:g}{self.source()}; "
                "a larger input_dim has more"
            )
        return rows

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        rows = self.rows_of(x)
        return self.params["embeddings"].take(rows, axis=0), rows

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        rows = cache.reshape(-1)
        order = rows.argsort(kind="stable")
        found, starts = np.unique(rows[order], return_index=True)
        grads = np.zeros((self.input_dim, self.output_dim), dy.dtype)
        if len(found):
            grads[found] = np.add.reduceat(dy.reshape(-1, self.output_dim)[order], starts, axis=0)
        return (np.zeros(cache.shape, dy.dtype) if need_dx else None), {"dembeddings": grads}

    def calculate(self, x: Any, weights: Mapping[str, Any], *, training: bool, key: Key | None) -> Any:
        return weights["embeddings"][self.rows_of(np.asarray(x))]

    def penalties(self) -> dict[str, Penalty]:
        return {} if self.embeddings_regularizer is None else {"embeddings": self.embeddings_regularizer}

    def constraints(self) -> dict[str, Constraint]:
        return {} if self.embeddings_constraint is None else {"embeddings": self.embeddings_constraint}

    def detail(self) -> str:
        return f"{self.input_dim} to {self.output_dim}" + (", 0 is no step" if self.mask_zero else "")
