"""Zip archives from strangers, read within bounds that are known before memory is taken; and the arrays of an .npz.

An archive's directory says how long each member is unpacked. That is compared with what the caller expects, and no more
is ever unpacked. Nothing is written anywhere, so names are only keys; arrays are numbers, and are not unpickled.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError

MAX_DIRECTORY_BYTES = 16 << 20
NPY_HEADER_BYTES = 1 << 10
"""What an array's own header may take in a file: NumPy's are 128 bytes for arrays of up to eight dimensions."""

MAX_DIMS = 8
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|](?:b1|[iu][1248]|f[248]))', 'fortran_order': (True|False), "
    rb"'shape': \((|\d{1,19},|\d{1,19}(?:, \d{1,19})+)\), \} *\n"
)

ZIP_ERRORS = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zlib.error)
"""What the library raises for archives that are damaged."""


def open_zip(path: Path | str, file: IO[bytes] | None = None) -> zipfile.ZipFile:
    """An archive that the caller closes. file: where it is open already, and `path` is its name for people.

    Errors: DataError if it is damaged, or if its directory alone is too long.
    """
    try:
        with contextlib.nullcontext(file) if file else open(path, "rb") as opened:
            _check_directory(path, opened)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        archive = zipfile.ZipFile(file or path)
        archive.filename = str(path)
        return archive
    except ZIP_ERRORS as error:
        raise DataError(f"{path}: is a damaged zip archive ({error!s:.200}); use another copy of the file") from error


def is_plain(info: zipfile.ZipInfo) -> bool:
    """Whether a member can be unpacked piece by piece: the library unpacks LZMA and bzip2 without a limit."""
    return info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    """A member that is held whole. Units: limit in bytes.

    Errors: DataError if it is longer, packed or encrypted in an unusual way, or damaged.
    """
    what = f"{archive.filename}: {_short(info.filename)}"
    if info.file_size > limit:
        raise DataError(f"{what} takes {info.file_size} bytes, at most {limit} are expected")
    if not is_plain(info):
        raise DataError(f"{what} is encrypted or packed in an unusual way")
    try:
        with archive.open(info) as file:
            data = file.read(limit)
    except ZIP_ERRORS as error:
        raise DataError(f"{what} cannot be read ({error!s:.200}); use another copy of the file") from error
    if len(data) != info.file_size:
        raise DataError(f"{what} has {len(data)} bytes, expected {info.file_size}; use another copy of the file")
    return data


def read_npz(file: IO[bytes], limit: Callable[[str], int], path: str) -> dict[str, NDArray[Any]]:
    """The arrays of an open .npz by name. limit: how many bytes one of that name may take; 0: it is not wanted.

    Errors: DataError if the archive or an array is damaged, is longer than that, or holds anything but numbers.
    """
    arrays: dict[str, NDArray[Any]] = {}
    with open_zip(path, file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            most = limit(name)
            if most:
                arrays[name] = _array(f"{path}: {_short(name)}", read_member(archive, info, most + NPY_HEADER_BYTES))
    return arrays


def _array(what: str, data: bytes) -> NDArray[Any]:
    """An array from the bytes of an .npy file. Not by NumPy's reader: of damaged headers it raises what it likes."""
    wide = data[6:7] > b"\x01"  # the length of the header has two bytes in version 1, four from there on
    start = 12 if wide else 10
    end = start + int.from_bytes(data[8:start], "little")
    found = _NPY_HEADER.fullmatch(data[start : min(end, NPY_HEADER_BYTES)])
    if not data.startswith(b"\x93NUMPY") or found is None:
        raise DataError(f"{what} is no array of numbers; the file was changed or damaged")
    kind, in_columns, sizes = found.groups()
    shape = tuple(map(int, re.findall(rb"\d+", sizes)))
    dtype = np.dtype(kind.decode())
    if math.prod(shape) * dtype.itemsize != len(data) - end or len(shape) > MAX_DIMS:
        raise DataError(f"{what} has {len(data) - end} bytes, its shape is {shape}; the file was changed or damaged")
    return np.frombuffer(data, dtype, offset=end).reshape(shape, order="F" if in_columns == b"True" else "C")


def _short(name: str) -> str:
    """A member's name in an error; it may be as long as 64 KB."""
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


def _check_directory(path: Path | str, file: IO[bytes]) -> None:
    """Refuse an archive whose directory alone would fill the memory, before it is read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 256))
    tail = file.read()
    # every record that could be the one at the end: its length field is at 12, or at 40 in the long form
    lengths = [
        int.from_bytes(tail[match.start() + place : match.start() + place + width], "little")
        for mark, place, width in ((rb"PK\x05\x06", 12, 4), (rb"PK\x06\x06", 40, 8))
        for match in re.finditer(mark, tail)
    ]
    if any(length > MAX_DIRECTORY_BYTES and length != 0xFFFFFFFF for length in lengths):
        raise DataError(
            f"{path}: its table of contents takes {max(lengths)} bytes, at most {MAX_DIRECTORY_BYTES} are expected"
        )
