"""Every kind of picture file: its pixels are those it was written from, by hand, or it is refused in one line."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from raw_pictures import png, tiff

from pellucid.datasets.pictures import decode, fitting, probe
from pellucid.errors import DataError

RNG = np.random.default_rng(0)
WIDTHS = (8, 10, 12, 14, 16)


def numbers(bits, *channels):
    """8 x 8 numbers of so many bits, the largest among them."""
    values = RNG.integers(0, 1 << bits, (8, 8, *channels)).astype(np.uint16)
    values[0, 0] = (1 << bits) - 1
    return values


def saved(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def over_white(colours, alpha, full):
    share = np.asarray(alpha, float).reshape(8, 8, *[1] * (np.ndim(colours) - 2)) / full
    return np.asarray(colours, float) * share + 255 * (1 - share)


def beside(*parts):
    return np.concatenate([part.reshape(8, 8, -1) for part in parts], axis=-1)


def deep_pngs():
    alpha, solid = numbers(16), np.full((8, 8), 65535, np.uint16)
    for bits in WIDTHS:
        grey, colour = numbers(bits), numbers(bits, 3)
        low_grey, low_colour = grey >> (bits - 8), colour >> (bits - 8)
        own = np.full((8, 8), (1 << bits) - 1, np.uint16)
        yield f"grey {bits}", png(grey, 0, 16), low_grey, 0
        yield f"grey with alpha {bits}", png(beside(grey, solid), 4, 16), low_grey, 0
        yield f"grey, alpha of {bits}", png(beside(grey, own), 4, 16), low_grey, 0
        yield f"grey, any alpha {bits}", png(beside(grey, alpha), 4, 16), over_white(low_grey, alpha, 65535), 2
        yield f"colour {bits}", png(colour, 2, 16), low_colour, 0
        yield f"colour, alpha of {bits}", png(beside(colour, own), 6, 16), low_colour, 0
        yield f"colour, any alpha {bits}", png(beside(colour, alpha), 6, 16), over_white(low_colour, alpha, 65535), 2
        clear = int(grey[3, 3])
        one = png(grey, 0, 16, before=[(b"tRNS", struct.pack(">H", clear))])
        yield f"grey, one value clear {bits}", one, np.where(grey == clear, 255, low_grey), 0
        clears = list(map(int, colour[0, 0]))
        one = png(colour, 2, 16, before=[(b"tRNS", struct.pack(">3H", *clears))])
        yield f"colour, one clear {bits}", one, np.where((colour == clears).all(-1)[..., None], 255, low_colour), 0


def shallow_pngs():
    for bits in (1, 2, 4, 8):
        grey, full = numbers(bits), (1 << bits) - 1
        yield f"grey {bits}", png(grey, 0, bits), grey * 255 // full, 0
        one = png(grey, 0, bits, before=[(b"tRNS", struct.pack(">H", 1))])
        yield f"grey, 1 clear {bits}", one, np.where(grey == 1, 255, grey * 255 // full), 0
    palette, places = RNG.integers(0, 256, (4, 3)).astype(np.uint8), RNG.integers(0, 4, (8, 8))
    for bits in (2, 4, 8):
        before = [(b"PLTE", palette.tobytes())]
        yield f"palette {bits}", png(places, 3, bits, before=before), palette[places], 0
        one = png(places, 3, bits, before=[*before, (b"tRNS", bytes([0, 128]))])
        opacity = np.array([0, 128, 255, 255])[places]
        yield f"palette with alpha {bits}", one, over_white(palette[places], opacity, 255), 1


def tiffs():
    for order in "<>":
        for bits in WIDTHS:
            grey, colour = numbers(bits), numbers(bits, 3)
            low_grey, low_colour = grey >> (bits - 8), colour >> (bits - 8)
            solid, none = np.full((8, 8), 65535, np.uint16), np.zeros((8, 8), np.uint16)
            yield f"grey {order}{bits}", tiff(grey, order=order), low_grey, 0
            yield f"colour {order}{bits}", tiff(colour, order=order, photometric=2), low_colour, 0
            for kind, fourth in ((0, none), (1, solid), (2, solid)):
                four = tiff(beside(colour, fourth), order=order, photometric=2, tags={338: kind})
                yield f"four channels, {kind} {order}{bits}", four, low_colour, 0
            inks = tiff(beside((1 << bits) - 1 - colour, none), order=order, photometric=5)
            yield f"inks {order}{bits}", inks, low_colour, 1
            yield f"planes {order}{bits}", planes(colour, order), low_colour, 0
            if order == "<":
                yield f"white is zero {bits}", tiff(grey, photometric=0), 255 - low_grey, 0
        signed = np.linspace(-(2**15), 2**15 - 1, 64).reshape(8, 8).astype(np.int16)
        yield f"signed 16 {order}", tiff(signed, order=order, kind=2), (signed.astype(int) + 2**15) >> 8, 0
        deep = np.linspace(-(2**31), 2**31 - 1, 64).reshape(8, 8).astype(np.int32)
        yield f"signed 32 {order}", tiff(deep, order=order, kind=2), (deep.astype(np.int64) + 2**31) >> 24, 0
        floats = np.linspace(0, 1, 64).reshape(8, 8).astype(np.float32)
        yield f"floats {order}", tiff(floats, order=order, kind=3), np.rint(floats * 255), 0
        yield f"floats, white is zero {order}", tiff(floats, order=order, kind=3, photometric=0), 255 - floats * 255, 1
    whole = np.linspace(0, 2**32 - 1, 64).reshape(8, 8).astype(np.uint32)
    yield "unsigned 32", tiff(whole), whole >> 24, 0
    small = np.linspace(-128, 127, 64).reshape(8, 8).astype(np.int8)
    yield "signed 8", tiff(small, kind=2), small.astype(int) + 128, 0
    packed = np.unpackbits(numbers(12).astype(">u2").view(np.uint8).reshape(8, 8, 2), axis=-1)[..., 4:]
    rows = np.packbits(packed.reshape(8, -1), axis=-1)
    twelve = packed[..., :8] @ (1 << np.arange(7, -1, -1))
    yield "packed 12", tiff(rows, tags={256: 8, 258: 12}), twelve, 0
    soft = beside(np.full((8, 8, 1), 60, np.uint8), np.full((8, 8, 1), 128, np.uint8))
    yield "grey times alpha", tiff(soft, tags={338: 1}), np.full((8, 8), 60 + 127), 1


def planes(colour, order):
    """Red, green and blue, each in a strip of its own."""
    strips = colour.transpose(2, 0, 1).reshape(24, 8)
    starts = {257: 8, 258: [16] * 3, 273: [8, 136, 264], 277: 3, 278: 8, 279: [128] * 3, 284: 2, 339: [1] * 3}
    return tiff(strips, order=order, photometric=2, tags=starts)


def others():
    colour = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    first, rest = Image.fromarray(colour), [Image.new("RGB", (8, 8), name) for name in ("red", "blue")]
    for form, options in (("GIF", {}), ("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {})):
        yield f"first of several, {form}", saved(first, form, save_all=True, append_images=rest, **options), colour, 0
    hidden = saved(first, "PNG", save_all=True, default_image=True, append_images=rest)
    yield "shown where animation is not", hidden, colour, 0
    inks = np.full((8, 8, 4), (10, 200, 60, 30), np.uint8)
    wanted = np.rint((255.0 - inks[..., :3]) * (255 - 30) / 255)
    yield "CMYK JPEG", saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=100), wanted, 3
    yield "YCCK JPEG", ycck(10, 200, 60, 30), wanted, 4
    alpha = RNG.integers(0, 256, (8, 8, 1)).astype(np.uint8)
    clear = Image.fromarray(beside(colour, alpha))
    yield "WebP with alpha", saved(clear, "WEBP", lossless=True, exact=True), over_white(colour, alpha, 255), 1
    for mode in ("1", "L", "P", "RGB"):
        made = first.convert(mode)
        yield f"BMP {mode}", saved(made, "BMP"), np.asarray(made.convert("RGB")), 0
    for most in (15, 255, 1000, 4095, 65535):
        grey = RNG.integers(0, most + 1, (8, 8))
        body = grey.astype(">u2" if most > 255 else np.uint8).tobytes()
        yield f"PGM {most}", b"P5 8 8 %d\n" % most + body, np.rint(grey * 255 / most), 1
    bits = RNG.integers(0, 2, (8, 8))
    yield "PBM", b"P4 8 8\n" + np.packbits(bits, axis=-1).tobytes(), 255 - 255 * bits, 0


def ycck(*inks):
    """A JPEG of one colour whose file says that it holds luminance, colour and black, with Adobe's swapped white."""
    red, green, blue, black = *map(float, inks[:3]), 255.0 - inks[3]
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    stored = luminance, 128 + (blue - luminance) * 0.564, 128 + (red - luminance) * 0.713, black
    channels = np.full((8, 8, 4), np.rint(255 - np.array(stored)), np.uint8)
    file = bytearray(saved(Image.fromarray(channels, "CMYK"), "JPEG", quality=100))
    file[file.find(b"Adobe") + 11] = 2
    return bytes(file)


