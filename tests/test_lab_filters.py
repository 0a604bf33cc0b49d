"""The lab's filter bench and exercises: everything that is shown is what the operations give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from scipy.signal import correlate2d

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_client import Page, serving

from pellucid import ops
from pellucid.exercises import EXERCISES, two_halves
from pellucid.lab import kernels

EDGE = [[1, 1], [-1, -1]]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with serving() as served, served.socket() as page:
        yield page


def maps_of(page: Page, **given: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What is said of the bench, and the numbers of its maps by name."""
    head, arrays = page.frame(view="filters", given=given)
    about = zip(head["parts"], arrays, strict=True) if "parts" in head else ()
    return head, {part["of"]: array for part, array in about if part.get("numbers")}


def test_two_filters_and_both_poolings_are_what_the_operations_give(page: Page) -> None:
    mean = np.full((3, 2), 1 / 6)
    filters = [{"kernel": EDGE, "relu": True}, {"kernel": mean.tolist(), "strides": 2, "padding": "same"}]
    head, maps = maps_of(page, picture="turned", filters=filters, pooling={"size": [2, 3], "strides": [2, 1]})
    picture = two_halves().T
    np.testing.assert_array_equal(maps["input"], picture)
    first = np.maximum(correlate2d(picture, np.array(EDGE), "valid"), 0)
    np.testing.assert_allclose(maps["filter1"], first, atol=1e-5)
    kernel = mean[:, :, None, None].astype(np.float32)
    pads = ((1, 1), (0, 1))  # of 49 rows and columns at stride 2, the odd column on the right
    second = ops.conv2d(maps["filter1"][None, :, :, None], kernel, strides=(2, 2), padding=pads)
    np.testing.assert_allclose(maps["filter2"], second[0, :, :, 0], atol=1e-5)
    window: Any = {"pool_size": (2, 3), "strides": (2, 1), "padding": ((0, 0), (0, 0))}
    np.testing.assert_array_equal(maps["max"], ops.max_pool2d(second, **window)[0][0, :, :, 0])
    np.testing.assert_allclose(maps["average"], ops.avg_pool2d(second, **window)[0, :, :, 0], atol=1e-6)
    assert head["layers"]["filter1"]["shape"] == [49, 49] and head["layers"]["max"]["shape"] == [12, 23]
    drawn = [part for part in head["parts"] if not part.get("numbers")]
    assert [part["of"] for part in drawn] == ["input", "filter1", "filter2", "max", "average"]
    assert drawn[3]["limit"] == drawn[4]["limit"], "both poolings are in one scale"


def test_a_test_picture_goes_over_the_bench_too(page: Page) -> None:
    bench = {"picture": "test", "filters": [{"kernel": [[1]], "padding": 1}]}
    head, arrays = page.frame(view="filters", given=bench, picture=4)
    shown = {part["of"]: array for part, array in zip(head["parts"], arrays, strict=True) if part.get("numbers")}
    assert shown["input"].min() == 0 and shown["input"].max() == 1 and shown["input"].shape == (8, 8)
    np.testing.assert_array_equal(np.pad(shown["input"], 1), shown["filter1"])


@pytest.mark.parametrize(
    ("filters", "pooling", "where", "says", "left"),
    [
        ([{"kernel": EDGE}, {"kernel": [[1] * 9] * 9, "dilation": 8}], None, "filter2", "at least 65x65 input", 2),
        ([{"kernel": EDGE, "strides": 8}], {"size": 9}, "pooling", "needs at least 9x9 input, got 7x7", 2),
        ([{"kernel": EDGE}], {"size": 2, "padding": 2}, "pooling", "padding must be smaller than the window", 2),
        ([{"kernel": [[1, 2], [3]]}], None, "filter1", "as many numbers", 1),
        ([{"kernel": [[1, None]]}], None, "filter1", "weight must be", 1),
        ([{"kernel": [[1] * 12]}], None, "filter1", "11", 1),
        ([{"kernel": [[1e9]]}], None, "filter1", "weight must be", 1),
        ([{"kernel": EDGE, "padding": "full"}], None, "filter1", "padding", 1),
        ([{"kernel": EDGE, "dilation": 9}], None, "filter1", "dilation", 1),
        ([{"kernel": EDGE, "stride": 9}], None, "filter1", "did you mean 'strides'", 1),
    ],
)
def test_what_does_not_fit_is_explained_and_what_comes_before_it_is_shown(
    page: Page, filters: Any, pooling: Any, where: str, says: str, left: int
) -> None:
    head, maps = maps_of(page, filters=filters, pooling=pooling)
    assert head["where"] == where and says in head["problem"]
    assert len(maps) == left


