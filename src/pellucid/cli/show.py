"""`pellucid summary` and `pellucid show curves | filters`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._text import say
from pellucid.cli import show_architecture, show_curves, show_features, show_judgement, show_looks, show_moving
from pellucid.cli.drawing import Drawn, Lang, Out, default_file, network, write
from pellucid.cli.output import JsonFlag, print_json
from pellucid.cli.run import find_folder, first_snapshot
from pellucid.errors import ConfigError, unknown_name
from pellucid.files.inside import Inside

if TYPE_CHECKING:
    from pellucid.model import Model

SUMMARY_EXAMPLES = (
    "Example:\n   pellucid summary simple-convnet\n   pellucid summary runs/simple-convnet-digits-001 --json"
)
FILTERS_EXAMPLES = (
    "The first convolution of a run, before and after training:\n"
    "   pellucid show filters runs/simple-convnet-digits-001\n\n"
    "Another layer, each filter on its own scale, as SVG:\n"
    "   pellucid show filters RUN --layer conv2 --scale each --out conv2.svg\n\n"
    "The strongest filters first, under their own numbers:\n"
    "   pellucid show filters RUN --sort norm"
)

app = typer.Typer(
    no_args_is_help=True,
    help="Draw what a network has learned.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
show_features.register(app)
show_looks.register(app)
show_judgement.register(app)
show_moving.register(app)


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


@app.command("filters", epilog=FILTERS_EXAMPLES)
def filters(
    run: Drawn,
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="NAME", help="Default: the first convolution.")
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", metavar="common|each", help="One scale for all, or each its own.")
    ] = "common",
    sort: Annotated[
        str | None,
        typer.Option("--sort", metavar="norm|similarity", help="The largest first, or alike ones side by side."),
    ] = None,
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw the kernels of a convolution; of a run, before and after training side by side."""
    write(draw_filters(run, layer, scale, sort, lang), out, default_file(Path(run), "filters"))


def draw_filters(
    run: str | Path | Inside, layer: str | None, scale: str, sort: str | None = None, lang: str | None = None
) -> Any:
    """The figure of one layer's kernels; `run` is a run folder, a model file, or the name of a network."""
    from pellucid.visualise import filters_figure
    from pellucid.visualise.answers import trained_note
    from pellucid.visualise.drawing.labels import Labels

    say = Labels(lang)
    model = network(run)
    kernels = _kernels(model)
    if not kernels:
        raise ConfigError(f"{run}: the network has no convolution, so there are no filters to draw")
    first = next(iter(kernels))
    name = layer or first
    if name not in kernels:
        raise unknown_name("convolution", name, kernels)
    folder = find_folder(run if isinstance(run, Inside) else Path(run)) if model.trained_on else None
    before = first_snapshot(folder) if folder and name == first else None  # snapshots keep the first one alone
    title = f"{name}{trained_note(model, say)}"
    return filters_figure(kernels[name], before=before, name=title, scale=scale, sort=sort, lang=lang)


def _kernels(model: Model) -> dict[str, Any]:
    """The kernels of all convolutions, by layer name, in order."""
    return {
        layer.name: layer.params["kernel"]
        for layer in model.layers
        if "kernel" in layer.params and layer.params["kernel"].ndim == 4
    }


show_architecture.register(app)
show_curves.register(app)
