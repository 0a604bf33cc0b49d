"""The filter bench: kernels that are written by hand go over a picture, one after the other, and pooling behind them.

Layers are made of what was written, put into a network, and traced; what does not fit is said by that network's own
errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pellucid.errors import ConfigError, PellucidError, expect_known, shown
from pellucid.exercises import two_halves
from pellucid.lab import kernels
from pellucid.lab.dissections import number_data
from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Part, Request
from pellucid.lab.views import shade_maps
from pellucid.layers import AvgPool2D, Conv2D, Input, Layer, MaxPool2D
from pellucid.model import Sequential
from pellucid.model.tracing import LayerTrace, trace
from pellucid.ops import Array
from pellucid.ops.geometry import number, pair, whole
from pellucid.visualise.dissection.data import dissect_step

MAX_SIDE, MAX_FILTERS, MAX_STEP, MAX_PIXELS = 11, 2, 8, 256
"""Rows or columns of a kernel or a window; filters; stride, dilation and padding; of a picture's longer side."""

MAX_WEIGHT = 1e6

POOLINGS = {"max": MaxPool2D, "average": AvgPool2D}

PICTURES = ("halves", "turned", "still", "test")
"""Two halves, left and right; above and below; the same without noise; the picture that is looked at."""

PARTS = {
    "filter": ("kernel", "strides", "padding", "dilation", "relu"),
    "pooling": ("size", "strides", "padding"),
    "bench": ("picture", "filters", "pooling"),
}
"""What a message may name."""


@dataclass(frozen=True)
class Bench:
    """What lies on the bench: which picture, filters as they were written, and the window of both poolings, or none."""

    picture: str
    filters: tuple[Any, ...]
    pooling: Any

    @classmethod
    def of(cls, given: Any) -> Bench:
        """As a message has it. Errors: ConfigError for what is none."""
        fields = _fields("bench", {} if given is None else given)
        wanted = fields.get("filters", [])
        if not isinstance(wanted, list) or len(wanted) > MAX_FILTERS:
            raise ConfigError(f"filters must be a list of at most {MAX_FILTERS}, got {shown(wanted)}")
        picture = expect_known("picture", fields.get("picture", PICTURES[0]), PICTURES)
        return cls(picture, tuple(wanted), fields.get("pooling"))

    def run(self, picture: Array) -> tuple[list[LayerTrace], list[LayerTrace], dict[str, str]]:
        """The picture after each filter, and after each pooling behind them; what does not fit: `where`, and why.

        Shapes: picture (H,W).
        """
        model, batch = Sequential([Input((*picture.shape, 1))]), np.asarray(picture, np.float32)[None, :, :, None]
        pooled, problem, where = list[LayerTrace](), dict[str, str](), ""
        try:
            for index, each in enumerate(self.filters):
                where = f"filter{index + 1}"
                layer, kernel = _filter(where, each)
                model.add(layer)
                layer.set_weights([kernel])
            where = "pooling"
            for kind in POOLINGS if self.pooling is not None else ():
                model.add(_pooling(kind, self.pooling))
                pooled.append(trace(model, batch)[-1])
                model.pop()
        except PellucidError as error:
            problem = {"where": where, "problem": str(error)}
        return list(trace(model, batch)) if model.flat_layers else [], pooled, problem


@view(still=True)
def filters(look: Look, request: Request) -> Seen:
    """The maps of all that lies on the bench, each as figures draw it and then in numbers; the picture first.

    layers: shape, least and largest number, standard deviation. What does not fit is `where`, and why is `problem`.
    """
    bench = Bench.of(request.details)
    picture = _picture(look, request, bench.picture)
    filtered, pooled, problem = bench.run(picture)
    seen = {"input": picture[:, :, None], **{step.name: step.output[0] for step in filtered}}
    parts = [part for name, values in seen.items() for part in _parts(name, values)]
    if pooled:
        seen |= {step.name: step.output[0] for step in pooled}
        parts += _parts_together(pooled)
    facts = {name: _facts(values) for name, values in seen.items()}
    return Seen({"layers": facts, **problem}, tuple(parts))


@view(once=True)
def filter_number(look: Look, request: Request) -> Seen:
    """How one number of a map on the bench, which `layer` names, comes about. Without a position, the largest."""
    bench = Bench.of(request.details)
    filtered, pooled, _ = bench.run(_picture(look, request, bench.picture))
    steps = {step.name: step for step in (*filtered, *pooled)}
    step = steps[expect_known("map", request.layer, steps)]
    return Seen(number_data(dissect_step(step, request.position or None)))


