"""Sequential with Keras's habits: how it is built, what it takes, and what it refuses."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from small_model import fit, pictures, small

from pellucid import layers as L
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.model import Sequential

RNG = np.random.default_rng(3)


def test_a_keras_program_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    from pellucid import Conv2D, Dense, Dropout, Flatten, MaxPooling2D

    model = Sequential()
    model.add(Conv2D(4, (3, 3), activation="relu", input_shape=(12, 10, 1)))
    model.add(MaxPooling2D((2, 2)))
    model.add(Dropout(0.25))
    model.add(Flatten())
    model.add(Dense(3, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y = RNG.integers(0, 256, (20, 12, 10), np.uint8), np.arange(20) % 3
    history = model.fit(x, y, 8, 2, 0, None, 0.25)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
    assert all(len(values) == 2 for values in history.history.values())
    loss, accuracy = model.evaluate(x, y, 8, 0)
    result = model.evaluate(x, y, verbose=0)
    assert (result["loss"], result["accuracy"]) == pytest.approx((loss, accuracy), rel=1e-6)
    assert len(result) == 2 and "accuracy" in result and dict(result) == {"loss": result[0], "accuracy": result[1]}
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        result["acuracy"]
    predictions = model.predict(x)
    assert predictions.shape == (20, 3) and predictions.dtype == np.float32
    np.testing.assert_allclose(predictions.sum(axis=1), 1, rtol=1e-5)
    assert accuracy == pytest.approx(np.mean(predictions.argmax(axis=1) == y))
    model.summary()
    printed = capsys.readouterr().out
    assert [layer.name for layer in model.layers] == ["conv2d", "max_pool2d", "dropout", "flatten", "dense"]
    assert "conv2d" in printed and f"{model.count_params():,}" in printed


def test_weights_are_keras_lists() -> None:
    model = small()
    shapes = [w.shape for w in model.get_weights()]
    assert shapes == [(3, 2, 2, 4), (4,), (16, 7), (7,), (7, 3), (3,)]
    assert model.count_params() == sum(int(np.prod(shape)) for shape in shapes)
    new = [RNG.normal(size=shape) for shape in shapes]
    before = model.version
    model.set_weights(new)
    assert model.version > before
    for mine, given in zip(model.weights, new, strict=True):
        np.testing.assert_array_equal(mine, given.astype(np.float32))
        assert not mine.flags.writeable
    assert model.get_layer("hidden") is model.get_layer(index=3) is model.layers[3]
    with pytest.raises(ConfigError, match="did you mean 'hidden'"):
        model.get_layer("hiden")
    with pytest.raises(ConfigError, match="5 layers, no layer 9"):
        model.get_layer(index=9)


def test_set_weights_writes_all_or_nothing() -> None:
    model = small()
    before = model.get_weights()
    wrong = [np.zeros_like(w) for w in before]
    wrong[-1] = np.zeros(4)
    with pytest.raises(ShapeError, match=r"'out'.*bias must have shape \(3,\), got \(4,\)"):
        model.set_weights(wrong)
    with pytest.raises(ShapeError, match="6 weight arrays, got 5"):
        model.set_weights(wrong[:-1])
    for now, then in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("name", [None, "net"])
def test_names_and_seed(name: str | None) -> None:
    model = Sequential([L.Dense(2, input_shape=(3,)), L.Dense(2), L.Dense(2, name="last")], name)
    assert model.name == (name or "sequential")
    assert [layer.name for layer in model.layers] == ["dense", "dense_1", "last"]
    with pytest.raises(ConfigError, match="has a layer 'last' already"):
        model.add(L.Dense(2, name="last"))
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        Sequential(seed=-1)
    same, other = small(4).get_weights(), small(5).get_weights()
    np.testing.assert_array_equal(same[0], small(4).get_weights()[0])
    assert np.any(same[0] != other[0])


def test_input_shape_from_build_from_data_and_from_input() -> None:
    def parts() -> list[L.Layer]:
        return [L.Conv2D(2, 3), L.Flatten(), L.Dense(2)]

    late = Sequential(parts())
    assert not late.built and late.weights == []
    with pytest.raises(ConfigError, match="does not know its input's shape"):
        late.count_params()
    with pytest.raises(ShapeError, match="at least 3x3"):
        late.build((None, 2, 2, 1))
    late.build((None, 6, 5, 1))
    assert late.input_shape == (6, 5, 1) and late.output_shape == (2,)
    from_data = Sequential(parts())
    assert from_data.predict(np.zeros((3, 6, 5), np.uint8)).shape == (3, 2)
    assert from_data.input_shape == (6, 5, 1)
    called = Sequential(parts())
    assert called(np.zeros((3, 6, 5, 1))).dtype == np.float32
    with_input = Sequential([L.Input((6, 5, 1)), *parts()])
    assert with_input.built and len(with_input.layers) == 3
    series = Sequential([L.Conv1D(2, 3), L.Flatten(), L.Dense(2)])
    assert series.predict(np.zeros((4, 9, 5), np.float32)).shape == (4, 2)
    assert series.input_shape == (9, 5)
    with pytest.raises(ShapeError, match="first layer says"):
        Sequential([L.Input((6, 5, 1)), L.Conv2D(2, 3, input_shape=(5, 6, 1))])


def test_a_layer_that_does_not_fit_is_not_added_and_may_go_elsewhere() -> None:
    model = Sequential([L.Input((4, 4, 1)), L.Conv2D(2, 3)])
    layer = L.Conv2D(2, 3)
    with pytest.raises(ShapeError):
        model.add(layer)
    assert len(model.layers) == 1 and layer.position is None and layer.owner is None
    assert Sequential([L.Input((9, 9, 1)), layer]).output_shape == (7, 7, 2)
    fresh = Sequential()
    with pytest.raises(ShapeError):
        fresh.add(L.Conv2D(2, 3, input_shape=(2, 2, 1)))
    fresh.add(L.Conv2D(2, 3, input_shape=(8, 8, 1)))
    assert fresh.input_shape == (8, 8, 1)


def test_a_layer_has_one_owner() -> None:
    layer = L.Dense(2)
    model = Sequential([L.Input((3,)), layer], name="first")
    with pytest.raises(ConfigError, match="belongs to the model 'first'"):
        Sequential([L.Input((3,)), layer])
    with pytest.raises(ConfigError, match="first has the layer 'dense' already"):
        model.add(layer)
    kernel = layer.get_weights()[0]
    assert model.pop() is layer
    second = Sequential([L.Input((3,)), layer])
    np.testing.assert_array_equal(second.weights[0], kernel)
    del second
    gc.collect()
    assert Sequential([L.Input((3,)), layer]).built
    with pytest.raises(ConfigError, match="no layers to pop"):
        Sequential().pop()


def test_a_built_layer_is_copied_in_and_its_arrays_rebound() -> None:
    layer = L.Dense(2)
    layer(np.zeros((1, 3)))
    kernel = np.arange(6.0).reshape(3, 2)
    layer.set_weights([kernel, [1, 2]])
    model = Sequential([L.Input((3,)), layer])
    np.testing.assert_array_equal(model.predict(np.eye(3)), kernel + np.array([1, 2]))
    assert np.shares_memory(layer.params["kernel"], model.parameters.vector)
    layer.set_weights([kernel * 2, [0, 0]])
    np.testing.assert_array_equal(model.predict(np.eye(3)), kernel * 2)


def test_version_only_grows() -> None:
    model, (x, y) = small(), pictures()
    seen = [model.version]

    def grew() -> None:
        assert model.version > seen[-1]
        seen.append(model.version)

    model.compile("sgd", "categorical_crossentropy")
    for _ in range(2):  # the first lays the parameters out, too
        fit(model, x, y)
        grew()
    model.set_weights(model.get_weights())
    grew()
    model.layers[0].set_weights(model.layers[0].get_weights())
    grew()
    last = model.pop()
    grew()
    model.add(last)
    grew()


# Input and scaling


def test_bytes_are_scaled_by_fit_evaluate_and_predict_and_floats_never() -> None:
    as_bytes = RNG.integers(0, 256, (12, 6, 5, 2), np.uint8)
    as_floats = (as_bytes * np.float32(1 / 255)).astype(np.float32)
    y = np.arange(12) % 3
    one, two = small(), small()
    for model in (one, two):
        model.compile("sgd", "categorical_crossentropy")
    fit(one, as_bytes, y, batch_size=5)
    fit(two, as_floats, y, batch_size=5)
    for a, b in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one.predict(as_bytes), one.predict(as_floats), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(one(as_floats), one.predict(as_bytes), rtol=1e-4, atol=1e-5)
    assert tuple(one.evaluate(as_bytes, y, verbose=0)) == pytest.approx(
        tuple(one.evaluate(as_floats, y, verbose=0)), rel=1e-5
    )
    np.testing.assert_array_equal(one(as_bytes), one(as_bytes.astype(np.float32)))
    assert np.abs(one(as_bytes) - one.predict(as_bytes)).max() > 1e-3


def test_mean_and_deviation_of_the_model_are_applied_to_bytes() -> None:
    from pellucid.datasets.transforms import Preprocessing

    model = small()
    model.preprocessing = Preprocessing(mean=(0.2, 0.4), std=(0.5, 0.25))
    x = RNG.integers(0, 256, (4, 6, 5, 2), np.uint8)
    by_hand = (x / 255 - [0.2, 0.4]) / [0.5, 0.25]
    np.testing.assert_allclose(model.predict(x), model(by_hand), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [np.float64, bool, np.float16])
def test_any_real_numbers_are_taken_as_they_are(kind: type) -> None:
    model, x = small(), RNG.integers(0, 2, (3, 6, 5, 2)).astype(kind)
    np.testing.assert_array_equal(model.predict(x), model.predict(x.astype(np.float32)))
    np.testing.assert_array_equal(model.predict(x.tolist()), model.predict(x))
    np.testing.assert_array_equal(model.predict(x[::-1]), model.predict(x)[::-1])


def test_wrong_pictures_are_named() -> None:
    model, (x, _) = small(), pictures(4)
    for bad, message in [
        (x[0], "add the batch axis"),
        (x[..., :1], "convert them to 2 channels"),
        (x.transpose(0, 3, 1, 2), r"transpose\(0, 2, 3, 1\)"),
        (x[:, :5], "resize them"),
    ]:
        with pytest.raises(ShapeError, match=message):
            model.predict(bad)
    with pytest.raises(DataError, match="real numbers"):
        model.predict(x.astype(complex))
    with pytest.raises(DataError, match="all rows of one size"):
        model.predict([x[0], x[0, :3]])
    assert model.predict(x[:0]).shape == (0, 3)
    model.compile()
    for use in (model.fit, model.evaluate):
        with pytest.raises(DataError, match="no pictures"):
            use(x[:0], np.zeros(0, int))


def test_floats_of_another_range_than_in_training_are_noticed() -> None:
    model, (x, y) = small(), pictures()
    model.compile("sgd", "categorical_crossentropy")
    x = np.clip(x, 0, 1)
    fit(model, x, y)
    model.predict(x)
    with pytest.warns(UserWarning, match=r"trained on values from 0 to 1.*hold 0 to 255"):
        model.predict(x * 255)
    with pytest.warns(UserWarning, match="trained on values"):
        model.evaluate(x * 255, y, verbose=0)
    after_bytes = small()
    after_bytes.compile("sgd", "categorical_crossentropy")
    fit(after_bytes, (x * 255).astype(np.uint8), y)
    after_bytes.predict(x)
    with pytest.warns(UserWarning, match="trained on values"):
        after_bytes.predict(x * 255)
