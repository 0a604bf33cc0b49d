"""Kernels to design: one that finds an edge, one that moves a picture, one that calms noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid import ops
from pellucid._language import language
from pellucid.errors import expect_known, shown
from pellucid.exercises.comparing import as_numbers, plain
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, both, enter
from pellucid.ops import Array
from pellucid.ops.geometry import NO_PADS, Pads

SIDE, BRIGHT = 50, 10.0
"""The picture of two halves: 50 x 50, 10 on the bright half and 0 on the other, plus noise of standard deviation 1."""
CLEAR = 5.0
"""How many standard deviations of noise an answer must reach to be seen among 2,401 of them."""
LEAK = 0.1
"""How large the answer to an even surface may be, as a share of the answer at the edge."""
MIDDLE = SIDE // 2 - 1
"""The row of answers whose windows lie on the edge."""
ROUNDING = 1e-9
"""What is below it is rounding, and counts as 0."""
SHIFTS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
"""Rows and columns by which a picture moves."""
BRIGHTNESS, MOST_NOISE = 0.01, 0.4
"""How far the brightness may be off, and what share of the noise may be left."""

enter({
    "passed": (
        "Right. The kernel answers {edge:+.3g} at the edge, {clear:.3g} times the noise, and {flat:.3g} elsewhere.",
        "맞습니다. 에지에서는 잡음의 {clear:.3g}배인 {edge:+.3g}, 다른 곳에서는 {flat:.3g}의 값이 나옵니다.",
    ),
    "negative": (
        " The answer is negative: a ReLU behind this kernel would erase it, and keep that of its negative.",
        " 다만 응답이 음수이므로 이 커널 뒤에 ReLU를 두면 지워지고, 부호를 바꾼 커널의 응답은 남습니다.",
    ),
    "faint": (
        " With four equal weights, [[1, 1], [-1, -1]], the edge would stand out 10 times the noise.",
        " 다만 크기가 같은 네 가중치 [[1, 1], [-1, -1]]을 쓰면 에지가 잡음의 10배로 더 뚜렷해집니다.",
    ),
    "both": (
        " It answers to vertical edges as well ({across:+.3g}).",
        " 세로 에지에도 반응합니다({across:+.3g}).",
    ),
    "words": (
        "Not yet. A kernel is numbers in two rows of two, such as [[1, 0], [0, 1]]; got {given}.",
        "아직 아닙니다. 커널은 [[1, 0], [0, 1]]처럼 두 줄에 수가 두 개씩 있어야 합니다. 입력: {given}.",
    ),
    "shape": (
        "Not yet. The kernel must be 2x2, got shape {shape}.",
        "아직 아닙니다. 커널은 2x2여야 하는데 형상이 {shape}입니다.",
    ),
    "finite": (
        "Not yet. The kernel holds a value that is no finite number; every answer would be NaN or infinite.",
        "아직 아닙니다. 커널에 유한한 수가 아닌 값이 있어서 응답이 모두 NaN이나 무한대가 됩니다.",
    ),
    "zeros": (
        "Not yet. A kernel of zeros answers 0 everywhere.",
        "아직 아닙니다. 0으로만 된 커널은 어디에서나 0을 냅니다.",
    ),
    "vertical": (
        "Not yet. The kernel answers {edge:.3g} along this edge: it compares left with right, and the change is from "
        "top to bottom.",
        "아직 아닙니다. 이 에지에서 커널의 응답은 {edge:.3g}입니다. 왼쪽과 오른쪽을 비교하는 커널인데, 이 이미지는 "
        "위에서 아래로 바뀝니다.",
    ),
    "cancels": (
        "Not yet. The weights of a row cancel each other, so the kernel answers {edge:.3g} along this edge.",
        "아직 아닙니다. 한 줄 안의 가중치가 서로 지워져서 이 에지에서 응답이 {edge:.3g}입니다.",
    ),
    "noise": (
        "Not yet. The kernel answers {edge:+.3g} at the edge, but its answers to the noise have a standard deviation "
        "of {gain:.3g}: the edge cannot be told from them.",
        "아직 아닙니다. 에지의 응답은 {edge:+.3g}이지만 잡음에 대한 응답의 표준편차가 {gain:.3g}이어서 에지를 잡음과 "
        "구별할 수 없습니다.",
    ),
    "average": (
        "Not yet. This kernel averages: it answers {flat:.3g} all over the bright half, {edge:.3g} on the edge and 0 "
        "below. To find an edge, subtract one row from the other.",
        "아직 아닙니다. 평균을 내는 커널입니다. 밝은 쪽 전체에서 {flat:.3g}, 에지에서 {edge:.3g}, 아래쪽에서 0의 값이 "
        "나옵니다. 에지를 찾으려면 한 줄에서 다른 줄을 빼야 합니다.",
    ),
    "flat": (
        "Not yet. The kernel answers {flat:.3g} on an even bright surface and {edge:.3g} at the edge: the weights "
        "must sum to 0, and they sum to {total:.3g}.",
        "아직 아닙니다. 고르게 밝은 면에서 {flat:.3g}, 에지에서 {edge:.3g}의 값이 나옵니다. 가중치의 합이 0이어야 "
        "하는데 지금은 {total:.3g}입니다.",
    ),
    "kernel of 3": (
        "Not yet. The kernel must be 3x3 numbers, got {given}.",
        "아직 아닙니다. 커널은 3x3개의 수여야 합니다. 입력: {given}.",
    ),
    "moved": ("Right: a bright pixel moves by one: {where}.", "맞습니다. 밝은 픽셀이 한 칸 옮겨집니다: {where}."),
    "moved elsewhere": (
        "Not yet. A bright pixel moves like this: {where}. A kernel is laid on the picture as it is, so a weight left "
        "of the middle fetches what lies to the left.",
        "아직 아닙니다. 밝은 픽셀이 이렇게 옮겨집니다: {where}. 커널은 그대로 이미지에 겹치므로 가운데보다 왼쪽에 "
        "있는 가중치는 왼쪽 픽셀을 가져옵니다.",
    ),
    "moved and scaled": (
        "Not yet. It moves the right way, but makes the picture {factor} times as bright.",
        "아직 아닙니다. 방향은 맞지만 밝기가 {factor}배가 됩니다.",
    ),
    "smeared": (
        "Not yet. A single bright pixel turns up in {count} places; to move it, one weight is enough.",
        "아직 아닙니다. 밝은 픽셀 하나가 {count}곳에 나타납니다. 옮기기만 하려면 가중치 하나면 됩니다.",
    ),
    "moves right": ("to the right", "오른쪽"),
    "moves left": ("to the left", "왼쪽"),
    "moves down": ("down", "아래"),
    "moves up": ("up", "위"),
    "moves nowhere": ("not at all", "그대로"),
    "by steps": ("{rows} rows down and {columns} columns to the right", "아래로 {rows}행, 오른쪽으로 {columns}열"),
    "calm": (
        "Right: an even surface stays as bright as it was, and of the noise {gain:.2g} is left.",
        "맞습니다. 고른 면의 밝기는 그대로이고 잡음은 {gain:.2g}배로 줄어듭니다.",
    ),
    "brighter": (
        "Not yet. An even surface becomes {total:.3g} times as bright: the weights must sum to 1.",
        "아직 아닙니다. 고른 면의 밝기가 {total:.3g}배가 됩니다. 가중치의 합은 1이어야 합니다.",
    ),
    "noisy": (
        "Not yet. Brightness stays, but {gain:.2g} of the noise is left; at most {most} may be. Noise is calmed by "
        "spreading the weights over many pixels.",
        "아직 아닙니다. 밝기는 그대로이지만 잡음이 {gain:.2g}배로 남습니다. {most}배까지 줄여야 합니다. 여러 픽셀에 "
        "가중치를 나누어야 잡음이 줄어듭니다.",
    ),
    "field.kernel": ("your kernel", "커널"),
    "given.halves": ("bright above, dark below", "위는 밝고 아래는 어두운 이미지"),
    "given.noise": ("two halves with noise", "잡음이 섞인 두 면"),
})  # fmt: skip


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
    given = as_numbers(kernel)
    if given is None:
        return EdgeVerdict(False, say["words"].format(given=shown(kernel)))
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


def check_shift_kernel(kernel: Any, direction: str = "right", *, lang: str | None = None) -> Verdict:
    """Does this 3x3 kernel, with padding "same", move a picture by one pixel in this direction, and nothing else?

        >>> check_shift_kernel([[0, 0, 0], [1, 0, 0], [0, 0, 0]]).passed
        True
        >>> print(check_shift_kernel([[0, 0, 0], [0, 0, 1], [0, 0, 0]]).message[:53])
        Not yet. A bright pixel moves like this: to the left.

    Shapes: kernel (3,3). direction: left, right, up or down.
    Errors: ConfigError for a language or a direction; a kernel of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    wanted = SHIFTS[expect_known("direction", direction, SHIFTS)]
    weights = _kernel_of_3(kernel, say)
    if isinstance(weights, Verdict):
        return weights
    middle = 2
    pixel = np.zeros((5, 5))
    pixel[middle, middle] = 1.0
    seen = _response(pixel, weights, ((1, 1), (1, 1)))
    places = np.argwhere(np.abs(seen) > ROUNDING)
    if not len(places):
        return Verdict(False, say["zeros"])
    if len(places) > 1:
        return Verdict(False, say["smeared"].format(count=len(places)))
    by = (int(places[0][0]) - middle, int(places[0][1]) - middle)
    factor = float(seen[tuple(places[0])])
    if by != wanted:
        return Verdict(False, say["moved elsewhere"].format(where=_where(by, say)))
    if abs(factor - 1) > ROUNDING:
        return Verdict(False, say["moved and scaled"].format(factor=plain(factor)))
    return Verdict(True, say["moved"].format(where=_where(by, say)))


