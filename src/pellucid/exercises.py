"""Exercises with a checker each: it says whether an answer is right, and what is wrong with one that is not.

    >>> from pellucid import exercises
    >>> print(exercises.check_edge_kernel([[-1, 1], [-1, 1]]))
    Not yet. The kernel answers 0 along this edge: it compares left with right, and the change is from top to bottom.

Every checker takes lang="ko" for Korean, follows the locale without, and returns a Verdict; a wrong answer is a
Verdict too, never an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import ops
from pellucid._language import language
from pellucid.errors import ConfigError
from pellucid.layers import Layer, from_config
from pellucid.ops import Array, Pads, Pair, Shape
from pellucid.ops.geometry import NO_PADS, output_size, pair, resolve_padding

__all__ = [
    "CLEAR", "LEAK", "MESSAGES", "MIDDLE", "ROUNDING", "EdgeVerdict", "Verdict", "check_edge_kernel",
    "check_output_size", "check_parameter_count", "two_halves",
]  # fmt: skip

SIDE, BRIGHT = 50, 10.0
"""The picture of two halves: 50 x 50, 10 on the bright half and 0 on the other, plus noise of standard deviation 1."""
CLEAR = 5.0
"""How many standard deviations of noise an answer must reach to be seen among 2,401 of them."""
LEAK = 0.1
"""How large the answer to an even surface may be, as a share of the answer at the edge."""
MIDDLE = SIDE // 2 - 1
"""The row of answers whose windows lie on the edge."""
ROUNDING = 1e-9

MESSAGES = {
    "en": {
        "passed": "Right. The kernel answers {edge:+.3g} at the edge, {clear:.3g} times the noise, and {flat:.3g} "
        "elsewhere.",
        "negative": " The answer is negative: a ReLU behind this kernel would erase it, and keep that of its negative.",
        "faint": " With four equal weights, [[1, 1], [-1, -1]], the edge would stand out 10 times the noise.",
        "both": " It answers to vertical edges as well ({across:+.3g}).",
        "words": "Not yet. A kernel is numbers in two rows of two, such as [[1, 0], [0, 1]]; got {given}.",
        "shape": "Not yet. The kernel must be 2x2, got shape {shape}.",
        "finite": "Not yet. The kernel holds a value that is no finite number; every answer would be NaN or infinite.",
        "zeros": "Not yet. A kernel of zeros answers 0 everywhere.",
        "vertical": "Not yet. The kernel answers {edge:.3g} along this edge: it compares left with right, and the "
        "change is from top to bottom.",
        "cancels": "Not yet. The weights of a row cancel each other, so the kernel answers {edge:.3g} along this edge.",
        "noise": "Not yet. The kernel answers {edge:+.3g} at the edge, but its answers to the noise have a standard "
        "deviation of {gain:.3g}: the edge cannot be told from them.",
        "average": "Not yet. This kernel averages: it answers {flat:.3g} all over the bright half, {edge:.3g} on the "
        "edge and 0 below. To find an edge, subtract one row from the other.",
        "flat": "Not yet. The kernel answers {flat:.3g} on an even bright surface and {edge:.3g} at the edge: the "
        "weights must sum to 0, and they sum to {total:.3g}.",
        "right": "Right: {how}.",
        "wrong": "Not yet: {given} is not it{hint}.",
        "not a number": "Not yet: the answer must be a whole number{or_pair}, got {given}.",
        "or pair": " or two (rows, columns)",
        "no one": "; it lacks the 1 at the end of the formula",
        "one side": "; padding goes on both sides",
        "no padding": "; the padding is left out",
        "no stride": "; the stride is left out",
        "rounded up": "; a window that would stick out is left away: round down",
        "turned": "; rows and columns are exchanged",
        "no bias": "; each {unit} has one bias too",
        "no channels": "; each kernel is as deep as its input has channels ({channels})",
        "positions": "; the weights are the same at all {positions} places, so they count once",
    },
    "ko": {
        "passed": "맞습니다. 경계에서는 잡음의 {clear:.3g}배인 {edge:+.3g}, 다른 곳에서는 {flat:.3g}의 값이 나옵니다.",
        "negative": " 다만 응답이 음수이므로 이 커널 뒤에 ReLU를 두면 지워지고, 부호를 바꾼 커널의 응답은 남습니다.",
        "faint": " 다만 크기가 같은 네 가중치 [[1, 1], [-1, -1]]을 쓰면 경계가 잡음의 10배로 더 뚜렷해집니다.",
        "both": " 세로 경계에도 반응합니다({across:+.3g}).",
        "words": "아직 아닙니다. 커널은 [[1, 0], [0, 1]]처럼 두 줄에 수가 두 개씩 있어야 합니다. 입력: {given}.",
        "shape": "아직 아닙니다. 커널은 2x2여야 하는데 형상이 {shape}입니다.",
        "finite": "아직 아닙니다. 커널에 유한한 수가 아닌 값이 있어서 응답이 모두 NaN이나 무한대가 됩니다.",
        "zeros": "아직 아닙니다. 0으로만 된 커널은 어디에서나 0을 냅니다.",
        "vertical": "아직 아닙니다. 이 경계에서 커널의 응답은 {edge:.3g}입니다. 왼쪽과 오른쪽을 비교하는 커널인데, "
        "이 이미지는 위에서 아래로 바뀝니다.",
        "cancels": "아직 아닙니다. 한 줄 안의 가중치가 서로 지워져서 이 경계에서 응답이 {edge:.3g}입니다.",
        "noise": "아직 아닙니다. 경계의 응답은 {edge:+.3g}이지만 잡음에 대한 응답의 표준편차가 {gain:.3g}이어서 "
        "경계를 잡음과 구별할 수 없습니다.",
        "average": "아직 아닙니다. 평균을 내는 커널입니다. 밝은 쪽 전체에서 {flat:.3g}, 경계에서 {edge:.3g}, "
        "아래쪽에서 0의 값이 나옵니다. 경계를 찾으려면 한 줄에서 다른 줄을 빼야 합니다.",
        "flat": "아직 아닙니다. 고르게 밝은 면에서 {flat:.3g}, 경계에서 {edge:.3g}의 값이 나옵니다. 가중치의 합이 "
        "0이어야 하는데 지금은 {total:.3g}입니다.",
        "right": "맞습니다: {how}.",
        "wrong": "아직 아닙니다. 적으신 답은 {given}입니다{hint}.",
        "not a number": "아직 아닙니다. 답은 정수{or_pair}여야 합니다. 입력: {given}.",
        "or pair": "나 정수 두 개(행, 열)",
        "no one": " (공식 끝의 1이 빠졌습니다)",
        "one side": " (패딩은 양쪽에 붙습니다)",
        "no padding": " (패딩이 빠졌습니다)",
        "no stride": " (스트라이드가 빠졌습니다)",
        "rounded up": " (밖으로 나가는 창은 버리므로 내림을 해야 합니다)",
        "turned": " (행과 열이 바뀌었습니다)",
        "no bias": " ({unit}마다 편향도 하나씩 있습니다)",
        "no channels": " (커널은 입력의 채널 수({channels})만큼 깊습니다)",
        "positions": " (가중치는 {positions}곳에서 함께 쓰이므로 한 번만 셉니다)",
    },
}


@dataclass(frozen=True, eq=False)
class Verdict:
    """Whether an answer is right, and why; true where it is, and its `str` is the message."""

    passed: bool
    message: str

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, eq=False)
class EdgeVerdict(Verdict):
    """A Verdict on a kernel. edge, flat: its answers along the edge and on the even bright half, without noise.

    Shapes: response (49,49), its answers to the noisy picture; None where the kernel cannot be tried.
    """

    edge: float = 0.0
    flat: float = 0.0
    response: Array | None = None


def two_halves(*, seed: int | None = 0) -> Array:
    """Two halves, 10 on the left and 0 on the right, plus noise of standard deviation 1 (None: no noise).

    Shapes: (50,50) float32. The exercise turns it: `two_halves().T` is bright above and dark below.
    """
    picture = np.zeros((SIDE, SIDE), np.float32)
    picture[:, : SIDE // 2] = BRIGHT
    if seed is not None:
        picture += np.random.default_rng(seed).standard_normal(picture.shape, np.float32)
    return picture


def check_edge_kernel(kernel: Any, *, lang: str | None = None) -> EdgeVerdict:
    """Does this 2x2 kernel find the edge in a picture of two halves turned by 90 degrees, bright above and dark below?

    It is judged by what it answers: at least 5 times the noise along the edge, and at most a tenth of that on an even
    surface. Every multiple of [[1, 1], [-1, -1]], of either sign, passes.

        >>> check_edge_kernel([[3, 3], [-3, -3]]).passed
        True
        >>> print(check_edge_kernel([[0, 0], [0, 0]], lang="ko"))
        아직 아닙니다. 0으로만 된 커널은 어디에서나 0을 냅니다.

    Shapes: kernel (2,2), or with axes of 1, as (2,2,1,1).
    Errors: ConfigError for an unknown language; a kernel of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    try:
        given = np.asarray(kernel, np.float64)
    except (TypeError, ValueError):
        return EdgeVerdict(False, say["words"].format(given=repr(kernel)))
    weights = np.squeeze(given)
    if weights.shape != (2, 2):
        return EdgeVerdict(False, say["shape"].format(shape=given.shape))
    if not np.isfinite(weights).all():
        return EdgeVerdict(False, say["finite"])
    largest = float(np.abs(weights).max())
    if largest == 0:
        return EdgeVerdict(False, say["zeros"])

    unit = weights / largest  # every multiple of a kernel is judged alike
    still = two_halves(seed=None)
    answer, across = _response(still.T, unit), float(_response(still, unit)[0, MIDDLE])
    edge, flat = float(answer[MIDDLE, 0]), float(answer[0, 0])
    gain = float(np.sqrt(np.square(unit).sum()))  # of noise: independent pixels add in squares
    if max(abs(edge), abs(flat)) < CLEAR * gain:
        reason = "vertical" if abs(across) >= CLEAR * gain else "noise" if abs(edge) > ROUNDING else "cancels"
    elif abs(flat) > LEAK * abs(edge):
        reason = "average" if unit.min() * unit.max() > 0 else "flat"
    else:
        reason = "passed"
    remarks = {"negative": edge < 0, "faint": abs(edge) < 0.9 * BRIGHT * gain, "both": abs(across) > LEAK * abs(edge)}
    parts = [reason, *(name for name, applies in remarks.items() if applies and reason == "passed")]
    values = {"edge": edge, "flat": flat, "across": across, "gain": gain, "total": float(unit.sum())}
    values = {name: value * largest if abs(value) > ROUNDING else 0.0 for name, value in values.items()}
    message = "".join(say[name].format(clear=abs(edge) / gain, **values) for name in parts)
    with np.errstate(over="ignore"):
        response = _response(two_halves().T, unit) * largest
    return EdgeVerdict(reason == "passed", message, values["edge"], values["flat"], response)


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
        filling["unit"] = {"filter": "필터", "unit": "노드"}[filling["unit"]]
    hint = next((say[name].format(**filling) for name, values in slips.items() if answer in values), "")
    return Verdict(False, say["wrong"].format(given=f"{int(answer):,}", hint=hint))


def _response(picture: Array, weights: Array) -> Array:
    """Shapes: picture (H,W), weights (2,2) -> (H-1,W-1) float64."""
    batch, kernel = picture.astype(np.float64)[None, :, :, None], weights[:, :, None, None]
    maps = ops.conv2d(batch, kernel, strides=(1, 1), padding=NO_PADS)
    return np.asarray(maps[0, :, :, 0])


def _size_or_none(size: Pair, kernel: Pair, strides: Pair, pads: Pads) -> Pair | None:
    """The output's size where the window fits."""
    fits = all(h + sum(p) >= k for h, p, k in zip(size, pads, kernel, strict=True))
    return output_size(size, kernel, strides, pads) if fits else None
