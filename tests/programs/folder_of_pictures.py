"""Pictures in folders, scaled in the network."""
from pellucid import keras
from pellucid.keras import layers

train_ds = keras.utils.image_dataset_from_directory("flowers", validation_split=0.25, subset="training", seed=123,
                                                    image_size=(24, 24), batch_size=8)
val_ds = keras.utils.image_dataset_from_directory("flowers", validation_split=0.25, subset="validation", seed=123,
                                                  image_size=(24, 24), batch_size=8)
class_names = train_ds.class_names
print(class_names)
for images, labels in train_ds.take(1):
    print(images.shape, labels.numpy(), class_names[labels[0]], images[0].numpy().astype("uint8").max())
train_ds = train_ds.cache().shuffle(1000).prefetch(buffer_size=-1)
val_ds = val_ds.cache().prefetch(buffer_size=-1)
model = keras.Sequential([
    layers.Rescaling(1.0 / 255, input_shape=(24, 24, 3)),
    layers.Conv2D(8, 3, padding="same", activation="relu"),
    layers.MaxPooling2D(),
    layers.Flatten(),
    layers.Dense(len(class_names)),
])
model.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
history = model.fit(train_ds, validation_data=val_ds, epochs=3)
print(history.history["val_accuracy"])
