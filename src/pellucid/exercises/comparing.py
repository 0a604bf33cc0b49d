"""Numbers worked out by hand beside the right ones, which the project's own operations give.

A wrong answer is compared with what the usual slips give; where it is none of these, the first wrong number is named,
and how it comes about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from pellucid._language import language
from pellucid.errors import shown
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, enter
from pellucid.ops import Array
from pellucid.ops.geometry import Shape

TWO_DECIMALS = 0.0051
"""How far a number may be off that is asked for with two decimals."""

EXACT = 1e-6
"""How far others may be, for float32's sake."""

MANY = 6
"""Terms of a sum that are spelled out; of a longer one the first and the last."""

enter({
    "numbers": (
        "Not yet. The answer must be {size}, got {given}.",
        "아직 아닙니다. 답의 크기는 {size}여야 합니다. 입력: {given}.",
    ),
    "one number": ("one number", "수 하나"),
    "row of numbers": ("{count} numbers", "수 {count}개"),
    "table of numbers": ("{size} numbers", "{size}개의 수"),
    "empty": (
        "Not yet. Something is missing, or is no finite number.",
        "아직 아닙니다. 빈칸이 있거나 유한한 수가 아닌 값이 있습니다.",
    ),
    "slip": ("Not yet. {why}", "아직 아닙니다. {why}"),
    "off": (
        "Not yet. {wrong} of {count} numbers are not right. Look at {place}: {how}.",
        "아직 아닙니다. 수 {count}개 가운데 {wrong}개가 맞지 않습니다. {place}에서는 이렇게 계산합니다: {how}.",
    ),
    "off once": ("Not yet. It is worked out like this: {how}.", "아직 아닙니다. 이렇게 계산합니다: {how}."),
    "in row and column": ("row {row}, column {column}", "{row}행 {column}열"),
    "in place": ("number {place}", "{place}번째 수"),
    "worked out": ("Right: {how} = {result}.", "맞습니다: {how} = {result}."),
})  # fmt: skip


def as_numbers(answer: Any) -> Array | None:
    """An answer as numbers, NaN where one is missing; None for what is no table of numbers."""
    try:
        given = np.asarray(answer, np.float64)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return None if given.size > 1 << 16 else given


def judge(
    answer: Any,
    right: Array,
    lang: str | None,
    *,
    how: Callable[[tuple[int, ...]], str],
    slips: Mapping[str, Array] | None = None,
    tolerance: float = EXACT,
) -> Verdict:
    """Is every number of the answer right? how: the sum behind the number at a place, without its result.

    slips: what usual mistakes give, by the sentence that explains each; of any shape.
    Errors: ConfigError for a language; an answer of any kind gets a verdict.
    """
    say, right = MESSAGES[language(lang)], np.asarray(right, np.float64)
    given = as_numbers(answer)
    if given is None:
        return Verdict(False, say["numbers"].format(size=_size(right.shape, say), given=shown(answer)))
    given = _trimmed(given, right.shape)
    if not np.isfinite(given).all():
        return Verdict(False, say["empty"])
    if _same(given, right, tolerance):
        largest = tuple(int(at) for at in np.unravel_index(np.abs(right).argmax(), right.shape))
        return Verdict(True, say["worked out"].format(how=how(largest), result=plain(float(right[largest]))))
    for name, slip in (slips or {}).items():
        if not _same(right, slip, tolerance) and _same(given, _trimmed(slip, right.shape), tolerance):
            return Verdict(False, say["slip"].format(why=say[name]))
    if given.shape != right.shape:
        return Verdict(False, say["numbers"].format(size=_size(right.shape, say), given=_size(given.shape, say)))
    wrong = np.argwhere(np.abs(given - right) > tolerance)
    place = tuple(int(index) for index in wrong[0])
    if right.size == 1:
        return Verdict(False, say["off once"].format(how=how(place)))
    where = "in row and column" if right.ndim == 2 else "in place"
    named = say[where].format(row=place[0] + 1, column=place[-1] + 1, place=place[-1] + 1)
    return Verdict(False, say["off"].format(wrong=len(wrong), count=right.size, place=named, how=how(place)))


def plain(value: float) -> str:
    """A number as one writes it by hand: 2, -0.5, 0.667."""
    return f"{value:.4g}" if value else "0"


def products(pairs: Iterable[tuple[float, float]]) -> str:
    """2 * 1 + 0 * -1 + ..."""
    return sums([f"{plain(a)} * {plain(b)}" for a, b in pairs])


def sums(terms: list[str]) -> str:
    """Terms with + between them, those in the middle left out where there are many."""
    return " + ".join(terms if len(terms) <= MANY else [*terms[: MANY - 2], "...", terms[-1]]) or "0"


def _trimmed(values: Array, shape: Shape) -> Array:
    """With the axes of 1 that the right answer has, and no others."""
    squeezed = np.squeeze(np.asarray(values, np.float64))
    return squeezed.reshape(shape) if squeezed.shape == tuple(size for size in shape if size != 1) else squeezed


def _same(given: Array, right: Array, tolerance: float) -> bool:
    return given.shape == right.shape and bool((np.abs(given - right) <= tolerance).all())


def _size(shape: Shape, say: Mapping[str, str]) -> str:
    if not shape:
        return say["one number"]
    if len(shape) == 1:
        return say["row of numbers"].format(count=shape[0])
    return say["table of numbers"].format(size="x".join(map(str, shape)))
