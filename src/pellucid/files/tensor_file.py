"""The file format of models and checkpoints: named arrays and one JSON object, in one safetensors file.

Layout, all numbers little-endian:

1. Eight bytes: the length of the header, an unsigned 64-bit number. At most 10 MB, and never past the end of the file.
2. The header: a JSON object in UTF-8, starting with ``{`` and padded with spaces to a multiple of eight. No key occurs
   twice in any object. Each key but ``__metadata__`` is the name of an array; its value is an object with exactly three
   keys: ``dtype`` (one of BOOL, U8, U16, U32, U64, I8, I16, I32, I64, F32, F64), ``shape`` (at most eight numbers, none
   negative) and ``data_offsets`` (``[begin, end]`` in bytes, counted from the end of the header; ``end - begin`` is the
   size that dtype and shape give).
3. The data: the arrays in C order, end to end. No two overlap, no hole is between them, nothing follows the last.

``__metadata__`` maps text to text (that is safetensors' rule) and has two entries of ours:

- ``pellucid``: a JSON object with ``format_version`` and whatever the writer gave (layers, scaling, class names, ...).
- ``sha256``: the hexadecimal SHA-256 over, in this order: the text of ``pellucid``; the table of arrays (the header
  without ``__metadata__``) as JSON with sorted keys, no spaces and non-ASCII characters escaped; the data. The first
  two are each preceded by their length in bytes, as eight bytes.

So the file opens in any safetensors reader, and ours notices a changed bit anywhere that matters. Every malformation
is a CheckpointError that names the file and the field. Nothing in a file is executed, imported or used as a path, and
no memory is taken beyond the length of the file. A file is written whole or not at all (`pellucid.files.atomic`).
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import reprlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import numpy as np

from pellucid._text import json_line
from pellucid.errors import CheckpointError
from pellucid.files.atomic import replacing
from pellucid.files.inside import Inside, Place, place_of, reading
from pellucid.files.reading import fill
from pellucid.ops.geometry import Array
from pellucid.ops.memory import machine_bytes

__all__ = [
    "FORMAT_VERSION", "MAX_BYTES", "MAX_DIMS", "MAX_HEADER_BYTES", "from_bytes", "read", "to_bytes", "write",
]  # fmt: skip

FORMAT_VERSION = 2
"""1: layers in a row. 2: a model may say what its layers read; files of version 1 are read too."""
MAX_HEADER_BYTES = 10_000_000
MAX_DIMS = 8
MAX_BYTES = 2**63 - 1

_DTYPES = {
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "U16": np.dtype("<u2"),
    "U32": np.dtype("<u4"),
    "U64": np.dtype("<u8"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True)
class _Entry:
    """One checked row of the table of arrays."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class _Header:
    """A checked header: the entries in the order of their data, the metadata, and what the checksum covers."""

    entries: list[_Entry]
    metadata: dict[str, Any]
    checksum: str
    covered: bytes


