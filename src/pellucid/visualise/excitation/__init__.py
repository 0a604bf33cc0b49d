"""Pictures that excite a filter most, found among many or made (`data`), and drawn (`figure`)."""

from __future__ import annotations

from typing import Annotated

from pellucid.errors import ConfigError
from pellucid.visualise.excitation.data import top_pictures
from pellucid.visualise.excitation.figure import ACROSS, count_channels, depth_figure, found_figure, made_figure
from pellucid.visualise.registry import LayerName, Option, Picture, Shown, Source

EXAMPLES = """Pictures made for the first channels of each layer, from edges to parts:
   pellucid show excite runs/cifar-net-cifar10-001

Those of the run's test pictures that excite one channel most:
   pellucid show excite RUN --layer conv3 --found --channel 12"""
FOUND_FOR_ONE = 24
"""Pictures that are shown of one channel."""

WORDS = {
    "{model}: what excites its channels most, made by gradient ascent": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, 경사 상승법으로 만듦"
    ),
    "{model}: what excites its channels most, found among {count:,} pictures": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, {count:,}장 중에서 찾음"
    ),
    "each picture is what one unit sees within the picture, enlarged to the same width": (
        "각 이미지는 유닛 하나의 수용 영역 중 이미지 안에 드는 부분이며, 같은 너비로 키웠습니다"
    ),
    "each picture is what one unit sees, black beyond the edge, enlarged to the same width": (
        "각 이미지는 유닛 하나가 보는 부분이며(이미지 밖은 검정), 같은 너비로 키웠습니다"
    ),
    "start {index}": "시작점 {index}",
    ", {what} from {count} starts": ", {what}, 시작점 {count}개",
    "{model}: made to excite {layer}": "{model}: {layer} 계층을 크게 활성화하도록 만든 이미지",
    "gradient ascent; each picture is {size} pixels": "경사 상승법, 이미지마다 {size} 픽셀",
    "{model}: what excites {layer} most among {count:,} pictures": (
        "{model}: 이미지 {count:,}장 중 {layer} 계층을 가장 크게 활성화하는 것"
    ),
    "each picture is the {size} pixels that the unit sees, black beyond the edge; above it, its output": (
        "각 이미지는 유닛이 보는 {size} 픽셀이고(이미지 밖은 검정), 위의 수는 그 출력입니다"
    ),
    "sees {size}": "보는 범위 {size}",
}
"""Korean by English."""


@Picture("excite", EXAMPLES, words=WORDS)
def show_excite(
    source: Source,
    layer: LayerName = None,
    found: Annotated[
        bool,
        Option("--found/--made", None, "Search the pictures the run held out, or make pictures by gradient ascent."),
    ] = False,
    channel: Annotated[int | None, Option("--channel", "N", "One channel of --layer, in more pictures.", 0)] = None,
    seed: Annotated[int, Option("--seed", "N", "The noise that --made starts from.", 0)] = 0,
    data: Annotated[str | None, Option("--data", "NAME|FOLDER", "What --found searches instead.")] = None,
) -> Shown:
    """Draw the pictures that excite channels most: of all layers by depth, or of one layer."""
    if channel is not None and layer is None:
        raise ConfigError(f"--channel {channel}: say of which layer, with --layer")
    if data is not None and not found:
        raise ConfigError(f"--data {data} is what --found searches; add --found")
    model, lang = source.model, source.lang
    with source.working() as progress:
        images = source.held_out(data).test.images if found else None
        if layer is None:
            figure = depth_figure(model, images=images, seed=seed, lang=lang, progress=progress)
        elif images is None:
            figure = made_figure(model, layer, channel, seed=seed, lang=lang, progress=progress)
        else:
            picks = range(min(ACROSS, count_channels(model, layer))) if channel is None else [channel]
            most = min(ACROSS if channel is None else FOUND_FOR_ONE, len(images))
            strongest = top_pictures(model, images, layer, most, channels=list(picks), progress=progress)
            figure = found_figure(model, strongest, images, lang=lang)
    which = "" if layer is None else f"-{layer}" + ("" if channel is None else f"-{channel}")
    return Shown(lambda: figure, f"{'found' if found else 'made'}{which}")
