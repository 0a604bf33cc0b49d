"""Pictures squeezed through a few numbers and drawn again."""
from pellucid import keras
from pellucid.keras import layers

encoding_dim = 8
input_img = keras.Input(shape=(784,))
encoded = layers.Dense(encoding_dim, activation="relu")(input_img)
decoded = layers.Dense(784, activation="sigmoid")(encoded)
autoencoder = keras.Model(input_img, decoded)
encoder = keras.Model(input_img, encoded)
autoencoder.compile(optimizer="adam", loss="binary_crossentropy")
(x_train, _), (x_test, _) = keras.datasets.mnist.load_data()
x_train = x_train.astype("float32").reshape(len(x_train), -1) / 255.0
x_test = x_test.astype("float32").reshape(len(x_test), -1) / 255.0
autoencoder.fit(x_train, x_train, epochs=50, batch_size=16, shuffle=True, validation_data=(x_test, x_test))
print(encoder.predict(x_test).shape, autoencoder.predict(x_test).shape)
