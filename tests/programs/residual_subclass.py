"""A residual block as a class of layers."""
from pellucid import keras


class ResidualUnit(keras.Model):
    def __init__(self, filters):
        super().__init__()
        self.conv1 = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")
        self.conv2 = keras.layers.Conv2D(filters, 3, padding="same")
        self.pool = keras.layers.GlobalAveragePooling2D()
        self.out = keras.layers.Dense(10, activation="softmax")

    def call(self, inputs):
        x = self.conv1(inputs)
        x = keras.layers.add([x, self.conv2(x)])
        return self.out(self.pool(x))


(x, y), _ = keras.datasets.cifar10.load_data()
model = ResidualUnit(8)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x / 255.0, y, epochs=2, batch_size=16)
print(model.predict(x[:2] / 255.0).shape)
