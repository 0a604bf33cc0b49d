"""LeNet-5, nearly as published."""
from pellucid import keras
from pellucid.keras.layers import AveragePooling2D, Conv2D, Dense, Flatten, ZeroPadding2D

(x_train, y_train), (x_test, y_test) = keras.datasets.mnist.load_data()
x_train, x_test = x_train.reshape(-1, 28, 28, 1) / 255.0, x_test.reshape(-1, 28, 28, 1) / 255.0
lenet = keras.models.Sequential(name="LeNet-5")
lenet.add(ZeroPadding2D(padding=2, input_shape=(28, 28, 1)))
lenet.add(Conv2D(6, kernel_size=5, strides=1, activation="tanh", padding="valid"))
lenet.add(AveragePooling2D(pool_size=2, strides=2, padding="valid"))
lenet.add(Conv2D(16, kernel_size=5, activation="tanh"))
lenet.add(AveragePooling2D())
lenet.add(Conv2D(120, kernel_size=5, activation="tanh"))
lenet.add(Flatten())
lenet.add(Dense(84, activation="tanh"))
lenet.add(Dense(10, activation="softmax"))
lenet.compile(loss=keras.losses.sparse_categorical_crossentropy, optimizer=keras.optimizers.SGD(0.05), metrics=["accuracy"])
lenet.fit(x_train, y_train, batch_size=16, epochs=2, validation_data=(x_test, y_test))
for layer in lenet.layers:
    print(layer.name, [w.shape for w in layer.get_weights()])
