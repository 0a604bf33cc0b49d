"""Kernels of a convolution: in one array of greys or colours, in an order, and drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np

from pellucid.errors import ConfigError, ShapeError, expect_known
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import expect_numbers, whole
from pellucid.visualise.answers import trained_note
from pellucid.visualise.drawing.figure import INK, MAX_DRAWN, grey, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import side_by_side, without_spines
from pellucid.visualise.registry import Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCALES = ("common", "each")
COLUMN_COUNTS = (1, 16)
MAX_SLICES = 32
SORTS = {"norm": ", the largest first", "similarity": ", alike ones side by side"}
"""Orders of filters, and what a title says of them."""


def filter_grid(
    kernel: Array, *, scale: str = "common", columns: int | None = None, limit: float | None = None, zoom: int = 1
) -> Array:
    """Kernels side by side in one picture: value = 0.5 + w / (2 * limit), so that a weight of zero is mid-grey.

    One and three input channels are drawn as grey and colour pictures, in rows of `columns`. Deeper kernels become a
    grid of grey slices: one row a filter, one column an input channel (the first 32 of each).
    Every weight takes zoom x zoom pixels, the lines between kernels always one.
    "common" takes limit = max |w| over all kernels (or the `limit` given), "each" takes it over each filter.

    Shapes: kernel (KH,KW,C,O) -> (rows*(zoom*KH+1)-1, columns*(zoom*KW+1)-1), and three values each if C == 3; the
        lines between kernels are NaN.
    Errors: ShapeError if the kernel has not four axes or is empty; ConfigError for an unknown scale, and for columns
        or zoom below 1.
    """
    kernel = check_kernel(kernel, scale)
    channels, filters = kernel.shape[2:]
    if scale == "each":
        limits = np.abs(kernel).max(axis=(0, 1, 2))
    else:
        limits = np.full(filters, np.abs(kernel).max() if limit is None else limit)
    zoom, columns = whole(zoom, "zoom", MAX_DRAWN), None if columns is None else whole(columns, "columns", MAX_DRAWN)
    expect_numbers((*kernel.shape, zoom, zoom), "the drawing")
    values = (0.5 + kernel / np.where(limits > 0, 2 * limits, 1)).repeat(zoom, axis=0).repeat(zoom, axis=1)
    if channels in (1, 3):
        across = default_columns(filters) if columns is None else columns
        cells = [values[:, :, :, index] for index in range(filters)]
    else:
        rows, across = min(filters, MAX_SLICES), min(channels, MAX_SLICES)
        cells = [values[:, :, c : c + 1, o] for o in range(rows) for c in range(across)]
    grid = side_by_side(cells, across)
    return grid if channels == 3 else grid[:, :, 0]


def filter_order(kernel: Array, sort: str = "norm") -> Array:
    """The filters' numbers in another order.

    "norm": by the root of the sum of their squared weights, the largest first. "similarity": the largest first, and
    then each time the one most like the last (the largest cosine of the angle between their weights), so that filters
    for the same edge stand side by side. Equal ones keep their order.
    Shapes: kernel (KH,KW,C,O) -> (O,).
    Errors: ShapeError as filter_grid; ConfigError for an unknown order.
    Source: the norm as a measure of what a filter matters is Li et al. 2017's, section 3.1, with squares for sizes.
    """
    kernel = check_kernel(kernel, SCALES[0])
    expect_known("order of filters", sort, SORTS)
    flat = kernel.reshape(-1, kernel.shape[3]).T.astype(np.float64)
    norms = np.sqrt(np.square(flat).sum(axis=1))
    if sort == "norm":
        return np.argsort(-norms, kind="stable")
    alike = flat @ flat.T / np.maximum(np.outer(norms, norms), 1e-300)
    order = [int(norms.argmax())]
    while len(order) < len(flat):
        alike[:, order[-1]] = -np.inf  # taken
        order.append(int(alike[order[-1]].argmax()))
    return np.array(order)


def default_columns(filters: int) -> int:
    """How many kernels stand in a row: few empty cells first, then a picture about 1.5 times as wide as high."""

    def cost(columns: int) -> tuple[int, float]:
        rows = -(-filters // columns)
        return rows * columns - filters, abs(np.log(columns / rows / 1.5))

    least, most = COLUMN_COUNTS
    wide_enough = max(least, int(np.sqrt(filters)))
    return min(range(wide_enough, max(most, 2 * wide_enough) + 1), key=cost) if filters > most // 2 else filters


def check_kernel(kernel: Array, scale: str) -> Array:
    if isinstance(kernel, Layer | Model):
        raise ShapeError(f'kernels to draw: expected an array, got {kernel!r}; give a layer\'s params["kernel"]')
    kernel = np.asarray(kernel)
    if kernel.ndim != 4 or 0 in kernel.shape:
        raise ShapeError(f"kernels to draw: expected four axes (KH,KW,C,O), none empty, got shape {kernel.shape}")
    if scale not in SCALES:
        raise ConfigError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    return kernel


# Drawing


def filters_figure(
    kernel: Array,
    *,
    before: Array | None = None,
    name: str = "convolution",
    scale: str = "common",
    columns: int | None = None,
    sort: str | None = None,
    lang: str | None = None,
) -> Figure:
    """Kernels as a figure; with `before`, the same layer before and after training side by side.

    sort: see `filter_order`; both panels in the order of `kernel`, each filter under its own number. None: as they are.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Units: `scale="common"` has one scale for all filters of a panel, said in weights at the colour bar, or above each
    of two panels.
    Errors: as filter_grid and filter_order; ShapeError if `before` has another shape than `kernel`.
    """
    say, kernel = Labels(lang), check_kernel(kernel, scale)
    if before is not None and before.shape != kernel.shape:
        raise ShapeError(f"kernels of {name!r}: expected before {kernel.shape} as after, got {before.shape}")
    order = np.arange(kernel.shape[3]) if sort is None else filter_order(kernel, sort)
    kernel = kernel[..., order]
    panels = [("", kernel)]
    if before is not None:
        panels = [(say("before training"), np.asarray(before)[..., order]), (say("after training"), kernel)]
    limits = [
        float(np.abs(panel).max()) for _, panel in panels
    ]  # beside trained weights, early ones would be flat grey
    height, width, channels, filters = kernel.shape
    zoom = 2 if channels not in (1, 3) and channels > 16 else -(-12 // max(height, width))
    grids = [
        filter_grid(panel, scale=scale, columns=columns, limit=limit, zoom=zoom)
        for (_, panel), limit in zip(panels, limits, strict=True)
    ]
    panel_width = 4.2 if len(panels) == 2 else 5.2
    tall = (1.0 if channels == 3 else 0.87) * panel_width * grids[0].shape[0] / grids[0].shape[1]
    figure = new_figure(panel_width * len(panels) + 1.1, min(max(tall, 1.2), 9.0) + 1.2)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    ranged = len(panels) == 2 and scale == "common"
    for ax, (label, _), grid, limit in zip(axes, panels, grids, limits, strict=True):
        shown = ax.imshow(np.ma.masked_invalid(grid), cmap=grey(), vmin=0, vmax=1, interpolation="nearest")
        ax.set_title(f"{label}, ±{limit:.3g}" if ranged else label, color=INK, fontsize=10)
        _number(ax, kernel, columns, zoom, order, say)
    if channels == 3:
        words = say("mid-grey is 0; each filter on its own scale")
        if scale == "common":
            words = say("mid-grey is 0; ±{limit:.3g} at the ends", limit=limits[-1])
        if ranged:
            words = say("mid-grey is 0; each side on its own scale")
        figure.supxlabel(words, fontsize=9, color=INK)
    else:
        bar = figure.colorbar(shown, ax=list(axes), ticks=[0, 0.5, 1], shrink=0.9, aspect=30, pad=0.02)
        one, most = scale == "common" and not ranged, say("max")
        bar.ax.set_yticklabels(
            [f"{-limits[-1]:.3g}", "0", f"{limits[-1]:.3g}"] if one else [f"-{most}", "0", f"+{most}"]
        )
        scales = "weight, each side on its own scale" if ranged else "weight, one scale for all"
        bar.set_label(say("weight, each filter on its own scale" if scale == "each" else scales))
    words = "{name}: {filters} filters of {height} x {width} x {channels}"
    head = say(words, name=name, filters=filters, height=height, width=width, channels=channels)
    sides = (("{count} filters", filters), ("{count} channels", channels))
    counts = [say(what, count=MAX_SLICES) for what, n in sides if n > MAX_SLICES]
    if channels not in (1, 3) and counts:
        head += say(", the first {counts} drawn", counts=say(" and ").join(counts))
    if sort is not None:
        head += say(SORTS[sort])
    figure.suptitle(head, color=INK, fontsize=12)
    return figure


def _number(ax: Axes, kernel: Array, columns: int | None, zoom: int, order: Array, say: Labels) -> None:
    """Ticks that let a reader count: the first filter of each row and the place in the row, or filter and channel.

    Filters in another order have their numbers in their corners.
    """
    height, width = (zoom * extent for extent in kernel.shape[:2])
    channels, filters = kernel.shape[2:]
    if channels in (1, 3):
        across = default_columns(filters) if columns is None else columns
        rows, places = [], []
        if (order == np.arange(filters)).all():
            rows = [str(first) for first in range(0, filters, across)]
            places = [f"+{place}" if place else "0" for place in range(across)]
            ax.set_xlabel(say("place in the row"), fontsize=8)
            ax.set_ylabel(say("first filter of the row"), fontsize=8)
        else:
            _corner_numbers(ax, order, across, height + 1, width + 1)
    else:
        rows = [str(index) for index in order[:MAX_SLICES]]
        places = [str(index) for index in range(min(channels, MAX_SLICES))]
        ax.set_xlabel(say("input channel"), fontsize=8)
        ax.set_ylabel(say("filter"), fontsize=8)
    skip_x, skip_y = 1 + len(places) // 17, 1 + len(rows) // 17
    ax.set_xticks([(width - 1) / 2 + (width + 1) * i for i in range(len(places))][::skip_x], places[::skip_x])
    ax.set_yticks([(height - 1) / 2 + (height + 1) * i for i in range(len(rows))][::skip_y], rows[::skip_y])
    ax.tick_params(length=0, labelsize=8)
    without_spines(ax)


def _corner_numbers(ax: Axes, order: Array, across: int, tall: int, wide: int) -> None:
    """Each filter's own number in its upper left corner, readable on black and on white."""
    from matplotlib.patheffects import withStroke

    for place, index in enumerate(order):
        row, column = divmod(place, across)
        number = ax.text(column * wide - 0.2, row * tall - 0.2, str(index), ha="left", va="top", fontsize=6, color=INK)
        number.set_path_effects([withStroke(linewidth=1.6, foreground="white")])


