"""`pellucid data list | info | fetch`: which data sets there are, and where they lie."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar, working
from pellucid._text import say
from pellucid.cli.labels import Columns, LabelFiles, columns_of
from pellucid.cli.output import JsonFlag, print_json, print_table
from pellucid.runs.console import tell_warnings

if TYPE_CHECKING:
    from pellucid.datasets import Known

LIST_EXAMPLES = "Example:\n   pellucid data list --json"
INFO_EXAMPLES = (
    "A data set with a name, or a folder with one sub-folder a class:\n"
    "   pellucid data info mnist\n   pellucid data info photos/\n\n"
    "A folder whose labels stand in a table:\n   pellucid data info photos/ --labels labels.csv"
)
FETCH_EXAMPLES = (
    "Before a lecture without a network:\n   pellucid data fetch mnist fashion-mnist cifar10\n\n"
    "Onto a stick, to be found there by PELLUCID_DATA=/media/stick/data:\n"
    "   pellucid data fetch mnist --into /media/stick/data\n\n"
    "Files that you have already are found under PELLUCID_DATA; PELLUCID_OFFLINE=1 forbids every download."
)

app = typer.Typer(
    name="data",
    no_args_is_help=True,
)


@app.callback()
def data() -> None:
    """List, describe and fetch data sets."""


Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Data sets, as `pellucid data list` names them.")]


def facts(known: Known) -> dict[str, Any]:
    """What is known of a named set without opening it."""
    from pellucid import datasets

    place = datasets.locate(known.name) if known.layouts else None
    height, width, channels = known.shape
    return {
        "name": known.name,
        "title": known.title,
        "height": height,
        "width": width,
        "channels": channels,
        "classes": len(known.class_names),
        "train": known.num_train,
        "test": known.num_test,
        "where": "in the package" if not known.layouts else str(place) if place else None,
    }


@app.command("list", epilog=LIST_EXAMPLES)
def list_sets(as_json: JsonFlag = False) -> None:
    """List the data sets that have a name, and where each lies on this machine."""
    from pellucid import datasets

    found = [facts(datasets.known(name)) for name in datasets.names()]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            fact["name"],
            fact["title"],
            f"{fact['height']}x{fact['width']}x{fact['channels']}",
            str(fact["classes"]),
            f"{fact['train']:,} + {fact['test']:,}",
        ]
        for fact in found
    ]
    print_table(["name", "what", "picture", "classes", "train + test"], rows, right=[3, 4], whole=[0, 2, 3, 4])
    places = [[fact["name"], fact["where"] or "not here yet: pellucid data fetch " + fact["name"]] for fact in found]
    print_table(["name", "where"], places, whole=[0, 1])


@app.command("info", epilog=INFO_EXAMPLES)
def info(
    data: Annotated[str, typer.Argument(metavar="NAME|FOLDER", help="A data set's name, or a folder of pictures.")],
    labels: LabelFiles = None,
    columns: Columns = None,
    as_json: JsonFlag = False,
) -> None:
    """Describe a data set: pictures, classes and how many of each, source and licence."""
    from pellucid import datasets
    from pellucid.datasets.labels import class_counts

    with working(f"reading {data}") as bar:
        dataset = datasets.load(data, labels=labels, columns=columns_of(columns), progress=bar)
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    if dataset.validation is None or dataset.validation is dataset.test:
        del parts["validation"]
    counts = {
        part: class_counts(split.labels, len(dataset.class_names)).tolist()
        for part, split in parts.items()
        if split is not None
    }
    facts = {
        "name": dataset.name,
        "source": dataset.source,
        "picture": list(dataset.image_shape),
        "classes": [
            {"class": name, **{part: of[index] for part, of in counts.items()}}
            for index, name in enumerate(dataset.class_names)
        ],
        **{part: len(split) for part, split in parts.items() if split is not None},
        "unlabelled": [{"folder": folder, "pictures": count} for folder, count in dataset.unlabelled],
        "facts": dataset.facts,
        "warnings": dataset.warnings,
        "skipped": [{"file": file, "reason": reason} for file, reason in dataset.skipped],
    }
    if as_json:
        print_json(facts)
        return
    say(f"{facts['name']}: {' x '.join(map(str, dataset.image_shape))}, source: {facts['source']}", prose=True)
    for line in dataset.facts[1:]:  # the first has what the table has
        say(line, prose=True)
    rows = [[name, *(f"{of[index]:,}" for of in counts.values())] for index, name in enumerate(dataset.class_names)]
    if not dataset.train.several:  # pictures with two labels would count twice
        rows.append(["all", *(f"{sum(of):,}" for of in counts.values())])
    unit = " (pixels)" if dataset.train.per_pixel else ""
    print_table(["class", *(f"{part}{unit}" for part in counts)], rows, right=range(1, 1 + len(counts)))
    if dataset.skipped:
        print_table(["file left out", "reason"], [list(item) for item in dataset.skipped], whole=[0])
    tell_warnings(dataset)


@app.command("fetch", epilog=FETCH_EXAMPLES)
def fetch(
    names: Names,
    into: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Copy or download them there, to be taken along.")
    ] = None,
) -> None:
    """Bring data sets onto this machine, unless they are here already; each file is checked by its hash."""
    from pellucid import datasets

    known = [datasets.known(name) for name in names]  # all names are checked before the first download
    for one in known:
        with WorkBar() as bar:
            place = datasets.fetch_named(one.name, into=into, progress=bar)
        say(f"{one.name}: {place or 'in the package'}")
