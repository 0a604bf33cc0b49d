"""MNIST as the book loads it."""

from __future__ import annotations

import numpy as np

from pellucid.ops import Array

__all__ = ["download_mnist", "img_dim", "img_size", "init_mnist", "load_mnist", "test_num", "train_num"]

Part = tuple[Array, Array]

train_num, test_num = 60_000, 10_000
img_dim, img_size = (1, 28, 28), 784


def download_mnist() -> None:
    """Fetches MNIST unless it is there, and checks it.

    Errors: DataError if it is not there and cannot be fetched.
    """
    from pellucid.datasets import mnist

    mnist.load_data()


init_mnist = download_mnist
"""The book also writes a pickle then, beside its module; here nothing is written."""


def load_mnist(normalize: bool = True, flatten: bool = True, one_hot_label: bool = False) -> tuple[Part, Part]:
    """((x_train, t_train), (x_test, t_test)), found or downloaded as `pellucid.datasets` does.

    normalize: float32 from 0 to 1, else uint8 from 0 to 255. flatten: (N,784), else (N,1,28,28).
    one_hot_label: rows of ten with a single 1, else the digit itself.

    Shapes: x (N,784) or (N,1,28,28), t (N,) uint8 or (N,10) float64.
    Errors: DataError if MNIST is not there and cannot be fetched.
    """
    from pellucid.datasets import mnist

    train, test = (_part(images, labels, normalize, flatten, one_hot_label) for images, labels in mnist.load_data())
    return train, test


def _part(images: Array, labels: Array, normalize: bool, flatten: bool, one_hot_label: bool) -> Part:
    x = images.reshape(len(images), -1) if flatten else images[:, np.newaxis]
    if normalize:
        x = x.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(x), np.eye(10)[labels] if one_hot_label else labels
