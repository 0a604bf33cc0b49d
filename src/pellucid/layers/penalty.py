"""Weight penalties (Keras: regularizers): what a layer's kernel adds to the loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops import Array
from pellucid.ops.geometry import number

DEFAULT_STRENGTH = 0.01
"""Keras's strength for a penalty given by name alone."""


@dataclass(frozen=True)
class Penalty:
    """l1 * sum |w| + l2 * sum w^2, added to the loss.

    Units: l2 as in Keras, without the half: its gradient is 2 * l2 * w.
    Errors: ConfigError for a strength below 0.
    """

    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("l1", self.l1), ("l2", self.l2)):
            number(value, f"penalty: {name}", 0.0)

    def loss(self, weights: Array) -> float:
        """What these weights add to the loss."""
        return float(
            self.l1 * np.abs(weights).sum(dtype=np.float64) + self.l2 * np.square(weights).sum(dtype=np.float64)
        )

    def gradient(self, weights: Array) -> Array:
        """l1 * sign(w) + 2 * l2 * w."""
        kind = weights.dtype.type
        return np.asarray(kind(self.l1) * np.sign(weights) + kind(2 * self.l2) * weights)

    def config(self) -> dict[str, float]:
        """What `standardize_penalty` turns back into this penalty, ready for JSON."""
        return {"l1": self.l1, "l2": self.l2}


def L1(l1: float = DEFAULT_STRENGTH) -> Penalty:
    """l1 * sum |w|: pushes weights to exactly zero."""
    return Penalty(l1=l1)


def L2(l2: float = DEFAULT_STRENGTH) -> Penalty:
    """l2 * sum w^2: keeps weights small."""
    return Penalty(l2=l2)


def L1L2(l1: float = 0.0, l2: float = 0.0) -> Penalty:
    """Both at once. Called with nothing it penalises nothing, as in Keras; the name "l1_l2" has both at 0.01."""
    return Penalty(l1=l1, l2=l2)


def standardize_penalty(spec: Any) -> Penalty | None:
    """The penalty that `spec` names: None, "l1", "l2", "l1_l2", ("l2", 0.001), a Penalty, or its config.

    Errors: ConfigError for anything else.
    """
    if spec is None or isinstance(spec, Penalty):
        return spec
    if isinstance(spec, Mapping) and set(spec) <= {"l1", "l2"}:
        return Penalty(**spec)
    if isinstance(spec, str):
        spec = (spec,)
    if isinstance(spec, tuple | list) and 1 <= len(spec) <= 2 and isinstance(spec[0], str):
        strength = DEFAULT_STRENGTH if len(spec) == 1 else spec[1]
        word = spec[0].lower()
        if word in ("l1", "l2", "l1_l2"):
            return Penalty(l1=strength if "l1" in word else 0.0, l2=strength if "l2" in word else 0.0)
        raise unknown_name("penalty", spec[0], ("l1", "l2", "l1_l2"))
    raise ConfigError(f'must be "l1", "l2", ("l2", 0.001), L1(...) or L2(...), got {shown(spec)}')
