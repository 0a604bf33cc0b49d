"""Writes what tests/test_convert_keras.py reads, with Keras itself: `python keras_files.py FOLDER`.

A program of its own, because Keras is slow to load and warns about itself. Every network has random weights; beside its
file lie pictures and Keras's own answers to them.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

os.environ["KERAS_BACKEND"] = "torch"

SIDE = (32, 64)
CLASSES = 7
UNITS = 64


def main(folder: Path) -> None:
    import h5py
    import keras
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(4)
    images = rng.integers(0, 256, (2, *SIDE, 3)).astype(np.uint8)
    np.save(folder / "images.npy", images)

    body = keras.applications.VGG16(weights=None, input_shape=(*SIDE, 3), include_top=False)
    top = keras.layers.Flatten(name="flatten")(body.output)
    for name in ("fc1", "fc2"):  # Keras's own have 4096 units
        top = keras.layers.Dense(UNITS, activation="relu", name=name)(top)
    top = keras.layers.Dense(CLASSES, activation="softmax", name="predictions")(top)
    vgg = keras.Model(body.input, top, name="vgg16")
    for layer in vgg.layers:
        if layer.weights:  # biases that are not zero, and answers that differ
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel * 1.25, rng.normal(0, 0.1, bias.shape)])
    prepared = keras.applications.vgg16.preprocess_input(images.astype(np.float32))
    np.save(folder / "vgg16.npy", vgg.predict(prepared, verbose=0))
    vgg.save_weights(folder / "vgg16.weights.h5")
    vgg.save(folder / "vgg16.h5")
    np.save(folder / "body.npy", body.get_layer("block5_conv3").get_weights()[0])
    body.save_weights(folder / "body.weights.h5")
    with h5py.File(folder / "vgg16_notop.h5", "w") as file:  # as the published files are: weights alone, by layer
        save_weights_to_hdf5_group(file, body)

    layers = keras.layers
    own = keras.Sequential(
        [
            keras.Input((11, 9, 2)),
            layers.Conv2D(6, (3, 2), padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dropout(0.3),
            *(layers.Conv2D(4 + i, 2, activation="relu", use_bias=i != 3) for i in range(6)),
            layers.Flatten(),
            layers.Dense(8, activation="tanh"),
            layers.Dense(3, activation="softmax"),
        ]
    )
    own.set_weights(
        [
            rng.uniform(0.5, 2, weight.shape)
            if weight.name in ("gamma", "moving_variance")
            else rng.normal(0, 0.35, weight.shape)
            for weight in own.weights
        ]
    )
    small = rng.integers(0, 256, (3, 11, 9, 2)).astype(np.uint8)
    np.savez(folder / "own.npz", images=small, answers=own.predict(small / np.float32(255), verbose=0))
    own.save_weights(folder / "own.weights.h5")
    own.save(folder / "own.h5")

    nineteen = keras.applications.VGG19(weights=None, input_shape=(32, 32, 3), include_top=False)
    names = [[layer.name, list(layer.weights[0].shape)] for layer in nineteen.layers if layer.weights]
    (folder / "vgg19.json").write_text(json.dumps(names))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
