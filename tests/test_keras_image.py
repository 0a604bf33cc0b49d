"""Functions of `pellucid.keras.tensorflow` beside numbers that TensorFlow 2.20 gives for the same arrays."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError, ShapeError
from pellucid.keras import backend as K
from pellucid.keras import tensorflow as tf

FLOATS = (np.arange(54 * 3).reshape(6, 9, 3) % 7 / 7).astype(np.float32)
BYTES = (np.arange(18).reshape(2, 3, 3) * 14).astype(np.uint8)


def test_gamma_has_a_gain() -> None:
    expected = [0, 0, 1, 3, 6, 9, 13, 18, 24, 31, 38, 46, 55, 65, 75, 86, 98, 111]
    assert tf.image.adjust_gamma(BYTES, 2.0, 0.5).ravel().tolist() == expected
    assert tf.image.adjust_gamma(BYTES, gamma=2.0, gain=0.5).ravel().tolist() == expected


@pytest.mark.parametrize(
    ("size", "shape"), [((4, 4), (3, 4, 3)), ((7, 5), (3, 5, 3)), ((20, 2), (1, 2, 3)), ((11, 30), (11, 16, 3))]
)
def test_pictures_are_resized_with_their_sides_ratio(size: Any, shape: Any) -> None:
    assert tf.image.resize(FLOATS, size, preserve_aspect_ratio=True).shape == shape


@pytest.mark.parametrize(
    ("size", "rows", "columns", "total"),
    [((7, 5), "0111000", "11111", 19.4), ((4, 12), "1111", "000111111000", 30.6875), ((5, 3), "01100", "111", 8.0)],
)
def test_resized_pictures_get_their_border(size: Any, rows: str, columns: str, total: float) -> None:
    made = np.asarray(tf.image.resize_with_pad(FLOATS, *size))
    drawn = made.any(axis=-1)
    assert ["".join(map(str, drawn.any(axis=k).astype(int))) for k in (1, 0)] == [rows, columns]
    assert made.sum() == pytest.approx(total, rel=1e-5)


def test_a_border_of_zeros() -> None:
    made = np.asarray(tf.image.pad_to_bounding_box(BYTES, 1, 2, 4, 6))
    assert np.array_equal(made[1:3, 2:5], BYTES) and made.sum() == BYTES.sum()
    with pytest.raises(ShapeError, match="does not fit"):
        tf.image.pad_to_bounding_box(BYTES, 3, 0, 4, 6)


def test_random_numbers_have_their_shapes_and_means() -> None:
    drawn = tf.random.gamma([4000], [0.5, 2.0], seed=1)
    assert drawn.shape == (4000, 2) and np.allclose(drawn.mean(axis=0), [0.5, 2.0], rtol=0.1)
    first, again = (tf.random.Generator.from_seed(7) for _ in range(2))
    assert np.array_equal(first.make_seeds(3), again.make_seeds(3)) and first.make_seeds(2).shape == (2, 2)
    assert first.uniform([50], 2, 5, np.int32).max() <= 4 and first.normal([9]).dtype == np.float32


def test_parts_and_functions_of_values() -> None:
    assert tf.slice(np.arange(12).reshape(3, 4), [1, 1], [2, -1]).tolist() == [[5, 6, 7], [9, 10, 11]]
    model = keras.Sequential([keras.Input((6, 5, 1)), keras.layers.Conv2D(2, 3), keras.layers.Flatten()])
    x = np.random.default_rng(0).normal(size=(3, 6, 5, 1)).astype(np.float32)
    maps = K.function([model.input, K.learning_phase()], [model.layers[0].output])([x, 0])
    assert len(maps) == 1 and np.allclose(maps[0].reshape(3, -1), model.predict(x, verbose=0), atol=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_cross_entropy_of_each_number(from_logits: bool) -> None:
    target, share = np.array([[0.0, 1.0, 0.3]], np.float32), np.array([[0.2, 0.9, 0.4]], np.float32)
    given = np.log(share / (1 - share)) if from_logits else share
    expected = -(target * np.log(share) + (1 - target) * np.log(1 - share))
    assert np.allclose(K.binary_crossentropy(target, given, from_logits=from_logits), expected, atol=1e-5)


def test_whole_numbers_may_be_tensors() -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((4, 2)), np.zeros((4, 1)), epochs=tf.constant(2), batch_size=tf.constant(2), verbose=0)
    assert len(history.epoch) == 2


def test_functions_of_arrays_are_tensorflows() -> None:
    """In a process of its own: both bring their own threads."""
    pytest.importorskip("tensorflow")
    script = """if True:
        import sys
        import numpy as np
        if sys.argv[1] == "ours":
            from pellucid.keras import tensorflow as tf
        else:
            import tensorflow as tf
        rng = np.random.default_rng(0)
        a = rng.random((2, 16, 14, 3)).astype(np.float32)
        b = np.clip(a + rng.normal(size=a.shape) * 0.1, 0, 1).astype(np.float32)
        low, high = (np.round(each * 255).astype(np.uint8) for each in (a, b))
        im = tf.image
        found = [
            im.rgb_to_yuv(a), im.yuv_to_rgb(a), im.rgb_to_hsv(a), im.hsv_to_rgb(a), im.psnr(a, b, 1.0),
            im.psnr(low, high, 255), im.ssim(a, b, 1.0), im.ssim(a[0], b[0], 1.0), im.ssim(low, high, 255),
            im.ssim(a, b, 1.0, filter_size=5, return_index_map=True),
            im.extract_patches(a, [1, 3, 2, 1], [1, 2, 3, 1], [1, 1, 1, 1], "VALID"),
            im.extract_patches(a, [1, 3, 3, 1], [1, 1, 1, 1], [1, 2, 1, 1], "SAME"),
            tf.nn.space_to_depth(a, 2), tf.nn.depth_to_space(tf.tile(a, [1, 1, 1, 4]), block_size=2),
            tf.nn.max_pool(a, ksize=[1, 3, 2, 1], strides=[1, 2, 1, 1], padding="SAME"),
            tf.nn.avg_pool(a, 2, strides=2, padding="VALID"), tf.acos(a), tf.truediv(b, a + 1), tf.scalar_mul(2.0, a),
            tf.cond(tf.reduce_mean(a) > 0, lambda: a, lambda: b), tf.compat.v1.to_int32(a * 9),
            tf.map_fn(lambda x: tf.reduce_max(x, 0), a, fn_output_signature=tf.float32),
            tf.while_loop(lambda i, x: i < 4, lambda i, x: (i + 1, x + b), (1, a))[1],
            *(tf.maximum(a, 0.5), tf.pow(a, 2), tf.divide(1.0, a + 1), tf.add(1.0, a), tf.multiply(2.0, 3.0)),
            *(tf.where(a > 0.5, a, 0.0), tf.reduce_mean([1.0, 2.0]), tf.matmul([[1.0, 2]], [[2.0], [3]]), tf.sqrt(2.0)),
            *(tf.linspace(0.0, 1.0, 3), tf.range(0.0, 3.0), tf.fill([2], 1.5), tf.ones_like(2.0), tf.stack([1.0, 2.0])),
        ]
        train = tf.compat.v1.train
        for optimizer in (train.AdamOptimizer(0.1, beta1=0.5), train.GradientDescentOptimizer(0.1)):
            weights = tf.Variable(a[0, 0])
            for gradient in b[0]:
                optimizer.apply_gradients([(tf.constant(gradient), weights)])
            found.append(weights)
        np.savez(sys.argv[2], *[np.asarray(each) for each in found])
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [f"{folder}/{who}.npz" for who in ("ours", "theirs")]
        for who, file in zip(("ours", "theirs"), files, strict=True):
            subprocess.run([sys.executable, "-c", script, who, file], check=True, timeout=300, capture_output=True)
        ours, theirs = (np.load(file) for file in files)
        assert ours.files == theirs.files and len(ours.files) == 39
        for name in ours.files:
            assert ours[name].shape == theirs[name].shape and ours[name].dtype == theirs[name].dtype
            np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("method", "antialias", "row", "total"),
    [
        ("area", False, [0.7619, 0.31746, 0.42857, 0.42857], 27.9021),
        ("bicubic", False, [0.79712, 0.29581, 0.42734, 0.4049], 30.0704),
        ("bicubic", True, [0.82008, 0.27153, 0.40354, 0.45699], 28.8398),
        ("gaussian", True, [0.67036, 0.34285, 0.41107, 0.44287], 25.781),
        ("lanczos3", False, [0.85178, 0.31541, 0.44492, 0.39622], 31.3811),
        ("lanczos5", True, [0.897, 0.22488, 0.35348, 0.51466], 31.0683),
        ("mitchellcubic", False, [0.75376, 0.32861, 0.41642, 0.39984], 28.0738),
        ("bilinear", False, [0.75, 0.33442, 0.41234, 0.39935], 27.8861),
        ("bilinear", True, [0.74603, 0.33045, 0.40837, 0.43579], 27.0462),
    ],
)
def test_methods_of_resizing(method: str, antialias: bool, row: list[float], total: float) -> None:
    made = np.asarray(tf.image.resize(FLOATS, (4, 11), method, antialias=antialias))
    rough = 7e-4 if method == "bicubic" and not antialias else 1e-5  # TensorFlow looks it up in a table of 1024 there
    np.testing.assert_allclose(made[1, :4, 0], row, atol=rough)
    assert float(np.square(made).sum()) == pytest.approx(total, rel=1e-3 if rough > 1e-5 else 1e-5)


