"""Masks of one kind, with dice as a measure of one's own."""
from pellucid import keras
from pellucid.keras import layers


def dice_coef(y_true, y_pred, smooth=1.0):
    both = keras.ops.sum(y_true * y_pred)
    return (2.0 * both + smooth) / (keras.ops.sum(y_true) + keras.ops.sum(y_pred) + smooth)


(x, _), _ = keras.datasets.fashion_mnist.load_data()
images = x[..., None].astype("float32") / 255.0
masks = (images > 0.4).astype("float32")
model = keras.Sequential([
    layers.Conv2D(4, 3, padding="same", activation="relu", input_shape=(28, 28, 1)),
    layers.Conv2D(1, 1, activation="sigmoid"),
])
model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=keras.losses.Dice(),
              metrics=[dice_coef, keras.metrics.BinaryIoU(target_class_ids=[1], threshold=0.5, name="iou")])
history = model.fit(images, masks, batch_size=16, epochs=2)
print(history.history["dice_coef"], history.history["iou"])
