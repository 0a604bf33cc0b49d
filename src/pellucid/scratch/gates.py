"""Chapter 2's gates: a perceptron answers 1 where its weighted sum, with the bias, is above 0."""

from __future__ import annotations

import numpy as np

__all__ = ["AND", "NAND", "OR", "XOR"]


def _fires(x1: float, x2: float, weight: float, bias: float) -> int:
    return int(np.sum(weight * np.array([x1, x2])) + bias > 0)


def AND(x1: float, x2: float) -> int:
    """1 where both are 1."""
    return _fires(x1, x2, 0.5, -0.7)


def NAND(x1: float, x2: float) -> int:
    """1 unless both are 1."""
    return _fires(x1, x2, -0.5, 0.7)


def OR(x1: float, x2: float) -> int:
    """1 where one is 1, or both."""
    return _fires(x1, x2, 0.5, -0.2)


def XOR(x1: float, x2: float) -> int:
    """1 where exactly one is 1: two layers, since no single line separates the cases."""
    return AND(NAND(x1, x2), OR(x1, x2))
