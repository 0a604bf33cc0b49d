"""A network's own picture: as blocks, node by node, or as text for a terminal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pellucid._text import clip, text_columns
from pellucid.errors import expect_known
from pellucid.model import Model
from pellucid.model.summary import short
from pellucid.visualise.architecture.blocks import draw_blocks
from pellucid.visualise.architecture.data import INPUT, Block, blocks_of, note_words, times
from pellucid.visualise.architecture.modules import MANY
from pellucid.visualise.architecture.nodes import draw_nodes
from pellucid.visualise.drawing.canvas import Drawing, to_figure, to_svg
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.registry import NETWORK, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWINGS = ("blocks", "modules", "nodes")
STYLES = (*DRAWINGS, "text")
INNER = 46
"""Letters inside a box of the text drawing."""
ROOM = 50
"""Letters beside an arrow of it, for the boxes further on that read a value too."""
_LINES = {False: "┌┐└┘─│┬▼", True: "++++-|+v"}


def architecture(model: Model, style: str | None = None, *, lang: str | None = None) -> Drawing:
    """The network as shapes on a page, for `architecture_svg` and `architecture_figure`.

    style: "blocks", boxes in proportion to the maps, in as many rows as there are groups; "modules", the same with
    residual blocks and such as one box; "nodes", a circle for each number, for small networks. None for blocks, or
    modules where there would be more than `modules.MANY` blocks. lang: of the labels, "en" or "ko"; None for the
    locale's.
    Errors: ConfigError for another style, for a model whose input's shape is not known, and as draw_nodes.
    """
    if style is None:
        style = "modules" if len(blocks_of(model)) > MANY else "blocks"
    expect_known("style of an architecture", style, DRAWINGS)
    return draw_nodes(model, lang) if style == "nodes" else draw_blocks(model, lang, modules=style == "modules")


def architecture_svg(model: Model, style: str | None = None, *, scale: float = 1.0, lang: str | None = None) -> str:
    """The network as an SVG document, text as text. Errors: as architecture."""
    return to_svg(architecture(model, style, lang=lang), scale=scale)


def architecture_figure(
    model: Model, style: str | None = None, *, lang: str | None = None, axes: Axes | None = None
) -> Figure:
    """The same drawing in Matplotlib. Errors: as architecture."""
    return to_figure(architecture(model, style, lang=lang), axes)


def architecture_text(model: Model, *, plain: bool = False, lang: str | None = None) -> str:
    """The network as boxes with arrows, for a terminal of 80 columns.

    plain: with the letters of ASCII alone. lang: of the words, "en" or "ko"; None for the locale's.
    Errors: ConfigError for a model whose input's shape is not known.
    """
    left_top, right_top, left_low, right_low, flat, upright, tee, tip = list(_LINES[plain])
    say, blocks = Labels(lang), blocks_of(model)
    macs = short(sum(row.macs for row in model.outline().rows))
    words = "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture"
    lines = [say(words, name=model.name, parameters=model.count_params(), macs=macs)]
    middle = INNER // 2
    readers: dict[int, list[str]] = {}
    for block in blocks:
        for source in (*block.entries, *block.merges):
            readers.setdefault(source, []).append(block.name)
    for place, block in enumerate(blocks):
        last = place == len(blocks) - 1
        ends = last or blocks[place + 1].apart  # nothing flows on to the box below
        low = flat * INNER if ends else flat * middle + tee + flat * (INNER - middle - 1)
        beside = f"{times(block.shape):>13}"
        beside += f"  {block.parameters:,}" if block.parameters else ""
        lines.append(left_top + flat * INNER + right_top)
        for number, words in enumerate(_said(block, say)):
            gap = " " * (INNER - 2 - text_columns(words))
            lines.append(f"{upright} {words}{gap} {upright}{beside if number == 0 else ''}".rstrip())
        lines.append(left_low + low + right_low)
        if not last:
            flow = " " * (middle + 1) + (" " if ends else tip)
            where = say("to {names}", names=", ".join(readers[place])) if place in readers else ""
            lines.append(f"{flow}  {clip(where, ROOM)}".rstrip())
    text = "\n".join(lines)
    return text.replace("…", "~").encode("ascii", "replace").decode() if plain else text


def _said(block: Block, say: Labels) -> list[str]:
    """A block's words in lines that fit the box."""
    if block.kind == INPUT:
        return [say("input")]
    words = [say.layer(block.what), *(note_words(note, say) for note in block.notes)]
    if block.flattened:
        words.append(say("flatten to {count:,}", count=block.flattened))
    room = INNER - 2
    lines = [clip(block.name, room // 2)]
    lines[0] += "  "
    first = True
    for word in words:
        joined = lines[-1] + ("" if first else ", ") + word
        first = False
        if text_columns(joined) > room:
            lines.append("  " + clip(word, room - 2))
        else:
            lines[-1] = joined
    return lines


EXAMPLES = """VGG-16 as a textbook draws it, as SVG:
   pellucid show architecture vgg16 --out vgg16.svg

A run's network in the terminal:
   pellucid show architecture runs/simple-convnet-digits-001 --style text"""

WORDS = {
    "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture": (
        "{name}: 매개변수 {parameters:,}개, 이미지 한 장에 곱셈-누산 {macs}번"
    ),
    "convolution, with what follows it": "합성곱과 그에 딸린 계층",
    "several layers; batch norm and activations are not written": "여러 계층, 배치 정규화와 활성화는 적지 않음",
    "pooling": "풀링",
    "fully connected": "완전 연결",
    "other": "그 밖",
    "boxes: height and depth in proportion to H and W, thickness to √channels": (
        "상자: 높이와 깊이는 H와 W에, 두께는 √채널 수에 비례"
    ),
    "bars: length in proportion to √units": "막대: 길이는 √유닛 수에 비례",
    "lines above the boxes: values that a box further on reads too": "상자 위의 선: 더 뒤의 상자도 읽는 값",
    "{name}: {count:,} parameters, node by node": "{name}: 매개변수 {count:,}개, 노드별로",
    "number {unit} of {shape}": "{shape} 중 {unit}번",
    "{count:,} weights": "가중치 {count:,}개",
    "{count:,} connections": "연결 {count:,}개",
    "{count:,} weights, shared": "공유 가중치 {count:,}개",
    "(fully: {sum})": "(완전 연결: {sum})",
    "1 bias": "편향 1개",
    "{count:,} biases": "편향 {count:,}개",
    "Lines to a convolution: the same style is the same weight.": "합성곱으로 가는 선: 같은 모양은 같은 가중치입니다.",
    "Filled units: those whose windows are drawn strong; the others' are faint.": (
        "채운 유닛: 창을 진하게 그린 유닛이며, 나머지는 흐리게 그렸습니다."
    ),
    "flatten to {count:,}": "펼쳐서 {count:,}",
    "to {names}": "{names}에",
    "and {name}": "및 {name}",
    "{count:,} params": "매개변수 {count:,}",
}
"""Korean by English."""


@Picture("architecture", EXAMPLES, takes=replace(NETWORK, weights=False), words=WORDS)
def show_architecture(
    source: Source,
    style: Annotated[
        str | None,
        Option(
            "--style",
            "blocks|modules|nodes|text",
            "Boxes; of more than 40, modules; circles, for small networks; or letters.",
        ),
    ] = None,
) -> Shown:
    """Draw a network: its layers' shapes, kernels and parameters."""
    if style is not None:
        expect_known("style", style, STYLES)
    model, lang = source.model, source.lang
    if style == "text":
        return Shown(text=lambda plain: architecture_text(model, plain=plain, lang="en" if plain else lang))
    return Shown(
        lambda: architecture_figure(model, style, lang=lang),
        "architecture",
        svg=lambda: architecture_svg(model, style, lang=lang),  # our own, smaller than Matplotlib's, words as words
    )
