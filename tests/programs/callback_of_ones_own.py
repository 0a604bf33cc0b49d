"""A callback that ends the training when it is good enough."""
from pellucid import keras


class GoodEnough(keras.callbacks.Callback):
    def __init__(self, target=0.95):
        super().__init__()
        self.target = target

    def on_train_begin(self, logs=None):
        print("begins with", list((logs or {}).keys()))

    def on_epoch_end(self, epoch, logs=None):
        rate = float(keras.backend.get_value(self.model.optimizer.learning_rate))
        print(f"epoch {epoch}: accuracy {logs['accuracy']:.3f} at rate {rate}")
        if logs.get("accuracy") > self.target:
            self.model.stop_training = True

    def on_train_batch_end(self, batch, logs=None):
        print("...", batch, "loss", logs["loss"])

    def on_test_begin(self, logs=None):
        print("judging")


(x, y), (xt, yt) = keras.datasets.mnist.load_data()
model = keras.Sequential([keras.layers.Flatten(input_shape=(28, 28)), keras.layers.Dense(512, activation="relu"),
                          keras.layers.Dense(10, activation="softmax")])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x / 255.0, y, epochs=10, callbacks=[GoodEnough(0.9)], validation_data=(xt / 255.0, yt), verbose=0)
