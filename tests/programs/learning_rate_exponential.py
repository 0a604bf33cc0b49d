"""A rate that falls by steps."""
from pellucid import keras

(x, y), (x_test, y_test) = keras.datasets.fashion_mnist.load_data()
x = x[..., None] / 255.0
schedule = keras.optimizers.schedules.ExponentialDecay(1e-2, decay_steps=100, decay_rate=0.96, staircase=True)
model = keras.Sequential([
    keras.layers.Input((28, 28, 1)),
    keras.layers.Conv2D(4, 5, strides=2, activation="relu"),
    keras.layers.Flatten(),
    keras.layers.Dense(10, activation="softmax"),
])
model.compile(keras.optimizers.Adam(learning_rate=schedule), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=2, batch_size=16)
print(float(schedule(200)))
