"""A rate that a function of the epoch gives, with the log in a table."""
import math

import numpy as np
from pellucid.keras.callbacks import CSVLogger, LearningRateScheduler
from pellucid.keras.datasets import mnist
from pellucid.keras.layers import Conv2D, Dense, Flatten, MaxPool2D
from pellucid.keras.models import Sequential
from pellucid.keras.optimizers import SGD


def step_decay(epoch):
    return 0.1 * math.pow(0.5, math.floor((1 + epoch) / 2))


(x, y), (xt, yt) = mnist.load_data()
x, xt = x.reshape((-1, 28, 28, 1)).astype(np.float32) / 255.0, xt.reshape((-1, 28, 28, 1)).astype(np.float32) / 255.0
model = Sequential()
model.add(Conv2D(filters=6, kernel_size=(5, 5), activation="tanh", input_shape=(28, 28, 1)))
model.add(MaxPool2D(2, 2))
model.add(Flatten())
model.add(Dense(units=10, activation="softmax"))
model.compile(loss="sparse_categorical_crossentropy", optimizer=SGD(learning_rate=0.0, momentum=0.8), metrics=["accuracy"])
log = CSVLogger("training.csv", separator=",", append=False)
history = model.fit(x, y, validation_data=(xt, yt), epochs=4, batch_size=32,
                    callbacks=[LearningRateScheduler(step_decay, verbose=1), log], verbose=2)
with open("training.csv") as file:
    print(file.read())
