"""Steps of convolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from pellucid.errors import BackendError
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Convolution, Pads, Pair, Pooling
from pellucid.ops.native.runtime import (
    activation_code,
    expect_axes,
    expect_shape,
    step,
)

if TYPE_CHECKING:
    from pellucid.ops._native import Step

# The numbers of arguments.hpp. "winograd" is F(4x4,3x3) or F(2x2,5x5), "winograd2" F(2x2,3x3), "winograd_rows" F(4,5)
# along rows, for one channel before pooling. "narrow" is what conv2d_pool_map says where it pays.
_ALGORITHMS = {"auto": 0, "direct": 1, "winograd": 2, "winograd2": 3, "winograd_rows": 4, "narrow": 5}
# The pooling whose windows lie in Winograd's tiles.
_WINOGRAD_POOLING = {"PH": 2, "PW": 2, "PSH": 2, "PSW": 2, "PTOP": 0, "PLEFT": 0, "POOL": 0}


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
    """Which algorithm a step of convolution runs: "direct" or a "winograd" (see _ALGORITHMS); "auto" for other steps.

    It depends on shapes and instruction set alone, never on the batch, threads or timings.
    """
    return next(name for name, number in _ALGORITHMS.items() if number == step.algorithm)


def _algorithm_code(op: str, algorithm: str, sizes: dict[str, int]) -> int:
    if algorithm not in _ALGORITHMS:
        raise BackendError(f"{op}: unknown algorithm {algorithm!r}; known: {', '.join(_ALGORITHMS)}")
    kernel, rest = (sizes["KH"], sizes["KW"]), tuple(sizes[name] for name in ("SH", "SW", "DH", "DW"))
    kernels = {"winograd": ((3, 3), (5, 5)), "winograd2": ((3, 3),), "winograd_rows": ((5, 5),)}.get(algorithm)
    if kernels is not None and (kernel not in kernels or rest != (1, 1, 1, 1)):
        sizes_known = " or ".join(f"{height}x{width}" for height, width in kernels)
        raise BackendError(
            f"{op}: algorithm {algorithm!r} needs a {sizes_known} kernel, stride 1 and dilation 1, got "
            f"{kernel[0]}x{kernel[1]}, strides {rest[:2]}, dilation {rest[2:]}"
        )
    if algorithm == "winograd_rows" and (op != "conv2d_pool" or sizes["C"] != 1):
        raise BackendError(f"{op}: algorithm {algorithm!r} is of conv2d_pool on one channel, got {sizes['C']} channels")
    window = tuple(sizes.get(name, default) for name, default in _WINOGRAD_POOLING.items())
    padded = "QH" in sizes and (2 * sizes["QH"] > sizes["OH"] or 2 * sizes["QW"] > sizes["OW"])
    if algorithm.startswith("winograd") and (padded or window != tuple(_WINOGRAD_POOLING.values())):
        raise BackendError(f"{op}: algorithm {algorithm!r} needs max pooling 2x2, stride 2, without padding")
    return _ALGORITHMS["direct" if algorithm == "auto" and convolves_directly() else algorithm]


def conv2d_choice(
    x: Array, kernel: Array, *, strides: Pair, padding: Pads, dilation: Pair = (1, 1), groups: int = 1
) -> str:
    """The algorithm `conv2d` would choose for these shapes; whoever thinks of merging it with something asks first."""
    sizes = _conv_sizes("conv2d", x, kernel, None, strides, padding, dilation, groups)
    sizes["ALGORITHM"] = _algorithm_code("conv2d", "auto", sizes)
    unbound = step("conv2d", x=None, kernel=None, bias=None, y=None, **sizes, ACTIVATION=0, slope=0.0)
    return conv2d_algorithm(unbound)


def _conv_sizes(
    op: str,
    x: Array,
    kernel: Array,
    y: Array | None,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> dict[str, int]:
    """The fields of a convolution; y is None where its result is no array."""
    expect_axes(op, 4, x=x, kernel=kernel)
    shape = geometry.conv2d_shape(x.shape, kernel.shape, strides, padding, dilation, groups)
    expect_shape(op, shape, y=y)
    (n, h, w, c), (kh, kw, _, o), (_, oh, ow, _) = x.shape, kernel.shape, shape
    (top, _), (left, _) = padding
    return {
        "N": n, "H": h, "W": w, "C": c, "OH": oh, "OW": ow, "O": o, "KH": kh, "KW": kw,
        "SH": strides[0], "SW": strides[1], "DH": dilation[0], "DW": dilation[1],
        "TOP": top, "LEFT": left, "GROUPS": groups,
    }  # fmt: skip


def conv2d(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    activation: str = "linear",
    slope: float = 0.0,
    algorithm: str = "auto",
) -> Step:
    """y = activation(x (*) kernel + bias). algorithm: auto, direct, winograd or winograd2."""
    sizes = _conv_sizes("conv2d", x, kernel, y, strides, padding, dilation, groups)
    expect_shape("conv2d", (sizes["O"],), bias=bias)
    kind = activation_code("conv2d", activation)
    sizes["ALGORITHM"] = _algorithm_code("conv2d", algorithm, sizes)
    return step("conv2d", x=x, kernel=kernel, bias=bias, y=y, **sizes, ACTIVATION=kind, slope=slope)


def conv2d_backward_input(
    dy: Array,
    kernel: Array,
    dx: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    algorithm: str = "auto",
) -> Step:
    """dx of conv2d."""
    op = "conv2d_backward_input"
    sizes = _conv_sizes(op, dx, kernel, dy, strides, padding, dilation, groups)
    sizes["ALGORITHM"] = _algorithm_code(op, algorithm, sizes)
    return step(op, dy=dy, kernel=kernel, dx=dx, **sizes)


def conv2d_backward_kernel(
    x: Array,
    dy: Array,
    dkernel: Array,
    *,
    strides: Pair,
    padding: Pads,
    dilation: Pair = (1, 1),
    groups: int = 1,
    algorithm: str = "auto",
) -> Step:
    """dkernel of conv2d."""
    op = "conv2d_backward_kernel"
    sizes = _conv_sizes(op, x, dkernel, dy, strides, padding, dilation, groups)
    sizes["ALGORITHM"] = _algorithm_code(op, algorithm, sizes)
    return step(op, x=x, dy=dy, dkernel=dkernel, **sizes)


def _pooled_sizes(
    op: str, x: Array, kernel: Array, convolution: Convolution, pooling: Pooling, /, **pooled: Array
) -> dict[str, int]:
    """The fields of a convolution and the pooling behind it, whose results are like `pooled`."""
    sizes = _conv_sizes(op, x, kernel, None, **convolution)
    expect_axes(op, 4, **pooled)
    unpooled = tuple(sizes[name] for name in ("N", "OH", "OW", "O"))
    _, qh, qw, _ = shape = geometry.pool2d_shape(unpooled, **pooling)
    expect_shape(op, shape, **pooled)
    (ph, pw), (psh, psw), ((top, _), (left, _)) = pooling["pool_size"], pooling["strides"], pooling["padding"]
    window = {"QH": qh, "QW": qw, "PH": ph, "PW": pw, "PSH": psh, "PSW": psw, "PTOP": top, "PLEFT": left}
    return sizes | window


def conv2d_pool(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    argmax: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    average: bool = False,
    activation: str = "linear",
    slope: float = 0.0,
    algorithm: str = "auto",
) -> Step:
    """y = pool(activation(x (*) kernel + bias)); argmax (not average): the place that won, 255 where relu gave 0."""
    op = "conv2d_pool"
    sizes = _pooled_sizes(op, x, kernel, convolution, pooling, y=y)
    expect_shape(op, (sizes["O"],), bias=bias)
    expect_shape(op, y.shape, argmax=argmax)
    if average and argmax is not None:
        raise BackendError(f"{op}: an average has no argmax, got one of shape {argmax.shape}")
    sizes["POOL"] = int(average)
    sizes["ALGORITHM"] = _algorithm_code(op, algorithm, sizes)
    kind = activation_code(op, activation)
    return step(op, x=x, kernel=kernel, bias=bias, y=y, argmax=argmax, **sizes, ACTIVATION=kind, slope=slope)


def conv2d_pool_backward_kernel(
    x: Array,
    dy: Array,
    y: Array,
    argmax: Array,
    dkernel: Array,
    dbias: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    slope: float = 0.0,
    algorithm: str = "auto",
) -> Step:
    """dkernel and dbias of conv2d_pool, not average."""
    op = "conv2d_pool_backward_kernel"
    sizes = _pooled_sizes(op, x, dkernel, convolution, pooling, dy=dy, y=y)
    expect_shape(op, dy.shape, argmax=argmax)
    expect_shape(op, (sizes["O"],), dbias=dbias)
    sizes["ALGORITHM"] = _algorithm_code(op, algorithm, sizes)
    kind = activation_code(op, activation)
    return step(
        op, x=x, dy=dy, y=y, argmax=argmax, dkernel=dkernel, dbias=dbias, **sizes, ACTIVATION=kind, slope=slope
    )  # fmt: skip


def conv2d_pool_backward_input(
    dy: Array,
    y: Array,
    argmax: Array,
    kernel: Array,
    dx: Array,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    slope: float = 0.0,
    algorithm: str = "auto",
) -> Step:
    """dx of conv2d_pool, not average; written whole."""
    op = "conv2d_pool_backward_input"
    sizes = _pooled_sizes(op, dx, kernel, convolution, pooling, dy=dy, y=y)
    expect_shape(op, dy.shape, argmax=argmax)
    sizes["ALGORITHM"] = _algorithm_code(op, algorithm, sizes)
    kind = activation_code(op, activation)
    return step(op, dy=dy, y=y, argmax=argmax, kernel=kernel, dx=dx, **sizes, ACTIVATION=kind, slope=slope)


def _in_planes(sizes: dict[str, int], pooling: Pooling) -> bool:
    """Whether conv2d_pool_map can do this: windows side by side, without padding, behind a convolution in one group."""
    unpooled = tuple(sizes[name] for name in ("N", "OH", "OW", "O"))
    return sizes["GROUPS"] == 1 and geometry.windows_side_by_side(unpooled, **pooling)


def _map_sizes(
    op: str, x: Array, kernel: Array, map: Array, convolution: Convolution, pooling: Pooling, /, **pooled: Array
) -> dict[str, int]:
    sizes = _pooled_sizes(op, x, kernel, convolution, pooling, **pooled)
    expect_shape(op, tuple(sizes[name] for name in ("N", "O", "OH", "OW")), map=map)
    return sizes


def conv2d_pool_map_pays(x: Array, kernel: Array, *, convolution: Convolution, pooling: Pooling) -> bool:
    """Whether conv2d_pool_map and its gradient can do this, and faster than the steps one by one."""
    op = "conv2d_pool_map"
    sizes = _pooled_sizes(op, x, kernel, convolution, pooling)
    if not _in_planes(sizes, pooling):
        return False
    arrays = {"x": None, "kernel": None, "bias": None, "y": None, "map": None}
    unbound = step(op, **arrays, **sizes, ACTIVATION=0, slope=0.0)
    return conv2d_algorithm(unbound) == "narrow"


def conv2d_pool_map(
    x: Array,
    kernel: Array,
    bias: Array | None,
    y: Array,
    map: Array,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    slope: float = 0.0,
) -> Step:
    """y = mean of the windows of map, map (N,O,OH,OW) = activation(x (*) kernel + bias) in planes, for the gradient."""
    op = "conv2d_pool_map"
    sizes = _map_sizes(op, x, kernel, map, convolution, pooling, y=y)
    expect_shape(op, (sizes["O"],), bias=bias)
    kind = activation_code(op, activation)
    return step(op, x=x, kernel=kernel, bias=bias, y=y, map=map, **sizes, ACTIVATION=kind, slope=slope)


def conv2d_pool_map_backward_kernel(
    x: Array,
    dy: Array,
    map: Array,
    dkernel: Array,
    dbias: Array | None,
    *,
    convolution: Convolution,
    pooling: Pooling,
    activation: str = "linear",
    slope: float = 0.0,
) -> Step:
    """dkernel and dbias of conv2d_pool_map."""
    op = "conv2d_pool_map_backward_kernel"
    sizes = _map_sizes(op, x, dkernel, map, convolution, pooling, dy=dy)
    expect_shape(op, (sizes["O"],), dbias=dbias)
    kind = activation_code(op, activation)
    return step(op, x=x, dy=dy, map=map, dkernel=dkernel, dbias=dbias, **sizes, ACTIVATION=kind, slope=slope)
