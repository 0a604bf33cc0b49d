"""Noise taken off pictures."""
import numpy as np
from pellucid import keras
from pellucid.keras.layers import Conv2D, Conv2DTranspose, Input, MaxPooling2D, UpSampling2D
from pellucid.keras.models import Model

(x_train, _), (x_test, _) = keras.datasets.fashion_mnist.load_data()
x_train = np.reshape(x_train.astype("float32") / 255.0, (-1, 28, 28, 1))
noisy = np.clip(x_train + 0.4 * np.random.normal(loc=0.0, scale=1.0, size=x_train.shape), 0.0, 1.0)
entry = Input(shape=(28, 28, 1))
x = Conv2D(8, (3, 3), activation="relu", padding="same")(entry)
x = MaxPooling2D((2, 2), padding="same")(x)
x = Conv2D(4, (3, 3), activation="relu", padding="same")(x)
encoded = MaxPooling2D((2, 2), padding="same")(x)
x = Conv2DTranspose(4, (3, 3), strides=2, activation="relu", padding="same")(encoded)
x = UpSampling2D((2, 2))(x)
decoded = Conv2D(1, (3, 3), activation="sigmoid", padding="same")(x)
autoencoder = Model(entry, decoded)
autoencoder.compile(optimizer="adam", loss="mse", metrics=["mae"])
autoencoder.fit(noisy, x_train, epochs=2, batch_size=16, validation_split=0.25)
print(autoencoder.predict(noisy[:2]).shape)
