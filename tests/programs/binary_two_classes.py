"""One output that tells two classes apart, judged by several measures."""
from pellucid import keras
from pellucid.keras import layers, metrics

(x, y), (x_test, y_test) = keras.datasets.mnist.load_data()
x, x_test = x[..., None] / 255.0, x_test[..., None] / 255.0
y, y_test = (y > 4).astype("float32"), (y_test > 4).astype("float32")
model = keras.Sequential([
    layers.Conv2D(4, 3, activation="relu", input_shape=(28, 28, 1)),
    layers.GlobalMaxPooling2D(),
    layers.Dense(1, activation="sigmoid"),
])
measures = [metrics.BinaryAccuracy(name="accuracy"), metrics.Precision(name="precision"), metrics.Recall(name="recall"),
            metrics.AUC(name="auc"), metrics.TruePositives(name="tp"), metrics.FalseNegatives(name="fn"),
            metrics.AUC(name="prc", curve="PR")]
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=keras.losses.BinaryCrossentropy(), metrics=measures)
weights = {0: 1.0, 1: 2.0}
history = model.fit(x, y, batch_size=16, epochs=2, validation_data=(x_test, y_test), class_weight=weights,
                    callbacks=[keras.callbacks.EarlyStopping(monitor="val_prc", mode="max", patience=10, verbose=1)])
for name, value in zip(model.metrics_names, model.evaluate(x_test, y_test, verbose=0)):
    print(name, ":", value)
print(history.history["val_recall"])
