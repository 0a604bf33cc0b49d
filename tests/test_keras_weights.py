"""`save_weights` and `load_weights` of Keras's models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import CheckpointError, ConfigError
from pellucid.keras import tensorflow as tf


def made() -> keras.Sequential:
    layers = [keras.layers.Conv2D(3, 3, input_shape=(6, 6, 2)), keras.layers.BatchNormalization()]
    return keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(4)])


def test_weights_go_into_a_file_and_come_back(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    first, second = made(), made()
    first.save_weights(tmp_path / "m.weights.h5")
    x = np.random.default_rng(0).random((3, 6, 6, 2), np.float32)
    assert not np.allclose(first.predict(x), second.predict(x))
    before = second.preprocessing
    second.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(first.predict(x), second.predict(x))
    assert second.preprocessing == before
    with pytest.raises(ConfigError, match=r"ends in \.weights\.h5 or \.ckpt, got 'm\.pt'"):
        first.save_weights(tmp_path / "m.pt")


@pytest.mark.parametrize("name", ["x", "x.ckpt", "x.tf", "w.03-0.25"])
def test_names_of_checkpoints_are_kept_beside(tmp_path: Path, name: str) -> None:
    first, second = made(), made()
    assert first.get_weights()[0].any() and not np.array_equal(first.get_weights()[0], second.get_weights()[0])
    first.save_weights(tmp_path / "deep" / name)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"{name}.safetensors"]
    second.load_weights(tmp_path / "deep" / name).expect_partial()
    for own, kept in zip(second.get_weights(), first.get_weights(), strict=True):
        np.testing.assert_array_equal(own, kept)
    with pytest.raises(CheckpointError, match="other variables"):
        keras.Sequential([keras.layers.Dense(2, input_shape=(3,))]).load_weights(tmp_path / "deep" / name)
    with pytest.raises(CheckpointError, match="nowhere"):
        first.load_weights(tmp_path / "nowhere.ckpt")


def test_checkpoints_of_epochs_are_found_again(tmp_path: Path) -> None:
    model, other = made(), made()
    model.compile("sgd", "mse")
    every = keras.callbacks.ModelCheckpoint(str(tmp_path / "cp-{epoch:04d}.ckpt"), save_weights_only=True)
    x = np.random.default_rng(0).random((4, 6, 6, 2), np.float32)
    model.fit(x, np.zeros((4, 4)), epochs=11, callbacks=[every], verbose=0)
    latest = tf.train.latest_checkpoint(tmp_path)
    assert latest == str(tmp_path / "cp-0011.ckpt")
    other.load_weights(latest)
    np.testing.assert_array_equal(other.predict(x), model.predict(x))
    model.save_weights(tmp_path / "alone" / "cp.ckpt")
    assert tf.train.latest_checkpoint(tmp_path / "alone") == str(tmp_path / "alone" / "cp.ckpt")


def test_a_layers_weights_are_arrays_and_variables() -> None:
    conv = made().layers[0]
    kernel, bias = conv.weights
    assert (kernel.name, bias.name, kernel.trainable) == ("kernel", "bias", True)
    assert type(kernel.numpy()) is np.ndarray and not np.shares_memory(kernel.numpy(), kernel)
    with pytest.raises(ValueError, match="read-only"):
        kernel[0] = 1
    kernel.assign(np.ones(kernel.shape))
    np.testing.assert_array_equal(conv.kernel.numpy(), np.ones((3, 3, 2, 3)))
    assert kernel.numpy().sum() == 54
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(conv(np.ones((1, 6, 6, 2), np.float32)) ** 2)
    assert [d.shape for d in tape.gradient(loss, conv.weights)] == [(3, 3, 2, 3), (3,)]


def test_a_row_that_is_built_keeps_its_shape() -> None:
    model = made()
    with pytest.warns(UserWarning, match="changes nothing"):
        model.build((None, 72))
    model.build((None, 6, 6, 2))
    assert model.input_shape == (None, 6, 6, 2)


def test_files_by_tensorflows_names(tmp_path: Path) -> None:
    gfile = tf.io.gfile
    gfile.makedirs(tmp_path / "a" / "b")
    with gfile.GFile(tmp_path / "a" / "x.txt", "w") as file:
        file.write("x")
    gfile.copy(tmp_path / "a" / "x.txt", tmp_path / "y.txt")
    with pytest.raises(FileExistsError, match="overwrite"):
        gfile.rename(tmp_path / "y.txt", tmp_path / "a" / "x.txt")
    assert gfile.glob(str(tmp_path / "*.txt")) == [str(tmp_path / "y.txt")]
    assert gfile.exists(tmp_path / "a") and gfile.isdir(tmp_path / "a")


def test_batches_behind_one_another_and_sizes_of_tensors() -> None:
    x = tf.ones((2, 3))
    assert keras.layers.Concatenate(axis=0)([x, x]).shape.as_list() == [4, 3]
    assert (x.shape.rank, x.shape.num_elements(), x.shape) == (2, 6, (2, 3))
    assert isinstance(keras.layers.Concatenate(), keras.layers.Concatenate)


def test_masks_between_classes_are_cut_as_in_keras() -> None:
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 1)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    x, masks = np.ones((2, 4, 4, 1), np.float32), np.full((2, 4, 4, 1), 1.9375, np.float32)
    with pytest.warns(UserWarning, match=r"1\.9375 are cut"):
        between = model.evaluate(x, masks, verbose=0)
    assert between == model.evaluate(x, np.ones((2, 4, 4, 1)), verbose=0)
