"""Which algorithm a convolution runs: what is asked for, and what the kernel's own choice is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pellucid.errors import BackendError
from pellucid.ops.native.signature import choices

if TYPE_CHECKING:
    from pellucid.ops._native import Step

# The pooling whose windows lie in Winograd's tiles.
_WINOGRAD_POOLING = {"PH": 2, "PW": 2, "PSH": 2, "PSW": 2, "PTOP": 0, "PLEFT": 0, "POOL": 0}
_WINOGRAD_KERNELS = {"winograd": ((3, 3), (5, 5)), "winograd2": ((3, 3),), "winograd_rows": ((5, 5),)}

_direct_inside: ContextVar[bool] = ContextVar("direct_inside", default=False)
_direct_everywhere = False


@contextmanager
def direct_convolution(wanted: bool = True) -> Iterator[None]:
    """Convolutions made inside (steps, plans, models that train) choose the direct algorithm, where that is wanted."""
    token = _direct_inside.set(wanted or _direct_inside.get())
    try:
        yield
    finally:
        _direct_inside.reset(token)


def choose_direct_convolution(everywhere: bool) -> None:
    """Let every convolution made from now on, in any thread, choose the direct algorithm, or no longer."""
    global _direct_everywhere
    _direct_everywhere = everywhere


def convolves_directly() -> bool:
    """Whether a convolution made here and now chooses the direct algorithm."""
    return _direct_everywhere or _direct_inside.get()


def conv2d_algorithm(step: Step) -> str:
    """Which algorithm a step of convolution runs: "direct" or a "winograd" (choices.hpp); "auto" for other steps.

    It depends on shapes and instruction set alone, never on the batch, threads or timings.
    """
    return choices()["ALGORITHM"][step.algorithm]


def algorithm_number(op: str, sizes: Mapping[str, int]) -> int:
    """The algorithm to ask for: the one that `sizes` name, or the direct one where "auto" is to mean that.

    Errors: BackendError if it cannot do this convolution.
    """
    algorithm = choices()["ALGORITHM"][sizes["ALGORITHM"]]
    if algorithm == "auto":
        return choices()["ALGORITHM"].index("direct") if convolves_directly() else sizes["ALGORITHM"]
    kernels = _WINOGRAD_KERNELS.get(algorithm)
    if kernels is None:
        return sizes["ALGORITHM"]
    kernel, rest = (sizes["KH"], sizes["KW"]), tuple(sizes[name] for name in ("SH", "SW", "DH", "DW"))
    if kernel not in kernels or rest != (1, 1, 1, 1):
        sizes_known = " or ".join(f"{height}x{width}" for height, width in kernels)
        raise BackendError(
            f"{op}: algorithm {algorithm!r} needs a {sizes_known} kernel, stride 1 and dilation 1, got "
            f"{kernel[0]}x{kernel[1]}, strides {rest[:2]}, dilation {rest[2:]}"
        )
    if algorithm == "winograd_rows" and (op != "conv2d_pool" or sizes["C"] != 1):
        raise BackendError(f"{op}: algorithm {algorithm!r} is of conv2d_pool on one channel, got {sizes['C']} channels")
    window = {name: sizes.get(name, default) for name, default in _WINOGRAD_POOLING.items()}
    padded = "QH" in sizes and (2 * sizes["QH"] > sizes["OH"] or 2 * sizes["QW"] > sizes["OW"])
    if padded or window != _WINOGRAD_POOLING:
        raise BackendError(f"{op}: algorithm {algorithm!r} needs max pooling 2x2, stride 2, without padding")
    return sizes["ALGORITHM"]
