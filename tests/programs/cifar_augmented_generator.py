"""Pictures shifted and mirrored while they are fed, the rate lowered on a plateau."""
from pellucid import keras
from pellucid.keras.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from pellucid.keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from pellucid.keras.preprocessing.image import ImageDataGenerator

(x_train, y_train), (x_test, y_test) = keras.datasets.cifar10.load_data()
x_train, x_test = x_train.astype("float32") / 255, x_test.astype("float32") / 255
y_train, y_test = keras.utils.to_categorical(y_train, 10), keras.utils.to_categorical(y_test, 10)
model = keras.models.Sequential([
    Conv2D(8, 3, padding="same", activation="relu", kernel_initializer="he_uniform", input_shape=x_train.shape[1:]),
    BatchNormalization(),
    MaxPooling2D(),
    Dropout(0.2),
    Conv2D(16, 3, padding="same", activation="relu", kernel_regularizer=keras.regularizers.l2(1e-4)),
    BatchNormalization(),
    MaxPooling2D(),
    Flatten(),
    Dense(10, activation="softmax"),
])
model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=0.001), loss="categorical_crossentropy", metrics=["accuracy"])
datagen = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True, rotation_range=15,
                             width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True, zoom_range=0.1)
datagen.fit(x_train)
callbacks = [
    ReduceLROnPlateau(monitor="val_accuracy", factor=0.5, patience=1, verbose=1, min_lr=1e-5),
    EarlyStopping(monitor="val_loss", patience=10, restore_best_weights=True),
    ModelCheckpoint("best.keras", monitor="val_accuracy", save_best_only=True, mode="max"),
]
model.fit(datagen.flow(x_train, y_train, batch_size=16), steps_per_epoch=len(x_train) // 16, epochs=20,
          validation_data=(x_test, y_test), callbacks=callbacks)
print(model.evaluate(x_test, y_test, verbose=0))
