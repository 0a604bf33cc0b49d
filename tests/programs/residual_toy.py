"""A small network with skips."""
from pellucid import keras
from pellucid.keras import layers

inputs = keras.Input(shape=(32, 32, 3), name="img")
x = layers.Conv2D(8, 3, activation="relu")(inputs)
block_1 = layers.MaxPooling2D(3)(x)
x = layers.Conv2D(8, 3, activation="relu", padding="same")(block_1)
x = layers.Conv2D(8, 3, activation="relu", padding="same")(x)
block_2 = layers.add([x, block_1])
x = layers.Conv2D(8, 3, activation="relu", padding="same")(block_2)
block_3 = layers.Add()([x, block_2])
x = layers.GlobalAveragePooling2D()(block_3)
x = layers.Dense(16, activation="relu")(x)
x = layers.Dropout(0.5)(x)
model = keras.Model(inputs, layers.Dense(10)(x), name="toy_resnet")
model.summary()
(x_train, y_train), _ = keras.datasets.cifar10.load_data()
model.compile(optimizer=keras.optimizers.RMSprop(1e-3),
              loss=keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["acc"])
model.fit(x_train.astype("float32") / 255, keras.utils.to_categorical(y_train, 10), batch_size=16, epochs=1,
          validation_split=0.2)
