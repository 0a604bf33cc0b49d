"""`pellucid summary`: a network's layers as a table."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid._text import say
from pellucid.cli.drawing import network
from pellucid.cli.output import JsonFlag, print_json

EXAMPLES = "Example:\n   pellucid summary simple-convnet\n   pellucid summary runs/simple-convnet-digits-001 --json"
app = typer.Typer()


@app.command("summary", epilog=EXAMPLES)
def summary(
    what: Annotated[str, typer.Argument(metavar="MODEL|RUN", help="A network's name, a run folder or a model file.")],
    batch_size: Annotated[int, typer.Option(metavar="N", min=1, help="Pictures in a step, for the memory.")] = 32,
    as_json: JsonFlag = False,
) -> None:
    """Print a network's layers: output shapes, kernels, parameters, multiply-accumulates, receptive fields, memory."""
    from pellucid import zoo

    model = network(what)
    if as_json:
        print_json(model.summary_data(batch_size))
    else:
        model.summary(print_fn=print, batch_size=batch_size)
        if what in zoo.NAMES:
            say(f"recipe: {zoo.recipe(what)}", prose=True)
