"""A kernel sliding over a picture, drawn: the picture, patch, kernel and products, and the map that grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import datasets
from pellucid.datasets.pictures import probe
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import trained_note
from pellucid.visualise.architecture.data import times
from pellucid.visualise.drawing.animation import Animation
from pellucid.visualise.drawing.figure import INK, PALE, grey, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import bare, frame
from pellucid.visualise.registry import (
    NETWORK,
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
from pellucid.visualise.sliding.data import Slide, kernel_network, slide

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

WRITTEN = 5
"""Windows up to this size have their numbers written in."""
FPS = 6.0
PICTURE, GAP = 2.6, 0.35
"""Widths of the outer panels, and what lies between panels, in inches."""
TIMES = "\N{MULTIPLICATION SIGN}"

Range = tuple[float, float]
"""What is drawn black, and what white."""


class Matrix:
    """A panel of numbers in grey, or of colours; `show` puts others in their place."""

    def __init__(self, ax: Axes, values: Array, title: str, span: Range, *, written: bool = False) -> None:
        self.span = span
        self.image = ax.imshow(self._pixels(values), cmap=grey(), vmin=span[0], vmax=span[1], interpolation="nearest")
        ax.set_title(title, fontsize=10, color=INK)
        bare(ax)
        fits = written and values.ndim == 2 and max(values.shape) <= WRITTEN
        self.texts = {
            (row, column): ax.text(column, row, "", ha="center", va="center", fontsize=9)
            for row, column in (np.ndindex(*values.shape) if fits else ())
        }
        self.show(values)

    @property
    def artists(self) -> list[Artist]:
        """What `show` changes, and the lines around it."""
        return [self.image, *self.image.axes.spines.values(), *self.texts.values()]

    def show(self, values: Array) -> None:
        """Draw other numbers."""
        self.image.set_data(self._pixels(values))
        low, high = self.span
        for place, text in self.texts.items():
            value = float(values[place])
            bright = not np.isfinite(value) or (value - low) / (high - low) > 0.5
            text.set(text=_written(value, max(-low, high)), color="black" if bright else "white")

    def _pixels(self, values: Array) -> Any:
        if values.ndim == 3:
            low, high = self.span
            return np.clip((values - low) / (high - low), 0, 1)
        return np.ma.masked_invalid(values)


def slide_animation(slide: Slide, *, title: str = "", fps: float = FPS, lang: str | None = None) -> Animation:
    """A sliding window as a moving picture.

    One and three channels are drawn as grey and colour pictures; of more, the one that has most to say is drawn,
    and the products are those of all of them, added up. lang: of the labels, "en" or "ko"; None for the locale's.
    """
    say, first, shown = Labels(lang), slide[0], _shown_channel(slide)
    width = first.patch.shape[1]
    middle = ["patch"] if slide.kernel is None else ["patch", "kernel", "products"]
    wide = float(np.clip(0.42 * width, 1.3, 2.3))
    tall = max(PICTURE * min(slide.input.shape[0] / slide.input.shape[1], 1.3), wide * first.patch.shape[0] / width)
    figure = new_figure(2 * PICTURE + len(middle) * wide + (1 + len(middle)) * GAP, tall + 1.35)
    axes = figure.subplots(1, 2 + len(middle), width_ratios=[PICTURE, *[wide] * len(middle), PICTURE])
    figure.get_layout_engine().set(w_pad=0.1)  # type: ignore[union-attr, call-arg]
    which = ",\n" + say("channel {index}", index=slide.channels[shown]) if len(slide.channels) not in (1, 3) else ""
    source = _drawn(slide.input, shown)
    span = _range(source)
    shape = "x".join(map(str, (*slide.input.shape[:2], len(slide.channels))))
    before = Matrix(axes[0], source, say("input, {shape}", shape=shape) + which, span)
    _make_room(axes[0], slide)
    patch = Matrix(axes[1], _drawn(first.patch, shown), say("patch") + which, span, written=True)
    products = None
    if slide.kernel is not None and first.products is not None:
        Matrix(
            axes[2], _drawn(slide.kernel, shown), f"{TIMES} {say('kernel')}{which}", _even(slide.kernel), written=True
        )
        largest = np.array([frame.products for frame in slide])
        added = ",\n" + say("{count} channels added", count=len(slide.channels)) if len(slide.channels) > 1 else ""
        products = Matrix(axes[3], first.products, f"= {say('products')}{added}", _even(largest), written=True)
    size = "x".join(map(str, slide.map.shape))
    after = Matrix(
        axes[-1],
        slide.grown(0),
        say("map of channel {index}, {size}", index=slide.channel, size=size),
        _range(slide.map),
    )
    for ax, ends in ((axes[0], span), (axes[-1], after.span)):
        ax.set_xlabel(say("black {low:.3g}, white {high:.3g}", low=ends[0], high=ends[1]), fontsize=8, color=INK)
    window, place, picked = (frame(ax, 0, 0, 0, 0) for ax in (axes[0], axes[-1], axes[1]))
    figure.suptitle(f"{f'{title}: ' if title else ''}{slide.layer}, {say.layer(slide.detail)}", fontsize=11, color=INK)
    words = figure.supxlabel(say("place"), fontsize=11, color=INK)

    def draw(index: int) -> None:
        shot = slide[index]
        patch.show(_drawn(shot.patch, shown))
        if products is not None and shot.products is not None:
            products.show(shot.products)
        after.show(slide.grown(index))
        rows, columns = shot.rows, shot.columns
        window.set_bounds(columns[0] - 0.5, rows[0] - 0.5, columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1)
        place.set_bounds(shot.place[1] - 0.5, shot.place[0] - 0.5, 1, 1)
        if shot.picked is not None:
            picked.set_bounds(shot.picked[1] - 0.5, shot.picked[0] - 0.5, 1, 1)
        words.set_text(
            f"{say('row {row}, column {column}', row=shot.place[0], column=shot.place[1])}:  {shot.in_words(say)}"
        )

    panels = [before, patch, after] if products is None else [before, patch, products, after]
    moving = [artist for panel in panels for artist in panel.artists]
    return Animation(figure, draw, len(slide), fps, [*moving, window, place, picked, words])


def _drawn(values: Array, shown: int) -> Array:
    """Three channels as they are, else the one shown. Shapes: (H,W,C') -> (H,W,3) or (H,W)."""
    return values if values.shape[2] == 3 else values[:, :, shown]


def _shown_channel(slide: Slide) -> int:
    """The place in `channels` of the one that has most to say: large weights, and an input that is not 0."""
    if slide.kernel is None:
        return 0
    return int((np.abs(slide.kernel).sum(axis=(0, 1)) * np.abs(slide.input).sum(axis=(0, 1))).argmax())


def _range(values: Array) -> Range:
    """From the least value, but at least from 0, to the largest."""
    finite = values[np.isfinite(values)]
    low, high = min(0.0, float(finite.min(initial=0.0))), float(finite.max(initial=0.0))
    return low, high if high > low else low + 1.0


def _even(values: Array) -> Range:
    """As far below 0 as above it, which is mid-grey."""
    limit = float(np.abs(np.nan_to_num(values)).max()) or 1.0
    return -limit, limit


def _make_room(ax: Axes, slide: Slide) -> None:
    """Widen the input's panel by the padding that windows reach into, hatched: nothing of the picture stands there."""
    tall, wide = slide.input.shape[:2]
    rows = [0, tall - 1, *(row for frame in slide for row in frame.rows)]
    columns = [0, wide - 1, *(column for frame in slide for column in frame.columns)]
    ax.set_ylim(max(rows) + 0.5, min(rows) - 0.5)
    ax.set_xlim(min(columns) - 0.5, max(columns) + 0.5)
    ax.patch.set(hatch="////", edgecolor=PALE, linewidth=0)


def _written(value: float, limit: float) -> str:
    """A cell's number, as short as its panel allows; nothing for what is none."""
    if not np.isfinite(value):
        return ""
    if limit >= 1000 or limit < 0.01:
        return f"{value:.0e}"
    text = f"{value:.0f}" if limit >= 100 else f"{value:.1f}" if limit >= 10 else f"{value:.2f}"
    return "0" if float(text) == 0 else text


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
TAKES = replace(
    NETWORK,
    metavar="[RUN|MODEL]",
    help="A run, a model file or a network's name; none for --kernel alone.",
    optional=True,
)

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
        pixels, name = source.read(image, size, 1, "stretch"), image.name
    return kernel_network(kernel, pixels.shape), pixels, name
