"""A generator function of one's own."""
import numpy as np
from pellucid import keras


def batches(x, y, size):
    while True:
        rows = np.random.permutation(len(x))[:size]
        yield x[rows, :, :, None].astype("float32") / 255.0, keras.utils.to_categorical(y[rows], 10)


(x, y), (xt, yt) = keras.datasets.fashion_mnist.load_data()
model = keras.Sequential()
model.add(keras.layers.SeparableConv2D(8, 3, activation="relu", input_shape=(28, 28, 1)))
model.add(keras.layers.MaxPooling2D(2))
model.add(keras.layers.Flatten())
model.add(keras.layers.Dense(10, activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["categorical_accuracy"])
model.fit(batches(x, y, 16), steps_per_epoch=3, epochs=2, validation_data=batches(xt, yt, 8), validation_steps=1)
print(model.evaluate(batches(xt, yt, 8), steps=1, verbose=0))
