"""Blocks of two convolutions, dropout that grows, a report by scikit-learn."""
import numpy as np
from pellucid import keras
from pellucid.keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from sklearn.metrics import classification_report, confusion_matrix

(trainX, trainY), (testX, testY) = keras.datasets.cifar10.load_data()
trainX, testX = trainX.astype("float32") / 255.0, testX.astype("float32") / 255.0
targets = keras.utils.to_categorical(trainY)
model = keras.models.Sequential()
for number, filters in enumerate((4, 8)):
    shape = {"input_shape": (32, 32, 3)} if number == 0 else {}
    model.add(Conv2D(filters, (3, 3), activation="relu", kernel_initializer="he_uniform", padding="same", **shape))
    model.add(BatchNormalization())
    model.add(Conv2D(filters, (3, 3), activation="relu", kernel_initializer="he_uniform", padding="same"))
    model.add(BatchNormalization())
    model.add(MaxPooling2D((2, 2)))
    model.add(Dropout(0.2 + 0.1 * number))
model.add(Flatten())
model.add(Dense(16, activation="relu", kernel_initializer="he_uniform"))
model.add(Dense(10, activation="softmax"))
model.compile(optimizer=keras.optimizers.SGD(learning_rate=0.001, momentum=0.9), loss="categorical_crossentropy",
              metrics=["accuracy"])
history = model.fit(trainX, targets, epochs=100, batch_size=16, verbose=0)
y_pred = np.argmax(model.predict(testX), axis=1)
print(confusion_matrix(testY.ravel(), y_pred).shape)
print(classification_report(testY.ravel(), y_pred, zero_division=0))
