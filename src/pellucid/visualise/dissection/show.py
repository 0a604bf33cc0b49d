"""One number of a layer, or one gradient, as a figure made of a network and a picture; `pellucid show arithmetic`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid.errors import ConfigError, unknown_name
from pellucid.model import Model
from pellucid.model.tracing import trace
from pellucid.ops import Array
from pellucid.visualise.answers import class_label, class_names
from pellucid.visualise.dissection.backward import draw_gradient
from pellucid.visualise.dissection.data import dissect
from pellucid.visualise.dissection.figure import TIMES, draw_dissection
from pellucid.visualise.dissection.gradient import dissect_gradient, dissect_gradient_step, first_layer
from pellucid.visualise.dissection.records import as_data
from pellucid.visualise.dissection.update import dissect_update
from pellucid.visualise.dissection.weight import dissect_weight_step
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def dissect_figure(
    model: Model,
    picture: Any,
    layer: str | None = None,
    position: Sequence[int] | None = None,
    *,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """How one output number comes about: patch, kernel, products, and the sum as an equation.

    Windows up to 7x7 have their numbers written in. Of many input channels, the four whose products add up to most are
    drawn, and the sum of the others is said; of a dense layer, the twelve largest products.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: as `dissect`; ConfigError for another language.
    """
    trained = "" if model.trained_on else Labels(lang)(" (not trained)")
    found = dissect(model, picture, layer, position)
    return draw_dissection(found, title=f"{title or model.name}{trained}", lang=lang)


def gradient_figure(
    model: Model,
    picture: Any,
    label: Any,
    layer: str | None = None,
    position: Sequence[int] | None = None,
    *,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """Where the gradient of one number that a layer takes comes from, as `dissect_gradient` has it.

    Of a convolution: what arrives at each filter's map, times its weights, for the four filters of the largest shares;
    of other layers the twelve largest terms, and where they arrive.
    lang: of the labels, "en" or "ko"; None for the locale's.
    Errors: as `dissect_gradient`; ConfigError for another language.
    """
    trained = "" if model.trained_on else Labels(lang)(" (not trained)")
    found = dissect_gradient(model, picture, label, layer, position)
    return draw_gradient(found, title=f"{title or model.name}{trained}", lang=lang)


EXAMPLES = """The largest number of the first convolution:
   pellucid show arithmetic runs/simple-convnet-digits-001

Row 3, column 4 of channel 7, and the same as data:
   pellucid show arithmetic RUN --image 7.png --layer conv1 --at 3,4,7
   pellucid show arithmetic RUN --layer conv1 --at 3,4,7 --json

