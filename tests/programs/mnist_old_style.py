"""As programs looked before 2017: shapes asked for, lr and decay, verbose epochs."""
from pellucid.keras import backend as K
from pellucid.keras.datasets import mnist
from pellucid.keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from pellucid.keras.models import Sequential
from pellucid.keras.optimizers import SGD
from pellucid.keras.utils import to_categorical

rows, columns = 28, 28
(X_train, Y_train), (X_test, Y_test) = mnist.load_data()
if K.image_data_format() == "channels_first":
    X_train = X_train.reshape(X_train.shape[0], 1, rows, columns)
    shape = (1, rows, columns)
else:
    X_train = X_train.reshape(X_train.shape[0], rows, columns, 1)
    X_test = X_test.reshape(X_test.shape[0], rows, columns, 1)
    shape = (rows, columns, 1)
X_train, X_test = X_train.astype("float32"), X_test.astype("float32")
X_train /= 255
X_test /= 255
model = Sequential()
model.add(Conv2D(8, (3, 3), padding="same", input_shape=shape))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2), strides=None))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(16))
model.add(Activation("relu"))
model.add(Dense(10, activation="softmax"))
sgd = SGD(lr=0.01, decay=1e-6, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["acc"])
h = model.fit(X_train, to_categorical(Y_train, 10), batch_size=16, epochs=3, verbose=2,
              validation_data=(X_test, to_categorical(Y_test, 10)))
print(h.history["acc"][-1], h.history["val_acc"][-1])
score = model.evaluate(X_test, to_categorical(Y_test, 10), verbose=0)
print("Test score:", score[0], "Test accuracy:", score[1])
