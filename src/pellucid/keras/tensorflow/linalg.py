"""Matrices, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.math import einsum as einsum
from pellucid.keras.tensorflow.math import l2_normalize as l2_normalize
from pellucid.keras.tensorflow.math import matmul as matmul
from pellucid.keras.tensorflow.math import norm as norm
from pellucid.keras.tensorflow.math import tensordot as tensordot

__all__ = ["band_part", "diag_part", "einsum", "l2_normalize", "matmul", "norm", "tensordot", "trace", "transpose"]


def transpose(a: Any, name: Any = None) -> Any:
    """Rows and columns changed."""
    return np.swapaxes(tensor(a), -1, -2)


def diag_part(input: Any, **more: Any) -> Any:
    """The numbers on the diagonal."""
    return np.diagonal(tensor(input), 0, -2, -1)


def trace(x: Any, name: Any = None) -> Any:
    """The sum of those."""
    return np.sum(diag_part(x), axis=-1)


def band_part(input: Any, num_lower: int, num_upper: int, name: Any = None) -> Any:
    """The numbers near the diagonal, the others 0; below 0 for all on that side."""
    array = tensor(input)
    array = array if num_lower < 0 else np.triu(array, -num_lower)
    return array if num_upper < 0 else np.tril(array, num_upper)
