"""The program of seed 003, mended, after the replacements of docs/seeds.md: a network for CIFAR-10.

Mended: imprt, Convolutional2D, mode.add, nfilter, the missing brackets and quote; padding="same" in the third
convolution, as its comment says; data, compile and fit, which the page lacks.
"""

from pellucid import Sequential
from pellucid.datasets import cifar10
from pellucid.layers import Activation, Convolution2D, Dense, Dropout, Flatten, MaxPooling2D

# input size = 32x32 with 3 channels 즉, (32, 32, 3)
(x_train, y_train), (x_test, y_test) = cifar10.load_data()

n_filter = 36
nb_classes = 10

model = Sequential()

model.add(Convolution2D(n_filter, (3, 3), padding="same", input_shape=x_train.shape[1:]))  # 32x32x36
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))  # 16x16x36
model.add(Dropout(0.25))

model.add(Convolution2D(2 * n_filter, (3, 3), padding="same"))  # 16x16x72
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))  # 8x8x72
model.add(Dropout(0.25))

model.add(Convolution2D(4 * n_filter, (3, 3), padding="same"))  # 8x8x144
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))  # 4x4x144
model.add(Dropout(0.25))

model.add(Flatten())  # 2304

model.add(Dense(16 * n_filter))  # 576
model.add(Activation("relu"))
model.add(Dropout(0.5))

model.add(Dense(nb_classes))  # 10
model.add(Activation("softmax"))

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x_train, y_train, batch_size=32, epochs=2, validation_data=(x_test, y_test), verbose=2)
