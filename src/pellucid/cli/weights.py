"""`pellucid weights list | fetch`: which published weights there are, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pellucid._progress import WorkBar
from pellucid._text import say
from pellucid.cli.output import JsonFlag, print_columns, print_json, print_table

LIST_EXAMPLES = "Example:\n   pellucid weights list --json"
FETCH_EXAMPLES = (
    "Before a lecture without a network:\n   pellucid weights fetch mobilenet-v2 resnet18\n\n"
    "Onto a stick, to be found there by PELLUCID_DATA=/media/stick/data:\n"
    "   pellucid weights fetch mobilenet-v2 --into /media/stick/data\n\n"
    "Files that you have already are found in the folder weights of PELLUCID_DATA. In Python:\n"
    '   model = pellucid.zoo.mobilenet_v2(weights="imagenet")'
)

app = typer.Typer(
    name="weights",
    no_args_is_help=True,
)


@app.callback()
def weights() -> None:
    """List and fetch published weights."""


@app.command("list", epilog=LIST_EXAMPLES)
def list_weights(as_json: JsonFlag = False) -> None:
    """List the published weights, all of ImageNet's 1,000 classes, and where each file lies on this machine."""
    from pellucid.convert import PUBLISHED, locate

    places = {file: locate(one) for file, one in PUBLISHED.items()}
    if as_json:
        print_json(
            [
                {
                    "network": one.network,
                    "file": file,
                    "url": one.url,
                    "megabytes": one.megabytes,
                    one.kind: one.digest,
                    "scaling": one.scaling,
                    "licence": one.licence,
                    "package": one.package or None,
                    "where": None if places[file] is None else str(places[file]),
                }
                for file, one in PUBLISHED.items()
            ]
        )
        return
    known = list(PUBLISHED.values())
    columns = {
        "network": [one.network for one in known],
        "file": list(PUBLISHED),
        "MB": [str(one.megabytes) for one in known],
        "scaling": [one.scaling for one in known],
        "licence": [one.licence for one in known],
    }
    print_columns(columns, ["scaling", "licence"], right=["MB"], more="--json has all")
    here = [[str(place)] for place in places.values() if place is not None]
    if here:
        print_table(["on this machine"], here, whole=[0])
    else:
        say("none of them is on this machine; pellucid weights fetch NETWORK brings one")


@app.command("fetch", epilog=FETCH_EXAMPLES)
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Networks or files, as `pellucid weights list` names them.")
    ],
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Copy or download them there, to be taken along.")
    ] = None,
) -> None:
    """Bring published weights onto this machine, unless they are here already; what comes is checked by its hash."""
    from pellucid.convert import KERAS_PUBLISHED, bring, published

    for one in [
        KERAS_PUBLISHED.get(name) or published(name) for name in names
    ]:  # all names are checked before the first download
        with WorkBar() as bar:
            place = bring(one, into=into, progress=bar)
        say(f"{one.network}: {place}")
