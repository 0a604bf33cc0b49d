"""What programs of Keras before 3 write: old modules, TensorFlow's sessions, callbacks, what was frozen when."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid._keras_modules import OLDER
from pellucid.errors import ConfigError, DivergedError
from pellucid.keras import backend as K
from pellucid.keras import layers
from pellucid.layers import AlphaDropout

X = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
Y = (X[:, 0] > 0).astype(int)


def small(**said: Any) -> keras.Sequential:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(2, activation="softmax")])
    model.compile(**{"optimizer": "sgd", "loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **said})
    return model


@pytest.mark.parametrize("name", OLDER)
def test_modules_of_before_are_those_of_today(name: str) -> None:
    assert importlib.import_module(f"pellucid.keras.{name}") is importlib.import_module(f"pellucid.keras.{OLDER[name]}")


def test_names_and_arguments_of_before_where_they_were() -> None:
    engine = importlib.import_module("pellucid.keras.engine")
    assert engine.Model is keras.Model and engine.Input is keras.models.Input is keras.Input
    assert engine.Layer is layers.Layer and isinstance(keras.tensorflow.constant(1.0), keras.tensorflow.Tensor)
    np.testing.assert_allclose(keras.activations.relu(np.float32([-2, 3]), alpha=0.5), [-1, 3])
    assert layers.Attention(causal=True).use_causal_mask


def test_sessions_are_taken_and_run_nothing() -> None:
    v1 = importlib.import_module("pellucid.keras.tensorflow.compat.v1")
    config = v1.ConfigProto()
    config.gpu_options.allow_growth = True
    with v1.Session(config=config) as session:
        K.set_session(session)
        session.run(v1.global_variables_initializer())
        with pytest.raises(ConfigError, match="graphs of TensorFlow 1"):
            session.run("y")
    assert v1.float32 is np.float32 and K.backend() == "tensorflow"


@pytest.mark.parametrize("what", ["floatx", "epsilon", "image_data_format", "image_dim_ordering", "learning_phase"])
def test_settings_of_the_backend_are_what_they_are(what: str) -> None:
    getattr(K, f"set_{what}")(getattr(K, what)())
    with pytest.raises(ConfigError, match=f"set_{what}"):
        getattr(K, f"set_{what}")("other")


class Heard(keras.callbacks.Callback):
    def __init__(self) -> None:
        self.moments: list[Any] = []

    def on_test_begin(self, logs: Any = None) -> None:
        self.moments.append("test")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.moments.append((batch, logs["loss"]))

    def on_test_end(self, logs: Any = None) -> None:
        self.moments.append(logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.moments.append(logs["outputs"])


def test_callbacks_hear_of_evaluate_and_predict() -> None:
    model, heard = small(), Heard()
    judged = model.evaluate(X, Y, batch_size=16, verbose=0, callbacks=[heard], return_dict=True)
    assert heard.moments[0] == "test" and heard.moments[-1] == judged
    assert [batch for batch, _ in heard.moments[1:-1]] == [0, 1, 2]
    assert heard.moments[-2][1] == pytest.approx(judged["loss"], rel=1e-6)
    with pytest.raises(ConfigError, match="on_batch is what callbacks are told by"):
        model.evaluate(X, Y, verbose=0, callbacks=[heard], on_batch=print)
    heard.moments.clear()
    answers = model.predict(X, batch_size=16, callbacks=[heard], verbose=0)
    assert np.array_equal(np.concatenate(heard.moments), answers) and len(heard.moments) == 3


def test_a_loss_that_is_no_number_ends_training_as_asked(capsys: pytest.CaptureFixture[str]) -> None:
    broken = np.where(np.arange(40)[:, None] == 39, np.nan, X)
    with pytest.raises(DivergedError):
        small().fit(broken, Y, verbose=0, epochs=3)
    history = small().fit(broken, Y, verbose=0, epochs=3, callbacks=[keras.callbacks.TerminateOnNaN()])
    assert len(history.epoch) < 3 and "nan" in capsys.readouterr().out


def test_a_history_answers_by_both_names_of_the_accuracy() -> None:
    history = small(metrics=["acc"]).fit(X, Y, epochs=2, verbose=0, validation_split=0.25)
    assert history.history["val_accuracy"] == history.history["val_acc"] and "val_accuracy" not in history.history
    assert history.params == {"verbose": 0, "epochs": 2, "steps": 1}
    with pytest.raises(KeyError):
        history.history["precision"]


def test_what_was_frozen_when_it_was_compiled_counts() -> None:
    judge = small()
    maker = keras.Sequential([keras.Input((3,)), layers.Dense(5)])
    judge.trainable = False
    inputs = keras.Input((3,))
    both = keras.Model(inputs, judge(maker(inputs)))
    both.compile("sgd", "sparse_categorical_crossentropy")
    before = [model.get_weights() for model in (judge, maker)]
    both.train_on_batch(X[:, :3], Y)
    assert np.array_equal(judge.get_weights()[0], before[0][0])
    assert not np.array_equal(maker.get_weights()[0], before[1][0])
    judge.train_on_batch(X, Y)
    assert not np.array_equal(judge.get_weights()[0], before[0][0]) and not judge.layers[0].trainable


def test_rates_are_scheduled_beside_the_decay_of_older_optimizers() -> None:
    scheduled = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
    history = small(optimizer=keras.optimizers.SGD(lr=1, decay=0.1)).fit(
        X, Y, batch_size=20, epochs=3, verbose=0, callbacks=[scheduled]
    )
    last = [0.5**epoch / (1 + 0.1 * (2 * epoch + 1)) for epoch in range(3)]
    assert history.history["learning_rate"] == pytest.approx(last)


def test_a_generator_writes_what_it_makes(tmp_path: Path) -> None:
    batches = keras.preprocessing.image.ImageDataGenerator().flow(
        np.zeros((3, 4, 4, 1)), batch_size=2, shuffle=False, save_to_dir=tmp_path, save_prefix="x", save_format="jpeg"
    )
    next(batches)
    assert sorted(path.name.rsplit("_", 1)[0] for path in tmp_path.iterdir()) == ["x_0", "x_1"]
    assert all(path.suffix == ".jpeg" for path in tmp_path.iterdir())


def test_weights_under_an_older_name(tmp_path: Path) -> None:
    model, other = small(), small()
    model.save_weights(tmp_path / "weights.h5")
    other.load_weights(tmp_path / "weights.h5")
    assert np.array_equal(other.get_weights()[0], model.get_weights()[0])


def test_tensorboard_says_what_it_does_not_write(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    with pytest.warns(UserWarning, match="write_images"):
        keras.callbacks.TensorBoard(tmp_path, write_images=True)
    with pytest.raises(ConfigError, match="unknown argument of TensorBoard: 'nothing'"):
        keras.callbacks.TensorBoard(tmp_path, nothing=1)  # type: ignore[call-arg]


def test_alpha_dropout_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    x = np.full((4000,), 0.7, np.float32)
    layer = AlphaDropout(0.3)
    y, cache = layer.forward(x[None], training=True, key=(0, 0, 0))
    theirs = torch.nn.functional.alpha_dropout(torch.tensor(x), 0.3, training=True).unique().numpy()
    assert np.allclose(np.unique(y), theirs, atol=1e-6) and np.isclose((y == y.min()).mean(), 0.3, atol=0.03)
    dx, _ = layer.backward(np.ones_like(y), cache)
    step = layer.forward(x[None] + 1, training=True, key=(0, 0, 0))[0] - y  # a line, so that its slope is the gradient
    assert dx is not None and np.allclose(dx, step, atol=1e-5)


def test_shapes_of_values_as_older_programs_ask_for_them() -> None:
    value = layers.Conv2D(3, 3)(keras.Input((8, None, 2)))
    assert value.get_shape().as_list() == [None, 6, None, 3] and value._keras_shape == value.shape == K.int_shape(value)


def test_a_checkpoint_is_written_after_every_second_epoch(tmp_path: Path) -> None:
    kept = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.h5", period=2)
    small().fit(X, Y, epochs=5, verbose=0, callbacks=[kept])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.h5", "4.h5"]


def test_kernels_of_their_own_at_each_place_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2)
    x, kernel = rng.normal(size=(3, 9, 2)).astype(np.float32), rng.normal(size=(4, 6, 5)).astype(np.float32)
    given = torch.tensor(x.transpose(0, 2, 1))
    wanted = [
        torch.conv1d(given, torch.tensor(each.reshape(3, 2, 5).transpose(2, 1, 0).copy()), stride=2)[:, :, place]
        for place, each in enumerate(kernel)
    ]
    wanted = torch.stack(wanted, 1).numpy()
    np.testing.assert_allclose(K.local_conv1d(x, kernel, [3], [2]), wanted, rtol=1e-5, atol=1e-5)
    source = keras.Input((9, 2))
    model = keras.Model(source, K.local_conv1d(source, kernel, (3,), (2,)))
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-5, atol=1e-5)


def test_numbers_are_float32() -> None:
    keras.mixed_precision.set_global_policy("float32")
    keras.mixed_precision.set_global_policy(keras.mixed_precision.Policy("float32"))
    assert keras.mixed_precision.global_policy().compute_dtype == "float32"
    for refused in (keras.mixed_precision.set_global_policy, keras.mixed_precision.Policy):
        with pytest.raises(ConfigError, match=r"'mixed_float16' is not here: .*precision=.bfloat16"):
            refused("mixed_float16")
    with pytest.raises(ConfigError, match="give the optimizer itself"):
        keras.mixed_precision.LossScaleOptimizer(keras.optimizers.SGD())


def test_elements_one_by_one() -> None:
    data = keras.tensorflow.data.Dataset.range(3)
    for iterator in (iter(data), data.make_one_shot_iterator()):
        assert [int(iterator.get_next()), int(next(iterator)), int(iterator.get_next())] == [0, 1, 2]
        with pytest.raises(keras.tensorflow.errors.OutOfRangeError):
            iterator.get_next()


def test_an_input_that_holds_numbers_is_refused() -> None:
    assert keras.Input((5,), sparse=False, tensor=None).shape == (None, 5)
    with pytest.raises(ConfigError, match=r"tensor.*give arrays"):
        keras.Input(tensor=X)
    with pytest.raises(ConfigError, match=r"tensor.*give arrays"):
        keras.Input((5,), tensor=X)
