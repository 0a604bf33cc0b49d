"""CIFAR-10 in its two official layouts, records of bytes and Python pickles (read, never run), and CIFAR-100 in the
second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.files import safe_pickle
from pellucid.files.reading import opened

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
BINARY_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")
PYTHON_FILES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")
HUNDRED_FILES = ("train", "test")
HUNDRED_NAMES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)  # fmt: skip
COARSE = 20
"""Of CIFAR-100's classes five each are one of so many."""

MAX_PICTURES = 60_000
"""In one file, which holds 10,000; decided before it is read."""

_PIXELS = 3 * 32 * 32
_RECORD = 1 + _PIXELS

Part = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read_binary(path: Path) -> Part:
    """One file of records: a label byte, then 1,024 bytes each of red, green and blue, row by row.

    Shapes: (N,32,32,3) uint8 and (N,).
    Errors: DataError if the length is not a whole number of records, or is far too long, or a label is above 9.
    """
    with opened(path) as file:
        length = path.stat().st_size
        if length == 0 or length % _RECORD:
            raise DataError(
                f"{path}: length: expected a multiple of {_RECORD} bytes (a label and 3072 pixels), got {length}"
            )
        if length > MAX_PICTURES * _RECORD:
            raise DataError(f"{path}: length: {length // _RECORD} pictures, at most {MAX_PICTURES} are read from one")
        data = np.fromfile(file, dtype=np.uint8, count=length)
    if len(data) != length:
        raise DataError(f"{path}: length: expected {length} bytes, got {len(data)}")
    records = data.reshape(-1, _RECORD)
    labels = records[:, 0]
    if labels.max() > 9:
        raise DataError(f"{path}: labels: expected 0 to 9, got {labels[labels > 9][0]}")
    return _pictures(records[:, 1:]), labels.astype(np.int64)


def read_python(path: Path, key: str = "labels", classes: int = 10) -> Part:
    """One pickled batch: a dict with "data" (N,3072) uint8 and labels under this key.

    Shapes: (N,32,32,3) uint8 and (N,).
    Errors: DataError if an entry is missing or has the wrong type or size.
    """
    batch = safe_pickle.load(path)
    entries: dict[Any, Any] = {}
    if isinstance(batch, dict):
        entries = {key.decode("latin-1") if isinstance(key, bytes) else key: value for key, value in batch.items()}
    data, labels = entries.get("data"), entries.get(key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != _PIXELS:
        got = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{path}: entry 'data': expected uint8 (N, {_PIXELS}), got {got}")
    if not isinstance(labels, list) or not all(isinstance(label, int) for label in labels) or len(labels) != len(data):
        got = f"{len(labels)} entries" if isinstance(labels, list) else type(labels).__name__
        raise DataError(f"{path}: entry '{key}': expected a list of {len(data)} whole numbers, got {got}")
    wrong = next((label for label in labels if not 0 <= label < classes), None)
    if wrong is not None:
        raise DataError(f"{path}: {key}: expected 0 to {classes - 1}, got {wrong}")
    return _pictures(data), np.array(labels, np.int64)


def read_parts(folder: Path) -> tuple[Part, Part]:
    """Training and test part from a folder of either layout."""
    binary = all((folder / name).is_file() for name in BINARY_FILES)
    files = [folder / name for name in (BINARY_FILES if binary else PYTHON_FILES)]
    parts = [read_binary(file) if binary else read_python(file) for file in files]
    images, labels = zip(*parts[:5], strict=True)
    return (np.concatenate(images), np.concatenate(labels)), parts[5]


def read_hundred(folder: Path, *, coarse: bool = False) -> tuple[Part, Part]:
    """CIFAR-100's training and test part. coarse: labels of the 20 classes that hold five each."""
    key, classes = ("coarse_labels", COARSE) if coarse else ("fine_labels", len(HUNDRED_NAMES))
    train, test = (read_python(folder / name, key, classes) for name in HUNDRED_FILES)
    return train, test


def _pictures(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    out = np.empty((len(planes), 32 * 32, 3), dtype=np.uint8)
    for channel in range(3):  # plane by plane is four times faster than one transposed copy
        out[:, :, channel] = planes[:, channel * 1024 : (channel + 1) * 1024]
    return out.reshape(-1, 32, 32, 3)
