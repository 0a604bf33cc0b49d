"""Every exercise: right answers pass for any seed, no answer raises, and the usual slips are told apart."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d
from scipy.special import expit, softmax

from pellucid.errors import ConfigError, ShapeError
from pellucid.exercises import (
    EXERCISES,
    PARTS,
    Verdict,
    by_part,
    check_convolution,
    check_curves,
    check_kernel_gradient,
    check_loss_gradient,
    check_network,
    check_pooling,
    check_pooling_gradient,
    check_receptive_field,
    check_shift_kernel,
    check_smoothing_kernel,
    check_softmax,
    check_step,
    check_unit_gradient,
    exercise,
    find,
)
from pellucid.exercises.comparing import judge
from pellucid.exercises.curves import SETTINGS, trained_curves

NAMES = list(EXERCISES)
DEEP: list[Any] = []
for _ in range(900):
    DEEP = [DEEP]
ODD: list[Any] = [
    None, "", "seven", [], [[]], {}, True, math.nan, math.inf, 10**400, 1e308, -1, object(), [[1], [1, 2]],
    [None] * 3, [[None, 1], [2, 3]], DEEP, ["1"] * 4, np.ones((2, 2)), [[math.nan] * 3] * 3,
    list(range(1000)), {"a": [1]}, b"\xff", 1j,
]  # fmt: skip


def test_there_are_at_least_ten_of_every_part() -> None:
    assert len(EXERCISES) >= 10
    assert list(by_part()) == list(PARTS) and all(by_part().values())
    assert sum(map(len, by_part().values())) == len(EXERCISES)


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_passes_and_the_task_is_plain_data(name: str) -> None:
    found = find(name)
    for seed in range(6):
        task = found.task(seed)
        for lang in ("en", "ko"):
            verdict = found.check(task.solution, seed, lang=lang)
            assert verdict and verdict.message.startswith({"en": "Right", "ko": "맞습니다"}[lang]), verdict.message
        told = json.loads(json.dumps(found.describe(seed)))
        assert [field["name"] for field in told["fields"]] == list(task.solution)
        for field in task.fields:
            value = task.solution[field.name]
            assert value in field.options if field.options else np.shape(value) == field.shape
        assert "{" not in told["ask"]["en"] + told["ask"]["ko"]
    assert any(
        json.dumps(found.describe(seed)) != json.dumps(found.describe(0) | {"seed": seed}) for seed in range(1, 6)
    )


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_raises(name: str) -> None:
    found = find(name)
    task = found.task(1)
    for odd in ODD:
        verdict = found.check({field.name: odd for field in task.fields}, 1, lang="en")
        assert not verdict and verdict.message.startswith("Not yet"), (odd, verdict.message)
        for field in task.fields:
            assert not found.check({**task.solution, field.name: odd}, 1, lang="ko"), (field.name, odd)
        assert not found.check(odd, 1)


def test_what_there_is_not_is_an_error() -> None:
    with pytest.raises(ConfigError, match="exercise 'softmaks'; did you mean 'softmax'"):
        find("softmaks")
    with pytest.raises(ConfigError, match="seed"):
        find("softmax").task(-1)
    with pytest.raises(ConfigError, match="language 'kr'"):
        find("softmax").check({}, lang="kr")
    with pytest.raises(KeyError, match="softmax"):
        exercise("softmax", part="forward", title=("a", "가"), ask=("b", "나"))(find("softmax").make)


X = np.array([[1.0, 2, 0, 3], [0, 1, 2, 1], [2, 0, 1, 1]])
K = np.array([[2.0, 0], [-1, 1]])
POOLED = np.array([[6.0, 1], [2, 3]])


def words(verdict: Verdict, expected: str | None) -> None:
    assert verdict.passed == (expected is None), verdict.message
    assert expected is None or re.search(expected, verdict.message), verdict.message


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (correlate2d(X, K, "valid") + 3, None),
        (correlate2d(X, K, "valid"), "bias is added"),
        (convolve2d(X, K, "valid") + 3, "turned the kernel by 180"),
        (correlate2d(X, K.T, "valid") + 3, "Rows and columns"),
        (correlate2d(X, K, "valid") + 3 + np.eye(2, 3, 2), r"1 of 6 .* row 1, column 3: 0 \* 2 \+ 3 \* 0 .* \+ 3"),
        (np.zeros((3, 3)), "must be 2x3 numbers, got 3x3"),
    ],
)
def test_convolution(answer: Any, expected: str | None) -> None:
    words(check_convolution(answer, X, K, 3), expected)


def test_a_forgotten_stride_and_a_kernel_that_does_not_fit() -> None:
    right = correlate2d(X, K, "valid")[::2, ::2]
    words(check_convolution(right, X, K, strides=2), None)
    words(check_convolution(correlate2d(X, K, "valid"), X, K, strides=2), "mind the stride")
    with pytest.raises(ShapeError):
        check_convolution(1, X, np.ones((5, 5)))


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        (6, "max", None),
        (3, "average", None),
        (3, "max", "means of the windows"),
        (1, "max", "smallest"),
        (6, "average", "largest numbers"),
        (12, "average", "These are sums"),
        (2, "max", r"max\(6, 1, 2, 3\)"),
        (2, "average", r"\(6 \+ 1 \+ 2 \+ 3\) / 4"),
    ],
)
def test_pooling(answer: float, kind: Any, expected: str | None) -> None:
    words(check_pooling(answer, POOLED, kind=kind), expected)
    assert check_pooling([[[answer]]], POOLED, kind=kind).passed == (expected is None)


@pytest.mark.parametrize(
    ("answer", "kind", "expected"),
    [
        ([[8, 0], [0, 0]], "max", None),
        ([[2, 2], [2, 2]], "average", None),
        ([[2, 2], [2, 2]], "max", "as average pooling does"),
        ([[8, 8], [8, 8]], "max", "every number of its window"),
        ([[8, 8], [8, 8]], "average", "every number of its window"),
        ([[8, 0], [0, 0]], "average", "as max pooling does"),
        ([[6, 0], [0, 0]], "max", "You put the largest numbers"),
        ([[8, 1], [0, 0]], "max", "row 1, column 2: 0"),
    ],
)
def test_pooling_gradient(answer: Any, kind: Any, expected: str | None) -> None:
    words(check_pooling_gradient(answer, POOLED, [[8]], kind=kind), expected)


def test_a_number_that_wins_twice_gets_both_gradients() -> None:
    picture = np.array([[0.0, 1, 2], [3, 9, 4], [5, 6, 7]])
    right = np.zeros((3, 3))
    right[1, 1] = 1 + 2 + 3 + 4
    verdict = check_pooling_gradient(right, picture, [[1, 2], [3, 4]], 2, strides=1)
    assert verdict and "1 * 1 + 2 * 1 + 3 * 1 + 4 * 1 = 10" in verdict.message
    words(check_pooling_gradient(np.eye(3), picture, [[1, 2], [3, 4]], 2, strides=1), "3 of 9")
    first = check_pooling_gradient([[8, 0], [0, 0]], [[1, 5], [2, 3]], [[8]])
    words(first, "first number of its window")


LOGITS = np.array([2.0, -1.0, 0.5])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (softmax(LOGITS), None),
        (np.round(softmax(LOGITS), 2), None),
        (np.exp(LOGITS), "powers of e"),
        (LOGITS / LOGITS.sum(), "divided the scores themselves"),
        (expit(LOGITS), "sigmoid"),
        (100 * softmax(LOGITS), "percent"),
        (softmax(LOGITS)[::-1], r"2 of 3 .* number 1: 7.389 / \(7.389 \+ 0.3679 \+ 1.649\)"),
    ],
)
def test_softmax(answer: Any, expected: str | None) -> None:
    words(check_softmax(answer, LOGITS), expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (softmax(LOGITS) - [0, 1, 0], None),
        ([0, 1, 0] - softmax(LOGITS), "sign"),
        (softmax(LOGITS), "These are the probabilities"),
        ((softmax(LOGITS) - 1) * [0, 1, 0], "Only the right class"),
    ],
)
def test_loss_gradient(answer: Any, expected: str | None) -> None:
    words(check_loss_gradient(answer, LOGITS, 1), expected)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (correlate2d(X, K, "valid"), None),
        (correlate2d(X, K, "valid")[::-1, ::-1], "turned by 180"),
        (correlate2d(X, np.ones((2, 2)), "valid"), "added up the inputs alone"),
        (np.zeros((2, 3)), "row 1, column 1"),
    ],
)
def test_kernel_gradient(answer: Any, expected: str | None) -> None:
    """It is the input correlated with the gradient that arrives."""
    words(check_kernel_gradient(answer, X, K), expected)


@pytest.mark.parametrize(
    ("answer", "target", "expected"),
    [
        ([4, 8], 1, None),
        ([2, 4], 1, "has a 2 in front"),
        ([-4, -8], 1, "sign"),
        ([4, 4], 1, "before the weights"),
        ([4, 0], 1, r"number 2: 2 \* \(3 - 1\) \* 1 \* 2"),
        ([0, 0], 1, "slope is 1"),
    ],
)
def test_unit_gradient(answer: Any, target: float, expected: str | None) -> None:
    words(check_unit_gradient(answer, [1, 2], [1, 1], target), expected)
    assert check_unit_gradient([0, 0], [1, 2], [-1, -1], target), "ReLU holds it back"


def test_the_gradient_of_the_inputs_is_not_that_of_the_weights() -> None:
    words(check_unit_gradient([12, 4], [1, 2], [3, 1], 3), "that is the gradient of the inputs")


@pytest.mark.parametrize(
    ("velocity", "expected"),
    [
        (0.9 * 0.5 - 0.1 * 2, None),
        (-0.1 * 2, "velocity is left out"),
        (0.5 - 0.1 * 2, "kept in part"),
        (0.9 * 0.5 - 2, "learning rate is left out"),
        (0.9 * 0.5 + 0.1 * 2, "against the gradient"),
        (7, r"number 1: 0.9 \* 0.5 - 0.1 \* 2"),
    ],
)
def test_step(velocity: float, expected: str | None) -> None:
    words(check_step((velocity, 1 + velocity), 1, 2, 0.5, learning_rate=0.1, momentum=0.9), expected)


def test_receptive_field() -> None:
    windows = [(5, 1), (2, 2), (3, 1)]
    for answer, expected in ((10, None), (5 + 2 + 3, None), (8, "strides are left out"), (9, r"\(3 - 1\) \* 2")):
        words(check_receptive_field(answer, windows), expected)
    words(check_receptive_field(8, [(3, 1), (5, 1)]), "added the kernels up")


@pytest.mark.parametrize("direction", ["left", "right", "up", "down"])
def test_shift_kernel(direction: str) -> None:
    rows, columns = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}[direction]
    kernel = np.zeros((3, 3))
    kernel[1 - rows, 1 - columns] = 1
    picture = np.random.default_rng(0).normal(size=(7, 6))
    moved = correlate2d(picture, kernel, "same")
    np.testing.assert_array_equal(moved[1:-1, 1:-1], np.roll(picture, (rows, columns), (0, 1))[1:-1, 1:-1])
    words(check_shift_kernel(kernel, direction), None)
    words(check_shift_kernel(kernel[::-1, ::-1], direction), "laid on the picture as it is")
    words(check_shift_kernel(2 * kernel, direction), "2 times as bright")
    words(check_shift_kernel(np.ones((3, 3)), direction), "in 9 places")
    words(check_shift_kernel(np.eye(1, 9, 4).reshape(3, 3), direction), "not at all")
    words(check_shift_kernel(np.zeros((3, 3)), direction), "zeros")


def test_smoothing_kernel() -> None:
    binomial = np.outer([1, 2, 1], [1, 2, 1]) / 16
    words(check_smoothing_kernel(binomial), None)
    words(check_smoothing_kernel(binomial * 16), "16 times as bright")
    words(check_smoothing_kernel(np.eye(1, 9, 4).reshape(3, 3)), "1 of the noise is left")
    noise = correlate2d(np.random.default_rng(0).normal(size=(300, 300)), binomial, "valid")
    assert noise.std() == pytest.approx(0.375, rel=0.02)
    assert "0.38" in check_smoothing_kernel(binomial).message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"activation": "linear"}, None),
        ({"kernel": "5"}, None),
        ({"kernel": "5", "padding": "valid"}, "layer 2 'conv2' .* needs at least 3x3 input, got 2x2"),
        ({"kernel": "9", "padding": "valid"}, "'conv1' .* needs at least 9x9"),
        ({"units": "9"}, "gives 9, but there are 10"),
        ({"activation": "relu"}, "erases every score below 0"),
        ({"activation": "sigmoid"}, "each class on its own"),
        ({"units": "11"}, "units of the last layer must be one of 1, 9, 10, got '11'"),
    ],
)
def test_network(changes: dict[str, str], expected: str | None) -> None:
    right = {"kernel": "3", "padding": "same", "units": "10", "activation": "softmax"}
    verdict = check_network(right | changes)
    words(verdict, expected)
    if expected is None:
        assert float(re.findall(r"([\d.]+) ?%", verdict.message)[0]) > 85


@pytest.mark.parametrize("cause", SETTINGS)
def test_curves(cause: str) -> None:
    train, test = trained_curves(cause)
    best = int(np.argmin(test)) + 1
    words(check_curves({"cause": cause, "epoch": best}, cause), None)
    words(check_curves({"cause": cause, "epoch": best + 5}, cause), f"in epoch {best + 5} it is")
    for other in SETTINGS:
        if other != cause:
            words(check_curves({"cause": other, "epoch": best}, cause), "Not yet. Look: ")
    ends = {"well": test[-1] < 0.7, "overfits": test[-1] > 1.15 * min(test) and train[-1] < 0.1}
    ends |= {"too slow": train[-1] > 2 and max(np.diff(train)) < 0.02, "too fast": max(np.diff(train)) > 0.01}
    assert ends[cause]


def test_numbers_may_be_written_as_texts_and_be_wrapped_in_axes_of_one() -> None:
    right = np.array([[1.0, 2.0]])

    def verdict(answer: object) -> Verdict:
        return judge(answer, right, "en", how=lambda place: "1")

    assert verdict([["1", "2.0"]]) and verdict([[[1], [2]]]) and verdict([1, 2])
    assert not verdict([1, 3]) and not verdict([[1, 2], [1, 2]])
