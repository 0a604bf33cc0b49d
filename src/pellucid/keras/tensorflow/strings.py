"""Words, by TensorFlow's names: what programs do with the names of files."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor

__all__ = ["regex_full_match", "split"]


def _word(x: Any) -> str:
    value = np.asarray(x).item()
    return value.decode() if isinstance(value, bytes) else str(value)


def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: Any = None) -> Any:
    """The parts of a word between separators."""
    return tensor(np.array(_word(input).split(None if sep is None else _word(sep), maxsplit)))


def regex_full_match(input: Any, pattern: str, name: Any = None) -> Any:
    """Whether a pattern describes the whole word."""
    import re

    return tensor(np.asarray(re.fullmatch(pattern, _word(input)) is not None))