@pytest.mark.parametrize("kinds", [deep_pngs, shallow_pngs, tiffs, others], ids=lambda kinds: kinds.__name__)
@pytest.mark.filterwarnings("ignore:'mode' parameter")
def test_pixels_are_those_written(tmp_path, kinds):
    wrong = []
    for name, content, wanted, most in kinds():
        (tmp_path / "picture").write_bytes(content)
        wanted = np.asarray(wanted, float).reshape(8, 8, -1)
        got = decode(tmp_path / "picture", fitting(8, wanted.shape[-1])).astype(float)
        if np.abs(got - wanted).max() > most:
            wrong.append(f"{name}: {np.abs(got - wanted).max():.0f}")
        if wanted.shape[-1] == 1 and not probe(tmp_path / "picture").grey:
            wrong.append(f"{name}: taken for colour")
    assert not wrong


def refused():
    whole = {form: saved(Image.fromarray(RNG.integers(0, 256, (64, 64, 3)).astype(np.uint8)), form) for form in FORMS}
    for form, content in whole.items():
        for share in (0.3, 0.6):
            yield f"{form} cut at {share}", content[: int(len(content) * share)], "cannot be decoded"
        yield f"{form} cut at 10 bytes", content[:10], "cannot be decoded"
    yield "empty", b"", "it is empty"
    for name, content in (("page", b"<!DOCTYPE html>"), ("archive", b"PK\3\4" + bytes(50)), ("HEIC", HEIC)):
        yield name, content, "no picture of a known type"
    half = np.linspace(0, 1, 64).reshape(8, 8)
    for kind in (np.float16, np.float64):
        yield kind.__name__, tiff(half.astype(kind), kind=3), "damaged, or of a rare kind; save it anew"
    yield "16 bits and alpha in a TIFF", tiff(numbers(16, 2), tags={338: 2}), "damaged, or of a rare kind"
    size = struct.pack(">II", 40_000, 40_000)
    head = b"IHDR" + size + bytes([8, 0, 0, 0, 0])
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    yield "PNG bomb", bomb + struct.pack(">I", 0) + b"IDAT" + bytes(4), "pixels are more than 128 million"
    shape = struct.pack("<IiiHHIIIIII", 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "BMP bomb", b"BM" + bytes(8) + struct.pack("<I", 54) + shape, "pixels are more than 128 million"
    yield "PPM bomb", b"P6\n99999 99999\n255\n", "pixels are more than 128 million"
    yield "TIFF bomb", tiff(np.zeros((1, 1), np.uint8), tags={256: 60_000, 257: 60_000}), "more than 128 million"


FORMS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(12)


def test_what_cannot_be_read_is_said_in_one_line(tmp_path):
    for name, content, words in refused():
        path = tmp_path / "a.jpg"
        path.write_bytes(content)
        with pytest.raises(DataError, match=words) as told:
            decode(path, fitting(8, 3))
        assert str(told.value).startswith(f"{path}: ") and "\n" not in str(told.value), name
