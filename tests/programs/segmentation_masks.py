"""A class for each pixel: a small U-Net, with skips."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers

(x, _), _ = keras.datasets.mnist.load_data()
images = x[..., None].astype("float32") / 255.0
masks = (images > 0.5).astype("uint8")
inputs = keras.Input(shape=(28, 28, 1))
c1 = layers.Conv2D(4, 3, activation="relu", padding="same")(inputs)
p1 = layers.MaxPooling2D(2)(c1)
c2 = layers.Conv2D(8, 3, activation="relu", padding="same")(p1)
u1 = layers.Conv2DTranspose(4, 2, strides=2, padding="same")(c2)
m1 = layers.concatenate([u1, c1])
outputs = layers.Conv2D(2, 1, activation="softmax", padding="same")(m1)
model = keras.Model(inputs, outputs, name="unet")
model.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images, masks, batch_size=16, epochs=2, validation_split=0.2)
predicted = np.argmax(model.predict(images[:4]), axis=-1)
miou = keras.metrics.MeanIoU(num_classes=2)
miou.update_state(masks[:4, ..., 0], predicted)
print(predicted.shape, float(miou.result()))
