"""What the first layers answer, drawn."""
import matplotlib.pyplot as plt
from pellucid import keras
from pellucid.keras import models

(x, y), _ = keras.datasets.mnist.load_data()
x = x.reshape((-1, 28, 28, 1)) / 255.0
model = models.Sequential([
    keras.layers.Conv2D(6, (3, 3), activation="relu", input_shape=(28, 28, 1)),
    keras.layers.MaxPooling2D((2, 2)),
    keras.layers.Conv2D(6, (3, 3), activation="relu"),
    keras.layers.Flatten(),
    keras.layers.Dense(10, activation="softmax"),
])
model.compile("rmsprop", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=1, batch_size=32)
layer_outputs = [layer.output for layer in model.layers[:3]]
activation_model = models.Model(inputs=model.inputs, outputs=layer_outputs)
activations = activation_model.predict(x[:1])
for name, answer in zip([layer.name for layer in model.layers], activations):
    print(name, answer.shape)
plt.matshow(activations[0][0, :, :, 2], cmap="viridis")
filters, biases = model.layers[0].get_weights()
plt.imshow(filters[:, :, 0, 0], cmap="gray")
plt.savefig("inside.png")
