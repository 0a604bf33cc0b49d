"""Networks with other numbers in them than a new one has."""

from __future__ import annotations

import numpy as np

from pellucid import Model


def shaken(model: Model, seed: int = 0) -> Model:
    """The model with other numbers than those that a new one has in its norms and biases."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name, array in {**layer.params, **layer.state}.items():
            if name in ("variance", "gamma", "alpha"):
                layer.write(name, rng.uniform(0.5, 1.5, array.shape))
            elif name in ("mean", "beta", "bias"):
                layer.write(name, rng.normal(0, 0.2, array.shape))
    return model
