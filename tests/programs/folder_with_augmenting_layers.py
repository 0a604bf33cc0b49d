"""The same with layers that change pictures at random, and one picture told."""
import numpy as np
from pellucid import keras
from pellucid.keras import layers
from pellucid.keras.models import Sequential

size = (24, 24)
train_ds, val_ds = keras.utils.image_dataset_from_directory("flowers", validation_split=0.2, subset="both", seed=1337,
                                                            image_size=size, batch_size=8, label_mode="categorical")
data_augmentation = Sequential([
    layers.RandomFlip("horizontal", input_shape=(*size, 3)),
    layers.RandomRotation(0.1),
    layers.RandomZoom(0.1),
])
model = Sequential([
    data_augmentation,
    layers.Rescaling(1.0 / 255),
    layers.Conv2D(8, 3, activation="relu"),
    layers.MaxPooling2D(),
    layers.Dropout(0.2),
    layers.Flatten(),
    layers.Dense(2, activation="softmax", name="outputs"),
])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
model.fit(train_ds, epochs=2, validation_data=val_ds)
img = keras.utils.load_img("flowers/daisy/0.png", target_size=size)
array = np.expand_dims(keras.utils.img_to_array(img), 0)
score = model.predict(array)[0]
print("%.1f%%" % (100 * np.max(score)), train_ds.class_names[np.argmax(score)])
