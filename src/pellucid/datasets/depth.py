"""Pictures of more than 8 bits: brought to 8 by the range their numbers are in, not by that of the file's type.

A camera's or a scanner's 12 bits are often kept in numbers of 16: divided by 256 they would be nearly black.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

WIDTHS = (8, 10, 12, 14, 16, 24, 32)
"""Bits that devices count in: a picture has the least of these that holds its largest number."""

_BITS_PER_SAMPLE, _LARGEST, _PHOTOMETRIC = 258, 281, 262  # of TIFF
_WHITE_IS_ZERO = 0


def is_deep_grey(image: Image.Image) -> bool:
    """Whether a picture is one channel of whole numbers beyond 255, or of floating-point ones."""
    return image.mode in ("I", "F") or image.mode.startswith("I;")


def grey_of(image: Image.Image) -> tuple[Image.Image, str | None]:
    """A deep grey picture as "L", and what its numbers are where they are not 16 bits of 16."""
    from PIL import Image

    values = np.asarray(image)
    told: str | None
    if image.mode == "F":
        pixels, told = _of_floats(values)
    else:
        values = values.astype(np.int64)
        lowest = min(int(values.min()), 0)  # signed numbers begin at their smallest
        pixels, told = _of_bits(values - lowest, _own_bits(image, int(values.max()) - lowest))
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode.startswith("I"):
        pixels = 255 - pixels
    return Image.fromarray(pixels), told


def has_two_bytes(image: Image.Image) -> bool:
    """Whether each number of a colour picture has two bytes, of which Pillow gives the high one."""
    tiles = getattr(image, "tile", [])
    return bool(tiles) and all(_swapped(tile.args) is not None for tile in tiles)


def give_low_bytes(image: Image.Image) -> None:
    """Let such a picture, before it is loaded, give the low bytes."""
    opened: Any = image
    opened.tile = [tile._replace(args=_swapped(tile.args)) for tile in opened.tile]


def colour_of(high: Image.Image, low: Image.Image) -> tuple[Image.Image, str | None]:
    """A colour picture of two bytes a number by the bits that it uses; an alpha channel is left as it is."""
    from PIL import Image

    upper, lower = (np.asarray(image).astype(np.int64) for image in (high, low))
    values = upper[..., :3] << 8 | lower[..., :3]
    pixels, told = _of_bits(values, _bits(int(values.max())))
    return Image.fromarray(np.concatenate([pixels, upper[..., 3:].astype(np.uint8)], axis=-1)), told


def _swapped(args: Any) -> Any:
    """The decoder's arguments with the byte order turned round; None where its numbers are not of 16 bits."""
    mode = args if isinstance(args, str) else args[0] if args else ""
    order = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    if not isinstance(mode, str) or not mode.startswith(("RGB;16", "RGBA;16")):
        return None
    turned = mode[:-1] + order[mode[-1]]
    return turned if isinstance(args, str) else (turned, *args[1:])


def _own_bits(image: Image.Image, most: int) -> int:
    """The bits of whole numbers up to `most`: as the file says, where it does, else the least that devices count in."""
    if image.format == "PPM":  # its header has the largest number, and Pillow has brought that to 65,535
        return 16
    tags = getattr(image, "tag_v2", {})
    width, largest = tags.get(_BITS_PER_SAMPLE, (16,))[0], tags.get(_LARGEST)
    if width not in (16, 32) and most < 1 << width:
        return int(width)
    own = int(largest if not isinstance(largest, tuple) else largest[0]).bit_length() if largest else 0
    return own if own >= max(most.bit_length(), 8) else _bits(most)


def _bits(most: int) -> int:
    return next((bits for bits in WIDTHS if most < 1 << bits), 33)


def _of_bits(values: NDArray[np.int64], bits: int) -> tuple[NDArray[np.uint8], str | None]:
    told = None if bits in (16, 8) and not (bits == 8 and values.any()) else f"numbers of {bits} bits"
    return np.clip(values >> (bits - 8), 0, 255).astype(np.uint8), told


def _of_floats(values: NDArray[Any]) -> tuple[NDArray[np.uint8], str]:
    """From 0 to 1, or from 0 to 255, where they lie there; else from their smallest to their largest."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    start, end = (0.0, 1.0 if high <= 1 else 255.0) if low >= 0 and high <= 255 else (low, high)
    scaled = np.nan_to_num((values.astype(np.float64) - start) / (end - start), nan=0.0, posinf=1.0, neginf=0.0)
    told = f"floating-point numbers, taken from {start:.6g} to {end:.6g}"
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8), told
