"""Weights saved, loaded and copied."""
import numpy as np
from pellucid import keras


def create_model():
    model = keras.Sequential([keras.layers.Dense(32, activation="relu", input_shape=(784,)), keras.layers.Dropout(0.2),
                              keras.layers.Dense(10)])
    model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=[keras.metrics.SparseCategoricalAccuracy()])
    return model


(train_images, train_labels), (test_images, test_labels) = keras.datasets.mnist.load_data()
train_images = train_images[:1000].reshape(-1, 28 * 28) / 255.0
test_images = test_images[:1000].reshape(-1, 28 * 28) / 255.0
model = create_model()
checkpoint = keras.callbacks.ModelCheckpoint(filepath="cp-{epoch:04d}.weights.h5", save_weights_only=True, verbose=1)
model.fit(train_images, train_labels[:1000], epochs=1, validation_data=(test_images, test_labels[:1000]),
          callbacks=[checkpoint])
fresh = create_model()
fresh.load_weights("cp-0001.weights.h5")
assert np.allclose(model.predict(test_images), fresh.predict(test_images), atol=1e-5)
third = create_model()
third.set_weights(model.get_weights())
loss, acc = third.evaluate(test_images, test_labels[:1000], verbose=2)
print("restored, accuracy: {:5.2f}%".format(100 * acc))