def test_a_tape_follows_pictures_that_are_resized_and_scaled() -> None:
    picture = tf.Variable(FLOATS[None])
    with tf.GradientTape(persistent=True) as tape:
        losses = [tf.reduce_sum(tf.image.resize(picture, (3, 3), method)) for method in ("area", "nearest", "bilinear")]
        scaled = tf.reduce_sum(keras.applications.vgg19.preprocess_input(picture * 255.0))
    for loss, total in zip(losses, (27.0, 27.0, 27.0), strict=True):
        slope = np.asarray(tape.gradient(loss, picture))
        assert slope.shape == picture.shape and slope.sum() == pytest.approx(total)
    np.testing.assert_allclose(np.asarray(tape.gradient(scaled, picture)), 255.0)


def test_differences_of_neighbours() -> None:
    assert float(tf.image.total_variation(FLOATS)) == pytest.approx(104.28572)
    edges = np.asarray(tf.image.sobel_edges(FLOATS[None]))
    expected = [[0.85714, -0.57143], [-1.14286, -0.57143], [-0.14286, 0.42857]]
    np.testing.assert_allclose(edges[0, 2, 3], expected, atol=1e-5)
    assert edges.shape == (1, 6, 9, 3, 2) and np.square(edges).sum() == pytest.approx(159.34692)
    down, across = tf.image.image_gradients(FLOATS[None])
    np.testing.assert_array_equal(np.asarray(down)[0, :-1], FLOATS[1:] - FLOATS[:-1])
    assert not np.asarray(down)[0, -1].any() and not np.asarray(across)[0, :, -1].any()


