"""Model files put together by hand, with any header at all."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any


def table_of(**entries: tuple[str, Any, Any]) -> dict[str, Any]:
    return {name: dict(zip(("dtype", "shape", "data_offsets"), entry, strict=True)) for name, entry in entries.items()}


def craft(path: Path, table: Any, data: bytes = b"", inner: str = '{"format_version":1}') -> Path:
    """A file with any header at all, with a right checksum, so that only the planted fault can be what is refused."""
    text = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(
        struct.pack("<Q", len(inner.encode())) + inner.encode() + struct.pack("<Q", len(text)) + text + data
    )
    header = json.dumps({"__metadata__": {"pellucid": inner, "sha256": digest.hexdigest()}, **table}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header
