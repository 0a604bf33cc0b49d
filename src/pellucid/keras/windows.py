"""Windows of a series, as Keras cuts them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.keras.data import Dataset
from pellucid.ops.geometry import whole

__all__ = ["timeseries_dataset_from_array"]


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Dataset:
    """Batches of windows of a series, each with the target at its first row; targets=None: of windows alone.

    Shapes: data (T,...) -> (N, sequence_length, ...).
    Units: sequence_stride from window to window, sampling_rate within one, start_index and end_index in rows.
    Errors: ConfigError for numbers below 1; DataError for a series that is shorter than a window.
    """
    length, step, rate = (
        whole(value, f"timeseries_dataset_from_array: {name}")
        for name, value in (
            *(("sequence_length", sequence_length), ("sequence_stride", sequence_stride)),
            ("sampling_rate", sampling_rate),
        )
    )
    rows, start = np.asarray(data), 0 if start_index is None else int(start_index)
    count = (len(rows) if end_index is None else int(end_index)) - start - (length - 1) * rate
    count = count if targets is None else min(count, len(targets) - start)
    if count < 1:
        raise DataError(f"timeseries_dataset_from_array: {len(rows)} rows hold no window of {length}, {rate} apart")
    starts = start + np.arange(0, count, step)
    if shuffle:
        np.random.default_rng(seed).shuffle(starts)
    answers = None if targets is None else np.asarray(targets)
    within = np.arange(length) * rate

    def element(place: Any) -> Any:
        window = rows[place + within]
        return window if answers is None else (window, answers[place])

    made = Dataset(lambda: map(element, starts), len(starts))
    return made if batch_size is None else made.batch(batch_size)
