"""Outputs of frozen layers, computed once for all epochs.

What the base of a network gives for a picture is the same in every epoch. Where each picture comes as it is (no
augmentation), it is computed once, and the epochs run the layers behind it alone: the same steps, with the same bits.
One value is kept of each picture: where branches leave the base by several, what lies behind the last single one is
computed in every step.
Up to MEMORY_BYTES the outputs are kept in memory, beyond that in a file without a name, which the system removes with
the last reader, however that ends.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid.datasets.cache import SPARE_BYTES, limit_bytes
from pellucid.datasets.download import cache_folder
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array
from pellucid.ops.memory import aligned_empty
from pellucid.plan import FeaturePlan, frozen_nodes, split_base
from pellucid.train.events import Event, FeaturesComputed, FeaturesNotKept
from pellucid.train.examples import Examples
from pellucid.train.feeding import Feeder
from pellucid.train.trainable import Trainable

MEMORY_BYTES = 2**30
"""What is kept in memory at most, of training and held-out pictures together; more goes to a file."""

MACS_PER_BYTE = 100
"""Below so many multiply-accumulates for each byte of output, computing anew is quicker than reading from a disk."""

NOT_KEPT = "frozen layers run in every epoch: keeping what they give would take"


def base_state(graph: Graph) -> tuple[tuple[Layer, int], ...]:
    """The base and the versions of its weights: while they stay, so do its outputs."""
    return tuple((layer, layer.version) for layer in split_base(graph)[0].layers)


@dataclass
class Features:
    """What a base gives for pictures, computed batch by batch and kept.

    parts: training and held-out examples. folder: where a file may be made; None: in the user's cache. tell: hands an
    event to whoever listens, and ends the work by an exception.
    """

    model: Trainable
    base: Graph
    parts: Sequence[Examples]
    batch_size: int
    folder: Path | None
    tell: Callable[[Event], object]

    def __post_init__(self) -> None:
        self._numbers, self._total, self._done = math.prod(self.base.output_shape), sum(map(len, self.parts)), 0
        self._num_bytes = 4 * self._numbers * self._total
        self._in_memory = self._num_bytes <= MEMORY_BYTES

    def kept(self) -> list[Array] | None:
        """The outputs for the pictures of each part; None where they are not kept, and why was told.

        Shapes: (M, *shape) float32 each.
        """
        place = Path() if self._in_memory else self.folder or cache_folder() / "features"
        reason = "" if self._in_memory else f", and {why}" if (why := self._no_file(place)) else ""
        try:
            if not reason:
                return [self._in_array(part) if self._in_memory else self._in_file(part, place) for part in self.parts]
        except OSError as error:
            reason = f" in {place}, which refuses: {error.strerror}"
        self.tell(FeaturesNotKept(f"{NOT_KEPT} {_size(self._num_bytes)}{reason}"))
        return None

    def _in_array(self, part: Examples) -> Array:
        kept = aligned_empty((len(part), *self.base.output_shape))
        start = 0
        for outputs in self._batches(part):
            kept[start : start + len(outputs)] = outputs
            start += len(outputs)
        return kept

    def _in_file(self, part: Examples, folder: Path) -> Array:
        """The same in a file; a full disk is then an OSError, where writing to a map would end the process."""
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            for outputs in self._batches(part):
                file.write(outputs.data)
            file.flush()
            return np.asarray(np.memmap(file, np.float32, "r", shape=(len(part), *self.base.output_shape)))

    def _batches(self, part: Examples) -> Iterator[Array]:
        """The outputs of each batch, which the next ones overwrite."""
        feeder = Feeder(part, self.batch_size)
        feed = feeder.make_feed(self.model)
        plan = FeaturePlan(self.base, self.model.parameters, feed=feed)
        name = self.base.layers[-1].name
        for n in feeder.batches(feed):
            yield plan.run(n)
            self._done += n
            self.tell(FeaturesComputed(self._done, self._total, name, self._num_bytes, self._in_memory))

    def _no_file(self, folder: Path) -> str:
        """Why so much is not written to a file; "" where it is."""
        macs = sum(visit.macs for visit in self.base.walk())
        if macs < MACS_PER_BYTE * 4 * self._numbers:
            return "computing them again is quicker than reading them"
        if self._num_bytes > limit_bytes():
            return f"PELLUCID_CACHE_BYTES allows {_size(limit_bytes())}"
        existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
        free = shutil.disk_usage(existing).free
        return "" if self._num_bytes + SPARE_BYTES <= free else f"{folder} has {_size(free)} free"


def limits_of(graph: Graph, base: Graph) -> list[str]:
    """Why frozen weights lie behind the base: the layers that end it, and what is wrong with them."""
    trained, kept, steady = graph.trained(), {id(layer) for layer in base.layers}, set(frozen_nodes(graph))
    behind = [i for i, layer in enumerate(graph.layers) if not trained[i] and id(layer) not in kept]
    unsteady = [i for i in behind if i not in steady]
    found = []
    if any(graph.layers[i].params for i in unsteady):
        first = graph.layers[unsteady[0]]
        why = "draws anew in each step" if first.drop_rate > 0 else "may do something else in training than in use"
        found.append(f"{first.name!r} on run in every epoch: it {why}")
    branching = next((i for i in behind if i in steady and graph.layers[i].params), None)
    if branching is not None:
        found.append(f"{graph.layers[branching].name!r} on run in every epoch: several values go on from them")
    return found


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"
