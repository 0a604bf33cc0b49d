"""`pellucid show attribution | excite`: what a network looks at, and what its filters answer to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._language import language
from pellucid._progress import WorkBar
from pellucid.cli.drawing import (
    Drawn,
    ImageFile,
    Lang,
    LayerName,
    Out,
    default_file,
    network,
    picture,
    pixels_of,
    write,
)
from pellucid.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from pellucid.model import Model

ATTRIBUTION_EXAMPLES = (
    "Where the evidence for the three most probable classes lies (Grad-CAM):\n"
    "   pellucid show attribution runs/simple-convnet-mnist-001 --image seven.png\n\n"
    "What one class loses where a part of the picture is covered:\n"
    "   pellucid show attribution RUN --method occlusion --class cat"
)
EXCITE_EXAMPLES = (
    "Pictures made for the first channels of each layer, from edges to parts:\n"
    "   pellucid show excite runs/cifar-net-cifar10-001\n\n"
    "Those of the run's test pictures that excite one channel most:\n"
    "   pellucid show excite RUN --layer conv3 --found --channel 12"
)
FOUND_FOR_ONE = 24


def register(app: typer.Typer) -> None:
    """Put these commands beside the others that show."""
    app.command("attribution", epilog=ATTRIBUTION_EXAMPLES)(attribution)
    app.command("excite", epilog=EXCITE_EXAMPLES)(excite)


def attribution(
    run: Drawn,
    image: ImageFile = None,
    method: Annotated[
        str, typer.Option("--method", metavar="NAME", help="gradient, grad-cam or occlusion.")
    ] = "grad-cam",
    class_name: Annotated[
        str | None, typer.Option("--class", metavar="NAME", help="One class. Default: the three most probable ones.")
    ] = None,
    layer: LayerName = None,
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="N|ROWS,COLS", help="Of what occlusion covers. Default: a sixth of the sides."),
    ] = None,
    stride: Annotated[
        str | None,
        typer.Option("--stride", metavar="N|ROWS,COLS", help="From one cover to the next. Default: a quarter of it."),
    ] = None,
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw which parts of a picture the network's classes depend on.

    --layer is that of Grad-CAM; --size and --stride, in pixels, are those of occlusion.
    """
    from pellucid.visualise.attribution.figure import METHODS, attention_figure
    from pellucid.visualise.drawing.labels import Labels

    say = Labels(lang)
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if layer is not None and method != "grad-cam":
        raise ConfigError(f"--layer is for --method grad-cam; {method} asks about the whole network")
    if method != "occlusion" and (size or stride):
        raise ConfigError(f"--size and --stride are for --method occlusion; {method} covers nothing")
    covered, step = pixels_of(size, "--size"), pixels_of(stride, "--stride")
    model = network(run)
    wanted = None if class_name is None else _class_number(model, class_name)
    pixels, name = picture(Path(run), model, image, say)
    with WorkBar() as bar:
        figure = attention_figure(
            model,
            pixels,
            method=method,
            classes=wanted,
            layer=layer,
            size=covered,
            stride=step,
            name=name,
            lang=say.lang,
            progress=bar,
        )
    write(figure, out, default_file(Path(run), f"attribution-{method}"))


def excite(
    run: Drawn,
    layer: LayerName = None,
    found: Annotated[
        bool,
        typer.Option(
            "--found/--made", help="Search the pictures the run held out, or make pictures by gradient ascent."
        ),
    ] = False,
    channel: Annotated[
        int | None, typer.Option("--channel", metavar="N", min=0, help="One channel of --layer, in more pictures.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The noise that --made starts from.")] = 0,
    data: Annotated[
        str | None, typer.Option("--data", metavar="NAME|FOLDER", help="What --found searches instead.")
    ] = None,
    lang: Lang = None,
    out: Out = None,
) -> None:
    """Draw the pictures that excite channels most: of all layers by depth, or of one layer."""
    from pellucid.cli.judge import held_out_data
    from pellucid.visualise import depth_figure, found_figure, made_figure, top_pictures
    from pellucid.visualise.excitation.figure import ACROSS, count_channels

    language(lang)
    if channel is not None and layer is None:
        raise ConfigError(f"--channel {channel}: say of which layer, with --layer")
    if data is not None and not found:
        raise ConfigError(f"--data {data} is what --found searches; add --found")
    model = network(run)
    with WorkBar() as bar:
        images = held_out_data(Path(run), model, data, bar).test.images if found else None
        if layer is None:
            figure = depth_figure(model, images=images, seed=seed, lang=lang, progress=bar)
        elif images is None:
            figure = made_figure(model, layer, channel, seed=seed, lang=lang, progress=bar)
        else:
            picks = range(min(ACROSS, count_channels(model, layer))) if channel is None else [channel]
            most = min(ACROSS if channel is None else FOUND_FOR_ONE, len(images))
            strongest = top_pictures(model, images, layer, most, channels=list(picks), progress=bar)
            figure = found_figure(model, strongest, images, lang=lang)
    which = "" if layer is None else f"-{layer}" + ("" if channel is None else f"-{channel}")
    write(figure, out, default_file(Path(run), f"{'found' if found else 'made'}{which}"))


def _class_number(model: Model, name: str) -> int:
    names = model.class_names or tuple(str(index) for index in range(max(model.output_shape[0], 2)))
    if name not in names:
        raise unknown_name("class", name, names)
    return names.index(name)
