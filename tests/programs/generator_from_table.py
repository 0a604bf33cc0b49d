"""Pictures named in a table."""
import os

import pandas as pd
from pellucid.keras.applications.mobilenet_v2 import preprocess_input
from pellucid.keras.layers import Conv2D, Dense, GlobalAveragePooling2D
from pellucid.keras.models import Sequential
from pellucid.keras.preprocessing.image import ImageDataGenerator

rows = [(f"{kind}/{name}", kind) for kind in sorted(os.listdir("flowers")) for name in os.listdir(f"flowers/{kind}")]
df = pd.DataFrame(rows, columns=["file", "kind"])
datagen = ImageDataGenerator(preprocessing_function=preprocess_input, validation_split=0.25)
options = dict(dataframe=df, directory="flowers", x_col="file", y_col="kind", target_size=(20, 20), batch_size=4)
train = datagen.flow_from_dataframe(**options, subset="training", class_mode="categorical", seed=1)
valid = datagen.flow_from_dataframe(**options, subset="validation", class_mode="categorical", seed=1)
model = Sequential([Conv2D(6, 3, activation="relu", input_shape=(20, 20, 3)), GlobalAveragePooling2D(),
                    Dense(len(train.class_indices), activation="softmax")])
model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
history = model.fit(train, validation_data=valid, epochs=2, steps_per_epoch=len(train))
print(model.evaluate(valid))
