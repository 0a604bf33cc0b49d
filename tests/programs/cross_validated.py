"""Five folds, their mean and spread."""
from numpy import mean, std
from pellucid.keras.datasets import mnist
from pellucid.keras.layers import Conv2D, Dense, Flatten, MaxPooling2D
from pellucid.keras.models import Sequential
from pellucid.keras.optimizers import SGD
from pellucid.keras.utils import to_categorical
from sklearn.model_selection import KFold


def load_dataset():
    (trainX, trainY), (testX, testY) = mnist.load_data()
    trainX = trainX.reshape((trainX.shape[0], 28, 28, 1))
    testX = testX.reshape((testX.shape[0], 28, 28, 1))
    return trainX, to_categorical(trainY), testX, to_categorical(testY)


def define_model():
    model = Sequential()
    model.add(Conv2D(8, (3, 3), activation="relu", kernel_initializer="he_uniform", input_shape=(28, 28, 1)))
    model.add(MaxPooling2D((2, 2)))
    model.add(Flatten())
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer=SGD(learning_rate=0.01, momentum=0.9), loss="categorical_crossentropy", metrics=["accuracy"])
    return model


trainX, trainY, testX, testY = load_dataset()
trainX = trainX.astype("float32") / 255.0
scores = []
for train_ix, test_ix in KFold(3, shuffle=True, random_state=1).split(trainX):
    model = define_model()
    model.fit(trainX[train_ix], trainY[train_ix], epochs=10, batch_size=32,
              validation_data=(trainX[test_ix], trainY[test_ix]), verbose=0)
    _, acc = model.evaluate(trainX[test_ix], trainY[test_ix], verbose=0)
    print("> %.3f" % (acc * 100.0))
    scores.append(acc)
print("mean=%.3f std=%.3f" % (mean(scores) * 100, std(scores) * 100))
