"""`pellucid tune`: many short runs that look for good settings."""

from __future__ import annotations

import shlex
import signal
from pathlib import Path
from typing import Annotated, Any

import typer

from pellucid._numbers import percent
from pellucid._text import note, say
from pellucid.cli.drawing import Lang, write
from pellucid.cli.interrupt import STATUS
from pellucid.cli.labels import Columns, LabelFiles, columns_of
from pellucid.cli.output import JsonFlag, print_json
from pellucid.errors import ConfigError, shown
from pellucid.runs.console import Console
from pellucid.runs.setup import DATA
from pellucid.runs.tuning import SPACE, as_arguments, tune

EXAMPLES = (
    "Twenty trials of ten epochs; the same again goes on with them, up to fifty:\n"
    "   pellucid tune --data photos/ --out tuned\n   pellucid tune --data photos/ --out tuned --trials 50\n\n"
    "Settings of the network too, from an end to the other or one of several; one that is fixed:\n"
    "   pellucid tune --data photos/ --space dropout=0.1..0.6 --space augment=none\n"
    "   pellucid tune lenet5 --data mnist --space 'optimizer=adam|rmsprop'\n\n"
    "Where nothing is said: " + ", ".join(f"{name}={values}" for name, values in SPACE.items())
)
app = typer.Typer()
PICTURE = "tuning.png"


@app.command("tune", epilog=EXAMPLES)
def tune_command(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="A network's name.")] = None,
    data: Annotated[str, typer.Option(metavar="DATA", help="As pellucid train has it.")] = DATA,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Of the search, which goes on where it stopped.")] = Path(
        "tuned"
    ),
    trials: Annotated[int, typer.Option(metavar="N", min=1, help="In all, those done before too.")] = 20,
    epochs: Annotated[int, typer.Option(metavar="N", min=1, help="Of each trial.")] = 10,
    space: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUES", help="LOW..HIGH, A|B|C or one value; empty: not searched.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(metavar="PATH|X", help="Judged on. Default: a fifth of the training pictures.")
    ] = None,
    labels: LabelFiles = None,
    columns: Columns = None,
    size: Annotated[int | None, typer.Option(metavar="N", help="The pictures' side.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="Train on the first N pictures only.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the trials and of the search.")] = 0,
    lang: Lang = None,
    as_json: JsonFlag = False,
) -> None:
    """Look for good settings: many short runs, each with what the ones before let hope for; those that go badly are
    stopped early.

    Leaves each trial's run, and a picture of what mattered. Trials are judged by pictures held out of the training
    part, and test pictures stay unseen; a folder without a part of its own for tests has none.
    """
    from pellucid.visualise.tuning import tuning_figure

    arguments: dict[str, Any] = {"labels": labels, "columns": columns_of(columns), "size": size, "limit": limit}
    arguments = {name: value for name, value in arguments.items() if value is not None}
    chosen = dict(_pair(one) for one in space or ())
    found = tune(
        model,
        data,
        out=out,
        trials=trials,
        epochs=epochs,
        space=chosen,
        seed=seed,
        validation=validation,
        console=Console(0 if as_json else 1),
        **arguments,
    )
    if as_json:
        print_json(
            {"best": found.best, "value": found.value, "importance": found.importance, "trials": list(found.trials)}
        )
    else:
        write(tuning_figure(found, lang=lang), None, out / PICTURE)
        say(f"best {percent(found.value)}; all of it, with more epochs:", prose=True)
        say(_command(model, data, arguments, found.best))
        note(f"the trials beside each other: pellucid runs {shlex.quote(str(out))}")
    if found.interrupted:
        raise typer.Exit(STATUS[signal.SIGINT])


def _pair(given: str) -> tuple[str, str]:
    name, equals, values = given.partition("=")
    if not equals or not name.strip():
        raise ConfigError(f"--space takes KEY=VALUES, got {shown(given)}; for example --space dropout=0.1..0.6")
    name = name.strip().replace("-", "_")
    return {"lr": "learning_rate"}.get(name, name), values.strip()


def _command(model: str | None, data: str, arguments: dict[str, Any], best: Any) -> str:
    """What trains a network with the best settings."""
    chosen = as_arguments(best)
    words = ["pellucid", "train", *([] if model is None else [model]), "--data", data]
    for name, value in {**arguments, **chosen}.items():
        flag = {"learning_rate": "--lr"}.get(name, f"--{name.replace('_', '-')}")
        if name == "settings":
            for key, one in value.items():
                words += ["--set", f"{key}={_short(one)}"]
        elif name == "labels":
            words += [word for table in value for word in (flag, str(table))]
        elif name == "columns":
            words += [flag, ",".join(f"{role}={column}" for role, column in value.items())]
        elif name != "limit":
            words += [flag, _short(value)]
    return shlex.join(words)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
