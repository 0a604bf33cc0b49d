"""Keras's setting of the type of numbers, which is float32 for all layers."""

from __future__ import annotations

from typing import Any

from pellucid.errors import ConfigError, shown
from pellucid.keras.backend import floatx

__all__ = ["DTypePolicy", "Policy", "dtype_policy", "global_policy", "set_dtype_policy", "set_global_policy"]


class DTypePolicy:
    """The type of numbers, by its name. Errors: ConfigError for any but "float32"."""

    def __init__(self, name: Any = "float32") -> None:
        if name != floatx():
            raise ConfigError(
                f"the policy {shown(name)} is not here: numbers are float32; leave the line out, or give "
                'fit(engine="torch", device="cuda", precision="bfloat16")'
            )
        self.name = self.compute_dtype = self.variable_dtype = floatx()


def dtype_policy() -> DTypePolicy:
    """That of all layers."""
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Nothing for float32, as it always is. Errors: ConfigError for any other."""
    if not isinstance(policy, DTypePolicy):
        DTypePolicy(policy)


Policy, global_policy, set_global_policy = DTypePolicy, dtype_policy, set_dtype_policy
