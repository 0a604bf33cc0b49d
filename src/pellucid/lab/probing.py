"""What a network makes of one picture, and of changes to it: its answer, how much each layer forgives, where it looks.

All of it is what `visualise` says of the same: `shift`, `grad_cam`, `input_gradient`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pellucid.errors import ConfigError
from pellucid.lab.change import NONE
from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Part, Request
from pellucid.lab.views import MAP_PIXELS, label_of, shade_maps, shown_layer, small
from pellucid.model.summary import short
from pellucid.ops.geometry import whole
from pellucid.visualise.architecture.data import blocks_of
from pellucid.visualise.attribution.data import default_layer, input_gradient
from pellucid.visualise.attribution.data import grad_cam as grad_cam_of
from pellucid.visualise.attribution.data import occlusion as occlusion_of
from pellucid.visualise.attribution.data import saliency as saliency_of
from pellucid.visualise.features.data import class_scores
from pellucid.visualise.shifting import default_maps, relative_change

LARGE_PIXELS = 256
"""Of the picture that is looked at."""

BESIDE = 6
"""Maps that are shown before and after a change."""

SQUARES, OCCLUSION_MACS = 4, 2 * 10**10
"""Squares to cover that lie beside each other along a side; multiply-accumulates that all of it may take."""

MAX_STEP = 50
"""Percent of the range of pixels, that the pixel with the largest gradient changes by."""


@view(once=True)
def drawn(look: Look, request: Request) -> Seen:
    """A picture drawn by hand, by its strokes: its number from now on."""
    if look.board is None:
        raise look.pictures.no_own()
    return Seen({"picture": look.pictures.add_levels(look.board.picture(request.details))})


@view(picture=True)
def looked(look: Look, request: Request) -> Seen:
    """The picture itself as the network gets it, and how probable it holds each class."""
    scores = class_scores(look.trace_of(request))
    return Seen({"scores": scores, "label": label_of(look, request)}, (Part(small(look.image(request), LARGE_PIXELS)),))


@view(picture=True)
def stability(look: Look, request: Request) -> Seen:
    """How much the numbers of each block have changed since the picture was changed: |now - before| / |before|.

    The maps of the last layer that has any, behind the last pooling mostly: before, and behind them now.
    """
    with look.alone():  # both with the same weights
        before, now = look.trace_of(replace(request, change=NONE)), look.trace_of(request)
    layers = [{"name": "input", "changed": relative_change(before.inputs, now.inputs)}]
    for block in blocks_of(look.model)[1:]:
        name = shown_layer(block, now)
        layers.append({"name": block.name, "changed": relative_change(before[name].output, now[name].output)})
    try:
        last = default_maps(look.model)
    except ConfigError:
        return Seen({"layers": layers})
    maps = [seen[last].output[0] for seen in (before, now)]
    picks = np.argsort(-np.abs(maps[0]).max(axis=(0, 1)), kind="stable")[:BESIDE]
    levels, about = shade_maps(np.concatenate([each[:, :, picks] for each in maps], axis=2), 2 * BESIDE, MAP_PIXELS)
    return Seen({"layers": layers, "maps": last}, (Part(levels, about),))


@view(picture=True)
def grad_cam(look: Look, request: Request) -> Seen:
    """Where the last maps speak for a class; without one, for the most probable. Shapes: as the picture."""
    classes = request.options("class").get("class")
    with look.alone():
        found = grad_cam_of(look.model, look.image(request), classes=classes)[0]
    levels, about = shade_maps(found[:, :, None], 1, LARGE_PIXELS)
    return Seen({"layer": default_layer(look.model)}, (Part(levels, about),))


@view(picture=True)
def saliency(look: Look, request: Request) -> Seen:
    """How the score of a class changes with each pixel; of colours, with that channel that it changes with most."""
    with look.alone():
        gradient = input_gradient(look.model, look.image(request)[None], request.options("class").get("class"))[0]
    shown = gradient if gradient.shape[2] == 1 else saliency_of(gradient)[:, :, None]
    levels, about = shade_maps(shown, 1, LARGE_PIXELS)
    return Seen({}, (Part(levels, about),))


@view(picture=True, slow=True)
def occlusion(look: Look, request: Request) -> Seen:
    """How much less probable a class becomes when a square of the picture is covered, place after place.

    The square is as long as a quarter of the picture, its stride a quarter of that, or of a large network the square
    itself. Shapes: as the picture. Errors: ConfigError where one pass through the network takes too long for that.
    """
    classes, image = request.options("class").get("class"), look.image(request)
    size = [max(1, side // SQUARES) for side in image.shape[:2]]
    macs = look.model.outline().macs
    strides = next((share for share in (4, 1) if (SQUARES * share) ** 2 * macs <= OCCLUSION_MACS), None)
    if strides is None:
        raise ConfigError(
            f"{look.model.name} takes {short(macs)} multiply-accumulates for a picture, too many to cover it place by "
            "place while it trains; use Grad-CAM"
        )
    stride = [max(1, side // strides) for side in size]
    with look.alone():
        found = occlusion_of(look.model, image, size, stride, classes=classes)[0]
    levels, about = shade_maps(found[:, :, None], 1, LARGE_PIXELS)
    return Seen({"square": size}, (Part(levels, about),))


@view(picture=True, once=True)
def stepped(look: Look, request: Request) -> Seen:
    """The picture a step along the gradient of a class's score, which makes that class more probable: its number.

    The pixel with the largest gradient changes by `step` percent of the range of pixels, the others in proportion.
    Errors: ConfigError where no pixel makes any difference.
    """
    given, image = request.options("class", "step"), look.image(request)
    share = whole(given.get("step", 5), "step", MAX_STEP, least=-MAX_STEP) / 100
    with look.alone():
        gradient = input_gradient(look.model, image[None], given.get("class"))[0]
    if image.dtype == np.uint8:
        gradient = gradient * look.model.preprocessing.scale_offset(image.shape[-1])[0]
    most, (low, high) = float(np.abs(gradient).max()), look.pictures.ends
    if not 0 < most < np.inf:
        raise ConfigError("the score of this class does not change with any pixel, so there is no step to take")
    made = np.clip(image + share * (high - low) / most * gradient, low, high)
    made = np.rint(made).astype(np.uint8) if image.dtype == np.uint8 else np.asarray(made, np.float32)
    return Seen({"picture": look.pictures.add(made, look.pictures.get(request.picture).label)})
