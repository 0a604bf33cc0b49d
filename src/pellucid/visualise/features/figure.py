"""A picture through a network as one figure: the picture, a block for each layer, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid._numbers import number, percent
from pellucid._text import clip
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.visualise.answers import class_names
from pellucid.visualise.depth import few_note
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, grey, new_figure
from pellucid.visualise.drawing.labels import ENGLISH, Labels
from pellucid.visualise.drawing.panels import bare, draw_bars, draw_units, draw_values, frame, without_spines
from pellucid.visualise.features.data import Features, LayerFeatures, feature_grid, feature_maps, grid_columns, signed
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BARS = 128
"""More units than this are drawn as an image, in rows."""
NAME = 24
"""Columns of a class in the title."""
CLASSES = 10
"""Of more classes, the most probable are drawn."""
SMALL = 20
"""Where no probability is above so many percent, the axis ends at the largest instead of at 100."""
WRITTEN = 8
"""Maps in a row at most whose one value is written into them."""
CELL_LETTERS = 6
"""Of such a value in full size, four maps in a row."""
BLOCK = 2.15
MAPS_TOLD = (
    "Maps: {scale}; black is 0, or mid-grey is 0 where there are negative values. Left of a row: its first channel."
)
FRAMED_TOLD = "Framed: what adds most to the score of {answer!r}, by the mean over its places of (d score / d y) · y."
BLOCK_LETTERS = 26
"""Columns that fit over a block."""
SHARP = 330
"""Pixels across which a block is drawn at the figure's own size."""


