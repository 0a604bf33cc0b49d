"""The pictures that excite a filter most: found in a data set, or made by gradient ascent."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, DataError
from pellucid.layers import Layer
from pellucid.layers.activation import without_activation
from pellucid.layers.graph import Graph
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import Shape, number, whole
from pellucid.plan import Predictor
from pellucid.plan.lowering import strip_head
from pellucid.visualise.excitation.views import Box, View, view_of

BATCH_BYTES = 64 * 2**20
"""What the outputs of the layers for one batch may take while a data set is searched."""

BLUR_EVERY = 4
"""Steps of the ascent between two blurs."""

Channels = int | Sequence[int] | Array | None


@dataclass(frozen=True, repr=False)
class Found(Brief):
    """The pictures of a data set in which each channel of a layer is strongest, the strongest first.

    Shapes: channels (C,); values, pictures (C,k); boxes (C,k,4).
    Units: pictures are rows of the data set; boxes (top, left, bottom, right) in pixels of the network's input.
    """

    layer: str
    channels: Array
    values: Array
    pictures: Array
    boxes: Array

    def patch(self, images: Any, channel: int, place: int) -> Array:
        """What the unit saw: of `channels[channel]`, the picture at `place`; beyond the picture's edge, black.

        Shapes: (height, width, C), the receptive field, or the whole picture where that is all the unit sees.
        """
        row = int(self.pictures[channel, place])
        return cut(np.asarray(images[row : row + 1])[0], tuple(self.boxes[channel, place].tolist()))


def top_pictures(
    model: Model,
    images: Any,
    layer: str,
    k: int = 9,
    *,
    channels: Channels = None,
    each: int = 1,
    progress: Progress | None = None,
) -> Found:
    """The k pictures in which each channel of a layer reaches its largest values, and where in them.

    Of a picture the strongest place counts alone, or the `each` strongest that see other parts of it: of two boxes that
    overlap by more than half along rows and columns, the stronger one. Equal values keep the data set's order. Pictures
    pass a batch at a time, and nothing is kept of those that are not among the best.

    Does not show what else the filter answers to: nine pictures of dogs' noses leave open whether the tenth is a wheel.
    Shapes: images (M,H,W,C), an array or Pictures; uint8 is scaled as `predict` does.
    Errors: ConfigError for an unknown layer or channel, or k or each below 1; DataError for fewer than k pictures, or
        places in them.
    Source: Girshick, Donahue, Darrell & Malik 2014, section 3.1; the pictures of Zeiler & Fergus 2014, figure 2.
    """
    k, each = whole(k, "top_pictures: k"), whole(each, "top_pictures: each")
    if len(images) * each < k:
        raise DataError(
            f"the {k} strongest of {len(images)} pictures were asked for; give more pictures or a smaller k"
        )
    graph = model.graph.up_to(model.get_layer(layer))
    view = view_of(graph)
    picks = picked(model.get_layer(layer), graph.output_shape[-1], channels)
    capacity = _capacity(graph)
    predictor = Predictor()
    best: list[Array] = [np.zeros((len(picks), 0))] * 3  # values, pictures, places in the map
    for start in range(0, len(images), capacity):
        chunk = np.asarray(images[start : start + capacity])
        outputs = predictor.run(
            lambda: (graph, model.parameters, model.version),
            chunk,
            model.scaled,
            capacity=min(capacity, len(images)),
        )
        flat = outputs.reshape(len(chunk), -1, outputs.shape[-1])[:, :, picks]
        rows = np.broadcast_to(np.arange(start, start + len(chunk)), (len(picks), len(chunk)))
        for values, places in _strongest(flat, view, each):
            best = [np.hstack(pair) for pair in zip(best, (values.T, rows, places.T), strict=True)]
        order = np.argsort(-best[0], axis=1, kind="stable")[:, :k]
        best = [np.take_along_axis(array, order, axis=1) for array in best]
        if progress is not None:
            progress(start + len(chunk), len(images), "searching pictures")
    values, rows, places = best[0], best[1].astype(np.int64), best[2].astype(np.int64)
    return Found(layer, picks, values, rows, _boxes(view, places, model.graph.input_shape))


def ascend(
    model: Model,
    layer: str,
    channels: Channels = None,
    *,
    steps: int = 128,
    rate: float = 0.0125,
    decay: float = 0.05,
    blur: float = 0.4,
    jitter: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Array:
    """Pictures made to excite channels of a layer: from grey noise, step by step along the gradient of one unit.

    The unit is the one that looks at the middle; what is drawn is what it sees. An activation within the layer is left
    out, so that a unit that is off can be woken. Regularised, or the result is noise that no picture resembles: drawn
    towards grey (decay), blurred now and then, moved about by a few pixels (jitter), kept in the range of pixels.

    Does not show what the channel means: it is one picture of many that excite it, it depends on the regularisation and
    the seed, and no picture of the data need come near it.
    rate: the step's root mean square, of a pixel's whole range. decay: the share of the way to grey that each step
        takes back; the contrast settles at rate / decay. blur: standard deviation in pixels, every fourth step.
    jitter: by how many pixels the picture is moved at most; None for a sixteenth of the field of view.
    Shapes: (channels, height, width, C) float32; the receptive field, at most the network's input.
    Units: values from 0 to 1 are the whole range of pixels, whatever `preprocessing` makes of them.
    Errors: ConfigError for an unknown layer or channel, and for settings out of range.
    Source: Erhan, Bengio, Courville & Vincent 2009, section 3; decay: Simonyan, Vedaldi & Zisserman 2014, section 2;
        blur: Yosinski et al. 2015, section 3; jitter: Mordvintsev, Olah & Tyka 2015.
    """
    steps = whole(steps, "ascend: steps", 10**6)
    rate = number(rate, "ascend: rate", 0)
    decay, blur = number(decay, "ascend: decay", 0, 1), number(blur, "ascend: blur", 0, 1000)
    graph = model.graph.up_to(model.get_layer(layer))
    picks = picked(model.get_layer(layer), graph.output_shape[-1], channels)
    graph = strip_head(graph, "softmax")  # the score is climbed: a probability is flat near 0 and 1
    graph = before_activation(graph)
    shape, place, box = _canvas(graph)
    moved = max(box[2] - box[0], box[3] - box[1]) // 16 if jitter is None else whole(jitter, "ascend: jitter", least=0)
    low, high = pixel_range(model, shape[-1])
    rng = np.random.default_rng(whole(seed, "ascend: seed", 2**32 - 1, least=0))
    # every channel starts from the same noise: what differs in the results comes from the channels
    start = 0.5 + 0.05 * rng.standard_normal(shape)
    pictures = np.repeat(start[None].astype(np.float32), len(picks), axis=0)
    for step in range(steps):
        shift = tuple(rng.integers(-moved, moved + 1, 2).tolist())
        view = np.roll(pictures, shift, axis=(1, 2))
        slope = slope_of(graph, low + view * (high - low), picks, place) * (high - low)
        size = np.sqrt(np.square(slope).mean(axis=(1, 2, 3), keepdims=True))
        asleep = size[:, 0, 0, 0] == 0  # every unit on the way is off: another start
        pictures += rate * np.roll(slope / np.where(size > 0, size, 1), (-shift[0], -shift[1]), axis=(1, 2))
        pictures += decay * (0.5 - pictures)
        if blur and step % BLUR_EVERY == BLUR_EVERY - 1:
            pictures = blurred(pictures, blur)
        if asleep.any():
            pictures[asleep] = 0.5 + 0.25 * rng.standard_normal((int(asleep.sum()), *shape))
        np.clip(pictures, 0, 1, out=pictures)
        if progress is not None:
            progress(step + 1, steps, f"ascending for {layer}")
    top, left, bottom, right = box
    return np.ascontiguousarray(pictures[:, top:bottom, left:right])


def pixel_range(model: Model, channels: int) -> tuple[Array, Array]:
    """What the network gets for the darkest and the brightest pixel. Shapes: both (C,) float32."""
    if model.trained_on.get("range"):  # floats, which are not scaled
        low, high = model.trained_on["range"]
        return np.full(channels, low, np.float32), np.full(channels, high, np.float32)
    scale, offset = model.preprocessing.scale_offset(channels)
    return offset, 255 * scale + offset


def blurred(pictures: Array, deviation: float) -> Array:
    """Smoothed along rows and columns by a Gaussian; the edge is repeated outwards. Shapes: (N,H,W,C) -> the same."""
    reach = max(1, int(np.ceil(3 * deviation)))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights /= weights.sum()
    for axis in (1, 2):
        border = [(reach, reach) if a == axis else (0, 0) for a in range(4)]
        padded, length = np.pad(pictures, border, mode="edge"), pictures.shape[axis]
        parts = (w * padded.take(range(i, i + length), axis=axis) for i, w in enumerate(weights))
        pictures = np.asarray(sum(parts), np.float32)
    return pictures


def cut(picture: Array, box: Box) -> Array:
    """A box out of a picture, black beyond its edge. Shapes: (H,W,C) -> (bottom-top, right-left, C)."""
    top, left, bottom, right = box
    height, width = picture.shape[:2]
    patch = np.zeros((bottom - top, right - left, *picture.shape[2:]), picture.dtype)
    inside = picture[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    down, across = max(-top, 0), max(-left, 0)
    patch[down : down + inside.shape[0], across : across + inside.shape[1]] = inside
    return patch


def picked(layer: Layer, count: int, channels: Channels) -> Array:
    """The numbers of the channels that are asked for. Errors: ConfigError for one that is not there."""
    picks = np.arange(count) if channels is None else np.atleast_1d(np.asarray(channels))
    if not picks.size or picks.dtype.kind not in "iu" or picks.min() < 0 or picks.max() >= count:
        raise ConfigError(f"{layer.place()} has channels 0 to {count - 1}, got {channels}")
    return picks


def _strongest(flat: Array, view: View | None, each: int) -> Iterator[tuple[Array, Array]]:
    """The largest values of maps and their places, then the largest elsewhere; minus infinity where all are near.

    Shapes: flat (N, places, C) -> (N, C), (N, C).
    """
    for turn in range(each):
        places = flat.argmax(axis=1)
        yield np.take_along_axis(flat, places[:, None], axis=1)[:, 0], places
        if turn < each - 1:
            near: Any = True
            if view is not None:
                across = view.map_shape[1]
                at, of = (np.divmod(p, across) for p in (np.arange(flat.shape[1])[None, :, None], places[:, None]))
                apart = (2 * np.abs(at[axis] - of[axis]) * view.field.jump[axis] for axis in (0, 1))
                near = np.logical_and(*(far < size for far, size in zip(apart, view.field.size, strict=True)))
            flat = np.where(near, -np.inf, flat)


def _capacity(graph: Graph) -> int:
    """How many pictures pass at once: the largest output of a layer, for all of them, takes BATCH_BYTES at most."""
    shapes = [graph.input_shape, *(visit.output_shape for visit in graph.walk())]
    largest = max(math.prod(shape) for shape in shapes)
    return int(np.clip(BATCH_BYTES // (4 * largest), 1, 256))


def _boxes(view: View | None, places: Array, input_shape: Shape) -> Array:
    boxes = np.empty((*places.shape, 4), np.int64)
    boxes[...] = (0, 0, *input_shape[:2])
    if view is not None and any(size < side for size, side in zip(view.field.size, input_shape, strict=False)):
        for index, place in np.ndenumerate(places):
            boxes[index] = view.box(divmod(int(place), view.map_shape[1]))
    return boxes


def before_activation(graph: Graph) -> Graph:
    """The same without the activation that it ends in."""
    last = graph.last
    if last is None or last.nonlinearity is None:
        return graph
    if last.params:
        return graph.with_last(without_activation(last))
    return graph.without_last() if last.role == "activation" else graph


def _canvas(graph: Graph) -> tuple[Shape, tuple[int, ...], Box]:
    """How large a picture the ascent needs, which unit it drives, and what that unit sees.

    A convolution takes pictures of any size: one that holds the unit's whole view is enough, and much quicker.
    """
    height, width, channels = graph.input_shape
    view = view_of(graph)
    if view is None:
        return graph.input_shape, (), (0, 0, height, width)
    # with one more step of the map than the view itself, some unit lies wholly inside
    sides = [size + jump - 1 for size, jump in zip(view.field.size, view.field.jump, strict=True)]
    shape = (min(sides[0], height), min(sides[1], width), channels)
    smaller = view_of(replace(graph, input_shape=shape))
    view = view if smaller is None else smaller
    place = tuple(_middle(view, axis, shape[axis]) for axis in (0, 1))
    top, left, bottom, right = view.box((place[0], place[1]))
    return shape, place, (max(top, 0), max(left, 0), min(bottom, shape[0]), min(right, shape[1]))


def _middle(view: View, axis: int, length: int) -> int:
    """The row or column of the map whose view leaves the picture least, and lies nearest to its middle."""
    starts = view.start[axis] + np.arange(view.map_shape[axis]) * view.field.jump[axis]
    ends = starts + view.field.size[axis]
    outside = np.maximum(-starts, 0) + np.maximum(ends - length, 0)
    return int(np.lexsort((np.abs(starts + ends - length), outside))[0])


def slope_of(graph: Graph, x: Array, picks: Array, place: tuple[int, ...] | None = None) -> Array:
    """d output[n, place, picks[n]] / d x[n], for every picture at once; of the sum over all places where none is named.

    Shapes: x (N,H,W,C), picks (N,) -> (N,H,W,C).
    """
    caches = {}

    def forward(number: int, layer: Layer, read: Any) -> Array:
        y, caches[number] = layer.forward(read)
        return y

    y = np.asarray(graph.run(np.ascontiguousarray(x, np.float32), forward))
    d = np.zeros_like(y)
    units: Any = (np.arange(len(x)), *((...,) if place is None else place), picks)
    d[units] = 1

    def backward(number: int, layer: Layer, dy: Array) -> Any:
        dx = layer.backward_input(dy, caches[number])
        if dx is None:
            raise ConfigError(f"{layer.place()} gives no gradient of its input, so there is nothing to climb")
        return dx

    slope = graph.back(d, backward)
    return np.zeros_like(x) if slope is None else slope
