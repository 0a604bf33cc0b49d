"""Models of pellucid.keras: layers and models in several models, `call`, any size of picture, weights and configs."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError
from pellucid.keras import layers

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (24, 8, 8, 1)).astype(np.uint8)
FLOATS = BYTES / np.float32(255)
LABELS = RNG.integers(0, 3, 24)


def small(**said: Any) -> keras.Sequential:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax", name="scores"),
        ],
        **said,
    )


def fitted(model: keras.Model, x: Any = FLOATS, y: Any = LABELS, loss: str = "sparse_categorical_crossentropy") -> Any:
    model.compile("adam", loss)
    model.fit(x, y, epochs=1, verbose=0)
    return model


def test_pictures_come_as_they_are_and_a_layer_scales_them() -> None:
    model = small()
    np.testing.assert_array_equal(model.predict(BYTES, verbose=0), model.predict(BYTES.astype(np.float32), verbose=0))
    scaled = keras.Sequential([layers.Rescaling(1 / 255, input_shape=(8, 8, 1)), layers.Flatten()])
    np.testing.assert_allclose(scaled.predict(BYTES, verbose=0), FLOATS.reshape(24, -1), rtol=1e-6)
    assert scaled(BYTES).numpy().shape == (24, 64)


def test_a_model_ends_at_a_layer_of_another_and_follows_its_training() -> None:
    model = small()
    features = keras.Model(inputs=model.inputs, outputs=[layer.output for layer in model.layers[:2]])
    seen = features.predict(FLOATS, verbose=0)
    assert [each.shape for each in seen] == [(24, 6, 6, 4)] * 2
    assert model.layers[1].input.shape == (None, 6, 6, 4) and model.output.shape == (None, 3)
    fitted(model)
    after = features.predict(FLOATS, verbose=0)
    np.testing.assert_allclose(after[0], layers.Conv2D.__call__(model.layers[0], FLOATS), atol=1e-6)
    assert np.abs(after[0] - seen[0]).max() > 0


def test_models_stand_in_a_model_and_learn_there() -> None:
    inputs = keras.Input((8, 8, 1))
    encoder = keras.Model(inputs, layers.Conv2D(4, 3, strides=2, padding="same")(inputs), name="encoder")
    codes = keras.Input((4, 4, 4))
    decoder = keras.Model(codes, layers.Conv2DTranspose(1, 2, strides=2)(codes), name="decoder")
    whole = keras.Input((8, 8, 1))
    autoencoder = keras.Model(whole, decoder(encoder(whole)))
    for _ in range(2):  # whose the weights are, goes back and forth
        fitted(autoencoder, y=FLOATS, loss="mse")
        once = decoder.predict(encoder.predict(FLOATS, verbose=0), verbose=0)
        np.testing.assert_allclose(autoencoder.predict(FLOATS, verbose=0), once, atol=1e-6)
    row = keras.Sequential([encoder, layers.Flatten(), layers.Dense(3)])
    assert [type(layer).__name__ for layer in row.layers] == ["Functional", "Flatten", "Dense"]
    assert row.layers[0] is encoder


def test_what_is_frozen_stays_so_and_batch_norm_called_for_use_too() -> None:
    base = keras.Sequential([layers.Conv2D(4, 3, input_shape=(8, 8, 1)), layers.BatchNormalization()])
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    x = layers.GlobalAveragePooling2D()(base(inputs, training=False))
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(x))
    before = [array.copy() for array in base.weights]
    fitted(model)
    for old, new in zip(before, base.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(model.trainable_weights) == 2 and len(model.non_trainable_weights) == 6
    with pytest.warns(UserWarning, match="training=False"):
        base.trainable = True
    assert [layer.trainable for layer in base.layers] == [True, False]
    with pytest.raises(ConfigError, match="in use too"):
        layers.Dropout(0.5)(inputs, training=True)


class Own(keras.Model):
    def __init__(self, choose: bool = False) -> None:
        super().__init__()
        self.choose = choose
        self.conv, self.flat, self.relu = layers.Conv2D(4, 3), layers.Flatten(), layers.ReLU()
        self.drop, self.dense = layers.Dropout(0.5), layers.Dense(3, activation="softmax")

    def call(self, x: Any, training: Any = None) -> Any:
        x = self.relu(self.conv(x))
        if training:
            x = x * 2.0 if self.choose else self.drop(x)
        return self.dense(self.relu(self.flat(x)))


def test_a_class_of_ones_own_is_what_its_call_calls() -> None:
    model = fitted(Own())
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Conv2D", "Flatten", "ReLU", "Dropout", "Dense"]  # its attributes, as in Keras
    assert [type(layer).__name__ for layer in model.flat_layers] == [
        *("Conv2D", "ReLU", "Dropout", "Flatten", "ReLU", "Dense")
    ]
    assert model(FLOATS, training=True).shape == (24, 3)
    eager = fitted(Own(choose=True))  # no network of layers: one layer, whose gradient a tape takes
    assert [type(layer).__name__ for layer in eager.flat_layers] == ["CallOf"] and len(eager.trainable_weights) == 4
    np.testing.assert_allclose(eager.predict(FLOATS, verbose=0), eager(FLOATS), atol=1e-6)


def test_layers_made_of_layers_and_of_functions() -> None:
    class Block(layers.Layer):
        def __init__(self, filters: int, **named: Any) -> None:
            super().__init__(**named)
            self.conv = layers.Conv2D(filters, 3, padding="same")

        def call(self, x: Any) -> Any:
            return self.conv(x) + x

    model = keras.Sequential([Block(4), Block(4), layers.Lambda(lambda x: x / 2 - 1), layers.Flatten()])
    x = RNG.random((2, 5, 6, 4), np.float32)
    y = x
    assert model.predict(x, verbose=0).shape == (2, 120)
    for block in model.layers[:2]:
        y = block.conv(y) + y
    np.testing.assert_allclose(model.predict(x, verbose=0), (y / 2 - 1).reshape(2, -1), atol=1e-5)


def test_pictures_of_any_size_where_no_layer_minds() -> None:
    inputs = keras.Input((None, None, 2))
    x = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x)))
    assert model.input.shape == (None, None, None, 2) and x.shape == (None, None, None, 4)
    fitted(model, RNG.random((24, 6, 7, 2), np.float32))
    for size in ((5, 4), (9, 12)):
        x = RNG.random((3, *size, 2), np.float32)
        np.testing.assert_allclose(model.predict(x, verbose=0), model(x), atol=1e-6)


def test_single_batches_configs_and_copies() -> None:
    model = small()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    judged = model.test_on_batch(FLOATS, LABELS)
    loss, accuracy = model.train_on_batch(FLOATS, LABELS)
    assert len(judged) == 2 and loss > 0 and 0 <= accuracy <= 1
    assert model.train_on_batch(FLOATS, LABELS, return_dict=True)["loss"] < loss
    expected = model.predict(FLOATS, verbose=0)
    np.testing.assert_array_equal(model.predict_on_batch(FLOATS), expected)
    again = keras.models.model_from_json(model.to_json())
    clone = keras.models.clone_model(model)
    for other in (again, clone):
        assert [layer.config() for layer in other.layers] == [layer.config() for layer in model.layers]
        assert np.abs(other.predict(FLOATS, verbose=0) - expected).max() > 1e-3
        other.set_weights(model.get_weights())
        np.testing.assert_allclose(other.predict(FLOATS, verbose=0), expected, atol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(FLOATS, verbose=0), expected)
    assert model.layers[0].kernel.shape == (3, 3, 1, 4) and model.layers[1].moving_mean.shape == (4,)


def test_seeds_make_models_alike_and_without_they_differ() -> None:
    from pellucid.keras.seeds import set_random_seed

    made = []
    for seed in (1, 1, 2):
        set_random_seed(seed)
        made.append([small().get_weights()[0] for _ in range(2)])
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])
    assert not np.array_equal(*made[0])


def test_names_that_are_not_here_are_refused_where_they_are_used() -> None:
    from pellucid.keras.layers import Conv3D

    with pytest.raises(ConfigError, match=r"keras\.layers\.Conv3D is not here: .*2-D layer"):
        Conv3D(32, 3)
    with pytest.raises(AttributeError, match="Conv2E"):
        _ = layers.Conv2E


def test_scores_without_from_logits_are_told() -> None:
    for words, activation in (("no softmax", None), ("", "softmax")):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation=activation)])
        with pytest.warns(UserWarning, match=words) if words else contextlib.nullcontext():
            model.compile(loss="sparse_categorical_crossentropy")
        model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=activation is None))


def test_shapes_have_the_batch_axis_and_axes_left_open_as_in_keras() -> None:
    free, first = keras.Input((None, None, 3)), keras.Input((8, 8, 1))
    for model, shapes in (
        (small(), ((None, 8, 8, 1), (None, 3))),
        (keras.Model(free, layers.Conv2D(4, 3)(free)), ((None, None, None, 3), (None, None, None, 4))),
        (
            keras.Model([first, other := keras.Input((5,))], [layers.Flatten()(first), layers.Dense(2)(other)]),
            ([(None, 8, 8, 1), (None, 5)], [(None, 64), (None, 2)]),
        ),
    ):
        assert (model.input_shape, model.output_shape) == shapes
    assert small().output_shape[1:] == (3,) and layers.Flatten(input_shape=(4, 4, 2)).input_shape == (4, 4, 2)


def test_all_layers_outputs_are_asked_for_with_the_input_among_them() -> None:
    pictures = keras.Input((8, 8, 1))
    model = keras.Model(pictures, layers.Flatten()(layers.Conv2D(2, 3)(pictures)))
    seen = keras.Model(model.inputs, {layer.name: layer.output for layer in model.layers}).predict(FLOATS, verbose=0)
    assert list(seen) == [layer.name for layer in model.layers] and len(seen) == 3
    first, _, last = seen.values()
    np.testing.assert_array_equal(first, FLOATS)
    np.testing.assert_allclose(last, model.predict(FLOATS, verbose=0), atol=1e-6)


class Reshaping(keras.Model):
    """A `call` with an argument of its own, that makes pictures of whatever comes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.dense = layers.Conv2D(2, 3), layers.Dense(3)

    def call(self, x: Any, is_training: bool = False) -> Any:
        scores = self.dense(layers.Flatten()(self.conv(keras.ops.reshape(x, (-1, 8, 8, 1)))))
        return scores if is_training else keras.ops.softmax(scores)