def test_pictures_whose_channels_come_first_are_refused() -> None:
    for function in (tf.nn.max_pool, tf.nn.avg_pool2d, tf.nn.depth_to_space, tf.nn.space_to_depth):
        with pytest.raises(ConfigError, match="data_format='NCHW'"):
            function(FLOATS[None], 2, data_format="NCHW")


def test_blocks_of_pixels_are_a_layers_in_a_network() -> None:
    """Also of a network for pictures of any size; what a super-resolution ends with."""
    source = keras.Input((None, None, 4))
    model = keras.Model(source, tf.nn.depth_to_space(source, 2))
    x = np.arange(48, dtype=np.float32).reshape(1, 4, 3, 4)
    assert model.output_shape == (None, None, None, 1)
    np.testing.assert_array_equal(model.predict(x, verbose=0), tf.nn.depth_to_space(x, 2))


def test_operations_of_keras_take_its_names_of_arguments() -> None:
    ops, x = keras.ops, FLOATS[..., 0]
    np.testing.assert_array_equal(ops.transpose(x, axes=(1, 0)), x.T)
    np.testing.assert_array_equal(ops.where(condition=x > 0.5, x1=x, x2=0.0), np.where(x > 0.5, x, 0.0))
    np.testing.assert_array_equal(ops.tile(x=x, repeats=(2, 1)), np.tile(x, (2, 1)))
    np.testing.assert_array_equal(ops.maximum(x1=x, x2=0.5), np.maximum(x, 0.5))
    angle = pytest.approx(0.4636476)
    assert float(ops.arctan2(x1=1.0, x2=2.0)) == angle and float(tf.math.atan2(y=1.0, x=2.0)) == angle
    real, imaginary = ops.fft2((x, np.zeros_like(x)))
    np.testing.assert_allclose(np.asarray(real) + 1j * np.asarray(imaginary), np.fft.fft2(x), atol=1e-5)
    patches = np.asarray(ops.image.extract_patches(FLOATS, (2, 3)))
    assert patches.shape == (3, 3, 18)
    np.testing.assert_array_equal(patches[1, 2], FLOATS[2:4, 6:9].ravel())
    changed = np.asarray(ops.slice_update(x, (1, 2), np.ones((2, 3))))
    assert changed[1:3, 2:5].all() and changed[0].tolist() == x[0].tolist()


def test_a_shape_that_is_said_must_be_true() -> None:
    picture = tf.constant(FLOATS)
    picture.set_shape([None, None, 3])
    with pytest.raises(ShapeError, match=r"has shape \(6, 9, 3\), got"):
        picture.set_shape([None, None, 1])
