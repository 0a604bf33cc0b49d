"""A network that answers for picture files: each read as at training, several computed together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.datasets.pictures import decode_sent, fitting
from pellucid.errors import ConfigError
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.ops.geometry import whole
from pellucid.plan import InferencePlan
from pellucid.visualise.answers import as_probabilities, expect_classes, ranked

MOST_TOGETHER = 1024


class Answerer:
    """Reads pictures, in any thread, and answers for up to `batch_size` of them, one call at a time.

    top: of the most probable classes, how many.
    Errors: ConfigError for a network that takes no pictures, or gives no classes.
    """

    def __init__(self, model: Model, *, top: int, batch_size: int) -> None:
        expect_classes(model)
        self.top = whole(top, "top")
        self.batch_size = whole(batch_size, "batch_size", MOST_TOGETHER)
        shape = model.graph.input_shape
        if len(shape) != 3 or shape[2] not in (1, 3):
            raise ConfigError(f"{model.name} takes {shape}, no pictures in grey or colours")
        fit = model.preprocessing
        self.model = model
        self.rule = fitting(fit.size or (shape[0], shape[1]), shape[2], fit.resize)
        self._plan = InferencePlan(model.graph, model.parameters, capacity=batch_size)
        self.num_classes = as_probabilities(model, np.zeros((1, *model.graph.output_shape), np.float32)).shape[1]

    def read(self, content: bytes) -> Array:
        """A picture file's pixels, as the network gets them. Shapes: (H,W,C) uint8. Errors: DataError."""
        return decode_sent(content, self.rule)

    def answer(self, pictures: Sequence[Array]) -> Array:
        """How probable each class is. Shapes: N of (H,W,C) uint8 -> (N, classes), N at most `batch_size`."""
        count = len(pictures)
        stacked = np.stack(pictures)
        self._plan.take(stacked, *self.model.preprocessing.scale_offset(stacked.shape[-1]))
        return as_probabilities(self.model, self._plan.run(count)[0].copy())  # the next run writes there

    def named(self, shares: Array, top: int | None = None) -> list[dict[str, Any]]:
        """One picture's most probable classes, the most probable first. Shapes: shares (classes,)."""
        row = ranked(self.model, shares[None], top or self.top)[0]
        return [{"class": name, "probability": share} for name, share in row]
