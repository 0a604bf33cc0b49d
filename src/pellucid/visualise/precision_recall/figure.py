"""Precision over recall, a line a class, the hardest classes named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid._numbers import percent
from pellucid._text import clip
from pellucid.errors import DataError
from pellucid.visualise.curves.figure import RUN_COLOURS, RUN_LINES
from pellucid.visualise.drawing.figure import INK, new_figure, plain
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.precision_recall.data import PrecisionRecall

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 5
"""Classes with the least average precision that have a colour, a line of their own and their name."""
NAME_COLUMNS = 16
OTHERS = "#999999"


def precision_recall_figure(
    curves: Sequence[PrecisionRecall], names: Sequence[str], *, title: str = "", lang: str | None = None
) -> Figure:
    """Lines from few pictures called so, and surely (left), to all that are found (right); a line that stays above is
    better. Classes without pictures are left out.

    Errors: DataError if no class has a picture.
    """
    say = Labels(lang)
    there = sorted((place for place, curve in enumerate(curves) if curve.pictures), key=lambda p: curves[p].average)
    if not there:
        raise DataError("precision and recall need one picture or more of one class at least, got none")
    figure = new_figure(6.8, 4.4)
    axes = figure.subplots()
    for rank, place in reversed(list(enumerate(there))):
        curve = curves[place]
        all_found = int(np.argmax(curve.recall)) + 1  # behind that, precision only falls
        recall = 100 * np.append(0.0, curve.recall[:all_found])
        precision = 100 * np.append(curve.precision[0], curve.precision[:all_found])
        (line,) = axes.plot(recall, precision, drawstyle="steps-pre", color=OTHERS, linewidth=0.7, clip_on=False)
        if rank < NAMED:
            line.set(color=RUN_COLOURS[rank], linestyle=RUN_LINES[rank], linewidth=1.8)
            line.set_label(f"{clip(names[place], NAME_COLUMNS)}, {percent(curve.average, 1)}")
        elif rank == NAMED:
            line.set_label(say("{count} other classes", count=len(there) - NAMED))
    axes.set(xlim=(0, 100), ylim=(0, 100), xlabel=say("recall (%)"), ylabel=say("precision (%)"))
    plain(axes)
    handles, words = axes.get_legend_handles_labels()
    legend = axes.legend(handles[::-1], words[::-1], frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1, 1))
    legend.set_title(say("average precision"))
    legend.get_title().set_fontsize(9)
    mean = percent(float(np.mean([curves[place].average for place in there])), 1)
    total = sum(curve.pictures for curve in curves)
    said = say("{count:,} pictures, mean average precision {mean}", count=total, mean=mean)
    axes.set_title(f"{title}\n{said}" if title else said, fontsize=11, color=INK, pad=10)
    return figure
