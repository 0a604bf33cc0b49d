"""How the numbers of each layer are spread: activations, weights and gradients, now and over training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pellucid._display import Brief
from pellucid._numbers import percent
from pellucid.errors import CheckpointError, ConfigError, DataError, expect_known
from pellucid.files.inside import Inside, Place
from pellucid.model.tracing import Trace
from pellucid.ops import Array
from pellucid.train.snapshots import NUM_BINS, histogram, read_snapshot
from pellucid.visualise.drawing.labels import ENGLISH, Labels

KINDS = ("weights", "activations", "gradients")
SATURATED = 0.99
"""A sigmoid is saturated beyond this share of its range: above 0.99 or below 0.01; a tanh above 0.99 or below -0.99."""


@dataclass(frozen=True, repr=False)
class Histogram(Brief):
    """How many values lie in each of equal bins from `low` to `high`. Shapes: counts (NUM_BINS,)."""

    counts: Array
    low: float
    high: float

    @property
    def edges(self) -> Array:
        """The borders of the bins; where all values are one, a narrow bin around it. Shapes: (NUM_BINS + 1,)."""
        spread = 0.0 if self.high > self.low else 0.5 * max(abs(self.low), 1.0) * 1e-3
        return np.linspace(self.low - spread, self.high + spread, len(self.counts) + 1)

    @property
    def total(self) -> int:
        """How many values were counted; those that are no finite numbers are not."""
        return int(self.counts.sum())


@dataclass(frozen=True, repr=False)
class UnitStates(Brief):
    """What became of a layer's units over a batch: one count a channel of maps, or a unit of rows.

    dead: of a ReLU, those that gave 0 at every place of every picture. stuck: of a sigmoid or tanh, those saturated at
    every place of every picture. saturated: the share of all values that are.
    """

    units: int
    dead: int | None = None
    stuck: int | None = None
    saturated: float | None = None

    def in_words(self, say: Labels = ENGLISH) -> str:
        """In words, for a panel."""
        if self.dead is not None:
            return say("{dead} of {units} units dead", dead=self.dead, units=self.units)
        share = percent(self.saturated or 0, 1)
        words = "{share} of values saturated, {stuck} of {units} units always"
        return say(words, share=share, stuck=self.stuck, units=self.units)


def layer_histograms(
    seen: Trace, kind: str = "activations", layers: Sequence[str] | None = None
) -> dict[str, Histogram]:
    """The histogram of each layer's output ("activations"), or of each parameter or its gradient, by name.

    Names are as in a run's snapshots: "conv1" for an output, "conv1/kernel" for a parameter.
    Errors: ConfigError for an unknown kind or layer, and for gradients of a trace without them: give `trace` labels.
    """
    expect_known("kind of histogram", kind, KINDS)
    steps = list(seen) if layers is None else [seen[name] for name in layers]
    if kind == "activations":
        return {step.name: histogram_of(step.output) for step in steps}
    if kind == "gradients" and not seen.what:
        raise ConfigError("this trace has no gradients; give trace() labels, or take trace(...).back_from_class()")
    return {
        f"{step.name}/{name}": histogram_of(values)
        for step in steps
        for name, values in (step.weights if kind == "weights" else step.d_weights).items()
    }


def histogram_of(values: Array) -> Histogram:
    """The histogram of any array, as a run's snapshots have it."""
    made = histogram("values", np.asarray(values))
    return Histogram(made["values"], *(float(end) for end in made["values/range"]))


