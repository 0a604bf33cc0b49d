"""`pellucid show curves`: the log of one run, or of several compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid.cli.drawing import Lang, Out, write
from pellucid.cli.output import CsvFile, Instead, check_table_name, told_as_table
from pellucid.cli.run import LOG_FILE, RUN_FILE, read_record, title_of
from pellucid.files.inside import Inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pellucid.visualise import Log

EXAMPLES = (
    "Loss and accuracy of a run:\n"
    "   pellucid show curves runs/simple-convnet-digits-001\n\n"
    "Two runs compared:\n"
    "   pellucid show curves runs/first runs/second --what loss,learning-rate"
)


def register(app: typer.Typer) -> None:
    """Put the command into `pellucid show`."""
    app.command("curves", epilog=EXAMPLES)(curves)


def curves(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, or their log.jsonl files.")],
    what: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Of loss,accuracy,learning-rate,speed. Default: loss,accuracy."),
    ] = None,
    lang: Lang = None,
    csv: CsvFile = None,
    as_json: Instead = False,
    out: Out = None,
) -> None:
    """Draw loss, accuracy, learning rate or speed, epoch by epoch, of one run or of several in one picture.

    --csv and --json have all that the logs hold.
    """
    from pellucid.visualise import curves_figure, held_name, read_log
    from pellucid.visualise.drawing.labels import Labels

    wanted = None if what is None else [name.strip().lower() for name in what.split(",") if name.strip()]
    folders = [Inside(run if os.path.isdir(run) else run.parent) for run in runs]
    files = [folder / LOG_FILE if os.path.isdir(run) else run for run, folder in zip(runs, folders, strict=True)]
    if csv is not None:
        check_table_name(csv, "--csv")
    logs = [read_log(file) for file in files]
    labels = _labels([folder.path for folder in folders])
    header, rows = _table(dict(zip(labels, logs, strict=True)))
    written = Labels(lang)("{count} epochs: {file}", count=len(rows), file=csv)
    if told_as_table(header, rows, csv, as_json, written):
        return
    records = [read_record(folder) for folder in folders if (folder / RUN_FILE).check().is_file()]
    names = {held_name(record) for record in records} or {"validation"}
    held = names.pop() if len(names) == 1 else "validation or test"
    if len(files) == 1:
        figure = curves_figure(logs[0], wanted, title=title_of(folders[0], lang), held=held, lang=lang)
        write(figure, out, folders[0] / "curves.png")
        return
    write(curves_figure(dict(zip(labels, logs, strict=True)), wanted, held=held, lang=lang), out, Path("curves.png"))


def _table(logs: Mapping[str, Log]) -> tuple[list[str], list[list[object]]]:
    """All that the logs hold, an epoch a row; of several runs, their names first."""
    series = list(dict.fromkeys(name for log in logs.values() for name in log.series))
    rows: list[list[object]] = [
        [run, epoch, *(log.series[name][place] if name in log.series else None for name in series)]
        for run, log in logs.items()
        for place, epoch in enumerate(log.epochs)
    ]
    return ["run", "epoch", *series], rows


def _labels(folders: list[Path]) -> list[str]:
    """The folders' names; where two are the same, as the command line had them, and a number if that does not help."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]
