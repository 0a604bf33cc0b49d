"""A training that is stopped and goes on."""
from pellucid import keras

(x, y), _ = keras.datasets.mnist.load_data()
x = x.reshape(-1, 784) / 255.0
model = keras.models.Sequential([keras.layers.Input(shape=(784,)), keras.layers.Dense(16, activation="relu"),
                                 keras.layers.Dense(10, activation="softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
backup = keras.callbacks.BackupAndRestore(backup_dir="backup")
first = model.fit(x, y, epochs=1, batch_size=16, callbacks=[backup], verbose=0)
more = model.fit(x, y, initial_epoch=first.epoch[-1] + 1, epochs=2, batch_size=16, verbose=0)
print(first.epoch, more.epoch)
