"""A pipeline of elements: slices, shuffled, batched, mapped."""
import numpy as np
from pellucid import keras
from pellucid.keras.data import AUTOTUNE, Dataset

(x, y), (xt, yt) = keras.datasets.mnist.load_data()


def prepare(image, label):
    return image[..., None].astype(np.float32) / 255.0, label


train = Dataset.from_tensor_slices((x, y)).map(prepare, num_parallel_calls=AUTOTUNE)
train = train.cache().shuffle(10000).batch(16).prefetch(AUTOTUNE)
test = Dataset.from_tensor_slices((xt, yt)).map(prepare).batch(8).cache()
model = keras.models.Sequential([keras.layers.Flatten(input_shape=(28, 28, 1)), keras.layers.Dense(16, activation="relu"),
                                 keras.layers.Dense(10)])
model.compile(optimizer=keras.optimizers.Adam(0.001), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
              metrics=[keras.metrics.SparseCategoricalAccuracy()])
model.fit(train, epochs=6, validation_data=test)
print(len(train), model.evaluate(test))
