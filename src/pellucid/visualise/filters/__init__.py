"""Kernels of convolutions: as one array of greys or colours (`data`), and drawn (`figure`)."""

from __future__ import annotations

from typing import Annotated

from pellucid.errors import ConfigError, unknown_name
from pellucid.visualise.answers import trained_note
from pellucid.visualise.filters.figure import filters_figure
from pellucid.visualise.registry import Option, Picture, Shown, Source

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
    kernels = {each.name: each.params["kernel"] for each in model.layers if "kernel" in each.params}
    kernels = {name: kernel for name, kernel in kernels.items() if kernel.ndim == 4}
    if not kernels:
        raise ConfigError(f"{source.what}: the network has no convolution, so there are no filters to draw")
    first = next(iter(kernels))
    name = layer or first
    if name not in kernels:
        raise unknown_name("convolution", name, kernels)
    before = source.before_training() if model.trained_on and name == first else None  # of the first one alone
    title = f"{name}{trained_note(model, source.say)}"
    return Shown(
        lambda: filters_figure(kernels[name], before=before, name=title, scale=scale, sort=sort, lang=source.lang),
        "filters",
    )
