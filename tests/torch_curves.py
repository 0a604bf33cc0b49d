"""Every activation by its name, as PyTorch has it, or in its words where it has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip("torch")
functional = torch.nn.functional

CURVES: dict[str, Callable[..., Any]] = {
    "relu": lambda x: functional.relu(x),
    "leaky_relu": lambda x, slope=0.2: functional.leaky_relu(x, slope),
    "sigmoid": lambda x: torch.sigmoid(x),
    "tanh": lambda x: torch.tanh(x),
    "elu": lambda x, slope=1.0: functional.elu(x, slope),
    "relu6": lambda x: functional.relu6(x),
    "selu": lambda x: functional.selu(x),
    "hard_sigmoid": lambda x: functional.hardsigmoid(x),
    "softsign": lambda x: functional.softsign(x),
    "softplus": lambda x: functional.softplus(x),
    "silu": lambda x: functional.silu(x),
    "hard_silu": lambda x: functional.hardswish(x),
    "gelu": lambda x: functional.gelu(x),
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "celu": lambda x, slope=1.0: slope * functional.elu(x / slope),  # its own keeps 1 / slope in float32
    "exponential": lambda x: torch.exp(x),
    "hard_shrink": lambda x, threshold=0.5: functional.hardshrink(x, threshold),
    "hard_tanh": lambda x: functional.hardtanh(x),
    "log_sigmoid": lambda x: functional.logsigmoid(x),
    "mish": lambda x: functional.mish(x),
    "soft_shrink": lambda x, threshold=0.5: functional.softshrink(x, threshold),
    "sparse_plus": lambda x: torch.where(x >= 1, x, (x + 1).clamp(0, 2) ** 2 / 4),
    "sparse_sigmoid": lambda x: (x + 1).clamp(0, 2) / 2,
    "squareplus": lambda x, slope=4.0: (x + torch.sqrt(x * x + slope)) / 2,
    "tanh_shrink": lambda x: functional.tanhshrink(x),
}
"""By our names, with the numbers that ours take."""


def _sparsemax(x: Any) -> Any:
    """max(x - t, 0): of the k largest, where k is the most of which the last is above (their sum - 1) / k."""
    falling, _ = x.sort(dim=-1, descending=True)
    over = falling.cumsum(dim=-1) - 1
    ranks = torch.arange(1, x.shape[-1] + 1)
    kept = (falling * ranks > over).sum(dim=-1, keepdim=True)
    return (x - over.gather(-1, kept - 1) / kept).clamp(min=0)


ROWS: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda x: functional.softmax(x, -1),
    "log_softmax": lambda x: functional.log_softmax(x, -1),
    "sparsemax": _sparsemax,
}
"""Those that compare the numbers of the last axis."""
