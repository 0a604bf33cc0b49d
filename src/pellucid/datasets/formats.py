"""Which files are pictures: by their ending, and where that says nothing by their first bytes."""

from __future__ import annotations

from pathlib import Path

_KINDS = "jpg jpeg jpe jfif jif jfi mpo png apng bmp dib gif webp tif tiff ppm pgm pbm pnm"
SUFFIXES = frozenset(f".{kind}" for kind in _KINDS.split())

_OTHERS = "heic heif avif jxl jp2 svg psd raw cr2 cr3 nef arw dng"
ELSEWHERE = frozenset(f".{kind}" for kind in _OTHERS.split())
"""Endings of pictures that are not read here."""

READERS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "WEBP", "TIFF", "PPM")
"""Pillow's, chosen by content, whatever a file is called: others of its readers start programs (Ghostscript, for EPS)
or are little used and little tested."""

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*")
_HEAD_BYTES = 16


def is_picture(path: Path) -> bool:
    """Whether a file is taken for a picture. A download without an ending is one if it begins as one."""
    return path.suffix.lower() in SUFFIXES or begins_as_picture(path)


def unsupported(path: Path) -> str:
    """Why a file is left out that is no picture by `is_picture`."""
    suffix = path.suffix.lower()
    remedy = "; save it as JPEG or PNG" if suffix in ELSEWHERE else ""
    return f"type {suffix or 'without a suffix'} is not supported{remedy}"


def begins_as_picture(source: Path | bytes) -> bool:
    """Whether the first bytes of a file, or of its content, are a picture's; False for one that cannot be opened."""
    try:
        head = source[:_HEAD_BYTES] if isinstance(source, bytes) else _head(source)
    except OSError:
        return False
    return (
        head.startswith(_STARTS)
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
        or (head[:2] == b"BM" and head[6:10] == bytes(4))  # two reserved numbers, always 0
        or (head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace() and head[3:4] in b"#0123456789")
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def known_types() -> str:
    """The types that are read, for messages."""
    return " ".join(sorted(SUFFIXES))
