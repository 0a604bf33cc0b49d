"""The functional way, saved and loaded again."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers

inputs = keras.Input(shape=(784,), name="digits")
x = layers.Dense(32, activation="relu", name="dense_1")(inputs)
x = layers.Dense(32, activation="relu", name="dense_2")(x)
outputs = layers.Dense(10, activation="softmax", name="predictions")(x)
model = keras.Model(inputs=inputs, outputs=outputs, name="mnist_model")
(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255
x_val, y_val = x_train[-8:], y_train[-8:]
model.compile(optimizer=keras.optimizers.RMSprop(), loss=keras.losses.SparseCategoricalCrossentropy(),
              metrics=[keras.metrics.SparseCategoricalAccuracy()])
history = model.fit(x_train[:-8], y_train[:-8], batch_size=16, epochs=2, validation_data=(x_val, y_val))
print(history.history["sparse_categorical_accuracy"], history.history["val_sparse_categorical_accuracy"])
results = model.evaluate(x_test, y_test, batch_size=16)
print("test loss, test acc:", results)
model.save("model.keras")
again = keras.models.load_model("model.keras")
assert np.allclose(model.predict(x_test[:3]), again.predict(x_test[:3]), atol=1e-5)
