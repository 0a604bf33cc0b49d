"""A variational autoencoder of 2017: functions of the backend, and a loss added to the model by its values."""
import numpy as np
from pellucid.keras import backend as K
from pellucid.keras.datasets import mnist
from pellucid.keras.layers import Conv2D, Conv2DTranspose, Dense, Flatten, Input, Lambda, Layer, Reshape
from pellucid.keras.losses import mse
from pellucid.keras.models import Model

(x_train, _), (x_test, _) = mnist.load_data()
image_size = x_train.shape[1]
x_train = np.reshape(x_train, [-1, image_size, image_size, 1]).astype("float32") / 255
x_test = np.reshape(x_test, [-1, image_size, image_size, 1]).astype("float32") / 255


def sampling(args):
    mean, log_var = args
    batch, dim = K.shape(mean)[0], K.int_shape(mean)[1]
    return mean + K.exp(0.5 * log_var) * K.random_normal(shape=(batch, dim))


picture = Input(shape=(image_size, image_size, 1), name="picture")
x = Conv2D(8, 3, activation="relu", strides=2, padding="same")(picture)
x = Conv2D(8, 3, activation="relu", strides=2, padding="same")(x)
shape = K.int_shape(x)
x = Dense(16, activation="relu")(Flatten()(x))
z_mean, z_log_var = Dense(2, name="z_mean")(x), Dense(2, name="z_log_var")(x)
z = Lambda(sampling, output_shape=(2,), name="z")([z_mean, z_log_var])
encoder = Model(picture, [z_mean, z_log_var, z], name="encoder")

latent = Input(shape=(2,), name="z_sampling")
x = Reshape(shape[1:])(Dense(int(np.prod(shape[1:])), activation="relu")(latent))
x = Conv2DTranspose(8, 3, activation="relu", strides=2, padding="same")(x)
x = Conv2DTranspose(1, 3, activation="sigmoid", strides=2, padding="same")(x)
decoder = Model(latent, x, name="decoder")

outputs = decoder(encoder(picture)[2])
vae = Model(picture, outputs, name="vae")
reconstruction = mse(K.flatten(picture), K.flatten(outputs)) * image_size * image_size
kl = -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
vae.add_loss(K.mean(reconstruction + kl))
vae.compile(optimizer="rmsprop")
vae.summary()
vae.fit(x_train, epochs=10, batch_size=16, validation_data=(x_test, None))


class VariationalLoss(Layer):
    def call(self, inputs):
        truth, answer = inputs
        parts = -5e-4 * K.mean(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
        self.add_loss(K.mean(mse(K.flatten(truth), K.flatten(answer)) + parts), inputs=inputs)
        return truth


once_more = Model(picture, VariationalLoss()([picture, outputs]))
once_more.compile(optimizer="rmsprop", loss=None)
once_more.fit(x=x_train, y=None, shuffle=True, epochs=2, batch_size=16, validation_data=(x_test, None))
print(encoder.predict(x_test, batch_size=16)[2].shape, decoder.predict(np.array([[0.0, 1.0]])).shape)
