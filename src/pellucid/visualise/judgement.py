"""Judging a classifier, drawn: what it takes for what, whether its confidence can be trusted, its worst mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import metrics
from pellucid._numbers import percent
from pellucid._text import clip, text_columns
from pellucid.datasets.tables import BETWEEN
from pellucid.errors import DataError, ShapeError
from pellucid.metrics import Calibration
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.visualise.drawing.figure import BLUE, INK, PALE, VERMILION, figure_of, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import show_picture, without_spines
from pellucid.visualise.registry import Judged, Option, Picture, Shown, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WRITTEN_CLASSES = 25
"""Up to so many classes, numbers fit into the cells."""

NAME_LENGTH = 16
CELL_COLUMNS, SAID_LENGTH = 23, 10
"""Columns of what stands over a picture, and of the class that the network said."""
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
MISTAKES_EXAMPLES = """Example:
   pellucid show mistakes runs/simple-convnet-digits-001 --count 12"""

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
    "said {said} ({share})": "답 {said} ({share})",
    "is {truth}": "실제 {truth}",
    "nothing": "없음",
    ": the {shown} most confident of {count:,} mistakes in {all:,} pictures": (
        ": 이미지 {all:,}장의 오답 {count:,}개 중 가장 확신한 {shown}개"
    ),
    ": the one mistake in {all:,} pictures": ": 이미지 {all:,}장의 유일한 오답",
    "{count} classes: {file}": "클래스 {count}개: {file}",
    "{count} bins of confidence: {file}": "확신도 구간 {count}개: {file}",
    "{count} mistakes: {file}": "오답 {count}개: {file}",
    "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw": (
        "{run}: {data}의 이미지 {all:,}장에 오답이 없어 그릴 것이 없습니다"
    ),
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


@Picture("mistakes", MISTAKES_EXAMPLES, judges=True, several=True, tables=True)
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
