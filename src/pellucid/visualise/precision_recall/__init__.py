"""Precision and recall of each class at every threshold (`data`), and drawn (`figure`)."""

from __future__ import annotations

from pellucid.visualise.precision_recall.data import precision_recall
from pellucid.visualise.precision_recall.figure import precision_recall_figure
from pellucid.visualise.registry import Judged, Picture, Shown, Table

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
