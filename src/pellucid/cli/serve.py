"""`pellucid serve`: a trained network at an address."""

from __future__ import annotations

from typing import Annotated

import typer

from pellucid._text import say
from pellucid.cli.judge import Run, trained
from pellucid.cli.output import note
from pellucid.serve import BATCH, TOP

EXAMPLES = (
    "Example, and how a program asks:\n   pellucid serve runs/photo-net-pets-001\n"
    "   curl --data-binary @cat.jpg http://127.0.0.1:8000/predict\n\n"
    "For other machines, with a token that it prints:\n   pellucid serve mobilenet-v2 --host 0.0.0.0"
)
app = typer.Typer()


@app.command("serve", epilog=EXAMPLES)
def serve(
    run: Run,
    port: Annotated[int | None, typer.Option(metavar="N", help="Default: the first free one from 8000 on.")] = None,
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen on. Others can come in there.")] = (
        "127.0.0.1"
    ),
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="PELLUCID_TOKEN",
            help="What requests must carry. Default: none at 127.0.0.1, elsewhere one that is drawn and printed.",
        ),
    ] = None,
    top: Annotated[int, typer.Option(metavar="K", min=1, help="The K most probable classes of each picture.")] = TOP,
    batch_size: Annotated[
        int, typer.Option(metavar="N", min=1, help="Pictures that are computed together at most.")
    ] = BATCH,
    browser: Annotated[bool, typer.Option("--browser", help="Open the page, where pictures can be dropped.")] = False,
) -> None:
    """Answer for pictures that are sent: POST one to /predict, and its classes and probabilities come back as JSON.

    / is a page to drop pictures on, /docs tells programs how to ask, /health and /metrics are for whoever watches.
    Pictures that wait are computed together. Ctrl-C ends it.
    """
    from pellucid._web import open_browser
    from pellucid.serve.launch import Served, expect_installed

    expect_installed()
    served = Served(trained(run), host=host, port=port, token=token, top=top, batch_size=batch_size)
    say(served.url)
    asked = f"{served.place.url}/predict" + ("" if served.token is None else "?token=TOKEN")
    note(f"curl --data-binary @PICTURE.jpg '{asked}'")
    if browser:
        open_browser(served.url)
    served.run()
