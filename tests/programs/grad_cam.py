"""Where a network looked: Grad-CAM, and a map of the picture's own gradient."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers
from pellucid.keras import tensorflow as tf

(x, y), _ = keras.datasets.cifar10.load_data()
x = x.astype("float32") / 255
model = keras.Sequential([
    layers.Input((32, 32, 3)),
    layers.Conv2D(8, 3, activation="relu"),
    layers.MaxPooling2D(),
    layers.Conv2D(16, 3, activation="relu", name="last_conv"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(10, activation="softmax"),
])
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=1, verbose=0)


def heatmap(image, name, pred_index=None):
    grad_model = keras.models.Model(model.inputs, [model.get_layer(name).output, model.output])
    with tf.GradientTape() as tape:
        maps, preds = grad_model(image)
        if pred_index is None:
            pred_index = tf.argmax(preds[0])
        channel = preds[:, pred_index]
    grads = tape.gradient(channel, maps)
    pooled = tf.reduce_mean(grads, axis=(0, 1, 2))
    found = maps[0] @ pooled[..., tf.newaxis]
    found = tf.squeeze(found)
    return (tf.maximum(found, 0) / (tf.math.reduce_max(found) + 1e-8)).numpy()


def saliency(image, label):
    image = tf.convert_to_tensor(image)
    with tf.GradientTape() as tape:
        tape.watch(image)
        score = model(image)[0, label]
    return tf.reduce_max(tf.abs(tape.gradient(score, image)), axis=-1)[0].numpy()


print(heatmap(x[:1], "last_conv").shape, heatmap(x[:1], "last_conv", 3).max(), saliency(x[:1], 3).max())
assert heatmap(x[:1], "last_conv").shape == (13, 13) and np.isfinite(saliency(x[:1], 0)).all()
