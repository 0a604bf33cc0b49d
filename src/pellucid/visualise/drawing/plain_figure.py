"""Figures whose text is text: names from strangers' files steer nothing and are no formulas."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from pellucid._text import clip, printable, text_columns

SCREEN_DPI = 96
FILLED = 0.98
"""Of a figure's width that a line of its title takes at most."""


class PlainFigure(Figure):
    """A figure that makes all its text plain before it is drawn, whoever wrote it and wherever it is shown.

    A notebook shows it as a cell's last line, with `%matplotlib inline` or without.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """A PNG, and its size on a screen in pixels: with all its dots it would be half as large again."""
        from pellucid.visualise.drawing.figure import figure_bytes

        width, height = (round(side * SCREEN_DPI) for side in self.get_size_inches())
        return figure_bytes(self, "png"), {"width": width, "height": height}

    def draw(self, renderer: Any) -> None:
        make_plain(self)
        for text in self.texts:
            break_lines(text, renderer, FILLED * self.bbox.width)
        layout = self.get_layout_engine()
        if layout is not None and any(axes.child_axes for axes in self.axes):
            layout.execute(self)  # where margins and insets lie is known only after a first turn
        if isinstance(layout, ConstrainedLayoutEngine) and self.canvas.is_saving():
            layout.execute(self)  # before it is written, Matplotlib draws once for this alone, and nobody sees it
        else:
            super().draw(renderer)


def make_plain(figure: Figure) -> None:
    """Text without formulas, what cannot be printed spelled out; a logarithmic axis keeps its powers."""
    powers: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = axis.get_ticklabels(which="both")
            names = [label.get_text() for label in axis.get_ticklabels()]
            if names != [_lines(name) for name in names]:
                axis.set_ticks(axis.get_ticklocs(), labels=[_lines(name) for name in names])
            if isinstance(axis.get_major_formatter(), LogFormatter):
                powers.update(map(id, labels))
    for text in figure.findobj(Text):
        if isinstance(text, Text) and id(text) not in powers:
            text.set_parse_math(False)
            shown = _lines(text.get_text())
            if shown != text.get_text():
                text.set_text(shown)


def break_lines(text: Text, renderer: Any, room: float) -> None:
    """Break a text that stands above or below all panels into lines within `room`, in the renderer's pixels.

    Matplotlib's own wrapping takes names for formulas, and keeps a word that is longer than a line.
    """

    def fits(line: str) -> bool:
        return bool(renderer.get_text_width_height_descent(line, text.get_fontproperties(), False)[0] <= room)

    lines: list[str] = []
    for given in text.get_text().split("\n"):
        lines.append("")
        for word in [given] if fits(given) else given.split(" "):
            joined = f"{lines[-1]} {word}" if lines[-1] else word
            if fits(joined):
                lines[-1] = joined
            else:
                lines += [next(cut for n in range(text_columns(word), 0, -1) if fits(cut := clip(word, n)) or n == 1)]
    text.set_text("\n".join(lines))


def _lines(text: object) -> str:
    return "\n".join(printable(line) for line in str(text).split("\n"))
