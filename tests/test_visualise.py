"""Pictures are compared by content: the right panel shows the right array, and a changed weight changes its picture."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid.errors import CheckpointError, ConfigError, DataError, ShapeError
from pellucid.visualise import Log, curves_figure, filter_grid, filter_order, filters_figure, read_log, write_figure

KERNEL = np.random.default_rng(3).normal(size=(3, 5, 1, 7)).astype(np.float32)


def cell(grid: np.ndarray, index: int, columns: int, shape: tuple[int, int]) -> np.ndarray:
    top, left = index // columns * (shape[0] + 1), index % columns * (shape[1] + 1)
    return grid[top : top + shape[0], left : left + shape[1]]


def test_each_kernel_stands_in_its_place() -> None:
    grid = filter_grid(KERNEL, columns=3)
    assert grid.shape == (3 * 4 - 1, 3 * 6 - 1)
    limit = np.abs(KERNEL).max()
    for index in range(7):
        weights = (cell(grid, index, 3, (3, 5)) - 0.5) * 2 * limit
        np.testing.assert_allclose(weights, KERNEL[:, :, 0, index], atol=1e-6)
    assert np.isnan(grid[3]).all() and np.isnan(grid[:, 5]).all()
    assert np.isnan(cell(grid, 7, 3, (3, 5))).all()


def test_each_filter_on_its_own_scale_reaches_an_end() -> None:
    grid = filter_grid(KERNEL, scale="each", columns=7)
    for index in range(7):
        assert np.abs(cell(grid, index, 7, (3, 5)) - 0.5).max() == pytest.approx(0.5)


def test_zero_is_mid_grey_on_either_scale() -> None:
    for scale in ("common", "each"):
        assert (filter_grid(np.zeros((2, 2, 1, 1)), scale=scale) == 0.5).all()


def test_three_channels_are_a_colour_picture() -> None:
    kernel = np.random.default_rng(4).normal(size=(2, 3, 3, 2))
    grid = filter_grid(kernel, columns=2)
    assert grid.shape == (2, 7, 3)
    limit = np.abs(kernel).max()
    np.testing.assert_allclose((grid[:, 4:] - 0.5) * 2 * limit, kernel[:, :, :, 1], atol=1e-6)


def test_deep_kernels_are_slices_filter_by_channel() -> None:
    kernel = np.random.default_rng(5).normal(size=(2, 3, 4, 5))
    grid = filter_grid(kernel)
    assert grid.shape == (5 * 3 - 1, 4 * 4 - 1)
    limit = np.abs(kernel).max()
    for filter_index in range(5):
        for channel in range(4):
            found = (cell(grid, filter_index * 4 + channel, 4, (2, 3)) - 0.5) * 2 * limit
            np.testing.assert_allclose(found, kernel[:, :, channel, filter_index], atol=1e-6)


def test_zoom_repeats_each_weight_and_leaves_the_lines_thin() -> None:
    small, large = filter_grid(KERNEL, columns=7), filter_grid(KERNEL, columns=7, zoom=3)
    assert large.shape == (9, 7 * 16 - 1)
    np.testing.assert_array_equal(large[::3, :15:3], small[:, :5])


def test_a_changed_weight_changes_only_its_cell() -> None:
    changed = KERNEL.copy()
    changed[1, 2, 0, 4] *= 0.5
    before, after = filter_grid(KERNEL, columns=3), filter_grid(changed, columns=3)
    places = np.argwhere(~((before == after) | np.isnan(before)))
    assert places.tolist() == [[1 * 4 + 1, 1 * 6 + 2]]


def test_sorted_filters_stand_in_the_order_of_their_norms_before_and_after() -> None:
    norms = np.sqrt(np.square(KERNEL).sum(axis=(0, 1, 2)))
    order = filter_order(KERNEL)
    assert (np.diff(norms[order]) <= 0).all() and sorted(order) == list(range(7))
    figure = filters_figure(KERNEL, before=-KERNEL, sort="norm", columns=7)
    for ax, sign in zip(figure.axes[:2], (-1, 1), strict=True):
        shown = np.asarray(ax.images[0].get_array())
        grid = filter_grid(sign * KERNEL[..., order], columns=7, zoom=-(-12 // 5))
        np.testing.assert_allclose(np.nan_to_num(shown, nan=-1.0), np.nan_to_num(grid, nan=-1.0), atol=1e-6)
        assert [text.get_text() for text in ax.texts] == [str(index) for index in order]


def test_alike_filters_stand_side_by_side() -> None:
    angles = np.array([0.0, 2.0, 0.1, 2.1])
    kernel = np.stack([np.cos(angles), np.sin(angles)])[:, None, None] * np.array([3.0, 1.0, 1.0, 1.0])
    assert filter_order(kernel, "similarity").tolist() == [0, 2, 1, 3]
    assert filter_order(np.zeros((2, 2, 1, 3)), "similarity").tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match="did you mean 'norm'"):
        filter_order(kernel, "norms")


@pytest.mark.parametrize(
    ("kernel", "arguments", "error", "words"),
    [
        (np.zeros((3, 3, 1)), {}, ShapeError, r"\(3, 3, 1\)"),
        (np.zeros((3, 0, 1, 2)), {}, ShapeError, r"\(3, 0, 1, 2\)"),
        (KERNEL, {"scale": "log"}, ConfigError, "common, each, got 'log'"),
        (KERNEL, {"columns": 0}, ConfigError, "columns must be a whole number of at least 1, got 0"),
        (KERNEL, {"zoom": 0}, ConfigError, "zoom must be a whole number of at least 1, got 0"),
    ],
)
def test_wrong_arguments_are_named(
    kernel: np.ndarray, arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        filter_grid(kernel, **arguments)


def test_before_and_after_say_their_scales() -> None:
    figure = filters_figure(KERNEL * 3, before=KERNEL, name="conv1", columns=7)
    left, right, bar = figure.axes
    assert left.get_title() == f"before training, ±{np.abs(KERNEL).max():.3g}"
    assert right.get_title() == f"after training, ±{3 * np.abs(KERNEL).max():.3g}"
    shown_left, shown_right = (np.ma.filled(ax.images[0].get_array(), np.nan) for ax in (left, right))
    np.testing.assert_allclose(shown_left, shown_right, atol=1e-6)  # small weights are as plain to see
    assert "each side on its own scale" in bar.get_ylabel()
    assert figure.get_suptitle() == "conv1: 7 filters of 3 x 5 x 1"


def test_own_scales_are_said() -> None:
    figure = filters_figure(KERNEL, scale="each")
    assert "own scale" in figure.axes[-1].get_ylabel()
    coloured = filters_figure(np.ones((2, 2, 3, 4)), scale="each")
    assert "own scale" in coloured.get_supxlabel()


def test_before_of_another_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"expected before \(3, 5, 1, 7\) as after, got \(3, 5, 1, 6\)"):
        filters_figure(KERNEL, before=KERNEL[..., :6])


def test_many_slices_are_cut_and_that_is_said() -> None:
    figure = filters_figure(np.ones((1, 1, 40, 20)))
    assert "the first 32 channels drawn" in figure.get_suptitle()


LINES = [
    {"event": "start", "model": "simple-convnet"},
    {"epoch": 1, "loss": 2.0, "accuracy": 0.5, "val_loss": 2.5, "val_accuracy": 0.4},
    {"epoch": 2, "loss": 1.0, "accuracy": 0.75, "val_loss": 1.5, "val_accuracy": 0.6},
]


def write_log(path: Path, lines: list[object], tail: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + tail)
    return path


def test_a_log_is_read_epoch_by_epoch(tmp_path: Path) -> None:
    log = read_log(write_log(tmp_path / "log.jsonl", [*LINES, {"epoch": 3, "loss": 0.5}], tail='{"epoch": 4, "lo'))
    assert log.epochs == [1, 2, 3]
    assert log.series["loss"] == [2.0, 1.0, 0.5]
    assert log.series["val_accuracy"][:2] == [0.4, 0.6] and np.isnan(log.series["val_accuracy"][2])


def test_the_later_of_two_same_epochs_counts(tmp_path: Path) -> None:
    log = read_log(write_log(tmp_path / "log.jsonl", [*LINES, {"epoch": 2, "loss": 0.9}]))
    assert log.series["loss"] == [2.0, 0.9]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}\nnope\n", "line 2 is not JSON"),
        ("[1]\n", "line 1: expected a JSON object, got list"),
        ("{}\n", "no finished epoch"),
    ],
)
def test_a_bad_log_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        read_log(path)


def test_a_missing_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"log\.jsonl: cannot be read"):
        read_log(tmp_path / "log.jsonl")


def test_curves_show_the_log(tmp_path: Path) -> None:
    figure = curves_figure(read_log(write_log(tmp_path / "log.jsonl", LINES)), title="a run")
    loss, accuracy = figure.axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert loss.lines[1].get_ydata().tolist() == [2.5, 1.5]  # type: ignore[union-attr]
    assert accuracy.lines[0].get_ydata().tolist() == [50.0, 75.0]  # type: ignore[union-attr]
    assert loss.lines[0].get_linestyle() != loss.lines[1].get_linestyle()
    assert figure.get_suptitle() == "a run"


def test_a_run_without_accuracy_has_one_panel() -> None:
    assert len(curves_figure(Log([1], {"loss": [0.5]})).axes) == 1


@pytest.mark.parametrize(("ending", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_figures_are_written_by_their_ending(tmp_path: Path, ending: str, start: bytes) -> None:
    path = tmp_path / f"picture{ending}"
    write_figure(filters_figure(KERNEL), path)
    assert path.read_bytes().startswith(start)


def test_other_endings_and_places_are_refused(tmp_path: Path) -> None:
    figure = curves_figure(Log([1], {"loss": [0.5]}))
    with pytest.raises(ConfigError, match=r"\.png, \.svg, \.pdf, got '\.bmp'"):
        write_figure(figure, tmp_path / "a.bmp")
    with pytest.raises(CheckpointError, match="cannot be written"):
        write_figure(figure, tmp_path / "nowhere" / "a.png")


def test_matplotlib_comes_with_the_first_figure_and_pyplot_never() -> None:
    code = (
        "import sys, numpy; from pellucid.visualise import *; print('matplotlib' in sys.modules);"
        "filters_figure(numpy.ones((2, 2, 1, 2))); print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
