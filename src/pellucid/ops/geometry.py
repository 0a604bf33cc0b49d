"""Sizes of pictures on their way through a network: the only copy of this arithmetic in the project.

Letters: N batch, H W height and width, C input channels, O output channels, KH KW kernel, PH PW pooling window,
SH SW stride, DH DW dilation, OH OW output, G groups. A `Pair` is (rows, columns); `Pads` is
((top, bottom), (left, right)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NotRequired, TypedDict

from numpy.typing import NDArray

from pellucid.errors import ConfigError, ShapeError

Array = NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]
Padding = Literal["valid", "same"] | Pads

NO_PADS: Pads = ((0, 0), (0, 0))


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


def _ints(value: object, count: int) -> tuple[int, ...] | None:
    """`value` as `count` ints, or None where it is anything else."""
    if type(value) is not tuple and (
        isinstance(value, str) or not (isinstance(value, Sequence) or hasattr(value, "__array__"))
    ):
        return None
    items = list(value)  # type: ignore[call-overload]
    return tuple(int(item) for item in items) if len(items) == count and all(map(_is_int, items)) else None


def pair(value: object, name: str) -> Pair:
    """(rows, columns) from one int or two.

    >>> pair(3, "kernel_size"), pair([2, 1], "strides")
    ((3, 3), (2, 1))

    Errors: ConfigError for anything but one or two ints of at least 1.
    """
    both = _ints((value, value) if _is_int(value) else value, 2)
    if both is None or min(both) < 1:
        raise ConfigError(f"{name} must be a whole number of at least 1, or two of them (rows, columns), got {value!r}")
    return both[0], both[1]


def standardize_padding(padding: object, name: str = "padding") -> Padding:
    """What a layer stores: "valid", "same" or explicit pads, to be resolved when the input's size is known.

    >>> standardize_padding("SAME"), standardize_padding(1), standardize_padding((1, 2))
    ('same', ((1, 1), (1, 1)), ((1, 1), (2, 2)))
    >>> standardize_padding(((0, 1), (2, 3)))
    ((0, 1), (2, 3))

    Units: pixels; a pair is (top and bottom, left and right), two pairs are ((top, bottom), (left, right)).
    Errors: ConfigError for anything else.
    """
    if isinstance(padding, str):
        word = padding.lower()
        if word == "valid":
            return "valid"
        if word == "same":
            return "same"
    elif (two := _ints((padding, padding) if _is_int(padding) else padding, 2)) is not None:
        if min(two) >= 0:
            return (two[0], two[0]), (two[1], two[1])
    elif isinstance(padding, Sequence) and len(padding) == 2:
        rows, columns = _ints(padding[0], 2), _ints(padding[1], 2)
        if rows is not None and columns is not None and min(rows + columns) >= 0:
            return (rows[0], rows[1]), (columns[0], columns[1])
    raise ConfigError(
        f'{name} must be "valid", "same", a number of pixels, a pair (rows, columns) or '
        f"((top, bottom), (left, right)), none negative, got {padding!r}"
    )


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


def _picture(shape: Shape, what: str) -> tuple[int, int, int, int]:
    if len(shape) != 4:
        raise ShapeError(f"{what}: expected pictures (N, H, W, C), got shape {tuple(shape)}; add the missing axes")
    return shape[0], shape[1], shape[2], shape[3]


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
    n, h, w, c = _picture(x_shape, "conv2d")
    if len(kernel_shape) != 4:
        raise ShapeError(f"conv2d: expected a kernel (KH, KW, C/groups, O), got shape {tuple(kernel_shape)}")
    kh, kw, c_group, o = kernel_shape
    if groups < 1 or c_group * groups != c:
        raise ShapeError(
            f"conv2d: a kernel {tuple(kernel_shape)} in {groups} group(s) expects {c_group * groups} input channels, "
            f"got {c} in shape {tuple(x_shape)}; change the kernel's third size or the groups"
        )
    if o % groups:
        raise ShapeError(f"conv2d: {o} filters do not divide into {groups} groups; choose a multiple of {groups}")
    return (n, *output_size((h, w), (kh, kw), strides, padding, dilation), o)


def pool2d_shape(x_shape: Shape, pool_size: Pair, strides: Pair, padding: Pads = NO_PADS) -> Shape:
    """Shape of a pooling's output.

    Shapes: x (N,H,W,C) -> (N,OH,OW,C).
    Errors: ShapeError if a window does not fit; ConfigError if a window could lie wholly on padding.
    """
    n, h, w, c = _picture(x_shape, "pool2d")
    if max(padding[0]) >= pool_size[0] or max(padding[1]) >= pool_size[1]:
        raise ConfigError(
            f"pool2d: padding {padding} must be smaller than the window {pool_size[0]}x{pool_size[1]} on every side, "
            "or some window would hold no pixel; use less padding or a larger window"
        )
    return (n, *output_size((h, w), pool_size, strides, padding), c)


def windows_side_by_side(x_shape: Shape, pool_size: Pair, strides: Pair, padding: Pads) -> bool:
    """Whether pooling's windows lie next to each other within the picture: no overlap, gap or padding."""
    _, rows, columns, _ = pool2d_shape(x_shape, pool_size, strides, padding)
    inside = rows * pool_size[0] <= x_shape[1] and columns * pool_size[1] <= x_shape[2]
    return inside and strides == pool_size and padding == NO_PADS


