"""A learning-rate range test, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, figure_of, plain
from pellucid.visualise.drawing.labels import KOREAN, Labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KOREAN.update(
    {
        "loss of a step": "스텝 하나의 손실",
        "mean over the last steps": "최근 스텝들의 평균",
        "proposal {rate:g}": "제안 {rate:g}",
        "learning rate, rising in every step": "학습률(스텝마다 커짐)",
        "where the loss falls quickly, well before it is lowest": "손실이 가장 낮아지기 한참 전, 빠르게 줄어드는 곳",
    }
)


def learning_rates_figure(found: Any, *, title: str = "", lang: str | None = None, axes: Axes | None = None) -> Figure:
    """The loss over the rate, step by step and smoothed, with the rate that is proposed.

    found: as `find_learning_rate` gives it.
    """
    say = Labels(lang)
    figure, axes = figure_of(axes, 6.4, 4.0)
    axes.plot(found.rates, found.losses, color=BLUE, alpha=0.3, linewidth=0.9, label=say("loss of a step"))
    axes.plot(found.rates, found.smoothed, color=BLUE, linewidth=1.8, label=say("mean over the last steps"))
    words = say("proposal {rate:g}", rate=found.proposal)
    axes.axvline(found.proposal, color=VERMILION, linestyle="--", linewidth=1.4, label=words)
    low, start = float(np.min(found.smoothed)), float(found.smoothed[0])
    axes.set(
        xscale="log",
        xlabel=say("learning rate, rising in every step"),
        ylabel=say("loss"),
        ylim=(low - 0.08 * (start - low), start + 0.5 * (start - low)),
    )
    plain(axes)
    axes.legend(frameon=False, fontsize=9, loc="best")
    words = say("where the loss falls quickly, well before it is lowest")
    axes.set_title(f"{title}\n{words}" if title else words, fontsize=11, color=INK)
    return figure
