"""The few numbers that change from step to step; native steps read them through a pointer."""

import numpy as np

from pellucid.ops.geometry import Array, Shape

LOSS = 0
"""The place in `totals` of the sum of (weighted) losses."""
HITS = 1
"""The place in `totals` of the right answers."""
COUNT = 2
"""The place in `totals` of the pictures seen."""

RATE, STEP, GRADIENT_SCALE = range(3)
"""Places in `control`: learning rate, step number from 1, factor on gradients."""


def new_totals(targets: Array, output_shape: Shape) -> Array:
    """Zeros: three, and where the targets are classes of pixels three more for each class, see `count_classes`.

    Shapes: targets (N,...); output_shape (..., classes) -> (3,) or (3 + 3 * classes,) float64.
    """
    numbers = targets.dtype.kind in "iu" and targets.ndim > 1
    pixels = numbers and targets.shape[1:] == tuple(output_shape[-targets.ndim : -1])
    return np.zeros(3 + 3 * output_shape[-1] * pixels)


def counts_of(totals: Array) -> Array:
    """What was counted of each class; no class where targets are none of pixels. Shapes: (3, classes), a view."""
    return totals[3:].reshape(3, -1)
