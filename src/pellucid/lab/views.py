"""What a viewer may watch of layers, and of many pictures.

All numbers come from a traced pass, `pellucid.trace`, and from what figures draw (`visualise`); nothing is computed
here but which of them, and how coarse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pellucid._language import LANGUAGES
from pellucid.datasets.pictures import MAX_SENT_BYTES
from pellucid.lab.change import grid_of
from pellucid.lab.looking import VIEWS, Look, Seen, view
from pellucid.lab.protocol import Part, Request
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.model.tracing import Trace
from pellucid.ops import Array
from pellucid.plan import penalty_loss
from pellucid.visualise.answers import class_names
from pellucid.visualise.architecture.data import Block, blocks_of, note_words, times
from pellucid.visualise.architecture.skips import levels_of, skips_of
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import as_shown
from pellucid.visualise.features.data import class_scores, feature_grid, signed
from pellucid.visualise.histograms.data import KINDS, Histogram, layer_histograms, unit_states

THUMB_PIXELS, THUMB_MAPS, THUMB_UNITS = 32, 6, 128
"""Of a map beside its block, and how many of these, or of the units of a row."""

MAP_PIXELS, MAX_MAPS = 96, 256
"""Of a map in its layer's panel, and how many of these."""

SMALL_PIXELS, SHOWN_ANSWERS = 48, 24
"""Of a test picture in the list of answers, and how many of these."""


# What the network is


def describe(look: Look) -> dict[str, Any]:
    """The network as blocks, and what does not change while it trains."""
    model, dataset = look.model, look.session.dataset
    layers = {visit.layer.name: (visit.layer, visit.output_shape) for visit in model.graph.walk()}
    return {
        "name": model.name,
        "data": dataset.name,
        "source": dataset.source,
        "classes": list(class_names(model, max(model.graph.output_shape[-1], 2))),
        "parameters": model.count_params(),
        "blocks": [_block(block) for block in blocks_of(model)],
        "skips": _skips(blocks_of(model)),
        "layers": [_layer(layer, shape) for layer, shape in layers.values()],
        "pictures": len(look.test),
        "board": _board(look),
        "labels": None if look.judged is None else look.test.labels[:1000].tolist(),
        "views": [name for name, kind in VIEWS.items() if look.judged is not None or not kind.classifies],
    }


def _board(look: Look) -> dict[str, Any] | None:
    """How pictures of one's own are made: None where there can be none."""
    if look.board is None:
        return None
    cells = grid_of(look.model.graph.input_shape)
    return {"light": look.board.light, "fitted": look.board.fitted, "cells": cells, "bytes": MAX_SENT_BYTES}


def _block(block: Block) -> dict[str, Any]:
    words = {
        lang: [Labels(lang).layer(block.what), *(note_words(note, Labels(lang)) for note in block.notes)]
        for lang in LANGUAGES
    }
    return {
        "name": block.name,
        "kind": block.kind,
        "size": block.size,
        "map": block.is_map,
        "shape": times(block.shape),
        "words": words,
        "parameters": block.parameters,
        "layers": block.layers,
        "reads": block.entries,
        "merges": block.merges,
        "apart": block.apart,
    }


def _skips(blocks: Sequence[Block]) -> list[dict[str, Any]]:
    """The values that go past blocks, and how high their lines are drawn above these, from 0."""
    levels = levels_of(skips_of(blocks), 0, len(blocks) - 1)
    return [{**asdict(skip), "level": level} for skip, level in levels.items()]


def _layer(layer: Layer, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": type(layer).__name__,
        "detail": {lang: Labels(lang).layer(layer.detail()) for lang in LANGUAGES},
        "shape": shape,
        "parameters": layer.count_params(),
        "kernel": None if "kernel" not in layer.params else layer.params["kernel"].shape,
    }


# Maps


