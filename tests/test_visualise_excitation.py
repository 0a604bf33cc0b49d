"""What excites a filter: what units see, the planted pictures that are found, and the pictures that are made."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid import Sequential, layers
from pellucid.errors import ConfigError, DataError
from pellucid.layers.graph import Graph
from pellucid.model.tracing import trace
from pellucid.visualise import ascend, depth_figure, found_figure, made_figure, top_pictures
from pellucid.visualise.excitation.data import blurred, cut
from pellucid.visualise.excitation.figure import depth_layers
from pellucid.visualise.excitation.texture import SIDE, texture_side, textures
from pellucid.visualise.excitation.views import view_of

RNG = np.random.default_rng(6)


def winding() -> list[layers.Layer]:
    """Windows of every kind, one after the other, and what each of them sees."""
    return [
        layers.Conv2D(2, (3, 2), strides=(2, 1), padding="same", name="a", input_shape=(25, 22, 1)),
        layers.ZeroPadding2D(((2, 0), (0, 3))),
        layers.AvgPool2D((2, 3), strides=(1, 2), padding=((1, 0), (0, 1))),
        layers.Conv2D(3, 2, dilation_rate=(1, 2), padding=(1, 0), name="b"),
        layers.Cropping2D(((2, 1), (1, 0))),
        layers.AvgPool2D((3, 2), (2, 2), ceil_mode=True),
    ]


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 5, 6])
def test_a_unit_sees_its_box_and_nothing_else(depth: int) -> None:
    model = Sequential(winding()[:depth])
    for layer in model.layers:  # positive weights: whatever is seen has a slope
        layer.set_weights([np.abs(weights) + 0.1 for weights in layer.get_weights()])
    view = view_of(model.graph)
    assert view is not None and view.map_shape == model.output_shape
    rows, columns, _ = view.map_shape
    x = RNG.random((1, 25, 22, 1), dtype=np.float32)
    for place in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3), (1, columns - 2)):
        caches, y = [], x
        for layer in model.layers:
            y, cache = layer.forward(y)
            caches.append(cache)
        d = np.zeros_like(y)
        d[(0, *place, 0)] = 1
        for layer, cache in zip(reversed(model.layers), reversed(caches), strict=True):
            d, _ = layer.backward(d, cache)
        touched = np.argwhere(d[0, :, :, 0] > 0)
        top, left, bottom, right = view.box(place)
        inside = (max(top, 0), max(left, 0), min(bottom, 25) - 1, min(right, 22) - 1)
        if not len(touched):  # a unit over padding alone sees no pixel of the picture
            assert inside[0] > inside[2] or inside[1] > inside[3]
            continue
        spread = (1, 1) if depth < 4 else (1, 2)  # a dilated window may step over the first pixels at the edge
        found = (*touched.min(axis=0), *touched.max(axis=0))
        assert np.all(np.abs(np.subtract(found, inside)) <= (np.array(spread * 2) - 1)), (found, inside)


def test_behind_flatten_a_unit_sees_everything() -> None:
    model = Sequential([layers.Conv2D(2, 3, input_shape=(8, 8, 1)), layers.Flatten(), layers.Dense(3)])
    assert view_of(model.graph) is None
    with pytest.raises(ConfigError, match="only pictures"):
        view_of(Graph.chain([], (8, 1)))


def edges() -> Sequential:
    """Channel 0 answers to dark left of bright, channel 1 to bright above dark."""
    model = Sequential(
        [
            layers.Conv2D(2, 3, activation="relu", input_shape=(14, 12, 1), name="edges"),
            layers.MaxPool2D(2, name="pool"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        seed=1,
    )
    vertical = np.array([[-1, 0, 1]] * 3)
    kernel = np.stack([vertical, -vertical.T], axis=-1)[:, :, None].astype(np.float32)
    model.get_layer("edges").set_weights([kernel, np.zeros(2)])
    return model


def planted() -> np.ndarray:
    """Faint noise; picture 7 has the strongest vertical edge, 2 the second; picture 5 the strongest horizontal one."""
    images = RNG.integers(100, 110, (20, 14, 12, 1)).astype(np.uint8)
    images[7, 3:6, 6:9] = np.array([0, 128, 255])[None, :, None]
    images[2, 9:12, 1:4] = np.array([50, 128, 220])[None, :, None]
    images[5, 0:3, 4:7] = np.array([255, 128, 0])[:, None, None]
    return images


def test_the_planted_pictures_are_found_with_their_patches() -> None:
    images = planted()
    told: list[tuple[int, int]] = []
    found = top_pictures(edges(), images, "edges", 2, progress=lambda done, total, _: told.append((done, total)))
    assert found.pictures[0].tolist() == [7, 2] and found.pictures[1, 0] == 5
    assert found.boxes[0].tolist() == [[3, 6, 6, 9], [9, 1, 12, 4]] and found.boxes[1, 0].tolist() == [0, 4, 3, 7]
    np.testing.assert_array_equal(found.patch(images, 0, 0), images[7, 3:6, 6:9])
    assert found.values[0, 0] == pytest.approx(3.0, rel=1e-5)  # three rows of 255 - 0, divided by 255
    assert told[-1] == (20, 20)


def test_streaming_gives_what_one_pass_over_everything_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model, images = edges(), RNG.random((31, 14, 12, 1), dtype=np.float32)
    everything = model.layers[1](model.layers[0](images)).reshape(31, -1, 2).max(axis=1)
    order = np.argsort(-everything, axis=0, kind="stable")[:5].T
    monkeypatch.setattr("pellucid.visualise.excitation.data.BATCH_BYTES", 4 * 12 * 10 * 2 * 4)
    assert top_pictures(model, images, "pool", 5).pictures.tolist() == order.tolist()
    assert top_pictures(model, images, "pool", 5, channels=1).pictures.tolist() == [order[1].tolist()]


def test_equal_values_keep_the_order_of_the_data() -> None:
    found = top_pictures(edges(), np.zeros((6, 14, 12, 1), np.uint8), "edges", 3)
    assert found.pictures.tolist() == [[0, 1, 2]] * 2


def test_of_few_pictures_several_places_are_found_that_do_not_overlap() -> None:
    images = planted()[[2, 7]]
    images[1, 10:13, 1:4] = np.array([0, 100, 200])[None, :, None]
    found = top_pictures(edges(), images, "edges", 4, channels=0, each=3)
    assert found.pictures[0, :3].tolist() == [1, 1, 0]
    assert found.boxes[0, :3].tolist() == [[3, 6, 6, 9], [10, 1, 13, 4], [9, 1, 12, 4]]
    tops = found.boxes[0, found.pictures[0] == 1]
    assert len(tops) and all(np.abs(a - b).max() >= 1 for i, a in enumerate(tops) for b in tops[:i])
    everything = top_pictures(edges(), images, "out", 3, channels=0, each=2)
    assert everything.values[0, 2] == -np.inf and len(set(everything.pictures[0, :2].tolist())) == 2
    deep = Sequential([layers.Conv2D(1, 29, padding="same", name="deep", input_shape=(14, 12, 1))])
    assert top_pictures(deep, images, "deep", 2).boxes[0].tolist() == [[0, 0, 14, 12]] * 2, "nothing beyond the edges"
    panels = [axes for axes in found_figure(edges(), everything, images).axes if axes.images]
    assert len(panels) == 2, "a unit that sees everything has one place in a picture"


def test_a_dense_unit_is_excited_by_whole_pictures() -> None:
    model, images = edges(), planted()
    found = top_pictures(model, images, "out", 3)
    assert found.pictures[:, 0].tolist() == model.predict(images).argmax(axis=0).tolist()
    assert found.patch(images, 1, 0).shape == (14, 12, 1)


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_the_picture_made_for_an_edge_filter_is_that_edge() -> None:
    model = edges()
    kernel = model.get_layer("edges").params["kernel"]
    made = ascend(model, "edges")
    assert made.shape == (2, 3, 3, 1) and made.min() >= 0 and made.max() <= 1
    for channel in (0, 1):
        assert correlation(made[channel], kernel[..., channel]) > 0.9
        assert correlation(made[channel], kernel[..., 1 - channel]) < 0.2
    random = Sequential([layers.Conv2D(3, 5, input_shape=(12, 12, 3), name="conv")], seed=9)
    for channel, picture in enumerate(ascend(random, "conv", blur=0)):
        assert correlation(picture, random.layers[0].params["kernel"][..., channel]) > 0.9


def test_what_is_made_excites_its_channel_more_than_noise_does() -> None:
    model = Sequential(
        [
            layers.Conv2D(6, 3, padding="same", activation="relu", input_shape=(16, 16, 3), name="conv1"),
            layers.MaxPool2D(2),
            layers.Conv2D(4, 3, padding="same", activation="relu", name="conv2"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="out"),
        ],
        seed=2,
    )
    made = ascend(model, "out", steps=60)
    scores = trace(model, made).scores
    noise = trace(model, RNG.random((50, 16, 16, 3), dtype=np.float32)).scores
    assert (np.diag(scores) > noise.max(axis=0)).all()
    assert ascend(model, "conv2", [3], steps=5).shape == (1, 8, 8, 3)  # 3 + 1 + 2 * 2 pixels


def photo_network() -> Sequential:
    """Of pictures that are large enough for textures."""
    model = Sequential(
        [
            layers.Conv2D(2, 5, strides=4, padding="same", name="first", input_shape=(128, 112, 3)),
            layers.BatchNorm(name="norm"),
            layers.Conv2D(2, 3, padding="same", name="second"),
            layers.ReLU(name="relu"),
            layers.GlobalAvgPool2D(name="average"),
            layers.Dense(3, activation="softmax", name="classes"),
        ],
        seed=4,
    )
    return model


def test_textures_excite_a_channel_everywhere_and_are_smooth() -> None:
    model = photo_network()
    assert [texture_side(model, name) for name in ("first", "relu", "classes")] == [None, SIDE, SIDE]
    assert texture_side(edges(), "edges") is None, "small pictures"
    fixed = Sequential([*photo_network().layers[:3], layers.Flatten(), layers.Dense(2, name="out")])
    assert texture_side(fixed, "out") is None, "pictures of one size alone"
    made = textures(model, "relu", steps=20)
    assert made.shape == (2, SIDE, SIDE, 3) and made.min() >= 0 and made.max() <= 1 and np.ptp(made) > 0.3
    graph = model.graph.up_to(model.get_layer("second"))
    means = {
        name: graph.run(pictures, lambda _, layer, read: layer.forward(read)[0]).mean(axis=(1, 2))
        for name, pictures in (("made", made), ("noise", RNG.random((9, SIDE, SIDE, 3), dtype=np.float32)))
    }
    assert (np.diag(means["made"]) > means["noise"].max(axis=0)).all()
    waves = np.abs(np.fft.rfft2(made.mean(axis=3)))
    assert waves[:, 1:6, 1:6].mean() > 20 * waves[:, 30:48, 30:48].mean(), "few high frequencies"
    one, again, other = (textures(model, "classes", 1, steps=2, side=40, seed=seed) for seed in (3, 3, 4))
    assert one.shape == (1, 40, 40, 3) and np.array_equal(one, again) and not np.array_equal(one, other)
    assert depth_layers(model) == ["norm", "second", "classes"], "a negative gamma turns what excites the layer before"
    figure = depth_figure(model, channels=2)
    assert "texture of 96x96" in figure.get_supxlabel() and "5x5" in figure.axes[0].texts[0].get_text()


def test_the_seed_decides() -> None:
    model = edges()
    one, again, other = (ascend(model, "out", 1, steps=4, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_nothing_of_the_model_changes() -> None:
    model = edges()
    before, version = model.get_weights(), model.version
    ascend(model, "edges", steps=3)
    assert model.version == version and model.get_layer("edges").activation == "relu"
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_blur_is_a_gaussian() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    picture = RNG.random((1, 9, 11, 2), dtype=np.float32)
    wanted = ndimage.gaussian_filter(picture, (0, 0.8, 0.8, 0), mode="nearest", radius=3)
    np.testing.assert_allclose(blurred(picture, 0.8), wanted, atol=1e-6)


def test_a_box_beyond_the_edge_is_black_there() -> None:
    picture = np.arange(1, 13).reshape(3, 4, 1)
    assert cut(picture, (-1, 2, 2, 6))[..., 0].tolist() == [[0] * 4, [3, 4, 0, 0], [7, 8, 0, 0]]


def test_figures_show_the_pictures_they_name() -> None:
    model, images = edges(), planted()
    found = top_pictures(model, images, "edges", 2)
    figure = found_figure(model, found, images)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 4 and "among 20 pictures" in figure.get_suptitle()
    np.testing.assert_allclose(np.asarray(panels[1].images[0].get_array()), images[2, 9:12, 1:4, 0] / 255)
    assert panels[0].get_title() == "3"
    made = made_figure(model, "edges")
    shown = [axes for axes in made.axes if axes.images]
    np.testing.assert_allclose(np.asarray(shown[1].images[0].get_array()), ascend(model, "edges")[1, :, :, 0])
    assert [axes.get_title() for axes in shown] == ["channel 0", "channel 1"]
    model.class_names = ("cat", "dog", "owl")
    deep = depth_figure(model, images=images)
    titles = [axes.get_title() for axes in deep.axes if axes.images]
    assert titles == ["channel 0", "channel 1", "cat", "dog", "owl"]
    assert depth_layers(model) == ["edges", "out"] and "not trained" in deep.get_suptitle()
    assert len([axes for axes in made_figure(model, "edges", 0).axes if axes.images]) == 8


def test_wrong_questions_are_answered_plainly() -> None:
    model, images = edges(), planted()
    with pytest.raises(ConfigError, match=r"unknown layer.*did you mean 'edges'"):
        top_pictures(model, images, "edge")
    with pytest.raises(ConfigError, match=r"'edges'.*has channels 0 to 1, got 2"):
        ascend(model, "edges", 2)
    with pytest.raises(DataError, match="the 30 strongest of 20"):
        top_pictures(model, images, "edges", 30)
    with pytest.raises(ConfigError, match="k must be a whole number of at least 1, got 0"):
        top_pictures(model, images, "edges", 0)
    with pytest.raises(ConfigError, match=r"decay must be a number from 0 to below 1, got 1\.5"):
        ascend(model, "edges", decay=1.5)
    with pytest.raises(ConfigError, match="no convolution and no dense layer"):
        depth_layers(Sequential([layers.Flatten(input_shape=(2, 2, 1))]))
