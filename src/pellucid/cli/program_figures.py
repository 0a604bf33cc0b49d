"""A Matplotlib backend for programs that run without a display: what they show is written beside them as PNG.

Named by MPLBACKEND, so that it costs nothing where no figure is drawn. A shown figure is gone, as a closed window is.
"""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import matplotlib
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pellucid.cli import program_pictures


class FigureManager(FigureManagerBase):
    """A figure's window that is a file."""

    _left_open: ClassVar[bool] = False

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Writes every figure and closes it, or leaves it open where a window would stay open meanwhile."""
        if not (not matplotlib.is_interactive() if block is None else block):
            FigureManager._left_open = True
            return
        for manager in Gcf.get_all_fig_managers():
            program_pictures.write(partial(manager.canvas.figure.savefig, format="png"))
        Gcf.destroy_all()

    def show(self) -> None:
        FigureManager._left_open = True

    @classmethod
    def finish(cls) -> None:
        """At the end: what was shown without waiting is written as it is now."""
        if cls._left_open:
            try:
                cls.pyplot_show(block=True)
            except Exception as error:  # what a figure's own text or data may raise when it is drawn
                program_pictures.failed.append(f"a figure cannot be drawn: {error}")
        FigureManager._left_open = False


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
