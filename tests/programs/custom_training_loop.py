"""Steps written out: a tape, an optimizer, metrics."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers
from pellucid.keras import tensorflow as tf

(x, y), (xt, yt) = keras.datasets.mnist.load_data()
x, xt = (a[..., np.newaxis].astype("float32") / 255.0 for a in (x, xt))
train = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(48).batch(16)
test = tf.data.Dataset.from_tensor_slices((xt, yt)).batch(16)

inputs = keras.Input((28, 28, 1))
h = layers.Conv2D(8, 3, activation="relu")(inputs)
h = layers.BatchNormalization()(layers.MaxPooling2D()(h))
model = keras.Model(inputs, layers.Dense(10)(layers.Dropout(0.3)(layers.Flatten()(h))))

optimizer = keras.optimizers.Adam(1e-3)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_loss = keras.metrics.Mean(name="train_loss")
train_accuracy = keras.metrics.SparseCategoricalAccuracy(name="train_accuracy")
test_accuracy = keras.metrics.SparseCategoricalAccuracy(name="test_accuracy")


@tf.function
def train_step(images, labels):
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = loss_fn(labels, logits)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    train_loss.update_state(loss)
    train_accuracy.update_state(labels, logits)


for epoch in range(2):
    train_loss.reset_state()
    train_accuracy.reset_state()
    for images, labels in train:
        train_step(images, labels)
    for images, labels in test:
        test_accuracy.update_state(labels, model(images, training=False))
    print(epoch, float(train_loss.result()), train_accuracy.result().numpy() * 100, test_accuracy.result().numpy())
    test_accuracy.reset_state()
assert int(optimizer.iterations) == 6
