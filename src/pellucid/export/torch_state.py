"""A state dict as torch.save writes it: a zip archive of one pickle and a member for each array.

The pickle is put together of its opcodes, so that nothing of PyTorch is needed; torch.load reads it with
weights_only=True.

Source: torch/serialization.py (_save) and pickletools' table of opcodes.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from pellucid.ops.geometry import Array

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every member: the same arrays give the same bytes."""


def to_bytes(arrays: Mapping[str, Array], stem: str) -> bytes:
    """Float32 arrays by their names, in this order. stem: the folder in the archive, as torch.save calls it."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:

        def put(name: str, data: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(f"{stem}/{name}", _DATE), data)

        put("data.pkl", _pickled(arrays))
        put("byteorder", b"little")
        for number, array in enumerate(arrays.values()):
            put(f"data/{number}", np.ascontiguousarray(array, "<f4").tobytes())
        put("version", b"3\n")
    return content.getvalue()


def _pickled(arrays: Mapping[str, Array]) -> bytes:
    """{name: _rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict()), ...}"""
    parts = [b"\x80\x02}("]
    for number, (name, array) in enumerate(arrays.items()):
        strides = [int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim)]
        storage = b"(%bctorch\nFloatStorage\n%b%b%btQ" % (
            *(_text("storage"), _text(str(number)), _text("cpu"), _whole(array.size)),
        )
        parts += [_text(name), b"ctorch._utils\n_rebuild_tensor_v2\n(", storage, _whole(0)]
        parts += [_tuple(array.shape), _tuple(strides), b"\x89ccollections\nOrderedDict\n)RtR"]
    return b"".join([*parts, b"u."])


def _text(value: str) -> bytes:
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def _whole(value: int) -> bytes:
    return b"\x8a\x08" + value.to_bytes(8, "little", signed=True)


def _tuple(values: Iterable[int]) -> bytes:
    return b"(" + b"".join(map(_whole, values)) + b"t"
