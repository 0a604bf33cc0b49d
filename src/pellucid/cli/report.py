"""`pellucid report`: a finished run as one page."""

from __future__ import annotations

import contextlib
import os
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar, working
from pellucid._text import note, say
from pellucid.cli.drawing import Lang
from pellucid.cli.judge import held_out_data
from pellucid.errors import ConfigError, PellucidError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Inside
from pellucid.files.schema import TEXT, Misfit, check, whole
from pellucid.runs.console import tell_left_out
from pellucid.runs.folder import (
    LOG_FILE,
    SNAPSHOTS,
    find_folder,
    find_model,
    first_snapshot,
    place_to_write,
    read_record,
    title_of,
)

if TYPE_CHECKING:
    from pellucid.report import Run
    from pellucid.visualise.histograms.data import Snapshots

EXAMPLES = (
    "Example:\n   pellucid report runs/simple-convnet-digits-001\n\n"
    "In Korean, and opened in the browser:\n   pellucid report RUN --lang ko --open"
)
app = typer.Typer()
REPORT_FILE = "report.html"

END = {"event?": TEXT, "reason?": TEXT, "epochs?": whole(), "best_epoch?": whole()}
"""What the last line of a log says of how training ended."""


@app.command("report", epilog=EXAMPLES)
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")],
    lang: Lang = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to. Default: report.html in the run folder.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one page about a run: data, network, curves, how well it does, its mistakes, and what it learned.

    The page holds everything it shows: it opens from a file, needs no network, and can be sent to somebody.
    """
    from pellucid.report import make_report

    target = place_to_write(out or Inside(run) / REPORT_FILE)
    with working(f"reading {run}") as bar:
        text = make_report(read_run(run, bar, lang), lang=lang, progress=bar)
    with replacing(target) as file:
        file.write(text.encode())
    say(str(target))
    if show:
        webbrowser.open(Path(str(target)).resolve().as_uri())


def read_run(run: Path, bar: WorkBar, lang: str | None = None) -> Run:
    """Everything about a run that a report tells.

    Errors: ConfigError for anything but a run folder; CheckpointError or DataError where a file of it is damaged.
    """
    from pellucid.model.file import load
    from pellucid.report import Run
    from pellucid.train.doctor import read_findings
    from pellucid.visualise import read_log

    if not os.path.lexists(run):
        find_model(run)  # says so
    folder = find_folder(run) if os.path.isdir(run) else None
    if folder is None:
        raise ConfigError(f"{run}: a report needs a run folder, with its log; `pellucid train` makes one in runs/")
    file = find_model(folder)
    model = load(file)
    dataset = held_out_data(folder, model, None, bar)
    if not len(dataset.test):
        raise ConfigError(f"{run}: its data hold no test pictures to report on")
    tell_left_out(dataset.skipped, known=True)
    log = read_log(folder / LOG_FILE)
    return Run(
        title=title_of(folder, lang),
        model=model,
        model_file=file,
        record=read_record(folder),
        log=log,
        end=_last_event(folder / LOG_FILE),
        dataset=dataset,
        before=first_snapshot(folder),
        snapshots=_snapshots(folder / SNAPSHOTS),
        advice=read_findings(folder / LOG_FILE),
    )


def _last_event(log: Inside) -> dict[str, Any]:
    """How training ended, as the log tells it; nothing for a run that was cut off."""
    from pellucid.train.log import read_events

    *_, last = ({}, *read_events(log))
    with contextlib.suppress(Misfit):
        check(END, last)
        return last if last.get("event") == "end" else {}
    return {}


def _snapshots(folder: Inside) -> Snapshots | None:
    """The histograms over the epochs; None, and a remark, where there are none or they are damaged."""
    from pellucid.visualise.histograms.data import read_snapshots

    try:
        return read_snapshots(folder)
    except PellucidError as error:
        note(f"no histograms over the epochs: {error}")
        return None
