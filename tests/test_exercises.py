"""The checkers of the exercises: right answers pass, however they are written; wrong ones are explained."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.signal import correlate2d

import pellucid
from pellucid import exercises
from pellucid.errors import ConfigError, ShapeError
from pellucid.exercises import check_edge_kernel, check_output_size, check_parameter_count
from pellucid.layers import Conv2D, Dense, Flatten, Layer

EDGE = np.array([[1.0, 1.0], [-1.0, -1.0]])


@pytest.mark.parametrize("factor", [1, -1, 0.25, -3, 1e-30, 1e30, 1e308])
@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 1, 1), (1, 1, 2, 2)])
def test_every_multiple_of_the_answer_passes(factor: float, shape: tuple[int, ...]) -> None:
    verdict = check_edge_kernel((factor * EDGE).reshape(shape))
    assert verdict.passed and bool(verdict) and str(verdict) == verdict.message
    assert ("ReLU" in verdict.message) == (factor < 0)
    if factor < 1e300:
        assert verdict.edge == pytest.approx(20 * factor) and verdict.flat == 0


def test_the_response_is_scipys_on_the_turned_picture() -> None:
    picture = exercises.two_halves().T.astype(np.float64)
    for kernel in (EDGE, np.array([[0.3, -1.2], [2.0, 0.7]])):
        response = check_edge_kernel(kernel).response
        assert response is not None and response.shape == (49, 49)
        np.testing.assert_allclose(response, correlate2d(picture, kernel, mode="valid"), atol=1e-9)


def test_a_kernel_that_passes_finds_the_edge_in_the_noise_and_one_that_fails_does_not() -> None:
    """The verdict against what can be measured: is the edge's row the one with the largest answers?"""
    rng = np.random.default_rng(1)
    kernels = [*rng.normal(size=(300, 2, 2)), *(EDGE + rng.normal(0, 0.05, (100, 2, 2)))]
    found = {True: 0, False: 0}
    for kernel in kernels:
        verdict = check_edge_kernel(kernel)
        assert verdict.response is not None
        rows = np.abs(verdict.response.mean(axis=1))
        others = np.delete(rows, 24)
        assert not verdict.passed or rows[24] > 4 * others.max()
        found[verdict.passed] += 1
    assert min(found.values()) > 50


WRONG = [
    ([[-1, 1], [-1, 1]], "left with right", "왼쪽과 오른쪽"),
    ([[1, -1], [1, -1]], "left with right", "왼쪽과 오른쪽"),
    ([[1, -1], [-1, 1]], "cancel each other", "서로 지워져서"),
    ([[0.25, 0.25], [0.25, 0.25]], "averages", "평균"),
    ([[-1, -2], [-1, -1]], "averages", "평균"),
    ([[1, 1], [-1, 0]], "sum to 1", "지금은 1입니다"),
    ([[1, -0.9], [-0.9, 0.8]], "cannot be told", "구별할 수 없습니다"),
    ([[0, 0], [0, 0]], "zeros", "0으로만"),
    ([[np.nan, 1], [1, 1]], "no finite number", "유한한 수"),
    ([[np.inf, 1], [1, 1]], "no finite number", "유한한 수"),
    (np.ones((3, 3)), r"shape \(3, 3\)", r"\(3, 3\)"),
    ([1, 1, -1, -1], r"shape \(4,\)", r"\(4,\)"),
    ([[1, 1], [-1]], "two rows of two", "두 줄에"),
    ([["a", "b"], ["c", "d"]], "two rows of two", "두 줄에"),
    (None, "2x2", "2x2"),
]


@pytest.mark.parametrize(("kernel", "english", "korean"), WRONG)
def test_wrong_kernels_are_explained_in_both_languages(kernel: object, english: str, korean: str) -> None:
    for lang, words in (("en", english), ("ko", korean)):
        verdict = check_edge_kernel(kernel, lang=lang)
        assert not verdict and re.search(words, verdict.message), verdict.message


def test_right_kernels_other_than_the_textbooks_are_told_what_they_miss() -> None:
    one_column, diagonal = check_edge_kernel([[1, 0], [-1, 0]]), check_edge_kernel([[1, 0], [0, -1]])
    assert one_column.passed and "7.07 times" in one_column.message and "would stand out 10" in one_column.message
    assert diagonal.passed and "vertical edges as well (+10)" in diagonal.message
    assert "세로 에지에도" in check_edge_kernel([[1, 0], [0, -1]], lang="ko").message


