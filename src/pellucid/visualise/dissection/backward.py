"""A gradient as a figure: what arrives, by which weights it comes back, and how its terms add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pellucid._numbers import number
from pellucid.ops import Array
from pellucid.visualise.dissection.data import Dissection
from pellucid.visualise.dissection.figure import TERMS, TIMES, draw_map, draw_parts, draw_terms, write_around
from pellucid.visualise.dissection.terms import GradientDissection
from pellucid.visualise.dissection.update import UpdateDissection
from pellucid.visualise.dissection.values import signed
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import draw_units, frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RENAMED = {
    "input, channel {index}": "arriving, channel {index}",
    "output, channel {index}": "gradient of the input, channel {index}",
    "number ({place}) of {layer}, {shape}": "gradient of number ({place}) that {layer} takes, {shape}",
}
"""What is written where the figure of a convolution shows its way back."""


LINE = 110
"""Characters of a line of an update."""
THICK = 6
"""There is room for so many bars at least, so that few are not thick."""


class GradientLabels(Labels):
    """The labels of a number's figure, of which a gradient's has some under other names. patch: the patch's."""

    def __init__(self, lang: str | None, patch: str) -> None:
        super().__init__(lang)
        self.renamed = {**RENAMED, "patch": patch}

    def __call__(self, english: str, /, **values: object) -> str:
        return super().__call__(self.renamed.get(english, english), **values)


def draw_gradient(
    what: GradientDissection, *, update: UpdateDissection | None = None, title: str = "", lang: str | None = None
) -> Figure:
    """The figure of a gradient that is taken apart: of a convolution's input as windows, else its largest terms.

    update: what an optimizer does with it, written below. lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: ConfigError for another language.
    """
    say = GradientLabels(lang, "gradient" if what.slopes is None else f"gradient {TIMES} f'(z)")
    window = as_window(what)
    if window is not None:
        return draw_parts(window, say, title)
    figure = new_figure(12.5, 5.0)
    bars, arriving, gradients = figure.subplots(1, 3, width_ratios=[1.5, 1, 1])
    _bars(bars, what, say)
    here = (
        (what.products != 0)
        & (what.examples == what.examples[:1])
        & (what.places[:, 2:] == what.places[:1, 2:]).all(axis=1)
    )
    places = [tuple(map(int, place)) for place in what.places[here][:TERMS]]
    _panel(arriving, what.output_gradients, places, say)
    arriving.set_title(say("what arrives at the output"), fontsize=9, color=INK)
    _panel(gradients, what.gradients, [what.position], say)
    name = say("gradient of the input") if what.of == "input" else say("gradient of {name}", name=what.of)
    gradients.set_title(name, fontsize=9, color=INK)
    place, shape = ", ".join(map(str, what.position)), "x".join(map(str, what.gradients.shape))
    if what.of == "input":
        head = say("number ({place}) of {layer}, {shape}", place=place, layer=what.layer, shape=shape)
    else:
        head = say("gradient of {name} ({place}) of {layer}, {shape}", name=what.of, place=place, layer=what.layer,
                   shape=shape)  # fmt: skip
    lines = [what.in_words(say), _loss(what, say), *_written(update, say)]
    write_around(figure, title, head, say.layer(what.detail), lines)
    return figure


def as_window(what: GradientDissection) -> Dissection | None:
    """The way back through a convolution as the sum over windows that it is: the gradient of each filter's map, times
    the slopes of an activation, under the filter's weights. None for another layer, or where terms were left out."""
    if what.of != "input" or len(what.position) != 3 or what.cells is None or len(what.products) < what.count:
        return None
    sides = [np.unique(column) for column in what.places.T]
    at = tuple(np.searchsorted(side, column) for side, column in zip(sides, what.places.T, strict=True))
    patch, kernel, products = (np.zeros([side.size for side in sides]) for _ in range(3))
    patch[at] = what.arriving if what.slopes is None else what.arriving * what.slopes
    kernel[at], products[at] = what.factors, what.products
    rows, columns, channels = (tuple(side.tolist()) for side in sides)
    return Dissection(
        layer=what.layer,
        detail=what.detail,
        kind="convolution",
        position=what.position,
        output_shape=what.gradients.shape,
        patch=patch,
        kernel=kernel,
        products=products,
        total=what.total,
        before=what.total,
        result=what.total,
        computed=what.computed,
        rows=rows,
        columns=columns,
        channels=channels,
        input=what.output_gradients,
        output=what.gradients,
    )


