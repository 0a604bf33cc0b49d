"""`pellucid runs`: the runs in a folder as a table, with what differs between them."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid._text import note
from pellucid.cli.output import CsvFile, JsonFlag, check_table_name, percent, print_columns, print_json, write_table
from pellucid.runs.comparing import Compared, differing, find_runs, ordered
from pellucid.train.listeners import duration

EXAMPLES = (
    "Those in runs/, the best first:\n   pellucid runs\n\n"
    "Others, by a setting, and as a table for a spreadsheet:\n"
    "   pellucid runs experiments/ --sort learning_rate\n   pellucid runs --sort -time --csv runs.csv"
)
app = typer.Typer()
ENDED = "all epochs done"


@app.command("runs", epilog=EXAMPLES)
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look. Default: runs.")] = Path("runs"),
    sort: Annotated[
        str, typer.Option(metavar="NAME", help="best, time, epochs, run, or a setting; -NAME: the other way round.")
    ] = "best",
    csv: CsvFile = None,
    as_json: JsonFlag = False,
) -> None:
    """List runs: what differs between them, how many of the held-out pictures the best epoch has right, how long.

    Settings that are the same in all runs are left out; --json has them all. A terminal shows as many of the others as
    it has room for, the one by which it is sorted first.
    """
    if csv is not None:
        check_table_name(csv, "--csv")
    found, damaged = find_runs(folder)
    for name, reason in damaged:
        note(f"{name}: left out: {reason}")
    chosen, different = ordered(found, sort), differing(found)
    if csv is not None:
        header = ["run", *different, "best", "epoch", "epochs", "seconds", "ended"]
        rows = [
            [str(run.folder), *(_plain(run, name) for name in different), *_measured(run), run.ended] for run in chosen
        ]
        write_table(csv, header, rows)
        note(f"{len(chosen)} runs: {csv}")
    if as_json:
        print_json([_record(run) for run in chosen])
    elif not found:
        note(f"{folder}: holds no runs; `pellucid train` leaves them in runs/")
    else:
        names = [str(run.folder.relative_to(folder)) if run.folder != folder else str(folder) for run in chosen]
        columns = {"run": names} | {name: [_cell(run, name) for run in chosen] for name in different}
        columns["best"] = ["-" if run.best is None else percent(run.best) for run in chosen]
        columns["epoch"] = [f"{run.epoch or '-'}/{run.epochs}{' *' * (run.ended != ENDED)}" for run in chosen]
        columns["time"] = [duration(run.time) for run in chosen]
        # the last settings go first, before them what the runs' names say already
        said = [name for name in different if all(map(operator.contains, columns["run"], columns[name]))]
        spare = sorted(different, key=lambda name: (name != sort.removeprefix("-"), name in said))
        right = ("best", "epoch", "time")
        print_columns(columns, spare, right=right, more="--sort NAME shows one, --csv FILE and --json have all")
        if any(run.ended != ENDED for run in chosen):
            note("* not all epochs: it was stopped, or is being trained; pellucid train --resume RUN goes on with it")


def _cell(run: Compared, name: str) -> str:
    """A setting in the table: of a path, its last name."""
    value = _plain(run, name)
    text = "-" if value in (None, "") else str(value)
    return "" if name not in run.settings else Path(text).name if os.path.isabs(text) else text


def _plain(run: Compared, name: str) -> Any:
    """A setting in a cell."""
    value = run.settings.get(name)
    if isinstance(value, float):
        return float(f"{value:.4g}")
    return value if value is None or isinstance(value, int) else ", ".join(value) if _names(value) else str(value)


def _names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _measured(run: Compared) -> list[Any]:
    return [run.best, run.epoch, run.epochs, round(run.time, 3)]


def _record(run: Compared) -> dict[str, Any]:
    best, epoch, epochs, seconds = _measured(run)
    measured = {"best": best, "epoch": epoch, "epochs": epochs, "seconds": seconds, "ended": run.ended}
    return {"run": str(run.folder), **measured, "settings": run.settings}
