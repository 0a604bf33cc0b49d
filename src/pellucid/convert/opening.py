"""Which reader a file of weights needs, by how it begins."""

from __future__ import annotations

from pathlib import Path

from pellucid.convert.book import PICKLE_START, BookFile
from pellucid.convert.keras import HDF5_START, KerasFile
from pellucid.convert.safetensors_file import SafetensorsFile
from pellucid.convert.source import Source
from pellucid.convert.torch_file import LEGACY_START, LegacyTorchFile, ZipTorchFile
from pellucid.errors import CheckpointError

KNOWN = ".pth and .pt (PyTorch), .safetensors, .h5 and .weights.h5 (Keras), .pkl (Deep Learning from Scratch)"

_NO_WEIGHTS = (
    (b"<", "is a web page, not a file of weights; the download went wrong"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
)


def open_weights(path: str | Path) -> Source:
    """The file, indexed; use it as a context manager.

    Errors: CheckpointError for a file that is none of the known kinds, or is damaged.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise CheckpointError(f"{file}: " + ("is no file" if file.exists() else "no such file of weights"))
        with open(file, "rb") as opened:
            start = opened.read(32)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror or error}") from error
    if start.startswith(HDF5_START):
        return KerasFile(file)
    if start.startswith(b"PK\x03\x04"):
        return ZipTorchFile(file)
    if start.startswith(LEGACY_START):
        return LegacyTorchFile(file)
    if start.startswith(PICKLE_START):
        return BookFile(file)
    if start[8:9] == b"{":
        return SafetensorsFile(file)
    for beginning, what in _NO_WEIGHTS:
        if start.startswith(beginning):
            raise CheckpointError(f"{file}: {what}")
    raise CheckpointError(f"{file}: is no file of weights that is known here; expected {KNOWN}")
