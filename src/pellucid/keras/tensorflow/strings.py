"""Words, by TensorFlow's names: what programs do with the names of files."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor

__all__ = ["reduce_join", "regex_full_match", "split", "unicode_split"]


def _word(x: Any) -> str:
    value = np.asarray(x).item()
    return value.decode() if isinstance(value, bytes) else str(value)


def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: Any = None) -> Any:
    """The parts of a word between separators."""
    return tensor(np.array(_word(input).split(None if sep is None else _word(sep), maxsplit)))


def unicode_split(input: Any, input_encoding: str = "UTF-8", errors: str = "replace", name: Any = None) -> Any:
    """The letters of a word."""
    return tensor(np.array(list(_word(input))))


def reduce_join(inputs: Any, axis: int | None = None, keepdims: bool = False, separator: str = "") -> Any:
    """The words of an array, or along an axis, behind one another."""
    words = np.vectorize(_word, otypes=[object])(np.asarray(inputs))
    along = words.reshape(-1) if axis is None else words
    joined = np.apply_along_axis(lambda row: np.array(separator.join(row), object), -1 if axis is None else axis, along)
    return tensor(joined.astype(str))


def regex_full_match(input: Any, pattern: str, name: Any = None) -> Any:
    """Whether a pattern describes the whole word."""
    import re

    return tensor(np.asarray(re.fullmatch(pattern, _word(input)) is not None))
