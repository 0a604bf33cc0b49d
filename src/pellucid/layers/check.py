"""Is a backward right? Compares it with finite differences of its forward, in float64."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid.errors import ConfigError
from pellucid.layers.graph import Graph
from pellucid.layers.layer import Layer
from pellucid.layers.stack import Stack
from pellucid.ops import Array, Shape

TOLERANCE = 1e-6
RETRIES = 3
SHRINK = 32.0
ENTRIES = 256
"""At most this many entries of each array are tried, chosen by the seed."""
BATCH = 3


@dataclass(frozen=True)
class ArrayCheck:
    """One gradient array: its largest relative error, or what is wrong with it altogether."""

    name: str
    error: float
    tried: int
    size: int
    note: str = ""


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradients` found; printing it gives a line for each array."""

    subject: str
    arrays: tuple[ArrayCheck, ...]
    tolerance: float

    @property
    def error(self) -> float:
        """The largest relative error of all."""
        return max((array.error for array in self.arrays), default=0.0)

    @property
    def ok(self) -> bool:
        """Whether every array is within the tolerance."""
        return self.error <= self.tolerance

    def __str__(self) -> str:
        verdict = "right" if self.ok else "WRONG"
        lines = [f"backward of {self.subject} is {verdict}: largest relative error {self.error:.1e}"]
        width = max((len(array.name) for array in self.arrays), default=0)
        for array in self.arrays:
            mark = "ok   " if array.error <= self.tolerance else "WRONG"
            name, tried = array.name.ljust(max(width, 12)), f"({array.tried} of {array.size} entries)"
            lines.append(f"  {mark} {name} {array.error:.1e}  {tried}{array.note}")
        return "\n".join(lines)


def check_gradients(
    subject: object,
    input_shape: Shape | None = None,
    *,
    seed: int = 0,
    training: bool = True,
    epsilon: float = 1e-5,
    tolerance: float = TOLERANCE,
) -> GradientCheck:
    """Compare a layer's, a whole network's or a loss's gradients with central differences, (L(v + h) - L(v - h)) / 2h.

    subject: a Layer, a model, a loss, or a function(targets, logits, weights) -> (losses, dlogits).
    L is the sum of the outputs times fixed random numbers; for a loss, the mean of its losses times random weights.
    The layer is copied and its numbers turned to float64, so it stays as it is; a layer not yet built is built, and its
    parameters moved off their start. Inputs are a shuffled ladder whose rungs are equally far apart and miss zero, so
    no two tie in a max and none sits on ReLU's kink. Where an entry disagrees it is tried again with a smaller h: a
    kink between v - h and v + h is left behind, a wrong formula is not. Each error is divided by the entry, or by a
    hundredth of the array's largest if that is more.

    Shapes: input_shape is without the batch axis, as for `build`; a network's own by default.
    Errors: none of its own for a wrong gradient, or one of the wrong shape: look at `.ok`, or print the result.
    """
    rng = np.random.default_rng(seed)
    if not epsilon > 0:
        raise ConfigError(f"check_gradients: epsilon must be above 0, got {epsilon}")
    if input_shape is None:
        if not isinstance(subject, Stack):
            raise ConfigError("check_gradients: say the input's shape, without the batch axis")
        input_shape = subject.graph.input_shape
    rows = max((layer.table_rows for layer in _layers_of(subject)), default=0)
    shape = (BATCH, *input_shape)
    x = rng.integers(rows, size=shape).astype(np.float64) if rows else _ladder(shape, rng)
    if isinstance(subject, Layer | Stack):
        graph = subject.graph if isinstance(subject, Stack) else Graph.chain([subject], input_shape)
        name, values, gradients, objective = _graph_problem(subject, graph, x, rng, seed, training)
    else:
        name, values, gradients, objective = _loss_problem(subject, x, rng)
    found = [
        _check_array(f"d{key}", value, gradients.get(f"d{key}"), objective, rng, epsilon, tolerance)
        for key, value in values.items()
    ]
    return GradientCheck(name, tuple(found), tolerance)


Problem = tuple[str, dict[str, Array], "dict[str, Array | None]", Callable[[], float]]
"""A name, the arrays to move, the gradients claimed for them, and the loss as a function of them."""


