"""The maps that layers make of a picture (`data`), and drawn (`figure`)."""

from __future__ import annotations

from typing import Annotated

from pellucid.visualise.features.figure import features_figure
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

EXAMPLES = """A test picture of the run's data, through all layers:
   pellucid show features runs/simple-convnet-digits-001

A photograph through VGG-16 as it is before training:
   pellucid show features vgg16 --image cat.jpg --out vgg.png

A photograph, one layer, as SVG:
   pellucid show features RUN --image cat.jpg --layer conv2 --out conv2.svg"""

WORDS = {
    "picture: {shape}": "이미지: {shape}",
    "a picture": "이미지 한 장",
    "{what} through {model}": "{model} 속의 {what}",
    ", said: {answer!r}": ", 답: {answer!r}",
    "answer: first {shown} of {classes} classes": "답: 클래스 {classes}개 중 처음 {shown}개",
    "answer: {classes} classes": "답: 클래스 {classes}개",
    "score": "점수",
    "{name}: {count} units": "{name}: 유닛 {count}개",
    "all {count} channels": "채널 {count}개 모두",
    "channel {index} of {count}": "채널 {count}개 중 {index}번",
    "first {shown} of {count} channels": "채널 {count}개 중 처음 {shown}개",
    "first {shown} of {count}, and {last}": "{count}개 중 처음 {shown}개, 그리고 {last}번",
    "framed: channel {index}": "테두리: 채널 {index}",
    "white {limit:.3g}": "흰색 {limit:.3g}",
    "mid-grey 0": "중간 회색 0",
    "black 0": "검정 0",
    "{name}:\n{count} units, {across} in a row": "{name}:\n유닛 {count}개, 한 행에 {across}개",
    "{name}:\n{shape}, a row a channel": "{name}:\n{shape}, 채널마다 한 행",
    "Maps: {scale}; black is 0, or mid-grey is 0 where there are negative values. Left of a row: its first channel.": (
        "특징 맵: {scale}. 검정이 0, 음수가 있으면 중간 회색이 0입니다. 행 왼쪽 숫자는 그 행의 첫 채널입니다."
    ),
    "each channel on its own scale": "채널마다 다른 눈금",
    "A map of one value has it written in, on the layer's scale.": (
        "값이 하나뿐인 맵은 계층의 눈금으로 그리고 값을 적었습니다."
    ),
    "one scale for all channels of a layer": "한 계층의 모든 채널이 같은 눈금",
    "Framed: what adds most to the score of {answer!r}, by the mean over its places of (d score / d y) · y.": (
        "테두리: {answer!r}의 점수에 가장 많이 보태는 채널, (d 점수 / d y) · y의 자리 평균으로 쟀습니다."
    ),
}
"""Korean by English."""


@Picture("features", EXAMPLES, words=WORDS)
def show_features(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    channels: Annotated[int, Option("--channels", "N", "Channels drawn of each layer at most.", 1)] = 16,
    scale: Annotated[str, Option("--scale", "each|common", "Each channel its own, or one for a layer.")] = "each",
) -> Shown:
    """Draw a picture on its way through the network; the channel that matters most for the answer is framed."""
    model = source.model
    pixels, name = source.picture(image)
    layers = None if layer is None else [layer]
    with source.working("following the picture"):
        figure = features_figure(model, pixels, layers, channels=channels, scale=scale, title=name, lang=source.lang)
    return Shown(lambda: figure, "features")
