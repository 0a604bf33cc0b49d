"""A signal instead of a picture."""
import numpy as np
from pellucid.keras.layers import Conv1D, Dense, Dropout, GlobalMaxPooling1D, MaxPooling1D
from pellucid.keras.models import Sequential
from pellucid.keras.optimizers import Adam

rng = np.random.default_rng(0)
X = rng.standard_normal((60, 50, 2)).astype("float32")
y = (X.mean(axis=(1, 2)) > 0).astype(int)
model = Sequential()
model.add(Conv1D(filters=8, kernel_size=3, activation="relu", input_shape=(50, 2)))
model.add(Conv1D(filters=8, kernel_size=3, activation="relu"))
model.add(Dropout(0.5))
model.add(MaxPooling1D(pool_size=2))
model.add(GlobalMaxPooling1D())
model.add(Dense(1, activation="sigmoid"))
model.compile(loss="binary_crossentropy", optimizer=Adam(lr=0.001), metrics=["accuracy"])
model.fit(X, y, epochs=3, batch_size=16, verbose=0)
_, accuracy = model.evaluate(X, y, batch_size=16, verbose=0)
print("accuracy: %.3f" % (accuracy * 100.0))