def _graph_problem(
    subject: Layer | Stack, graph: Graph, x: Array, rng: np.random.Generator, seed: int, training: bool
) -> Problem:
    graph = replace(graph, nodes=tuple(replace(node, layer=_in_float64(node.layer, x, rng)) for node in graph.nodes))
    caches: dict[int, Any] = {}
    gradients: dict[str, Array | None] = {}

    def key(layer: Layer, name: str) -> str:
        return name if isinstance(subject, Layer) else f"{layer.name}/{name}"

    def forward(number: int, layer: Layer, read: Any) -> Array:
        y, caches[number] = layer.forward(read, training=training, key=(seed, 0, number))
        return y

    def backward(number: int, layer: Layer, dy: Array) -> Any:
        dx, grads = layer.backward(dy, caches[number])
        gradients.update({f"d{key(layer, name)}": grads.get(f"d{name}") for name in layer.params})
        return dx

    def answers() -> list[Array]:
        found = graph.run(x, forward)
        return found if isinstance(found, list) else [found]

    projections: list[Array] = [rng.standard_normal(y.shape) for y in answers()]
    gradients["dx"] = graph.back(projections, backward)

    def objective() -> float:
        return float(sum(np.sum(y * projection) for y, projection in zip(answers(), projections, strict=True)))

    what = subject.place() if isinstance(subject, Layer) else f"a network of {len(graph.nodes)} layers"
    values = {key(layer, name): value for layer in graph.layers for name, value in layer.params.items()}
    moved = {} if any(layer.table_rows for layer in graph.layers) else {"x": x}  # of numbers of rows there is none
    return what, {**moved, **values}, gradients, objective


def _layers_of(subject: object) -> list[Layer]:
    return [subject] if isinstance(subject, Layer) else list(getattr(subject, "layers", ()))


def _in_float64(layer: Layer, x: Array, rng: np.random.Generator) -> Layer:
    """A copy that computes in float64; where the layer was not built, built for x and moved off its start."""
    twin = copy.deepcopy(layer)
    twin.ensure_built([x.shape[1:]] if layer.merges else x.shape[1:], rng)
    twin.params = {key: np.array(value, np.float64) for key, value in twin.params.items()}
    twin.state = {key: np.array(value, np.float64) for key, value in twin.state.items()}
    for value in () if layer.built else twin.params.values():
        value += 0.1 * rng.standard_normal(value.shape)
    return twin


def _loss_problem(subject: Any, x: Array, rng: np.random.Generator) -> Problem:
    function = getattr(subject, "value_and_gradient", subject)
    targets = rng.random(x.shape)
    targets /= targets.sum(axis=-1, keepdims=True)
    weights = rng.uniform(0.5, 1.5, (BATCH,))
    _, dlogits = function(targets, x, weights)

    def objective() -> float:
        return float(np.mean(weights * function(targets, x, weights)[0]))

    name = getattr(subject, "__name__", type(subject).__name__)
    return name, {"x": x}, {"dx": dlogits}, objective


def _ladder(shape: Shape, rng: np.random.Generator) -> Array:
    """Equally spaced numbers from about -2 to 2 in random order, zero midway between two rungs, and no round numbers,
    where other kinks are."""
    size = math.prod(shape)
    rungs = 2 * (size // 2 + 1)
    ladder = (np.arange(rungs) - (rungs - 1) / 2) * (3.97 / rungs)
    return np.asarray(rng.permutation(ladder)[:size].reshape(shape))


def _check_array(
    name: str,
    value: Array,
    claimed: Array | None,
    objective: Callable[[], float],
    rng: np.random.Generator,
    epsilon: float,
    tolerance: float,
) -> ArrayCheck:
    if claimed is None:
        return ArrayCheck(name, math.inf, 0, value.size, "; backward did not return it")
    claimed = np.asarray(claimed)
    if claimed.shape != value.shape:
        return ArrayCheck(name, math.inf, 0, value.size, f"; must have shape {value.shape}, has {claimed.shape}")
    note = "" if claimed.dtype == np.float64 else f"; computed in {claimed.dtype}, the check needs the input's float64"
    tried = np.sort(rng.permutation(value.size)[:ENTRIES])
    flat = value.reshape(-1)
    analytic = claimed.reshape(-1)[tried].astype(np.float64)
    numeric = np.array([_slope(flat, index, objective, epsilon) for index in tried])
    error = _errors(analytic, numeric)
    step = epsilon
    for _ in range(RETRIES):
        step /= SHRINK
        wrong = np.flatnonzero(~(error <= tolerance))
        if not wrong.size:
            break
        again = numeric.copy()
        again[wrong] = [_slope(flat, index, objective, step) for index in tried[wrong]]
        # Smaller steps carry more rounding, so each entry keeps whichever estimate agrees best.
        error = np.fmin(error, _errors(analytic, again))
    return ArrayCheck(
        name, float(np.max(np.nan_to_num(error, nan=math.inf), initial=0.0)), tried.size, value.size, note
    )


def _slope(flat: Array, index: int, objective: Callable[[], float], step: float) -> float:
    kept = flat[index]
    flat[index] = kept + step
    above = objective()
    flat[index] = kept - step
    below = objective()
    flat[index] = kept
    return (above - below) / (2 * step)


def _errors(analytic: Array, numeric: Array) -> Array:
    largest = float(np.max(np.abs(numeric), initial=0.0))
    scale = np.maximum(np.maximum(np.abs(analytic), np.abs(numeric)), 0.01 * largest)
    return np.asarray(np.abs(analytic - numeric) / np.maximum(scale, 1e-12))
