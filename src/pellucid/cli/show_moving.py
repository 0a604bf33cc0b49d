"""`pellucid show slide | shift`: moving pictures for a lecture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar
from pellucid._text import say
from pellucid.cli.drawing import STANDARD_OUTPUT, Drawn, ImageFile, Lang, LayerName, default_file, network, picture
from pellucid.cli.output import note, write_to_output
from pellucid.cli.run import place_to_write
from pellucid.errors import ConfigError
from pellucid.files.inside import Place

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.ops import Array
    from pellucid.visualise.drawing.animation import Animation
    from pellucid.visualise.drawing.labels import Labels

SLIDE_EXAMPLES = (
    "The first convolution of a run, over a test picture:\n   pellucid show slide runs/simple-convnet-digits-001\n\n"
    "An edge kernel over a photograph, large enough for a projector:\n"
    "   pellucid show slide --kernel edge --image cat.jpg --scale 2\n\n"
    "A pooling, at every second place, for 60 frames:\n"
    "   pellucid show slide RUN --layer pool1 --every 2 --frames 60 --out pool.gif"
)
SHIFT_EXAMPLES = (
    "A digit that moves by up to 4 pixels, the maps behind the last pooling, and the answer:\n"
    "   pellucid show shift runs/simple-convnet-mnist-001\n\n"
    "A photograph, two pixels at a time, and the maps of the first convolution:\n"
    "   pellucid show shift RUN --image cat.jpg --layer conv1 --every 2"
)
SIDE = 48
"""The longer side of the picture that a kernel without a network slides over."""

Frames = Annotated[
    int | None, typer.Option("--frames", metavar="N", min=1, max=600, help="At most so many frames. Default: 100.")
]
Size = Annotated[
    float, typer.Option("--scale", metavar="X", min=0.25, max=4, help="How much larger: 2 for a projector.")
]
Fps = Annotated[float | None, typer.Option("--fps", metavar="X", min=0.1, max=50, help="Frames a second.")]
Gif = Annotated[Path | None, typer.Option("--out", metavar="FILE.gif", help="Where to; - writes to standard output.")]


def register(app: typer.Typer) -> None:
    """Put these commands beside the others that show."""
    app.command("slide", epilog=SLIDE_EXAMPLES)(slide)
    app.command("shift", epilog=SHIFT_EXAMPLES)(shift)


def slide(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN|MODEL]", help="A run, a model file or a network's name; none for --kernel alone."),
    ] = None,
    image: ImageFile = None,
    layer: LayerName = None,
    channel: Annotated[
        int | None, typer.Option("--channel", metavar="N", min=0, help="Default: the one with the largest value.")
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option(
            "--kernel", metavar="NAME", help="edge, horizontal-edge, average or sharpen, without a run. Default: edge."
        ),
    ] = None,
    frames: Frames = None,
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", min=1, help="Only every so many-th place of the map.")
    ] = None,
    fps: Fps = None,
    scale: Size = 1.0,
    lang: Lang = None,
    out: Gif = None,
) -> None:
    """Show a kernel sliding over a picture: the patch, the products, the sum, and the map growing, as a GIF."""
    from pellucid.visualise import slide as slide_over
    from pellucid.visualise import slide_animation
    from pellucid.visualise.answers import trained_note
    from pellucid.visualise.drawing.labels import Labels
    from pellucid.visualise.sliding.figure import FPS

    say = Labels(lang)
    if run is None:
        if layer is not None or channel is not None:
            raise ConfigError("--layer and --channel are of a network; name a run, or leave them out")
        model, pixels, name = _kernel_alone(kernel or "edge", image, say)
        default: Place = Path(f"{kernel or 'edge'}-slide.gif")
    else:
        if kernel is not None:
            raise ConfigError(f"--kernel {kernel} is for a picture without a network; leave out {run}")
        model = network(run)
        pixels, name = picture(Path(run), model, image, say)
        name += trained_note(model, say)
        default = default_file(Path(run), "slide", ".gif")
    with WorkBar() as bar:
        way = slide_over(model, pixels, layer, channel, frames=frames, every=every, progress=bar)
    write_moving(slide_animation(way, title=name, fps=fps or FPS, lang=lang), out, default, scale)


def shift(
    run: Drawn,
    image: ImageFile = None,
    layer: LayerName = None,
    pixels: Annotated[
        int | None,
        typer.Option("--pixels", metavar="N", min=1, help="How far at most. Default: a seventh of the shorter side."),
    ] = None,
    channels: Annotated[int, typer.Option("--channels", metavar="N", min=1, help="Maps drawn at most.")] = 16,
    frames: Frames = None,
    every: Annotated[
        int | None,
        typer.Option(
            "--every", metavar="N", min=1, help="Pixels from a frame to the next. Default: as --frames allow."
        ),
    ] = None,
    fps: Fps = None,
    scale: Size = 1.0,
    lang: Lang = None,
    out: Gif = None,
) -> None:
    """Show a picture moving by pixels, the maps of a layer and the answer beside it, as a GIF.

    --layer: whose maps; by default the last that has any, mostly behind the last pooling.
    """
    from pellucid.visualise import shift as shift_over
    from pellucid.visualise import shift_animation, shift_path
    from pellucid.visualise.drawing.labels import Labels
    from pellucid.visualise.shifting.data import default_maps
    from pellucid.visualise.shifting.figure import FPS
    from pellucid.visualise.sliding.data import FRAMES

    say = Labels(lang)
    model = network(run)
    still, name = picture(Path(run), model, image, say)
    shown = layer or default_maps(model)
    far, most = pixels or max(1, min(still.shape[:2]) // 7), frames or FRAMES
    path = shift_path(far, every or -(-8 * far // most))[:most]  # there and back in four directions
    with WorkBar() as bar:
        moving = shift_over(model, still, shown, offsets=path, channels=channels, progress=bar)
    drawn = shift_animation(model, moving, shown, title=name, fps=fps or FPS, lang=lang)
    write_moving(drawn, out, default_file(Path(run), "shift", ".gif"), scale)


def write_moving(moving: Animation, out: Path | None, default: Place, scale: float) -> None:
    """Write a moving picture to `out`, or else to `default`, and say where; `-` is a GIF on standard output."""
    import io

    from pellucid.visualise.drawing.animation import save_gif, write_gif

    if out is not None and str(out) == STANDARD_OUTPUT:
        drawn = io.BytesIO()
        with WorkBar() as bar:
            save_gif(moving, drawn, scale=scale, progress=bar)
        write_to_output(drawn.getvalue())
        return
    target = place_to_write(out or default)
    with WorkBar() as bar:
        write_gif(moving, target, scale=scale, progress=bar)
    say(str(target))


def _kernel_alone(kernel: str, image: Path | None, say: Labels) -> tuple[Model, Array, str]:
    """A network of that kernel, and a picture for it: a file made small, or the first digit of the package."""
    from pellucid import datasets
    from pellucid.datasets.pictures import probe, read_picture
    from pellucid.visualise.architecture.data import times
    from pellucid.visualise.sliding.data import kernel_network

    pixels: Any
    if image is None:
        pixels, name = datasets.load("digits").test.images[:1][0], say("a digit")
    else:
        height, width = probe(image).size
        longer = max(height, width)
        size = (max(3, round(height * SIDE / longer)), max(3, round(width * SIDE / longer)))
        size = (height, width) if longer <= SIDE else size
        if size != (height, width):
            smaller = "{file}: {size}, made smaller to {wanted}, so that single pixels can be seen"
            note(say(smaller, file=image, size=times((height, width)), wanted=times(size)))
        pixels, name = read_picture(image, size, 1, "stretch"), image.name
    return kernel_network(kernel, pixels.shape), pixels, name
