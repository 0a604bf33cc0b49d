"""Class labels: their form, splitting and weighing by class, matching two sets by the names of their classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._text import few
from pellucid.errors import ConfigError, DataError
from pellucid.ops import IGNORED


def stratified_split(labels: NDArray[Any], fraction: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two sorted lists of rows, (kept, held out): round(fraction * N) rows are held out, of each class its share.

    Every class with two pictures or more has at least one on either side (so a small set may hold out a few more than
    asked); a class with one keeps it. The same labels, fraction and seed give the same rows.
    A picture with several labels, (N,K) of 0 and 1, counts for the rarest of them. Masks (N,H,W) are all of one class.
    Errors: ConfigError unless 0 < fraction < 1; DataError if labels are not whole numbers, one to a picture.
    """
    if not 0.0 < fraction < 1.0:
        raise ConfigError(f"a held-out fraction lies between 0 and 1, got {fraction}; 0.2 holds out a fifth")
    if labels.ndim == 3:
        flat = np.zeros(len(labels), np.int64)
    elif labels.ndim == 2 and labels.shape[1] > 1:  # argmin takes the first of equals, as argmax does
        has = np.asarray(labels) > 0
        flat = np.where(has, has.sum(axis=0), len(labels) + 1).argmin(axis=1).astype(np.int64)
    else:
        flat = class_labels(labels)
    classes, counts = np.unique(flat, return_counts=True)
    shares = counts * fraction
    held_counts = np.floor(shares).astype(np.int64)
    missing = round(fraction * len(flat)) - int(held_counts.sum())
    # Largest remainders, the lower class first where two are equal: the total is what was asked for.
    held_counts[np.argsort(held_counts - shares, kind="stable")[: max(missing, 0)]] += 1
    held_counts = np.minimum(np.maximum(held_counts, 1), counts - 1)
    rng = np.random.default_rng([seed, 0x5711])
    mask = np.zeros(len(flat), dtype=bool)
    for label, count in zip(classes, held_counts, strict=True):
        mask[rng.permutation(np.flatnonzero(flat == label))[:count]] = True
    return np.flatnonzero(~mask), np.flatnonzero(mask)


def class_labels(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Labels of any of the usual shapes, (N,), (N,1) or one-hot (N,K), as (N,) int64.

    Errors: DataError if they have another shape or are not whole numbers from 0.
    """
    array = np.asarray(labels)
    if array.ndim == 2 and array.shape[1] > 1:
        hot: NDArray[np.int64] = np.argmax(array, axis=1).astype(np.int64)
        return hot
    flat = array.reshape(-1) if array.ndim == 2 else array
    if flat.ndim != 1 or not (flat.size == 0 or (np.all(flat == np.floor(flat)) and flat.min() >= 0)):
        raise DataError(
            f"labels must be whole numbers from 0, one to a picture, got shape {array.shape} and dtype {array.dtype}"
        )
    whole: NDArray[np.int64] = flat.astype(np.int64)
    return whole


def mask_counts(masks: Iterable[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """How many pixels of these masks have each number; those that are not counted (IGNORED) left out.

    Shapes: masks (N,H,W) -> (255,).
    """
    counts = np.zeros(IGNORED + 1, np.int64)
    for mask in masks:  # one at a time: bincount makes int64 of what it is given
        counts += np.bincount(mask.reshape(-1), minlength=IGNORED + 1)
    return counts[:IGNORED]


def class_counts(labels: NDArray[Any], classes: int) -> NDArray[np.int64]:
    """How many pictures each class has; of masks, how many pixels.

    Shapes: labels (N,), rows (N,classes) of 0 and 1, or (N,H,W) -> (classes,).
    """
    if labels.ndim == 2:
        return np.asarray(labels.sum(axis=0, dtype=np.int64))
    if labels.ndim > 2:
        return mask_counts(labels)[:classes]
    counts: NDArray[np.int64] = np.bincount(labels, minlength=classes)
    return counts


def balanced_class_weights(labels: NDArray[Any], classes: int) -> NDArray[np.float64]:
    """Weights that make every class count alike: w[k] = N / (K * count[k]), with K the classes that have pictures.

    A class without pictures gets 0.
    Errors: DataError if a label is not below `classes`.
    Source: King and Zeng 2001; scikit-learn's class_weight="balanced".
    """
    flat = labels if labels.ndim > 2 else class_labels(labels)  # of masks: their pixels
    if labels.ndim < 3 and flat.size and flat.max() >= classes:
        raise DataError(f"label {flat.max()} is out of range: {classes} classes are numbered 0 to {classes - 1}")
    counts = class_counts(flat, classes)
    present = int(np.count_nonzero(counts))
    weights = np.zeros(classes, dtype=np.float64)
    np.divide(int(counts.sum()), present * counts, out=weights, where=counts > 0)
    return weights


def bare(name: str) -> str:
    """A class's name without case, spaces and marks, by which mistyped ones are found.

    >>> bare("Hot_Dog ") == bare("hot dog")
    True
    """
    return "".join(c for c in name.casefold() if c.isalnum()) or name


def matched_labels(
    labels: NDArray[np.int64], names: Sequence[str], wanted: Sequence[str], known: str = "the network knows"
) -> NDArray[np.int64]:
    """Labels that count in `names`, rewritten to count in `wanted`: classes are the same when their names are.

    Errors: DataError listing the names that `wanted` has not.
    """
    unknown = [name for name in names if name not in wanted]
    if unknown:
        names_known = few([repr(name) for name in wanted], 20, ", ...")
        near = [(name, other) for name in unknown for other in wanted if bare(name) == bare(other)]
        hint = f"{near[0][0]!r} may be {near[0][1]!r}, but names must be the same. " if near else ""
        raise DataError(
            f"unknown classes {', '.join(map(repr, unknown))}; {known} {names_known}. {hint}"
            "Rename the sub-folders, or leave these out"
        )
    table = np.array([list(wanted).index(name) for name in names], dtype=np.int64)
    matched: NDArray[np.int64] = table[labels] if len(labels) else labels
    return matched
