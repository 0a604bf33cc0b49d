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

_BITS_PER_SAMPLE, _LARGEST, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 281, 262, 339  # of TIFF
_WHITE_IS_ZERO = 0
_SIGNED = 2
_CLEAR = "transparency"
"""Where Pillow keeps the one value, or colour, of a PNG that is transparent."""


def is_deep_grey(image: Image.Image) -> bool:
    """Whether a picture is one channel of whole numbers beyond 0 to 255, or of floating-point ones."""
    return image.mode in ("I", "F") or image.mode.startswith("I;") or (image.mode == "L" and _is_signed(image))


def grey_of(image: Image.Image) -> tuple[Image.Image, str | None]:
    """A deep grey picture as "L", and what its numbers are where they are not 16 bits of 16."""
    from PIL import Image

    values = np.asarray(image)
    numbers: str | None
    if image.mode == "F":
        pixels, numbers = _of_floats(values)
    else:
        if image.mode == "L":
            values = values.view(np.int8)
        elif image.mode == "I" and not _is_signed(image):
            values = values.view(np.uint32)
        values = values.astype(np.int64 if image.mode == "I" else np.int32)
        lowest = min(int(values.min()), 0)  # signed numbers begin at their smallest
        pixels, numbers = _of_bits(values - lowest, _own_bits(image, int(values.max()) - lowest))
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        pixels = 255 - pixels
    if _CLEAR in image.info:
        pixels[values == image.info[_CLEAR]] = 255
    return Image.fromarray(pixels), numbers


def has_two_bytes(image: Image.Image) -> bool:
    """Whether each number of a picture in colour, or of a grey one with alpha, has two bytes.

    Pillow gives the high ones.
    """
    tiles = getattr(image, "tile", [])
    return bool(tiles) and all(_raw_mode(tile).startswith(_TWO_BYTES) for tile in tiles)


def is_grey_with_alpha(image: Image.Image) -> bool:
    """Whether such a picture, before it is loaded, is a grey one with alpha."""
    return all(_raw_mode(tile) == _GREY_ALPHA for tile in getattr(image, "tile", [])) and has_two_bytes(image)


def low_bytes(image: Image.Image) -> NDArray[np.uint8]:
    """The low bytes of such a picture that is not loaded yet. Shapes: (H,W,3) or (H,W,4)."""
    opened: Any = image
    grey = is_grey_with_alpha(image)
    opened.tile = [tile._replace(args=_swapped(tile)) for tile in opened.tile]
    opened.load()
    low = np.asarray(image)
    return low[..., [1, 1, 1, 3]] if grey else low


def colour_of(high: Image.Image, low: NDArray[np.uint8]) -> tuple[Image.Image, str | None]:
    """A picture of two bytes a number by the bits that it uses; its alpha has these too, or 16."""
    from PIL import Image

    both = np.asarray(high).astype(np.uint16)
    both <<= 8
    both |= low
    colours = 4 if high.mode == "CMYK" else 3
    values, alpha = both[..., :colours], both[..., colours:]
    bits = _bits(int(values.max()))
    pixels, numbers = _of_bits(values, bits)
    if _CLEAR in high.info:
        pixels[(values == high.info[_CLEAR]).all(axis=-1)] = 255
    opacity = alpha >> ((bits if alpha.max(initial=0) < 1 << bits else 16) - 8)
    whole = np.concatenate([pixels, opacity.astype(np.uint8)], axis=-1)
    return Image.frombytes(high.mode, high.size, whole.tobytes()), numbers


def correct(image: Image.Image) -> None:
    """What Pillow takes for something else in a picture that is not loaded yet.

    The transparent value of a grey PNG of 2 or 4 bits is not brought to the 8 that its pixels will have, and numbers of
    two bytes in a TIFF whose channels lie apart are read as of one.
    Errors: ValueError for channels of two bytes that lie apart and are neither red, green, blue nor alpha.
    """
    opened: Any = image
    tiles = getattr(image, "tile", [])
    bits = next((bits for tile in tiles for bits in (2, 4) if _raw_mode(tile) == f"L;{bits}"), 0)
    clear = image.info.get(_CLEAR)
    if bits and isinstance(clear, int) and clear < 1 << bits:
        image.info[_CLEAR] = clear * 255 // ((1 << bits) - 1)
    tags: Any = getattr(image, "tag_v2", {})
    if tags.get(_BITS_PER_SAMPLE, (8,))[0] == 16 and any(len(_raw_mode(tile)) == 1 for tile in tiles):
        if image.mode not in ("RGB", "RGBA"):
            raise ValueError("its channels of 16 bits lie apart")
        order = "B" if tags.prefix == b"MM" else "L"
        opened.tile = [tile._replace(args=(f"{_raw_mode(tile)};16{order}", *tile.args[1:])) for tile in tiles]


_GREY_ALPHA = "LA;16B"
_TWO_BYTES = tuple(f"{bands};16" for bands in ("RGB", "RGBA", "RGBX", "RGBa", "CMYK", "LA", "R", "G", "B", "A"))


def _is_signed(image: Image.Image) -> bool:
    return bool(getattr(image, "tag_v2", {}).get(_SAMPLE_FORMAT, (1,))[0] == _SIGNED)


def _raw_mode(tile: Any) -> str:
    args = tile.args
    mode = args if isinstance(args, str) else args[0] if args else ""
    return mode if isinstance(mode, str) else ""


def _swapped(tile: Any) -> Any:
    """The decoder's arguments with the byte order turned round; of grey and alpha, all four bytes."""
    mode = _raw_mode(tile)
    order = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    turned = "RGBA" if mode == _GREY_ALPHA else mode[:-1] + order[mode[-1]]
    return turned if isinstance(tile.args, str) else (turned, *tile.args[1:])


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


def _of_bits(values: NDArray[Any], bits: int) -> tuple[NDArray[np.uint8], str | None]:
    numbers = None if bits in (16, 8) and not (bits == 8 and values.any()) else f"numbers of {bits} bits"
    shifted = values >> (bits - 8)
    return np.clip(shifted, 0, 255, out=shifted).astype(np.uint8), numbers


def _of_floats(values: NDArray[Any]) -> tuple[NDArray[np.uint8], str]:
    """From 0 to 1, or from 0 to 255, where they lie there; else from their smallest to their largest."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    start, end = (0.0, 1.0 if high <= 1 else 255.0) if low >= 0 and high <= 255 else (low, high)
    scaled = np.nan_to_num((values.astype(np.float64) - start) / (end - start), nan=0.0, posinf=1.0, neginf=0.0)
    numbers = f"floating-point numbers, taken from {start:.6g} to {end:.6g}"
    return np.rint(np.clip(scaled, 0, 1) * 255).astype(np.uint8), numbers
