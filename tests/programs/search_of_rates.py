"""Several rates and optimizers, the best of them."""
from pellucid import keras


def make_model(optimizer, activation="relu", filters=4):
    model = keras.Sequential()
    model.add(keras.layers.Conv2D(filters, (3, 3), input_shape=(28, 28, 1)))
    model.add(keras.layers.Activation(activation))
    model.add(keras.layers.MaxPooling2D(pool_size=(3, 3)))
    model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(10, activation="softmax"))
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


(x, y), (xt, yt) = keras.datasets.mnist.load_data()
x, xt = x[..., None] / 255.0, xt[..., None] / 255.0
results = {}
for name, optimizer in {
    "sgd": keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True, clipnorm=1.0),
    "adam": keras.optimizers.Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False),
    "adamw": keras.optimizers.AdamW(learning_rate=1e-3, weight_decay=1e-4),
    "rmsprop": keras.optimizers.RMSprop(learning_rate=1e-3, rho=0.9),
    "cosine": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, decay_steps=20)),
}.items():
    for activation in ("relu", "tanh"):
        model = make_model(optimizer if activation == "relu" else type(optimizer)(), activation)
        model.fit(x, y, epochs=1, batch_size=32, verbose=0)
        results[name, activation] = model.evaluate(xt, yt, verbose=0)[1]
    keras.backend.clear_session()
print(max(results, key=results.get))
