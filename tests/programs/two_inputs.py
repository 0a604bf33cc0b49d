"""A picture and a row of numbers, joined before the last layers; fed by a list, by names, and by a generator."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train[..., np.newaxis] / 255.0, x_test[..., np.newaxis] / 255.0
ink_train, ink_test = (np.stack([x.mean(axis=(1, 2, 3)), x.max(axis=(1, 2, 3))], axis=1) for x in (x_train, x_test))

picture = keras.Input(shape=(28, 28, 1), name="picture")
ink = keras.Input(shape=(2,), name="ink")
a = layers.MaxPooling2D(2)(layers.Conv2D(8, 3, activation="relu")(picture))
a = layers.Flatten()(a)
b = layers.Dense(4, activation="relu")(ink)
joined = layers.concatenate([a, b])
output = layers.Dense(10, activation="softmax", name="digit")(layers.Dropout(0.3)(joined))
model = keras.Model(inputs=[picture, ink], outputs=output, name="two")
model.summary()
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

model.fit([x_train, ink_train], y_train, batch_size=16, epochs=3, validation_split=0.2)
model.fit({"picture": x_train, "ink": ink_train}, y_train, epochs=4, initial_epoch=3,
          validation_data=({"picture": x_test, "ink": ink_test}, y_test))


def batches(size=8):
    while True:
        rows = np.random.randint(0, len(x_train), size)
        yield {"picture": x_train[rows], "ink": ink_train[rows]}, y_train[rows]


model.fit(batches(), steps_per_epoch=4, epochs=1)
dataset = keras.tensorflow.data.Dataset.from_tensor_slices(({"picture": x_test, "ink": ink_test}, y_test)).batch(8)
print(model.evaluate(dataset, verbose=0), model.evaluate([x_test, ink_test], y_test, verbose=0))
model.save("two.keras")
again = keras.models.load_model("two.keras")
print(np.abs(again.predict([x_test, ink_test]) - model.predict([x_test, ink_test])).max())
