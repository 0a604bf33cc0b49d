"""The worst mistakes of a classifier, drawn and named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import metrics
from pellucid._numbers import percent
from pellucid._text import clip, text_columns
from pellucid.datasets.tables import BETWEEN
from pellucid.errors import DataError
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.visualise.drawing.figure import INK, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import show_picture
from pellucid.visualise.judgement import FONT, NAME_LENGTH
from pellucid.visualise.registry import Judged, Option, Picture, Shown, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CELL_COLUMNS, SAID_LENGTH = 23, 10
"""Columns of what stands over a picture, and of the class that the network said."""


def mistakes_figure(
    pictures: Any,
    labels: Any,
    probabilities: Any,
    class_names: Sequence[str] | None = None,
    *,
    columns: int = 6,
    names: Sequence[str] | None = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """Pictures that were taken for the wrong class, each with "said 7 (99 %), is 1", in the order given.

    names: of the pictures, written over each.
    Shapes: pictures (M,H,W,C), labels (M,) or rows (M,K) of 0 and 1, probabilities (M,K): of the mistakes alone, see
    metrics.confident_mistakes.
    Errors: DataError if there are no pictures, or not as many of each.
    """
    say, table, truth = Labels(lang), np.asarray(probabilities), np.asarray(labels)
    if not len(pictures) or len(pictures) != len(truth) or len(truth) != len(table):
        raise DataError(
            f"mistakes need a label and a row of probabilities each, got {len(pictures)} pictures, {len(truth)} labels "
            f"and {len(table)} rows"
        )
    classes = [str(index) for index in range(table.shape[1])] if class_names is None else list(class_names)
    across = min(whole(columns, "columns"), len(pictures))
    down = -(-len(pictures) // across)
    height, width = np.asarray(pictures[0]).shape[:2]
    figure = new_figure(
        1.55 * across + 0.2, (1.4 * height / width + 0.45 + 0.14 * (names is not None)) * down + (0.5 if title else 0.1)
    )
    cells = figure.subplots(down, across, squeeze=False).ravel()
    heads = [""] * len(truth) if names is None else [f"{clip(name, CELL_COLUMNS)}\n" for name in names]
    for axes, picture, is_, row, head in zip(cells, pictures, truth, table, heads, strict=False):
        right, said, share = _verdict(classes, is_, row)
        words = say("said {said} ({share})", said=clip(said, SAID_LENGTH) or say("nothing"), share=percent(share, 0))
        truly = say("is {truth}", truth=clip(right, NAME_LENGTH) or say("nothing"))
        separator = ", " if text_columns(words + truly) < CELL_COLUMNS - 1 else "\n"
        show_picture(axes, picture, f"{head}{words}{separator}{truly}", fontsize=FONT)
    for axes in cells[len(pictures) :]:
        axes.set_axis_off()
    if title:
        figure.suptitle(title, fontsize=11, color=INK)
    return figure


MISTAKES_EXAMPLES = """Example:
   pellucid show mistakes runs/simple-convnet-digits-001 --count 12"""

WORDS = {
    "said {said} ({share})": "답 {said} ({share})",
    "is {truth}": "실제 {truth}",
    "nothing": "없음",
    ": the {shown} most confident of {count:,} mistakes in {all:,} pictures": (
        ": 이미지 {all:,}장의 오답 {count:,}개 중 가장 확신한 {shown}개"
    ),
    ": the one mistake in {all:,} pictures": ": 이미지 {all:,}장의 유일한 오답",
    "{count} mistakes: {file}": "오답 {count}개: {file}",
    "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw": (
        "{run}: {data}의 이미지 {all:,}장에 오답이 없어 그릴 것이 없습니다"
    ),
}
"""Korean by English."""


@Picture("mistakes", MISTAKES_EXAMPLES, judges=True, several=True, tables=True, words=WORDS)
def show_mistakes(
    seen: Judged,
    count: Annotated[int, Option("--count", "N", "At most so many.", 1, 120)] = 24,
) -> Shown:
    """Draw the pictures that were most confidently taken for the wrong class, and name them.

    --csv and --json list all mistakes: by file, or in data sets with a name by the number of the test picture from 0.
    Corrected by hand, in the column "is" (empty: leave the picture out), that table goes to pellucid train --labels.
    """
    test, say = seen.data.test, seen.say
    order = mistaken(test.labels, seen.answers)
    listed = [_mistake(seen, int(row)) for row in order]
    table = Table(("picture", "is", "said", "probability"), listed, "{count} mistakes: {file}")
    if not listed:
        nothing = "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw"
        return Shown(table=table, notes=[say(nothing, run=seen.what, all=len(test), data=seen.data.name)])
    picks = order[:count]
    called = [name if test.files is not None else f"#{name}" for name, *_ in listed[:count]]
    notes = []
    for name, (_, is_, said, share) in zip(called, listed, strict=False):
        answer = say("said {said} ({share})", said=said or say("nothing"), share=percent(share, 0))
        notes.append(f"{name}: {say('is {truth}', truth=is_ or say('nothing'))}, {answer}")
    which = (
        ": the {shown} most confident of {count:,} mistakes in {all:,} pictures"
        if len(listed) > 1
        else ": the one mistake in {all:,} pictures"
    )
    title = seen.title + say(which, shown=len(picks), count=len(listed), all=len(test))
    chosen, classes = test.select(picks), seen.model.class_names
    return Shown(
        lambda: mistakes_figure(
            chosen.images[:], chosen.labels, seen.answers[picks], classes, title=title, names=called, lang=seen.lang
        ),
        "mistakes",
        table,
        notes=notes,
    )


def mistaken(labels: Array, answers: Array) -> Array:
    """Which pictures were taken for the wrong class, or given a wrong label or one too few; the surest first.

    Shapes: labels (N,), or rows (N, classes) of 0 and 1 where a picture may have several; answers (N, classes).
    """
    if labels.ndim == 1:
        return metrics.confident_mistakes(labels, answers, max(len(labels), 1))
    off = np.abs(answers - labels).max(axis=1, initial=0.0)
    wrong = np.flatnonzero(((answers > metrics.THRESHOLD) != (labels > 0)).any(axis=1))
    return np.asarray(wrong[np.argsort(-off[wrong], kind="stable")])


def _mistake(seen: Judged, row: int) -> tuple[str, str, str, float]:
    """The picture, what it is, what it was taken for and how probably."""
    test = seen.data.test
    name = str(row) if test.files is None else test.files[row]
    is_, said, share = _verdict(seen.names, test.labels[row], seen.answers[row])
    return name, is_, said, round(share, 6)


def _verdict(names: Sequence[str], truth: Any, answer: Array) -> tuple[str, str, float]:
    """What a picture is, what it was taken for, and how probably; of several labels, how sure the worst wrong one is.

    Shapes: truth () or (classes,), answer (classes,).
    """
    if np.ndim(truth):
        is_, said = (BETWEEN.join(np.asarray(names)[has]) for has in (truth > 0, answer > metrics.THRESHOLD))
        return is_, said, float(np.maximum(np.abs(answer - truth), metrics.THRESHOLD).max())
    taken = int(np.argmax(answer))
    return names[int(truth)], names[taken], float(answer[taken])
