"""One picture file: what it is, and its pixels upright, in one colour mode and at one size."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pellucid._locks import ForkLock
from pellucid.datasets import depth
from pellucid.datasets.formats import READERS, begins_as_picture
from pellucid.datasets.transforms import MAX_FITTED_PIXELS, RESIZE_RULES
from pellucid.errors import ConfigError, DataError, expect_known, shown
from pellucid.ops import IGNORED
from pellucid.ops.geometry import pair

if TYPE_CHECKING:
    from PIL import Image

CENTER_SHARE = 7 / 8
"""What the rule "center" keeps of a picture's shorter side: 224 of 256 pixels, as ImageNet's networks are judged."""

TOLD_EVERY = 256
"""Pictures in memory that are fitted between two words about it: some milliseconds."""

WHITE = 254
"""Of a mask, what its file's 255 is kept as: a class or no class, which all masks of a folder say together. IGNORED is
what padding around it is."""
EXACT = ("PNG", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""Formats that keep numbers as they are."""

_GREY_MODES = ("1", "L", "LA", "La", "I", "F")

MAX_FILE_BYTES = 1 << 30
MAX_MEGAPIXELS = 128
"""Of a file: a telephone's 108 million fit, and 20,000 x 20,000 do not. Known before any are decoded."""
MAX_SENT_BYTES, MAX_SENT_PIXELS, MAX_SENT_PHOTOGRAPH = 16 * 2**20, 32 * 10**6, 64 * 10**6
"""Of a file that somebody sends: bytes, and pixels, which its header says before any are decoded; the last of a JPEG,
which is decoded at a part of its size."""
JPEG = b"\xff\xd8"
LARGE_PIXELS = 1 << 24
"""Pictures of more than this are decoded one at a time, whatever the number of threads."""
_LARGE = ForkLock()
_OPENING = ForkLock()  # warnings.catch_warnings is not for several threads


@dataclass(frozen=True)
class Fitting:
    """What every picture is made into: size (H, W) in pixels, 1 channel (grey) or 3, and how it is brought to size.

    mask: it holds class numbers, of which there is nothing between.
    """

    size: tuple[int, int]
    channels: int
    resize: str
    mask: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        return (*self.size, self.channels)


@dataclass(frozen=True)
class Probe:
    """What a picture's header says: its size (H, W) when upright, and whether it is grey."""

    size: tuple[int, int]
    grey: bool


def fitting(size: int | tuple[int, ...], channels: int, resize: str = "crop") -> Fitting:
    """Errors: ConfigError for a size below 1, channels other than 1 or 3, or an unknown rule."""
    sides = pair(size, "a picture's size")
    if math.prod(sides) > MAX_FITTED_PIXELS:
        raise ConfigError(f"a picture's size may be {MAX_FITTED_PIXELS} pixels at most, got {sides[0]} x {sides[1]}")
    if channels not in (1, 3):
        raise ConfigError(f"channels must be 1 (grey) or 3 (colour), got {shown(channels)}")
    expect_known("resize rule", resize, RESIZE_RULES)
    return Fitting(sides, channels, resize)


def read_picture(
    path: str | Path, size: int | tuple[int, int], channels: int, resize: str = "crop"
) -> NDArray[np.uint8]:
    """One picture's pixels, exactly as they were at training: upright, then fitted.

    Shapes: (H,W,C) uint8.
    Errors: DataError naming a file that cannot be decoded.
    """
    return decode(Path(path), fitting(size, channels, resize))


def decode(source: Path | bytes, rule: Fitting) -> NDArray[np.uint8]:
    """The pixels of a file, or of its content, under a rule.

    Transparent parts show white; of an animation, the first frame is taken. A JPEG is decoded at a half, quarter or
    eighth of its size where at least twice the wanted size is left.
    """
    return decode_with_numbers(source, rule)[0]


def decode_with_numbers(source: Path | bytes, rule: Fitting) -> tuple[NDArray[np.uint8], str | None]:
    """The same, and what the file's numbers are where they are neither of 8 nor of 16 bits."""
    with _opened(source) as image:
        return _decoded(source, image, rule)


def _decoded(source: Path | bytes, image: Image.Image, rule: Fitting) -> tuple[NDArray[np.uint8], str | None]:
    if rule.mask:
        return _fit(_upright(_class_numbers(image), _orientation(image)), rule), None
    if image.format in ("JPEG", "MPO"):
        upright = image.size[::-1] if _orientation(image) >= 5 else image.size
        wanted = 2 * _scale(*upright, rule)
        width, height = (max(1, math.ceil(side * wanted)) for side in image.size)
        image.draft("RGB" if rule.channels == 3 else "L", (width, height))
    with _LARGE if math.prod(image.size) > LARGE_PIXELS else contextlib.nullcontext():
        plain, numbers = _eight_bits(source, image)
        return _fit(_in_mode(_upright(plain, _orientation(image)), rule.channels), rule), numbers


