"""A class for each pixel, drawn: a mask's colours, a mask over its picture, and where answers are wrong."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import metrics
from pellucid._numbers import percent
from pellucid._text import clip
from pellucid.datasets import Split
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, ShapeError
from pellucid.model import Model
from pellucid.ops import IGNORED, Array
from pellucid.visualise.answers import CHUNK, class_names, per_pixel
from pellucid.visualise.drawing.figure import INK, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import as_shown, show_picture
from pellucid.visualise.registry import ImageFile, JudgedData, Option, Picture, Shown, Source, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIRST_COLOURS = (
    *("#000000", "#D55E00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#CC79A7", "#E69F00"),
    *("#8C564B", "#B3DE69", "#7B3FE4", "#FFB6C1"),
)
"""Of the first classes: black, which stands for the background, those of Okabe & Ito 2008, and four that stay apart."""
UNCOUNTED = (224, 224, 192)
"""The colour of pixels that are not counted, as in PASCAL VOC's masks."""
GOLDEN = 0.618034
SHARE = 0.55
"""Of a class's colour over the picture."""
NAMED = 24
"""Classes whose colours are told below the pictures."""
NAME = 24


def palette() -> Array:
    """A colour for each class number, black for 0. Shapes: (256,3) uint8."""
    colours = np.zeros((IGNORED + 1, 3), np.uint8)
    for number, text in enumerate(FIRST_COLOURS):
        colours[number] = [int(text[place : place + 2], 16) for place in (1, 3, 5)]
    for number in range(len(FIRST_COLOURS), IGNORED):
        hue, value = number * GOLDEN % 1, (1, 0.75, 0.55)[number % 3]
        colours[number] = [round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.8, value)]
    colours[IGNORED] = UNCOUNTED
    return colours


