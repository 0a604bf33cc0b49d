"""The 1,797 handwritten digits in the package: 8 x 8, ready without a download."""

from __future__ import annotations

from importlib import resources

import numpy as np

from pellucid.datasets.dataset import Dataset, KerasPair, Split, keras_pairs

__all__ = ["load", "load_data"]

CLASS_NAMES = tuple(str(digit) for digit in range(10))
SOURCE = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository 1998, "
    "doi:10.24432/C50P49, CC BY 4.0; the 1,797 pictures of its test set, values 0 to 16 scaled to 0 to 255"
)


def load() -> Dataset:
    """1,437 digits to learn from and 360 held out, of each digit its share; the split is part of the file.

    Shapes: images (N,8,8,1) uint8, round(v * 255 / 16) of the original's v = 0 to 16.
    """
    with resources.files("pellucid.datasets").joinpath("digits.npz").open("rb") as file, np.load(file) as arrays:
        images, labels, test_rows = arrays["images"], arrays["labels"].astype(np.int64), arrays["test_rows"]
    held = np.zeros(len(images), dtype=bool)
    held[test_rows] = True
    return Dataset(
        name="digits",
        train=Split(images[~held], labels[~held]),
        test=Split(images[held], labels[held]),
        class_names=CLASS_NAMES,
        source=SOURCE,
    )


def load_data() -> tuple[KerasPair, KerasPair]:
    """((x_train, y_train), (x_test, y_test)) as Keras gives them: pictures (N,8,8), labels (N,), uint8."""
    return keras_pairs(load())
