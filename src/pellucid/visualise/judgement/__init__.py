"""How well classes are told apart, drawn (`figure`); the numbers are those of `pellucid.metrics`."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from pellucid import metrics
from pellucid._numbers import percent
from pellucid.visualise.judgement.figure import confusion_figure, mistakes_figure, reliability_figure
from pellucid.visualise.registry import Judged, Option, Picture, Shown, Table

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


@Picture("mistakes", MISTAKES_EXAMPLES, judges=True, tables=True)
def show_mistakes(
    seen: Judged,
    count: Annotated[int, Option("--count", "N", "At most so many.", 1, 120)] = 24,
) -> Shown:
    """Draw the pictures that were most confidently taken for the wrong class, and name them.

    --csv and --json list all mistakes: by file, or in data sets with a name by the number of the test picture from 0.
    """
    test, say = seen.data.test, seen.say
    listed = [_mistake(seen, int(row)) for row in metrics.confident_mistakes(test.labels, seen.answers, len(test))]
    table = Table(("picture", "is", "said", "probability"), listed, "{count} mistakes: {file}")
    if not listed:
        nothing = "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw"
        return Shown(table=table, notes=[say(nothing, run=seen.what, all=len(test), data=seen.data.name)])
    picks = metrics.confident_mistakes(test.labels, seen.answers, count)
    called = [name if test.files is not None else f"#{name}" for name, *_ in listed[:count]]
    notes = []
    for name, (_, is_, said, share) in zip(called, listed, strict=False):
        answer = say("said {said} ({share})", said=said, share=percent(share, 0))
        notes.append(f"{name}: {say('is {truth}', truth=is_)}, {answer}")
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


def _mistake(seen: Judged, row: int) -> tuple[str, str, str, float]:
    """The picture, what it is, what it was taken for and how probably."""
    test, answer = seen.data.test, seen.answers[row]
    said = int(np.argmax(answer))
    name = str(row) if test.files is None else test.files[row]
    return name, seen.names[int(test.labels[row])], seen.names[said], round(float(answer[said]), 6)
