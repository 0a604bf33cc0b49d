"""A number instead of a class: how bright a picture is."""
from pellucid import keras
from pellucid.keras import layers

keras.utils.set_random_seed(42)
(x, _), (xt, _) = keras.datasets.mnist.load_data()
x, xt = x[..., None].astype("float32") / 255.0, xt[..., None].astype("float32") / 255.0
model = keras.Sequential([
    keras.Input(shape=(28, 28, 1)),
    layers.Conv2D(4, 3, activation="swish"),
    layers.GlobalAveragePooling2D(),
    layers.Dense(8, activation="gelu"),
    layers.Dense(1),
])
model.compile(optimizer=keras.optimizers.Adam(), loss=keras.losses.Huber(delta=0.5),
              metrics=[keras.metrics.RootMeanSquaredError(), "mae", "mape"])
history = model.fit(x, x.mean(axis=(1, 2, 3)), epochs=3, batch_size=16, validation_split=0.2)
print(sorted(history.history))
print(model.evaluate(xt, xt.mean(axis=(1, 2, 3)), return_dict=True))
