"""Figures whose text is text: names from strangers' files steer nothing and are no formulas."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter

from pellucid.text import printable

SCREEN_DPI = 96


class PlainFigure(Figure):
    """A figure that makes all its text plain before it is drawn, whoever wrote it and wherever it is shown.

    A notebook shows it as a cell's last line, with `%matplotlib inline` or without.
    """

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        """A PNG, and its size on a screen in pixels: with all its dots it would be half as large again."""
        from pellucid.visualise.figure import figure_bytes

        width, height = (round(side * SCREEN_DPI) for side in self.get_size_inches())
        return figure_bytes(self, "png"), {"width": width, "height": height}

    def draw(self, renderer: Any) -> None:
        make_plain(self)
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


def _lines(text: object) -> str:
    return "\n".join(printable(line) for line in str(text).split("\n"))
