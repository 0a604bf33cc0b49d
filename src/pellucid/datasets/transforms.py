"""What happens to pixels between the file and the network: fitting to size, and scaling."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid.datasets.dataset import Pictures
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, DataError, expect_known
from pellucid.ops.geometry import pair

RESIZE_RULES = ("crop", "center", "pad", "stretch")
MAX_FITTED_PIXELS = 1 << 26
"""The largest size a picture is brought to, 8192 x 8192, whoever asks for it."""


@functools.lru_cache(maxsize=64)  # asked before each prediction
def _scale_offset(
    scale: float, mean: tuple[float, ...], std: tuple[float, ...], channels: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    spread = np.broadcast_to(np.asarray(std, np.float64), (channels,))
    found = (scale / spread).astype(np.float32), (-np.asarray(mean, np.float64) / spread).astype(np.float32)
    for array in found:
        array.flags.writeable = False
    return found


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a network's input: y = (x * scale - mean) / std, after it was fitted to size.

    Units: scale in 1 per pixel value; mean and std, one number a channel, after `scale`; size (H, W) in pixels.
    channels: 1 for grey, 3 for colour, None for as many as the array has.
    Errors: ConfigError for a value out of range.
    """

    scale: float = 1 / 255
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    size: tuple[int, int] | None = None
    resize: str = "crop"
    channels: int | None = None

    def __post_init__(self) -> None:
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ConfigError(f"preprocessing scale must be a positive number, got {self.scale!r}")
        expect_known("resize rule", self.resize, RESIZE_RULES)
        if self.size is not None:
            object.__setattr__(self, "size", pair(self.size, "preprocessing size"))
        if self.size is not None and math.prod(self.size) > MAX_FITTED_PIXELS:
            raise ConfigError(f"preprocessing size may be {MAX_FITTED_PIXELS} pixels at most, got {self.size!r}")
        if self.std is not None and not all(np.isfinite(value) and value > 0 for value in self.std):
            raise ConfigError(f"preprocessing std must be positive in every channel, got {self.std!r}")
        if self.mean is not None and not np.all(np.isfinite(self.mean)):
            raise ConfigError(f"preprocessing mean must be finite, got {self.mean!r}")

    def scale_offset(self, channels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The same as one multiplication and one addition a channel: y = x * scale + offset, for ops.gather.

        Shapes: both (C,) float32, read-only.
        Errors: ConfigError if mean or std has neither one number nor one a channel.
        """
        for what, values in (("mean", self.mean), ("std", self.std)):
            if values is not None and len(values) not in (1, channels):
                raise ConfigError(
                    f"preprocessing {what} has {len(values)} numbers, but the pictures have {channels} channels"
                )
        return _scale_offset(self.scale, tuple(self.mean or (0.0,)), tuple(self.std or (1.0,)), channels)

    def in_words(self, say: Callable[[str], str] = str) -> str:
        """What happens to pixel values, in words; `say` may put these into another language.

        >>> Preprocessing(mean=(0.49, 0.48, 0.45), std=(0.25,)).in_words()
        '0 to 1, less mean 0.49 0.48 0.45, by deviation 0.25'
        """
        words = [say("0 to 255" if self.scale == 1 else "0 to 1")]
        for what, values in (("less mean", self.mean), ("by deviation", self.std)):
            if values is not None:
                words.append(f"{say(what)} {' '.join(f'{value:.6g}' for value in values)}")
        return ", ".join(words)

    def to_config(self) -> dict[str, Any]:
        """Plain data for a file; `from_config` reads it back."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Preprocessing:
        """Errors: ConfigError for an entry that is unknown or has the wrong type."""
        unknown = sorted(set(config) - set(cls.__dataclass_fields__))
        if unknown:
            raise ConfigError(f"preprocessing has unknown entries {unknown}")
        values: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in config.items()}
        for name, value in values.items():
            numbers = value if isinstance(value, tuple) else (value,)
            if name != "resize" and not all(isinstance(v, (int, float)) or v is None for v in numbers):
                raise ConfigError(f"preprocessing {name} must hold numbers, got {config[name]!r}")
        return cls(**values)


@dataclass(frozen=True)
class Standardize:
    """Mean and standard deviation of each channel, in units of 0 to 1, for Preprocessing."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def fit(
        cls, images: NDArray[np.uint8] | Pictures, *, chunk: int = 256, progress: Progress | None = None
    ) -> Standardize:
        """Measure uint8 pictures, `chunk` at a time, exactly (in whole numbers).

        A channel that never varies gets the deviation 1, so that dividing by it changes nothing.
        Shapes: images (N,H,W,C) uint8.
        Errors: DataError if there are no pictures or they are not uint8.
        """
        if len(images) == 0 or images.dtype != np.uint8:
            raise DataError(f"standardising needs uint8 pictures, got {len(images)} of dtype {images.dtype}")
        channels = images.shape[3]
        counts = np.zeros((channels, 256), dtype=np.int64)
        for start in range(0, len(images), chunk):
            part = images[start : start + chunk]
            for channel in range(channels):
                counts[channel] += np.bincount(part[..., channel].reshape(-1), minlength=256)
            if progress:
                progress(start + len(part), len(images), "measuring pictures")
        values = np.arange(256) / 255
        shares = counts / counts.sum(axis=1, keepdims=True)
        mean = shares @ values
        std = np.sqrt(np.sum(shares * (values - mean[:, None]) ** 2, axis=1))
        return cls(tuple(map(float, mean)), tuple(float(value) if value > 1e-9 else 1.0 for value in std))
