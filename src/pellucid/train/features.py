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
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np

from pellucid.datasets.batches import Batches
from pellucid.datasets.cache import SPARE_BYTES, limit_bytes
from pellucid.datasets.download import cache_folder
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.ops.geometry import Array, Shape
from pellucid.ops.memory import aligned_empty
from pellucid.plan import FeaturePlan, frozen_nodes, split_base
from pellucid.train.events import Event, FeaturesComputed, FeaturesNotKept
from pellucid.train.examples import Examples
from pellucid.train.feeding import make_feed
from pellucid.train.trainable import Trainable

MEMORY_BYTES = 2**30
"""What is kept in memory at most, of training and held-out pictures together; more goes to a file."""

MACS_PER_BYTE = 100
"""Below so many multiply-accumulates for each byte of output, computing anew is quicker than reading from a disk."""

NOT_KEPT = "frozen layers run in every epoch: keeping what they give would take"


@dataclass(frozen=True)
class Stage:
    """What every step of an epoch runs: the last layers of the model, or all, on what goes into them."""

    graph: Graph
    examples: Examples
    validation: Examples | None


def base_state(graph: Graph) -> tuple[tuple[Layer, int], ...]:
    """The base and the versions of its weights: while they stay, so do its outputs."""
    return tuple((layer, layer.version) for layer in split_base(graph)[0].layers)


def stage_of(
    model: Trainable,
    examples: Examples,
    validation: Examples | None,
    *,
    batch_size: int,
    epochs: int,
    augmented: bool,
    folder: Path | None,
    tell: Callable[[Event], bool],
) -> Stage:
    """The layers behind the base on its outputs, where that is worth it; else all layers on the pictures.

    epochs: how many are to come. folder: where a file for the outputs may be made; None: in
    the user's cache. tell: hands an event to whoever
    listens; an answer of False ends the work, and the stage is then all layers on the pictures.
    """
    graph = model.graph
    whole = Stage(graph, examples, validation)
    base, rest = split_base(graph)
    limits = _limits(graph, base)
    frozen = any(layer.params for layer in base.layers)
    if epochs < 2 or not (limits or frozen):
        return whole  # nothing is frozen, or nothing would be used twice
    if augmented:
        tell(FeaturesNotKept("frozen layers run in every epoch: the pictures are augmented"))
        return whole
    for limit in limits:
        tell(FeaturesNotKept(f"frozen layers from {limit}"))
    if not frozen:
        return whole
    shape, macs = base.output_shape, sum(visit.layer.macs(visit.input_shape) for visit in base.walk())
    parts = [part for part in (examples, validation) if part is not None]
    num_bytes = 4 * math.prod(shape) * sum(len(part) for part in parts)
    in_memory = num_bytes <= MEMORY_BYTES
    place = Path() if in_memory else folder or cache_folder() / "features"
    if not in_memory:
        reason = _no_file(num_bytes, macs / (4 * math.prod(shape)), place)
        if reason:
            tell(FeaturesNotKept(f"{NOT_KEPT} {_size(num_bytes)}, and {reason}"))
            return whole
    keep = _Keeper(model, base, batch_size, sum(map(len, parts)), num_bytes, in_memory, place, tell)
    try:
        kept = [keep.outputs(part, shape) for part in parts]
    except OSError as error:
        tell(FeaturesNotKept(f"{NOT_KEPT} {_size(num_bytes)} in {place}, which refuses: {error.strerror}"))
        return whole
    outputs = [array for array in kept if array is not None]
    if len(outputs) < len(parts):
        return whole
    behind = [replace(part, images=array) for part, array in zip(parts, outputs, strict=True)]
    return Stage(rest, behind[0], behind[1] if validation is not None else None)


class _Keeper:
    """Computes the outputs of a base, batch by batch, and puts them where they are kept."""

    def __init__(
        self,
        model: Trainable,
        base: Graph,
        batch_size: int,
        total: int,
        num_bytes: int,
        in_memory: bool,
        folder: Path,
        tell: Callable[[Event], bool],
    ) -> None:
        self._model, self._base, self._batch_size, self._folder, self._tell = model, base, batch_size, folder, tell
        self._name = base.layers[-1].name
        self._total, self._num_bytes, self._in_memory, self._done = total, num_bytes, in_memory, 0

    def outputs(self, examples: Examples, shape: Shape) -> Array | None:
        """What the base gives for every picture; None if a listener stopped it. Shapes: (M, *shape) float32."""
        if self._in_memory:
            kept = aligned_empty((len(examples), *shape))
            return kept if self._run(examples, _into(kept)) else None
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            if not self._run(examples, _onto(file)):
                return None
            file.flush()
            return np.asarray(np.memmap(file, np.float32, "r", shape=(len(examples), *shape)))

    def _run(self, examples: Examples, put: Callable[[Array], object]) -> bool:
        batches = Batches(examples.images, examples.targets, self._batch_size, shuffle=False)
        feed = make_feed(self._model, examples, self._batch_size, staged=not batches.in_memory)
        plan = FeaturePlan(self._base, self._model.parameters, feed=feed)
        for start, batch in zip(range(0, len(examples), self._batch_size), batches.epoch(0), strict=True):
            if not batches.in_memory:
                feed.stage(batch.images)
            feed.seek(start)
            put(plan.run(len(batch)))
            self._done += len(batch)
            event = FeaturesComputed(self._done, self._total, self._name, self._num_bytes, self._in_memory)
            if not self._tell(event):
                return False
        return True


def _into(kept: Array) -> Callable[[Array], object]:
    """Puts one batch after the other into an array."""
    filled = 0

    def put(outputs: Array) -> None:
        nonlocal filled
        kept[filled : filled + len(outputs)] = outputs
        filled += len(outputs)

    return put


def _onto(file: IO[bytes]) -> Callable[[Array], object]:
    """Writes one batch after the other; a full disk is then an OSError, where a map would end the process."""
    return lambda outputs: file.write(outputs.data)


def _limits(graph: Graph, base: Graph) -> list[str]:
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


def _no_file(num_bytes: int, macs_per_byte: float, folder: Path) -> str:
    """Why so much is not written to a file; "" where it is."""
    if macs_per_byte < MACS_PER_BYTE:
        return "computing them again is quicker than reading them"
    if num_bytes > limit_bytes():
        return f"PELLUCID_CACHE_BYTES allows {_size(limit_bytes())}"
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    return "" if num_bytes + SPARE_BYTES <= free else f"{folder} has {_size(free)} free"


def _size(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:,.1f} GB"
