"""Layers that make pictures larger or smaller without a weight: borders, cropping, upsampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

from pellucid import ops
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.layers.layer import Cache, Key, Layer, Named
from pellucid.layers.window import describe_padding
from pellucid.ops import Array, Pads, Shape
from pellucid.ops.geometry import pair, standardize_padding
from pellucid.ops.rearranging import bordered_shape, cropped_shape, upsampled_shape


class Border(Layer):
    """What layers do that add or take away rows and columns around pictures. Units: pixels."""

    linear = True

    def _pixels(self, value: Any, argument: str) -> Pads:
        """Errors: ConfigError for anything but pixels."""
        pads = standardize_padding(value, f"{type(self).__name__}: {argument}")
        if isinstance(pads, str):
            raise ConfigError(
                f"{type(self).__name__}: {argument} must be pixels, got {shown(value)}; "
                "a convolution takes the word itself"
            )
        return pads


class Padding2D(Border):
    """A border around each picture: zeros ("constant"), the picture mirrored at its edge, whose pixels are not repeated
    ("reflect"), or the pixels of the edge repeated ("edge").

    Shapes: x (N,H,W,C) -> y (N, top+H+bottom, left+W+right, C).
    Units: padding in pixels: a number, (rows, columns), or ((top, bottom), (left, right)).
    Errors: ConfigError for padding that is negative or a word, or an unknown mode; ShapeError for a reflected border as
        wide as the picture.
    """

    role = "padding"

    def __init__(self, padding: int | Sequence[Any] = 1, mode: str = "constant", **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.padding = self._pixels(padding, "padding")
        self.mode = expect_known("padding mode", mode, ops.BORDERS)

    @property
    def caption(self) -> tuple[str, ...]:
        return ({"constant": "zero"}.get(self.mode, self.mode) + " padding",)

    def pads(self, input_shape: Shape) -> Pads:
        return self.padding

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        return bordered_shape(input_shape, self.padding, self.mode, f"{self.place()}: its output")

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return ops.pad2d(x, self.padding, self.mode), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return ops.pad2d_backward(dy, cache, self.padding, self.mode) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape | None:
        found = []
        for i, size, (before, _) in zip(place[:2], input_shape, self.padding, strict=False):
            i -= before
            if not 0 <= i < size:
                if self.mode == "constant":
                    return None
                edge = 0 if i < 0 else size - 1
                i = edge if self.mode == "edge" else 2 * edge - i
            found.append(i)
        return *found, place[2]

    def detail(self) -> str:
        return describe_padding(self.padding) + ("" if self.mode == "constant" else f", {self.mode}")


class ZeroPadding2D(Padding2D):
    """A border of zeros around each picture: `Padding2D`, by the name that Keras has for it.

    Shapes: x (N,H,W,C) -> y (N, top+H+bottom, left+W+right, C).
    Units: padding in pixels: a number, (rows, columns), or ((top, bottom), (left, right)).
    Errors: ConfigError for padding that is negative or a word.
    """

    def __init__(self, padding: int | Sequence[Any] = 1, **named: Unpack[Named]) -> None:
        super().__init__(padding, **named)


class Cropping2D(Border):
    """Rows and columns cut off around each picture.

    Shapes: x (N,H,W,C) -> y (N, H-top-bottom, W-left-right, C).
    Units: cropping in pixels: a number, (rows, columns), or ((top, bottom), (left, right)).
    Errors: ConfigError for cropping that is negative or a word; ShapeError where nothing is left.
    """

    role = "cropping"
    caption = ("crop",)

    def __init__(self, cropping: int | Sequence[Any] = ((0, 0), (0, 0)), **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.cropping = self._pixels(cropping, "cropping")

    def pads(self, input_shape: Shape) -> Pads:
        (top, bottom), (left, right) = self.cropping
        return (-top, -bottom), (-left, -right)

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        return cropped_shape(input_shape, self.cropping, self.place())

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        return ops.pad2d_backward(x, (len(x), *self.output_shape(x.shape[1:])), self.cropping), None

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return ops.pad2d(dy, self.cropping) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        return place[0] + self.cropping[0][0], place[1] + self.cropping[1][0], place[2]

    def detail(self) -> str:
        (top, bottom), (left, right) = self.cropping
        return f"{top},{bottom} {left},{right}"


class UpSampling2D(Layer):
    """Pictures made larger by whole factors: each pixel repeated ("nearest"), or in between by the distance to the
    centres of the nearest four ("bilinear").

    Shapes: x (N,H,W,C) -> y (N, H*SH, W*SW, C).
    Units: size: how many rows and columns become of one, a number or (rows, columns).
    Errors: ConfigError for sizes below 1, or an unknown interpolation; ShapeError for pictures that grow too large.
    Source: Keras's UpSampling2D: half-pixel centres, the edge's pixels beyond it.
    """

    role = "upsampling"
    linear = True

    def __init__(self, size: int | Sequence[int] = 2, interpolation: str = "nearest", **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.size = pair(size, "UpSampling2D: size")
        self.interpolation = expect_known("interpolation", interpolation, ops.INTERPOLATIONS)

    @property
    def caption(self) -> tuple[str, ...]:
        return (f"upsample {self.size[0]}x{self.size[1]}", *([] if self.interpolation == "nearest" else ["bilinear"]))

    @property
    def enlarges(self) -> tuple[tuple[int, int], int]:
        return self.size, 1 if self.interpolation == "nearest" else 2

    def output_shape(self, input_shape: Shape) -> Shape:
        self.check_rank(input_shape, "H, W, C", "add the missing axes")
        return upsampled_shape(input_shape, self.size, f"{self.place()}: its output")

    def forward(self, x: Array, *, training: bool = False, key: Key | None = None) -> tuple[Array, Cache]:
        self.output_shape(x.shape[1:])
        return ops.upsample2d(x, self.size, self.interpolation), x.shape

    def backward(self, dy: Array, cache: Cache, *, need_dx: bool = True) -> tuple[Array | None, dict[str, Array]]:
        return ops.upsample2d_backward(dy, cache, self.size, self.interpolation) if need_dx else None, {}

    def origin(self, place: Shape, input_shape: Shape) -> Shape:
        if self.interpolation != "nearest":
            raise ConfigError(f"{self.place()} mixes numbers, of which none is its input's alone")
        return place[0] // self.size[0], place[1] // self.size[1], place[2]

    def detail(self) -> str:
        return f"{self.size[0]}x{self.size[1]}, {self.interpolation}"
