"""A picture that moves by pixels: what the maps of a layer and the answer make of it, as a moving picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from pellucid._display import Brief
from pellucid._numbers import percent
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.model.tracing import trace
from pellucid.ops import Array, Pair
from pellucid.ops.geometry import whole
from pellucid.visualise.answers import class_label, probabilities, trained_note
from pellucid.visualise.depth import UNCHANGED
from pellucid.visualise.drawing.animation import Animation
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, grey, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import as_shown, bare, show_picture
from pellucid.visualise.features.data import feature_grid, grid_columns
from pellucid.visualise.registry import Fps, Frames, ImageFile, LayerName, Option, Picture, Scale, Shown, Source
from pellucid.visualise.sliding.data import FRAMES


@dataclass(frozen=True, repr=False)
class ShiftFrame(Brief):
    """The picture at one place.

    Shapes: picture (H,W,C) as given; maps (OH,OW,O'), those of the layer's `count` that `channels` names; answer (K,),
        the probabilities of the classes.
    Units: offset in pixels down and to the right; changed: the size of the change of all maps, by that of the maps of
        the picture where it was, |maps - first| / |first|.
    """

    offset: Pair
    picture: Array
    maps: Array
    channels: tuple[int, ...]
    count: int
    answer: Array
    changed: float


def shift(
    model: Model,
    picture: Any,
    layer: str | None = None,
    *,
    offsets: Sequence[Pair] | None = None,
    channels: int | None = None,
    progress: Progress | None = None,
) -> list[ShiftFrame]:
    """A picture moved by each offset, with the maps of a layer and what the network answers.

    What comes in at an edge repeats it: black where that is black.
    layer: with maps, by name; None for `default_maps`.
    offsets: (down, right); None for `shift_path`.
    channels: the maps that are kept of each frame, at most: those with the largest values at first; None for all.
    Shapes: picture (H,W,C), or (H,W), uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for a layer without maps, an unknown one, an offset as
        large as the picture, or a network without one score a class.
    """
    still = np.asarray(picture).reshape(*np.asarray(picture).shape[:2], -1)
    height, width = still.shape[:2]
    path = shift_path() if offsets is None else list(offsets)
    wrong = [offset for offset in path if abs(offset[0]) >= height or abs(offset[1]) >= width]
    if wrong or not path:
        got = f"got {wrong[0]}" if wrong else "got none"
        raise ConfigError(f"a picture of {height}x{width} can move by less than that, {got}")
    frames: list[ShiftFrame] = []
    shown = layer or default_maps(model)
    step = trace(model, still[None])[shown]
    if step.output.ndim != 4:
        raise ConfigError(f"{step.layer.place()} gives no maps; name a layer before the pictures are flattened")
    first = step.output[0]
    order = np.argsort(-np.abs(first).max(axis=(0, 1)), kind="stable")
    picks = sorted(order[: None if channels is None else whole(channels, "channels")].tolist())
    for number, offset in enumerate(path, 1):
        view = moved(still, offset)
        maps = trace(model, view[None])[shown].output[0]
        changed = relative_change(first, maps)
        answer = probabilities(model, view[None])[0]
        frames.append(ShiftFrame(offset, view, maps[:, :, picks], tuple(picks), len(order), answer, changed))
        if progress is not None:
            progress(number, len(path), "moving the picture")
    return frames


def relative_change(first: Array, now: Array) -> float:
    """|now - first| / |first|; of nothing but zeros |now|."""
    return float(np.linalg.norm(now - first)) / (float(np.linalg.norm(first)) or 1.0)


def default_maps(model: Model) -> str:
    """The last layer with maps of more than one pixel: behind the last pooling, mostly.

    Errors: ConfigError for a network without any.
    """
    chosen = ""
    for visit in model.graph.walk():
        shape = visit.output_shape
        if len(shape) == 3 and shape[0] * shape[1] > 1 and visit.layer.role not in UNCHANGED:
            chosen = visit.layer.name
    if not chosen:
        raise ConfigError(f"{model.name} has no layer with maps to draw")
    return chosen


MAX_REACH = 4096
"""Pixels that a path may lead away from the middle."""


def shift_path(reach: int = 4, step: int = 1) -> list[Pair]:
    """Offsets from the middle to the right, to the left and back, then down, up and back.

    >>> shift_path(2, 2)
    [(0, 0), (0, 2), (0, 0), (0, -2), (0, 0), (2, 0), (0, 0), (-2, 0), (0, 0)]

    Errors: ConfigError for a reach or a step below 1.
    """
    far, by = whole(reach, "shift: pixels", MAX_REACH), whole(step, "shift: every")
    out = list(range(by, far + 1, by)) or [far]
    way = [*out, *reversed([0, *out[:-1]])]
    both = [*way, *(-place for place in way)]
    return [(0, 0), *((0, place) for place in both), *((place, 0) for place in both)]


def moved(picture: Array, offset: Pair) -> Array:
    """The picture so many pixels further down and to the right, the edge repeated behind it. Shapes: (H,W,C) -> same.

    >>> moved(np.array([[[1], [2], [3]]]), (0, 1))[0, :, 0].tolist()
    [1, 1, 2]
    """
    rows, columns = (
        np.clip(np.arange(size) - by, 0, size - 1) for size, by in zip(picture.shape[:2], offset, strict=True)
    )
    return np.ascontiguousarray(picture[rows][:, columns])


# Drawing


FPS = 3.0
CLASSES = 8


def shift_animation(
    model: Model,
    frames: Sequence[ShiftFrame],
    layer: str,
    *,
    title: str = "",
    fps: float = FPS,
    lang: str | None = None,
) -> Animation:
    """Shifted pictures as a moving picture: the picture, maps of `layer`, and bars of the most probable classes.

    Each map has one scale for all frames, and the bars keep their places: what moves is the picture's doing.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ConfigError without a frame, or for another language.
    """
    if not frames:
        raise ConfigError("a moving picture needs at least one frame, got none")
    say, grids = Labels(lang), _grids(frames)
    answers = np.array([frame.answer for frame in frames])
    order = np.argsort(-answers.max(axis=0), kind="stable")[:CLASSES]
    figure = new_figure(10.4, 4.2)
    left, middle, right = figure.subplots(1, 3, width_ratios=[3.2, 3.6, 2.6])
    show_picture(left, frames[0].picture, say("the picture"), fontsize=10)
    picture = left.images[0]
    maps = middle.imshow(grids[0], cmap=grey("#FFFFFF"), vmin=0, vmax=1, interpolation="nearest")
    bare(middle, spines=False)
    (height, width, drawn), count = frames[0].maps.shape, frames[0].count
    title = say("{name}: {count} maps of {size}", name=layer, count=count, size=f"{height}x{width}")
    title += say(", {drawn} of them", drawn=drawn) if drawn < count else ""
    middle.set_title(title, fontsize=10, color=INK)
    change = middle.text(0.5, -0.02, "", ha="center", va="top", fontsize=10, color=INK, transform=middle.transAxes)
    places = np.arange(len(order))[::-1]
    bars = right.barh(places, 100 * answers[0][order], color=BLUE, height=0.7)
    right.set_yticks(places, [class_label(model, int(k), 14) for k in order], fontsize=9)
    right.set_xlim(0, 100)
    right.set_xlabel(say("probability (%)"), fontsize=9)
    right.set_title(say("answer"), fontsize=10, color=INK)
    plain(right)
    right.grid(axis="y", visible=False)
    figure.suptitle(f"{f'{title}: ' if title else ''}{model.name}{trained_note(model, say)}", fontsize=11, color=INK)
    words = figure.supxlabel(say("where it was"), fontsize=12, color=INK)

    def draw(index: int) -> None:
        frame = frames[index]
        picture.set_data(as_shown(frame.picture))
        maps.set_data(grids[index])
        change.set_text(say("changed by {share}", share=percent(frame.changed, 0)))
        said = int(frame.answer.argmax())
        for bar, k in zip(bars, order, strict=True):
            bar.set_width(100 * frame.answer[k])
            bar.set_color(VERMILION if k == said else BLUE)
        words.set_text(
            f"{_way(frame.offset, say)}: "
            + say(
                "says {answer!r}, {share}", answer=class_label(model, said), share=percent(float(frame.answer[said]), 1)
            )
        )

    return Animation(figure, draw, len(frames), fps, [picture, *left.spines.values(), maps, change, *bars, words])


def _grids(frames: Sequence[ShiftFrame]) -> list[Array]:
    """The maps of each frame side by side, each channel on one scale for all frames."""
    every = np.array([frame.maps for frame in frames])
    limits = np.abs(np.nan_to_num(every)).max(axis=(0, 1, 2))
    across = grid_columns(every.shape[3])
    zoom = max(1, -(-240 // (across * max(every.shape[1:3]))))
    gap = max(1, -(-across * max(every.shape[1:3]) * zoom // 120))
    signs = bool((every < 0).any())
    grids = (feature_grid(maps, across, limit=limits, signs=signs, gap=gap, zoom=zoom) for maps in every)
    return [np.ma.masked_invalid(grid) for grid in grids]


def _way(offset: tuple[int, int], say: Labels) -> str:
    """An offset in words: "moved left by 2 pixels"."""
    moves = [
        say(f"{ways[by > 0]} by {{pixels}}", pixels=say("1 pixel" if abs(by) == 1 else "{count} pixels", count=abs(by)))
        for by, ways in zip(offset, (("up", "down"), ("left", "right")), strict=True)
        if by
    ]
    return say("moved {way}", way=say(" and ").join(moves)) if moves else say("where it was")


EXAMPLES = """A digit that moves by up to 4 pixels, the maps behind the last pooling, and the answer:
   pellucid show shift runs/simple-convnet-mnist-001

A photograph, two pixels at a time, and the maps of the first convolution:
   pellucid show shift RUN --image cat.jpg --layer conv1 --every 2"""
FAR = 7
"""The picture moves by this part of its shorter side."""
LEGS = 8
"""There and back in four directions."""

WORDS = {
    "{name}: {count} maps of {size}": "{name}: {size} 맵 {count}개",
    ", {drawn} of them": ", 그중 {drawn}개",
    "answer": "답",
    "where it was": "제자리",
    "changed by {share}": "{share} 변함",
    "says {answer!r}, {share}": "답 {answer!r}, {share}",
    "moved {way}": "{way} 옮김",
    "up by {pixels}": "위로 {pixels}",
    "down by {pixels}": "아래로 {pixels}",
    "left by {pixels}": "왼쪽으로 {pixels}",
    "right by {pixels}": "오른쪽으로 {pixels}",
    "1 pixel": "1픽셀",
    "{count} pixels": "{count}픽셀",
}
"""Korean by English."""


@Picture("shift", EXAMPLES, moving=True, words=WORDS)
def show_shift(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    pixels: Annotated[
        int | None, Option("--pixels", "N", "How far at most. Default: a seventh of the shorter side.", 1)
    ] = None,
    channels: Annotated[int, Option("--channels", "N", "Maps drawn at most.", 1)] = 16,
    frames: Frames = None,
    every: Annotated[
        int | None, Option("--every", "N", "Pixels from a frame to the next. Default: as --frames allow.", 1)
    ] = None,
    fps: Fps = None,
    scale: Scale = 1.0,
) -> Shown:
    """Show a picture moving by pixels, the maps of a layer and the answer beside it, as a GIF.

    --layer: whose maps; by default the last that has any, mostly behind the last pooling.
    """
    model = source.model
    still, name = source.picture(image)
    shown = layer or default_maps(model)
    far, most = pixels or max(1, min(still.shape[:2]) // FAR), frames or FRAMES
    path = shift_path(far, every or -(-LEGS * far // most))[:most]
    with source.working() as progress:
        moving = shift(model, still, shown, offsets=path, channels=channels, progress=progress)
    return Shown(
        lambda: shift_animation(model, moving, shown, title=name, fps=fps or FPS, lang=source.lang),
        "shift",
        scale=scale,
    )
