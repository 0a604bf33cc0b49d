"""Keras's reading and changing of pictures, and texts as numbers."""

from __future__ import annotations

from pellucid.keras.directory import image_dataset_from_directory
from pellucid.keras.preprocessing import image, sequence, text
from pellucid.keras.windows import timeseries_dataset_from_array

__all__ = ["image", "image_dataset_from_directory", "sequence", "text", "timeseries_dataset_from_array"]