def _filters_of(layer: Layer) -> Array | None:
    """A convolution's kernels; of one filter a channel, those. None of other layers. Shapes: (KH,KW,C,O)."""
    kernel = layer.params.get("kernel", layer.params.get("depthwise_kernel"))
    return None if kernel is None or kernel.ndim != 4 else layer.as_filters(kernel)


EXAMPLES = """The first convolution of a run, before and after training:
   pellucid show filters runs/simple-convnet-digits-001

Another layer, each filter on its own scale, as SVG:
   pellucid show filters RUN --layer conv2 --scale each --out conv2.svg

The strongest filters first, under their own numbers:
   pellucid show filters RUN --sort norm"""

WORDS = {
    "before training": "학습 전",
    "after training": "학습 후",
    "mid-grey is 0; each filter on its own scale": "중간 회색이 0, 필터마다 다른 눈금",
    "mid-grey is 0; ±{limit:.3g} at the ends": "중간 회색이 0, 양 끝이 ±{limit:.3g}",
    "weight, each filter on its own scale": "가중치, 필터마다 다른 눈금",
    "mid-grey is 0; each side on its own scale": "중간 회색이 0, 양쪽의 눈금이 다름",
    "weight, each side on its own scale": "가중치, 양쪽의 눈금이 다름",
    "weight, one scale for all": "가중치, 모두 같은 눈금",
    "{name}: {filters} filters of {height} x {width} x {channels}": (
        "{name}: {height} x {width} x {channels} 필터 {filters}개"
    ),
    ", the first {counts} drawn": ", 처음 {counts}만 그림",
    "{count} filters": "필터 {count}개",
    ", the largest first": ", 큰 것부터",
    ", alike ones side by side": ", 닮은 것끼리",
    "place in the row": "행에서의 자리",
    "first filter of the row": "행의 첫 필터",
    "input channel": "입력 채널",
    "filter": "필터",
}
"""Korean by English."""


@Picture("filters", EXAMPLES, words=WORDS)
def show_filters(
    source: Source,
    layer: Annotated[str | None, Option("--layer", "NAME", "Default: the first convolution.")] = None,
    scale: Annotated[str, Option("--scale", "common|each", "One scale for all, or each its own.")] = "common",
    sort: Annotated[
        str | None, Option("--sort", "norm|similarity", "The largest first, or alike ones side by side.")
    ] = None,
) -> Shown:
    """Draw the kernels of a convolution; of a run, before and after training side by side."""
    model = source.model
    found = {each.name: _filters_of(each) for each in model.flat_layers}
    kernels = {name: kernel for name, kernel in found.items() if kernel is not None}
    if not kernels:
        raise ConfigError(f"{source.what}: the network has no convolution, so there are no filters to draw")
    first = next(iter(kernels))
    name = layer or first
    expect_known("convolution", name, kernels)
    before = source.before_training() if model.trained_on and name == first else None  # of the first one alone
    before = None if before is None else model.get_layer(name).as_filters(before)
    title = f"{name}{trained_note(model, source.say)}"
    return Shown(
        lambda: filters_figure(kernels[name], before=before, name=title, scale=scale, sort=sort, lang=source.lang),
        "filters",
    )
