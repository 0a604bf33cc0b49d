"""Which pixels the score of a class depends on (`data`), and drawn over the picture (`figure`)."""

from __future__ import annotations

from typing import Annotated

from pellucid.errors import ConfigError, unknown_name
from pellucid.ops.geometry import pair
from pellucid.visualise.attribution.figure import METHODS, attention_figure
from pellucid.visualise.registry import ImageFile, LayerName, Option, Picture, Shown, Source

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


@Picture("attribution", EXAMPLES, words=WORDS)
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
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    if layer is not None and method != "grad-cam":
        raise ConfigError(f"--layer is for --method grad-cam; {method} asks about the whole network")
    if method != "occlusion" and (size or stride):
        raise ConfigError(f"--size and --stride are for --method occlusion; {method} covers nothing")
    covered, step = _pixels(size, "--size"), _pixels(stride, "--stride")
    model = source.model
    names = model.class_names or tuple(str(index) for index in range(max(model.output_shape[0], 2)))
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
