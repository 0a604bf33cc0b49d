"""What the commands that draw share: their options, the picture to look at, and where a figure goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar
from pellucid._text import clip, say
from pellucid.cli.output import note, write_to_output
from pellucid.cli.progress import working
from pellucid.cli.run import find_folder, find_model, place_to_write
from pellucid.errors import ConfigError, DataError
from pellucid.files.inside import Inside, Place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pellucid.model import Model
    from pellucid.ops import Array
    from pellucid.visualise.drawing.labels import Labels

STANDARD_OUTPUT = "-"
FILE_NAME = 40
"""Columns of a picture's name in a title."""

Drawn = Annotated[
    str, typer.Argument(metavar="RUN|MODEL", help="A run folder, a model file, or the name of a network (not trained).")
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="NAME|FOLDER", help="Default: the pictures that the run held out from its own data."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Where to: .png, .svg or .pdf; - writes a PNG to standard output."),
]


def _one_picture(image: Path | None) -> Path | None:
    """A file that is there, before anything is loaded. Errors: DataError, with what lies nearby."""
    from pellucid.datasets.listing import missing

    if image is not None and image.is_dir():
        raise DataError(f"--image {image}: is a folder; name one picture in it")
    if image is not None and not image.exists():
        raise missing(image, "picture for --image")
    return image


ImageFile = Annotated[
    Path | None,
    typer.Option(
        "--image",
        metavar="FILE",
        help="A picture. Default: the first test picture of the run's data.",
        callback=_one_picture,
    ),
]
Lang = Annotated[str | None, typer.Option("--lang", metavar="en|ko", help="Of the words. Default: that of the locale.")]
LayerName = Annotated[str | None, typer.Option("--layer", metavar="NAME", help="A layer, as `pellucid summary` says.")]


def write(figure: Figure, out: Path | None, default: Place) -> None:
    """Write a figure to `out`, or else to `default`, and say where; `-` is a PNG on standard output and no words."""
    from pellucid.visualise import write_figure
    from pellucid.visualise.drawing.figure import figure_bytes

    if out is not None and str(out) == STANDARD_OUTPUT:
        with working("drawing"):
            png = figure_bytes(figure, "png")
        write_to_output(png)
        return
    target = place_to_write(out or default)
    with working(f"drawing {target}"):
        write_figure(figure, target)
    say(str(target))


def default_file(run: Path, what: str, ending: str = ".png") -> Place:
    """Where a picture of a run goes if nobody says: into its folder, or beside a model file under that one's name."""
    name = f"{what}{ending}"
    return Inside(run) / name if os.path.isdir(run) else Path(f"{run.stem}-{name}")


def network(run: str | Path | Inside) -> Model:
    """What RUN|MODEL names: a run's best epoch, a model file, or a network of the zoo as it is before training.

    Errors: CheckpointError for a path that is neither; ConfigError for an unknown network, which lists those there are.
    """
    from pellucid import zoo
    from pellucid.model.file import load

    path = Path(run) if isinstance(run, str) else run
    if not isinstance(run, str) or os.path.lexists(run) or path.suffix or path.name != run:
        with working(f"reading {path}"):
            return load(find_model(path))
    with working(f"making {run}"):
        return zoo.build(run)


def pixels_of(text: str | None, option: str) -> tuple[int, int] | None:
    """Rows and columns, as an option has them: "7" or "7,9"; None for none.

    Errors: ConfigError for anything but one or two whole numbers of at least 1.
    """
    from pellucid.ops.geometry import pair

    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"{option} takes pixels, N or ROWS,COLS, got {text!r}")
    numbers = [int(part) for part in parts]
    return pair(numbers[0] if len(numbers) == 1 else numbers, option)


def picture(run: Path, model: Model, image: Path | None, say: Labels) -> tuple[Array, str]:
    """One picture at the network's size, and what it is called: a file's name, or "test picture 0 of mnist".

    A file of another size is fitted as at training, which a note says.
    Shapes: (H, W, C) uint8.
    Errors: DataError for a file that is no picture, or data that cannot be loaded; ConfigError without any data.
    """
    if image is not None:
        return _from_file(model, image, say), clip(image.name, FILE_NAME)
    from pellucid.cli.judge import held_out_data
    from pellucid.visualise.answers import class_label

    if find_folder(run) is None and not model.trained_on.get("data"):
        raise ConfigError(f"{run}: nothing says which data belong to it; name a picture with --image FILE")
    with WorkBar() as bar:
        dataset = held_out_data(run, model, None, bar)
    if not len(dataset.test):
        raise DataError(f"{run}: its data hold no test picture; name one with --image")
    first: Any = dataset.test.images[:1]
    truth = class_label(model, int(dataset.test.labels[0]))
    return first[0], say("test picture {index} of {data}, {answer!r}", index=0, data=dataset.name, answer=truth)


def _from_file(model: Model, image: Path, say: Labels) -> Array:
    from pellucid.datasets.pictures import probe, read_picture
    from pellucid.visualise.architecture.data import times

    fit = model.preprocessing
    height, width, channels = model.input_shape
    wanted = fit.size or (height, width)
    size = probe(image).size
    if size != wanted:
        fitted = "{file}: {size}, fitted to {wanted} ({fit}) as at training"
        note(say(fitted, file=image, size=times(size), wanted=times(wanted), fit=fit.resize))
    return read_picture(image, wanted, channels, fit.resize)
