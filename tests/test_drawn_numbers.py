"""What figures and tables draw is what the numbers say: confidence, single values, receptive fields, strides."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.metrics import calibration
from pellucid.model import Sequential
from pellucid.visualise import depth_figure, dissect_figure, features_figure, filters_figure, reliability_figure


def texts(ax: object) -> list[str]:
    return [text.get_text() for text in ax.texts]  # type: ignore[attr-defined]


def test_confidence_is_drawn_at_its_height_and_never_clipped() -> None:
    rng = np.random.default_rng(0)
    table = rng.dirichlet([0.05] * 3, 400).astype(np.float32)
    found = calibration(rng.integers(0, 3, 400), table, 10)
    ax = reliability_figure(found).axes[0]
    (marks,) = [each for each in ax.collections if each.get_label() == "mean confidence"]
    drawn = np.array([segment[:, 1] for segment in marks.get_segments()])
    np.testing.assert_allclose(drawn, np.repeat(100 * found.confidence[found.counts > 0][:, None], 2, axis=1))
    assert not marks.get_clip_on() and not [line for line in ax.lines if line.get_marker() == "o"]


def single(values: list[float]) -> Sequential:
    model = Sequential([L.Conv2D(len(values), 1, input_shape=(1, 1, 1), name="one")])
    model.build()
    model.set_weights([np.array(values, np.float32).reshape(1, 1, 1, -1), np.zeros(len(values), np.float32)])
    return model


@pytest.mark.parametrize("values", [[0.5, 1.0, 0.25], [-1.0, 0.5, 0.12], [3.0], [0.0, 2.0]])
def test_maps_of_one_value_are_told_apart(values: list[float]) -> None:
    figure = features_figure(single(values), np.ones((1, 1, 1), np.float32))
    (ax,) = [ax for ax in figure.axes if ax.get_title().startswith("one")]
    shown = np.ma.compressed(ax.images[0].get_array())
    assert len(np.unique(shown)) == len(values), "each value has its grey"
    assert sorted(map(float, texts(ax))) == sorted(value for value in values if value)


def test_an_even_map_beside_others_is_drawn_on_the_layers_scale() -> None:
    model = Sequential([L.Conv2D(2, 1, input_shape=(2, 2, 1), name="two")])
    model.build()
    model.set_weights([np.array([1.0, 0.0], np.float32).reshape(1, 1, 1, 2), np.array([0.0, 0.25], np.float32)])
    figure = features_figure(model, np.array([[0, 0.5], [0.5, 1]], np.float32)[..., None])
    (ax,) = [ax for ax in figure.axes if ax.get_title().startswith("two")]
    assert texts(ax) == ["0.25"] and "one value" in figure.get_supxlabel()


def test_no_number_in_a_cell_is_minus_zero() -> None:
    model = Sequential([L.Conv2D(1, 2, input_shape=(3, 3, 1), name="c")])
    model.build()
    model.set_weights([np.array([-1, 1, 0.25, -0.001], np.float32).reshape(2, 2, 1, 1), np.zeros(1, np.float32)])
    figure = dissect_figure(model, np.zeros((3, 3, 1), np.float32))
    assert "-0" not in [text for ax in figure.axes for text in texts(ax)]


@pytest.mark.parametrize(
    "name", ["alexnet", "vgg11", "lenet5-published", "photo-net", "cifar-net", "convnetjs-cifar10"]
)
def test_a_summary_cuts_nothing_out_of_a_layer(name: str) -> None:
    model = zoo.build(name)
    table = str(model.outline())
    assert "…" not in table and all(len(line) <= 80 for line in table.splitlines())
    words = re.sub(r"\s+", " ", table)
    for row in model.outline().rows:
        for part in row.kernel.split(", "):
            assert part in words, row.kernel


def test_a_long_layer_name_keeps_its_end() -> None:
    model = Sequential([L.Conv2D(1000, 3, strides=2, padding=((1, 2), (3, 4)), name="block_of_many_layers_12",
                                 activation="leaky_relu", input_shape=(224, 224, 64))])  # fmt: skip
    model.build()
    table = str(model.outline())
    assert "stride 2" in table and "leaky_relu" in table and "12 " in table


def test_what_an_output_sees_is_one_fact_and_at_most_the_picture() -> None:
    model = Sequential(
        [
            L.Conv2D(2, 3, padding="same", input_shape=(6, 4, 1), name="a"),
            L.Conv2D(2, 3, padding="same", name="b"),
            L.Conv2D(2, 3, padding="same", name="c"),
        ]
    )
    model.build()
    rows = {row.name: row.receptive_field for row in model.outline().rows}
    assert rows == {"a": (3, 3), "b": (5, 4), "c": (6, 4)}
    images = np.random.default_rng(0).random((5, 6, 4, 1), np.float32)
    figure = depth_figure(model, channels=2, images=images)
    for name, (height, width) in rows.items():  # type: ignore[misc]
        assert any(f"{name}\n2 channels\nsees {height}x{width}" == text for ax in figure.axes for text in texts(ax))
    assert "black beyond the edge" in figure.get_supxlabel()
    assert "within the picture" in depth_figure(model, channels=1).get_supxlabel()


def test_small_weights_before_training_are_not_grey() -> None:
    rng = np.random.default_rng(0)
    after = rng.normal(size=(3, 3, 1, 8)).astype(np.float32)
    figure = filters_figure(after, before=0.001 * rng.normal(size=after.shape).astype(np.float32), name="c")
    for ax in figure.axes[:2]:
        shown = np.ma.compressed(ax.images[0].get_array())
        assert shown.max() - shown.min() > 0.5 and "±" in ax.get_title()
