"""A Matplotlib backend for programs that run without a display: what they show is written beside them as PNG.

Named by MPLBACKEND, so that it costs nothing where no figure is drawn. A shown figure is gone, as a closed window is.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import ClassVar

import matplotlib
from matplotlib._pylab_helpers import Gcf
from matplotlib.backend_bases import FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg

from pellucid.atomic import replacing
from pellucid.errors import PellucidError


class FigureManager(FigureManagerBase):
    """A figure's window that is a file."""

    written: ClassVar[list[Path]] = []
    failed: ClassVar[list[str]] = []
    _left_open: ClassVar[bool] = False

    @classmethod
    def pyplot_show(cls, *, block: bool | None = None) -> None:
        """Writes every figure and closes it, or leaves it open where a window would stay open meanwhile."""
        if not (not matplotlib.is_interactive() if block is None else block):
            FigureManager._left_open = True
            return
        program = Path(os.path.abspath(getattr(sys.modules["__main__"], "__file__", "program")))
        for manager in Gcf.get_all_fig_managers():
            path = program.with_name(f"{program.stem}-figure-{len(cls.written) + 1}.png")
            try:
                with replacing(path) as file:
                    manager.canvas.figure.savefig(file, format="png")
                cls.written.append(path)
            except PellucidError as error:
                cls.failed.append(str(error))
        Gcf.destroy_all()

    def show(self) -> None:
        FigureManager._left_open = True

    @classmethod
    def finish(cls) -> tuple[list[Path], list[str]]:
        """At the end: what was shown without waiting is written as it is now. All files, and what failed."""
        if cls._left_open:
            try:
                cls.pyplot_show(block=True)
            except Exception as error:  # what a figure's own text or data may raise when it is drawn
                cls.failed.append(f"a figure cannot be drawn: {error}")
        done = list(cls.written), list(cls.failed)
        cls.written.clear()
        cls.failed.clear()
        FigureManager._left_open = False
        return done


class FigureCanvas(FigureCanvasAgg):
    manager_class = FigureManager
