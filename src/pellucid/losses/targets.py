"""Labels in any accepted form as the numbers that losses compute with."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.ops import Array, Shape, float32_array, real_array


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
    if given.shape[1:] == shape or (size == 1 and given.size == len(given)):
        return np.ascontiguousarray(float32_array(given, "labels").reshape(len(given), *shape))
    if len(shape) == 1 and given.dtype.kind in "iu" and given.size == len(given):
        one_hot = np.zeros((len(given), size), np.float32)
        one_hot[np.arange(len(given)), class_numbers(given.reshape(-1), size)] = 1.0
        return one_hot
    raise DataError(
        f"labels must have shape (N, {', '.join(map(str, shape))}) as the network's output, got {given.shape}; "
        "change the last layer's units or the labels"
    )
