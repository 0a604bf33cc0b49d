"""The network itself: which blocks it has (`data`), drawn as blocks, node by node, or in letters."""

from __future__ import annotations

from typing import Annotated

from pellucid.errors import unknown_name
from pellucid.visualise.architecture.figure import STYLES, architecture_figure, architecture_svg, architecture_text
from pellucid.visualise.registry import Option, Picture, Shown, Source

EXAMPLES = """VGG-16 as a textbook draws it, as SVG:
   pellucid show architecture vgg16 --out vgg16.svg

A run's network in the terminal:
   pellucid show architecture runs/simple-convnet-digits-001 --style text"""

WORDS = {
    "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture": (
        "{name}: 매개변수 {parameters:,}개, 이미지 한 장에 곱셈-덧셈 {macs}번"
    ),
    "convolution, with what follows it": "합성곱과 그에 딸린 계층",
    "pooling": "풀링",
    "fully connected": "완전 연결",
    "other": "그 밖",
    "boxes: height and depth in proportion to H and W, thickness to √channels": (
        "상자: 높이와 깊이는 H와 W에, 두께는 √채널 수에 비례"
    ),
    "bars: length in proportion to √units": "막대: 길이는 √유닛 수에 비례",
    "lines above the boxes: values that a box further on reads too": "상자 위의 선: 더 뒤의 상자도 읽는 값",
    "{name}: {count:,} parameters, node by node": "{name}: 매개변수 {count:,}개, 노드별로",
    "number {unit} of {shape}": "{shape} 중 {unit}번",
    "{count:,} weights": "가중치 {count:,}개",
    "{count:,} connections": "연결 {count:,}개",
    "{count:,} weights, shared": "공유 가중치 {count:,}개",
    "(fully: {sum})": "(완전 연결: {sum})",
    "1 bias": "편향 1개",
    "{count:,} biases": "편향 {count:,}개",
    "Lines to a convolution: the same style is the same weight.": "합성곱으로 가는 선: 같은 모양은 같은 가중치입니다.",
    "Filled units: those whose windows are drawn strong; the others' are faint.": (
        "채운 유닛: 윈도우를 진하게 그린 유닛이며, 나머지는 흐리게 그렸습니다."
    ),
    "flatten to {count:,}": "펼쳐서 {count:,}",
    "to {names}": "{names}에",
    "and {name}": "및 {name}",
    "{count:,} params": "매개변수 {count:,}",
}
"""Korean by English."""


@Picture("architecture", EXAMPLES, words=WORDS)
def show_architecture(
    source: Source,
    style: Annotated[
        str, Option("--style", "blocks|nodes|text", "Boxes, circles (for small networks), or letters.")
    ] = "blocks",
) -> Shown:
    """Draw a network: its layers' shapes, kernels and parameters."""
    if style not in STYLES:
        raise unknown_name("style", style, STYLES)
    model, lang = source.model, source.lang
    if style == "text":
        return Shown(text=lambda plain: architecture_text(model, plain=plain, lang="en" if plain else lang))
    return Shown(
        lambda: architecture_figure(model, style, lang=lang),
        "architecture",
        svg=lambda: architecture_svg(model, style, lang=lang),  # our own, smaller than Matplotlib's, words as words
    )
