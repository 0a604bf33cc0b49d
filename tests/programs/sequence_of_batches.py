"""Batches by number, from a class of one's own."""
import math

import numpy as np
from pellucid import keras
from pellucid.keras.utils import Sequence


class Pictures(Sequence):
    def __init__(self, x, y, batch_size):
        super().__init__()
        self.x, self.y, self.batch_size = x, y, batch_size
        self.indices = np.arange(len(x))

    def __len__(self):
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, idx):
        rows = self.indices[idx * self.batch_size:(idx + 1) * self.batch_size]
        return self.x[rows].astype("float32")[..., None] / 255, self.y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.indices)


(x, y), (xt, yt) = keras.datasets.mnist.load_data()
model = keras.Sequential([keras.layers.Conv2D(4, 3, activation="relu", input_shape=(28, 28, 1)),
                          keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
model.compile(keras.optimizers.Adagrad(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(Pictures(x, y, 16), epochs=2, validation_data=Pictures(xt, yt, 16))
