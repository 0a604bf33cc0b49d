"""Clothing told apart, with a curve and the most likely class of one picture."""
import matplotlib.pyplot as plt
import numpy as np
from pellucid import keras
from pellucid.keras import layers

names = ["top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
(train_images, train_labels), (test_images, test_labels) = keras.datasets.fashion_mnist.load_data()
print(train_images.shape, len(train_labels), names[train_labels[0]])
train_images = train_images.astype("float32") / 255
test_images = test_images.astype("float32") / 255
model = keras.Sequential([layers.Flatten(), layers.Dense(64, "relu"), layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", ["accuracy"])
history = model.fit(train_images, train_labels, validation_split=0.1, epochs=10)
plt.plot(history.epoch, history.history["loss"], "bo", label="training")
plt.plot(history.epoch, history.history["val_loss"], "b", label="validation")
plt.legend()
plt.savefig("clothing.png")
test_loss, test_acc = model.evaluate(test_images, test_labels, verbose=2)
print("accuracy:", test_acc)
predictions = model.predict(test_images)
print(names[np.argmax(predictions[0])], 100 * np.max(predictions[0]))
