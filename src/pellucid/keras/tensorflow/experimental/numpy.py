"""NumPy's functions by NumPy's names, of which each gives a tensor; a tape follows those that have a gradient."""

from __future__ import annotations

import functools
import sys
from typing import Any

import numpy as np

from pellucid._modules import missing
from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import tensor

__all__ = ["experimental_enable_numpy_behavior", "random"]


def experimental_enable_numpy_behavior(*_: Any, **__: Any) -> None:
    """Nothing: tensors are arrays of NumPy's."""


def _tensors(function: Any) -> Any:
    @functools.wraps(function)
    def called(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        return type(found)(map(tensor, found)) if type(found) in (list, tuple) else tensor(found)

    return called


class _Random:
    """Numbers drawn by `numpy.random`'s names, from the seeds of `tensorflow.random`."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not callable(getattr(np.random.RandomState, name, None)):
            raise missing("tensorflow.experimental.numpy.random", name, self)
        return _tensors(getattr(np.random.RandomState(next_seed()), name))


random = _Random()


def __getattr__(name: str) -> Any:
    found = getattr(np, name, None)
    if name.startswith("_") or found is None:
        raise missing(f"module {__name__!r}", name, sys.modules[__name__])
    return _tensors(found) if callable(found) and not isinstance(found, type) else found