def decode_sent(content: bytes, rule: Fitting) -> NDArray[np.uint8]:
    """The pixels of a file that a stranger sent, one large one at a time.

    Errors: DataError, also for one of more pixels than are worth the memory.
    """
    most = MAX_SENT_PHOTOGRAPH if content.startswith(JPEG) else MAX_SENT_PIXELS
    with _opened(content) as image:
        if math.prod(image.size) > most:
            raise DataError(
                f"this picture's {image.width:,} x {image.height:,} pixels are more than the {most // 10**6} million "
                "that can be sent; make it smaller"
            )
        return _decoded(content, image, rule)[0]


def _class_numbers(image: Image.Image) -> Image.Image:
    """A mask's numbers, palette indices or grey levels, as "L"; 255 as WHITE. Errors: ValueError for other numbers."""
    from PIL import Image

    if image.format not in EXACT:
        raise ValueError(f"a {image.format} does not keep class numbers as they are; save masks as PNG")
    numbers = np.asarray(image)
    if numbers.ndim > 2:
        colours = numbers[..., : 1 if image.mode in ("LA", "La") else 3]
        if (colours != colours[..., :1]).any():
            raise ValueError("it holds colours; a mask holds class numbers, as grey levels or a palette's")
        numbers = colours[..., 0]
    levels = np.array(numbers, np.int64)
    if ((levels < 0) | (levels >= WHITE) & (levels != 255)).any():
        raise ValueError(f"it holds the number {levels[levels != 255].max()}; class numbers go from 0 to {WHITE - 1}")
    levels[levels == 255] = WHITE
    return Image.fromarray(levels.astype(np.uint8))


def _eight_bits(source: Path | bytes, image: Image.Image) -> tuple[Image.Image, str | None]:
    """The picture loaded, its numbers brought to 8 bits where it has more."""
    depth.correct(image)
    two_bytes = depth.has_two_bytes(image)
    image.load()
    if depth.is_deep_grey(image):
        return depth.grey_of(image)
    if not two_bytes or (int(np.asarray(image)[..., :3].max()) >= 1 << 6 and "transparency" not in image.info):
        return image, None  # the high bytes are a picture
    with _opened(source) as twin:
        depth.correct(twin)
        return depth.colour_of(image, depth.low_bytes(twin))


def probe(source: Path | bytes) -> Probe:
    """What the header says, without decoding.

    Errors: DataError naming a file that is no picture.
    """
    with _opened(source) as image:
        width, height = image.size
        # A PNG may keep its EXIF behind the pixels; reading it there would decode the picture.
        # Of a TIFF, Pillow says the upright size to begin with.
        if image.format not in ("PNG", "TIFF") and _orientation(image) >= 5:
            width, height = height, width
        return Probe((height, width), _is_grey(image))


@contextlib.contextmanager
def _opened(source: Path | bytes) -> Iterator[Image.Image]:
    """A picture whose header was read and found sound. Whatever Pillow raises on it becomes a DataError."""
    from PIL import Image

    name = "this picture" if isinstance(source, bytes) else source
    try:
        if isinstance(source, Path) and source.exists() and not source.is_file():
            raise ValueError("it is no file")  # opening a pipe would wait for its other end
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ValueError(f"it takes {size >> 20} MB")
        with _OPENING, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's limits are said in words of our own
            image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=READERS)
        with image:
            if math.prod(image.size) > MAX_MEGAPIXELS * 10**6:
                raise ValueError(f"its {image.width} x {image.height} pixels are more than {MAX_MEGAPIXELS} million")
            yield image
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{name}: cannot be decoded (its pixels are more than {MAX_MEGAPIXELS} million)") from error
    except Exception as error:  # Pillow's decoders raise errors of any kind on damaged files
        raise DataError(f"{name}: cannot be decoded ({_reason(source, error)})") from error


def fit_array(
    images: NDArray[np.uint8], rule: Fitting, *, tell: Callable[[int], object] | None = None
) -> NDArray[np.uint8]:
    """Pictures in memory, fitted one by one; tell: hears now and then how many are done.

    Shapes: images (N,H,W,1) or (N,H,W,3) uint8 -> (N, *rule.shape).
    """
    from PIL import Image

    out = np.empty((len(images), *rule.shape), dtype=np.uint8)
    for done, (picture, target) in enumerate(zip(images, out, strict=True), 1):
        if tell is not None and done % TOLD_EVERY == 0:
            tell(done)
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        target[...] = _fit(_in_mode(image, rule.channels), rule)
    return out


