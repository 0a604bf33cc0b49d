"""Moving pictures: every frame shows what the layer computes there, and a file is whole or is not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import Sequential, layers
from pellucid.errors import ConfigError, ShapeError
from pellucid.model.tracing import trace
from pellucid.visualise import (
    Animation,
    kernel_network,
    shift,
    shift_animation,
    shift_path,
    slide,
    slide_animation,
    slide_places,
    write_gif,
)
from pellucid.visualise.drawing.animation import save_gif
from pellucid.visualise.drawing.figure import VERMILION
from pellucid.visualise.sliding.data import KERNELS

PICTURE = np.random.default_rng(7).integers(0, 256, (9, 8, 3), dtype=np.uint8)


def network(channels: int = 3) -> Sequential:
    return Sequential(
        [
            layers.Conv2D(4, (3, 2), padding="same", activation="relu", name="conv1", input_shape=(9, 8, channels)),
            layers.MaxPool2D(2, name="pool1"),
            layers.Dropout(0.5, name="dropout"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        seed=2,
    )


@pytest.mark.parametrize("every", [None, 5])
def test_each_frame_of_a_slide_adds_up_to_the_number_in_its_place(every: int | None) -> None:
    model = network()
    way = slide(model, PICTURE, channel=1, frames=30, every=every)
    step = trace(model, PICTURE[None])["conv1"]
    np.testing.assert_array_equal(way.map, step.output[0, :, :, 1])
    kernel, bias = (np.asarray(model.layers[0].params[name], float) for name in ("kernel", "bias"))
    padded = np.pad(step.input[0].astype(float), ((1, 1), (0, 1), (0, 0)))
    for number, frame in enumerate(way):
        row, column = frame.place
        window = padded[row : row + 3, column : column + 2]
        np.testing.assert_array_equal(frame.patch, window)
        np.testing.assert_allclose(frame.products, (window * kernel[..., 1]).sum(axis=2))
        assert max(0.0, frame.products.sum() + bias[1]) == pytest.approx(way.map[row, column], abs=1e-6)
        assert frame.filled == row * 8 + column + 1
        grown = way.grown(number).ravel()
        np.testing.assert_array_equal(grown[: frame.filled], way.map.ravel()[: frame.filled])
        assert np.isnan(grown[frame.filled :]).all()
    assert way[-1].filled == way.map.size and len(way) <= 30


def test_the_figure_of_a_slide_shows_the_frame_it_is_asked_for() -> None:
    way = slide(network(1), PICTURE[:, :, :1], frames=12)
    moving = slide_animation(way, title="it")
    before, patch, kernel, products, after = moving.figure.axes
    for number in (7, 3):
        moving.draw(number)
        frame = way[number]
        np.testing.assert_allclose(np.asarray(patch.images[0].get_array()), frame.patch[:, :, 0])
        np.testing.assert_allclose(np.asarray(products.images[0].get_array()), frame.products)
        shown = np.ma.filled(after.images[0].get_array().astype(float), np.nan)
        np.testing.assert_allclose(shown, way.grown(number), rtol=1e-6)
        window, place = before.patches[0], after.patches[0]
        assert window.get_bbox().bounds == (frame.columns[0] - 0.5, frame.rows[0] - 0.5, 2, 3)  # type: ignore[attr-defined]
        assert place.get_xy() == (frame.place[1] - 0.5, frame.place[0] - 0.5)  # type: ignore[attr-defined]
        written = [float(text.get_text()) for text in products.texts]
        np.testing.assert_allclose(written, np.asarray(frame.products).ravel(), atol=0.006)
        assert frame.equation in moving.figure.get_supxlabel()
    assert len(kernel.texts) == 6 and "it: conv1" in moving.figure.get_suptitle()


def test_padding_has_room_in_the_panel_so_that_the_frame_covers_no_words() -> None:
    model = Sequential([layers.Conv2D(2, 5, padding=((2, 1), (3, 0)), input_shape=(9, 8, 1))])
    moving = slide_animation(slide(model, PICTURE[:, :, :1]))
    panel = moving.figure.axes[0]
    assert (panel.get_xlim(), panel.get_ylim()) == ((-3.5, 7.5), (9.5, -2.5))
    moving.frame(0)
    title = panel.title.get_window_extent()
    for number in (0, moving.count - 1):
        moving.draw(number)
        frame = panel.patches[0].get_window_extent()
        assert not frame.overlaps(title)
        inside = panel.get_window_extent()
        assert frame.x0 >= inside.x0 - 1 and frame.x1 <= inside.x1 + 1
        assert frame.y0 >= inside.y0 - 1 and frame.y1 <= inside.y1 + 1


def test_a_pooling_slides_too_and_frames_its_pick() -> None:
    way = slide(network(), PICTURE, "pool1", 2)
    assert way.kernel is None and [frame.place for frame in way] == [divmod(n, 4) for n in range(16)]
    moving = slide_animation(way)
    for number in (0, 9):
        moving.draw(number)
        frame = way[number]
        assert frame.picked is not None and frame.result == frame.patch[frame.picked] == way.map[frame.place]
        assert moving.figure.axes[1].patches[0].get_xy() == (frame.picked[1] - 0.5, frame.picked[0] - 0.5)  # type: ignore[attr-defined]


def test_of_many_channels_the_products_are_added() -> None:
    model = Sequential([layers.Conv2D(5, 1, input_shape=(4, 4, 3)), layers.Conv2D(2, 2, groups=1, name="deep")])
    way = slide(model, PICTURE[:4, :4], "deep")
    moving = slide_animation(way)
    titles = [ax.get_title() for ax in moving.figure.axes]
    assert "5 channels added" in titles[3] and "channel" in titles[1]
    np.testing.assert_allclose([frame.products.sum() for frame in way], way.map.ravel(), atol=1e-5)


def test_places_are_slow_in_one_row_and_reach_both_ends() -> None:
    assert slide_places((3, 4)) == list(range(12))
    places = slide_places((24, 24), 5, frames=60)
    assert {*range(120, 144)} <= {*places} and len(places) <= 60 and places[0] == 0 and places[-1] == 575
    assert places == sorted(set(places))
    assert slide_places((3, 4), every=5) == [0, 5, 10, 11] and slide_places((3, 4), every=5, frames=2) == [0, 5]
    assert slide_places((2, 2), frames=1) == [3] or len(slide_places((2, 2), frames=1)) == 1


@pytest.mark.parametrize("name", KERNELS)
def test_named_kernels_compute_what_they_are_called(name: str) -> None:
    halves = np.zeros((6, 6, 1), np.float32)
    halves[:, 3:] = 0.9
    found = slide(kernel_network(name, (6, 6, 1)), halves).map
    edge, inside = found[1, 1], found[1, 3]
    expected = {"edge": (2.7, 0), "horizontal-edge": (0, 0), "average": (0.3, 0.9), "sharpen": (-0.9, 0.9)}[name]
    assert (edge, inside) == pytest.approx(expected, abs=1e-6)
    if name == "horizontal-edge":
        assert slide(kernel_network(name, (6, 6, 1)), halves.transpose(1, 0, 2)).map[1, 1] == pytest.approx(2.7)


def test_a_kernel_without_a_network_takes_the_mean_of_the_colours() -> None:
    grey = slide(kernel_network("sharpen", (9, 8, 1)), PICTURE.mean(axis=2, keepdims=True) / 255).map
    np.testing.assert_allclose(slide(kernel_network("sharpen", (9, 8, 3)), PICTURE).map, grey, atol=1e-5)


def test_a_shifted_picture_is_traced_at_every_offset() -> None:
    model = network()
    offsets = [(0, 0), (0, 2), (-1, 0)]
    frames = shift(model, PICTURE, offsets=offsets)
    rolled = np.array(PICTURE)
    rolled[:, 2:], rolled[:, :2] = PICTURE[:, :-2], PICTURE[:, :1]
    up = np.concatenate([PICTURE[1:], PICTURE[-1:]])
    for frame, picture, offset in zip(frames, (PICTURE, rolled, up), offsets, strict=True):
        seen = trace(model, picture[None])
        np.testing.assert_array_equal(frame.picture, picture)
        np.testing.assert_array_equal(frame.maps, seen["pool1"].output[0])
        np.testing.assert_allclose(frame.answer, seen.outputs[0], atol=1e-6)
        assert frame.offset == offset
    still, first = frames[0].maps, frames[1].maps
    assert frames[0].changed == 0
    assert frames[1].changed == pytest.approx(np.linalg.norm(first - still) / np.linalg.norm(still))
    alone = shift(model, PICTURE, offsets=[(0, 2)])[0]  # the picture where it was is the measure all the same
    assert alone.changed == frames[1].changed


def test_the_figure_of_a_shift_keeps_its_scales_and_places() -> None:
    model = network()
    model.class_names = ("cat", "dog", "bird")
    every = shift(model, PICTURE, "conv1", offsets=shift_path(2, 2))
    frames = shift(model, PICTURE, "conv1", offsets=shift_path(2, 2), channels=3)
    moving = shift_animation(model, frames, "conv1")
    picture, maps, answer = moving.figure.axes
    limits = np.array([np.abs(frame.maps).max(axis=(0, 1)) for frame in frames]).max(axis=0)
    names = [label.get_text() for label in answer.get_yticklabels()]
    largest = np.argsort(-np.abs(every[0].maps).max(axis=(0, 1)), kind="stable")
    assert frames[0].channels == tuple(sorted(largest[:3].tolist())) and frames[0].count == 4
    assert [frame.changed for frame in frames] == [frame.changed for frame in every]
    np.testing.assert_array_equal(frames[2].maps, every[2].maps[:, :, list(frames[0].channels)])
    assert "4 maps of 9x8, 3 of them" in maps.get_title()
    for number in (1, 3):
        moving.draw(number)
        frame = frames[number]
        np.testing.assert_allclose(np.asarray(picture.images[0].get_array()), frame.picture / 255)
        grid = np.ma.filled(maps.images[0].get_array(), np.nan)
        tall = (grid.shape[0] + 1) // 2
        zoom = tall // 9
        np.testing.assert_allclose(
            grid[: 9 * zoom : zoom, : 8 * zoom : zoom], frame.maps[:, :, 0] / limits[0], atol=1e-6
        )
        widths = {name: bar.get_width() for name, bar in zip(names, answer.patches, strict=True)}  # type: ignore[attr-defined]
        for name, share in zip(model.class_names, frame.answer, strict=True):
            assert widths[name] == pytest.approx(100 * share)
        red = [bar.get_facecolor() for bar in answer.patches].count(moving.moving[-2].get_facecolor())  # type: ignore[attr-defined]
        assert red in (1, 2)
        assert f"changed by {100 * frame.changed:.0f} %" in [text.get_text() for text in maps.texts]
    assert "left by 2 pixels" in _words(moving, 3) and "where it was" in _words(moving, 0)


def _words(moving: Animation, number: int) -> str:
    moving.draw(number)
    return str(moving.figure.get_supxlabel())


def test_a_gif_has_every_frame_and_the_frames_are_those_drawn() -> None:
    moving = slide_animation(slide(network(1), PICTURE[:, :, :1], frames=6), fps=5)
    steps: list[int] = []
    file = io.BytesIO()
    save_gif(moving, file, progress=lambda done, total, what: steps.append(done))
    with Image.open(file) as gif:
        assert gif.n_frames == moving.count == len(steps) and gif.info["loop"] == 0  # type: ignore[attr-defined]
        durations = []
        for number in range(gif.n_frames):  # type: ignore[attr-defined]
            gif.seek(number)
            durations.append(gif.info["duration"])
            shown = np.asarray(gif.convert("RGB"), int)
            drawn = moving.frame(number).astype(int)
            assert shown.shape == drawn.shape and np.abs(shown - drawn).mean() < 2
            white = (drawn == 255).all(axis=2)
            assert white.mean() > 0.3 and (shown[white] == 255).all()
            vermilion = [int(VERMILION[at : at + 2], 16) for at in (1, 3, 5)]
            assert (shown == vermilion).all(axis=2).sum() > 50
        assert durations == [200] * 5 + [2000]


def test_a_larger_scale_is_a_larger_picture() -> None:
    moving = slide_animation(slide(network(1), PICTURE[:, :, :1], frames=2))
    small, large = moving.frame(1), moving.frame(1, 2.0)
    assert large.shape[0] == pytest.approx(2 * small.shape[0], abs=2) and large.shape[1] > 1.9 * small.shape[1]
    np.testing.assert_array_equal(moving.frame(1), small)
    with pytest.raises(ConfigError, match="scale must be a number"):
        moving.frame(0, 0.0)


def test_an_interrupted_gif_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moving = slide_animation(slide(network(1), PICTURE[:, :, :1], frames=6))
    target = tmp_path / "a.gif"
    write_gif(moving, target)
    whole = target.read_bytes()

    def stop(done: int, total: int, what: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_gif(moving, target, progress=stop)
    assert target.read_bytes() == whole and list(tmp_path.iterdir()) == [target]
    with pytest.raises(ConfigError, match=r"end in \.gif, got '\.png'"):
        write_gif(moving, tmp_path / "a.png")


def test_wrong_questions_are_answered_plainly() -> None:
    model = network()
    with pytest.raises(ConfigError, match="layers with one: conv1, pool1"):
        slide(model, PICTURE, "out")
    with pytest.raises(ConfigError, match="channels 0 to 3, got 4"):
        slide(model, PICTURE, "conv1", 4)
    with pytest.raises(ConfigError, match="every must be a whole number of at least 1, got 0"):
        slide(model, PICTURE, every=0)
    with pytest.raises(ConfigError, match="did you mean 'edge'"):
        kernel_network("egde", (9, 8, 1))
    with pytest.raises(ShapeError, match=r"\(KH,KW\), got shape \(2,\)"):
        kernel_network([1, 2], (9, 8, 1))
    with pytest.raises(ConfigError, match=r"can move by less than that, got \(9, 0\)"):
        shift(model, PICTURE, offsets=[(9, 0)])
    with pytest.raises(ConfigError, match="gives no maps"):
        shift(model, PICTURE, "out")
    with pytest.raises(ConfigError, match="at least one frame"):
        shift_animation(model, [], "conv1")
    with pytest.raises(ConfigError, match="channels must be a whole number of at least 1, got 0"):
        shift(model, PICTURE, offsets=[(0, 1)], channels=0)
