"""What a network looked like after each epoch: first filters, and histograms of everything, small enough to keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pellucid.checkpoint import replacing
from pellucid.ops.geometry import Array
from pellucid.train.events import EpochEnded, Event, TrainingStarted
from pellucid.train.examples import Trainable

NUM_BINS = 64
NUM_PROBES = 32
"""Pictures whose activations are measured after each epoch."""


class Snapshots:
    """Writes `epoch-000.npz` before the first step and one file after each epoch.

    Each holds, by name: `filters` (KH, KW, C, O) of the first convolution; for every parameter and every layer's output
    `weights/LAYER/NAME`, `gradients/LAYER/NAME` (of the last step; from epoch 1) and `activations/LAYER` a histogram of
    NUM_BINS counts, with its range under `…/range`.
    """

    every_batch = False

    def __init__(self, folder: Path, model: Trainable, probes: Array) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._model, self._probes = folder, model, probes[:NUM_PROBES]

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                self._write(0, gradients=False)
            case EpochEnded():
                self._write(event.epoch + 1, gradients=True)

    def _write(self, epoch: int, *, gradients: bool) -> None:
        arrays: dict[str, Array] = {}
        parameters = self._model.parameters
        for segment in parameters.segments:
            arrays |= histogram(f"weights/{segment.key}", parameters.view(segment))
            if gradients and segment.trainable:
                arrays |= histogram(f"gradients/{segment.key}", parameters.gradient(segment))
        x = self._probes
        for layer in self._model.layers:
            if "filters" not in arrays and "kernel" in layer.params and layer.params["kernel"].ndim == 4:
                arrays["filters"] = np.array(layer.params["kernel"])
            x, _ = layer.forward(x)
            arrays |= histogram(f"activations/{layer.name}", x)
        with replacing(self._folder / f"epoch-{epoch:03d}.npz") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def histogram(name: str, values: Array) -> Mapping[str, Array]:
    """Counts over NUM_BINS equal bins between the least and the largest finite value."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    counts, _ = np.histogram(finite, NUM_BINS, (low, high))
    return {name: counts.astype(np.int64), f"{name}/range": np.array([low, high])}
