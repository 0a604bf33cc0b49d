"""Pictures of one's own beside the test pictures: drawn, sent as a file, or made in steps; the oldest are forgotten."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from pellucid.datasets.dataset import Dataset
from pellucid.datasets.pictures import Fitting, decode_sent, fitting
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.model.background import border_mean, looks_inverted
from pellucid.model.inputs import input_range
from pellucid.ops import Array
from pellucid.runs.setup import RESIZE

MAX_OWN, MAX_BYTES = 512, 64 * 2**20
"""That are kept, those that are looked at longest."""


@dataclass(frozen=True)
class Known:
    """A picture as the network gets it, and what it is where that is known. Shapes: image (H,W,C)."""

    image: Array
    label: Array | None = None


class NumberedPictures:
    """All that can be looked at, by number: the test pictures, and behind them those of one's own.

    ends: the least and the largest value of a pixel. For any thread.
    """

    def __init__(self, model: Model, dataset: Dataset) -> None:
        self.test = dataset.test
        fit = model.preprocessing
        shape = tuple(dataset.image_shape)
        self.rule: Fitting | None = None
        """How a picture is made fit; None where the network takes none in grey or colours."""
        if len(shape) == 3 and shape[2] in (1, 3):
            self.rule = fitting((shape[0], shape[1]), shape[2], fit.resize if fit else RESIZE)
        low, high = input_range(self.test.images) or (0.0, 255.0)
        self.ends = low, high if high > low else low + 1.0
        self.background = border_mean(self.sample(64)) if self.rule is not None else None
        self._own: OrderedDict[int, Known] = OrderedDict()
        self._next, self._lock = len(self.test), threading.Lock()
        self._decoding = threading.Lock()
        """Held while a file is decoded: one at a time, since each may take much memory for a moment."""

    def sample(self, count: int) -> Array:
        """The first test pictures in levels. Shapes: (n,H,W,C) float32 from 0 to 255."""
        low, high = self.ends
        return np.asarray((np.asarray(self.test.images[:count], np.float32) - low) * (255 / (high - low)))

    def get(self, number: int) -> Known:
        """A picture. Errors: ConfigError for one that there is not, or not any more."""
        if number < len(self.test):
            rows = slice(number, number + 1)
            return Known(self.test.images[rows][0], self.test.labels[rows])
        with self._lock:
            found = self._own.get(number)
            if found is None:
                raise ConfigError(f"picture {number} is not kept any more; draw or choose it again")
            self._own.move_to_end(number)
        return found

    def add(self, image: Array, label: Array | None = None) -> int:
        """Keep a picture; its number. Shapes: (H,W,C) as the test pictures."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._own[number] = Known(image, label)
            while len(self._own) > MAX_OWN or sum(each.image.nbytes for each in self._own.values()) > MAX_BYTES:
                self._own.popitem(last=False)
        return number

    def add_levels(self, levels: Array) -> int:
        """The same of a picture whose pixels go from 0 to 255. Shapes: (H,W,C) uint8."""
        if self.test.images.dtype == np.uint8:
            return self.add(levels)
        low, high = self.ends
        return self.add(np.asarray(low + levels * ((high - low) / 255), np.float32))

    def add_file(self, content: bytes) -> tuple[int, bool]:
        """Keep a picture file, fitted as those that the network learned from: its number, and whether it is light
        where those were dark, or the reverse.

        Errors: DataError for what is no picture, or too large a one; ConfigError where the network takes none.
        """
        rule = self.rule
        if rule is None:
            raise self.no_own()
        with self._decoding:
            levels = decode_sent(content, rule)
        return self.add_levels(levels), looks_inverted(levels, self.background)

    def no_own(self) -> ConfigError:
        """Says that there can be no pictures of one's own."""
        return ConfigError(
            f"pictures of one's own have 1 or 3 channels, this network takes {self.test.images.shape[1:]}"
        )
