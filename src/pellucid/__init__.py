"""Pellucid: convolutional networks you can see through, and train faster on an ordinary computer than anywhere else.

The public names; each is loaded on first use, so that `import pellucid` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

_SUBMODULES = (
    "checkpoint",
    "datasets",
    "errors",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "model",
    "ops",
    "optimizers",
    "plan",
    "schedules",
    "train",
    "visualise",
    "zoo",
)

_LAYERS = (
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNorm",
    "BatchNormalization",
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "Input",
    "InputLayer",
    "Layer",
    "LeakyReLU",
    "LocalResponseNorm",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "ReLU",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "ZeroPadding2D",
    "check_gradients",
)

_ERRORS = ("BackendError", "CheckpointError", "ConfigError", "DataError", "PellucidError", "ShapeError")

_HOME = {
    **dict.fromkeys(_LAYERS, "pellucid.layers"),
    **dict.fromkeys(_ERRORS, "pellucid.errors"),
    "Sequential": "pellucid.model",
    "load": "pellucid.model_file",
    "num_threads": "pellucid.ops",
    "set_num_threads": "pellucid.ops",
}

__all__ = ["__version__", *sorted((*_HOME, *_SUBMODULES))]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        metadata = importlib.import_module("importlib.metadata")
        try:
            return metadata.version("pellucid")
        except metadata.PackageNotFoundError:
            return "0+unknown"  # run from its source folder, not installed
    if name in _SUBMODULES:
        return importlib.import_module(f"pellucid.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'pellucid' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value  # next time without a detour
    return value


def __dir__() -> list[str]:
    return list(__all__)
