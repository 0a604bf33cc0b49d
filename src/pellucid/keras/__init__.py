"""Keras 3's module layout over Pellucid's objects, so that the import line is all that changes in a program:

    from pellucid import keras
    from pellucid.keras import layers

Modules here are lists of names: what they name is computed by `pellucid.layers`, `pellucid.losses` and so on, but for
what Keras means otherwise than Pellucid (pictures are never divided by 255, the last pictures are held out, ...), which
`model.py` adapts. What Keras has and Pellucid has not may be imported, and says what to write instead where it is
used: see `refused.py`.
"""

from __future__ import annotations

import functools
import sys
from types import ModuleType

from pellucid._keras_modules import AGAIN, DATASETS, OLDER
from pellucid.keras import (
    activations,
    applications,
    backend,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    preprocessing,
    random,
    regularizers,
    saving,
    tensorflow,
    tree,
    utils,
    wrappers,
)
from pellucid.keras.initializers import Initializer
from pellucid.keras.layers import Input, Layer
from pellucid.keras.losses import Loss
from pellucid.keras.metrics import Metric
from pellucid.keras.models import Model, Sequential
from pellucid.keras.optimizers import Optimizer
from pellucid.keras.refused import REFUSED, stand_in
from pellucid.keras.regularizers import Regularizer
from pellucid.keras.tensor import KerasTensor
from pellucid.keras.tensorflow import device, name_scope
from pellucid.keras.variable import Variable

__all__ = [
    "Initializer", "Input", "KerasTensor", "Layer", "Loss", "Metric", "Model", "Optimizer", "Regularizer",
    "Sequential", "Variable", "activations", "applications", "backend", "callbacks", "config", "constraints",
    "datasets", "device", "initializers", "layers", "losses", "metrics", "mixed_precision", "models", "name_scope",
    "ops", "optimizers", "preprocessing", "random", "regularizers", "saving", "tensorflow", "tree", "utils",
    "wrappers",
]  # fmt: skip

__version__ = "3.15.0"
"""The version of Keras whose names these are."""

vars(tensorflow)["keras"] = sys.modules[__name__]  # as programs find it there

for _name in REFUSED:
    _module = sys.modules[f"{__name__}.{_name}"]
    vars(_module)["__getattr__"] = functools.partial(stand_in, _module)

for _name in DATASETS:
    sys.modules[f"{__name__}.datasets.{_name}"] = getattr(datasets, _name)

for _name, _today in OLDER.items():  # the same modules by their names of before
    _module = sys.modules[f"{__name__}.{_today}"]
    _above, _, _last = f"{__name__}.{_name}".rpartition(".")
    vars(sys.modules[_above]).setdefault(_last, _module)
    sys.modules[f"{_above}.{_last}"] = _module

_below = {name.removeprefix(__name__): at for name, at in sys.modules.items() if f"{name}.".startswith(f"{__name__}.")}
for _place in AGAIN:  # and all of them by their paths in TensorFlow, and within Keras 3
    _above, _, _last = f"{__name__}.{_place}".rpartition(".")
    vars(sys.modules.setdefault(_above, ModuleType(_above))).setdefault(_last, sys.modules[__name__])
    sys.modules.update({f"{__name__}.{_place}{_name}": _module for _name, _module in _below.items()})
