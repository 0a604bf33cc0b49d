"""One batch at a time."""
import numpy as np
from pellucid import keras

(x, y), (xt, yt) = keras.datasets.mnist.load_data()
x, xt = x[..., np.newaxis] / 255.0, xt[..., np.newaxis] / 255.0
model = keras.Sequential([keras.layers.Conv2D(4, 3, activation="relu", input_shape=(28, 28, 1)),
                          keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
mean = keras.metrics.Mean(name="loss")
bar = keras.utils.Progbar(3)
for step in range(3):
    rows = slice(step * 16, (step + 1) * 16)
    loss, acc = model.train_on_batch(x[rows], y[rows])
    mean.update_state(loss)
    bar.update(step + 1, [("loss", loss), ("accuracy", acc)])
print(float(mean.result()), model.test_on_batch(xt, yt), model.predict_on_batch(xt[:2]).shape)
