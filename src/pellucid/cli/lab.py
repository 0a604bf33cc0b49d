"""`pellucid lab`: a page where a network learns before one's eyes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._text import say
from pellucid.cli.output import note

if TYPE_CHECKING:
    from pellucid.lab.prepare import Start

EXAMPLES = (
    "Example, simple-convnet on the digits in the package:\n   pellucid lab\n\n"
    "A run, or another network on other data:\n   pellucid lab runs/simple-convnet-digits-001\n"
    "   pellucid lab lenet5 --data mnist\n\n"
    "For a class, in Korean, from another machine of the room:\n   pellucid lab --host 192.168.0.10 --lang ko"
)
app = typer.Typer()


@app.command("lab", epilog=EXAMPLES)
def lab(
    model: Annotated[
        str | None, typer.Argument(metavar="[RUN|MODEL]", help="A run, a model file, or a network by name.")
    ] = None,
    data: Annotated[str | None, typer.Option(metavar="NAME|FOLDER", help="What it is trained on.")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Default: the first free one from 8765 on.")] = None,
    host: Annotated[str, typer.Option(metavar="H", help="The address to listen on. Others can come in there.")] = (
        "127.0.0.1"
    ),
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="en|ko", help="Of the page. Default: the browser's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where it is kept. Default: the lab's folder that goes on, or a new one."),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the address.")] = False,
) -> None:
    """Train a network on a page in the browser, look inside while it learns, and take every number apart.

    Ctrl-C ends it; what was learned is kept, and can be opened again. Whoever has the first address steers; the second
    is for those who only look.
    """
    from pellucid._web import open_browser
    from pellucid.lab.launch import make_lab
    from pellucid.lab.prepare import prepare

    running = make_lab(
        lambda: prepare(model, data),
        port=port,
        host=host,
        lang=lang,
        folder=lambda start: out or start.folder or _folder(start),
    )
    say(running.url)
    note(f"to look only: {running.viewer_url}")
    note("Ctrl-C ends it")
    if not no_browser:
        open_browser(running.url)
    kept = running.run()
    if kept is not None:
        note(f"kept in {kept}; it goes on by: pellucid lab {kept.parent}")


def _folder(start: Start) -> Path:
    """The first folder of its name in runs/ that is not there; it is made once there is something to keep."""
    from pellucid.runs.folder import unused_run_folder

    return unused_run_folder(f"{start.model.name}-{start.dataset.name}", "lab")
