"""Networks as Keras's programs write them, each a function of the module `keras`, to be made by ours and by Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

NETWORKS: dict[str, Callable[[Any], Any]] = {}


def network(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    NETWORKS[make.__name__] = make
    return make


def small(keras: Any, name: str | None = None) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = L.Conv2D(4, 3, activation="relu")(inputs)
    return keras.Model(inputs, L.BatchNormalization()(x), name=name)


@network
def row(keras: Any) -> Any:
    L = keras.layers
    return keras.Sequential(
        [keras.Input((8, 8, 1)), L.Conv2D(4, 3), L.Conv2D(4, 3, name="last"), L.MaxPooling2D(), L.Flatten(), L.Dense(3)]
    )


@network
def row_by_add(keras: Any) -> Any:
    L, model = keras.layers, keras.Sequential(name="digits")
    for layer in (
        L.InputLayer((8, 8, 1)),
        L.Conv2D(4, 3),
        L.ReLU(),
        L.LeakyReLU(),
        L.GlobalAveragePooling2D(),
        L.Dense(2),
    ):
        model.add(layer)
    return model


@network
def row_popped(keras: Any) -> Any:
    model = row(keras)
    model.pop()
    model.add(keras.layers.Dense(7))
    return model


@network
def row_built_later(keras: Any) -> Any:
    L = keras.layers
    model = keras.Sequential([L.Rescaling(1 / 255), L.Conv2D(4, 3), L.Flatten(), L.Dense(2)])
    model.build((None, 8, 8, 1))
    return model


@network
def functional(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = L.Dropout(0.5)(L.Flatten()(L.MaxPool2D()(L.Conv2D(4, 3, activation="relu")(inputs))))
    return keras.Model(inputs, L.Dense(3, activation="softmax")(x))


@network
def written_inside_out(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 1), name="image")
    return keras.Model(inputs=inputs, outputs=L.Conv2D(2, 1)(L.Conv2D(4, 3)(L.Conv2D(3, 3)(inputs))), name="net")


@network
def residual(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 4))
    x = L.BatchNormalization()(L.Conv2D(4, 3, padding="same")(inputs))
    short = L.Conv2D(4, 1)(inputs)
    return keras.Model(inputs, L.Activation("relu")(L.Add()([x, short])))


@network
def branches(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 2))
    one = L.Conv2D(2, 1)(inputs)
    three = L.Conv2D(2, 3, padding="same")(L.Conv2D(2, 1)(inputs))
    pooled = L.Conv2D(2, 1)(L.MaxPooling2D(3, strides=1, padding="same")(inputs))
    return keras.Model(inputs, L.Flatten()(L.Concatenate()([one, three, pooled])))


@network
def arithmetic(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 2))
    x = L.Conv2D(2, 3, padding="same")(inputs / 255.0 - 0.5)
    y = L.Add()([x + inputs, x * 2.0])
    return keras.Model(inputs, L.Flatten()(y))


@network
def two_inputs(keras: Any) -> Any:
    L = keras.layers
    picture, facts = keras.Input((8, 8, 1)), keras.Input((5,), name="facts")
    x = L.Flatten()(L.Conv2D(2, 3)(picture))
    return keras.Model([picture, facts], L.Dense(1)(L.concatenate([x, facts])))


@network
def inputs_far_apart(keras: Any) -> Any:
    L = keras.layers
    early, late = keras.Input((4,)), keras.Input((3,))
    x = L.Dense(3)(L.Dense(6)(L.Dense(5)(early)))
    return keras.Model([late, early], L.Dense(1)(L.Add()([x, L.Dense(3)(late)])))


@network
def two_outputs(keras: Any) -> Any:
    L = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = L.Flatten()(L.Conv2D(2, 3)(inputs))
    return keras.Model(inputs, [L.Dense(3, name="kind")(x), L.Dense(1)(L.Dense(4)(x))])


@network
def shared_layer(keras: Any) -> Any:
    L = keras.layers
    a, b, dense = keras.Input((4,)), keras.Input((4,)), L.Dense(3)
    other = L.Dense(2)
    return keras.Model([a, b], other(L.Subtract()([dense(a), dense(b)])))


@network
def nested(keras: Any) -> Any:
    L, base = keras.layers, small(keras)
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling2D()(base(inputs))))


@network
def nested_frozen_in_use(keras: Any) -> Any:
    L, base = keras.layers, small(keras, "base")
    base.trainable = False
    inputs = keras.Input((8, 8, 1))
    x = L.Dropout(0.2)(L.GlobalMaxPooling2D()(base(inputs, training=False)))
    return keras.Model(inputs, L.Dense(2)(x))


@network
def nested_in_row(keras: Any) -> Any:
    L = keras.layers
    return keras.Sequential([small(keras), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(2)])


@network
def row_in_row(keras: Any) -> Any:
    L = keras.layers
    augment = keras.Sequential([L.RandomFlip("horizontal"), L.RandomRotation(0.1)], name="augment")
    return keras.Sequential(
        [keras.Input((8, 8, 1)), augment, L.Rescaling(1 / 255), L.Conv2D(2, 3), L.Flatten(), L.Dense(2)]
    )


@network
def row_of_augmentation_called(keras: Any) -> Any:
    L = keras.layers
    augment = keras.Sequential([L.RandomFlip("horizontal"), L.RandomZoom(0.1)])
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, L.Flatten()(L.Conv2D(2, 3)(augment(inputs))))


@network
def twice_nested(keras: Any) -> Any:
    L, inner = keras.layers, small(keras, "inner")
    middle_in = keras.Input((10, 10, 1))
    middle = keras.Model(middle_in, L.Flatten()(inner(L.Cropping2D(1)(middle_in))), name="middle")
    inputs = keras.Input((12, 12, 1))
    return keras.Model(inputs, L.Dense(2)(middle(L.Cropping2D(1)(inputs))))


@network
def siamese(keras: Any) -> Any:
    L = keras.layers
    encoder = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(2, 3), L.Flatten(), L.Dense(4)])
    left, right = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    return keras.Model([left, right], L.Dense(1)(L.Subtract()([encoder(left), encoder(right)])))


@network
def same_names_within(keras: Any) -> Any:
    L, inputs = keras.layers, keras.Input((8, 8, 1))

    def one(name: str) -> Any:
        own = keras.Input((8, 8, 1))
        return keras.Model(own, L.Dense(2, name="head")(L.Flatten()(L.Conv2D(2, 3, name="conv")(own))), name=name)

    return keras.Model(inputs, L.Average()([one("first")(inputs), one("second")(inputs)]))


@network
def autoencoder(keras: Any) -> Any:
    L, inputs, codes = keras.layers, keras.Input((8, 8, 1)), keras.Input((4, 4, 2))
    encoder = keras.Model(inputs, L.Conv2D(2, 3, strides=2, padding="same")(inputs), name="encoder")
    decoder = keras.Model(codes, L.Conv2DTranspose(1, 3, strides=2, padding="same")(codes), name="decoder")
    return keras.Model(inputs, decoder(encoder(inputs)))


@network
def on_another_output(keras: Any) -> Any:
    base = small(keras)
    x = keras.layers.Flatten()(base.layers[-2].output)
    return keras.Model(base.input, keras.layers.Dense(2)(x))


@network
def from_rows_inputs(keras: Any) -> Any:
    model = row(keras)
    return keras.Model(model.inputs, [layer.output for layer in model.layers[:3]])


@network
def custom_layer(keras: Any) -> Any:
    L = keras.layers

    class ConvBlock(L.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, filters: int, **named: Any) -> None:
            super().__init__(**named)
            self.conv, self.norm = L.Conv2D(filters, 3, padding="same"), L.BatchNormalization()

        def call(self, x: Any) -> Any:
            return self.norm(self.conv(x))

    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, L.Dense(2)(L.Flatten()(ConvBlock(3)(ConvBlock(2)(inputs)))))


@network
def class_of_ones_own(keras: Any) -> Any:
    L = keras.layers

    class Net(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.flat, self.relu = L.Conv2D(4, 3), L.Flatten(), L.ReLU()
            self.dense = L.Dense(3, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.dense(self.flat(self.relu(self.conv(x))))

    model = Net()
    model(np.zeros((1, 8, 8, 1), np.float32))
    return model


@network
def mobile_body(keras: Any) -> Any:
    L = keras.layers
    base = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3), alpha=0.35)
    base.trainable = False
    inputs = keras.Input((32, 32, 3))
    return keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling2D()(base(inputs, training=False))))


@network
def vgg_continued(keras: Any) -> Any:
    base = keras.applications.VGG16(include_top=False, weights=None, input_shape=(32, 32, 3))
    for layer in base.layers[:15]:
        layer.trainable = False
    return keras.Model(base.input, keras.layers.Dense(2)(keras.layers.Flatten()(base.output)))
