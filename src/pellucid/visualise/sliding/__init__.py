"""A kernel on its way over a picture (`data`), as a moving picture (`figure`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pellucid import datasets
from pellucid.datasets.pictures import probe, read_picture
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import trained_note
from pellucid.visualise.architecture.data import times
from pellucid.visualise.registry import (
    Argument,
    Fps,
    Frames,
    ImageFile,
    LayerName,
    Option,
    Picture,
    Scale,
    Shown,
    Source,
)
from pellucid.visualise.sliding.data import kernel_network, slide
from pellucid.visualise.sliding.figure import FPS, slide_animation

EXAMPLES = """The first convolution of a run, over a test picture:
   pellucid show slide runs/simple-convnet-digits-001

An edge kernel over a photograph, large enough for a projector:
   pellucid show slide --kernel edge --image cat.jpg --scale 2

A pooling, at every second place, for 60 frames:
   pellucid show slide RUN --layer pool1 --every 2 --frames 60 --out pool.gif"""
SIDE = 48
"""The longer side of the picture that a kernel without a network slides over."""
LEAST_SIDE = 3
STANDARD = "edge"
TAKES = Argument("[RUN|MODEL]", "A run, a model file or a network's name; none for --kernel alone.", optional=True)

WORDS = {
    "input, {shape}": "입력, {shape}",
    "{count} channels added": "채널 {count}개의 합",
    "map of channel {index}, {size}": "채널 {index}의 맵, {size}",
    "black {low:.3g}, white {high:.3g}": "검정 {low:.3g}, 흰색 {high:.3g}",
    "place": "위치",
    "row {row}, column {column}": "{row}행 {column}열",
    "{file}: {size}, made smaller to {wanted}, so that single pixels can be seen": (
        "{file}: {size}, 픽셀 하나하나가 보이도록 {wanted} 크기로 줄임"
    ),
    "a digit": "숫자 하나",
}
"""Korean by English."""


@Picture("slide", EXAMPLES, takes=TAKES, moving=True, words=WORDS)
def show_slide(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    channel: Annotated[int | None, Option("--channel", "N", "Default: the one with the largest value.", 0)] = None,
    kernel: Annotated[
        str | None,
        Option("--kernel", "NAME", "edge, horizontal-edge, average or sharpen, without a run. Default: edge."),
    ] = None,
    frames: Frames = None,
    every: Annotated[int | None, Option("--every", "N", "Only every so many-th place of the map.", 1)] = None,
    fps: Fps = None,
    scale: Scale = 1.0,
) -> Shown:
    """Show a kernel sliding over a picture: the patch, the products, the sum, and the map growing, as a GIF."""
    file: str | Path = "slide"
    if not source.what:
        if layer is not None or channel is not None:
            raise ConfigError("--layer and --channel are of a network; name a run, or leave them out")
        model, pixels, name = _kernel_alone(kernel or STANDARD, image, source)
        file = Path(f"{kernel or STANDARD}-slide.gif")
    else:
        if kernel is not None:
            raise ConfigError(f"--kernel {kernel} is for a picture without a network; leave out {source.what}")
        model = source.model
        pixels, name = source.picture(image)
        name += trained_note(model, source.say)
    with source.working() as progress:
        way = slide(model, pixels, layer, channel, frames=frames, every=every, progress=progress)
    return Shown(lambda: slide_animation(way, title=name, fps=fps or FPS, lang=source.lang), file, scale=scale)


def _kernel_alone(kernel: str, image: Path | None, source: Source) -> tuple[Model, Array, str]:
    """A network of that kernel, and a picture for it: a file made small, or the first digit of the package."""
    pixels: Any
    if image is None:
        pixels, name = datasets.load("digits").test.images[:1][0], source.say("a digit")
    else:
        height, width = probe(image).size
        longer = max(height, width)
        size = (height, width)
        if longer > SIDE:
            size = max(LEAST_SIDE, round(height * SIDE / longer)), max(LEAST_SIDE, round(width * SIDE / longer))
            smaller = "{file}: {size}, made smaller to {wanted}, so that single pixels can be seen"
            source.note(source.say(smaller, file=image, size=times((height, width)), wanted=times(size)))
        pixels, name = read_picture(image, size, 1, "stretch"), image.name
    return kernel_network(kernel, pixels.shape), pixels, name
