"""Chapter 4's smallest network: one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.ops import Array
from pellucid.scratch.losses import cross_entropy_error, softmax

__all__ = ["simpleNet"]


class simpleNet:
    """Scores x @ W, with W (2,3) drawn from a normal distribution by np.random.

    Shapes: x (2,) or (N,2) -> (3,) or (N,3); t as for cross_entropy_error.
    """

    def __init__(self) -> None:
        self.W = np.random.randn(2, 3)

    def predict(self, x: Any) -> Array:
        """Scores."""
        return np.asarray(np.dot(x, self.W))

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy after a softmax."""
        return cross_entropy_error(softmax(self.predict(x)), t)
