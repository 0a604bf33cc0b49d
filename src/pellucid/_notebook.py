"""Models, layers, histories and summaries as HTML for Jupyter: tables and inline SVG, nothing to load, no scripts."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from pellucid._text import markup
from pellucid.errors import PellucidError
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.model.summary import Summary, by, short, size
from pellucid.train import Evaluation, History
from pellucid.visualise.architecture.figure import architecture_svg
from pellucid.visualise.drawing.canvas import Drawing, Line, Text, to_svg
from pellucid.visualise.drawing.figure import BLUE, PALE, VERMILION
from pellucid.visualise.filters import filter_grid

CELL = "padding:2px 10px;text-align:{}"
NAMES = {"learning_rate": "learning rate", "images_per_s": "pictures a second"}
MAX_EPOCHS = 12
"""Of a longer history the table has the first, the best and the last epochs."""
MAX_FILTERS = 64


@singledispatch
def html(shown: object) -> str | None:
    """What a notebook shows of an object: a fragment of HTML with every name escaped; None for other objects."""
    return None


@singledispatch
def svg(shown: object) -> str | None:
    """What is shown where there is no HTML; None for nothing."""
    return None


@svg.register
def _(shown: Model) -> str | None:
    try:
        return architecture_svg(shown) if shown.flat_layers else None
    except PellucidError:  # not built yet, or a layer of one's own that cannot say its shape
        return None


@html.register
def _(shown: Model) -> str:
    drawn = svg(shown)
    if drawn is None:
        rows = [[layer.name, type(layer).__name__, layer.detail()] for layer in shown.flat_layers]
        words = "not built: give the first layer input_shape=(H, W, C), or call build" if rows else "no layers yet"
        return titled(shown.name, words) + (_table(("layer", "type", "arguments"), rows) if rows else "")
    responsive = drawn.replace("<svg ", '<svg style="max-width:100%;height:auto" ', 1)
    return f"<div>{responsive}</div>{html(shown.outline())}"


@html.register
def _(shown: Summary) -> str:
    rows = [["input", "", by(shown.input_shape), "", "", "", ""]]
    for row in shown.rows:
        name, *cells = row.cells()
        rows.append([name, row.type, *cells])
    rows.append(["total", "", "", "", f"{shown.parameters:,}", short(shown.macs), ""])
    head = ("layer", "type", "output", "kernel", "parameters", "MACs", "sees")
    words = f"{shown.parameters:,} parameters, of which {shown.trainable_parameters:,} are trained; "
    words += f"MACs and {size(shown.activation_bytes)} of activations for one picture"
    return titled(shown.name, words) + _table(head, rows, right=(2, 4, 5, 6), total=True)


@html.register
def _(shown: Layer) -> str:
    detail = f"{type(shown).__name__} {shown.detail()}".strip()
    if not shown.built:
        return titled(shown.name, f"{detail}; not built, so it has no weights yet")
    frozen = "" if shown.trainable or not shown.params else "; frozen"
    rows = []
    for name, array in {**shown.params, **shown.state}.items():
        numbers = [f"{float(f(array)):.4g}" for f in (np.min, np.mean, np.max)] if array.size else [""] * 3
        rows.append([name, by(array.shape), f"{array.size:,}", *numbers])
    head = ("weights", "shape", "numbers", "least", "mean", "most")
    table = _table(head, rows, right=(1, 2, 3, 4, 5)) if rows else ""
    return titled(shown.name, detail + frozen) + table + _filters(shown)


@html.register
def _(shown: History) -> str:
    epochs = len(shown.epoch)
    if not epochs:
        return titled("history", "no epoch yet")
    names = list(shown.history)
    best = "" if shown.best_epoch is None else f", the best was {shown.best_epoch + 1}"
    chosen = [place for place in range(epochs) if _in_table(place, epochs, shown.epoch[place] == shown.best_epoch)]
    rows = []
    for place in chosen:
        mark = " (best)" if shown.epoch[place] == shown.best_epoch else ""
        values = [shown.history[name] for name in names]
        rows.append([f"{shown.epoch[place] + 1}{mark}", *(f"{v[place]:.4g}" if place < len(v) else "" for v in values)])
    cut = "" if len(chosen) == epochs else f"; {len(chosen)} of them in the table"
    head = ("epoch", *(NAMES.get(name, name) for name in names))
    charts = "".join(chart(shown, name) for name in names if not name.startswith("val_") and name != "learning_rate")
    right = tuple(range(len(head)))
    return titled("history", f"{epochs} epochs{best}{cut}") + f"<div>{charts}</div>" + _table(head, rows, right=right)


@html.register
def _(shown: Evaluation) -> str:
    return _table(("measured", "value"), [[name, f"{shown[name]:.4f}"] for name in list(shown.keys())], right=(1,))


# Parts


def titled(name: str, words: str) -> str:
    """A name, and what is said of it."""
    return f"<div><b>{markup(name)}</b>: {markup(words)}</div>"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), total: bool = False
) -> str:
    """A table with every cell escaped; the columns numbered in `right` are set flush right."""

    def line(cells: Sequence[str], tag: str, style: str = "") -> str:
        sides = ["right" if place in right else "left" for place in range(len(cells))]
        done = (f'<{tag} style="{CELL.format(side)}">{markup(c)}</{tag}>' for c, side in zip(cells, sides, strict=True))
        return f"<tr{style}>{''.join(done)}</tr>"

    body = [line(row, "td") for row in rows]
    if total:
        body[-1] = line(rows[-1], "th")
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{''.join(body)}</tbody></table>"


def _in_table(place: int, epochs: int, best: bool) -> bool:
    return best or epochs <= MAX_EPOCHS or place < 3 or place >= epochs - MAX_EPOCHS + 4


def _filters(layer: Layer) -> str:
    """The kernels of a convolution over grey or colour pictures, as a PNG in the page."""
    kernel = layer.params.get("kernel")
    if kernel is None or kernel.ndim != 4 or kernel.shape[2] not in (1, 3) or not kernel.size:
        return ""
    from PIL import Image

    drawn = kernel[..., :MAX_FILTERS]
    grid = filter_grid(drawn, zoom=max(1, 48 // max(kernel.shape[:2])))
    picture = np.where(np.isnan(grid), 1.0, np.clip(grid, 0, 1))
    file = io.BytesIO()
    Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, "png")
    data = base64.b64encode(file.getvalue()).decode()
    first = f"first {MAX_FILTERS} of {kernel.shape[3]}" if kernel.shape[3] > MAX_FILTERS else str(kernel.shape[3])
    what = f"{first} filters, mid-grey is 0, ±{float(np.abs(drawn).max()):.3g} at the ends"
    return f'<div>{what}<br><img alt="{what}" src="data:image/png;base64,{data}"></div>'


def chart(history: History, name: str) -> str:
    """One curve and its validation's, as a small SVG with the ends of both axes said."""
    lines = {key: history.history[key] for key in (name, f"val_{name}") if key in history.history}
    values = [value for line in lines.values() for value in line if math.isfinite(value)]
    if not values:
        return ""
    low, high = min(values), max(values)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)
    first, last = history.epoch[0] + 1, history.epoch[-1] + 1
    left, top, width, height = 44.0, 16.0, 180.0, 80.0
    drawing = Drawing(left + width + 16, top + height + 20, name)
    drawing.items = [
        Line(((left, top), (left, top + height), (left + width, top + height)), PALE),
        Text(left, top - 5, name + ("; dashed: validation" if len(lines) > 1 else ""), 8, "start", bold=True),
        Text(left - 4, top + 6, f"{high:.3g}", 8, "end"),
        Text(left - 4, top + height, f"{low:.3g}", 8, "end"),
        Text(left, top + height + 12, f"epoch {first}", 8, "start"),
        Text(left + width, top + height + 12, str(last), 8, "end"),
    ]
    for key, line in lines.items():
        style = (VERMILION, 1.4, (4.0, 2.0)) if key.startswith("val_") else (BLUE, 1.4, ())
        step = width / max(len(line) - 1, 1)
        seen = [(place, value) for place, value in enumerate(line) if math.isfinite(value)]
        points = [(left + step * place, top + height * (high - value) / (high - low)) for place, value in seen]
        if len(points) == 1:  # one epoch is a dash across the chart
            points = [(left, points[0][1]), (left + width, points[0][1])]
        drawing.add([Line(tuple(points), *style)] if points else [])
    return to_svg(drawing)