def features_figure(
    model: Model,
    picture: Any,
    layers: Sequence[str] | None = None,
    *,
    channels: int = 16,
    scale: str = "each",
    columns: int | None = None,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """A picture through a network, layer by layer, the channel that matters most for the answer framed.

    channels: drawn of each layer at most; the one that matters most is always among them. scale: "each" channel its
    own, or one "common" to a layer. columns: blocks in a row. lang: of the labels, "en" or "ko"; None for the locale's.
    Shapes: picture (H, W, C), or (H, W), uint8 or float.
    Errors: as `feature_maps` and `feature_grid`; ConfigError for channels or columns below 1.
    """
    say = Labels(lang)
    channels, columns = whole(channels, "channels"), None if columns is None else whole(columns, "columns")
    seen = feature_maps(model, picture, layers)
    names = class_names(model, 0 if seen.answer is None else seen.answer.size)
    blocks, few = list(seen.layers), few_note(model, say) if layers is None else ""
    if seen.answer is not None and blocks and layers is None and blocks[-1].name == model.flat_layers[-1].name:
        blocks.pop()  # the answer has a panel of its own
    across = min(columns or _columns(len(blocks)), max(1, len(blocks)))
    down = max(1, -(-len(blocks) // across))
    figure = new_figure(BLOCK * across + 2.5, max(BLOCK * 1.17 * down, 4.2) + 1.0)
    body = figure.add_gridspec(1, 2, width_ratios=[2.5, BLOCK * across])
    left = body[0].subgridspec(2, 1, height_ratios=[1, 1.15 if down < 4 else 2.2])
    _draw_picture(figure.add_subplot(left[0]), seen, np.asarray(picture).shape, say)
    if seen.answer is not None:
        bars = figure.add_subplot(left[1])
        answer_panel(bars, seen.answer, names, probabilities=_sums_to_one(seen.answer), say=say)
    places = body[1].subgridspec(down, across)
    for index, layer in enumerate(blocks):
        ax = figure.add_subplot(places[index // across, index % across])
        draw_layer(ax, layer, channels=channels, scale=scale, say=say)
    head = say("{what} through {model}", what=title or say("a picture"), model=model.name)
    head += "" if model.trained_on else say(" (not trained)")
    head += say(", said: {answer!r}", answer=clip(names[seen.top], NAME)) if seen.top is not None else ""
    figure.suptitle(head, color=INK, fontsize=12)
    figure.supxlabel(_caption(seen, names, scale, blocks, few, say), fontsize=8.5, color=INK)
    return figure


def draw_layer(
    ax: Axes, layer: LayerFeatures, *, channels: int = 16, scale: str = "each", say: Labels = ENGLISH
) -> None:
    """One layer's output in one panel: maps as a grid, rows of numbers as bars or, if there are many, as an image."""
    output = layer.output
    if output.ndim == 3:
        _draw_maps(ax, layer, channels, scale, say)
    elif output.ndim == 1 and output.size <= BARS:
        draw_units(ax, output, say)
        words = say("{name}: {count} units", name=clip(layer.name, NAME), count=output.size)
        ax.set_title(words, fontsize=8.5, color=INK)
        ax.set_box_aspect(1)
    else:
        _draw_strip(ax, layer, say)


def answer_panel(
    ax: Axes, answer: Array, names: Sequence[str], *, probabilities: bool = True, say: Labels = ENGLISH
) -> None:
    """The most probable classes as bars, the largest on top, in words and numbers. Shapes: answer (K,)."""
    order = np.argsort(-answer, kind="stable")[:CLASSES]
    values = answer[order] * (100 if probabilities else 1)
    written = [percent(float(v) / 100, 1) if probabilities else number(float(v), 3) for v in values]
    colours = [VERMILION, *[BLUE] * (len(order) - 1)]
    draw_bars(ax, [clip(names[k], 18) for k in order], values.tolist(), colours, written)
    if probabilities:
        ax.set_xlim(0, 135 if values[0] > SMALL else 1.35 * max(float(values[0]), 1e-6))
    ax.locator_params(axis="x", nbins=3)
    ax.set_xlabel(say("probability (%)" if probabilities else "score"), fontsize=8)
    some = "answer: first {shown} of {classes} classes" if len(order) < answer.size else "answer: {classes} classes"
    ax.set_title(say(some, shown=len(order), classes=answer.size), fontsize=9, color=INK)


def _draw_picture(ax: Axes, seen: Features, shape: tuple[int, ...], say: Labels) -> None:
    if seen.picture.ndim == 2 and len(shape) == 2 and shape[1] < 8:
        ax.plot(seen.picture)
    else:
        ax.imshow(seen.picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        bare(ax)
    ax.set_title(say("picture: {shape}", shape="x".join(map(str, shape))), fontsize=9, color=INK)


def drawn_channels(layer: LayerFeatures, channels: int) -> list[int]:
    """The first channels of a layer, and in the last place the one that matters most if it is none of them."""
    count = layer.output.shape[-1]
    shown = list(range(min(channels, count)))
    if layer.most is not None and layer.most not in shown:
        shown[-1] = layer.most
    return shown


def _draw_maps(ax: Axes, layer: LayerFeatures, channels: int, scale: str, say: Labels) -> None:
    height, width, count = layer.output.shape
    shown = drawn_channels(layer, channels)
    across = grid_columns(len(shown))
    zoom = max(1, -(-SHARP // (across * max(height, width))))
    gap = max(1, -(-across * max(height, width) * zoom // 160))
    limit = np.abs(np.where(np.isfinite(layer.output), layer.output, 0)).max(axis=(0, 1))
    flat = _flat(layer)
    limit[flat] = limit.max()
    limits = limit if scale == "each" else None
    grid = feature_grid(layer.output, across, scale=scale, channels=shown, limit=limits, gap=gap, zoom=zoom)
    ax.imshow(
        np.ma.masked_invalid(grid), cmap=grey("#FFFFFF"), vmin=0, vmax=1, interpolation=_interpolation(grid.shape)
    )
    tall, wide = zoom * height + gap, zoom * width + gap
    if layer.most is not None:
        row, column = divmod(shown.index(layer.most), across)
        frame(ax, column * wide - gap / 2 - 0.5, row * tall - gap / 2 - 0.5, wide, tall)
    for place, channel in enumerate(shown):
        if flat[channel] and across <= WRITTEN:
            row, column = divmod(place, across)
            value = float(layer.output[0, 0, channel])
            middle = (column * wide + (wide - gap) / 2, row * tall + (tall - gap) / 2)
            bright = grid[round(middle[1]), round(middle[0])] > 0.5
            text = number(value, 2)
            size = min(7.0, 7 * CELL_LETTERS / len(text)) * min(1.0, 4 / across)
            ax.text(*middle, text, ha="center", va="center", fontsize=size, color="black" if bright else "white")
    firsts = range(0, len(shown), across)
    ax.set_yticks([row * tall + tall / 2 for row in range(len(firsts))], [str(shown[first]) for first in firsts])
    ax.set_xticks([])
    ax.tick_params(length=0, labelsize=8)
    without_spines(ax)
    shape = f"{height}x{width}x{count}"
    head = f"{clip(layer.name, BLOCK_LETTERS - len(shape))}: {shape}"
    ax.set_title(f"{head}\n{_which(shown, count, say)}", fontsize=8.5, color=INK)
    words = [] if layer.most is None else [say("framed: channel {index}", index=layer.most)]
    if scale == "common":
        limit = float(np.abs(np.nan_to_num(layer.output, posinf=0, neginf=0)).max())
        words.append(f"±{limit:.3g}" if signed(layer.output) else say("white {limit:.3g}", limit=limit))
    elif signed(layer.output):
        words.append(say("mid-grey 0"))
    ax.set_xlabel(", ".join(words), fontsize=8, color=INK)


def _which(shown: Sequence[int], count: int, say: Labels) -> str:
    if len(shown) == count:
        return say("all {count} channels", count=count)
    if len(shown) == 1:
        return say("channel {index} of {count}", index=shown[0], count=count)
    if shown[-1] == len(shown) - 1:
        return say("first {shown} of {count} channels", shown=len(shown), count=count)
    return say("first {shown} of {count}, and {last}", shown=len(shown) - 1, count=count, last=shown[-1])


def _draw_strip(ax: Axes, layer: LayerFeatures, say: Labels) -> None:
    """Many numbers as an image: a row of units after the other, or of a series one row a channel."""
    output = np.asarray(layer.output)
    if output.ndim == 1:
        across = grid_columns(output.size)
        rows = np.full(-(-output.size // across) * across, np.nan, np.float32)
        rows[: output.size] = output
        image = rows.reshape(-1, across)
        words = say(
            "{name}:\n{count} units, {across} in a row",
            name=clip(layer.name, NAME),
            count=output.size,
            across=across,
        )
    else:
        image, shape = output.reshape(len(output), -1).T, "x".join(map(str, output.shape))
        words = say("{name}:\n{shape}, a row a channel", name=clip(layer.name, NAME), shape=shape)
    draw_values(ax, image, say, between="#FFFFFF", aspect="auto" if output.ndim > 1 else None)
    ax.set_title(words, fontsize=8.5, color=INK)
    bare(ax)


def _caption(
    seen: Features, names: Sequence[str], scale: str, blocks: Sequence[LayerFeatures], few: str, say: Labels
) -> str:
    own = say("each channel on its own scale" if scale == "each" else "one scale for all channels of a layer")
    lines = [" ".join(filter(None, [say(MAPS_TOLD, scale=own), few]))]
    if scale == "each" and any(block.output.ndim == 3 and _flat(block).any() for block in blocks):
        lines.append(say("A map of one value has it written in, on the layer's scale."))
    if seen.top is not None and any(block.most is not None for block in blocks):
        lines.append(say(FRAMED_TOLD, answer=clip(names[seen.top], NAME)))
    return "\n".join(lines)


def _flat(layer: LayerFeatures) -> Array:
    """Which maps hold one value throughout, of which a scale of their own would say nothing. Shapes: (C,) of bool."""
    even: Array = (np.ptp(layer.output, axis=(0, 1)) == 0) & (layer.output[0, 0] != 0)
    return even


def _columns(blocks: int) -> int:
    """Blocks in a row: a figure about half as wide again as high."""
    return min(blocks, 6) if blocks <= 3 else next((n for n in (3, 4, 5, 6) if -(-blocks // n) <= n - 1), 7)


def _interpolation(shape: tuple[int, ...]) -> str:
    """Sharp pixels where each takes one on the screen or more; else smoothed, so that none is lost."""
    return "antialiased" if max(shape) > SHARP else "nearest"


def _sums_to_one(answer: Array) -> bool:
    return bool((answer >= 0).all() and (answer <= 1).all() and abs(float(answer.sum()) - 1) < 1e-3)


EXAMPLES = """A test picture of the run's data, through all layers:
   pellucid show features runs/simple-convnet-digits-001

A photograph through MobileNetV2 with its published weights:
   pellucid show features mobilenet-v2 --image cat.jpg --out cat.png

A photograph, one layer, as SVG:
   pellucid show features RUN --image cat.jpg --layer conv2 --out conv2.svg"""

WORDS = {
    "picture: {shape}": "이미지: {shape}",
    "a picture": "이미지 한 장",
    "{what} through {model}": "{model} 속의 {what}",
    ", said: {answer!r}": ", 답: {answer!r}",
    "answer: first {shown} of {classes} classes": "답: 클래스 {classes}개 중 처음 {shown}개",
    "answer: {classes} classes": "답: 클래스 {classes}개",
    "score": "점수",
    "{name}: {count} units": "{name}: 유닛 {count}개",
    "all {count} channels": "채널 {count}개 모두",
    "channel {index} of {count}": "채널 {count}개 중 {index}번",
    "first {shown} of {count} channels": "채널 {count}개 중 처음 {shown}개",
    "first {shown} of {count}, and {last}": "{count}개 중 처음 {shown}개, 그리고 {last}번",
    "framed: channel {index}": "테두리: 채널 {index}",
    "white {limit:.3g}": "흰색 {limit:.3g}",
    "mid-grey 0": "중간 회색 0",
    "black 0": "검정 0",
    "{name}:\n{count} units, {across} in a row": "{name}:\n유닛 {count}개, 한 행에 {across}개",
    "{name}:\n{shape}, a row a channel": "{name}:\n{shape}, 채널마다 한 행",
    "Maps: {scale}; black is 0, or mid-grey is 0 where there are negative values. Left of a row: its first channel.": (
        "특징 맵: {scale}. 검정이 0, 음수가 있으면 중간 회색이 0입니다. 행 왼쪽 숫자는 그 행의 첫 채널입니다."
    ),
    "each channel on its own scale": "채널마다 다른 눈금",
    "A map of one value has it written in, on the layer's scale.": (
        "값이 하나뿐인 맵은 계층의 눈금으로 그리고 값을 적었습니다."
    ),
    "one scale for all channels of a layer": "한 계층의 모든 채널이 같은 눈금",
    "Framed: what adds most to the score of {answer!r}, by the mean over its places of (d score / d y) · y.": (
        "테두리: {answer!r}의 점수에 가장 많이 보태는 채널, (d 점수 / d y) · y의 자리 평균으로 쟀습니다."
    ),
}
"""Korean by English."""


@Picture("features", EXAMPLES, words=WORDS)
def show_features(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    channels: Annotated[int, Option("--channels", "N", "Channels drawn of each layer at most.", 1)] = 16,
    scale: Annotated[str, Option("--scale", "each|common", "Each channel its own, or one for a layer.")] = "each",
) -> Shown:
    """Draw a picture on its way through the network; the channel that matters most for the answer is framed."""
    model = source.model
    pixels, name = source.picture(image)
    layers = None if layer is None else [layer]
    with source.working("following the picture"):
        figure = features_figure(model, pixels, layers, channels=channels, scale=scale, title=name, lang=source.lang)
    return Shown(lambda: figure, "features")
