"""What the commands that draw share: --lang, the network that is named, and where a figure goes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._progress import WorkBar, working
from pellucid._text import say
from pellucid.cli.output import write_to_output
from pellucid.files.inside import Inside, Place
from pellucid.runs.folder import find_model, place_to_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pellucid.model import Model
    from pellucid.visualise import Animation

STANDARD_OUTPUT = "-"

Lang = Annotated[str | None, typer.Option("--lang", metavar="en|ko", help="Of the words. Default: that of the locale.")]


def write(figure: Figure, out: Path | None, default: Place) -> None:
    """Write a figure to `out`, or else to `default`, and say where; `-` is a PNG on standard output and no words."""
    from pellucid.visualise import write_figure
    from pellucid.visualise.drawing.figure import figure_bytes

    if _is_standard_output(out):
        with working("drawing"):
            png = figure_bytes(figure, "png")
        write_to_output(png)
        return
    target = place_to_write(out or default)
    with working(f"drawing {target}"):
        write_figure(figure, target)
    say(str(target))


def write_moving(moving: Animation, out: Path | None, default: Place, scale: float) -> None:
    """The same of a moving picture, which is a GIF."""
    from pellucid.visualise.drawing.animation import save_gif, write_gif

    if _is_standard_output(out):
        drawn = io.BytesIO()
        with WorkBar() as bar:
            save_gif(moving, drawn, scale=scale, progress=bar)
        write_to_output(drawn.getvalue())
        return
    target = place_to_write(out or default)
    with WorkBar() as bar:
        write_gif(moving, target, scale=scale, progress=bar)
    say(str(target))


def _is_standard_output(out: Path | None) -> bool:
    return out is not None and str(out) == STANDARD_OUTPUT


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
