"""A base that stays as it is under a new head, then trained a little."""
from pellucid import keras
from pellucid.keras import layers

(x, y), (xt, yt) = keras.datasets.cifar10.load_data()
x, xt = x.astype("float32") / 255, xt.astype("float32") / 255
base = keras.Sequential([
    keras.Input((32, 32, 3)),
    layers.Conv2D(8, 3, activation="relu", name="base_conv"),
    layers.BatchNormalization(),
    layers.MaxPooling2D(),
], name="base")
base.trainable = False
print(len(base.trainable_weights), "of", len(base.weights), "weights are trained")
inputs = keras.Input(shape=(32, 32, 3))
h = base(inputs, training=False)
h = layers.GlobalAveragePooling2D()(h)
h = layers.Dropout(0.2)(h)
model = keras.Model(inputs, layers.Dense(10)(h))
loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
model.compile(optimizer=keras.optimizers.Adam(), loss=loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
model.fit(x, y, epochs=2, validation_data=(xt, yt))
base.trainable = True
model.compile(optimizer=keras.optimizers.Adam(1e-5), loss=loss, metrics=[keras.metrics.SparseCategoricalAccuracy()])
model.fit(x, y, epochs=1, validation_data=(xt, yt))
