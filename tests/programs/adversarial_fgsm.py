"""A picture changed a little so that the network errs: the fast gradient sign method."""
import numpy as np
from pellucid import keras
from pellucid.keras import tensorflow as tf

(x, y), _ = keras.datasets.fashion_mnist.load_data()
x = x[..., None].astype("float32") / 255
model = keras.Sequential([
    keras.layers.Conv2D(8, 3, strides=2, activation="relu", input_shape=(28, 28, 1)),
    keras.layers.Flatten(),
    keras.layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=1, verbose=0)
model.trainable = False

loss_object = keras.losses.CategoricalCrossentropy()


def adversarial_pattern(image, label):
    with tf.GradientTape() as tape:
        tape.watch(image)
        loss = loss_object(label, model(image))
    return tf.sign(tape.gradient(loss, image))


image = tf.convert_to_tensor(x[:1])
label = tf.reshape(tf.one_hot(int(y[0]), 10), (1, 10))
pattern = adversarial_pattern(image, label)
scores = []
for eps in (0, 0.01, 0.1):
    changed = tf.clip_by_value(image + eps * pattern, 0, 1)
    scores.append(float(loss_object(label, model(changed))))
print(scores)
assert scores[0] < scores[1] < scores[2] and set(np.unique(pattern)) <= {-1, 0, 1}
