"""What a search for settings found, drawn: its trials, how much each setting mattered, and how the results lie over the
settings that mattered most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._numbers import percent
from pellucid._text import clip
from pellucid.errors import DataError
from pellucid.visualise.drawing.figure import BLUE, INK, PALE, VERMILION, new_figure, plain
from pellucid.visualise.drawing.labels import KOREAN, Labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = 4
"""Settings whose results are drawn one by one."""

KOREAN.update(
    {
        "trial": "시도",
        "held-out accuracy (%)": "검증 정확도 (%)",
        "best so far": "지금까지 최고",
        "how much each setting mattered (%)": "설정마다 결과에 미친 영향 (%)",
        "too few trials to tell": "알기에는 시도가 적음",
        "best {value}: {settings}": "최고 {value}: {settings}",
    }
)


def tuning_figure(found: Any, *, title: str = "", lang: str | None = None) -> Figure:
    """Above: each trial's result with the best so far, and each setting's share in how they differ. Below: the results
    over the settings that mattered most.

    found: as `pellucid.tune` gives it.
    Errors: DataError where no trial has a result.
    """
    say = Labels(lang)
    done = [trial for trial in found.trials if trial["value"] is not None]
    if not done:
        raise DataError("no trial has a result that could be drawn")
    ranked = sorted(found.importance, key=lambda name: -found.importance[name]) or list(found.best)
    chosen = [name for name in ranked if len({repr(trial["settings"].get(name)) for trial in done}) > 1][:SHOWN]
    figure = new_figure(9.0, 5.6 if chosen else 3.0)
    parts: Any = figure.subfigures(2, 1) if chosen else None
    left, right = (figure if parts is None else parts[0]).subplots(1, 2)
    _course(left, found.trials, say)
    _shares(right, found.importance, say)
    if parts is not None:
        below = parts[1].subplots(1, len(chosen), squeeze=False)[0]
        for axes, name in zip(below, chosen, strict=True):
            _results(axes, name, done)
        below[0].set_ylabel(say("held-out accuracy (%)"), fontsize=9)
    settings = ", ".join(f"{name} {_short(value)}" for name, value in found.best.items())
    words = say("best {value}: {settings}", value=percent(found.value), settings=clip(settings, 110))
    figure.suptitle(f"{title}\n{words}" if title else words, fontsize=10, color=INK)
    return figure


def _course(axes: Axes, trials: Any, say: Labels) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = np.array([number for number, trial in enumerate(trials, 1) if trial["value"] is not None])
    values = 100 * np.array([trial["value"] for trial in trials if trial["value"] is not None])
    axes.plot(numbers, values, "o", color=BLUE, markersize=4)
    axes.step(numbers, np.maximum.accumulate(values), where="post", color=VERMILION, lw=1.4, label=say("best so far"))
    axes.set(xlabel=say("trial"), ylabel=say("held-out accuracy (%)"))
    axes.legend(frameon=False, fontsize=8, loc="best")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes)


def _shares(axes: Axes, importance: Any, say: Labels) -> None:
    names = sorted(importance, key=lambda name: importance[name])
    axes.barh(range(len(names)), [100 * importance[name] for name in names], color=BLUE, height=0.6)
    axes.set_yticks(range(len(names)), [clip(name, 24) for name in names], fontsize=9)
    axes.set_xlabel(say("how much each setting mattered (%)" if names else "too few trials to tell"))
    plain(axes)


def _results(axes: Axes, name: str, trials: Any) -> None:
    """The results over one setting: rates along an axis; words and whole numbers beside each other."""
    given = [trial["settings"].get(name) for trial in trials]
    values = [100 * trial["value"] for trial in trials]
    if all(isinstance(one, float) for one in given):
        axes.plot(given, values, "o", color=BLUE, markersize=4)
        if min(given) > 0 and max(given) / min(given) >= 20:
            axes.set_xscale("log")
    else:
        whole = all(isinstance(one, int) for one in given)
        words = list(map(str, sorted(set(given)))) if whole else list(dict.fromkeys(map(str, given)))
        axes.plot([words.index(str(one)) for one in given], values, "o", color=BLUE, markersize=4)
        axes.set_xticks(range(len(words)), [clip(word, 10) for word in words], fontsize=8)
        axes.set_xlim(-0.5, len(words) - 0.5)
    axes.set_xlabel(clip(name, 24))
    axes.tick_params(labelsize=8)
    axes.grid(color=PALE, linewidth=0.6)
    plain(axes)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