def pad2d_shape(x_shape: Shape, pads: Pads) -> Shape:
    """Shape of padded pictures.

    Shapes: x (N,H,W,C) -> (N, top+H+bottom, left+W+right, C).
    """
    n, h, w, c = _picture(x_shape, "pad2d")
    return n, h + sum(pads[0]), w + sum(pads[1]), c


def conv2d_macs(y_shape: Shape, kernel_shape: Shape) -> int:
    """Multiply-accumulates of a convolution: OH * OW * O * KH * KW * C/G for each picture.

    >>> conv2d_macs((24, 24, 30), (5, 5, 1, 30))
    432000

    Shapes: y (OH,OW,O), or (N,OH,OW,O) for a whole batch; kernel (KH,KW,C/G,O).
    """
    return math.prod(y_shape) * math.prod(kernel_shape[:3])


def dense_macs(y_shape: Shape, kernel_shape: Shape) -> int:
    """Multiply-accumulates of a dense layer: inputs * units for each row.

    Shapes: y (units,), or (N,units) for a whole batch; kernel (inputs,units).
    """
    return math.prod(y_shape) * kernel_shape[0]


def activation_bytes(shape: Shape, itemsize: int = 4) -> int:
    """Memory of one array of activations. Units: bytes."""
    return math.prod(shape) * itemsize


@dataclass(frozen=True)
class ReceptiveField:
    """How many input pixels one value sees (`size`), and how far apart neighbours' views lie (`jump`).

    >>> field = ReceptiveField().step((5, 5)).step((2, 2), (2, 2))
    >>> field.size, field.jump
    ((6, 6), (2, 2))

    Units: pixels of the network's input, borders ignored.
    Source: Dumoulin & Visin 2016; Araujo, Norris & Sim 2019, equation 1.
    """

    size: Pair = (1, 1)
    jump: Pair = (1, 1)

    def step(self, kernel: Pair, strides: Pair = (1, 1), dilation: Pair = (1, 1)) -> ReceptiveField:
        """The field behind one more window: size + (span - 1) * jump, jump * stride."""
        spans = window_span(kernel, dilation)
        return ReceptiveField(
            (self.size[0] + (spans[0] - 1) * self.jump[0], self.size[1] + (spans[1] - 1) * self.jump[1]),
            (self.jump[0] * strides[0], self.jump[1] * strides[1]),
        )
