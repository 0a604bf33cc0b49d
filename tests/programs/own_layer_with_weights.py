"""Layers with weights of their own, trained by fit and kept in a file."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers, ops


class Linear(layers.Layer):
    def __init__(self, units=32, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="random_normal", trainable=True)
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", trainable=True)

    def call(self, inputs):
        return ops.matmul(inputs, self.w) + self.b

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Gate(layers.Layer):
    """Channels weighed by what the picture shows."""

    def __init__(self, ratio=2, **kwargs):
        super().__init__(**kwargs)
        self.ratio = ratio

    def build(self, input_shape):
        channels = input_shape[-1]
        self.squeeze = layers.Dense(channels // self.ratio, activation="relu")
        self.excite = Linear(channels)
        self.power = self.add_weight(name="power", shape=(), initializer="ones", regularizer=keras.regularizers.L2(1e-3))

    def call(self, x):
        weights = ops.sigmoid(self.excite(self.squeeze(ops.mean(x, axis=(1, 2)))))
        return x * ops.expand_dims(ops.expand_dims(weights, 1), 1) ** self.power


(x, y), (xt, yt) = keras.datasets.mnist.load_data()
x, xt = x[..., None] / 255.0, xt[..., None] / 255.0
model = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(8, 3, activation="relu"),
    Gate(),
    layers.Flatten(),
    Linear(10),
    layers.Softmax(),
])
model.summary()
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
before = model.layers[1].power.numpy()
model.fit(x, y, epochs=2, batch_size=16, validation_data=(xt, yt))
assert model.layers[1].power.numpy() != before and len(model.trainable_weights) == 9
model.save("own.safetensors")
again = keras.models.load_model("own.safetensors", custom_objects={"Gate": Gate, "Linear": Linear})
np.testing.assert_allclose(again.predict(xt, verbose=0), model.predict(xt, verbose=0), atol=1e-6)
model.save_weights("own.weights.h5")
again.load_weights("own.weights.h5")
