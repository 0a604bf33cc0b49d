"""Labels in any accepted form as the numbers that losses compute with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError
from pellucid.ops import IGNORED, Array, Shape, float32_array, real_array


def class_numbers(labels: Array, classes: int) -> Array:
    """Labels (N,) as int32, each from 0 to classes - 1.

    Errors: DataError naming the first label that is no whole number, or no class.
    """
    if labels.dtype.kind == "f":
        wrong = np.flatnonzero(labels != np.floor(labels))
        if wrong.size:
            raise DataError(
                f"label {labels[wrong[0]]:g} of picture {int(wrong[0])} is not a class number; "
                f"expected whole numbers from 0 to {classes - 1}"
            )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        fix = "the last layer needs one unit a class"
        if labels.min() == 1 and labels.max() == classes:
            fix = "these labels count from 1: subtract 1"
        raise DataError(
            f"label {int(labels[wrong[0]])} of picture {int(wrong[0])} is not one of the {classes} classes "
            f"0 to {classes - 1}; {fix}"
        )
    return np.ascontiguousarray(labels, np.int32)


def mask_numbers(labels: Array, shape: Shape) -> Array | None:
    """Labels (N,H,W) or (N,H,W,1) of pixels as uint8; None for rows (N,H,W,K). Those of 255 are not counted.

    shape: (H,W,K), what the network gives.
    Errors: DataError for another shape, naming the first label that is no class, or where no label is counted;
    ConfigError for more classes than bytes can tell apart.
    """
    *pixels, classes = shape
    if classes > IGNORED:
        raise ConfigError(
            f"a network that gives {classes} scores a pixel: at most {IGNORED} classes of pixels are told apart"
        )
    if labels.shape[1:] == shape and classes > 1:
        return None
    if labels.shape[1:] == (*pixels, 1):
        labels = labels[..., 0]
    if labels.shape[1:] != tuple(pixels):
        sizes = ", ".join(map(str, pixels))
        raise DataError(
            f"labels must be masks (N, {sizes}), a class number for each pixel, or rows (N, {sizes}, {classes}), got "
            f"shape {labels.shape}; for one class a picture, end it in Flatten() and Dense(classes)"
        )
    for number, mask in enumerate(labels):
        wrong = ((mask < 0) | (mask >= classes)) & (mask != IGNORED)
        if mask.dtype.kind == "f":
            wrong |= mask != np.floor(mask)
        if wrong.any():
            row, column = map(int, np.argwhere(wrong)[0])
            raise DataError(
                f"label {mask[row, column]:g} in row {row}, column {column} of mask {number} is not one of the "
                f"{classes} classes 0 to {classes - 1}, nor {IGNORED} for a pixel that is not counted"
            )
    if labels.size and bool((labels == IGNORED).all()):
        raise DataError(f"every pixel of the masks is {IGNORED}, so none is counted")
    return np.ascontiguousarray(labels, np.uint8)


def rows_of(given: Array, classes: int) -> Array:
    """Rows of shares of classes: float32 as they are, or int32 class numbers where each is of one class.

    Errors: DataError naming the first that are no shares.
    """
    flat = given.reshape(-1, classes)
    wrong = np.flatnonzero(~((flat >= 0).all(axis=1) & (np.abs(flat.sum(axis=1) - 1.0) < 1e-3)))
    if wrong.size:
        picture = int(wrong[0]) * len(given) // max(len(flat), 1)
        row = np.array2string(flat[wrong[0]], precision=3, threshold=8, edgeitems=4)
        raise DataError(
            f"labels of picture {picture} are neither one-hot nor probabilities: {row}; "
            'each row must be 0 or more and sum to 1; for several classes at once use loss="binary_crossentropy"'
        )
    if ((flat == 0) | (flat == 1)).all():
        return np.ascontiguousarray(given.argmax(axis=-1), np.int32 if given.ndim == 2 else np.uint8)
    return np.ascontiguousarray(given, np.float32)


def numbers(labels: Any, examples: int | None, name: str = "labels") -> Array:
    """Labels as an array of finite numbers with a batch axis. name: what errors call them."""
    given = real_array(labels, name)
    if given.ndim == 0:
        raise DataError(f"{name} must be an array with one entry a picture, got the number {given}")
    if examples is not None and len(given) != examples:
        raise DataError(f"{examples} pictures but {len(given)} {name}; each picture needs exactly one")
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        place = tuple(int(index) for index in np.argwhere(~np.isfinite(given))[0])
        raise DataError(f"{name}: {given[place]} of picture {place[0]} is not a finite number")
    return given.astype(np.uint8) if given.dtype.kind == "b" else given


def values(labels: Any, units: int | Shape, examples: int | None) -> Array:
    """Labels as float32 of the network's output shape; class numbers become one-hot."""
    given = numbers(labels, examples)
    shape = (units,) if isinstance(units, int) else tuple(units)
    size = math.prod(shape)
    same = given.shape[1:] in (shape, shape[:-1] if shape[-1] == 1 else shape)  # masks with or without their last axis
    if same or (size == 1 and given.size == len(given)):
        return np.ascontiguousarray(float32_array(given, "labels").reshape(len(given), *shape))
    if len(shape) == 1 and given.dtype.kind in "iu" and given.size == len(given):
        one_hot = np.zeros((len(given), size), np.float32)
        one_hot[np.arange(len(given)), class_numbers(given.reshape(-1), size)] = 1.0
        return one_hot
    raise DataError(
        f"labels must have shape (N, {', '.join(map(str, shape))}) as the network's output, got {given.shape}; "
        "change the last layer's units or the labels"
    )
