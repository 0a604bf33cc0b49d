"""Sizes of pictures on their way through a network: the only copy of this arithmetic in the project.

Every argument that is a size has its limit here, and every product of sizes: within them no formula leaves int64, and
no array is asked for that no machine has. The compiled kernels check theirs again (native/runtime/checks.cpp).

Letters: N batch, H W height and width, C input channels, O output channels, KH KW kernel, PH PW pooling window,
SH SW stride, DH DW dilation, OH OW output, G groups. A `Pair` is (rows, columns); `Pads` is
((top, bottom), (left, right)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import ConfigError, ShapeError, shown

Array = NDArray[Any]
"""An array of any type; what it holds, docstrings say."""
Pair = tuple[int, int]
"""Rows and columns."""
Pads = tuple[Pair, Pair]
"""(above, below), (left, right), in pixels."""
Shape = tuple[int, ...]
"""A shape."""
Padding = Literal["valid", "same"] | Pads

NO_PADS: Pads = ((0, 0), (0, 0))

MAX_SIDE = 2**20
"""Largest window, stride, dilation and padding along one side. Units: pixels, samples or channels."""
SMALLEST, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
"""Between these are the numbers above 0 that float32 holds at full precision."""
MAX_NUMBERS = 2**30
"""Most numbers in one picture, on any layer and with its padding: 4 GB in float32."""
MAX_WEIGHTS = 2**28
"""Most numbers in one array of weights: 1 GB, and training keeps four of them."""
MAX_TOTAL = 2**42
"""Most numbers in any one array."""
MAX_AXES = 8
"""Most axes of one picture or example."""


class Convolution(TypedDict):
    """How a kernel slides, in pixels: what `conv2d(x, kernel, bias, **convolution)` takes besides arrays."""

    strides: Pair
    padding: Pads
    dilation: NotRequired[Pair]
    groups: NotRequired[int]


class Pooling(TypedDict):
    """How a pooling window slides, in pixels: what `max_pool2d(x, **pooling)` takes besides arrays."""

    pool_size: Pair
    strides: Pair
    padding: Pads


def _is_int(value: object) -> bool:  # exact types first: asking an abstract class takes ten times as long
    return type(value) is int or (isinstance(value, Integral) and not isinstance(value, bool))


def whole(value: object, name: str, most: int = MAX_NUMBERS, *, least: int = 1) -> int:
    """A whole number from `least` to `most`; an array of one such number and no axes, too.

    Errors: ConfigError for anything else.
    """
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if not _is_int(value) or not least <= value <= most:  # type: ignore[operator]
        above = f" and at most {most:,}" if _is_int(value) and value > most else ""  # type: ignore[operator]
        raise ConfigError(f"{name} must be a whole number of at least {least}{above}, got {shown(value)}")
    return int(value)  # type: ignore[arg-type]


def number(value: Any, what: str, low: float, high: float = float("inf")) -> float:
    """A number in [low, high) that float32 can hold. Errors: ConfigError naming `what`."""
    found = _real(value)
    if found is None or not low <= found < high or found > LARGEST:
        bound = f"of at least {low:g}" if high == float("inf") else f"from {low:g} to below {high:g}"
        bound += f" and at most {LARGEST:.2g}" if found is not None and found > LARGEST else ""
        raise ConfigError(f"{what} must be a number {bound}, got {shown(value)}")
    return found


def above_zero(value: Any, what: str) -> float:
    """A number above 0 that float32 can hold. Errors: ConfigError naming `what`."""
    found = _real(value)
    if found is None or not SMALLEST <= found <= LARGEST:
        within = f", from {SMALLEST:.2g} to {LARGEST:.2g}" if found is not None and found > 0 else ""
        raise ConfigError(f"{what} must be a number above 0{within}, got {shown(value)}")
    return found


def _real(value: Any) -> float | None:
    """`value` as a float; None for anything but a real number that is one."""
    value = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _ints(value: object, count: int) -> tuple[int, ...] | None:
    """`value` as `count` ints, or None where it is anything else."""
    words = isinstance(value, str | bytes | bytearray)
    if type(value) is not tuple and (words or not (isinstance(value, Sequence) or getattr(value, "ndim", 0) == 1)):
        return None
    if len(value) != count:  # type: ignore[arg-type]
        return None
    items = list(value)  # type: ignore[call-overload]
    return tuple(int(item) for item in items) if all(map(_is_int, items)) else None


def pair(value: object, name: str, *, least: int = 1) -> Pair:
    """(rows, columns) from one int or two.

    >>> pair(3, "kernel_size"), pair([2, 1], "strides")
    ((3, 3), (2, 1))

    Errors: ConfigError for anything but one or two ints from `least` to MAX_SIDE.
    """
    both = _ints((value, value) if _is_int(value) else value, 2)
    if both is None or min(both) < least or max(both) > MAX_SIDE:
        above = f" and at most {MAX_SIDE:,}" if both is not None and max(both) > MAX_SIDE else ""
        raise ConfigError(
            f"{name} must be a whole number of at least {least}{above}, or two of them (rows, columns), "
            f"got {shown(value)}"
        )
    return both[0], both[1]


def standardize_padding(padding: object, name: str = "padding") -> Padding:
    """What a layer stores: "valid", "same" or explicit pads, to be resolved when the input's size is known.

    >>> standardize_padding("SAME"), standardize_padding(1), standardize_padding((1, 2))
    ('same', ((1, 1), (1, 1)), ((1, 1), (2, 2)))
    >>> standardize_padding(((0, 1), (2, 3)))
    ((0, 1), (2, 3))

    Units: pixels; a pair is (top and bottom, left and right), two pairs are ((top, bottom), (left, right)).
    Errors: ConfigError for anything else, and for more than MAX_SIDE pixels.
    """
    pads: Pads | None = None
    if isinstance(padding, str):
        word = padding.lower()
        if word == "valid":
            return "valid"
        if word == "same":
            return "same"
    elif (two := _ints((padding, padding) if _is_int(padding) else padding, 2)) is not None:
        pads = (two[0], two[0]), (two[1], two[1])
    elif isinstance(padding, Sequence) and len(padding) == 2:
        rows, columns = _ints(padding[0], 2), _ints(padding[1], 2)
        if rows is not None and columns is not None:
            pads = (rows[0], rows[1]), (columns[0], columns[1])
    if pads is not None and min(pads[0] + pads[1]) >= 0 and max(pads[0] + pads[1]) <= MAX_SIDE:
        return pads
    raise ConfigError(
        f'{name} must be "valid", "same", a number of pixels, a pair (rows, columns) or '
        f"((top, bottom), (left, right)), none negative, none above {MAX_SIDE:,}, got {shown(padding)}"
    )


def standardize_shape(shape: object, name: str) -> Shape:
    """The shape of one picture or example, without the batch axis, as a tuple of ints; one int is one axis.

    Errors: ConfigError for anything else, or more than MAX_AXES axes or MAX_NUMBERS numbers.
    """
    given = (shape,) if _is_int(shape) else shape
    axes = len(given) if isinstance(given, Sequence) or getattr(given, "ndim", 0) == 1 else 0  # type: ignore[arg-type]
    sizes = _ints(given, axes) if 1 <= axes <= MAX_AXES else None
    if sizes is None or min(sizes) < 1:
        raise ConfigError(f"{name} must be 1 to {MAX_AXES} sizes of at least 1 without the batch, got {shown(shape)}")
    expect_numbers(sizes, name)
    return sizes


def expect_numbers(shape: Shape, what: str) -> None:
    """Errors: ShapeError where one picture or example of this shape has more than MAX_NUMBERS numbers."""
    if math.prod(shape) > MAX_NUMBERS:
        raise ShapeError(
            f"{what} would be {_by(shape)} numbers for each picture, at most {MAX_NUMBERS:,} can be; "
            "use smaller sizes, or larger strides"
        )


def expect_weights(shape: Shape, what: str) -> None:
    """Errors: ConfigError where one array of weights has more than MAX_WEIGHTS numbers."""
    if math.prod(shape) > MAX_WEIGHTS:
        raise ConfigError(
            f"{what} would have {_by(shape)} weights, at most {MAX_WEIGHTS:,} can be; "
            "use fewer units or filters, a smaller kernel, or smaller pictures"
        )


def _by(shape: Shape) -> str:
    return "x".join(map(shown, shape))


def expect_total(shape: Shape, what: str) -> None:
    """Errors: MemoryError where an array of this shape has more than MAX_TOTAL numbers, before it is asked for."""
    if math.prod(shape) > MAX_TOTAL:
        raise MemoryError(f"{what} of {_by(shape)} numbers is more than any machine can hold; use smaller batches")


def window_span(kernel: Pair, dilation: Pair = (1, 1)) -> Pair:
    """Pixels from a window's first tap to its last: (K - 1) * D + 1."""
    return (kernel[0] - 1) * dilation[0] + 1, (kernel[1] - 1) * dilation[1] + 1


