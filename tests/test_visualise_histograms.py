"""Histograms count what is there, dead and saturated units are those built to be, and a run's snapshots come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Conv2D, Dense, Flatten, Sequential
from pellucid import layers as L
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.model.tracing import trace
from pellucid.train.snapshots import histogram
from pellucid.visualise import histograms_figure, layer_histograms, read_snapshots, ridges_figure, unit_states
from pellucid.visualise.histograms.data import Histogram, UnitStates, histogram_of
from pellucid.visualise.histograms.figure import drawn_epochs, outline, ridge

PICTURES = np.random.default_rng(0).random((6, 5, 5, 1)).astype(np.float32)


def model_with_dead_and_saturated_units() -> Sequential:
    """Of 4 maps, channels 1 and 3 are dead; of 3 sigmoids, unit 0 is stuck at 1 and unit 2 at 0."""
    model = Sequential(
        [
            Conv2D(4, 3, activation="relu", input_shape=(5, 5, 1), name="conv"),
            Flatten(name="flat"),
            Dense(3, activation="sigmoid", name="gate"),
            Dense(2, name="out"),
            L.Tanh(name="tanh"),
        ]
    )
    kernel, *rest = model.get_weights()
    model.set_weights([np.abs(kernel), np.array([0.0, -99, 0.5, -99]), *rest[1:]])
    shape = model.layers[2].params["kernel"].shape
    model.layers[2].set_weights([np.zeros(shape), [9.0, 0.0, -9.0]])
    return model


def test_histograms_count_every_value_of_the_right_array() -> None:
    model = model_with_dead_and_saturated_units()
    seen = trace(model, PICTURES, [0, 1, 0, 1, 0, 1])
    for kind, arrays in {
        "activations": {step.name: step.output for step in seen},
        "weights": {f"{s.name}/{name}": w for s in seen for name, w in s.layer.params.items()},
        "gradients": {f"{s.name}/{name}": w for s in seen for name, w in s.d_weights.items()},
    }.items():
        found = layer_histograms(seen, kind)
        assert list(found) == list(arrays)
        for name, one in found.items():
            values = arrays[name].ravel()
            assert one.total == values.size and (one.low, one.high) == (values.min(), values.max())
            counts, edges = np.histogram(values.astype(np.float64), 64, (one.low, one.high))
            if one.low < one.high:
                np.testing.assert_array_equal(one.counts, counts)
                np.testing.assert_allclose(one.edges, edges)
    assert list(layer_histograms(seen, "weights", ["gate"])) == ["gate/kernel", "gate/bias"]


@pytest.mark.parametrize("low", [0.0, 1.0, -3e38])
def test_neighbours_among_the_numbers_are_counted(low: float) -> None:
    """As the weights of a batch norm are after a first small step."""
    values = np.array([low, np.nextafter(np.float32(low), np.float32(np.inf))] * 3, np.float32)
    counts = histogram("x", values)["x"]
    assert counts[0] == counts[-1] == 3 and counts.sum() == 6


def test_wrong_questions_are_answered_plainly() -> None:
    seen = trace(model_with_dead_and_saturated_units(), PICTURES)
    with pytest.raises(ConfigError, match="'activation'; did you mean 'activations'"):
        layer_histograms(seen, "activation")
    with pytest.raises(ConfigError, match="'gat'; did you mean 'gate'"):
        layer_histograms(seen, "weights", ["gat"])
    with pytest.raises(ConfigError, match="no gradients"):
        layer_histograms(seen, "gradients")
    with pytest.raises(DataError, match="no weights to draw"):
        histograms_figure({}, kind="weights")


def test_dead_and_saturated_units_are_those_built_to_be() -> None:
    found = unit_states(trace(model_with_dead_and_saturated_units(), PICTURES))
    assert list(found) == ["conv", "gate", "tanh"]
    assert found["conv"] == UnitStates(4, dead=2)
    assert found["gate"] == UnitStates(3, stuck=2, saturated=pytest.approx(2 / 3))  # type: ignore[arg-type]
    assert found["conv"].in_words() == "2 of 4 units dead"
    assert found["gate"].in_words() == "66.7 % of values saturated, 2 of 3 units always"


@pytest.mark.parametrize(
    ("layer", "values", "stuck"),
    [
        (L.Sigmoid(), [4.5, -4.7, 4.7], [False, True, True]),  # sigmoid(4.6) = 0.99
        (L.Tanh(), [2.6, 2.7, -2.7], [False, True, True]),  # tanh(2.65) = 0.99
        (L.ScaledTanh(2.0, 1.0), [2.6, 2.7, -2.7], [False, True, True]),
    ],
)
def test_saturation_begins_at_99_hundredths_of_the_range(
    layer: L.Layer, values: list[float], stuck: list[bool]
) -> None:
    model = Sequential([L.Input((3,)), layer])
    state = unit_states(trace(model, np.array([values], np.float32)))[layer.name]
    assert (state.stuck, state.saturated) == (sum(stuck), pytest.approx(np.mean(stuck)))


def test_a_unit_that_lives_for_one_picture_is_not_dead() -> None:
    model = Sequential([L.Input((2,)), L.ReLU(name="relu")])
    batch = np.array([[-1, -1], [-1, 0.5]], np.float32)
    assert unit_states(trace(model, batch))["relu"].dead == 1
    assert unit_states(trace(model, batch[:1]))["relu"].dead == 2


def test_the_panels_hold_the_counts_and_say_what_is_dead() -> None:
    seen = trace(model_with_dead_and_saturated_units(), PICTURES)
    found = layer_histograms(seen)
    figure = histograms_figure(found, unit_states(seen), title="net")
    axes = [ax for ax in figure.axes if ax.patches]
    assert [ax.get_title().split(":")[0] for ax in axes] == ["conv", "flat", "gate", "out", "tanh"]
    assert "2 of 4 units dead" in axes[0].get_title() and "saturated" in axes[2].get_title()
    heights, edges, _ = axes[3].patches[0].get_data()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(np.where(heights < 1, 0, heights), found["out"].counts)
    np.testing.assert_allclose(edges, found["out"].edges)
    assert figure.get_suptitle() == "net: activations"
    figure.draw_without_rendering()


def write(folder: Path, epoch: int, **arrays: Any) -> None:
    np.savez_compressed(folder / f"epoch-{epoch:03d}.npz", **arrays)


def test_a_runs_snapshots_come_back_epoch_by_epoch(run_folder: Path) -> None:
    found = read_snapshots(run_folder / "snapshots")
    assert found.epochs == (0, 1, 2, 3, 4, 5, 6)
    assert set(found.series) == {"weights", "activations", "gradients"}
    kernels = found.of("weights", ["conv1"])
    assert list(kernels) == ["conv1/kernel", "conv1/bias"]
    assert found.of("gradients", ["conv1"])["conv1/kernel"][0] is None  # before the first step
    with np.load(run_folder / "snapshots" / "epoch-003.npz") as epoch:
        third = kernels["conv1/kernel"][3]
        assert third is not None
        np.testing.assert_array_equal(third.counts, epoch["weights/conv1/kernel"])
        assert [third.low, third.high] == epoch["weights/conv1/kernel/range"].tolist()
        assert third.total == epoch["filters"].size


RANGE = np.array([-1.0, 2.0])
COUNTS = np.arange(64)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"weights/a/kernel": COUNTS}, r"'weights/a/kernel' is no histogram"),
        ({"other": COUNTS, "other/range": RANGE}, r"'other' is no histogram of weights"),
        ({"weights/": COUNTS, "weights//range": RANGE}, r"'weights/' is no histogram"),
        ({"weights/a": COUNTS[:9], "weights/a/range": RANGE}, r"must be 64 whole counts.*\(9,\)"),
        ({"weights/a": COUNTS * 1.0, "weights/a/range": RANGE}, "must be 64 whole counts.*float64"),
        ({"weights/a": -COUNTS, "weights/a/range": RANGE}, "must be 64 whole counts"),
        ({"weights/a": COUNTS, "weights/a/range": RANGE[::-1]}, r"'weights/a/range' must be two numbers in order"),
        ({"weights/a": COUNTS, "weights/a/range": RANGE * np.nan}, r"two numbers in order, got \[nan, nan\]"),
        ({"weights/a": COUNTS, "weights/a/range": np.zeros(3)}, "two numbers in order"),
    ],
)
def test_a_damaged_snapshot_is_named(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    write(tmp_path, 0, **arrays)
    with pytest.raises(CheckpointError, match=r"epoch-000\.npz: .*" + words):
        read_snapshots(tmp_path)


def test_a_file_that_is_no_archive_and_a_folder_without_any_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no epoch-\*\.npz"):
        read_snapshots(tmp_path)
    with pytest.raises(DataError, match="nowhere"):
        read_snapshots(tmp_path / "nowhere")
    (tmp_path / "epoch-001.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CheckpointError, match=r"epoch-001\.npz: cannot be read"):
        read_snapshots(tmp_path)
    np.savez(tmp_path / "epoch-001.npz", **{"weights/a": np.array([{}], object)})  # which only pickle could read
    with pytest.raises(CheckpointError, match=r"epoch-001\.npz: cannot be read"):
        read_snapshots(tmp_path)


def test_ridges_are_the_epochs_in_order_over_one_axis(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = {epoch: rng.normal(epoch, 1 + epoch, 5000) for epoch in range(4)}
    for epoch, numbers in values.items():
        write(tmp_path, epoch, **histogram("weights/a/kernel", numbers), **histogram("weights/b/kernel", numbers[:9]))
    snapshots = read_snapshots(tmp_path)
    figure = ridges_figure(snapshots, "weights", ["a"], title="run")
    (ax,) = figure.axes
    assert ax.get_title() == "a/kernel" and [t.get_text() for t in ax.get_yticklabels()] == ["0", "1", "2", "3"]
    lines = list(ax.lines)[::-1]  # the last epoch is drawn first, behind the others
    for place, (epoch, line) in enumerate(zip(values, lines, strict=True)):
        x, y = (np.asarray(data, float) for data in line.get_data())
        height = (y - place) / (y.max() - place)
        assert np.sum(x * height) / height.sum() == pytest.approx(values[epoch].mean(), abs=0.3)
        assert y.min() == pytest.approx(place) and y.max() == pytest.approx(place + 2)
    assert len(ridges_figure(snapshots, "weights").axes) == 2
    with pytest.raises(ConfigError, match=r"layer with weights 'c'; known: a, b"):
        ridges_figure(snapshots, "weights", ["c"])
    with pytest.raises(DataError, match="hold no gradients; epochs 0 to 3"):
        ridges_figure(snapshots, "gradients")


def test_a_ridge_keeps_all_its_values_over_other_bins() -> None:
    one = histogram_of(np.random.default_rng(1).normal(size=1000))
    edges = np.linspace(one.low - 1, one.high + 2, 40)
    assert ridge(one, edges).sum() == pytest.approx(1000)
    constant = Histogram(np.eye(1, 64, 32, dtype=np.int64)[0] * 7, 3.0, 3.0)  # all values alike
    assert ridge(constant, np.linspace(0, 4, 30)).sum() == pytest.approx(7)


def test_the_zeros_of_a_relu_are_cut_off_and_told() -> None:
    values = np.maximum(np.random.default_rng(2).normal(-1, 1, 10_000), 0)
    one = histogram_of(values)
    edges = np.linspace(-0.5, one.high, 100)
    heights, zeros = outline(one, edges)
    in_bin = float(np.mean(values < one.edges[1]))
    assert zeros == pytest.approx(in_bin, abs=1e-6) and 0.84 < in_bin < 0.88
    tail = heights[edges[:-1] > one.edges[1]]
    counts = ridge(one, edges)[edges[:-1] > one.edges[1]]
    np.testing.assert_allclose(tail, counts / counts.max())  # the others have the whole height to themselves
    assert heights.max() == 1
    bell = histogram_of(np.random.default_rng(3).normal(size=5000))
    assert outline(bell, edges)[1] is None
    nothing = histogram_of(np.zeros(50))
    assert outline(nothing, np.linspace(-1, 1, 9))[1] is None


def test_of_many_epochs_first_and_last_are_drawn() -> None:
    assert drawn_epochs(range(5)) == [0, 1, 2, 3, 4]
    many = drawn_epochs(range(101))
    assert len(many) == 20 and many[0] == 0 and many[-1] == 100 and many == sorted(set(many))
