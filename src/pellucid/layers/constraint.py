"""Constraints: what a layer's weights are brought back to after each step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, shown, unknown_name
from pellucid.ops import Array
from pellucid.ops.geometry import number

EPSILON = 1e-7
"""What keeps a norm of 0 from dividing, as in Keras."""


@dataclass(frozen=True)
class Constraint:
    """w * (rate * clip(|w|, least, most) + (1 - rate) * |w|) / (epsilon + |w|), |w| the norms along `axis`; where
    `positive`, what is below 0 becomes 0 before.

    axis: of the weights, one number or several: (0, 1, 2) of a convolution's kernel (KH,KW,C,O) bounds each filter.
    Errors: ConfigError for a negative number, or a rate above 1.
    Source: Srebro & Shraibman 2005 (max-norm); Hinton et al. 2012, section 2 (with dropout).
    """

    least: float = 0.0
    most: float = math.inf
    rate: float = 1.0
    axis: int | tuple[int, ...] = 0
    positive: bool = False

    def __post_init__(self) -> None:
        number(self.least, "constraint: min_value", 0.0)
        if self.most != math.inf:
            number(self.most, "constraint: max_value", 0.0)
        number(self.rate, "constraint: rate", 0.0)
        if not isinstance(self.axis, int):
            object.__setattr__(self, "axis", tuple(self.axis))

    def __call__(self, weights: Any) -> Array:
        """The weights as they may be. Shapes: unchanged."""
        w: Array = np.asarray(weights)
        if self.positive:
            w = w * (w >= 0)
        if self.least == 0 and self.most == math.inf:
            return w
        norms = np.sqrt(np.square(w).sum(axis=self.axis, keepdims=True))
        wanted = self.rate * np.clip(norms, self.least, self.most) + (1 - self.rate) * norms
        return np.asarray(w * (wanted / (EPSILON + norms)), w.dtype)

    def config(self) -> dict[str, Any]:
        """What `standardize_constraint` turns back into this one, ready for JSON."""
        kept = {name: value for name, value in asdict(self).items() if value != getattr(Constraint, name)}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()}


def MaxNorm(max_value: float = 2, axis: int | Sequence[int] = 0) -> Constraint:
    """No norm above `max_value`."""
    return Constraint(most=max_value, axis=_axes(axis))


def MinMaxNorm(
    min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: int | Sequence[int] = 0
) -> Constraint:
    """Norms between two values, brought there by the share `rate` a step."""
    return Constraint(min_value, max_value, rate, _axes(axis))


def NonNeg() -> Constraint:
    """No weight below 0."""
    return Constraint(positive=True)


def UnitNorm(axis: int | Sequence[int] = 0) -> Constraint:
    """Every norm 1."""
    return Constraint(1.0, 1.0, axis=_axes(axis))


NAMES: Mapping[str, Callable[..., Constraint]] = {
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}
"""Each by its name."""


def standardize_constraint(spec: Any) -> Constraint | None:
    """The constraint that `spec` names: None, a name, a Constraint, or its config. Errors: ConfigError else."""
    if spec is None or isinstance(spec, Constraint):
        return spec
    if isinstance(spec, Mapping) and set(spec) <= set(Constraint.__dataclass_fields__):
        return Constraint(**spec)
    if isinstance(spec, str):
        known = {**NAMES, **{make.__name__.lower(): make for make in NAMES.values()}}
        if spec.lower() not in known:
            raise unknown_name("constraint", spec, NAMES)
        return known[spec.lower()]()
    raise ConfigError(f"must be None, one of {', '.join(NAMES)}, or such an object, got {shown(spec)}")


def _axes(axis: int | Sequence[int]) -> int | tuple[int, ...]:
    return axis if isinstance(axis, int) else tuple(axis)
