"""The log of a run (`data`), and drawn (`figure`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pellucid.files.inside import Inside
from pellucid.visualise.curves.data import held_name
from pellucid.visualise.curves.figure import curves_figure
from pellucid.visualise.registry import Argument, Option, Picture, Shown, Source, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXAMPLES = """Loss and accuracy of a run:
   pellucid show curves runs/simple-convnet-digits-001

Two runs compared:
   pellucid show curves runs/first runs/second --what loss,learning-rate"""
TAKES = Argument("RUN...", "Run folders, or their log.jsonl files.", several=True)

WORDS = {
    "loss": "손실",
    "accuracy": "정확도",
    "accuracy (%)": "정확도 (%)",
    "learning rate": "학습률",
    "pictures a second": "초당 이미지 수",
    "epoch": "에포크",
    "validation or test": "검증 또는 테스트",
    "thick with marks: {held}; thin: training": "굵고 표시 있는 선: {held}, 가는 선: 학습",
    "{count} epochs: {file}": "에포크 {count}개: {file}",
}
"""Korean by English."""


@Picture("curves", EXAMPLES, takes=TAKES, tables=True, words=WORDS)
def show_curves(
    sources: Sequence[Source],
    what: Annotated[
        str | None, Option("--what", "NAMES", "Of loss,accuracy,learning-rate,speed. Default: loss,accuracy.")
    ] = None,
) -> Shown:
    """Draw loss, accuracy, learning rate or speed, epoch by epoch, of one run or of several in one picture.

    --csv and --json have all that the logs hold.
    """
    wanted = None if what is None else [name.strip().lower() for name in what.split(",") if name.strip()]
    logs = dict(zip(_labels([source.place for source in sources]), [source.log() for source in sources], strict=True))
    series = list(dict.fromkeys(name for log in logs.values() for name in log.series))
    rows: list[list[object]] = [
        [run, epoch, *(log.series[name][place] if name in log.series else None for name in series)]
        for run, log in logs.items()
        for place, epoch in enumerate(log.epochs)
    ]
    table, first = Table(["run", "epoch", *series], rows, "{count} epochs: {file}"), sources[0]

    def draw() -> Figure:
        names = {held_name(record) for source in sources if (record := source.record())} or {"validation"}
        held = names.pop() if len(names) == 1 else "validation or test"
        if len(sources) > 1:
            return curves_figure(logs, wanted, held=held, lang=first.lang)
        return curves_figure(next(iter(logs.values())), wanted, title=first.title, held=held, lang=first.lang)

    return Shown(draw, first.place / "curves.png" if len(sources) == 1 else Path("curves.png"), table)


def _labels(folders: Sequence[Inside]) -> list[str]:
    """The folders' names; where two are the same, as the command line had them, and a number if that does not help."""
    names = [folder.path.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder.path) for folder in folders]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]