def write(path: str | os.PathLike[str] | Inside, tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> None:
    """Write arrays and metadata to `path`; the file there is replaced whole or not at all.

    Errors: CheckpointError if an array's type or number of dimensions has no place in the format, if the metadata is
    not JSON, or if the file cannot be written.
    """
    target = place_of(path)
    header, arrays = _laid_out(target, tensors, metadata)
    with replacing(target) as file:
        file.write(header)
        for array in arrays:
            file.write(_bytes_of(array))


def to_bytes(tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> bytes:
    """What `write` writes. Errors: CheckpointError as there."""
    header, arrays = _laid_out("a model", tensors, metadata)
    return b"".join((header, *map(_bytes_of, arrays)))


def _laid_out(
    target: Place | str, tensors: Mapping[str, Array], metadata: Mapping[str, Any]
) -> tuple[bytes, list[Array]]:
    """The header with its length, and the arrays in the order of the file."""
    # Wide items first, so that each array starts at a multiple of its item size and other readers can map it.
    arrays = sorted(
        ((name, _storable(target, name, array)) for name, array in tensors.items()),
        key=lambda item: -item[1].dtype.itemsize,
    )
    table: dict[str, Any] = {}
    position = 0
    for name, array in arrays:
        end = position + array.nbytes
        table[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [position, end]}
        position = end
    text = _metadata_text(target, metadata)
    digest = hashlib.sha256(_covered(text, table))
    for _, array in arrays:
        digest.update(_bytes_of(array))
    head = {"__metadata__": {"pellucid": text, "sha256": digest.hexdigest()}, **table}
    try:
        header = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise CheckpointError(
            f"{target}: a name holds a character that UTF-8 cannot express ({error.reason})"
        ) from error
    header += b" " * (-len(header) % 8)
    if len(header) > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{target}: the header would take {len(header)} bytes, at most {MAX_HEADER_BYTES} are allowed"
        )
    return len(header).to_bytes(8, "little") + header, [array for _, array in arrays]


def read(path: str | os.PathLike[str] | Inside) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read (arrays, metadata) as they were written; the header is checked first, then the data against the checksum.

    Errors: CheckpointError naming file and field for every malformation, and where the checksum does not match.
    """
    source = place_of(path)
    with reading(source) as file:
        return _read(source, file)


def from_bytes(data: bytes) -> tuple[dict[str, Array], dict[str, Any]]:
    """(arrays, metadata) of what `to_bytes` gave. Errors: CheckpointError as `read`."""
    return _read("a model's bytes", io.BytesIO(data))


def _read(source: Place | str, file: IO[bytes]) -> tuple[dict[str, Array], dict[str, Any]]:
    tensors: dict[str, Array] = {}
    header = _read_header(source, file)
    digest = hashlib.sha256(header.covered)
    needed, memory = sum(entry.end - entry.begin for entry in header.entries), machine_bytes() or MAX_BYTES
    if needed > memory:  # also of a file that takes no room on the disk
        raise CheckpointError(f"{source}: takes {needed} bytes of memory, this machine has {memory}")
    for entry in header.entries:
        try:
            array = np.empty(entry.shape, entry.dtype)
        except MemoryError as error:
            raise CheckpointError(f"{source}: holds more than this machine has memory for") from error
        view = _bytes_of(array)
        _fill(source, file, view, f"array {_short(entry.name)!r}")
        digest.update(view)
        tensors[entry.name] = array
    if digest.hexdigest() != header.checksum:
        raise CheckpointError(
            f"{source}: was changed or damaged after it was written: its checksum is {digest.hexdigest()[:12]}..., "
            f"the file says {header.checksum[:12]!r}...; use another copy of the file"
        )
    for entry in header.entries:
        if entry.dtype.kind == "b" and entry.shape and tensors[entry.name].view(np.uint8).max(initial=0) > 1:
            _refuse(source, f"array {_short(entry.name)!r}", "BOOL data of zeros and ones", "another byte")
    return tensors, header.metadata


def _refuse(path: Place | str, field: str, expected: str, got: object) -> NoReturn:
    raise CheckpointError(
        f"{path}: {field}: expected {expected}, got {_short(got)}; the file is damaged or is not a Pellucid file"
    )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else reprlib.repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _storable(path: Place | str, name: str, array: Array) -> Array:
    """The array in C order and little-endian, of a type that the format has."""
    value = np.asarray(array)
    little = value.dtype.newbyteorder("<")
    if name == "__metadata__":
        raise CheckpointError(f"{path}: no array may be named '__metadata__'; rename it")
    if little not in _NAMES:
        raise CheckpointError(
            f"{path}: array {name!r} has dtype {value.dtype}; expected one of {', '.join(str(d) for d in _NAMES)}"
        )
    if value.ndim > MAX_DIMS:
        raise CheckpointError(
            f"{path}: array {name!r} has {value.ndim} dimensions, at most {MAX_DIMS} are allowed; reshape it"
        )
    return np.asarray(value, dtype=little, order="C")


def _bytes_of(array: Array) -> memoryview:
    """The array's own memory as bytes (no copy); `array` is C-contiguous."""
    return array.reshape(-1).view(np.uint8).data


def _metadata_text(path: Place | str, metadata: Mapping[str, Any]) -> str:
    if "format_version" in metadata:
        raise CheckpointError(f"{path}: the metadata may not have a key 'format_version'; the writer sets it")
    try:
        return json_line({"format_version": FORMAT_VERSION, **metadata})
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: the metadata is not JSON: {error}") from error


def _covered(text: str, table: Mapping[str, Any]) -> bytes:
    """What the checksum covers besides the data."""
    parts = (
        text.encode("utf-8", "surrogatepass"),
        json.dumps(table, sort_keys=True, separators=(",", ":")).encode("ascii"),
    )
    return b"".join(len(part).to_bytes(8, "little") + part for part in parts)


def _fill(path: Place | str, file: IO[bytes], view: memoryview, field: str) -> None:
    """Read exactly len(view) bytes into view."""
    done = fill(file, view)
    if done < len(view):
        _refuse(path, field, f"{len(view)} bytes", f"{done} before the file ended")


def _read_header(path: Place | str, file: IO[bytes]) -> _Header:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size < 8:
        _refuse(path, "header length", "8 bytes", f"a file of {size} bytes")
    prefix = bytearray(8)
    _fill(path, file, memoryview(prefix), "header length")
    length = int.from_bytes(prefix, "little")
    if length > MAX_HEADER_BYTES:
        _refuse(path, "header length", f"at most {MAX_HEADER_BYTES} bytes", length)
    if length > size - 8:
        _refuse(path, "header length", f"at most the {size - 8} bytes that follow it", length)
    raw = bytearray(length)
    _fill(path, file, memoryview(raw), "header")
    if not raw.startswith(b"{"):
        _refuse(path, "header", "a JSON object starting with '{'", bytes(raw[:8]))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(path, "header", "UTF-8", f"byte {raw[error.start]:#04x} at {error.start}")
    table = _parse_object(path, "header", text)
    texts = table.pop("__metadata__", None)
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        _refuse(path, "header '__metadata__'", "an object of texts", texts)
    for key in ("pellucid", "sha256"):
        if key not in texts:
            _refuse(path, f"header '__metadata__' {key!r}", "an entry written by Pellucid", "none")
    metadata = _parse_object(path, "metadata 'pellucid'", texts["pellucid"])
    version = metadata.pop("format_version", None)
    if type(version) is not int or version < 1:
        _refuse(path, "metadata 'format_version'", "a whole number from 1", version)
    if version > FORMAT_VERSION:
        # Said before the table is looked at: a newer format may have types that this version would call damage.
        raise CheckpointError(
            f"{path}: is written in format version {version}, this Pellucid reads up to {FORMAT_VERSION}; "
            f"install a newer Pellucid that reads version {version}"
        )
    entries = _check_table(path, table, size - 8 - length)
    return _Header(entries, metadata, texts["sha256"], _covered(texts["pellucid"], table))


def _parse_object(path: Place | str, field: str, text: str) -> dict[str, Any]:
    """One JSON object without duplicate keys, NaN or Infinity."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            key, times = Counter(key for key, _ in pairs).most_common(1)[0]
            _refuse(path, field, "each key once", f"{_short(key)!r} {times} times")
        return result

    def no_constant(name: str) -> NoReturn:
        _refuse(path, field, "JSON numbers", name)

    try:
        value = json.loads(text, object_pairs_hook=unique, parse_constant=no_constant)
    except RecursionError as error:
        raise CheckpointError(
            f"{path}: {field}: is nested too deeply; the file is damaged or is not a Pellucid file"
        ) from error
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(
            f"{path}: {field}: is not JSON ({error}); the file is damaged or is not a Pellucid file"
        ) from error
    if not isinstance(value, dict):
        _refuse(path, field, "a JSON object", type(value).__name__)
    return value


def _check_table(path: Place | str, table: Mapping[str, Any], data_bytes: int) -> list[_Entry]:
    """The entries in the order of their data: end to end from 0 to the end of the file."""
    entries = sorted((_check_entry(path, name, value) for name, value in table.items()), key=lambda e: (e.begin, e.end))
    position = 0
    for entry in entries:
        if entry.begin != position:
            fault = "overlaps the array before it" if entry.begin < position else "leaves a hole before it"
            _refuse(
                path,
                f"array {_short(entry.name)!r} 'data_offsets'",
                f"to begin at {position}",
                f"{entry.begin}, which {fault}",
            )
        position = entry.end
    if position != data_bytes:
        _refuse(path, "data", f"{position} bytes after the header, the sum of all arrays", f"{data_bytes}")
    return entries


def _check_entry(path: Place | str, name: str, value: object) -> _Entry:
    field = f"array {_short(name)!r}"
    if not isinstance(value, dict) or value.keys() != {"dtype", "shape", "data_offsets"}:
        _refuse(path, field, "an object of dtype, shape and data_offsets", value)
    dtype = _DTYPES.get(value["dtype"]) if isinstance(value["dtype"], str) else None
    if dtype is None:
        _refuse(path, f"{field} 'dtype'", f"one of {', '.join(_DTYPES)}", value["dtype"])
    shape = _check_sizes(path, f"{field} 'shape'", value["shape"])
    if len(shape) > MAX_DIMS:
        _refuse(path, f"{field} 'shape'", f"at most {MAX_DIMS} dimensions", len(shape))
    # Zeros count as ones here: NumPy cannot make an empty array whose other sizes overflow.
    if math.prod(max(extent, 1) for extent in shape) * dtype.itemsize > MAX_BYTES:
        _refuse(path, f"{field} 'shape'", "sizes that multiply out below 2^63 bytes", shape)
    offsets = _check_sizes(path, f"{field} 'data_offsets'", value["data_offsets"])
    if len(offsets) != 2:
        _refuse(path, f"{field} 'data_offsets'", "two numbers", offsets)
    count = math.prod(shape) * dtype.itemsize
    if offsets[1] - offsets[0] != count:
        _refuse(path, f"{field} 'data_offsets'", f"{count} bytes, as dtype and shape say", f"{offsets}")
    return _Entry(name, dtype, shape, offsets[0], offsets[1])


def _check_sizes(path: Place | str, field: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int and 0 <= item <= MAX_BYTES for item in value):
        _refuse(path, field, "a list of whole numbers from 0", value)
    return tuple(value)
