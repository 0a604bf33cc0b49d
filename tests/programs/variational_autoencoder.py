"""A variational autoencoder: a layer that draws, a loss of two parts."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers, ops
from pellucid.keras import tensorflow as tf


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        mean, log_var = inputs
        noise = keras.random.normal(shape=ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise


inputs = keras.Input((28, 28, 1))
h = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
h = layers.Dense(16, activation="relu")(layers.Flatten()(h))
z_mean = layers.Dense(2, name="z_mean")(h)
z_log_var = layers.Dense(2, name="z_log_var")(h)
encoder = keras.Model(inputs, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])], name="encoder")
encoder.summary()

latent = keras.Input((2,))
h = layers.Reshape((7, 7, 8))(layers.Dense(7 * 7 * 8, activation="relu")(latent))
h = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(h)
decoder = keras.Model(latent, layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="sigmoid")(h))


class VAE(keras.Model):
    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.trackers = [keras.metrics.Mean(name=name) for name in ("loss", "reconstruction_loss", "kl_loss")]

    @property
    def metrics(self):
        return self.trackers

    def call(self, x):
        return self.decoder(self.encoder(x)[0])

    def losses_of(self, data):
        mean, log_var, z = self.encoder(data)
        answer = self.decoder(z)
        picture = ops.mean(ops.sum(keras.losses.binary_crossentropy(data, answer), axis=(1, 2)))
        kl = -0.5 * (1 + log_var - ops.square(mean) - ops.exp(log_var))
        kl = ops.mean(ops.sum(kl, axis=1))
        return picture + kl, picture, kl

    def train_step(self, data):
        with tf.GradientTape() as tape:
            parts = self.losses_of(data)
        grads = tape.gradient(parts[0], self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights))
        for tracker, part in zip(self.trackers, parts):
            tracker.update_state(part)
        return {t.name: t.result() for t in self.trackers}


(x, _), (xt, _) = keras.datasets.mnist.load_data()
digits = np.expand_dims(np.concatenate([x, xt]), -1).astype("float32") / 255
vae = VAE(encoder, decoder)
vae.compile(optimizer=keras.optimizers.Adam())
print(vae.fit(digits, epochs=1, batch_size=32).history)
print(vae.decoder.predict(np.array([[0.0, 1.0]])).shape, vae.encoder.predict(digits)[0].shape)