def _reason(source: Path | bytes, error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        if not (source if isinstance(source, bytes) else source.stat().st_size):
            return "it is empty"
        if begins_as_picture(source):
            return "it is damaged, or of a rare kind; save it anew, as a PNG of 8 bits"
        return "it is no picture of a known type"
    return (str(error) or type(error).__name__).splitlines()[0]


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8; 1 where there is none, or it is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # whatever Pillow makes of it
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    from PIL import Image

    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    if orientation == 1:
        return image
    turned = image.transpose(turns[orientation])
    turned.info = image.info
    return turned


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
        return bool(np.all(palette == palette[:, :1]))
    return image.mode in _GREY_MODES or depth.is_deep_grey(image) or depth.is_grey_with_alpha(image)


def _in_mode(image: Image.Image, channels: int) -> Image.Image:
    """The picture as "L" or "RGB"."""
    from PIL import Image

    if image.mode == "La":
        image = image.convert("LA")
    if image.mode in ("LA", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        colours = image.convert("RGBA")
        white = Image.new("RGBA", colours.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, colours)
    mode = "RGB" if channels == 3 else "L"
    return image if image.mode == mode else image.convert(mode)  # which would copy it


def _scale(width: int, height: int, rule: Fitting) -> float:
    """By how much an upright picture is enlarged on the way to its size; the larger of two where they differ."""
    down, across = rule.size[0] / height, rule.size[1] / width
    if rule.resize == "pad":
        return min(down, across)
    return max(down, across) / (CENTER_SHARE if rule.resize == "center" else 1)


def _fit(image: Image.Image, rule: Fitting) -> NDArray[np.uint8]:
    """Resize as the rule says, with an antialiasing (triangle) filter or of a mask the nearest pixels; as an array."""

    height, width = rule.size
    if rule.resize == "center":
        return _cut_centre(image, rule)
    box: tuple[float, float, float, float] = (0, 0, *image.size)
    target = (width, height)
    if rule.resize == "crop":
        scale = _scale(*image.size, rule)
        left, top = (image.width - width / scale) / 2, (image.height - height / scale) / 2
        box = (
            max(left, 0),
            max(top, 0),
            min(left + width / scale, image.width),
            min(top + height / scale, image.height),
        )
    elif rule.resize == "pad":
        scale = _scale(*image.size, rule)
        target = (min(width, max(1, round(image.width * scale))), min(height, max(1, round(image.height * scale))))
    fitted: NDArray[Any] = np.asarray(image.resize(target, _filter(rule), box=box))
    fitted = fitted.reshape(*fitted.shape[:2], rule.channels)
    if rule.resize != "pad":
        return fitted
    out = np.full(rule.shape, IGNORED if rule.mask else 0, dtype=np.uint8)
    top, left = (height - target[1]) // 2, (width - target[0]) // 2
    out[top : top + target[1], left : left + target[0]] = fitted
    return out


def _filter(rule: Fitting) -> Image.Resampling:
    from PIL import Image

    return Image.Resampling.NEAREST if rule.mask else Image.Resampling.BILINEAR


def unfitted(mask: NDArray[np.uint8], size: tuple[int, int], rule: Fitting) -> NDArray[np.uint8]:
    """A mask of a fitted picture as a mask of the picture as it was: the label of the nearest pixel.

    IGNORED where the rule cut the picture off. Shapes: mask (*rule.size,) -> (*size,).
    """
    scale = _scale(size[1], size[0], rule)
    places, inside = [], []
    for own, made in zip(size, rule.size, strict=True):
        step = made / own if rule.resize == "stretch" else scale
        place = np.floor((np.arange(own) + 0.5 - own / 2) * step + made / 2).astype(np.int64)
        places.append(np.clip(place, 0, made - 1))
        inside.append((place >= 0) & (place < made))
    return np.where(inside[0][:, None] & inside[1], mask[np.ix_(*places)], np.uint8(IGNORED))


def _cut_centre(image: Image.Image, rule: Fitting) -> NDArray[np.uint8]:
    """In two steps with whole pixels, as torchvision's presets do: resize to somewhat more, then cut the middle out."""

    height, width = rule.size
    scale = _scale(*image.size, rule)
    # a hair more, because 1000 * (256 / 1000) may come out below 256
    across, down = (max(1, int(side * scale + 1e-6)) for side in image.size)
    left, top = round((across - width) / 2), round((down - height) / 2)
    larger = image.resize((across, down), _filter(rule))
    cut: NDArray[np.uint8] = np.asarray(larger)[top : top + height, left : left + width]
    return np.ascontiguousarray(cut.reshape(height, width, rule.channels))
