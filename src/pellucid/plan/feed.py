"""How a batch gets into a plan: gathered by index, augmented, scaled and put into the input buffer in one pass.

Pictures that lie in memory are gathered inside the native program, straight from the caller's array. Pictures that
come from files, or are changed by a function, are first staged in a buffer of the plan. Targets and weights always lie
in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from pellucid import ops
from pellucid.datasets.augmentation import Augmentation
from pellucid.ops import native
from pellucid.ops.dispatch import run
from pellucid.ops.geometry import Array
from pellucid.ops.memory import aligned_empty
from pellucid.plan.work import Work


class Rows:
    """Rows of one array, taken in the order of an index list from a cursor on, by an operation.

    Shapes: source (M, ...) -> out (N, ...): out[i] = source[order[cursor + i]].
    """

    op: ClassVar[str] = "gather_labels"

    def __init__(self, source: Array, out: Array) -> None:
        self.source, self.out = source, out
        self.order = np.arange(len(source), dtype=np.int64)
        self.cursor = np.zeros(1, np.int64)

    def arguments(self) -> dict[str, Any]:
        """What the operation is given besides source, order, out and cursor."""
        return {}

    def work(self) -> Work:
        """The step that fills `out`."""
        fixed = self.arguments()
        if native.available:
            return native.step_maker(self.op)(self.source, self.order, out=self.out, cursor=self.cursor, **fixed)
        return lambda n: run(self.op, self.source, self.order, out=self.out[:n], cursor=self.cursor, **fixed)


class Scaled(Rows):
    """The same of floats or bytes, scaled: out[i] = source[order[cursor + i]] * scale + offset, by channel.

    Shapes: source (M, ..., C), scale, offset (C,); default: 1 and 0.
    """

    op = "gather"

    def __init__(self, source: Array, out: Array, scale: Array | None = None, offset: Array | None = None) -> None:
        channels = out.shape[-1] if out.ndim > 1 else 1
        super().__init__(_as_pictures(source, channels), _as_pictures(out, channels))
        self.scale = np.ones(channels, np.float32) if scale is None else scale
        self.offset = np.zeros(channels, np.float32) if offset is None else offset

    def arguments(self) -> dict[str, Any]:
        return {"scale": self.scale, "offset": self.offset}


class Drawn:
    """What is to happen to pictures, drawn anew in each epoch: of all that lie in memory, or of those of a batch.

    position: the row of `draws` at which a batch begins.
    Shapes: draws (capacity, 21); picture (H, W, C).
    """

    def __init__(self, of: Augmentation, seed: int, capacity: int, picture: tuple[int, ...]) -> None:
        self.of, self.seed, self.picture = of, seed, picture
        self.draws = aligned_empty((capacity, ops.DRAWN))
        self.position = np.zeros(1, np.int64)

    def draw(self, numbers: Array, epoch: int) -> None:
        """For the pictures of these numbers, in this order."""
        self.draws[: len(numbers)] = self.of.draw(numbers, self.picture, seed=self.seed, epoch=epoch)


class Augmented(Rows):
    """Pictures changed as was drawn for them, and scaled. Shapes: (M, H, W, C) -> (N, H, W, C)."""

    op = "augment"

    def __init__(self, source: Array, out: Array, scale: Array, offset: Array, drawn: Drawn) -> None:
        super().__init__(source, out)
        self.scale, self.offset, self.drawn = scale, offset, drawn

    def arguments(self) -> dict[str, Any]:
        drawn = {"draws": self.drawn.draws, "position": self.drawn.position, "border": self.drawn.of.border}
        return {"scale": self.scale, "offset": self.offset, **drawn}


class Mixed(Rows):
    """Targets mixed as the pictures are. Shapes: (M,) or (M, K) -> (N, K)."""

    op = "mix_targets"

    def __init__(self, source: Array, out: Array, drawn: Drawn) -> None:
        super().__init__(source if source.dtype.kind == "i" else source.reshape(len(source), -1), out)
        self.drawn = drawn

    def arguments(self) -> dict[str, Any]:
        return {"draws": self.drawn.draws, "position": self.drawn.position}


class Moved(Rows):
    """Masks moved as the pictures are. Shapes: (M, H, W) -> (N, H, W)."""

    op = "augment_masks"

    def __init__(self, source: Array, out: Array, drawn: Drawn) -> None:
        super().__init__(source, out)
        self.drawn = drawn

    def arguments(self) -> dict[str, Any]:
        return {"draws": self.drawn.draws, "position": self.drawn.position, "border": self.drawn.of.border}


def _as_pictures(array: Array, channels: int) -> Array:
    """Rows of any shape as pictures one pixel high; a view."""
    return array.reshape(len(array), 1, -1, channels)


class Feed:
    """Pictures, targets and weights of a data set, one batch at a time.

    augmentation: what is drawn for each picture by `seed`, the epoch and its number. classes: how many, where targets
    are class numbers and are to be mixed. class_weights: what pixels of each class count.
    Shapes: inputs (N, H, W, C) float32; targets (N,) or, from uint8, (N, H, W) int32, or (N, K) float32; weights (N,)
        float32 or None; class_weights (K,) float32 or None.
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
        augmentation: Augmentation | None = None,
        seed: int = 0,
        classes: int = 0,
        class_weights: Array | None = None,
    ) -> None:
        self.capacity = capacity
        self.inputs = aligned_empty((capacity, *picture))
        self.weights = None if weights is None else aligned_empty((capacity,))
        self.class_weights = class_weights
        self.staging = aligned_empty((capacity, *picture), staged_dtype) if images is None else None
        source = self.staging if images is None else images
        if source is None:
            raise AssertionError("unreachable: a feed without images has a staging buffer")
        numbers = targets.dtype.kind in "iu"
        self._drawn: Drawn | None = None
        self._epoch = 0
        if augmentation is None:
            self._images: Rows = Scaled(source, self.inputs, scale, offset)
        else:
            self._drawn = Drawn(augmentation, seed, len(source), picture)
            self._images = Augmented(source, self.inputs, scale, offset, self._drawn)
            if images is not None:
                self._drawn.position = self._images.cursor  # a row for each picture, in the order of the epoch
        if self._drawn is not None and self._drawn.of.mixes:
            self.targets = aligned_empty((capacity, *((classes,) if numbers else targets.shape[1:])))
            self._labels: list[Rows] = [Mixed(targets, self.targets.reshape(capacity, -1), self._drawn)]
        else:
            self.targets = aligned_empty((capacity, *targets.shape[1:]), np.int32 if numbers else targets.dtype)
            if numbers and targets.ndim > 1 and self._drawn is not None:
                self._labels = [Moved(targets, self.targets, self._drawn)]
            else:
                self._labels = [(Rows if numbers else Scaled)(targets, self.targets)]
        if weights is not None and self.weights is not None:
            self._labels.append(Scaled(weights, self.weights))

    def work(self) -> list[Work]:
        """The steps that fill inputs, targets and weights."""
        return [rows.work() for rows in (self._images, *self._labels)]

    def move_inputs(self, place: Callable[[Array], Array]) -> None:
        """Gather pictures into another buffer: the one that `place` makes of this one. Before `work` is asked for."""
        self.inputs = place(self.inputs)
        self._images.out = self.inputs.reshape(self._images.out.shape)

    def reorder(self, order: Array, epoch: int = 0) -> None:
        """Take the rows in this order from now on, beginning with the first, as they are in this epoch."""
        for rows in self._ordered():
            rows.order[...] = order
        self._epoch = epoch
        if self._drawn is not None and self.in_memory:
            self._drawn.draw(order, epoch)
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

    def stage(self, images: Array, position: int) -> None:
        """Hand over the next batch, where the pictures do not lie in memory: those from this place of the order on."""
        if self.staging is not None:
            self.staging[: len(images)] = images
            if self._drawn is not None:
                self._drawn.draw(self._labels[0].order[position : position + len(images)], self._epoch)
        self.seek(position)

    def _ordered(self) -> list[Rows]:
        return self._labels if self.staging is not None else [self._images, *self._labels]

    @property
    def num_bytes(self) -> int:
        """Bytes of the buffers, the caller's arrays not counted."""
        draws = None if self._drawn is None else self._drawn.draws
        arrays = (self.inputs, self.targets, self.weights, self.staging, draws)
        return sum(array.nbytes for array in arrays if array is not None)
