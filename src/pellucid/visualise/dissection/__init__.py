"""One number of a layer taken apart (`data`), and drawn (`figure`)."""

from __future__ import annotations

from typing import Annotated, Any

from pellucid.errors import ConfigError
from pellucid.visualise.dissection.data import Dissection, dissect
from pellucid.visualise.dissection.figure import draw_dissection
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

EXAMPLES = """The largest number of the first convolution:
   pellucid show arithmetic runs/simple-convnet-digits-001

Row 3, column 4 of channel 7, and the same as data:
   pellucid show arithmetic RUN --image 7.png --layer conv1 --at 3,4,7
   pellucid show arithmetic RUN --layer conv1 --at 3,4,7 --json"""

WORDS = {
    "number ({place}) of {layer}, {shape}": "{layer}({shape})의 값 ({place})",
    "input {index}": "입력 {index}",
    "the other {count}": "나머지 {count}개",
    "patch": "패치",
    "products": "곱",
    "sum {value}": "합 {value}",
    "pad": "패딩",
    "input, channel {index}": "입력, 채널 {index}",
    "output, channel {index}": "출력, 채널 {index}",
    "output: unit {index} of {count}": "출력: 유닛 {count}개 중 {index}번",
    "the largest {shown} of {count:,} products": "곱 {count:,}개 중 가장 큰 {shown}개",
    "before softmax: the largest {shown} of {count}": "소프트맥스 앞의 값: {count}개 중 가장 큰 {shown}개",
    "before softmax: all {count}": "소프트맥스 앞의 값: {count}개 모두",
    "in": "입력",
    "out": "출력",
    "the value going in and coming out": "들어가는 값과 나오는 값",
    "passed on as it is: {result}": "그대로 전달: {result}",
    "the largest of {count} values = {result}": "값 {count}개 중 최댓값 = {result}",
    "sum of 1 product {total}": "곱 1개의 합 {total}",
    "sum of {count:,} products {total}": "곱 {count:,}개의 합 {total}",
    "+ bias {bias} = {before}": "+ 편향 {bias} = {before}",
    "sum of e^z over {count} values": "값 {count}개의 e^z 합",
    "{amplitude} · tanh({slope} · {value})": "{amplitude} · tanh({slope} · {value})",
    "{gamma} · ({value} - mean {mean}) / sqrt(variance {variance} + {epsilon}) + {beta}": (
        "{gamma} · ({value} - 평균 {mean}) / sqrt(분산 {variance} + {epsilon}) + {beta}"
    ),
    "{value} / ({k} + {alpha} · sum of squares {total})^{beta}": "{value} / ({k} + {alpha} · 제곱합 {total})^{beta}",
    "minus the sum of {count} squared distances": "제곱 거리 {count}개의 합에 음의 부호",
}
"""Korean by English."""


@Picture("arithmetic", EXAMPLES, words=WORDS)
def show_arithmetic(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    at: Annotated[
        str | None, Option("--at", "ROW,COL,CHANNEL", "Which number, or UNIT alone. Default: the largest.")
    ] = None,
    as_json: Annotated[bool, Option("--json", None, "Print its parts as JSON instead of drawing them.")] = False,
) -> Shown:
    """Show how one number of a layer comes about: the patch, the kernel, the products, the sum."""
    position = None if at is None else _position(at)
    model, say = source.model, source.say
    pixels, name = source.picture(image)
    with source.working("following the picture"):
        found = dissect(model, pixels, layer, position)
    if as_json:
        return Shown(records=as_data(found))
    trained = "" if model.trained_on else say(" (not trained)")
    title = f"{name}, {model.name}{trained}"
    return Shown(lambda: draw_dissection(found, title=title, lang=source.lang), "arithmetic")


def as_data(found: Dissection) -> dict[str, Any]:
    """A dissection as JSON has it; numbers that are not finite are null."""
    return {
        **{name: getattr(found, name) for name in ("layer", "detail", "kind")},
        **{name: list(getattr(found, name)) for name in ("position", "output_shape", "rows", "columns", "channels")},
        **{name: _lists(getattr(found, name)) for name in ("patch", "kernel", "products")},
        "sum": found.total,
        **{name: getattr(found, name) for name in ("bias", "before", "activation", "result", "computed", "equation")},
    }


def _lists(values: Any) -> Any:
    if values is None:
        return None
    if getattr(values, "ndim", 0):
        return [_lists(value) for value in values]
    return float(values) if abs(float(values)) < float("inf") else None


def _position(at: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in at.split(","))
    except ValueError:
        raise ConfigError(f"--at takes whole numbers, ROW,COL,CHANNEL or UNIT, got {at!r}") from None
