"""`pellucid export`: a trained network becomes a file that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid._progress import working
from pellucid.cli.judge import Run, trained
from pellucid.cli.output import JsonFlag, note, print_json, print_table
from pellucid.runs.folder import place_to_write

EXAMPLES = (
    "Example:\n   pellucid export runs/photo-net-pets-001 --to onnx --out pets.onnx\n\n"
    "The format is known by the file's ending too:\n   pellucid export resnet18 --out resnet18.onnx\n\n"
    "A page for any browser, which sends nothing anywhere:\n   pellucid export runs/digits --out digits.html"
)
app = typer.Typer()


@app.command("export", epilog=EXAMPLES)
def export_model(
    run: Run,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write; its ending is the format's.")],
    to: Annotated[
        str | None, typer.Option(metavar="FORMAT", help="Which format. Default: the one of --out's ending.")
    ] = None,
    trainable: Annotated[
        bool, typer.Option("--trainable", help="html: the page goes on learning from pictures it is given.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a trained network in another program's format: weights, scaling of pictures, names of the classes."""
    from pellucid.export import FORMATS, format_of, write

    place = place_to_write(out)
    to = format_of(place, to)
    model = trained(run, quiet=as_json)
    with working(f"writing {out}", quiet=as_json):
        places = write(model, place, to, trainable=trainable)
    if as_json:
        print_json({"model": model.name, "format": to, "files": [str(written) for written in places]})
        return
    rows = [["network", f"{model.name}, {model.count_params():,} parameters"], ["format", FORMATS[to].title]]
    print_table(["export", ""], [*rows, *(["written", str(written)] for written in places)])
    for written in places[1:]:
        if written.suffix == ".py":
            note(
                f"the other program lacks some of its layers: import {written.name[:-3]} there before it loads the file"
            )
