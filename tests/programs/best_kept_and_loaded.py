"""The best epoch is kept and loaded again; curves from the history."""
import matplotlib.pyplot as plt
from pellucid import keras
from pellucid.keras import layers

(x, y), (xt, yt) = keras.datasets.fashion_mnist.load_data()
x, xt = x[..., None] / 255.0, xt[..., None] / 255.0


def build_model(rate):
    inputs = layers.Input((28, 28, 1))
    h = layers.Conv2D(6, 3)(inputs)
    h = layers.BatchNormalization(momentum=0.9)(h)
    h = layers.LeakyReLU()(h)
    h = layers.GlobalAveragePooling2D()(h)
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(h))
    model.compile(keras.optimizers.Nadam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


model = build_model(1e-3)
callbacks = [keras.callbacks.ModelCheckpoint(filepath="best.keras", save_best_only=True, monitor="val_loss"),
             keras.callbacks.TerminateOnNaN()]
history = model.fit(x, y, epochs=3, batch_size=16, validation_split=0.2, callbacks=callbacks, verbose=0)
acc, val_acc = history.history["accuracy"], history.history["val_accuracy"]
epochs = range(1, len(acc) + 1)
plt.figure()
plt.plot(epochs, acc, "bo", label="Training")
plt.plot(epochs, val_acc, "b", label="Validation")
plt.savefig("accuracy.png")
test_model = keras.models.load_model("best.keras")
test_loss, test_acc = test_model.evaluate(xt, yt)
print(f"Test accuracy: {test_acc:.3f}")
