"""Judging a classifier, drawn: what it takes for what, and whether its confidence can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import metrics
from pellucid._numbers import percent
from pellucid._text import clip, text_columns
from pellucid.errors import ShapeError
from pellucid.metrics import Calibration
from pellucid.ops import Array
from pellucid.visualise.drawing.figure import BLUE, INK, PALE, VERMILION, figure_of, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import without_spines
from pellucid.visualise.registry import Judged, Option, Picture, Shown, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WRITTEN_CLASSES = 25
"""Up to so many classes, numbers fit into the cells."""

NAME_LENGTH = 16
COUNTED_BINS = 20
FONT = 8


def confusion_figure(
    matrix: Any,
    class_names: Sequence[str] | None = None,
    *,
    normalise: bool = False,
    title: str = "",
    lang: str | None = None,
    axes: Axes | None = None,
) -> Figure:
    """A confusion matrix: rows what the pictures are, columns what they were taken for; darker where there are more.

    Beside the rows stands the recall of each class, above the columns its precision, both in percent. Numbers are
    written while they fit, which is up to 25 classes; a cell without pictures stays empty.
    normalise: shares of each row instead of counts. Greys follow the square root, so that rare mistakes show.
    Shapes: matrix (K,K) of counts, as metrics.confusion_matrix gives it.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ShapeError for a matrix that is not square, or not as many names as classes; ConfigError for a language.
    """
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import MaxNLocator

    say = Labels(lang)

    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"a confusion matrix must be (classes, classes), got shape {counts.shape}")
    classes = len(counts)
    names = (
        [str(index) for index in range(classes)]
        if class_names is None
        else [clip(name, NAME_LENGTH) for name in class_names]
    )
    if len(names) != classes:
        raise ShapeError(f"the confusion matrix has {classes} classes, got {len(names)} names")
    written = classes <= WRITTEN_CLASSES
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    values = shares if normalise else counts
    own = axes is None
    figure, axes = figure_of(axes, *_confusion_size(classes, names, written))
    if own:  # the layout does not see how far the precision above pushes the title
        figure.set_layout_engine("constrained", rect=(0, 0.005, 1, 0.975))
    limit = max(float(values.max()), 1e-12)
    shown = axes.imshow(values, cmap="gray_r", norm=PowerNorm(0.5, 0, limit), interpolation="nearest")
    axes.set_xlabel(say("taken for"), fontsize=10)
    axes.set_ylabel(say("is"), fontsize=10)
    turned = 90 if not written or max(map(text_columns, names)) > 3 else 0
    axes.set_xticks(range(classes), names, fontsize=FONT, rotation=turned)
    axes.set_yticks(range(classes), names, fontsize=FONT)
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    if written:
        for (row, column), value in np.ndenumerate(values):
            if counts[row, column]:
                dark = np.sqrt(value / limit) > 0.5
                text = percent(float(value), 0, "") if normalise else f"{value:,}"
                axes.text(
                    column, row, text, ha="center", va="center", fontsize=FONT, color="white" if dark else "black"
                )
        _margins(axes, counts, say)
    bar = figure.colorbar(shown, ax=axes, shrink=0.7, pad=0.02, aspect=28)
    if not normalise:
        bar.locator = MaxNLocator(6, integer=True, steps=[1, 2, 5, 10])
    else:
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    bar.set_label(say("% of the pictures of the row" if normalise else "pictures"), fontsize=9)
    bar.ax.tick_params(labelsize=FONT)
    right = counts.trace() / max(counts.sum(), 1)
    words = say("{count:,} pictures, {right} right", count=int(counts.sum()), right=percent(right))
    words += say(", rows in percent") if normalise else ""
    axes.set_title(f"{title}\n{words}" if title else words, fontsize=11, color=INK, pad=10)
    return figure


def reliability_figure(
    calibration: Calibration, *, title: str = "", lang: str | None = None, axes: Axes | None = None
) -> Figure:
    """Accuracy at each confidence, beside the line where both are the same; below it, how many pictures there are.

    A bar is as high as its pictures are right, the line at it as high as they are sure: over the bar, too sure. Below,
    the number of pictures stands on each bar, as long as there is room for it: up to 20 bins.
    Source: Guo, Pleiss, Sun & Weinberger 2017, figure 1.
    """
    from matplotlib.patheffects import withStroke

    say, own = Labels(lang), axes is None
    figure, axes = figure_of(axes, 5.6, 5.2)
    if own:  # the layout does not see the label of the inset below
        figure.set_layout_engine("constrained", rect=(0, 0.07, 1, 0.93))
    edges, used = calibration.edges, calibration.counts > 0
    lefts, widths = edges[:-1][used], np.diff(edges)[used]
    accuracy, confidence = 100 * calibration.accuracy[used], 100 * calibration.confidence[used]
    axes.bar(100 * lefts, accuracy, 100 * widths, align="edge", color=BLUE, edgecolor="white", label=say("accuracy"))
    even = axes.plot([0, 100], [0, 100], "--", color=INK, lw=1, label=say("as right as it is sure"))[0]
    even.set_path_effects([withStroke(linewidth=2.6, foreground="white")])  # on the bars too, in grey print too
    ends = (100 * lefts, 100 * lefts + 100 * widths)
    axes.hlines(confidence, *ends, color=VERMILION, lw=2.4, label=say("mean confidence"), clip_on=False, zorder=4)
    axes.set(xlim=(0, 100), ylim=(0, 100), ylabel=say("of these right (%)"))
    plain(axes)
    axes.legend(framealpha=0.9, edgecolor="white", fontsize=9, loc="upper left")
    below = axes.inset_axes((0, -0.34, 1, 0.2))
    share = 100 * calibration.counts / max(calibration.counts.sum(), 1)
    below.bar(100 * edges[:-1], share, 100 * np.diff(edges), align="edge", color=PALE, edgecolor=INK, linewidth=0.6)
    below.set(xlim=(0, 100), ylim=(0, max(float(share.max()) * 1.35, 1)), xlabel=say("confidence (%)"))
    below.set_ylabel(say("pictures (%)"), fontsize=FONT)
    plain(below)
    if len(share) <= COUNTED_BINS:
        middles = 50 * (edges[:-1] + edges[1:])
        for middle, height, count in zip(middles, share, calibration.counts, strict=True):
            if count:
                below.text(middle, height, _counted(int(count)), ha="center", va="bottom", fontsize=6.5, color=INK)
    for ax in (axes, below):
        ax.tick_params(labelsize=FONT)
    axes.tick_params(labelbottom=False)
    total = int(calibration.counts.sum())
    words = say("{count:,} pictures, expected calibration error {error}", count=total, error=percent(calibration.error))
    axes.set_title(f"{title}\n{words}" if title else words, fontsize=11, color=INK)
    return figure


def _counted(count: int) -> str:
    """A count in at most four letters: 870, 1.2k, 57k."""
    return f"{count}" if count < 1000 else f"{count / 1000:.1f}k" if count < 9950 else f"{count / 1000:.0f}k"


def _margins(axes: Axes, counts: Array, say: Labels) -> None:
    """Recall at the right of each row, precision above each column."""
    classes = len(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = counts.diagonal() / counts.sum(axis=1)
        precision = counts.diagonal() / counts.sum(axis=0)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks(range(classes), [percent(float(value), 1, "") for value in recall], fontsize=FONT)
    beside.set_ylabel(say("recall (%)"), fontsize=9)
    above = axes.secondary_xaxis("top")
    above.set_xticks(range(classes), [percent(float(value), 1, "") for value in precision], fontsize=FONT)
    above.set_xlabel(say("precision (%)"), fontsize=9)
    for margin in (beside, above):
        margin.tick_params(length=0)
        without_spines(margin)


def _confusion_size(classes: int, names: Sequence[str], written: bool) -> tuple[float, float]:
    """Inches: a cell holds four digits, or where none are written a line of its label."""
    side = classes * (0.42 if written else 0.135)
    label = 0.075 * max(map(text_columns, names))
    return max(side, 2.2) + label + 1.9, max(side, 2.2) + label + 1.4


CONFUSION_EXAMPLES = """Example:
   pellucid show confusion runs/simple-convnet-digits-001

