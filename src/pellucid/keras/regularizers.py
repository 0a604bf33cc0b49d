"""Keras's regularizers: our weight penalties."""

from __future__ import annotations

from pellucid.layers.penalty import L1, L1L2, L2, Penalty
from pellucid.layers.penalty import standardize_penalty as get

Regularizer = Penalty
l1, l2, l1_l2 = L1, L2, L1L2

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get", "l1", "l1_l2", "l2"]