def shade_maps(values: Array, most: int, pixels: int) -> tuple[Array, dict[str, Any]]:
    """Maps (H,W,C), or a row of numbers, as figures scale them to 0..255, and what the page has to know of that.

    Shapes: (C', H', W') uint8: the first channels, every `every`-th pixel; a row of numbers is 1 x 1 x units.
    """
    maps = values if values.ndim == 3 else values.reshape(-1, 1, values.shape[-1]) if values.ndim == 2 else values
    maps = maps.reshape(1, 1, -1) if maps.ndim != 3 else maps
    height, width, channels = maps.shape
    every = max(1, -(-max(height, width) // pixels))
    coarse = maps[::every, ::every, :most]
    finite = np.where(np.isfinite(maps), maps, 0)
    limit, signs = float(np.abs(finite).max()), signed(maps)
    grid = np.vstack([feature_grid(coarse, 1, limit=limit, signs=signs), np.full((1, coarse.shape[1]), np.nan)])
    cells = grid.reshape(coarse.shape[2], coarse.shape[0] + 1, coarse.shape[1])[:, :-1]
    about = {"every": every, "signed": signs, "limit": limit, "channels": channels, "size": [height, width]}
    return np.rint(255 * np.nan_to_num(cells)).astype(np.uint8), about


def small(picture: Array, pixels: int) -> Array:
    """A picture as figures draw it. Shapes: (H, W) or (H, W, 3) uint8."""
    every = max(1, -(-max(picture.shape[:2]) // pixels))
    levels: Array = np.rint(255 * as_shown(np.asarray(picture)[::every, ::every])).astype(np.uint8)
    return levels


@view(picture=True)
def network(look: Look, request: Request) -> Seen:
    """A few maps of each block, for one picture; the picture itself first."""
    seen = look.trace_of(request)
    parts = [Part(small(look.image(request), 2 * MAP_PIXELS), {"block": "input"})]
    for block in blocks_of(look.model)[1:]:
        shown = shown_layer(block, seen)
        most = THUMB_MAPS if block.is_map else THUMB_UNITS
        values, about = shade_maps(seen[shown].output[0], most, THUMB_PIXELS)
        parts.append(Part(values, {"block": block.name, "layer": shown, **about}))
    return Seen({"scores": class_scores(seen), "label": label_of(look, request)}, tuple(parts))


def shown_layer(block: Block, seen: Trace) -> str:
    """The layer whose numbers stand for a block: the last one in it that keeps their shape."""
    return next((name for name in reversed(block.layers) if seen[name].layer.role != "flatten"), block.name)


def label_of(look: Look, request: Request) -> int | None:
    """What the picture of a request is, where that is known and a class."""
    label = look.pictures.get(request.picture).label
    return int(label[0]) if label is not None and label.ndim == 1 else None


@view(layer=True, picture=True)
def maps(look: Look, request: Request) -> Seen:
    """All maps of a layer."""
    return _maps(look.step(request).output[0])


@view(layer=True, picture=True, gradients=True)
def map_gradients(look: Look, request: Request) -> Seen:
    """How the loss of the picture changes with each number that a layer gives."""
    found = look.step(request, gradients=True).d_output
    return Seen({}) if found is None else _maps(found[0])


@view(layer=True, picture=True)
def weights(look: Look, request: Request) -> Seen:
    """A layer's kernel, what it makes of one input channel; zero is in the middle of the scale."""
    step = look.step(request)
    return _kernel(step.layer, step.weights.get("kernel"), request.channel)


@view(layer=True, picture=True, gradients=True)
def weight_gradients(look: Look, request: Request) -> Seen:
    """The same of the gradient of the picture's loss."""
    step = look.step(request, gradients=True)
    return _kernel(step.layer, step.d_weights.get("kernel"), request.channel)


def _maps(values: Array) -> Seen:
    levels, about = shade_maps(values, MAX_MAPS, MAP_PIXELS)
    return Seen({}, (Part(levels, about),))


def _kernel(layer: Layer, kernel: Array | None, channel: int) -> Seen:
    if kernel is None:
        return Seen({})
    if layer.window() is not None:
        filters = layer.as_filters(kernel)
        depth = filters.shape[2]
        levels, about = shade_maps(filters[:, :, min(channel, depth - 1)], MAX_MAPS, MAP_PIXELS)
    else:
        depth, flat = 1, kernel.reshape(kernel.shape[0], -1)
        levels, about = shade_maps(flat.T[:, :, None], 1, 4 * MAP_PIXELS)  # a row a unit
    return Seen({"depth": depth}, (Part(levels, about),))


# Over many pictures


@view(layer=True, batch=True, slow=True)
def histograms(look: Look, request: Request) -> Seen:
    """How a layer's numbers, weights and gradients are spread over some test pictures, and its dead units."""
    seen = look.batch()
    spread = {
        kind: {name: _histogram(found) for name, found in layer_histograms(seen, kind, [request.layer]).items()}
        for kind in KINDS
    }
    states = unit_states(seen).get(request.layer)
    words = None if states is None else {lang: states.in_words(Labels(lang)) for lang in LANGUAGES}
    return Seen({"histograms": spread, "units": words, "pictures": len(seen.inputs)})


def _histogram(found: Histogram) -> dict[str, Any]:
    return {"counts": found.counts, "low": found.low, "high": found.high}


@view(classifies=True, slow=True)
def predictions(look: Look, request: Request) -> Seen:
    """Test pictures with the three classes that the network holds most probable, the wrong ones first."""
    if look.judged is None:
        return Seen({})
    rows = look.judged.wrong_first(SHOWN_ANSWERS)
    pictures = [small(look.test.images[row["picture"] : row["picture"] + 1][0], SMALL_PIXELS) for row in rows]
    counted = look.judged.confusion()
    del counted["matrix"]
    return Seen(
        {"rows": rows, **counted},
        (Part(np.stack(pictures)),) if pictures else (),
    )


@view(classifies=True, slow=True)
def confusion(look: Look, request: Request) -> Seen:
    """What the test pictures judged so far were taken for."""
    return Seen({} if look.judged is None else look.judged.confusion())


@view(classifies=True, features=True, slow=True)
def scatter(look: Look, request: Request) -> Seen:
    """Test pictures on a plane by what the last layer with weights reads, what they are, and what they are taken for.

    taken: -1 where that is not known yet. The part: places (N,2), in the order of `pictures`.
    """
    if look.judged is None:
        return Seen({})
    rows, places, shares = look.features.plane()
    taken = np.where(look.judged.done[rows], look.judged.answers[rows].argmax(axis=1), -1)
    return Seen(
        {"pictures": rows, "labels": look.test.labels[rows], "taken": taken, "shares": shares},
        (Part(places.astype(np.float32)),),
    )


@view(judging=True, slow=True)
def costs(look: Look, request: Request) -> Seen:
    """What weight decay and penalties add to what is minimised, and how long a picture takes, forward and back.

    decay: weight_decay / 2 * sum w^2 of the weights that decay (AdamW shrinks them by itself, without a loss), and the
    penalties, which the loss holds already. Units: forward_ms and backward_ms in milliseconds a picture: as the test
    pictures go through while they are judged, and what is left of a training step. None where not known.
    """
    forward, pace = None if look.judged is None else look.judged.each_s, look.session.snapshot["images_per_s"]
    backward = max(1 / pace - forward, 0.0) if forward is not None and pace else None
    with look.alone():
        decay = decay_loss(look.model) + penalty_loss(look.model.flat_layers)
    return Seen(
        {
            "decay": decay,
            "forward_ms": None if forward is None else 1000 * forward,
            "backward_ms": None if backward is None else 1000 * backward,
        }
    )


def decay_loss(model: Model) -> float:
    """Half the weight decay times the sum of squares, of each parameter that is trained and decays."""
    return sum(
        model.optimizer.weight_decay_of(f"{layer.name}/{name}") / 2 * float(np.vdot(values, values))
        for layer in model.flat_layers
        if layer.trainable
        for name, values in layer.params.items()
    )


@view(once=True)
def curve(look: Look, request: Request) -> Seen:
    """All points over the steps so far."""
    return Seen(look.session.curve.whole())