Where the gradient of a number that conv2 takes comes from; of a weight, and its update:
   pellucid show arithmetic RUN --layer conv2 --at 3,4,7 --backward
   pellucid show arithmetic RUN --layer conv1 --weight kernel,0,2,0,5"""

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
    "{values}": "{values}",
    "{gamma} · ({value} - mean {mean}) / sqrt(variance {variance} + {epsilon}) + {beta}": (
        "{gamma} · ({value} - 평균 {mean}) / sqrt(분산 {variance} + {epsilon}) + {beta}"
    ),
    "{value} / ({k} + {alpha} · sum of squares {total})^{beta}": "{value} / ({k} + {alpha} · 제곱합 {total})^{beta}",
    "minus the sum of {count} squared distances": "제곱 거리 {count}개의 합에 음의 부호",
    "gradient": "기울기",
    f"gradient {TIMES} f'(z)": f"기울기 {TIMES} f'(z)",
    "arriving, channel {index}": "도착한 기울기, 채널 {index}",
    "what arrives at the output": "출력에 도착한 기울기",
    "gradient of the input": "입력의 기울기",
    "gradient of the input, channel {index}": "입력의 기울기, 채널 {index}",
    "gradient of {name}": "{name}의 기울기",
    "gradient of number ({place}) that {layer} takes, {shape}": "{layer}의 입력({shape})에서 값 ({place})의 기울기",
    "gradient of {name} ({place}) of {layer}, {shape}": "{layer}의 {name}({shape})에서 값 ({place})의 기울기",
    "all terms: {count}": "항 {count}개 모두",
    "the largest {shown} of {count:,} terms": "항 {count:,}개 중 가장 큰 {shown}개",
    "of the first, the loss gives ({given} - {wanted}) / {count} = {arriving}": (
        "첫째 항에 손실이 주는 값 ({given} - {wanted}) / {count} = {arriving}"
    ),
    "picture {index}": "이미지 {index}",
    "won": "최댓값임",
    "lost": "최댓값 아님",
    "kept": "남김",
    "dropped": "버림",
    "own": "자신",
    "mean": "평균",
    "variance": "분산",
    "step {step} of {optimizer}": "{optimizer}의 {step}번째 갱신",
    "penalty": "규제",
    "clipping": "클리핑",
    "weight decay": "가중치 감쇠",
    "corrected rate": "보정한 학습률",
    "weight": "가중치",
    "step": "보폭",
    "square": "제곱 평균",
    "velocity": "속도",
    "delta": "보폭 제곱 평균",
    "m": "m",
    "v": "v",
    "u": "u",
    "v_max": "가장 큰 v",
    "linear": "선형 항",
    "loss of {label!r}": "{label!r}의 손실",
}
"""Korean by English."""


AtOption = Annotated[
    str | None, Option("--at", "ROW,COL,CHANNEL", "Which number, or UNIT alone. Default: the largest.")
]
WeightOption = Annotated[
    str | None, Option("--weight", "NAME[,I]...", "Backward, of a weight of --layer and its update: kernel,0,2,0,5.")
]
ClassOption = Annotated[
    str | None, Option("--class", "NAME", "Backward, of the loss of this class. Default: the true one, or the answer.")
]


@Picture("arithmetic", EXAMPLES, words=WORDS)
def show_arithmetic(
    source: Source,
    image: ImageFile = None,
    layer: LayerName = None,
    at: AtOption = None,
    backward: Annotated[bool, Option("--backward", None, "The gradient of a number that --layer takes.")] = False,
    weight: WeightOption = None,
    class_name: ClassOption = None,
    as_json: Annotated[bool, Option("--json", None, "Print its parts as JSON instead of drawing them.")] = False,
) -> Shown:
    """Show how one number of a layer comes about, or its gradient: each product, and their sum."""
    position = None if at is None else _whole(at, "--at takes whole numbers, ROW,COL,CHANNEL or UNIT")
    if weight is not None and (at is not None or backward):
        raise ConfigError("--weight is of a weight, --at and --backward of a number that a layer gives or takes")
    model, say = source.model, source.say
    if class_name is not None and not (backward or weight):
        raise ConfigError("--class says whose loss goes back; add --backward or --weight")
    pixels, name = source.picture(image)
    title = f"{name}, {model.name}{'' if model.trained_on else say(' (not trained)')}"
    if not backward and weight is None:
        with source.working("following the picture"):
            number = dissect(model, pixels, layer, position)
        return _shown(as_json, as_data(number), lambda: draw_dissection(number, title=title, lang=source.lang))
    label = _label(source, pixels, image, class_name)
    if np.ndim(label) == 0:
        title += ", " + say("loss of {label!r}", label=class_label(model, int(label)))
    with source.working("following the gradient"):
        seen = trace(model, pixels[None], np.asarray(label)[None])
        step = seen[layer or first_layer(seen)]
        if weight is None:
            found, update = dissect_gradient_step(step, position), None
        else:
            parameter, _, index = weight.partition(",")
            place = _whole(index, "--weight takes a name and whole numbers, kernel,ROW,COL,…") if index else None
            found = dissect_weight_step(step, parameter, place)
            trained = model.compiled_config() and step.layer.trainable
            update = dissect_update(seen, step.name, parameter, found.position) if trained else None
    records = as_data(found) | ({} if update is None else {"update": as_data(update)})
    return _shown(as_json, records, lambda: draw_gradient(found, update=update, title=title, lang=source.lang))


def _shown(as_json: bool, records: Any, draw: Any) -> Shown:
    return Shown(records=records) if as_json else Shown(draw, "arithmetic")


def _label(source: Source, pixels: Array, image: Any, class_name: str | None) -> Any:
    """Whose loss: of the class that was named, of what the data say of their first picture, or of the answer."""
    model = source.model
    if class_name is not None:
        names = class_names(model, max(model.graph.output_shape[-1], 2))
        if class_name not in names:
            raise unknown_name("class", class_name, names)
        return np.broadcast_to(names.index(class_name), model.graph.output_shape[:-1])
    if image is None:
        return source.held_out().test.labels[0]
    answer = model.predict(pixels[None], verbose=0)[0]
    return answer.argmax(axis=-1) if answer.shape[-1] > 1 else (answer > 0.5).astype(int)


def _whole(text: str, words: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"{words}, got {text!r}") from None
