"""The IDX format of MNIST: a magic number, the sizes, then the values, big-endian; gzipped or not."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from pellucid.errors import DataError
from pellucid.files.reading import fill, opened

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# Deflate cannot pack more than 1,032 bytes into one, so a longer claim is false and needs no reading.
_DEFLATE_LIMIT = 1032

MAX_BYTES = 2 << 30
"""Of numbers in one file; MNIST's pictures take 47 MB."""
MAX_DIMS = 8


def read_idx(path: Path, *, ndim: int | None = None, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """The array in an IDX file, in this machine's byte order.

    The sizes in the header are checked against the file and `max_bytes` before memory is asked for; a gzipped file is
    read in pieces, and never further than one byte past what its header promises.
    Errors: DataError naming the file and the field: magic number, type, number of dimensions, sizes, length.
    Source: Y. LeCun, C. Cortes, C. Burges: "The MNIST database", section "The IDX file format".
    """
    with opened(path) as file:
        try:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            length = path.stat().st_size
            if not packed:
                return _read(file, path, ndim, length, max_bytes)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(cast(IO[bytes], unpacked), path, ndim, length * _DEFLATE_LIMIT, max_bytes)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(f"{path}: damaged gzip file ({error}); delete it and fetch it again") from error


def _read(file: IO[bytes], path: Path, ndim: int | None, limit: int, max_bytes: int) -> NDArray[Any]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise DataError(
            f"{path}: magic number: an IDX file starts with bytes 00 00 TYPE NDIM, got {head.hex(' ') or 'none'}"
        )
    code, dims = head[2], head[3]
    if code not in _TYPES:
        known = ", ".join(f"{value:02x}" for value in _TYPES)
        raise DataError(f"{path}: type: expected one of {known} in the third byte of the magic number, got {code:02x}")
    if not 1 <= dims <= MAX_DIMS or (ndim is not None and dims != ndim):
        expected = f"{ndim} (pictures have 3, labels 1)" if ndim is not None else f"1 to {MAX_DIMS}"
        raise DataError(f"{path}: number of dimensions: expected {expected}, got {dims}")
    sizes_bytes = file.read(4 * dims)
    if len(sizes_bytes) < 4 * dims:
        raise DataError(f"{path}: sizes: expected {4 * dims} bytes for {dims} dimensions, got {len(sizes_bytes)}")
    shape = tuple(int(size) for size in np.frombuffer(sizes_bytes, dtype=">u4"))
    dtype = np.dtype(_TYPES[code])
    expected_bytes = math.prod(shape) * dtype.itemsize
    described = f"{' x '.join(map(str, shape))} values of {dtype.itemsize} bytes"
    if expected_bytes > limit:
        raise DataError(f"{path}: sizes: the header promises {described}, more than a file of this length can hold")
    # Zeros count as ones here: NumPy cannot make an empty array whose other sizes overflow.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > max_bytes:
        raise DataError(f"{path}: sizes: the header promises {described}; at most {max_bytes} bytes are expected")
    values = np.empty(shape, dtype)
    done = fill(file, values.reshape(-1).view(np.uint8).data)
    if done < expected_bytes or file.read(1):
        got = f"only {done}" if done < expected_bytes else "more"
        raise DataError(f"{path}: length: the header promises {described}, {expected_bytes} bytes, but {got} follow it")
    return values.astype(dtype.newbyteorder("="), copy=False)


def read_pair(
    images: Path, labels: Path, *, classes: int, max_bytes: int = MAX_BYTES
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pictures (N,H,W) and labels (N,) of an IDX pair, both uint8, checked against each other.

    Errors: DataError for either file, a type other than unsigned bytes, different counts, or a label out of range.
    """
    x, y = read_idx(images, ndim=3, max_bytes=max_bytes), read_idx(labels, ndim=1, max_bytes=max_bytes)
    for path, array in ((images, x), (labels, y)):
        if array.dtype != np.uint8:
            raise DataError(f"{path}: type: expected unsigned bytes (08), got {array.dtype}")
    if len(x) != len(y):
        raise DataError(f"{images} holds {len(x)} pictures, but {labels} holds {len(y)} labels; they are not a pair")
    if len(y) and y.max() >= classes:
        raise DataError(f"{labels}: labels: expected 0 to {classes - 1}, got {y.max()}")
    return x, y
