"""Picture files written byte by byte, from numbers alone: what Pillow reads is not what Pillow wrote."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def png(values, colour_type, bits, *, before=(), after=()):
    """A PNG of (H, W) or (H, W, C) samples; before, after: chunks (name, body) around the pixels."""
    table = np.asarray(values).reshape(len(values), np.shape(values)[1], -1)
    rows = table.astype(">u2").view(np.uint8) if bits == 16 else table.astype(np.uint8)
    rows = rows.reshape(len(table), -1)
    if bits < 8:
        rows = np.packbits(np.unpackbits(rows[..., None], axis=-1)[..., 8 - bits :].reshape(len(table), -1), axis=-1)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    head = struct.pack(">IIBBBBB", table.shape[1], table.shape[0], bits, colour_type, 0, 0, 0)
    chunks = [(b"IHDR", head), *before, (b"IDAT", pixels), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(named):
    name, body = named
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(values, *, order="<", photometric=1, tags=(), bits=None, kind=1):
    """A TIFF of one strip of (H, W) or (H, W, C) samples; kind: 1 whole numbers, 2 signed, 3 floating-point."""
    values = np.asarray(values)
    samples = values.shape[2] if values.ndim == 3 else 1
    raw = values.astype(values.dtype.newbyteorder(order)).tobytes()
    entries = {
        256: values.shape[1],
        257: values.shape[0],
        258: [bits or 8 * values.dtype.itemsize] * samples,
        259: 1,
        262: photometric,
        273: 8,
        277: samples,
        278: values.shape[0],
        279: len(raw),
        339: [kind] * samples,
        **dict(tags),
    }
    raw += bytes(len(raw) % 2)
    start, beyond, table = 8 + len(raw), b"", b""
    after = start + 2 + 12 * len(entries) + 4
    for tag, value in sorted(entries.items()):
        numbers = value if isinstance(value, list) else [value]
        form, size = ("I", 4) if tag in (273, 279) else ("H", 2)
        body = struct.pack(f"{order}{len(numbers)}{form}", *numbers)
        if len(body) > 4:
            place, beyond = after + len(beyond), beyond + body
            body = struct.pack(f"{order}I", place)
        table += struct.pack(f"{order}HHI", tag, {4: 4, 2: 3}[size], len(numbers)) + body.ljust(4, b"\0")
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    return (
        mark
        + struct.pack(f"{order}I", start)
        + raw
        + struct.pack(f"{order}H", len(entries))
        + table
        + bytes(4)
        + beyond
    )