Each row in percent, on other pictures:
   pellucid show confusion RUN --data new-photos/ --rows --out confusion.pdf"""
CALIBRATION_EXAMPLES = """Example:
   pellucid show calibration runs/simple-convnet-digits-001 --bins 10"""

WORDS = {
    "taken for": "신경망의 답",
    "is": "실제",
    "pictures": "이미지 수",
    "% of the pictures of the row": "그 행의 이미지 중 %",
    "{count:,} pictures, {right} right": "이미지 {count:,}장, 정답 {right}",
    ", rows in percent": ", 행별 백분율",
    "recall (%)": "재현율 (%)",
    "precision (%)": "정밀도 (%)",
    "as right as it is sure": "확신한 만큼 맞음",
    "mean confidence": "평균 확신도",
    "of these right (%)": "그중 정답 (%)",
    "confidence (%)": "확신도 (%)",
    "pictures (%)": "이미지 (%)",
    "{count:,} pictures, expected calibration error {error}": "이미지 {count:,}장, 기대 보정 오차 {error}",
    "{count} classes: {file}": "클래스 {count}개: {file}",
    "{count} bins of confidence: {file}": "확신도 구간 {count}개: {file}",
}
"""Korean by English."""


@Picture(
    "confusion",
    CONFUSION_EXAMPLES,
    judges=True,
    tables=True,
    words=WORDS,
    caption=(
        "Rows: what the pictures show. Columns: what the network said.",
        "행은 실제 클래스, 열은 신경망의 답입니다.",
    ),
)
def show_confusion(
    seen: Judged,
    rows: Annotated[bool, Option("--rows", None, "Percent of each row instead of counts.")] = False,
) -> Shown:
    """Draw what is taken for what, with precision and recall of each class."""
    matrix = metrics.confusion_matrix(seen.labels, seen.answers, seen.answers.shape[1])
    table = Table(
        ["is / taken for", *seen.names],
        [[name, *map(int, counts)] for name, counts in zip(seen.names, matrix, strict=True)],
        "{count} classes: {file}",
        {"classes": list(seen.names), "pictures": matrix.tolist()},
    )
    return Shown(
        lambda: confusion_figure(matrix, seen.model.class_names, normalise=rows, title=seen.title, lang=seen.lang),
        "confusion",
        table,
    )


@Picture(
    "calibration",
    CALIBRATION_EXAMPLES,
    judges=True,
    tables=True,
    caption=(
        "How often the network is right when it says so surely. On the diagonal it means what it says; below, it is "
        "too sure.",
        "신경망이 확신한 만큼 실제로 맞는지 보여 줍니다. "
        "대각선 위에 있으면 말한 그대로이고, 그 아래는 지나친 확신입니다.",
    ),
)
def show_calibration(
    seen: Judged,
    bins: Annotated[int, Option("--bins", "N", "Bins of confidence.", 1, 100)] = 15,
) -> Shown:
    """Draw how often answers are right at each confidence, with the expected calibration error."""
    found = metrics.calibration(seen.labels, seen.answers, bins)
    columns = (found.edges[:-1], found.edges[1:], found.counts, found.accuracy, found.confidence)
    rows = [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    header = ("from", "to", "pictures", "accuracy", "confidence")
    return Shown(
        lambda: reliability_figure(found, title=seen.title, lang=seen.lang),
        "calibration",
        Table(header, rows, "{count} bins of confidence: {file}"),
    )
