"""A network's own picture: as blocks, node by node, or as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid._text import clip, text_columns
from pellucid.errors import unknown_name
from pellucid.model import Model
from pellucid.model.summary import short
from pellucid.visualise.architecture.blocks import draw_blocks
from pellucid.visualise.architecture.data import INPUT, Block, blocks_of, note_words, times
from pellucid.visualise.architecture.nodes import draw_nodes
from pellucid.visualise.drawing.canvas import Drawing, to_figure, to_svg
from pellucid.visualise.drawing.labels import Labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWINGS = ("blocks", "nodes")
STYLES = (*DRAWINGS, "text")
INNER = 46
"""Letters inside a box of the text drawing."""
ROOM = 50
"""Letters beside an arrow of it, for the boxes further on that read a value too."""
_LINES = {False: "┌┐└┘─│┬▼", True: "++++-|+v"}


def architecture(model: Model, style: str = "blocks", *, lang: str | None = None) -> Drawing:
    """The network as shapes on a page, for `architecture_svg` and `architecture_figure`.

    style: "blocks", boxes in proportion to the maps, in as many rows as there are groups; "nodes", a circle for each
    number, for small networks. lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ConfigError for another style, for a model whose input's shape is not known, and as draw_nodes.
    """
    if style not in DRAWINGS:
        raise unknown_name("style of an architecture", style, DRAWINGS)
    return draw_nodes(model, lang) if style == "nodes" else draw_blocks(model, lang)


def architecture_svg(model: Model, style: str = "blocks", *, scale: float = 1.0, lang: str | None = None) -> str:
    """The network as an SVG document, text as text. Errors: as architecture."""
    return to_svg(architecture(model, style, lang=lang), scale=scale)


def architecture_figure(
    model: Model, style: str = "blocks", *, lang: str | None = None, axes: Axes | None = None
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
