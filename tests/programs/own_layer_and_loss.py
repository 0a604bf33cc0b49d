"""A layer and a loss of one's own."""
from pellucid import keras
from pellucid.keras import ops


def scaled_mse(y_true, y_pred):
    return ops.mean(ops.square(y_true - y_pred), axis=-1) * 2.0


(x, y), _ = keras.datasets.mnist.load_data()
x = x.reshape(-1, 28, 28, 1).astype("float32") / 255.0
y = keras.utils.to_categorical(y, 10)
model = keras.Sequential([
    keras.layers.Conv2D(4, 3, activation=keras.activations.relu, input_shape=(28, 28, 1)),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(10, activation=keras.activations.softmax),
])
model.compile(optimizer="adam", loss=scaled_mse, metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(k=3, name="top3")])
history = model.fit(x, y, epochs=2, batch_size=16, verbose=0)
print(history.history["top3"])
