"""MNIST as the book loads it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from pellucid.ops import Array

__all__ = [
    "dataset_dir", "download_mnist", "img_dim", "img_size", "init_mnist", "key_file", "load_mnist", "save_file",
    "test_num", "train_num", "url_base",
]  # fmt: skip

Part = tuple[Array, Array]

train_num = 60_000
"""MNIST's training pictures."""
test_num = 10_000
"""MNIST's test pictures."""
img_dim = (1, 28, 28)
"""Channels, height and width of one."""
img_size = 784
"""Numbers in one."""
dataset_dir: str
key_file: dict[str, str]
save_file: str
url_base: str


def __getattr__(name: str) -> Any:
    """`dataset_dir`: the folder where MNIST lies, or would be downloaded to. `url_base`: where from. `key_file`: the
    names of its files there. `save_file`: the book's pickle, which nothing here writes.
    """
    if name not in ("dataset_dir", "key_file", "save_file", "url_base"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pellucid.datasets import locate
    from pellucid.datasets.download import data_folders
    from pellucid.datasets.sources import known

    mnist = known("mnist")
    folder = locate("mnist") or data_folders()[-1] / mnist.folders[0]
    if name == "dataset_dir":
        return str(folder)
    if name == "save_file":
        return os.path.join(folder, "mnist.pkl")
    if name == "url_base":
        return f"{mnist.remotes[0].mirrors[0]}/"
    parts = ("train_img", "train_label", "test_img", "test_label")
    return dict(zip(parts, (remote.name for remote in mnist.remotes), strict=True))


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
