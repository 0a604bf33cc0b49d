"""Several classes at once, with a threshold."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers

(x, y), _ = keras.datasets.fashion_mnist.load_data()
x = x[..., None].astype("float32") / 255.0
labels = np.stack([y % 2 == 0, y % 3 == 0, y > 4], axis=1).astype("float32")
model = keras.Sequential([
    layers.Conv2D(4, 3, activation="elu", strides=(2, 2), padding="same", input_shape=(28, 28, 1)),
    layers.SpatialDropout2D(0.1),
    layers.Flatten(),
    layers.Dense(3, activation="sigmoid", kernel_regularizer=keras.regularizers.L1L2(1e-5, 1e-4)),
])
model.compile(optimizer=keras.optimizers.Adamax(0.01), loss="binary_crossentropy",
              metrics=["binary_accuracy", keras.metrics.AUC(multi_label=True), keras.metrics.F1Score(average="macro", threshold=0.5)])
model.fit(x, labels, epochs=2, batch_size=16, verbose=2)
print((model.predict(x[:5]) > 0.5).astype(int))