def test_both_languages_have_the_same_messages_with_the_same_numbers() -> None:
    english, korean = exercises.MESSAGES["en"], exercises.MESSAGES["ko"]
    assert english.keys() == korean.keys()
    for name in english:
        fields = [set(re.findall(r"{(\w+)", language[name])) for language in (english, korean)]
        assert fields[1] == fields[0], name


def test_an_unknown_language_is_an_error() -> None:
    with pytest.raises(ConfigError, match="language 'kr'; did you mean 'ko'"):
        check_edge_kernel(EDGE, lang="kr")


def test_the_picture_is_seed_002s() -> None:
    still = exercises.two_halves(seed=None)
    assert still.shape == (50, 50) and (still[:, :25] == 10).all() and (still[:, 25:] == 0).all()
    noise = exercises.two_halves() - still
    assert noise.std() == pytest.approx(1, abs=0.05) and abs(noise.mean()) < 0.06
    np.testing.assert_array_equal(exercises.two_halves(), exercises.two_halves())
    assert np.any(exercises.two_halves(seed=1) != exercises.two_halves())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (5, None),
        ((5, 5), None),
        (4, "the 1 at the end"),
        (3, "padding is left out"),
        (9, "stride is left out"),
        (6, r"\(6, 6\) is not it\.$"),
        (5.0, "must be a whole number"),
        ("five", "must be a whole number"),
    ],
)
def test_output_size_of_a_padded_strided_convolution(answer: object, words: str | None) -> None:
    """7 + 2 + 2 - 3 = 8; 8 // 2 + 1 = 5."""
    verdict = check_output_size(answer, 7, 3, strides=2, padding=2)
    assert verdict.passed == (words is None)
    assert re.search(words or r"\(7 \+ 2 \+ 2 - 3\) // 2 \+ 1 = 5", verdict.message), verdict.message


def test_output_size_of_rows_and_columns_that_differ() -> None:
    right = check_output_size((3, 9), (8, 12), (3, 4), strides=(2, 1))
    assert right and "(12 + 0 + 0 - 4) // 1 + 1 = 9" in right.message
    assert "exchanged" in check_output_size((9, 3), (8, 12), (3, 4), strides=(2, 1)).message
    assert "round down" in check_output_size((4, 9), (8, 12), (3, 4), strides=(2, 1)).message
    assert "바뀌었습니다" in check_output_size((9, 3), (8, 12), (3, 4), strides=(2, 1), lang="ko").message
    assert "both sides" in check_output_size(26, 28, 5, padding=2).message
    assert check_output_size(14, 28, 3, strides=2, padding="same").passed
    with pytest.raises(ShapeError, match="at least 5x5"):
        check_output_size(1, 4, 5)


@pytest.mark.parametrize(
    ("layer", "input_shape", "answers"),
    [
        (
            Conv2D(2, (2, 2)),
            (6, 6, 1),
            {10: "2 x 2 x 1 x 2 [+] 2 = 10", 8: "one bias", 200: "25 places", 250: "25 pla"},
        ),
        (Conv2D(36, (3, 3)), (32, 32, 3), {1008: "= 1,008", 972: "one bias", 324: "deep as .* \\(3\\)", 360: "deep"}),
        (Conv2D(2, (2, 2), use_bias=False), (6, 6, 1), {8: "= 8", 10: "10 is not it[.]$"}),
        (Conv2D(4, 3, groups=2), (8, 8, 6), {112: "3 x 3 x 3 x 4 [+] 4 = 112", 108: "one bias"}),
        (Dense(50), (36,), {1850: "= 1,850", 1800: "each unit has one bias", 50: "is not it[.]$"}),
        (Flatten(), (4, 4, 144), {0: "0 = 0", 2304: "not it"}),
    ],
)
def test_parameter_counts(layer: Layer, input_shape: tuple[int, ...], answers: dict[int, str]) -> None:
    right = next(iter(answers))
    for answer, words in answers.items():
        verdict = check_parameter_count(answer, layer, input_shape)
        assert verdict.passed == (answer == right) and re.search(words, verdict.message), verdict.message
        assert check_parameter_count(answer, layer, input_shape, lang="ko").passed == verdict.passed
    assert not layer.built, "the layer is left as it is"
    assert "whole number, got '10'" in check_parameter_count("10", layer, input_shape).message


def test_a_layer_of_ones_own_is_counted_too() -> None:
    class Shift(Layer):
        def build(self, input_shape: tuple[int, ...], rng: np.random.Generator) -> None:
            self.params = {"by": np.zeros(input_shape[-1], np.float32)}

    assert check_parameter_count(3, Shift(), (5, 5, 3)).passed


def test_exercises_are_public() -> None:
    assert pellucid.exercises is exercises