def _bars(ax: Axes, what: GradientDissection, say: Labels) -> None:
    shown, several = min(TERMS, len(what.products)), len(set(what.examples.tolist())) > 1
    one_place = len(np.unique(what.places, axis=0)) == 1 < what.count
    labels = []
    for i in range(shown):
        place = ", ".join(map(str, what.places[i]))
        named = [say("picture {index}", index=what.examples[i])] if several else []
        if not one_place:
            named.append(f"({place})" if len(what.places[i]) > 1 else say("unit {index}", index=place))
        named += [say(what.words[i])] if what.words else []
        numbers = [what.arriving[i], *([] if what.slopes is None else [what.slopes[i]]), what.factors[i]]
        labels.append(f"{' '.join(named)}: " + f" {TIMES} ".join(f"{value:.3g}" for value in numbers))
    values = [float(value) for value in what.products[:shown]]
    if what.count > shown:
        labels.append(say("the other {count}", count=f"{what.count - shown:,}"))
        values.append(what.total - sum(values))
    draw_terms(ax, labels, values, [BLUE if value >= 0 else VERMILION for value in values])
    ax.set_ylim(len(values) - 0.5 - max(len(values), THICK), len(values) - 0.5)
    words = "the largest {shown} of {count:,} terms" if what.count > shown else "all terms: {count}"
    ax.set_title(say(words, shown=shown, count=what.count), fontsize=9, color=INK)


def _panel(ax: Axes, values: Array, places: Sequence[tuple[int, ...]], say: Labels) -> None:
    """An array around some places in it: a map, or a row as bars, with the places marked."""
    first = places[0] if places else (0,) * values.ndim
    if values.ndim < 3:
        draw_units(ax, values[:, first[1]] if values.ndim == 2 else values, say, first[0])
        return
    draw_map(ax, np.moveaxis(values, (0, 1), (-2, -1))[first[2:]], say)
    for row, column, *_ in places:
        frame(ax, column - 0.5, row - 0.5, 1, 1, line=2)


def _loss(what: GradientDissection, say: Labels) -> str:
    """Where the largest term's gradient comes from, if that is the loss itself."""
    if what.given is None or what.wanted is None or what.counts is None or not len(what.given):
        return ""
    values = [number(float(each[0])) for each in (what.given, what.wanted, what.counts, what.arriving)]
    names = ("given", "wanted", "count", "arriving")
    words = "of the first, the loss gives ({given} - {wanted}) / {count} = {arriving}"
    return say(words, **dict(zip(names, values, strict=True)))


def _written(update: UpdateDissection | None, say: Labels) -> list[str]:
    """An update in a few lines, of which the last is the weight's."""
    if update is None:
        return []
    lines = [say("step {step} of {optimizer}", step=update.step, optimizer=update.optimizer) + ":"]
    for line in update.lines:
        value = number(line.value)
        part = f"{say(line.name)} {line.expression}" + (f" = {value}" if value != line.expression else "")
        if line.name == "weight" or len(lines[-1]) + len(part) > LINE:
            lines.append(part)
        else:
            lines[-1] += f" {part};"
    if not update.lines or update.lines[-1].name != "weight":  # an optimizer of one's own
        lines.append(f"{say('weight')} {number(update.weight)} + {signed(update.change)} = {number(update.updated)}")
    return [line.removesuffix(";") for line in lines]