@view(once=True)
def filter_kernel(look: Look, request: Request) -> Seen:
    """A kernel to begin with, by name, in a size where it comes in several; without a name, which there are."""
    given = request.details or {}
    if not isinstance(given, Mapping) or "name" not in given:
        return Seen({"names": kernels.NAMES, "sized": list(kernels.SIZED), "most": MAX_SIDE, "step": MAX_STEP})
    name = expect_known("kernel", given["name"], kernels.NAMES)
    return Seen({"kernel": kernels.make(name, _size(given.get("size", 3), "size"))})


def _picture(look: Look, request: Request, name: str) -> Array:
    """Shapes: (H,W) float32, at most MAX_PIXELS a side; of colours their mean."""
    if name != "test":
        halves = two_halves(seed=None if name == "still" else 0)
        return halves.T if name == "turned" else halves
    low, high = look.pictures.ends
    image = np.asarray(look.image(request), np.float32)
    every = max(1, -(-max(image.shape[:2]) // MAX_PIXELS))
    return np.asarray((image[::every, ::every].mean(axis=2) - low) / (high - low), np.float32)


def _parts(name: str, values: Array) -> list[Part]:
    """A map to be drawn, and its numbers. Shapes: (H,W,1)."""
    drawn, about = shade_maps(values, 1, MAX_PIXELS)
    return [Part(drawn, {"of": name, **about}), _numbers(name, values)]


def _parts_together(steps: Sequence[LayerTrace]) -> list[Part]:
    """The same of maps of one size in one scale, to be compared."""
    drawn, about = shade_maps(np.concatenate([step.output[0] for step in steps], axis=2), len(steps), MAX_PIXELS)
    pairs = [
        [Part(one[None], {"of": step.name, **about, "channels": 1}), _numbers(step.name, step.output[0])]
        for step, one in zip(steps, drawn, strict=True)
    ]
    return [part for pair in pairs for part in pair]


def _numbers(name: str, values: Array) -> Part:
    return Part(np.ascontiguousarray(values[:, :, 0], np.float32), {"of": name, "numbers": True})


def _facts(values: Array) -> dict[str, Any]:
    """What a map holds. Shapes: (H,W,1)."""
    return {"shape": values.shape[:2], "low": values.min(), "high": values.max(), "spread": values.std()}


def _filter(name: str, given: Any) -> tuple[Layer, Array]:
    fields = _fields("filter", given)
    rows = fields.get("kernel")
    if not isinstance(rows, list) or not all(isinstance(row, list) and row for row in rows) or not rows:
        raise ConfigError(f"{name}: a kernel is a list of rows of numbers, got {shown(rows)}")
    if len({len(row) for row in rows}) > 1:
        raise ConfigError(f"{name}: all rows of a kernel have as many numbers, got {[len(row) for row in rows]}")
    size = _size((len(rows), len(rows[0])), f"{name}: kernel")
    weights = [[number(each, f"{name}: weight", -MAX_WEIGHT, MAX_WEIGHT) for each in row] for row in rows]
    layer = Conv2D(
        1,
        size,
        _steps(fields.get("strides", 1), f"{name}: strides"),
        _padding(fields.get("padding", "valid"), name),
        dilation_rate=_steps(fields.get("dilation", 1), f"{name}: dilation"),
        activation="relu" if fields.get("relu") is True else None,
        use_bias=False,
        name=name,
    )
    return layer, np.asarray(weights, np.float32)[:, :, None, None]


def _pooling(kind: str, given: Any) -> Layer:
    fields = _fields("pooling", given)
    size = _size(fields.get("size", 2), "pooling: size")
    strides = fields.get("strides")
    steps = None if strides is None else _steps(strides, "pooling: strides")
    made: Layer = POOLINGS[kind](size, steps, _padding(fields.get("padding", "valid"), "pooling"), name=kind)
    return made


def _fields(what: Literal["filter", "pooling", "bench"], given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise ConfigError(f"{what} must be an object, got {shown(given)}")
    for name in given:
        expect_known(f"part of {what}", name, PARTS[what])
    return dict(given)


def _size(given: Any, what: str) -> tuple[int, int]:
    rows, columns = pair(tuple(given) if isinstance(given, list) else given, what)
    return whole(rows, what, MAX_SIDE), whole(columns, what, MAX_SIDE)


def _steps(given: Any, what: str) -> tuple[int, int]:
    down, across = pair(tuple(given) if isinstance(given, list) else given, what)
    return whole(down, what, MAX_STEP), whole(across, what, MAX_STEP)


def _padding(given: Any, name: str) -> Any:
    return given if isinstance(given, str) else whole(given, f"{name}: padding", MAX_STEP, least=0)
