"""`pellucid show curves`: the log of one run, or of several compared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from pellucid.cli.drawing import Lang, Out, write
from pellucid.cli.run import LOG_FILE, RUN_FILE, read_record, title_of
from pellucid.inside import Inside

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
    out: Out = None,
) -> None:
    """Draw loss, accuracy, learning rate or speed, epoch by epoch, of one run or of several in one picture."""
    from pellucid.visualise import curves_figure, held_name, read_log

    wanted = None if what is None else [name.strip().lower() for name in what.split(",") if name.strip()]
    folders = [Inside(run if os.path.isdir(run) else run.parent) for run in runs]
    files = [folder / LOG_FILE if os.path.isdir(run) else run for run, folder in zip(runs, folders, strict=True)]
    logs = [read_log(file) for file in files]
    records = [read_record(folder) for folder in folders if (folder / RUN_FILE).check().is_file()]
    names = {held_name(record) for record in records} or {"validation"}
    held = names.pop() if len(names) == 1 else "validation or test"
    if len(files) == 1:
        figure = curves_figure(logs[0], wanted, title=title_of(folders[0], lang), held=held, lang=lang)
        write(figure, out, folders[0] / "curves.png")
        return
    labels = _labels([folder.path for folder in folders])
    write(curves_figure(dict(zip(labels, logs, strict=True)), wanted, held=held, lang=lang), out, Path("curves.png"))


def _labels(folders: list[Path]) -> list[str]:
    """The folders' names; where two are the same, as the command line had them, and a number if that does not help."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    return [name if names.count(name) == 1 else f"{name} ({place})" for place, name in enumerate(names, 1)]
