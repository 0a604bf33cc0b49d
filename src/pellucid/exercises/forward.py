"""What layers give, worked out by hand: convolution, pooling, softmax."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from pellucid import ops
from pellucid.errors import expect_known
from pellucid.exercises.comparing import TWO_DECIMALS, judge, plain, products, sums
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import enter
from pellucid.ops import Array, Pair
from pellucid.ops.geometry import NO_PADS, Pooling, pair, window_start

KINDS = ("max", "average")

enter({
    "field.answer": ("your answer", "답"),
    "given.input": ("input", "입력"),
    "given.kernel": ("kernel", "커널"),
    "given.logits": ("scores of three classes", "세 클래스의 점수"),
    "slip.turned kernel": (
        "You turned the kernel by 180 degrees first. That is convolution as mathematics has it; a layer lays its "
        "kernel on the picture as it is (cross-correlation).",
        "커널을 먼저 180도 돌리셨습니다. 수학의 합성곱은 그렇게 하지만, 합성곱 계층은 커널을 그대로 이미지에 "
        "겹칩니다(교차 상관).",
    ),
    "slip.no bias": (
        "The products are right. The bias is added to each of the sums too.",
        "곱의 합은 맞습니다. 합마다 편향도 더해야 합니다.",
    ),
    "slip.sideways": (
        "Rows and columns of the kernel are exchanged.",
        "커널의 행과 열이 바뀌었습니다.",
    ),
    "slip.other stride": (
        "You moved the window by one pixel at a time; mind the stride.",
        "창을 한 픽셀씩 움직이셨습니다. 스트라이드를 확인하십시오.",
    ),
    "slip.averaged": (
        "These are the means of the windows. Max pooling takes the largest number of each.",
        "창마다 평균을 내셨습니다. 최대 풀링은 창에서 가장 큰 수를 고릅니다.",
    ),
    "slip.largest": (
        "These are the largest numbers of the windows. Average pooling takes the mean of each.",
        "창마다 가장 큰 수를 고르셨습니다. 평균 풀링은 창의 평균을 냅니다.",
    ),
    "slip.smallest": (
        "These are the smallest numbers of the windows.",
        "창마다 가장 작은 수를 고르셨습니다.",
    ),
    "slip.summed": (
        "These are sums. For the mean, divide by how many numbers a window has.",
        "합을 구하셨습니다. 평균은 창에 든 수의 개수로 나누어야 합니다.",
    ),
    "slip.powers": (
        "These are the powers of e. Divide each by their sum, so that together they make 1.",
        "e의 거듭제곱까지 구하셨습니다. 합이 1이 되도록 그 합으로 나누십시오.",
    ),
    "slip.shares": (
        "You divided the scores themselves by their sum. Take e to the power of each score first: a share must not "
        "become negative.",
        "점수를 그대로 합으로 나누셨습니다. 먼저 e를 점수만큼 거듭제곱하십시오. 그래야 음수가 나오지 않습니다.",
    ),
    "slip.sigmoid": (
        "You took the sigmoid of each score on its own. Softmax lets the classes compete: all share one sum.",
        "점수마다 따로 시그모이드를 적용하셨습니다. 소프트맥스에서는 클래스가 서로 겨루므로 하나의 합으로 나눕니다.",
    ),
    "slip.percent": (
        "These are percent. The network gives shares of 1.",
        "퍼센트로 적으셨습니다. 신경망의 답은 1을 나눈 몫입니다.",
    ),
    "option.max": ("the largest", "최댓값"),
    "option.average": ("the mean", "평균"),
})  # fmt: skip


def check_convolution(
    answer: Any,
    x: Any,
    kernel: Any,
    bias: float = 0.0,
    *,
    strides: int | Pair = 1,
    lang: str | None = None,
) -> Verdict:
    """What does a kernel give on a picture, without padding? Each number: the products below the kernel, and the bias.

        >>> print(check_convolution([[4]], [[1, 2], [3, 4]], [[0, 0], [0, 1]]))
        Right: 1 * 0 + 2 * 0 + 3 * 0 + 4 * 1 + 0 = 4.
        >>> print(check_convolution([[1]], [[1, 2], [3, 4]], [[0, 0], [0, 1]]).message[:35])
        Not yet. You turned the kernel by 1

    Shapes: x (H,W), kernel (KH,KW), answer (OH,OW).
    Errors: ShapeError if the kernel does not fit; ConfigError for strides. An answer of any kind gets a verdict.
    """
    picture, weights = _table(x), _table(kernel)
    step = pair(strides, "strides")
    flat = weights[::-1, ::-1], weights.T
    right = _convolved(picture, weights, bias, step)
    slips = {
        "slip.no bias": _convolved(picture, weights, 0.0, step),
        "slip.turned kernel": _convolved(picture, flat[0], bias, step),
        "slip.other stride": _convolved(picture, weights, bias, (1, 1)),
    }
    if weights.shape[0] == weights.shape[1]:
        slips["slip.sideways"] = _convolved(picture, flat[1], bias, step)

    def how(place: tuple[int, ...]) -> str:
        patch = _patch(picture, place, weights.shape, step)
        return f"{products(zip(patch.ravel(), weights.ravel(), strict=True))} + {plain(bias)}"

    return judge(answer, right, lang, how=how, slips=slips)


def check_pooling(
    answer: Any,
    x: Any,
    pool_size: int | Pair = 2,
    *,
    strides: int | Pair | None = None,
    kind: Literal["max", "average"] = "max",
    lang: str | None = None,
) -> Verdict:
    """What does pooling make of a picture? The largest number of each window, or the mean. strides: None for the size.

        >>> check_pooling([[4]], [[1, 2], [3, 4]]).passed
        True
        >>> print(check_pooling([[2.5]], [[1, 2], [3, 4]]))
        Not yet. These are the means of the windows. Max pooling takes the largest number of each.

    Shapes: x (H,W), answer (OH,OW).
    Errors: ShapeError if the window does not fit; ConfigError for another kind. An answer of any kind gets a verdict.
    """
    expect_known("kind of pooling", kind, KINDS)
    picture, window = _table(x), pooling_window(pool_size, strides)
    size, step = window["pool_size"], window["strides"]
    largest, mean = pooled(picture, window, "max"), pooled(picture, window, "average")
    taps = size[0] * size[1]
    slips = {
        "slip.other stride": pooled(picture, {**window, "strides": (1, 1)}, kind),
        "slip.smallest": -pooled(-picture, window, "max"),
        **({"slip.averaged": mean} if kind == "max" else {"slip.largest": largest, "slip.summed": mean * taps}),
    }

    def how(place: tuple[int, ...]) -> str:
        numbers = [plain(value) for value in _patch(picture, place, size, step).ravel()]
        return f"max({', '.join(numbers)})" if kind == "max" else f"({sums(numbers)}) / {taps}"

    return judge(answer, largest if kind == "max" else mean, lang, how=how, slips=slips)


def check_softmax(answer: Any, logits: Any, *, lang: str | None = None) -> Verdict:
    """What does softmax make of these scores, with two decimals? e^z of each, divided by the sum of all.

        >>> check_softmax([0.5, 0.5], [3, 3]).passed
        True
        >>> print(check_softmax([20.09, 20.09], [3, 3]))
        Not yet. These are the powers of e. Divide each by their sum, so that together they make 1.

    Shapes: logits and answer (classes,).
    Errors: an answer of any kind gets a verdict.
    """
    scores = np.asarray(logits, np.float64)
    right = ops.softmax(scores[None])[0]
    powers = np.exp(scores)
    slips = {"slip.powers": powers, "slip.percent": 100 * right, "slip.sigmoid": ops.activation(scores, "sigmoid")}
    if scores.sum():
        slips["slip.shares"] = scores / scores.sum()

    def how(place: tuple[int, ...]) -> str:
        return f"{plain(powers[place])} / ({sums([plain(power) for power in powers])})"

    return judge(answer, right, lang, how=how, slips=slips, tolerance=TWO_DECIMALS)


@exercise(
    "convolution",
    part="forward",
    title=("A convolution by hand", "손으로 하는 합성곱"),
    ask=(
        "A convolution layer lays the kernel on the input, multiplies number by number, and adds the bias {bias}; "
        "stride 1, no padding. Fill in the map that it gives.",
        "합성곱 계층은 커널을 입력에 겹쳐 같은 자리의 수끼리 곱하고 더한 뒤 편향 {bias}까지 더합니다. 스트라이드는 "
        "1이고 패딩은 없습니다. 나오는 맵을 채우십시오.",
    ),
)
def _convolution(rng: np.random.Generator) -> Task:
    x = rng.integers(0, 4, (3, 4)).astype(np.float64)
    kernel = rng.permutation([2, 1, 0, -1]).reshape(2, 2).astype(np.float64)
    bias = int(rng.integers(1, 4))
    right = _convolved(x, kernel, bias, (1, 1))
    return Task(
        lambda answer, lang: check_convolution(answer["map"], x, kernel, bias, lang=lang),
        {"map": right},
        (Field("map", "field.answer", right.shape),),
        (Given("given.input", x), Given("given.kernel", kernel)),
        {"bias": bias},
    )


@exercise(
    "pooling",
    part="forward",
    title=("Pooling by hand", "손으로 하는 풀링"),
    ask=(
        "Windows of 2x2 lie side by side on the input. Fill in what max pooling gives, and what average pooling gives.",
        "2x2 창이 입력 위에 겹치지 않고 나란히 놓입니다. 최대 풀링의 결과와 평균 풀링의 결과를 채우십시오.",
    ),
)
def _pooling(rng: np.random.Generator) -> Task:
    x = rng.permutation(16).reshape(4, 4).astype(np.float64)
    window = pooling_window(2)
    solution = {kind: pooled(x, window, kind) for kind in KINDS}

    def check(answer: Any, lang: str) -> Verdict:
        return first_wrong(
            check_pooling(answer["max"], x, lang=lang),
            check_pooling(answer["average"], x, kind="average", lang=lang),
        )

    fields = tuple(Field(kind, f"option.{kind}", solution[kind].shape) for kind in KINDS)
    return Task(check, solution, fields, (Given("given.input", x),))


@exercise(
    "softmax",
    part="forward",
    title=("From scores to probabilities", "점수에서 확률로"),
    ask=(
        "The last layer gives these scores. What does softmax make of them? Two decimals are enough.",
        "마지막 계층이 이런 점수를 냈습니다. 소프트맥스를 거치면 어떤 확률이 됩니까? 소수 둘째 자리까지면 됩니다.",
    ),
)
def _softmax(rng: np.random.Generator) -> Task:
    logits = rng.permutation([-1.0, 0.0, 1.0, 2.0])[:3]
    return Task(
        lambda answer, lang: check_softmax(answer["shares"], logits, lang=lang),
        {"shares": ops.softmax(logits[None])[0]},
        (Field("shares", "field.answer", (3,)),),
        (Given("given.logits", logits[None]),),
    )


def first_wrong(*verdicts: Verdict) -> Verdict:
    """The first that did not pass, or one of all."""
    wrong: Iterator[Verdict] = (verdict for verdict in verdicts if not verdict)
    return next(wrong, Verdict(True, " ".join(verdict.message for verdict in verdicts)))


def pooling_window(pool_size: int | Pair, strides: int | Pair | None = None) -> Pooling:
    """The window without padding; without strides, windows lie side by side."""
    size = pair(pool_size, "pool_size")
    return {"pool_size": size, "strides": size if strides is None else pair(strides, "strides"), "padding": NO_PADS}


def pooled(picture: Array, window: Pooling, kind: str) -> Array:
    """Shapes: picture (H,W) -> (OH,OW)."""
    batch = picture[None, :, :, None]
    found = ops.max_pool2d(batch, **window)[0] if kind == "max" else ops.avg_pool2d(batch, **window)
    return found[0, :, :, 0]


def _convolved(picture: Array, weights: Array, bias: float, strides: Pair) -> Array:
    """Shapes: picture (H,W), weights (KH,KW) -> (OH,OW)."""
    kernel = np.ascontiguousarray(weights)[:, :, None, None]
    return ops.conv2d(picture[None, :, :, None], kernel, np.array([float(bias)]), strides=strides, padding=NO_PADS)[
        0, :, :, 0
    ]


def _patch(picture: Array, place: tuple[int, ...], size: tuple[int, ...], strides: Pair) -> Array:
    row, column = window_start((place[0], place[1]), strides)
    return picture[row : row + size[0], column : column + size[1]]


def _table(values: Any) -> Array:
    return np.atleast_2d(np.asarray(values, np.float64))