def check_smoothing_kernel(kernel: Any, *, lang: str | None = None) -> Verdict:
    """Does this 3x3 kernel keep the brightness of an even surface, and leave at most 0.4 of the noise?

        >>> check_smoothing_kernel([[1 / 9] * 3] * 3).passed
        True
        >>> print(check_smoothing_kernel([[1] * 3] * 3))
        Not yet. An even surface becomes 9 times as bright: the weights must sum to 1.

    Shapes: kernel (3,3).
    Errors: ConfigError for a language; a kernel of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    weights = _kernel_of_3(kernel, say)
    if isinstance(weights, Verdict):
        return weights
    total = float(_response(np.ones((3, 3)), weights)[0, 0])
    gain = float(np.sqrt(np.square(weights).sum()))  # of noise: independent pixels add in squares
    reason = "brighter" if abs(total - 1) > BRIGHTNESS else "noisy" if gain > MOST_NOISE else "calm"
    return Verdict(reason == "calm", say[reason].format(total=total, gain=gain, most=MOST_NOISE))


def _kernel_of_3(kernel: Any, say: Mapping[str, str]) -> Array | Verdict:
    given = as_numbers(kernel)
    if given is None or np.squeeze(given).shape != (3, 3):
        return Verdict(False, say["kernel of 3"].format(given=shown(kernel)))
    weights = np.squeeze(given)
    return weights if np.isfinite(weights).all() else Verdict(False, say["empty"])


def _where(by: tuple[int, int], say: Mapping[str, str]) -> str:
    """Where something lies, so many rows and columns away."""
    named = next((name for name, step in SHIFTS.items() if step == by), "")
    if named:
        return say[f"moves {named}"]
    return say["moves nowhere"] if by == (0, 0) else say["by steps"].format(rows=by[0], columns=by[1])


def _response(picture: Array, weights: Array, padding: Pads = NO_PADS) -> Array:
    """Shapes: picture (H,W), weights (KH,KW) -> (H-KH+1,W-KW+1), with padding more; float64."""
    batch, kernel = picture.astype(np.float64)[None, :, :, None], weights[:, :, None, None]
    maps = ops.conv2d(batch, kernel, strides=(1, 1), padding=padding)
    return np.asarray(maps[0, :, :, 0])


@exercise(
    "edge-kernel",
    part="kernels",
    title=("A kernel that finds an edge", "에지를 찾는 커널"),
    ask=(
        "The picture is bright above and dark below, with noise. Give a 2x2 kernel whose map shows the edge, and "
        "little else.",
        "위는 밝고 아래는 어두우며 잡음이 섞인 이미지입니다. 에지만 뚜렷이 드러나는 2x2 커널을 정하십시오.",
    ),
)
def _edge_kernel(rng: np.random.Generator) -> Task:
    return Task(
        lambda answer, lang: check_edge_kernel(answer["kernel"], lang=lang),
        {"kernel": np.array([[1.0, 1.0], [-1.0, -1.0]])},
        (Field("kernel", "field.kernel", (2, 2)),),
        (Given("given.halves", two_halves(seed=int(rng.integers(1000))).T, "picture"),),
    )


@exercise(
    "shift-kernel",
    part="kernels",
    title=("A kernel that moves the picture", "이미지를 옮기는 커널"),
    ask=(
        'Give a 3x3 kernel that moves the picture by one pixel: {direction}. Padding is "same".',
        '이미지를 한 픽셀 옮기는 3x3 커널을 정하십시오. 방향: {direction}. 패딩은 "same"입니다.',
    ),
)
def _shift_kernel(rng: np.random.Generator) -> Task:
    direction = str(rng.choice(list(SHIFTS)))
    rows, columns = SHIFTS[direction]
    kernel = np.zeros((3, 3))
    kernel[1 - rows, 1 - columns] = 1.0
    return Task(
        lambda answer, lang: check_shift_kernel(answer["kernel"], direction, lang=lang),
        {"kernel": kernel},
        (Field("kernel", "field.kernel", (3, 3)),),
        places={"direction": both(f"moves {direction}")},
    )


@exercise(
    "smoothing-kernel",
    part="kernels",
    title=("A kernel that calms noise", "잡음을 줄이는 커널"),
    ask=(
        "Give a 3x3 kernel that leaves at most {most} of the noise, and an even surface as bright as it is.",
        "잡음을 {most}배 이하로 줄이면서 고른 면의 밝기는 그대로 두는 3x3 커널을 정하십시오.",
    ),
)
def _smoothing_kernel(rng: np.random.Generator) -> Task:
    return Task(
        lambda answer, lang: check_smoothing_kernel(answer["kernel"], lang=lang),
        {"kernel": np.full((3, 3), 1 / 9)},
        (Field("kernel", "field.kernel", (3, 3)),),
        (Given("given.noise", two_halves(seed=int(rng.integers(1000))), "picture"),),
        {"most": MOST_NOISE},
    )