def masks_of(model: Model, images: Any, *, progress: Progress | None = None) -> Array:
    """The most probable class of each pixel. Shapes: images (N,H,W,C) -> (N,H,W) uint8.

    Errors: ConfigError for a network that gives no row of scores for each pixel.
    """
    if not per_pixel(model):
        raise ConfigError(f"{model.name} gives {model.graph.output_shape} a picture, and no class for each pixel")
    masks = np.empty((len(images), *model.graph.output_shape[:2]), np.uint8)
    step = max(min(CHUNK, 2**22 // int(np.prod(model.graph.output_shape))), 1)
    for start in range(0, len(images), step):
        scores = model.predict(images[start : start + step], verbose=0)
        masks[start : start + step] = scores.argmax(axis=-1) if scores.shape[-1] > 1 else scores[..., 0] > 0.5
        if progress is not None:
            progress(min(start + step, len(images)), len(images), "judging pictures")
    return masks


def overlay(picture: Array, mask: Array) -> Array:
    """A picture with the colours of its classes over it; pixels of class 0 stay as they are.

    Shapes: picture (H,W,1) or (H,W,3) uint8, mask (H,W) -> (H,W,3) uint8.
    Errors: ShapeError for a mask of another size.
    """
    if mask.shape != picture.shape[:2]:
        raise ShapeError(f"a mask over a picture must have its size {picture.shape[:2]}, got {mask.shape}")
    shown = np.broadcast_to(picture, (*mask.shape, 3)).astype(np.float32)
    mixed = (1 - SHARE) * shown + SHARE * palette()[mask]
    return np.where(mask[..., None] == 0, shown, mixed).round().astype(np.uint8)


def errors(picture: Array, truth: Array, answer: Array) -> Array:
    """The picture in pale grey, wrong pixels in vermilion; those that are not counted in white.

    Shapes: picture (H,W,C) uint8, masks (H,W) -> (H,W,3) uint8.
    """
    pale = 160 + 0.35 * picture.mean(axis=-1, keepdims=True)
    shown = np.broadcast_to(pale, (*truth.shape, 3)).copy()
    shown[truth != answer] = palette()[1]
    shown[truth == IGNORED] = 255
    return shown.round().astype(np.uint8)


@dataclass(frozen=True)
class Rated:
    """A picture with its masks. truth: None where nobody knows it. Shapes: picture (H,W,C) uint8, masks (H,W)."""

    name: str
    picture: Array
    answer: Array
    truth: Array | None = None

    @property
    def iou(self) -> float:
        """The mean over the classes that there are; NaN without a pixel that counts."""
        if self.truth is None or bool((self.truth == IGNORED).all()):
            return float("nan")
        return metrics.mean_iou(self.truth, self.answer)


def masks_figure(rated: Sequence[Rated], names: Sequence[str], *, title: str = "", lang: str | None = None) -> Figure:
    """A row for each picture: itself, the truth over it, the answer, and wrong pixels; below, the classes' colours.

    Of pictures whose truth nobody knows there is the answer alone.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ConfigError without a picture.
    """
    if not rated:
        raise ConfigError("masks_figure needs at least one picture, got none")
    from matplotlib.patches import Patch

    say = Labels(lang)
    known = all(one.truth is not None for one in rated)
    across, (height, width) = 4 if known else 2, rated[0].picture.shape[:2]
    cell = 2.1
    figure = new_figure(across * cell + 0.2, len(rated) * (cell * height / width + 0.3) + (0.9 if title else 0.6))
    cells = figure.subplots(len(rated), across, squeeze=False)
    used = np.zeros(IGNORED + 1, bool)
    for row, one in zip(cells, rated, strict=True):
        used[np.unique(one.answer)] = True
        score = "" if not known else f" ({say('mean IoU')} {percent(one.iou)})"
        shown = [
            (as_shown(one.picture), clip(one.name, NAME)),
            (overlay(one.picture, one.answer), say("answer") + score),
        ]
        if one.truth is not None:
            used[np.unique(one.truth)] = True
            shown.insert(1, (overlay(one.picture, one.truth), say("truth")))
            wrong = errors(one.picture, one.truth, one.answer)
            count = int(((one.truth != one.answer) & (one.truth != IGNORED)).sum())
            shown.append((wrong, say("wrong: {count:,} pixels", count=count)))
        for axes, (picture, words) in zip(row, shown, strict=True):
            show_picture(axes, picture, words, fontsize=8)
    colours = palette() / 255
    shown_classes = [number for number in range(1, len(names)) if used[number]][:NAMED]
    marks = [Patch(color=colours[number], label=clip(names[number], NAME)) for number in shown_classes]
    if used[IGNORED]:
        marks.append(Patch(facecolor=colours[IGNORED], label=say("not counted")))
    if marks:
        figure.legend(handles=marks, loc="outside lower center", ncols=min(len(marks), 8), frameon=False, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


def rate(
    model: Model,
    data: Split,
    count: int,
    *,
    worst: bool = False,
    answers: Array | None = None,
    progress: Progress | None = None,
) -> list[Rated]:
    """So many of a part's pictures with truth and answer: the first, or those with the least mean IoU.

    answers: the masks of all, where they are known.
    """
    rows = np.arange(len(data) if worst else min(count, len(data)))
    if answers is None:
        answers = masks_of(model, data.images if worst else data.images[rows], progress=progress)
    if worst:
        scores = [Rated("", np.empty(0), answers[row], data.labels[row]).iou for row in rows]
        rows = np.argsort(scores, kind="stable")[:count]  # NaN last
    called = [f"#{row}" if data.files is None else data.files[row] for row in rows]
    pictures = data.images[rows]
    return [
        Rated(name, picture, answers[row], data.labels[row])
        for name, picture, row in zip(called, pictures, rows, strict=True)
    ]


EXAMPLES = """The pictures that the run held out, those with the worst masks first:
   pellucid show masks runs/unet-streets-001 --worst

A picture whose mask nobody knows:
   pellucid show masks RUN --image street.jpg"""

WORDS = {
    "answer": "답",
    "truth": "정답",
    "mean IoU": "평균 IoU",
    "wrong: {count:,} pixels": "오답: {count:,}픽셀",
    "not counted": "세지 않음",
    ", the worst of {count:,}": ", {count:,}장 중 가장 나쁜 것",
    "{count} pictures: {file}": "이미지 {count}장: {file}",
    "{run}: gives one answer a picture, no class for each pixel; see pellucid show mistakes": (
        "{run}: 픽셀마다가 아니라 이미지마다 답하는 신경망입니다. pellucid show mistakes를 쓰십시오"
    ),
}
"""Korean by English."""


@Picture("masks", EXAMPLES, tables=True, words=WORDS)
def show_masks(
    source: Source,
    data: JudgedData = None,
    image: ImageFile = None,
    count: Annotated[int, Option("--count", "N", "At most so many.", 1, 40)] = 6,
    worst: Annotated[bool, Option("--worst", None, "Those with the least mean IoU, instead of the first.")] = False,
) -> Shown:
    """Draw the class of each pixel over its picture, beside the truth, and where the answer is wrong."""
    model = source.model
    if not per_pixel(model):
        words = "{run}: gives one answer a picture, no class for each pixel; see pellucid show mistakes"
        return Shown(notes=[source.say(words, run=source.what)])
    names = class_names(model, model.graph.output_shape[-1])
    if image is not None:
        picture, name = source.picture(Path(image))
        rated, title = [Rated(name, picture, masks_of(model, picture[None])[0])], model.name
    else:
        found = source.held_out(data)
        with source.working() as progress:
            rated = rate(model, found.test, count, worst=worst, progress=progress)
        title = source.say("{model} on {data}", model=model.name, data=found.name)
        title += source.say(", the worst of {count:,}", count=len(found.test)) if worst else ""
    rows = [(one.name, round(one.iou, 6)) for one in rated]
    table = Table(("picture", "mean_iou"), rows, "{count} pictures: {file}")
    return Shown(lambda: masks_figure(rated, names, title=title, lang=source.lang), "masks", table)
