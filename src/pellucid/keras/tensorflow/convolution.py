"""Convolution by a kernel that is given, and pooling, by TensorFlow's names: what the layers do, of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import layers, ops
from pellucid.autodiff import is_recording, node_of, recorded
from pellucid.errors import ConfigError, shown
from pellucid.keras.tensor import tensor
from pellucid.ops.geometry import Array, resolve_padding

__all__ = ["avg_pool2d", "conv2d", "depthwise_conv2d", "max_pool2d"]


def expect_last(data_format: Any, where: str) -> None:
    """Errors: ConfigError for channels first."""
    if str(data_format).upper() not in ("NHWC", "NONE", "CHANNELS_LAST"):
        raise ConfigError(f"{where}: pictures are (N, H, W, C) here, got data_format={shown(data_format)}")


def conv2d(
    input: Any, filters: Any, strides: Any = 1, padding: Any = "VALID", data_format: Any = "NHWC", dilations: Any = 1,
    name: Any = None, *, groups: int = 1,
) -> Any:  # fmt: skip
    """As `ops.conv2d`. Shapes: input (N,H,W,C), filters (KH,KW,C/G,O). Errors: ConfigError for channels first."""
    expect_last(data_format, "conv2d")
    given = [tensor(each) for each in (input, filters)]
    x, kernel = (np.ascontiguousarray(each, np.float32) for each in given)
    step, apart = _pair(strides), _pair(1 if dilations is None else dilations)
    words = padding.lower() if isinstance(padding, str) else [tuple(each) for each in padding][1:3]
    pads = resolve_padding(words, x.shape[1:3], kernel.shape[:2], step, apart)
    window: Any = {"strides": step, "padding": pads, "dilation": apart, "groups": groups}
    y = ops.conv2d(x, kernel, **window)
    nodes = [node_of(each) for each in given]
    if not is_recording() or not any(node is not None for node in nodes):
        return tensor(y)

    def pull(d: Array, needed: Any) -> list[Array | None]:
        wanted = iter(needed)
        d = np.ascontiguousarray(d, np.float32)
        back: list[Array | None] = []
        if nodes[0] is not None:
            back.append(ops.conv2d_backward_input(d, kernel, x.shape, **window) if next(wanted) else None)
        if nodes[1] is not None:
            back.append(ops.conv2d_backward_kernel(x, d, kernel.shape, **window) if next(wanted) else None)
        return back

    return recorded(y, [node for node in nodes if node is not None], pull)


def depthwise_conv2d(
    input: Any, filter: Any, strides: Any = 1, padding: Any = "VALID", *more: Any, **named: Any
) -> Any:
    """The same, each channel by itself. Shapes: filter (KH,KW,C,M) -> (N,OH,OW,C*M)."""
    kernel = tensor(filter)
    height, width, channels, times = kernel.shape
    return conv2d(
        input, kernel.reshape(height, width, 1, channels * times), strides, padding, *more, groups=channels, **named
    )


def max_pool2d(
    input: Any, ksize: Any, strides: Any = None, padding: str = "VALID", data_format: Any = "NHWC", name: Any = None
) -> Any:
    """As the layer `MaxPool2D`. Errors: ConfigError for channels first."""
    expect_last(data_format, "max_pool2d")
    return layers.MaxPool2D(_pair(ksize), _pair(ksize if strides is None else strides), padding.lower())(tensor(input))


def avg_pool2d(
    input: Any, ksize: Any, strides: Any = None, padding: str = "VALID", data_format: Any = "NHWC", name: Any = None
) -> Any:
    """As the layer `AvgPool2D`. Errors: ConfigError for channels first."""
    expect_last(data_format, "avg_pool2d")
    return layers.AvgPool2D(_pair(ksize), _pair(ksize if strides is None else strides), padding.lower())(tensor(input))


def _pair(given: Any) -> tuple[int, int]:
    """Of one number, two, or four of which the outer are those of batch and channels."""
    sizes = [int(size) for size in np.atleast_1d(np.asarray(given))]
    sizes = sizes[1:3] if len(sizes) == 4 else sizes
    return sizes[0], sizes[-1]
