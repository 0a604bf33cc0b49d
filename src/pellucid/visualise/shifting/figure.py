"""A moving picture, the maps of a layer, and the answer, drawn side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid._numbers import percent
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import class_label, trained_note
from pellucid.visualise.drawing.animation import Animation
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, grey, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import bare
from pellucid.visualise.drawing.pictures import as_shown, show_picture
from pellucid.visualise.features.data import feature_grid, grid_columns
from pellucid.visualise.shifting.data import ShiftFrame

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
