"""What the commands that draw share: --lang, the network that is named, and where a figure goes."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._progress import WorkBar, working
from pellucid._text import say
from pellucid.cli.output import note, write_to_output
from pellucid.errors import ConfigError
from pellucid.files.inside import Inside, Place
from pellucid.runs.folder import find_model, is_network, place_to_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pellucid.model import Model
    from pellucid.visualise import Animation

STANDARD_OUTPUT = "-"
NO_WEIGHTS = "none"
"""A network by name as it is before training."""

Lang = Annotated[str | None, typer.Option("--lang", metavar="en|ko", help="Of the words. Default: that of the locale.")]


def write(drawn: Figure | Animation, out: Path | None, default: Place, scale: float = 1.0) -> None:
    """Write a figure, or a moving picture as a GIF, to `out`, or else to `default`, and say where.

    `-` is a PNG, or the GIF, on standard output and no words. scale: of a moving picture.
    """
    from pellucid.visualise import Animation, write_figure, write_gif
    from pellucid.visualise.drawing.animation import save_gif
    from pellucid.visualise.drawing.figure import figure_bytes

    if out is not None and str(out) == STANDARD_OUTPUT:
        file = io.BytesIO()
        with WorkBar() as bar:
            if isinstance(drawn, Animation):
                save_gif(drawn, file, scale=scale, progress=bar)
            else:
                bar.busy("drawing")
                file.write(figure_bytes(drawn, "png"))
        write_to_output(file.getvalue())
        return
    target = place_to_write(out or default)
    with WorkBar() as bar:
        if isinstance(drawn, Animation):
            write_gif(drawn, target, scale=scale, progress=bar)
        else:
            bar.busy(f"drawing {target}")
            write_figure(drawn, target)
    say(str(target))


def default_file(run: Path, what: str, ending: str = ".png") -> Place:
    """Where a picture of a run goes if nobody says: into its folder, or beside a model file under that one's name."""
    name = f"{what}{ending}"
    return Inside(run) / name if os.path.isdir(run) else Path(f"{run.stem}-{name}")


def network(run: str | Path | Inside, weights: str | None = NO_WEIGHTS) -> Model:
    """What RUN|MODEL names: a run's best epoch, a model file, or a network of the zoo.

    weights: of the last, "none", "imagenet", or a file's name; None for the published ones where they are on this
    machine, and else none, which a note says.
    Errors: CheckpointError for a path that is neither; ConfigError for an unknown network, which lists those there
    are, and for weights of something else; as `zoo.pretrained.fill` for weights that cannot be had.
    """
    from pellucid import zoo
    from pellucid.convert import load
    from pellucid.zoo.pretrained import IMAGENET, here

    path = Path(run) if isinstance(run, str) else run
    if not isinstance(run, str) or (not is_network(run) and (os.path.lexists(run) or path.suffix or path.name != run)):
        if weights not in (None, NO_WEIGHTS):
            raise ConfigError(f"--weights {weights}: is for a network by name; {run} has its own")
        with working(f"reading {path}"):
            return load(find_model(path))
    if weights is None:
        found = here(zoo.standard_name(run))
        if found is False:
            note(f"{run} is drawn before training: its published weights are not here; --weights imagenet fetches them")
        weights = IMAGENET if found else NO_WEIGHTS
    with working(f"making {run}"):
        return zoo.build(run, weights=None if weights == NO_WEIGHTS else weights)
