"""A GAN whose class says what a step is."""
from pellucid import keras
from pellucid.keras import layers, ops

LATENT = 16


class GAN(keras.Model):
    def __init__(self, discriminator, generator):
        super().__init__()
        self.discriminator, self.generator = discriminator, generator
        self.seeds = keras.random.SeedGenerator(7)
        self.d_loss_metric = keras.metrics.Mean(name="d_loss")
        self.g_loss_metric = keras.metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss_metric, self.g_loss_metric]

    def noise(self, count):
        return keras.random.normal((count, LATENT), seed=self.seeds)

    def train_step(self, real):
        count = ops.shape(real)[0]
        fake = self.generator(self.noise(count))
        mixed = ops.concatenate([fake, real], axis=0)
        labels = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))], axis=0)
        labels += 0.05 * keras.random.uniform(ops.shape(labels), seed=self.seeds)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(mixed))
        grads = tape.gradient(d_loss, self.discriminator.trainable_weights)
        self.d_optimizer.apply_gradients(zip(grads, self.discriminator.trainable_weights))

        with tf.GradientTape() as tape:
            answers = self.discriminator(self.generator(self.noise(count)))
            g_loss = self.loss_fn(ops.zeros((count, 1)), answers)
        grads = tape.gradient(g_loss, self.generator.trainable_weights)
        self.g_optimizer.apply_gradients(zip(grads, self.generator.trainable_weights))
        self.d_loss_metric.update_state(d_loss)
        self.g_loss_metric.update_state(g_loss)
        return {m.name: m.result() for m in self.metrics}


class Sheet(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        made = self.model.generator(self.model.noise(2))
        made *= 255
        keras.utils.array_to_img(made.numpy()[0]).save(f"made_{epoch}.png")


from pellucid.keras import tensorflow as tf

discriminator = keras.Sequential([
    keras.Input((28, 28, 1)),
    layers.Conv2D(8, 3, strides=2, padding="same"),
    layers.LeakyReLU(negative_slope=0.2),
    layers.Conv2D(16, 3, strides=2, padding="same"),
    layers.LeakyReLU(negative_slope=0.2),
    layers.GlobalMaxPooling2D(),
    layers.Dense(1),
], name="discriminator")
generator = keras.Sequential([
    keras.Input((LATENT,)),
    layers.Dense(7 * 7 * 8),
    layers.LeakyReLU(negative_slope=0.2),
    layers.Reshape((7, 7, 8)),
    layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
    layers.LeakyReLU(negative_slope=0.2),
    layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
    layers.Conv2D(1, 7, padding="same", activation="sigmoid"),
], name="generator")

(digits, _), _ = keras.datasets.mnist.load_data()
digits = digits[..., None].astype("float32") / 255
data = tf.data.Dataset.from_tensor_slices(digits).shuffle(48).batch(16)
gan = GAN(discriminator, generator)
gan.compile(keras.optimizers.Adam(3e-4), keras.optimizers.Adam(3e-4), keras.losses.BinaryCrossentropy(from_logits=True))
before = generator.get_weights()[0]
history = gan.fit(data, epochs=1, callbacks=[Sheet()])
assert set(history.history) == {"d_loss", "g_loss"} and (generator.get_weights()[0] != before).any()
