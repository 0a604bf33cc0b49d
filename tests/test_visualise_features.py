"""A picture through a network: the right maps in the right places, and the channel that matters is the right one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import Conv2D, Dense, Dropout, Flatten, GlobalAvgPool2D, Sequential, zoo
from pellucid import layers as L
from pellucid.errors import ConfigError, ShapeError
from pellucid.exercises import two_halves
from pellucid.model.tracing import trace
from pellucid.visualise import (
    attention_figure,
    chained_panels,
    channel_panels,
    dissect,
    feature_grid,
    feature_maps,
    features_figure,
    filters_figure,
    importance,
    slide,
    small_grid,
)
from pellucid.visualise.drawing.figure import new_figure
from pellucid.visualise.features.data import LayerFeatures
from pellucid.visualise.features.figure import draw_layer, drawn_channels

MAPS = np.random.default_rng(0).random((3, 5, 7)).astype(np.float32)


def cell(grid: np.ndarray, index: int, columns: int, gap: int = 1) -> np.ndarray:
    top, left = index // columns * (3 + gap), index % columns * (5 + gap)
    return grid[top : top + 3, left : left + 5]


def test_each_map_stands_in_its_place_on_one_scale() -> None:
    grid = feature_grid(MAPS, 3)
    assert grid.shape == (3 * 4 - 1, 3 * 6 - 1)
    for index in range(7):
        np.testing.assert_allclose(cell(grid, index, 3) * MAPS.max(), MAPS[:, :, index], rtol=1e-6)
    assert np.isnan(cell(grid, 7, 3)).all() and np.isnan(grid[3]).all() and np.isnan(grid[:, 5]).all()


def test_each_map_on_its_own_scale_reaches_white() -> None:
    grid = feature_grid(MAPS, 7, scale="each", gap=2)
    for index in range(7):
        assert cell(grid, index, 7, 2).max() == pytest.approx(1)


def test_zero_is_black_or_mid_grey_where_there_are_negative_values() -> None:
    assert (feature_grid(np.zeros((2, 2, 1))) == 0).all()
    maps = np.array([[-1.0, 0.0, 4.0]])[:, :, None]
    np.testing.assert_allclose(feature_grid(maps), [[0.375, 0.5, 1.0]])


def test_channels_are_chosen_and_numbers_that_are_none_stay_out() -> None:
    maps = MAPS.copy()
    maps[0, 0, 5] = np.nan
    grid = feature_grid(maps, channels=[5, 2], columns=2, zoom=2)
    assert np.isnan(grid[:2, :2]).all() and np.nanmax(grid) <= 1
    np.testing.assert_allclose(grid[:6:2, 11::2] * np.nanmax(maps), MAPS[:, :, 2], rtol=1e-6)


@pytest.mark.parametrize(
    ("maps", "arguments", "error", "words"),
    [
        (MAPS[0], {}, ShapeError, r"\(5, 7\)"),
        (MAPS[:0], {}, ShapeError, r"\(0, 5, 7\)"),
        (MAPS, {"scale": "own"}, ConfigError, "'own'"),
        (MAPS, {"columns": 0}, ConfigError, "columns must be a whole number of at least 1, got 0"),
        (MAPS, {"channels": [7]}, ConfigError, "channels 0 to 6, got 7"),
        (MAPS, {"channels": []}, ConfigError, "none to draw"),
    ],
)
def test_wrong_arguments_are_named(maps: Any, arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        feature_grid(maps, **arguments)


def two_class_model() -> Sequential:
    """Class 0 is the mean of channel 1 times 2, plus that of channel 3; class 1 the mean of channel 0 times -5."""
    model = Sequential(
        [
            Conv2D(4, 1, use_bias=False, activation="relu", input_shape=(4, 6, 1), name="conv"),
            Dropout(0.5, name="dropout"),
            GlobalAvgPool2D(name="mean"),
            Dense(2, activation="softmax", use_bias=False, name="out"),
        ],
        name="two",
    )
    model.set_weights([np.array([1.0, 1.0, 3.0, 1.5]).reshape(1, 1, 1, 4), [[0, -5], [2, 0], [0, 0], [1, 0]]])
    model.class_names = ("cat", "dog")
    return model


PICTURE = np.random.default_rng(1).random((4, 6, 1)).astype(np.float32)


def test_importance_is_what_each_channel_adds_to_the_score() -> None:
    mean = float(PICTURE.mean())
    seen = trace(two_class_model(), PICTURE[None]).back_from_class(0)
    found = importance(seen)["conv"] * PICTURE.size  # the score is linear, so the parts are exact
    np.testing.assert_allclose(found, [[0, 2 * mean, 0, 1.5 * mean]], rtol=1e-5)
    assert found.sum() == pytest.approx(float(seen.scores[0, 0]), rel=1e-5)
    with pytest.raises(ConfigError, match="no gradients"):
        importance(trace(two_class_model(), PICTURE[None]))


def test_the_channel_that_matters_is_that_of_the_answer() -> None:
    model = two_class_model()
    found = feature_maps(model, PICTURE)
    assert [layer.name for layer in found.layers] == ["conv", "mean", "out"]  # dropout shows nothing new
    assert found.top == 0 and found.layers[0].most == 1
    model.layers[-1].set_weights([[[9, -5], [2, 0], [0, 0], [1, 0]]])
    assert feature_maps(model, PICTURE).layers[0].most == 0


def test_one_sigmoid_is_two_classes() -> None:
    model = Sequential(
        [Conv2D(2, 1, use_bias=False, input_shape=(4, 6, 1)), GlobalAvgPool2D(), Dense(1, "sigmoid", False)]
    )
    model.set_weights([np.array([1.0, 2.0]).reshape(1, 1, 1, 2), [[-3.0], [1.0]]])
    found = feature_maps(model, PICTURE)
    z = -float(PICTURE.mean())
    assert found.answer is not None
    np.testing.assert_allclose(found.answer, [1 - 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-z))], rtol=1e-5)
    assert found.top == 0 and found.layers[0].most == 0  # what pulls the sigmoid down speaks for class 0


def shown(ax: Any) -> np.ndarray:
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def panel(figure: Any, start: str) -> Any:
    return next(ax for ax in figure.axes if ax.get_title().startswith(start))


def test_the_figure_shows_picture_maps_bars_and_answer() -> None:
    figure = features_figure(two_class_model(), PICTURE, title="noise.png")
    np.testing.assert_allclose(shown(panel(figure, "picture: 4x6x1")), PICTURE[:, :, 0])
    maps = panel(figure, "conv: 4x6x4")
    assert "all 4 channels" in maps.get_title() and "framed: channel 1" in maps.get_xlabel()
    grid = shown(maps)
    zoom = 28
    np.testing.assert_allclose(grid[: 4 * zoom : zoom, : 6 * zoom : zoom] * PICTURE.max(), PICTURE[:, :, 0], rtol=1e-5)
    frame = maps.patches[0]
    assert frame.get_x() > 5 * zoom and frame.get_y() < 1  # the second of two in the first row
    bars = panel(figure, "mean: 4 units")
    np.testing.assert_allclose(
        [bar.get_height() for bar in bars.patches], PICTURE.mean() * np.array([1, 1, 3, 1.5]), rtol=1e-5
    )
    answer = panel(figure, "answer")
    assert [text.get_text() for text in answer.get_yticklabels()] == ["cat", "dog"]
    p = feature_maps(two_class_model(), PICTURE).answer
    assert p is not None and [bar.get_width() for bar in answer.patches] == pytest.approx(100 * p)
    assert figure.get_suptitle() == "noise.png through two (not trained), said: 'cat'"
    assert "each channel on its own scale" in figure.get_supxlabel() and "score of 'cat'" in figure.get_supxlabel()


def test_a_changed_weight_changes_its_map_alone() -> None:
    model = two_class_model()
    before = shown(panel(features_figure(model, PICTURE, scale="common"), "conv"))
    model.layers[0].set_weights([np.array([1.0, 1.0, 3.0, 0.5]).reshape(1, 1, 1, 4)])
    after = shown(panel(features_figure(model, PICTURE, scale="common"), "conv"))
    rows, columns = np.nonzero(~((before == after) | np.isnan(before)))
    assert rows.min() > 4 * 28 and columns.min() > 6 * 28  # the last of four


def test_of_many_channels_the_one_that_matters_is_always_drawn() -> None:
    model = two_class_model()
    layer = feature_maps(model, PICTURE, ["conv"]).layers[0]
    assert drawn_channels(layer, 1) == [1] and drawn_channels(layer, 2) == [0, 1]
    figure = features_figure(model, PICTURE, ["conv"], channels=1)
    assert "first 0 of 4, and 1" not in panel(figure, "conv").get_title()
    assert "channel 1 of 4" in panel(figure, "conv").get_title()
    model.layers[-1].set_weights([[[0, 0], [0, 0], [0, 0], [1, 0]]])
    assert "first 1 of 4, and 3" in panel(features_figure(model, PICTURE, channels=2), "conv").get_title()
    assert "white 4.5" not in panel(features_figure(model, PICTURE), "conv").get_xlabel()
    limit = 3 * PICTURE.max()
    assert f"white {limit:.3g}" in panel(features_figure(model, PICTURE, scale="common"), "conv").get_xlabel()


def test_units_too_many_for_bars_are_an_image() -> None:
    model = Sequential([Flatten(input_shape=(4, 6, 1)), Dense(200, name="wide"), Dense(3, activation="softmax")])
    ax = panel(features_figure(model, PICTURE), "wide")
    output = trace(model, PICTURE[None])["wide"].output[0]
    np.testing.assert_allclose(shown(ax).ravel()[:200], output)
    assert "200 units, 15 in a row" in ax.get_title()


def test_networks_without_classes_and_series_are_drawn_too() -> None:
    maps = Sequential([Conv2D(3, 3, input_shape=(6, 6, 2))])
    found = feature_maps(maps, np.ones((6, 6, 2), np.float32))
    assert found.answer is None and found.top is None and found.layers[0].most is None
    features_figure(maps, np.ones((6, 6, 2), np.float32)).draw_without_rendering()
    series = Sequential([L.Conv1D(3, 3, input_shape=(20, 1)), Flatten(), Dense(2, activation="softmax")])
    features_figure(series, np.linspace(0, 1, 20, dtype=np.float32)[:, None]).draw_without_rendering()


def test_unknown_layers_and_wrong_pictures_are_named() -> None:
    with pytest.raises(ConfigError, match="'conf'; did you mean 'conv'"):
        feature_maps(two_class_model(), PICTURE, ["conf"])
    with pytest.raises(ShapeError, match=r"\(N, 4, 6, 1\)"):
        features_figure(two_class_model(), PICTURE[:3])
    with pytest.raises(ConfigError, match="channels must be a whole number of at least 1"):
        features_figure(two_class_model(), PICTURE, channels=0)


def test_a_photograph_in_colour_is_drawn_as_it_is() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (8, 8, 3), np.uint8)
    model = Sequential([Conv2D(2, 3, input_shape=(8, 8, 3)), Flatten(), Dense(12, activation="softmax")])
    figure = features_figure(model, picture)
    np.testing.assert_allclose(shown(panel(figure, "picture")), picture / 255, rtol=1e-6)
    assert "first 10 of 12 classes" in panel(figure, "answer").get_title()


# The two figures of seed 002


def averaging_and_edge() -> Conv2D:
    conv = Conv2D(2, (2, 2))
    conv.build((50, 50, 1), np.random.default_rng(0))
    kernels = np.stack([np.full((2, 2), 0.25), [[-1.0, 1.0], [-1.0, 1.0]]], axis=-1)
    conv.set_weights([kernels[:, :, None, :], np.zeros(2)])
    return conv


def by_scipy(values: np.ndarray, kernel: list[list[float]]) -> np.ndarray:
    signal = pytest.importorskip("scipy.signal", reason="SciPy is not installed")
    return np.asarray(signal.correlate2d(values, kernel, mode="valid"))


def test_the_2x2_figure_holds_picture_average_and_edge() -> None:
    picture = two_halves()
    panels = channel_panels(averaging_and_edge(), picture, ["average", "edge"])
    assert sorted(panels) == [(0, 0), (1, 0), (1, 1)]
    np.testing.assert_allclose(panels[0, 0].values, picture, rtol=1e-6)
    average = by_scipy(picture, [[0.25, 0.25], [0.25, 0.25]])
    np.testing.assert_allclose(panels[1, 0].values, average, atol=1e-5)
    np.testing.assert_allclose(panels[1, 1].values, by_scipy(picture, [[-1, 1], [-1, 1]]), atol=1e-5)
    figure = small_grid(panels, title="One convolution")
    drawn = [ax for ax in figure.axes if ax.images]
    assert [ax.get_title() for ax in drawn] == ["picture, 50x50", "average, 49x49", "edge, 49x49"]
    np.testing.assert_allclose(shown(drawn[1]), average, atol=1e-5)
    assert "each map on its own scale" in figure.get_suptitle()


def test_the_3x4_figure_holds_each_channel_through_the_layer_again() -> None:
    picture = two_halves()
    panels = chained_panels(averaging_and_edge(), picture, ["average", "edge"])
    assert sorted(panels) == [(0, 0), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3)]
    kernels = [[[0.25, 0.25], [0.25, 0.25]], [[-1.0, 1.0], [-1.0, 1.0]]]
    for first in (0, 1):
        for second in (0, 1):
            wanted = by_scipy(by_scipy(picture, kernels[first]), kernels[second])
            np.testing.assert_allclose(panels[2, 2 * first + second].values, wanted, atol=1e-4)
    assert panels[2, 1].title == "average, then edge"
    figure = small_grid(panels, rows=3, columns=4)
    images = [ax for ax in figure.axes if ax.images]
    assert len(images) == 7 and images[3].get_title() == "average, then average, 48x48"


def test_a_grid_on_one_scale_says_so_and_has_it() -> None:
    figure = small_grid(channel_panels(averaging_and_edge(), two_halves()), scale="common")
    limits = {ax.images[0].get_clim() for ax in figure.axes if ax.images}
    assert len(limits) == 1 and "one scale for all maps" in figure.get_suptitle()


def test_grids_refuse_what_does_not_fit() -> None:
    conv, picture = averaging_and_edge(), two_halves()
    with pytest.raises(ConfigError, match="2 channels, got 1 names: average"):
        channel_panels(conv, picture, ["average"])
    with pytest.raises(ConfigError, match="need 2 rows and 2 columns, got 1 and 2"):
        small_grid(channel_panels(conv, picture), 1, 2)
    with pytest.raises(ConfigError, match="got none"):
        small_grid({})
    with pytest.raises(ShapeError, match=r"\(4,\)"):
        channel_panels(conv, np.ones(4))
    with pytest.raises(ShapeError, match="no maps to draw"):
        channel_panels(Flatten(), picture)


def test_a_long_row_is_on_the_scale_of_its_finite_numbers() -> None:
    ax = new_figure(2, 2).subplots()
    draw_layer(ax, LayerFeatures("fc", np.append(np.linspace(0, 3, 199), np.inf)))
    assert ax.get_xlabel() == "black 0, white 3"


def test_a_batch_where_one_picture_is_asked_for_is_named_as_it_was_given() -> None:
    model = zoo.build("simple-convnet", input_shape=(8, 8, 1), classes=10)
    batch = np.zeros((1, 8, 8, 1), np.uint8)
    looks: list[Callable[..., object]] = [feature_maps, dissect, slide, attention_figure]
    for look in looks:
        with pytest.raises(ShapeError, match=r"one picture \(8, 8, 1\) at a time here, got \(1, 8, 8, 1\); take "):
            look(model, batch)
    for given in (model, model.layers[0]):
        with pytest.raises(ShapeError, match=r"""expected an array, got <.*; give a layer's params\["kernel"\]"""):
            filters_figure(given)
    with pytest.raises(ShapeError, match=r"needs a list of arrays, \[kernel, bias\], got one array \(5, 5, 1, 30\)"):
        model.layers[0].set_weights(np.zeros((5, 5, 1, 30)))