def test_a_call_of_ones_own_takes_arguments_and_other_shapes() -> None:
    model = Reshaping()
    shares = np.asarray(model(FLOATS))
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(model(FLOATS[..., 0]), shares, atol=1e-6)
    scores = np.asarray(model(FLOATS, is_training=True))
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(-1, keepdims=True), shares, atol=1e-5)
    with pytest.raises(ConfigError, match=r"takes x, training and mask, got .*is_training"):
        small()(FLOATS, is_training=True)


def test_registered_classes_are_found_without_custom_objects() -> None:
    @keras.saving.register_keras_serializable(package="own", name="Twice")
    class Doubling(layers.Layer):
        def call(self, x: Any) -> Any:
            return 2 * x

    assert isinstance(layers.deserialize({"class_name": "Twice", "config": {"name": "two"}}), Doubling)
    assert keras.utils.get_registered_name(Doubling) == "own>Twice"
    with keras.utils.custom_object_scope({"Within": Doubling}):
        assert keras.utils.get_registered_object("Within") is Doubling
    assert keras.utils.get_registered_object("Within") is None


def test_initializers_draw_without_a_generator() -> None:
    draw = keras.initializers.RandomNormal(stddev=2.0)
    drawn = np.asarray([draw((400,)), draw(shape=[400], dtype="float32")])
    assert drawn.dtype == np.float32 and not np.array_equal(*drawn) and abs(drawn.std() - 2) < 0.3
    assert np.array_equal(keras.initializers.get("zeros")((2, 3)), np.zeros((2, 3)))


def test_a_model_is_drawn_without_graphviz() -> None:
    assert keras.utils.model_to_dot(small(), show_shapes=True).create(prog="dot", format="svg").startswith(b"<?xml")