def resolve_padding(padding: object, size: Pair, kernel: Pair, strides: Pair, dilation: Pair = (1, 1)) -> Pads:
    """Pads in pixels for one size of picture; "same" makes OH = ceil(H / SH), an odd row below, an odd column right.

    >>> resolve_padding("same", (28, 28), (5, 5), (1, 1)), resolve_padding("same", (5, 4), (2, 2), (2, 2))
    (((2, 2), (2, 2)), ((0, 1), (0, 0)))

    Errors: ConfigError for padding that `standardize_padding` refuses.
    Source: TensorFlow's documentation of SAME padding (tf.nn, "Notes on padding").
    """
    padding = standardize_padding(padding)
    if padding == "valid":
        return NO_PADS
    if padding != "same":
        return padding
    pads = []
    for length, span, stride in zip(size, window_span(kernel, dilation), strides, strict=True):
        total = max((-(-length // stride) - 1) * stride + span - length, 0)
        pads.append((total // 2, total - total // 2))
    return pads[0], pads[1]


def ceil_padding(pads: Pads, size: Pair, window: Pair, strides: Pair) -> Pads:
    """`pads` with as much more below and right as a last window needs that begins on the picture or the pads before it.

    So OH is (H + top + bottom - PH) / SH + 1 rounded up, but no window begins below the picture.

    >>> ceil_padding(NO_PADS, (7, 6), (3, 2), (3, 2)), ceil_padding(((1, 1), (0, 0)), (5, 5), (2, 2), (2, 3))
    (((0, 2), (0, 0)), ((1, 1), (0, 0)))

    Source: PyTorch's documentation of MaxPool2d, ceil_mode.
    """
    after = []
    for (before, behind), length, taps, stride in zip(pads, size, window, strides, strict=True):
        windows = -(-max(length + before + behind - taps, 0) // stride) + 1
        windows -= (windows - 1) * stride >= length + before
        after.append(max(behind, (windows - 1) * stride + taps - length - before))
    return (pads[0][0], after[0]), (pads[1][0], after[1])


def window_start(place: Pair, strides: Pair, pads: Pads = NO_PADS) -> Pair:
    """The row and column of the input that a window's first tap lies on: i * SH - top; below 0 on the padding.

    >>> window_start((0, 3), (2, 2), ((1, 1), (0, 0)))
    (-1, 6)
    """
    return place[0] * strides[0] - pads[0][0], place[1] * strides[1] - pads[1][0]


def least_input(kernel: Pair, pads: Pads = NO_PADS, dilation: Pair = (1, 1)) -> Pair:
    """The smallest picture a window fits into: span - top - bottom, at least 1; the width likewise."""
    spans = window_span(kernel, dilation)
    return max(1, spans[0] - sum(pads[0])), max(1, spans[1] - sum(pads[1]))


def adaptive_windows(size: int, count: int) -> list[slice]:
    """So many windows along so many pixels, from floor(i * size / count) up to ceil((i + 1) * size / count).

    >>> [(each.start, each.stop) for each in adaptive_windows(7, 3)]
    [(0, 3), (2, 5), (4, 7)]
    """
    return [slice(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def output_size(size: Pair, kernel: Pair, strides: Pair, pads: Pads = NO_PADS, dilation: Pair = (1, 1)) -> Pair:
    """OH = (H + top + bottom - span) // SH + 1 with span = (KH - 1) * DH + 1; OW likewise.

    >>> output_size((28, 28), (5, 5), (1, 1)), output_size((227, 227), (11, 11), (4, 4))
    ((24, 24), (55, 55))

    Errors: ShapeError if the window does not fit into the padded picture.
    """
    spans = window_span(kernel, dilation)
    padded = (size[0] + sum(pads[0]), size[1] + sum(pads[1]))
    least = least_input(kernel, pads, dilation)
    if size[0] < least[0] or size[1] < least[1]:
        dilated = f" dilated by {dilation[0]}x{dilation[1]}" if dilation != (1, 1) else ""
        raise ShapeError(
            f"window {kernel[0]}x{kernel[1]}{dilated} needs at least {least[0]}x{least[1]} input, "
            f'got {size[0]}x{size[1]}; use padding="same", a smaller window, or a larger picture'
        )
    return (padded[0] - spans[0]) // strides[0] + 1, (padded[1] - spans[1]) // strides[1] + 1


def transposed_size(
    size: Pair, kernel: Pair, strides: Pair, padding: Padding, more: Pair | None = None, dilation: Pair = (1, 1)
) -> Pair:
    """What a convolution of these settings makes `size` of: the output of the transposed one.

    more: rows and columns beyond the least; None: what makes H * SH of "same", and at least that of "valid".
    >>> transposed_size((7, 5), (2, 3), (2, 2), "same"), transposed_size((7, 5), (2, 3), (2, 2), "valid")
    ((14, 10), (14, 11))
    >>> transposed_size((7, 5), (3, 3), (2, 2), ((1, 1), (1, 1)), (1, 0))
    (14, 9)
    """
    spans, found = window_span(kernel, dilation), []
    for axis, (length, span, stride) in enumerate(zip(size, spans, strides, strict=True)):
        if padding == "same":
            last = stride if more is None else span % 2 + more[axis]
        else:
            last = span + (0 if more is None else more[axis])
            last = max(last, stride) if padding == "valid" and more is None else last
            last -= 0 if isinstance(padding, str) else sum(padding[axis])
        found.append((length - 1) * stride + last)
    return found[0], found[1]


def padded_shape(shape: Shape, pads: Pads) -> Shape:
    """(top+H+bottom, left+W+right, C) for one picture (H,W,C)."""
    return shape[0] + sum(pads[0]), shape[1] + sum(pads[1]), *shape[2:]


def picture_shape(shape: object, what: str) -> tuple[int, int, int, int]:
    """(N, H, W, C), or any other four sizes. Errors: ShapeError for anything but four whole numbers that can be."""
    sizes = _ints(shape, 4)
    if sizes is None:
        raise ShapeError(f"{what}: expected pictures (N, H, W, C), got shape {shown(shape)}; add the missing axes")
    if min(sizes) < 0 or max(sizes) > MAX_NUMBERS:
        raise ShapeError(f"{what}: sizes must be from 0 to {MAX_NUMBERS:,}, got shape {shown(shape)}")
    return sizes[0], sizes[1], sizes[2], sizes[3]


def conv2d_shape(
    x_shape: Shape,
    kernel_shape: Shape,
    strides: Pair = (1, 1),
    padding: Pads = NO_PADS,
    dilation: Pair = (1, 1),
    groups: int = 1,
) -> Shape:
    """Shape of a convolution's output.

    Shapes: x (N,H,W,C), kernel (KH,KW,C/G,O) -> (N,OH,OW,O).
    Errors: ShapeError if the axes, the channels or the groups do not match, or if the kernel does not fit.
    """
    n, h, w, c = picture_shape(x_shape, "conv2d")
    expect_numbers(padded_shape((h, w, c), padding), "conv2d: the padded picture")
    sizes = _ints(kernel_shape, 4)
    if sizes is None or min(sizes) < 0 or max(sizes) > MAX_NUMBERS:
        raise ShapeError(f"conv2d: expected a kernel (KH, KW, C/groups, O), got shape {shown(kernel_shape)}")
    kh, kw, c_group, o = sizes
    if groups < 1 or c_group * groups != c:
        raise ShapeError(
            f"conv2d: a kernel {tuple(kernel_shape)} in {groups} group(s) expects {c_group * groups} input channels, "
            f"got {c} in shape {tuple(x_shape)}; change the kernel's third size or the groups"
        )
    if o % groups:
        raise ShapeError(f"conv2d: {o} filters do not divide into {groups} groups; choose a multiple of {groups}")
    shape = (*output_size((h, w), (kh, kw), strides, padding, dilation), o)
    expect_numbers(shape, "conv2d: the output")
    return n, *shape


def pool2d_shape(x_shape: Shape, pool_size: Pair, strides: Pair, padding: Pads = NO_PADS) -> Shape:
    """Shape of a pooling's output.

    Shapes: x (N,H,W,C) -> (N,OH,OW,C).
    Errors: ShapeError if a window does not fit; ConfigError if a window could lie wholly on padding.
    """
    n, h, w, c = picture_shape(x_shape, "pool2d")
    if max(padding[0]) >= pool_size[0] or max(padding[1]) >= pool_size[1]:
        raise ConfigError(
            f"pool2d: padding {padding} must be smaller than the window {pool_size[0]}x{pool_size[1]} on every side, "
            "or some window would hold no pixel; use less padding or a larger window"
        )
    expect_numbers(padded_shape((h, w, c), padding), "pool2d: the padded picture")
    shape = (*output_size((h, w), pool_size, strides, padding), c)
    expect_numbers(shape, "pool2d: the output")
    return n, *shape


def windows_side_by_side(x_shape: Shape, pool_size: Pair, strides: Pair, padding: Pads) -> bool:
    """Whether pooling's windows lie next to each other within the picture: no overlap, gap or padding."""
    _, rows, columns, _ = pool2d_shape(x_shape, pool_size, strides, padding)
    inside = rows * pool_size[0] <= x_shape[1] and columns * pool_size[1] <= x_shape[2]
    return inside and strides == pool_size and padding == NO_PADS
