"""Precision and recall of each class at every threshold of its probability, and drawn: the hardest classes named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._display import Brief
from pellucid._numbers import percent
from pellucid._text import clip
from pellucid.errors import DataError, ShapeError
from pellucid.ops import Array
from pellucid.visualise.curves import RUN_COLOURS, RUN_LINES
from pellucid.visualise.drawing.figure import INK, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.registry import Judged, Picture, Shown, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, repr=False)
class PrecisionRecall(Brief):
    """One class told from all others: at thresholds[i] or above, precision[i] of the pictures are of it, and these are
    recall[i] of all that are.

    pictures: of the class. average: the average precision, the mean of precision over recall; NaN for a class without
    pictures, whose curve is empty. among: how many pictures of any class there were.
    Shapes: (T,) each, T thresholds from the largest down.
    """

    pictures: int
    thresholds: Array
    precision: Array
    recall: Array
    average: float
    among: int


def precision_recall(labels: Any, probabilities: Any) -> tuple[PrecisionRecall, ...]:
    """The curve of each class: average precision = sum over n of (recall[n] - recall[n - 1]) * precision[n].

    Shapes: labels (N,), or rows (N, classes) of 0 and 1 where a picture may have several; probabilities (N, classes).
    Errors: ShapeError where there are not as many rows as labels.
    Source: Manning, Raghavan & Schuetze 2008, section 8.4.
    """
    truth, table = np.asarray(labels), np.asarray(probabilities)
    if table.ndim != 2 or truth.shape not in ((len(table),), table.shape):
        raise ShapeError(f"labels (N,) and probabilities (N, classes) expected, got {truth.shape} and {table.shape}")
    has = truth > 0 if truth.ndim == 2 else truth[:, None] == np.arange(table.shape[1])
    return tuple(_of_class(has[:, index], table[:, index]) for index in range(table.shape[1]))


def _of_class(is_it: Array, scores: Array) -> PrecisionRecall:
    total = int(np.count_nonzero(is_it))
    if not total:
        none = np.zeros(0)
        return PrecisionRecall(0, none, none, none, float("nan"), len(scores))
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)  # equal scores pass a threshold together
    found = np.cumsum(is_it[order])[last]
    precision, recall = found / (last + 1), found / total
    average = float(np.sum(np.diff(recall, prepend=0.0) * precision))
    return PrecisionRecall(total, ranked[last], precision, recall, average, len(scores))


# Drawing


NAMED = 5
"""Classes with the least average precision that have a colour, a line of their own and their name."""
NAME_COLUMNS = 16
OTHERS = "#999999"


def precision_recall_figure(
    curves: Sequence[PrecisionRecall], names: Sequence[str], *, title: str = "", lang: str | None = None
) -> Figure:
    """Lines from few pictures called so, and surely (left), to all that are found (right); a line that stays above is
    better. Classes without pictures are left out.

    Errors: DataError if no class has a picture.
    """
    say = Labels(lang)
    there = sorted((place for place, curve in enumerate(curves) if curve.pictures), key=lambda p: curves[p].average)
    if not there:
        raise DataError("precision and recall need one picture or more of one class at least, got none")
    figure = new_figure(6.8, 4.4)
    axes = figure.subplots()
    for rank, place in reversed(list(enumerate(there))):
        curve = curves[place]
        all_found = int(np.argmax(curve.recall)) + 1  # behind that, precision only falls
        recall = 100 * np.append(0.0, curve.recall[:all_found])
        precision = 100 * np.append(curve.precision[0], curve.precision[:all_found])
        (line,) = axes.plot(recall, precision, drawstyle="steps-pre", color=OTHERS, linewidth=0.7, clip_on=False)
        if rank < NAMED:
            line.set(color=RUN_COLOURS[rank], linestyle=RUN_LINES[rank], linewidth=1.8)
            line.set_label(f"{clip(names[place], NAME_COLUMNS)}, {percent(curve.average, 1)}")
        elif rank == NAMED:
            line.set_label(say("{count} other classes", count=len(there) - NAMED))
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel=say("recall (%)"), ylabel=say("precision (%)"))
    plain(axes)
    handles, words = axes.get_legend_handles_labels()
    legend = axes.legend(handles[::-1], words[::-1], frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    legend.set_title(say("average precision"))
    legend.get_title().set_fontsize(9)
    mean = percent(float(np.mean([curves[place].average for place in there])), 1)
    said = say("{count:,} pictures, mean average precision {mean}", count=curves[0].among, mean=mean)
    axes.set_title(f"{title}\n{said}" if title else said, fontsize=11, color=INK, pad=10)
    return figure


EXAMPLES = """Example:
   pellucid show precision-recall runs/simple-convnet-digits-001

On other pictures, and the average precision of each class as a table:
   pellucid show precision-recall RUN --data new-photos/ --csv classes.csv"""

WORDS = {
    "average precision": "평균 정밀도",
    "{count} other classes": "그 밖의 클래스 {count}개",
    "{count:,} pictures, mean average precision {mean}": "이미지 {count:,}장, 평균 정밀도의 클래스 평균 {mean}",
}
"""Korean by English."""


@Picture(
    "precision-recall",
    EXAMPLES,
    judges=True,
    several=True,
    tables=True,
    words=WORDS,
    caption=(
        "Precision over recall as ever less sure answers count, a line a class: one that stays at the top finds all "
        "pictures of the class and no others.",
        "덜 확신한 답까지 차례로 셀 때 재현율에 따른 정밀도이며, 클래스마다 선 하나입니다. "
        "끝까지 위에 머무는 선은 그 클래스의 이미지를 빠짐없이, 그것만 찾습니다.",
    ),
)
def show_precision_recall(seen: Judged) -> Shown:
    """Draw precision over recall of each class, with the average precision.

    Each class is told from all others by its probability, at every threshold.
    """
    curves = precision_recall(seen.labels, seen.answers)
    rows = [[name, curve.pictures, curve.average] for name, curve in zip(seen.names, curves, strict=True)]
    return Shown(
        lambda: precision_recall_figure(curves, seen.names, title=seen.title, lang=seen.lang),
        "precision-recall",
        Table(("class", "pictures", "average precision"), rows, "{count} classes: {file}"),
    )
