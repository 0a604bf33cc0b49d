"""How a batch gets into a plan: gathered by index, scaled and put into the input buffer in one pass.

Pictures that lie in memory are gathered inside the native program, straight from the caller's array. Pictures that
come from files, or are augmented, are first staged in a buffer of the plan. Targets and weights always lie in memory.
"""

from __future__ import annotations

import numpy as np

from pellucid import ops
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import aligned_empty
from pellucid.plan.work import Work


class Rows:
    """Rows of one array, taken in the order of an index list from a cursor on.

    Shapes: source (M, ...) -> out (N, ...): out[i] = source[order[cursor + i]] * scale + offset, the last axis scaled
    by channel; integers are copied.
    """

    def __init__(self, source: Array, out: Array, scale: Array | None = None, offset: Array | None = None) -> None:
        channels = out.shape[-1] if out.ndim > 1 else 1
        labels = out.dtype.kind == "i"
        self.source = source if labels else _as_pictures(source, channels)
        self.out = out if labels else _as_pictures(out, channels)
        self.scale = np.ones(channels, np.float32) if scale is None else scale
        self.offset = np.zeros(channels, np.float32) if offset is None else offset
        self.order = np.arange(len(source), dtype=np.int64)
        self.cursor = np.zeros(1, np.int64)

    def work(self) -> Work:
        """The step that fills `out`."""
        if not native.available:
            return self._by_reference
        if self.out.dtype.kind == "i":
            return native.gather_labels(self.source, self.order, self.out, self.cursor)
        return native.gather(self.source, self.order, self.out, self.scale, self.offset, self.cursor)

    def _by_reference(self, n: int) -> None:
        start = int(self.cursor[0])
        chosen = self.order[start : start + n]
        if self.out.dtype.kind == "i":
            self.out[:n] = self.source[chosen]
        else:
            ops.gather(self.source, chosen, scale=self.scale, offset=self.offset, out=self.out[:n])


def _as_pictures(array: Array, channels: int) -> Array:
    """Rows of any shape as pictures one pixel high; a view."""
    return array.reshape(len(array), 1, -1, channels)


class Feed:
    """Pictures, targets and weights of a data set, one batch at a time.

    Shapes: inputs (N, H, W, C) float32; targets (N,) int32 or (N, K) float32; weights (N,) float32 or None.
    """

    def __init__(
        self,
        images: Array | None,
        targets: Array,
        weights: Array | None,
        *,
        capacity: int,
        picture: tuple[int, ...],
        scale: Array,
        offset: Array,
        staged_dtype: type = np.uint8,
    ) -> None:
        self.capacity = capacity
        self.inputs = aligned_empty((capacity, *picture))
        self.targets = aligned_empty((capacity, *targets.shape[1:]), targets.dtype)
        self.weights = None if weights is None else aligned_empty((capacity,))
        self.staging = aligned_empty((capacity, *picture), staged_dtype) if images is None else None
        source = self.staging if images is None else images
        if source is None:
            raise AssertionError("unreachable: a feed without images has a staging buffer")
        self._images = Rows(source, self.inputs, scale, offset)
        self._labels = [Rows(targets, self.targets)]
        if weights is not None and self.weights is not None:
            self._labels.append(Rows(weights, self.weights))

    def work(self) -> list[Work]:
        """The steps that fill inputs, targets and weights."""
        return [rows.work() for rows in (self._images, *self._labels)]

    def reorder(self, order: Array) -> None:
        """Take the rows in this order from now on, beginning with the first."""
        for rows in self._ordered():
            rows.order[...] = order
        self.seek(0)

    def seek(self, position: int) -> None:
        """The next batch begins at this place of the order."""
        for rows in self._ordered():
            rows.cursor[0] = position

    @property
    def in_memory(self) -> bool:
        """Whether the pictures are gathered where they lie, with nothing to stage."""
        return self.staging is None

    @property
    def cursors(self) -> list[Array]:
        """Where in the order the next batch begins: one number in each array, read when a step runs."""
        return [rows.cursor for rows in self._ordered()]

    def stage(self, images: Array) -> None:
        """Hand over the pictures of the next batch, where they do not lie in memory."""
        if self.staging is not None:
            self.staging[: len(images)] = images

    def _ordered(self) -> list[Rows]:
        return self._labels if self.staging is not None else [self._images, *self._labels]

    @property
    def num_bytes(self) -> int:
        """Bytes of the buffers, the caller's arrays not counted."""
        arrays = (self.inputs, self.targets, self.weights, self.staging)
        return sum(array.nbytes for array in arrays if array is not None)
