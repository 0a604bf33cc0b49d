"""`pellucid show features | arithmetic | histograms`: what a network makes of pictures, down to single numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar
from pellucid.cli.drawing import Data, Drawn, ImageFile, Lang, LayerName, Out, default_file, network, picture, write
from pellucid.cli.output import note, print_json
from pellucid.cli.progress import working
from pellucid.cli.run import SNAPSHOTS, find_folder, title_of
from pellucid.errors import ConfigError

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.model.tracing import Trace
    from pellucid.visualise.dissection.data import Dissection
    from pellucid.visualise.drawing.labels import Labels

FEATURES_EXAMPLES = (
    "A test picture of the run's data, through all layers:\n"
    "   pellucid show features runs/simple-convnet-digits-001\n\n"
    "A photograph through VGG-16 as it is before training:\n"
    "   pellucid show features vgg16 --image cat.jpg --out vgg.png\n\n"
    "A photograph, one layer, as SVG:\n"
    "   pellucid show features RUN --image cat.jpg --layer conv2 --out conv2.svg"
)
ARITHMETIC_EXAMPLES = (
    "The largest number of the first convolution:\n   pellucid show arithmetic runs/simple-convnet-digits-001\n\n"
    "Row 3, column 4 of channel 7, and the same as data:\n"
    "   pellucid show arithmetic RUN --image 7.png --layer conv1 --at 3,4,7\n"
    "   pellucid show arithmetic RUN --layer conv1 --at 3,4,7 --json"
)
HISTOGRAMS_EXAMPLES = (
    "What each layer gives for test pictures, with dead and saturated units:\n"
    "   pellucid show histograms runs/simple-convnet-digits-001\n\n"
    "The weights of one layer, from before the first epoch to the last:\n"
    "   pellucid show histograms RUN --kind weights --layer conv1 --over-time"
)
PICTURES = 100
"""Test pictures that a histogram counts over."""
TRACE_BYTES = 512 * 2**20
"""What the outputs of a trace may take; of large networks fewer pictures are counted."""

Scale = Annotated[str, typer.Option("--scale", metavar="each|common", help="Each channel its own, or one for a layer.")]


def register(app: typer.Typer) -> None:
    """Put the commands of this file on `show`."""
    app.command("features", epilog=FEATURES_EXAMPLES)(features)
    app.command("arithmetic", epilog=ARITHMETIC_EXAMPLES)(arithmetic)
    app.command("histograms", epilog=HISTOGRAMS_EXAMPLES)(histograms)


def features(
    run: Drawn,
    image: ImageFile = None,
    layer: LayerName = None,
    channels: Annotated[int, typer.Option(metavar="N", min=1, help="Channels drawn of each layer at most.")] = 16,
    scale: Scale = "each",
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw a picture on its way through the network; the channel that matters most for the answer is framed."""
    from pellucid.visualise import features_figure
    from pellucid.visualise.drawing.labels import Labels

    say = Labels(lang)
    model = network(run)
    pixels, name = picture(Path(run), model, image, say)
    layers = None if layer is None else [layer]
    with working("following the picture"):
        figure = features_figure(model, pixels, layers, channels=channels, scale=scale, title=name, lang=lang)
    write(figure, out, default_file(Path(run), "features"))


