"""Files read, by TensorFlow's names."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.io import gfile

__all__ = ["decode_image", "decode_jpeg", "decode_png", "gfile", "read_file"]


def read_file(filename: Any, name: Any = None) -> bytes:
    """What is in a file."""
    return Path(str(filename)).read_bytes()


def decode_image(contents: bytes, channels: int = 3, **more: Any) -> Any:
    """The picture as bytes (H,W,C)."""
    from PIL import Image

    with Image.open(io.BytesIO(contents)) as picture:
        array = np.asarray(picture.convert("L" if channels == 1 else "RGB"))
    return tensor(array[..., None] if channels == 1 else array)


decode_jpeg = decode_png = decode_image
