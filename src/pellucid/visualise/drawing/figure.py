"""Making and writing Matplotlib figures without pyplot's global state."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, Literal, cast

from pellucid.errors import ConfigError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Place, place_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

# Two colours that stay apart for colour-blind readers and in grey print (Okabe & Ito 2008: blue, vermilion).
BLUE, VERMILION = "#0072B2", "#D55E00"
INK, PALE, BETWEEN = "#222222", "#D9D9D9", "#C9DDEE"
DPI = 150
MAX_DRAWN = 1000
"""Columns, gaps and zoom of a grid."""
ENDINGS = (".png", ".svg", ".pdf")


def ready() -> None:
    """Import Matplotlib. A backend that it does not know, in MPLBACKEND, is no matter: no window is opened here."""
    if "matplotlib" in sys.modules:
        return
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend:
        with contextlib.suppress(ValueError):
            matplotlib.rcParams["backend"] = backend  # as Matplotlib does


def new_figure(width: float, height: float, *, layout: Literal["constrained"] | None = "constrained") -> Figure:
    """An empty figure, sizes in inches. Every figure is made here: what is written in it is no formula."""
    ready()
    from pellucid.visualise.drawing.plain_figure import PlainFigure

    return PlainFigure(figsize=(width, height), dpi=DPI, layout=layout, facecolor="white")


def figure_of(axes: Axes | None, width: float, height: float) -> tuple[Figure, Axes]:
    """The figure that axes are in, and these; without any, a new figure of one panel. Sizes in inches."""
    if axes is not None:
        return cast("Figure", axes.figure), axes
    figure = new_figure(width, height)
    return figure, figure.subplots()


def grey(between: str = BETWEEN) -> Colormap:
    """Black to white for values, and a colour of its own for what is none: the lines between maps, pale blue."""
    ready()
    from matplotlib import colormaps

    return colormaps["gray"].with_extremes(bad=between)


def plain(axes: Axes) -> None:
    """Only the two axes that carry numbers, and a light grid behind the data."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)


def write_figure(figure: Figure, path: Place | str) -> None:
    """Write a figure as its name's ending says; a file there is replaced whole or not at all.

    Errors: ConfigError if the ending is none of .png, .svg and .pdf; CheckpointError if it cannot be written.
    """
    path = place_of(path)
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise ConfigError(f"{path}: pictures end in {', '.join(ENDINGS)}, got {ending or 'no ending'!r}; rename it")
    drawn = figure_bytes(figure, ending[1:])
    with replacing(path) as file:
        file.write(drawn)


def figure_bytes(figure: Figure, kind: str, *, dpi: float | None = None) -> bytes:
    """A figure as a file's bytes; kind is "png", "svg" or "pdf". Text stays text in SVG; Hangul is kept readable.

    dpi: dots an inch of a PNG; None for the figure's own.
    """
    from matplotlib import rc_context

    from pellucid.visualise.drawing.fonts import prepare, quiet_fonts

    prepare(figure, as_text=kind == "svg")
    drawn = io.BytesIO()
    with rc_context({"svg.fonttype": "none"}), warnings.catch_warnings(), quiet_fonts():
        if kind == "svg":  # letters that only this machine lacks
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        if kind == "png":
            figure.savefig(drawn, format=kind, dpi=dpi or "figure", pil_kwargs={"optimize": True})
        else:
            figure.savefig(drawn, format=kind)
    return drawn.getvalue()