def unit_states(seen: Trace) -> dict[str, UnitStates]:
    """Dead ReLU units and saturated sigmoid and tanh units of each layer that has such an activation.

    Of a batch alone: a unit that is dead for some pictures may live for others.
    """
    found: dict[str, UnitStates] = {}
    for step in seen:
        how = step.layer.nonlinearity
        flat = step.output.reshape(-1, step.output.shape[-1])
        if how is None or not (how.may_die or how.kind in ("sigmoid", "tanh")):
            continue
        if how.may_die:
            found[step.name] = UnitStates(flat.shape[1], dead=int((flat == 0).all(axis=0).sum()))
            continue
        if how.kind == "sigmoid":
            beyond = (flat > SATURATED) | (flat < 1 - SATURATED)
        else:
            beyond = np.abs(flat) > SATURATED * how.amplitude
        stuck = int(beyond.all(axis=0).sum())
        found[step.name] = UnitStates(flat.shape[1], stuck=stuck, saturated=float(beyond.mean()))
    return found


# Over training


@dataclass(frozen=True, repr=False)
class Snapshots(Brief):
    """The histograms of a run, epoch by epoch: `series[kind][name][i]` belongs to `epochs[i]`.

    None where an epoch has none: gradients begin with epoch 1. Names as in `layer_histograms`.
    """

    epochs: tuple[int, ...]
    series: Mapping[str, Mapping[str, tuple[Histogram | None, ...]]]

    def of(self, kind: str, layers: Sequence[str] | None = None) -> dict[str, tuple[Histogram | None, ...]]:
        """The series of one kind, of all layers or of those named.

        Errors: ConfigError for an unknown kind or layer; DataError where the run has none of this kind.
        """
        expect_known("kind of histogram", kind, KINDS)
        every = self.series.get(kind, {})
        if not every:
            raise DataError(f"the snapshots hold no {kind}; epochs {self.epochs[0]} to {self.epochs[-1]} are there")
        known = list(dict.fromkeys(name.split("/")[0] for name in every))
        for layer in layers or ():
            expect_known(f"layer with {kind}", layer, known)
        return {name: every[name] for name in every if layers is None or name.split("/")[0] in layers}


def read_snapshots(folder: Path | Inside) -> Snapshots:
    """Read the histograms of a run's `snapshots` folder, `epoch-000.npz` and on.

    Errors: DataError for a folder without any; CheckpointError naming file and entry for what is no histogram: other
    than NUM_BINS whole counts from 0 up, or a range that is not two finite numbers in order.
    """
    within = (Inside(folder) if isinstance(folder, Path) else folder).check("folder")
    files = sorted(
        (int(match[1]), name)
        for name in (within.names() if within.is_dir() else ())
        if (match := re.fullmatch(r"epoch-(\d+)\.npz", name))
    )
    if not files:
        raise DataError(f"{folder}: holds no epoch-*.npz; `pellucid train` writes them into a run's snapshots folder")
    read = [_read(within / name) for _, name in files]
    series: dict[str, dict[str, tuple[Histogram | None, ...]]] = {}
    for kind, name in dict.fromkeys(key for one in read for key in one):
        series.setdefault(kind, {})[name] = tuple(one.get((kind, name)) for one in read)
    return Snapshots(tuple(epoch for epoch, _ in files), series)


def _read(path: Place) -> dict[tuple[str, str], Histogram]:
    arrays = read_snapshot(path, filters=False)
    found: dict[tuple[str, str], Histogram] = {}
    for key, counts in arrays.items():
        if key.endswith("/range"):
            continue
        kind, _, name = key.partition("/")
        ends = arrays.get(f"{key}/range")
        if kind not in KINDS or not name or ends is None:
            raise CheckpointError(f"{path}: {key!r} is no histogram of {', '.join(KINDS)} with its range")
        if counts.shape != (NUM_BINS,) or counts.dtype.kind not in "iu" or (counts < 0).any():
            raise CheckpointError(
                f"{path}: {key!r} must be {NUM_BINS} whole counts from 0 up, got {counts.dtype} {counts.shape}"
            )
        if ends.shape != (2,) or ends.dtype.kind not in "fiu" or not np.isfinite(ends).all() or ends[0] > ends[1]:
            raise CheckpointError(f"{path}: '{key}/range' must be two numbers in order, got {ends.tolist()}")
        found[kind, name] = Histogram(counts, float(ends[0]), float(ends[1]))
    return found
