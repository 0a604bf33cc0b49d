"""What a step costs in arithmetic and in memory traffic, from its sizes alone: what benchmarks divide by its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pellucid.ops._native import Step

FLOAT = 4


@dataclass(frozen=True)
class Cost:
    """flops counts a multiply-add as two, as a direct computation would need; num_bytes every array once."""

    flops: float
    num_bytes: float


def cost(step: Step, n: int | None = None) -> Cost:
    """The cost of one run for n pictures (None: as many as it was built for)."""
    sizes = dict(step.sizes)
    if n is not None and "N" in sizes:
        sizes["N"] = n
    kernel = step.kernel
    if kernel.startswith("conv2d"):
        return _convolution(sizes)
    if kernel.startswith("dense"):
        rows, inputs, units = sizes["N"], sizes["INPUTS"], sizes["UNITS"]
        return Cost(2.0 * rows * inputs * units, FLOAT * (rows * inputs + inputs * units + rows * units))
    if "pool2d" in kernel and "PH" in sizes:
        read = sizes["N"] * sizes["H"] * sizes["W"] * sizes["C"]
        written = sizes["N"] * sizes["OH"] * sizes["OW"] * sizes["C"]
        return Cost(float(written * sizes["PH"] * sizes["PW"]), FLOAT * (read + written))
    return _elementwise(kernel, sizes)


def _convolution(s: dict[str, int]) -> Cost:
    taps = s["KH"] * s["KW"] * (s["C"] // s["GROUPS"])
    flops = 2.0 * s["N"] * s["OH"] * s["OW"] * s["O"] * taps
    inputs = s["N"] * s["H"] * s["W"] * s["C"] + taps * s["O"]
    if "QH" in s:  # pooled: the unpooled map is in no array, and a byte beside each number says where it is from
        return Cost(flops, FLOAT * inputs + (FLOAT + 1) * s["N"] * s["QH"] * s["QW"] * s["O"])
    return Cost(flops, FLOAT * (inputs + s["N"] * s["OH"] * s["OW"] * s["O"]))


FLAT = frozenset(("sgd", "adam", "adagrad", "rmsprop", "adadelta", "add_penalty", "clip_by_value", "clip_by_norm"))
"""Kernels over vectors of COUNT numbers."""

STREAMS = {
    "sgd": 5,
    "adam": 7,
    "adagrad": 5,
    "rmsprop": 5,
    "adadelta": 7,
    "add_penalty": 3,
    "clip_by_value": 2,
    "clip_by_norm": 3,
    "elementwise_loss": 3,
    "activation": 2,
    "activation_backward": 3,
    "dropout": 2,
    "softmax": 2,
    "softmax_backward": 3,
    "softmax_cross_entropy": 2,
    "local_response_norm": 3,
    "local_response_norm_backward": 5,
    "batch_norm": 3,
    "batch_norm_inference": 2,
    "batch_norm_backward": 5,
    "bias_backward": 1,
    "gather": 2,
    "add": 3,
}
"""Arrays of full length that a kernel reads or writes, each passage counted."""


def _elementwise(kernel: str, s: dict[str, int]) -> Cost:
    if kernel in FLAT:
        return Cost(0.0, float(FLOAT * s["COUNT"] * STREAMS[kernel]))
    count = 1
    for name in ("N", "INNER", "C", "K", "H", "W"):
        count *= s.get(name, 1)
    return Cost(0.0, float(FLOAT * count * STREAMS.get(kernel, 2)))