@pytest.mark.parametrize(
    "given", [{"filters": [{}] * 3}, {"picture": "cat"}, [1], {"filter": 1}, "bench", {"filters": 1}]
)
def test_what_is_no_bench_is_refused(page: Page, given: Any) -> None:
    head, arrays = page.frame(view="filters", given=given)
    assert "problem" in head and not arrays


def test_a_number_is_taken_apart(page: Page) -> None:
    bench = {"filters": [{"kernel": [[-1, 1], [-1, 1]]}], "pooling": {"size": 2}}
    found = page.ask(view="filter_number", given=bench, layer="filter1", position=[3, 24, 0])
    patch = two_halves()[3:5, 24:26]
    np.testing.assert_allclose(found["patch"], patch.ravel(), rtol=1e-6)
    assert sum(found["products"]) == pytest.approx(found["sum"]) and found["result"] == pytest.approx(
        float(patch[:, 1].sum() - patch[:, 0].sum()), rel=1e-5
    )
    largest = page.ask(view="filter_number", given=bench, layer="max", position=[1, 12, 0])
    assert max(largest["patch"]) == pytest.approx(largest["result"])


def test_kernels_to_begin_with(page: Page) -> None:
    names = page.ask(view="filter_kernel")
    assert names["names"] == list(kernels.NAMES) and {"mean", "gabor"} <= set(names["sized"])
    for name in kernels.NAMES:
        kernel = np.array(page.ask(view="filter_kernel", given={"name": name, "size": [5, 4]})["kernel"])
        assert kernel.shape == ((5, 4) if name in names["sized"] else kernel.shape)
        wanted = 1 if name in ("mean", "gauss", "sharpen", "identity") else 0
        assert kernel.sum() == pytest.approx(wanted, abs=0.03), name
    assert kernels.make("mean", (1, 1)) == [[1.0]] and kernels.make("sharpen", (1, 1)) == [[1.0]]
    gabor = np.array(kernels.make("gabor", (7, 7)))
    np.testing.assert_allclose(gabor, gabor[:, ::-1], atol=1e-3)
    flat, stripes = np.ones((7, 7)), np.cos(2 * np.pi * np.arange(-3, 4) * 7 / 18)[None].repeat(7, 0)
    assert abs((gabor * flat).sum()) < 0.02 < 1 < (gabor * stripes).sum()


def test_exercises_are_those_of_the_package(page: Page) -> None:
    parts = page.ask(view="exercises")["parts"]
    assert [each["name"] for part in parts for each in part["exercises"]] != []
    assert {each["name"] for part in parts for each in part["exercises"]} == set(EXERCISES)
    told = page.ask(view="exercise", given={"name": "softmax", "seed": 3})
    assert told["ask"]["ko"] and told["fields"][0]["shape"] == [3]
    wrong = page.ask(view="verdict", given={"name": "softmax", "seed": 3, "answer": {"shares": [1, None, "x"]}})
    assert not wrong["passed"] and wrong["message"]["en"].startswith("Not yet")
    answer = page.ask(view="solution", given={"name": "softmax", "seed": 3})["answer"]
    right = page.ask(view="verdict", given={"name": "softmax", "seed": 3, "answer": answer})
    assert right["passed"] and right["message"]["ko"].startswith("맞습니다")
    page.say(type="ask", id=9, view="exercise", given={"name": "softmaks"})
    assert "did you mean 'softmax'" in page.until("error")["text"]


def test_messages_of_strangers_change_nothing(page: Page) -> None:
    deep: object = 1
    for _ in range(400):
        deep = [deep]
    hostile: list[Any] = [None, [], deep, "x" * 9000, {"name": deep}, {"name": "softmax", "seed": 10**30}, {"name": []}]
    hostile += [{"name": "convolution", "answer": {"map": each}} for each in (deep, "9" * 5000, [[1e308] * 9] * 900)]
    hostile += [{"filters": [{"kernel": each}]} for each in (deep, [[]], [[1e308]], [["1"]], [[True]], "k")]
    for view in ("exercise", "verdict", "solution", "filter_kernel", "filter_number"):
        for given in hostile:
            page.say(type="ask", id=11, view=view, given=given)
            page.until("answer", "error")
    assert page.ask(view="filter_kernel", given={"name": "identity"})["kernel"][1][1] == 1
