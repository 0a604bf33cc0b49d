"""What a network looked like after each epoch: first filters, and histograms of everything, small enough to keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import CheckpointError, DataError
from pellucid.files.atomic import make_folder, replacing
from pellucid.files.inside import Inside, Place, reading
from pellucid.files.safe_zip import read_npz
from pellucid.layers import Layer
from pellucid.layers.graph import Graph
from pellucid.layers.parameters import Segment
from pellucid.ops.geometry import Array, Shape
from pellucid.plan import split_base
from pellucid.train.events import EpochEnded, Event, TrainingStarted
from pellucid.train.features import base_state
from pellucid.train.trainable import Trainable

NUM_BINS = 64
NUM_PROBES = 32
"""Pictures whose activations are measured after each epoch."""

PROBE_BYTES = 64 * 2**20
"""What one layer's output for the probes may take; of large pictures fewer are measured, at least one."""


MAX_FILTER_BYTES = 16 * 2**20
"""What a first convolution read back may take; AlexNet's takes 0.14 MB."""


class Snapshots:
    """Writes `epoch-000.npz` before the first step and one file after each epoch.

    Each holds, by name: `filters` (KH, KW, C, O) of the first convolution; for every parameter and every layer's output
    `weights/LAYER/NAME`, `gradients/LAYER/NAME` (of the last step; from epoch 1) and `activations/LAYER` a histogram of
    NUM_BINS counts, with its range under `…/range`. What frozen layers hold and give is measured once.
    """

    every_batch, writes = False, True

    def __init__(self, folder: Path | Inside, model: Trainable, probes: Array) -> None:
        self._folder, self._model = folder if isinstance(folder, Inside) else Inside(folder), model
        self._probes = probes[: num_probes(model, probes.shape[1:])]
        self._weights: dict[str, tuple[int, Mapping[str, Array]]] = {}
        self._base: tuple[object, Array, Mapping[str, Array]] | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                make_folder(self._folder)
                if (event.first_epoch, event.first_batch) == (0, 0):
                    self._write(0, gradients=False)
            case EpochEnded():
                self._write(event.epoch + 1, gradients=True)

    def _write(self, epoch: int, *, gradients: bool) -> None:
        parameters, layers = self._model.parameters, self._model.flat_layers
        versions = {layer.name: layer.version for layer in layers}
        arrays: dict[str, Array] = {}
        for segment in parameters.segments:
            arrays |= self._weight(segment, versions[segment.layer])
            if gradients and segment.trainable:
                arrays |= histogram(f"gradients/{segment.key}", parameters.gradient(segment))
        kernels = (layer.params["kernel"] for layer in layers if "kernel" in layer.params)
        first = next((kernel for kernel in kernels if kernel.ndim == 4), None)
        if first is not None:
            arrays["filters"] = np.array(first)
        arrays |= self._activations(self._model.graph)
        with replacing(self._folder / f"epoch-{epoch:03d}.npz") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]

    def _weight(self, segment: Segment, version: int) -> Mapping[str, Array]:
        """The histogram of a parameter; of a frozen one, the last that was made as long as nobody wrote to it."""
        known = self._weights.get(segment.key)
        if known is not None and known[0] == version and not segment.trainable:
            return known[1]
        made = histogram(f"weights/{segment.key}", self._model.parameters.view(segment))
        self._weights[segment.key] = version, made
        return made

    def _activations(self, graph: Graph) -> Mapping[str, Array]:
        """The histograms of all outputs; those of frozen first layers are kept while these stay as they are."""
        state = base_state(graph)
        base, rest = split_base(graph)
        if self._base is None or self._base[0] != state:
            self._base = state, *_through(base, self._probes)
        _, x, made = self._base
        return {**made, **_through(rest, x)[1]}


def read_snapshot(path: Place, *, filters: bool) -> Mapping[str, Array]:
    """The histograms of a file that `Snapshots` wrote, with their ranges, by name; or its `filters` alone.

    Errors: CheckpointError naming the file if it is damaged, or holds other than arrays of those sizes.
    """

    def limit(name: str) -> int:
        if name == "filters":
            return MAX_FILTER_BYTES if filters else 0
        return 0 if filters else NUM_BINS * np.dtype(np.int64).itemsize

    try:
        with reading(path) as file:
            return read_npz(file, limit, str(path))
    except DataError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise CheckpointError(f"{path}: cannot be read: {why}") from error


def _through(graph: Graph, x: Array) -> tuple[Array, Mapping[str, Array]]:
    """What a graph gives, and the histogram of each layer's output."""
    made: dict[str, Array] = {}

    def each(number: int, layer: Layer, read: Any) -> Array:
        y = layer.forward(read)[0]
        made.update(histogram(f"activations/{layer.name}", y))
        return y

    return np.asarray(graph.run(x, each)), made


def num_probes(model: Trainable, shape: Shape) -> int:
    """How many probes of this shape PROBE_BYTES allows, NUM_PROBES at most."""
    largest = max(math.prod(shape), *(math.prod(visit.output_shape) for visit in model.graph.walk()))
    return min(NUM_PROBES, max(1, PROBE_BYTES // (4 * largest)))


def histogram(name: str, values: Array) -> Mapping[str, Array]:
    """Counts over NUM_BINS equal bins between the least and the largest finite value."""
    finite = values[np.isfinite(values)].astype(np.float64)  # in float32, neighbours have no bins between them
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    counts, _ = np.histogram(finite, NUM_BINS, (low, high))
    return {name: counts.astype(np.int64), f"{name}/range": np.array([low, high])}
