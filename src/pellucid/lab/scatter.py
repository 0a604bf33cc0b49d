"""What a network makes of test pictures before it tells them apart, on a plane: near each other is alike to it."""

from __future__ import annotations

import numpy as np

from pellucid.datasets.dataset import Split
from pellucid.errors import ConfigError
from pellucid.lab.rounds import Rounds
from pellucid.layers.graph import INPUT, Graph
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.plan import Predictor

POINTS, CAPACITY = 300, 16
"""Test pictures that are shown, and how many go through the network together."""


class Features(Rounds):
    """The numbers that the last layer with a kernel reads, of the first test pictures; of maps the mean of each.

    Shapes: values (N, features).
    """

    def __init__(self, model: Model, test: Split) -> None:
        super().__init__(min(len(test), POINTS), self._run)
        self.values = np.zeros((len(self.done), 0), np.float32)
        self._model, self._test = model, test
        self._predictor, self._of = Predictor(), model.graph
        self._graph = _before_last(model.graph)
        self._plane: Array | None = None

    def _run(self, rows: Array) -> None:
        model = self._model
        if model.graph is not self._of:  # another network
            self._of, self._graph = model.graph, _before_last(model.graph)
            self._predictor.forget()
            self.done[:] = False
        images, graph = self._test.images[rows[0] : rows[-1] + 1], self._graph
        found = (
            np.asarray(model.scaled(images))
            if graph is None
            else self._predictor.run(
                lambda: (graph, model.parameters, model.version), images, model.scaled, capacity=CAPACITY
            )
        )
        flat = found.mean(axis=tuple(range(1, found.ndim - 1))) if graph is not None else found.reshape(len(found), -1)
        if flat.shape[1] != self.values.shape[1]:
            self.values, self._plane = np.zeros((len(self.done), flat.shape[1]), np.float32), None
        self.values[rows] = flat

    def plane(self) -> tuple[Array, Array, Array]:
        """The pictures seen so far on the two directions in which they differ most, turned to lie as the last time.

        Shapes: their numbers (n,), places (n,2), the share of all variance along each direction (2,).
        Errors: ConfigError for features that are no finite numbers.
        """
        rows = np.flatnonzero(self.done)
        values = self.values[rows].astype(np.float64)
        if not np.isfinite(values).all():
            raise ConfigError("the features are not finite, so they have no place; the training diverged")
        places, shares = principal_plane(values)
        if self._plane is not None:
            places = aligned(places, self._plane[rows])
        kept = np.full((len(self.done), 2), np.nan)
        kept[rows] = places
        self._plane = kept
        return rows, places, shares


def principal_plane(values: Array) -> tuple[Array, Array]:
    """Rows on the two directions of largest variance, and its shares. Shapes: (n,d) -> (n,2), (2,).

    Source: Pearson 1901; by the eigenvectors of the smaller one of the rows' and the columns' products.
    """
    places, shares = np.zeros((len(values), 2)), np.zeros(2)
    if len(values) < 2 or not values.shape[1]:
        return places, shares
    centred = values - values.mean(axis=0)
    wide = centred.shape[1] > len(centred)
    sizes, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    count = min(2, len(sizes))
    largest, first = np.maximum(sizes[::-1][:count], 0), vectors[:, ::-1][:, :count]
    places[:, :count] = first * np.sqrt(largest) if wide else centred @ first
    shares[:count] = largest / max(float(np.square(centred).sum()), 1e-30)
    return places, shares


def aligned(places: Array, last: Array) -> Array:
    """Places turned and mirrored to lie as near as can be to where they were; NaN where a point was not there.

    Shapes: both (n,2). Source: Schönemann 1966, the orthogonal Procrustes problem.
    """
    both = np.isfinite(last).all(axis=1)
    if not both.any():
        return places
    u, _, v = np.linalg.svd(places[both].T @ last[both])
    turned: Array = places @ (u @ v)
    return turned


def _before_last(graph: Graph) -> Graph | None:
    """What the last layer with a kernel reads; None where that is the picture."""
    last = max((i for i, node in enumerate(graph.nodes) if "kernel" in node.layer.params), default=0)
    read = graph.nodes[last].inputs[0]
    return None if read == INPUT else graph.up_to(graph.nodes[read].layer)
