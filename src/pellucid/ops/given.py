"""Numbers that somebody hands over, in whatever form: the one place where they become arrays."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from pellucid.errors import DataError, shown
from pellucid.ops.geometry import LARGEST, Array


def real_array(value: Any, what: str) -> Array:
    """Real numbers as an array: an array, nested lists, a tensor, a picture, a table, anything NumPy reads.

    Nothing is copied that need not be. what: how errors call it.
    Errors: DataError for masked entries, whose values nobody knows, and for anything else: text, paths, lists of
    unequal lengths, objects, complex numbers.
    """
    array = value if type(value) is np.ndarray else any_array(value, what)
    if array.dtype.kind not in "fiub":
        got = f"an array of {array.dtype}" if array.ndim else shown(value)
        got += "; convert it first: .astype('float32')" if array.ndim and array.dtype.kind == "O" else ""
        raise DataError(f"{what} must be real numbers, got {got}")
    return array


def float32_array(value: Any, what: str) -> Array:
    """The same as float32. Errors: DataError as `real_array`, and for finite numbers that float32 cannot hold."""
    array = real_array(value, what)
    with np.errstate(over="ignore"):
        held = array.astype(np.float32, copy=False)
    if array.dtype.itemsize > 4 and not np.isfinite(held).all():
        beyond = array[np.isfinite(array) & np.isinf(held)]
        if beyond.size:
            raise DataError(
                f"{what} must be numbers that float32 can hold, up to {LARGEST:.2g}, got {beyond[0]:g}; scale them down"
            )
    return held


def any_array(value: Any, what: str) -> Array:
    """The same for entries of any type. Errors: DataError as `real_array`."""
    if value is None or isinstance(value, str | bytes | os.PathLike):
        raise DataError(f"{what} must be an array of numbers, got {shown(value)}")
    parts = value if isinstance(value, list | tuple) else (value,)
    masked = getattr(sys.modules.get("numpy.ma"), "MaskedArray", ())  # before that is imported there is none
    if any(isinstance(part, masked) and np.ma.is_masked(part) for part in parts):
        raise DataError(
            f"{what}: masked entries, whose values nobody knows; leave these rows out, or say what they are: .filled(0)"
        )
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError, OverflowError) as error:  # whatever others' conversions raise
        rows = ", all rows of one size" if isinstance(value, list | tuple) else ""
        raise DataError(f"{what} must be an array of numbers{rows}: {_line(error)}") from error


def words_of(value: Any) -> list[str] | None:
    """Text labels as Python's strings, one a row; None where they are anything else.

    >>> words_of(["cat", "dog"]), words_of([1, 2])
    (['cat', 'dog'], None)
    """
    array = any_array(value, "labels")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1 or array.dtype.kind not in "OUST":
        return None
    rows = [row.decode("utf-8", "replace") if isinstance(row, bytes) else row for row in array.tolist()]
    odd = next((place for place, row in enumerate(rows) if not isinstance(row, str)), None)
    if odd is not None and any(isinstance(row, str) for row in rows):
        raise DataError(f"labels: {shown(rows[odd])} of picture {odd} is no word, others are; leave such pictures out")
    return rows if rows and odd is None else None


def _line(error: Exception) -> str:
    """An error's text on one line, and short."""
    return f"{' '.join(str(error).split()):.200}"
