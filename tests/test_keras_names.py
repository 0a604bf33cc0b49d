"""Small functions that Keras has beside layers: of batches, of series, of random numbers, of types."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import keras as ours
from pellucid.errors import ConfigError, DataError

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

RNG = np.random.default_rng(4)
ROWS = [RNG.normal(size=(4, 6)).astype(np.float32) for _ in range(2)]
WORDS, SCORES = np.array([[1, 2, 0], [3, 3, 1]]), RNG.normal(size=(2, 8, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        ("losses.ctc", (WORDS, SCORES)),
        ("metrics.pearson_correlation", (*ROWS, 0)),
        ("metrics.concordance_correlation", tuple(ROWS)),
    ],
)
def test_numbers_are_kerass(path: str, arguments: tuple[Any, ...]) -> None:
    module, name = path.split(".")
    found, wanted = (getattr(getattr(each, module), name)(*arguments) for each in (ours, keras))
    np.testing.assert_allclose(found, wanted, rtol=2e-5)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        *(("utils.pack_x_y_sample_weight", given) for given in ((1,), ([1],), (1, 2), (1, 2, 3))),
        *(("utils.unpack_x_y_sample_weight", (given,)) for given in (1, (1,), [1, 2], (1, 2, 3))),
        *(("backend.standardize_dtype", (given,)) for given in (None, "float32", "int32", np.uint8)),
        *(("backend.is_float_dtype", (given,)) for given in ("float32", "int32")),
        *(("backend.is_int_dtype", (given,)) for given in ("float32", "uint8")),
    ],
)
def test_answers_are_kerass(path: str, arguments: tuple[Any, ...]) -> None:
    module, name = path.split(".")
    found, wanted = (getattr(getattr(each, module), name)(*arguments) for each in (ours, keras))
    assert found == wanted and type(found) is type(wanted)


def test_more_than_three_parts_are_no_batch() -> None:
    with pytest.raises(ConfigError, match="got 4 parts"):
        ours.utils.unpack_x_y_sample_weight((1, 2, 3, 4))


def test_windows_of_a_series() -> None:
    """The example of Keras's page: windows of ten of every second number, a target behind each."""
    numbers = np.arange(100)
    made = ours.utils.timeseries_dataset_from_array(
        numbers[:-19], numbers[19:], 10, sequence_stride=3, sampling_rate=2, batch_size=None
    )
    windows = [(np.asarray(window), int(target)) for window, target in made]
    assert windows[0][0].tolist() == list(range(0, 20, 2)) and windows[0][1] == 19
    assert windows[1][0].tolist() == list(range(3, 23, 2)) and len(windows) == 21
    alone = ours.utils.timeseries_dataset_from_array(numbers, None, 10, batch_size=4, start_index=5, end_index=20)
    assert [np.shape(each) for each in alone] == [(4, 10), (2, 10)]
    assert np.asarray(next(iter(alone)))[0, 0] == 5
    with pytest.raises(DataError, match="hold no window of 200"):
        ours.utils.timeseries_dataset_from_array(numbers, None, 200)


def test_drawn_numbers_have_their_means() -> None:
    drawn = {
        "beta": ours.random.beta((4000,), 2.0, 6.0, seed=1),
        "binomial": ours.random.binomial((4000,), 8, 0.25, seed=1),
        "gamma": ours.random.gamma((4000,), 3.0, seed=1),
    }
    means, spreads = {"beta": 0.25, "binomial": 2.0, "gamma": 3.0}, {"beta": 0.1443, "binomial": 1.2247, "gamma": 1.732}
    for name, numbers in drawn.items():
        assert abs(float(np.mean(numbers)) - means[name]) < 4 * spreads[name] / 4000**0.5
        assert float(np.std(numbers)) == pytest.approx(spreads[name], rel=0.05)


def test_weights_by_functions(tmp_path: Path) -> None:
    model, other = (ours.Sequential([ours.Input((3,)), ours.layers.Dense(2)]) for _ in range(2))
    model.set_weights([np.ones((3, 2)), np.arange(2.0)])
    ours.saving.save_weights(model, tmp_path / "w.weights.h5")
    ours.saving.load_weights(other, tmp_path / "w.weights.h5")
    np.testing.assert_array_equal(other.get_weights()[0], np.ones((3, 2)))
    assert ours.utils.is_keras_tensor(model.outputs[0]) and not ours.utils.is_keras_tensor(ROWS[0])


def test_numpys_functions_give_tensors() -> None:
    """A program that turns TensorFlow's NumPy on, with a gradient through it."""
    tnp, tf = ours.tensorflow.experimental.numpy, ours.tensorflow
    tnp.experimental_enable_numpy_behavior()
    halves = tf.concat([tnp.ones([4, 2]) * 10, tnp.zeros([4, 2])], axis=1)
    noise = tnp.random.randn(4 * 4).reshape(4, 4)
    assert halves.numpy().sum() == 80 and (halves + noise).reshape(1, 4, 4, 1).shape == (1, 4, 4, 1)
    assert [part.shape for part in tnp.split(halves, 2)] == [(2, 4), (2, 4)] and tnp.pi == np.pi
    variable = tf.Variable(ROWS[0])
    with tf.GradientTape() as tape:
        loss = tnp.sum(tnp.tanh(variable))
    np.testing.assert_allclose(tape.gradient(loss, variable), 1 - np.tanh(ROWS[0]) ** 2, rtol=1e-5)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = tnp.nothing
