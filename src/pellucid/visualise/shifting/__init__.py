"""A picture moved step by step through a network (`data`), as a moving picture (`figure`)."""

from __future__ import annotations

from typing import Annotated

from pellucid.visualise.registry import Fps, Frames, ImageFile, LayerName, Option, Picture, Scale, Shown, Source
from pellucid.visualise.shifting.data import default_maps, shift, shift_path
from pellucid.visualise.shifting.figure import FPS, shift_animation
from pellucid.visualise.sliding.data import FRAMES

EXAMPLES = """A digit that moves by up to 4 pixels, the maps behind the last pooling, and the answer:
   pellucid show shift runs/simple-convnet-mnist-001

A photograph, two pixels at a time, and the maps of the first convolution:
   pellucid show shift RUN --image cat.jpg --layer conv1 --every 2"""
FAR = 7
"""The picture moves by this part of its shorter side."""
LEGS = 8
"""There and back in four directions."""

WORDS = {
    "{name}: {count} maps of {size}": "{name}: {size} 맵 {count}개",
    ", {drawn} of them": ", 그중 {drawn}개",
    "answer": "답",
    "where it was": "제자리",
    "changed by {share}": "{share} 변함",
    "says {answer!r}, {share}": "답 {answer!r}, {share}",
    "moved {way}": "{way} 옮김",
    "up by {pixels}": "위로 {pixels}",
    "down by {pixels}": "아래로 {pixels}",
    "left by {pixels}": "왼쪽으로 {pixels}",
    "right by {pixels}": "오른쪽으로 {pixels}",
    "1 pixel": "1픽셀",
    "{count} pixels": "{count}픽셀",
}
"""Korean by English."""


@Picture("shift", EXAMPLES, moving=True, words=WORDS)
def show_shift(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    pixels: Annotated[
        int | None, Option("--pixels", "N", "How far at most. Default: a seventh of the shorter side.", 1)
    ] = None,
    channels: Annotated[int, Option("--channels", "N", "Maps drawn at most.", 1)] = 16,
    frames: Frames = None,
    every: Annotated[
        int | None, Option("--every", "N", "Pixels from a frame to the next. Default: as --frames allow.", 1)
    ] = None,
    fps: Fps = None,
    scale: Scale = 1.0,
) -> Shown:
    """Show a picture moving by pixels, the maps of a layer and the answer beside it, as a GIF.

    --layer: whose maps; by default the last that has any, mostly behind the last pooling.
    """
    model = source.model
    still, name = source.picture(image)
    shown = layer or default_maps(model)
    far, most = pixels or max(1, min(still.shape[:2]) // FAR), frames or FRAMES
    path = shift_path(far, every or -(-LEGS * far // most))[:most]
    with source.working() as progress:
        moving = shift(model, still, shown, offsets=path, channels=channels, progress=progress)
    return Shown(
        lambda: shift_animation(model, moving, shown, title=name, fps=fps or FPS, lang=source.lang),
        "shift",
        scale=scale,
    )
