"""Test pictures on a plane, and a window on its way: against scikit-learn's components and `pellucid.trace`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_client import Page, Served, serving

import pellucid
from pellucid.lab.prepare import prepare
from pellucid.lab.scatter import POINTS, Features, aligned, principal_plane
from pellucid.layers import BatchNorm, Conv2D, Dense, Flatten, GlobalAvgPool2D, MaxPool2D, ReLU


@pytest.mark.parametrize("shape", [(50, 7), (20, 90)])
def test_the_plane_is_that_of_principal_components(shape: tuple[int, int]) -> None:
    decomposition = pytest.importorskip("sklearn.decomposition")
    values = np.random.default_rng(0).normal(size=shape) * [9, 5, *[1] * (shape[1] - 2)]
    places, shares = principal_plane(values)
    found = decomposition.PCA(2, svd_solver="full").fit(values)
    np.testing.assert_allclose(np.abs(places), np.abs(found.transform(values)), atol=1e-8)
    np.testing.assert_allclose(shares, found.explained_variance_ratio_)


@pytest.mark.parametrize("shape", [(0, 5), (1, 5), (4, 0), (4, 1), (3, 900)])
def test_few_pictures_or_features_have_places_too(shape: tuple[int, int]) -> None:
    places, shares = principal_plane(np.ones(shape))
    assert places.shape == (shape[0], 2) and np.isfinite(places).all() and not shares.any()


def test_places_turn_back_to_where_they_were() -> None:
    rng = np.random.default_rng(1)
    last = rng.normal(size=(30, 2))
    turn = np.array([[0.6, -0.8], [-0.8, -0.6]])  # turned and mirrored
    now = last + 0.01 * rng.normal(size=last.shape)
    last_seen = np.where(np.arange(30)[:, None] < 20, last, np.nan)
    np.testing.assert_allclose(aligned(now @ turn, last_seen), now, atol=0.05)
    np.testing.assert_array_equal(aligned(now, np.full_like(last, np.nan)), now)


def test_features_are_what_the_last_layer_reads(served: Served) -> None:
    model, test = served.session.model, served.session.dataset.test
    with served.socket() as page:
        head, (places,) = whole_scatter(page)
    assert head["pictures"] == list(range(POINTS)) and head["labels"] == test.labels[:POINTS].tolist()
    reads = pellucid.trace(model, test.images[:POINTS])["affine2"].input
    np.testing.assert_allclose(served.hub._look.features.values, reads, atol=1e-4)
    expected, shares = principal_plane(reads.astype(np.float64))
    np.testing.assert_allclose(np.linalg.norm(places, axis=1), np.linalg.norm(expected, axis=1), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(head["shares"], shares, rtol=1e-3)
    assert head["taken"] == model.predict(test.images[:POINTS], verbose=0).argmax(axis=1).tolist()


def whole_scatter(page: Page) -> tuple[dict[str, Any], list[np.ndarray]]:
    """The frame in which all pictures have a place and an answer."""
    head, parts = page.frame(view="scatter")
    while len(head["pictures"]) < POINTS or -1 in head["taken"]:
        head, parts = next(heard for heard in page.hear() if heard[0].get("view") == "scatter")
    return head, parts


def test_a_network_without_a_hidden_layer_has_its_pictures_for_features() -> None:
    test = pellucid.datasets.load("digits").test
    for layers, count in (([Flatten(), Dense(10)], 64), ([Conv2D(10, 3), GlobalAvgPool2D()], 1)):
        model = pellucid.Sequential([*layers], name="small")
        model.build((8, 8, 1))
        features = Features(model, test)
        while features.turn((0, 0)):
            pass
        rows, places, _ = features.plane()
        assert len(rows) == len(places) == POINTS and features.values.shape[1] in (count, 64)


def test_the_windows_numbers_are_those_of_the_trace(served: Served) -> None:
    model, test = served.session.model, served.session.dataset.test
    seen = pellucid.trace(model, test.images[5:6], test.labels[5:6])
    with served.socket() as page:
        head, parts = page.frame(view="window", layer="conv1", picture=5, given={"filter": 3})
        assert (head["kernel"], head["strides"], head["pads"], head["reads"]) == ([5, 5], [1, 1], [2, 2], "")
        assert [part["of"] for part in head["parts"]] == ["input", "output", "kernel"]
        assert head["parts"][1]["limit"] == pytest.approx(float(seen["conv1"].output[0, :, :, 3].max()))
        assert head["parts"][2]["limit"] == pytest.approx(
            float(np.abs(seen["conv1"].weights["kernel"][:, :, 0, 3]).max())
        )
        assert parts[2].shape == (1, 5, 5)
        head, _ = page.frame(view="window_gradients", layer="pool1", picture=5, given={"filter": 2})
        assert head["reads"] == "conv1" and len(head["parts"]) == 2
        assert head["parts"][0]["limit"] == pytest.approx(float(np.abs(seen["pool1"].d_input[0, :, :, 2]).max()))
        for name in ("affine1", "flatten"):
            for view in ("window", "window_gradients"):
                head, _ = page.frame(view=view, layer=name, picture=5)
                assert head["parts"] == [] and "problem" not in head
        for given in ({"filter": 30}, {"filter": "a"}, {"x": 1}, [2]):
            head, _ = page.frame(view="window", layer="conv1", given=given)
            assert "problem" in head


def test_lines_past_blocks_are_those_of_the_drawn_network() -> None:
    inputs = pellucid.Input((8, 8, 1))
    x = Conv2D(4, 3, padding="same", name="first")(inputs)
    y = Conv2D(4, 3, padding="same", name="second")(ReLU()(BatchNorm()(x)))
    y = Conv2D(4, 3, padding="same", name="third")(y)
    out = Dense(10, activation="softmax")(Flatten()(MaxPool2D(2)(x + y)))
    with serving(prepare(pellucid.Model(inputs, out), "digits")) as served, served.socket() as page:
        network = page.hello["network"]
        names = [block["name"] for block in network["blocks"]]
        (skip,) = network["skips"]
        assert (names[skip["source"]], names[skip["target"]]) == ("first", "third")
        assert skip["merged"] and skip["level"] == 0
        for layer in ("first", "second"):
            assert "problem" not in page.frame(view="window_gradients", layer=layer)[0]


def test_features_follow_a_network_that_was_edited() -> None:
    test = pellucid.datasets.load("digits").test
    model = pellucid.Sequential([Flatten(input_shape=(8, 8, 1)), Dense(6, activation="relu"), Dense(10)])
    features = Features(model, test)
    assert features.turn((0, 0)) and features.values.shape[1] == 6
    graph = features._graph
    assert features.turn((0, 0)) and features._graph is graph  # nothing is made anew
    model.pop()
    for units in (7, 10):
        model.add(Dense(units))
    while features.turn((1, 0)):
        pass
    np.testing.assert_allclose(features.values, pellucid.trace(model, test.images[:POINTS])[-1].input, atol=1e-5)
    assert features.plane()[1].shape == (POINTS, 2)
