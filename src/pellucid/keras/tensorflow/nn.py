"""Activations, by TensorFlow's names."""

from __future__ import annotations

from typing import Any

from pellucid.keras.activations import (
    elu,
    gelu,
    leaky_relu,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    swish,
    tanh,
)

__all__ = [
    "dropout", "elu", "gelu", "leaky_relu", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "swish", "tanh",
]  # fmt: skip


def dropout(x: Any, rate: float, **more: Any) -> Any:
    """Dropout of a network's values while it is trained."""
    from pellucid.layers import Dropout

    return Dropout(rate)(x)
