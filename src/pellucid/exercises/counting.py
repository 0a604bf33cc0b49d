"""Sizes and numbers to be counted: of a map, of parameters, of what a number sees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid._language import language
from pellucid.errors import ConfigError
from pellucid.exercises.comparing import judge
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, enter
from pellucid.layers import Conv2D, Dense, Layer, from_config
from pellucid.ops import Pads, Pair, Shape
from pellucid.ops.geometry import NO_PADS, output_size, pair, resolve_padding
from pellucid.ops.receptive_field import ReceptiveField

enter({
    "not a number": (
        "Not yet: the answer must be a whole number{or_pair}, got {given}.",
        "아직 아닙니다. 답은 정수{or_pair}여야 합니다. 입력: {given}.",
    ),
    "or pair": (
        " or two (rows, columns)",
        "나 정수 두 개(행, 열)",
    ),
    "no one": (
        "; it lacks the 1 at the end of the formula",
        " (공식 끝의 1이 빠졌습니다)",
    ),
    "one side": (
        "; padding goes on both sides",
        " (패딩은 양쪽에 붙습니다)",
    ),
    "no padding": (
        "; the padding is left out",
        " (패딩이 빠졌습니다)",
    ),
    "no stride": (
        "; the stride is left out",
        " (스트라이드가 빠졌습니다)",
    ),
    "rounded up": (
        "; a window that would stick out is left away: round down",
        " (밖으로 나가는 창은 버리므로 내림을 해야 합니다)",
    ),
    "turned": (
        "; rows and columns are exchanged",
        " (행과 열이 바뀌었습니다)",
    ),
    "no bias": (
        "; each {unit} has one bias too",
        " ({unit}마다 편향도 하나씩 있습니다)",
    ),
    "no channels": (
        "; each kernel is as deep as its input has channels ({channels})",
        " (커널은 입력의 채널 수({channels})만큼 깊습니다)",
    ),
    "positions": (
        "; the weights are the same at all {positions} places, so they count once",
        " (가중치는 {positions}곳에서 함께 쓰이므로 한 번만 셉니다)",
    ),
    "slip.sum of kernels": (
        "You added the kernels up. Neighbouring windows overlap: each further one adds its size less 1.",
        "커널의 크기를 더하셨습니다. 이웃한 창은 겹치므로 계층마다 커널의 크기에서 1을 뺀 만큼 늘어납니다.",
    ),
    "slip.no jump": (
        "The strides are left out: behind a stride of 2, neighbouring numbers see windows 2 pixels apart.",
        "스트라이드가 빠졌습니다. 스트라이드 2를 지나면 이웃한 수가 보는 창은 2픽셀씩 떨어져 있습니다.",
    ),
    "field.rows": ("rows", "행"),
    "field.columns": ("columns", "열"),
    "field.count": ("how many", "개수"),
    "field.size": ("pixels across", "한 변의 픽셀 수"),
    "given.layers": ("layers", "계층"),
})  # fmt: skip


def check_output_size(
    answer: Any,
    size: int | Pair,
    kernel: int | Pair,
    *,
    strides: int | Pair = 1,
    padding: str | int | Pair | Pads = 0,
    lang: str | None = None,
) -> Verdict:
    """How large is the map that a convolution or pooling gives? OH = (H + 2 P - K) // S + 1, and OW likewise.

        >>> check_output_size(24, 28, 5).passed
        True
        >>> print(check_output_size(23, 28, 5))
        Not yet: (23, 23) is not it; it lacks the 1 at the end of the formula.

    Units: pixels; one number stands for rows and columns alike.
    Errors: ConfigError for a language, kernel, stride or padding that makes no sense; ShapeError where the window does
        not fit. An answer of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    sizes, windows, steps = pair(size, "size"), pair(kernel, "kernel"), pair(strides, "strides")
    pads = resolve_padding(padding, sizes, windows, steps)
    right = output_size(sizes, windows, steps, pads)
    try:
        given = pair(answer, "answer")
    except ConfigError:
        return Verdict(False, say["not a number"].format(or_pair=say["or pair"], given=repr(answer)))
    if given == right:
        parts = zip(sizes, pads, windows, steps, right, strict=True)
        terms = [f"({h} + {a} + {b} - {k}) // {s} + 1 = {o}" for h, (a, b), k, s, o in parts]
        return Verdict(True, say["right"].format(how=terms[0] if terms[0] == terms[1] else ", ".join(terms)))
    once: Pads = ((pads[0][0], 0), (pads[1][0], 0))
    room = [h + a + b - k for h, (a, b), k in zip(sizes, pads, windows, strict=True)]
    slips = {
        "turned": right[::-1],
        "no one": (right[0] - 1, right[1] - 1),
        "no padding": _size_or_none(sizes, windows, steps, NO_PADS),
        "one side": _size_or_none(sizes, windows, steps, once),
        "no stride": output_size(sizes, windows, (1, 1), pads),
        "rounded up": (-(-room[0] // steps[0]) + 1, -(-room[1] // steps[1]) + 1),
    }
    hint = next((say[name] for name, slip in slips.items() if slip == given), "")
    return Verdict(False, say["wrong"].format(given=given, hint=hint))


def check_parameter_count(answer: Any, layer: Layer, input_shape: Shape, *, lang: str | None = None) -> Verdict:
    """How many parameters has this layer? A convolution (KH KW C + 1) O, a dense layer (inputs + 1) units.

        >>> from pellucid import Conv2D
        >>> print(check_parameter_count(8, Conv2D(2, (2, 2)), (6, 6, 1)))
        Not yet: 8 is not it; each filter has one bias too.
        >>> check_parameter_count(10, Conv2D(2, (2, 2)), (6, 6, 1)).passed
        True

    Shapes: input_shape without the batch axis. The layer itself is left as it is.
    Errors: ConfigError for a language; ShapeError for an input that does not fit. An answer of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    twin = from_config(layer.config(), {type(layer).__name__: type(layer)})
    twin.ensure_built(input_shape, np.random.default_rng(0))
    right = twin.count_params()
    if isinstance(answer, bool) or not isinstance(answer, int | np.integer):
        return Verdict(False, say["not a number"].format(or_pair="", given=repr(answer)))
    if answer == right:
        sizes = " + ".join(" x ".join(map(str, array.shape)) for array in twin.weights) or "0"
        return Verdict(True, say["right"].format(how=f"{sizes} = {right:,}"))
    slips: dict[str, tuple[int, ...]] = {}
    filling: dict[str, Any] = {"unit": "unit"}
    window, filters = twin.window(), twin.output_shape(input_shape)[-1]
    if "bias" in twin.params:
        slips["no bias"] = (right - filters,)
    if window is not None and twin.role == "convolution":
        taps, positions = math.prod(window[0]), math.prod(twin.output_shape(input_shape)) // filters
        channels = len(twin.channels_seen(0, input_shape[-1]))
        filling = {"unit": "filter", "channels": channels, "positions": f"{positions:,}"}
        slips["no channels"] = (taps * filters, (taps + 1) * filters) if channels > 1 else ()
        slips["positions"] = (right * positions, (right - filters) * positions)
    if language(lang) == "ko":
        filling["unit"] = {"filter": "필터", "unit": "유닛"}[filling["unit"]]
    hint = next((say[name].format(**filling) for name, values in slips.items() if answer in values), "")
    return Verdict(False, say["wrong"].format(given=f"{int(answer):,}", hint=hint))


def check_receptive_field(answer: Any, windows: Sequence[tuple[int, int]], *, lang: str | None = None) -> Verdict:
    """How many pixels across does a number see behind these windows? Each adds (kernel - 1) * the strides before it.

        >>> check_receptive_field(6, [(5, 1), (2, 2)]).passed
        True
        >>> print(check_receptive_field(7, [(5, 1), (2, 2)]).message[:40])
        Not yet. You added the kernels up. Neigh

    Shapes: windows: kernel and stride of each layer, the first one first.
    Errors: ConfigError for a language; an answer of any kind gets a verdict.
    """
    right = _seen(windows)
    slips = {
        "slip.sum of kernels": np.array(float(sum(kernel for kernel, _ in windows))),
        "slip.no jump": np.array(float(_seen([(kernel, 1) for kernel, _ in windows]))),
    }
    terms, jump = ["1"], 1
    for kernel, stride in windows:
        terms.append(f"({kernel} - 1) * {jump}")
        jump *= stride
    return judge(answer, np.array(float(right)), lang, how=lambda place: " + ".join(terms), slips=slips)


def _seen(windows: Sequence[tuple[int, int]]) -> int:
    field = ReceptiveField()
    for kernel, stride in windows:
        field = field.step((kernel, kernel), (stride, stride))
    return field.size[0]


def _size_or_none(size: Pair, kernel: Pair, strides: Pair, pads: Pads) -> Pair | None:
    """The output's size where the window fits."""
    fits = all(h + sum(p) >= k for h, p, k in zip(size, pads, kernel, strict=True))
    return output_size(size, kernel, strides, pads) if fits else None


@exercise(
    "output-size",
    part="sizes",
    title=("How large is the map?", "맵의 크기"),
    ask=(
        "The input has {rows} rows and {columns} columns. A convolution with a kernel of {kernel}, stride {stride} and "
        "padding {padding} on every side goes over it. How large is the map?",
        "입력은 {rows}행 {columns}열입니다. 커널 {kernel}, 스트라이드 {stride}, 패딩 {padding}(네 변 모두)인 합성곱을 "
        "지나면 맵의 크기는 얼마입니까?",
    ),
)
def _output_size(rng: np.random.Generator) -> Task:
    kernel, stride, padding = int(rng.choice([3, 5])), int(rng.choice([1, 2])), int(rng.choice([0, 1, 2]))
    size = int(rng.integers(12, 33)), int(rng.integers(12, 33))
    right = output_size(size, (kernel, kernel), (stride, stride), ((padding, padding), (padding, padding)))

    def check(answer: Any, lang: str) -> Verdict:
        given = tuple(whole_number(answer[name]) for name in ("rows", "columns"))
        return check_output_size(given, size, kernel, strides=stride, padding=padding, lang=lang)

    fields = Field("rows", "field.rows"), Field("columns", "field.columns")
    places = {"kernel": f"{kernel}x{kernel}", "stride": stride, "padding": padding}
    return Task(
        check, dict(zip(("rows", "columns"), right, strict=True)), fields,
        places={"rows": size[0], "columns": size[1], **places},
    )  # fmt: skip


@exercise(
    "parameter-count",
    part="sizes",
    title=("How many parameters?", "매개변수의 수"),
    ask=(
        "The input has the shape {shape}. How many parameters does the layer below have, biases included?",
        "입력의 형상은 {shape}입니다. 아래의 계층은 편향까지 매개변수가 몇 개입니까?",
    ),
)
def _parameter_count(rng: np.random.Generator) -> Task:
    channels, filters, kernel = (int(rng.choice(values)) for values in ([1, 3, 8], [4, 6, 10], [3, 5]))
    layer: Layer
    shape: Shape
    if rng.random() < 0.7:
        layer, shape = Conv2D(filters, kernel), (int(rng.integers(8, 17)),) * 2 + (channels,)
        text = f"Conv2D({filters}, {kernel})"
    else:
        layer, shape, text = Dense(filters), (int(rng.integers(5, 40)),), f"Dense({filters})"
    twin = from_config(layer.config(), {type(layer).__name__: type(layer)})
    twin.ensure_built(shape, rng)
    return Task(
        lambda answer, lang: check_parameter_count(whole_number(answer["count"]), layer, shape, lang=lang),
        {"count": twin.count_params()},
        (Field("count", "field.count"),),
        (Given("given.layers", [text], "text"),),
        {"shape": " x ".join(map(str, shape))},
    )


@exercise(
    "receptive-field",
    part="sizes",
    title=("What a number sees", "수 하나가 보는 범위"),
    ask=(
        "The input goes through these layers. How many pixels of it, from left to right, does one number of the last "
        "map see?",
        "입력이 이 계층들을 차례로 지납니다. 마지막 맵의 수 하나는 입력에서 가로로 몇 픽셀을 봅니까?",
    ),
)
def _receptive_field(rng: np.random.Generator) -> Task:
    first, second = int(rng.choice([3, 5])), int(rng.choice([3, 5]))
    windows = [(first, 1), (2, 2), (second, 1)]
    names = [f"Conv2D {first}x{first}, stride 1", "MaxPool2D 2x2, stride 2", f"Conv2D {second}x{second}, stride 1"]
    return Task(
        lambda answer, lang: check_receptive_field(answer["size"], windows, lang=lang),
        {"size": _seen(windows)},
        (Field("size", "field.size"),),
        (Given("given.layers", names, "text"),),
    )


def whole_number(given: Any) -> Any:
    """A whole number written otherwise ("10", 10.0) as one; everything else as it is."""
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        return given
    return int(number) if math.isfinite(number) and number == int(number) else given
