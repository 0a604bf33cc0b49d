"""What a network looks at, drawn: a picture, and over it one map for each of its most probable classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid._numbers import number, percent
from pellucid._text import in_lines
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, DataError, expect_known, unknown_name
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import pair
from pellucid.visualise.answers import batch_of_one, class_label, class_names, probabilities, trained_note
from pellucid.visualise.attribution.data import (
    default_layer,
    grad_cam,
    input_gradient,
    occlusion,
    saliency,
)
from pellucid.visualise.drawing.figure import BLUE, INK, VERMILION, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import as_shown, show_picture
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

METHODS = ("grad-cam", "gradient", "occlusion")
TITLE = 32
"""Columns of the title above a panel."""
PANEL = 2.6
"""Width of a panel in inches."""

COVERED_SHARE = 6
"""The rectangle of occlusion is by default this part of the picture's sides."""


def attention_figure(
    model: Model,
    picture: Any,
    *,
    method: str = "grad-cam",
    classes: int | Sequence[int] | None = None,
    layer: str | None = None,
    top: int = 3,
    size: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    name: str = "",
    lang: str | None = None,
    progress: Progress | None = None,
) -> Figure:
    """A picture, and what speaks for each of some classes in it, drawn over its grey copy.

    classes: which to ask for; None for the `top` most probable ones. layer: of Grad-CAM. size, stride: of occlusion,
    as there; None for a sixth of the picture's sides, and a quarter of that.
    name: what the picture is called, for its panel. lang: of the labels, "en" or "ko"; None for the locale's.
    Shapes: picture (H,W,C), or (H,W) for one channel.
    Errors: ConfigError for an unknown method; DataError where the answer is NaN; else as the map's own function.
    """
    expect_known("method", method, METHODS)
    say = Labels(lang)
    one = batch_of_one(model, picture)
    answer = probabilities(model, one)[0]
    if np.isnan(answer).any():
        raise DataError(f"{model.name} answers NaN for this picture, so nothing in it speaks for a class")
    picks = np.argsort(-answer, kind="stable")[:top] if classes is None else np.atleast_1d(classes)
    signed = method == "occlusion"
    if signed:
        sixth = [max(1, -(-side // COVERED_SHARE)) for side in one.shape[1:3]]
        rows, columns = pair(sixth if size is None else size, "occlusion: size")
        maps = occlusion(model, one[0], (rows, columns), stride, classes=picks, progress=progress)
        words = say("what each class loses where {size} pixels are covered", size=f"{rows}x{columns}")
    elif method == "gradient":
        maps = saliency(input_gradient(model, np.repeat(one, len(picks), axis=0), picks))
        words = say("slope of each class's score along the pixels")
    else:
        chosen = layer or default_layer(model)
        maps = grad_cam(model, one[0], chosen, picks)
        words = say("Grad-CAM of each class at {layer}", layer=chosen)
    figure = new_figure(PANEL * (1 + len(picks)) + 0.9, PANEL * one.shape[1] / one.shape[2] + 0.95)
    first, *others = figure.subplots(1, 1 + len(picks), squeeze=False)[0]
    show_picture(first, one[0], in_lines(name or say("the picture"), TITLE))
    limit = max(float(np.abs(maps).max()), 1e-12)
    for axes, values, index in zip(others, maps, picks, strict=True):
        largest = float(np.abs(values).max())
        shown = draw_map(axes, one[0], values, limit if signed else largest, signed=signed)
        title = f"{class_label(model, int(index))}: {percent(float(answer[index]), 1)}"
        axes.set_title(
            title if signed else f"{title}\n" + say("largest {value}", value=number(largest, 3)), fontsize=9, color=INK
        )
    bar = figure.colorbar(shown, ax=others, shrink=0.85, pad=0.02, aspect=22)
    if signed:
        bar.set_label(say("loss of probability\nwhere it is covered"), fontsize=8)
        words_below = say("solid line: above half of the scale; dashed: below minus half of it")
        figure.supxlabel(words_below, fontsize=8, color=INK)
    else:
        bar.set_ticks([0, largest or 1], labels=["0", say("largest")])
        bar.set_label(say("each map on its own scale"), fontsize=8)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(f"{model.name}{trained_note(model, say)}: {words}", fontsize=11, color=INK)
    return figure


def draw_map(axes: Axes, picture: Any, values: Array, limit: float, *, signed: bool = False) -> AxesImage:
    """A map over the grey copy of its picture.

    Magnitudes from 0 to `limit` in cividis. With signs, vermilion speaks for and blue against, and as grey print has
    no colours, a solid line goes around what is above half the limit, a dashed one around what is below minus that.
    Shapes: picture (H,W,C), values (H,W).
    """
    from matplotlib.colors import LinearSegmentedColormap

    grey = as_shown(picture)
    show_picture(axes, grey if grey.ndim == 2 else grey @ np.array([0.299, 0.587, 0.114]))
    limit = limit if limit > 0 else 1.0
    if not signed:
        return axes.imshow(values, cmap="cividis", vmin=0, vmax=limit, alpha=0.7, interpolation="nearest")
    colours = LinearSegmentedColormap.from_list("signed", [BLUE, "white", VERMILION])
    shown = axes.imshow(values, cmap=colours, vmin=-limit, vmax=limit, alpha=0.65, interpolation="nearest")
    for level, line in ((limit / 2, "solid"), (-limit / 2, "dashed")):
        if values.min() < level < values.max():
            axes.contour(values, levels=[level], colors=INK, linewidths=1.0, linestyles=line)
    return shown


EXAMPLES = """Where the evidence for the three most probable classes lies (Grad-CAM):
   pellucid show attribution runs/simple-convnet-mnist-001 --image seven.png

What one class loses where a part of the picture is covered:
   pellucid show attribution RUN --method occlusion --class cat"""

WORDS = {
    "largest": "최댓값",
    "largest {value}": "최댓값 {value}",
    "loss of probability\nwhere it is covered": "가렸을 때\n줄어드는 확률",
    "solid line: above half of the scale; dashed: below minus half of it": (
        "실선: 눈금의 절반보다 큰 곳, 점선: 음의 절반보다 작은 곳"
    ),
    "slope of each class's score along the pixels": "픽셀에 대한 클래스별 점수의 기울기",
    "Grad-CAM of each class at {layer}": "{layer}에서 본 클래스별 Grad-CAM",
    "what each class loses where {size} pixels are covered": "{size} 픽셀을 가릴 때 클래스별로 줄어드는 확률",
}
"""Korean by English."""


@Picture("attribution", EXAMPLES, one_answer=True, words=WORDS)
def show_attribution(
    source: Source,
    image: ImageFile = None,
    method: Annotated[str, Option("--method", "NAME", "gradient, grad-cam or occlusion.")] = "grad-cam",
    class_name: Annotated[
        str | None, Option("--class", "NAME", "One class. Default: the three most probable ones.")
    ] = None,
    layer: LayerName = None,
    size: Annotated[
        str | None, Option("--size", "N|ROWS,COLS", "Of what occlusion covers. Default: a sixth of the sides.")
    ] = None,
    stride: Annotated[
        str | None, Option("--stride", "N|ROWS,COLS", "From one cover to the next. Default: a quarter of it.")
    ] = None,
) -> Shown:
    """Draw which parts of a picture the network's classes depend on.

    --layer is that of Grad-CAM; --size and --stride, in pixels, are those of occlusion.
    """
    expect_known("method", method, METHODS)
    if layer is not None and method != "grad-cam":
        raise ConfigError(f"--layer is for --method grad-cam; {method} asks about the whole network")
    if method != "occlusion" and (size or stride):
        raise ConfigError(f"--size and --stride are for --method occlusion; {method} covers nothing")
    covered, step = _pixels(size, "--size"), _pixels(stride, "--stride")
    model = source.model
    names = class_names(model, max(model.graph.output_shape[0], 2))
    if class_name is not None and class_name not in names:
        raise unknown_name("class", class_name, names)
    pixels, name = source.picture(image)
    with source.working() as progress:
        figure = attention_figure(
            model,
            pixels,
            method=method,
            classes=None if class_name is None else names.index(class_name),
            layer=layer,
            size=covered,
            stride=step,
            name=name,
            lang=source.lang,
            progress=progress,
        )
    return Shown(lambda: figure, f"attribution-{method}")


def _pixels(text: str | None, option: str) -> tuple[int, int] | None:
    """Rows and columns, as an option has them: "7" or "7,9"; None for none.

    Errors: ConfigError for anything but one or two whole numbers of at least 1.
    """
    if text is None:
        return None
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f"{option} takes pixels, N or ROWS,COLS, got {text!r}")
    numbers = [int(part) for part in parts]
    return pair(numbers[0] if len(numbers) == 1 else numbers, option)
