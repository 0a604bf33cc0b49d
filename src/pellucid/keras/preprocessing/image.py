"""Keras's reading and changing of pictures, old names."""

from __future__ import annotations

from pellucid.keras.generator import ImageDataGenerator
from pellucid.keras.iterators import DirectoryIterator, Iterator, NumpyArrayIterator
from pellucid.keras.pictures import array_to_img, img_to_array, load_img, save_img

__all__ = [
    "DirectoryIterator", "ImageDataGenerator", "Iterator", "NumpyArrayIterator", "array_to_img", "img_to_array",
    "load_img", "save_img",
]  # fmt: skip
