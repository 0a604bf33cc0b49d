"""Files of weights written with h5py, in the layouts that Keras 1 and 2 wrote, and a model that fits them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import layers as L
from pellucid.model import Sequential

h5py = pytest.importorskip("h5py", reason="h5py is not installed")

NAMES = ("block1_conv1", "block1_pool", "fc1")


def small() -> Sequential:
    return Sequential(
        [L.Input((4, 4, 3)), L.Conv2D(2, 3, name="conv1_1"), L.MaxPool2D(2), L.Flatten(), L.Dense(2, name="fc6")]
    )


def write(path: Path, change: Callable[[Any], None] = lambda file: None, *, style: str = "{layer}_{which}_1:0") -> Path:
    """A weights file of two layers, and what `change` does to it. Keras 1 names a kernel W, Keras 2 kernel."""
    rng = np.random.default_rng(2)
    shapes = {"block1_conv1": ((3, 3, 3, 2), (2,)), "fc1": ((2, 2), (2,)), "block1_pool": ()}
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in NAMES]
        for layer in NAMES:
            group = file.create_group(layer)
            names = [style.format(layer=layer, which=which) for which in "Wb"[: len(shapes[layer])]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, shape in zip(names, shapes[layer], strict=True):
                group[name] = rng.normal(size=shape).astype(np.float32)
        change(file)
    return path


KERNEL = "block1_conv1/block1_conv1_W_1:0"