def arithmetic(
    run: Drawn,
    image: ImageFile = None,
    layer: LayerName = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="ROW,COL,CHANNEL", help="Which number, or UNIT alone. Default: the largest."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print its parts as JSON instead of drawing them.")] = False,
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Show how one number of a layer comes about: the patch, the kernel, the products, the sum."""
    from pellucid.visualise import dissect, draw_dissection
    from pellucid.visualise.drawing.labels import Labels

    say = Labels(lang)
    position = None if at is None else _position(at)
    model = network(run)
    pixels, name = picture(Path(run), model, image, say)
    with working("following the picture"):
        found = dissect(model, pixels, layer, position)
    if as_json:
        print_json(as_data(found))
        return
    trained = "" if model.trained_on else say(" (not trained)")
    figure = draw_dissection(found, title=f"{name}, {model.name}{trained}", lang=lang)
    write(figure, out, default_file(Path(run), "arithmetic"))


def histograms(
    run: Drawn,
    kind: Annotated[
        str, typer.Option("--kind", metavar="activations|weights|gradients", help="Which numbers.")
    ] = "activations",
    layer: LayerName = None,
    data: Data = None,
    over_time: Annotated[bool, typer.Option("--over-time", help="Each epoch as a ridge, from the snapshots.")] = False,
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw how the numbers of each layer are spread; dead and saturated units are counted."""
    from pellucid.visualise import histograms_figure, layer_histograms, read_snapshots, ridges_figure, unit_states
    from pellucid.visualise.drawing.labels import Labels
    from pellucid.visualise.features.data import drawn_layers

    say = Labels(lang)
    layers = None if layer is None else [layer]
    default = default_file(Path(run), "ridges" if over_time else "histograms")
    if over_time:
        folder = find_folder(Path(run))
        if folder is None:
            raise ConfigError(f"{run}: --over-time needs a run folder, with its snapshots; this is a model file alone")
        if kind == "activations" and layers is None:
            layers = list(drawn_layers(network(run).layers))
        with working(f"reading {folder / SNAPSHOTS}"):
            figure = ridges_figure(
                read_snapshots(folder / SNAPSHOTS), kind, layers, title=title_of(folder, lang), lang=lang
            )
        write(figure, out, default)
        return
    model = network(run)
    trained = "" if model.trained_on else say(" (not trained)")
    seen, told = _traced(Path(run), model, kind, data, say)
    if kind == "activations" and layers is None:
        layers = list(drawn_layers(model.layers))  # Flatten and Dropout would show the same again
    title = f"{model.name}{trained}{told}"
    with working("counting"):
        states = unit_states(seen) if kind == "activations" else None
        figure = histograms_figure(layer_histograms(seen, kind, layers), states, kind=kind, title=title, lang=lang)
    write(figure, out, default)


def as_data(found: Dissection) -> dict[str, Any]:
    """A dissection as JSON has it; numbers that are not finite are null."""
    return {
        "layer": found.layer,
        "detail": found.detail,
        "kind": found.kind,
        "position": list(found.position),
        "output_shape": list(found.output_shape),
        "rows": list(found.rows),
        "columns": list(found.columns),
        "channels": list(found.channels),
        "patch": _lists(found.patch),
        "kernel": _lists(found.kernel),
        "products": _lists(found.products),
        "sum": found.total,
        "bias": found.bias,
        "before": found.before,
        "activation": found.activation,
        "result": found.result,
        "computed": found.computed,
        "equation": found.equation,
    }


def _lists(values: Any) -> Any:
    if values is None:
        return None
    if getattr(values, "ndim", 0):
        return [_lists(value) for value in values]
    return float(values) if abs(float(values)) < float("inf") else None


def _position(at: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in at.split(","))
    except ValueError:
        raise ConfigError(f"--at takes whole numbers, ROW,COL,CHANNEL or UNIT, got {at!r}") from None


def _traced(run: Path, model: Model, kind: str, data: str | None, say: Labels) -> tuple[Trace, str]:
    """A trace over test pictures, and how many in words; for weights alone, over one empty picture."""
    import math

    import numpy as np

    from pellucid.cli.judge import held_out_data
    from pellucid.model.tracing import trace

    if kind == "weights":
        return trace(model, np.zeros((1, *model.input_shape), np.float32)), ""
    with WorkBar() as bar:
        test = held_out_data(run, model, data, bar).test
        shapes = [model.input_shape, *(visit.output_shape for visit in model.graph.walk())]
        numbers = sum(map(math.prod, shapes))
        count = min(PICTURES, len(test), max(1, TRACE_BYTES // (4 * numbers)))
    if count < min(PICTURES, len(test)):
        note(say("{count} test pictures are counted: more would not fit into memory", count=count))
    labels = test.labels[:count] if kind == "gradients" else None
    with working(f"following {count} test pictures"):
        return trace(model, test.images[:count], labels), say(", {count} test pictures", count=count)
