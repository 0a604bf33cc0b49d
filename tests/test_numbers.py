"""Numbers as people read them, in every place that prints one."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid import Dense, Sequential
from pellucid._numbers import number, percent
from pellucid.visualise import dissect

SOURCE = Path(pellucid.__file__).parent


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_only_all_and_nothing_are_written_as_such(digits: int) -> None:
    rng = np.random.default_rng(0)
    shares = np.concatenate([1 - 10.0 ** -rng.uniform(0, 16, 300), 10.0 ** -rng.uniform(0, 16, 300), [0.0, 1.0]])
    for share in shares:
        text = percent(float(share), digits)
        told = float(text.strip("<> %"))
        assert (told == 100 and text[0] != ">") == (share == 1), (share, text)
        assert (told == 0 and text[0] != "<") == (share == 0), (share, text)


@pytest.mark.parametrize("digits", [3, 4])
def test_a_number_that_is_not_round_does_not_look_round(digits: int) -> None:
    rng = np.random.default_rng(1)
    for round_ in (1.0, 2.0, 10.0, 0.5, -1.0, 1000.0):
        for step in 10.0 ** -rng.uniform(1, 5.9, 50):
            value = round_ * (1 + step)
            assert float(number(value, digits)) != round_, (value, number(value, digits))
        assert float(number(round_, digits)) == round_
    assert [number(x) for x in (0.0, -0.0, math.nan, math.inf)] == ["0", "0", "nan", "inf"]


@pytest.mark.parametrize("digits", [0, 1, 2])
def test_bounds_of_percentages_keep_the_order_of_what_is_written_out(digits: int) -> None:
    written = [percent(10.0**-n, digits, "").lstrip("<") for n in range(1, 16)]
    assert sorted(map(float, written), reverse=True) == [float(text) for text in written]


def test_percentages_are_written_in_one_place() -> None:
    own = re.compile(r":\.\d%|:\.\df\} ?%|100 \* .*:\.\df\}")
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in SOURCE.rglob("*.py")
        if path.name not in ("_numbers.py", "_progress.py") and "bench" not in str(path.relative_to(SOURCE))
        for line, text in enumerate(path.read_text("utf-8").splitlines(), 1)
        if own.search(text) and "formatter" not in text  # of an axis, whose ticks are round
    ]
    assert found == [], "use pellucid._numbers.percent"


def test_a_bias_is_added_whatever_its_sign() -> None:
    model = Sequential([Dense(2, input_shape=(3,), activation="softmax")])
    model.build()
    for bias in (-0.0713712, 0.0713712, 0.0):
        model.set_weights([np.array([[9, -2], [0, 0], [0, 0]], np.float32), np.array([bias, 0], np.float32)])
        told = dissect(model, np.array([1, 0, 0], np.float32), "dense", [0]).equation
        assert f"+ bias {'(-0.07137)' if bias < 0 else number(bias)} = " in told
        assert not told.endswith("= 1"), "0.99998 is no certainty"
