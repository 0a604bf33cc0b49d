"""Pellucid: convolutional networks you can see through, and train faster on an ordinary computer than anywhere else.

The public names; each is loaded on first use, so that `import pellucid` costs next to nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from pellucid._missing import missing
from pellucid._modules import adopt, explained

adopt(sys.modules[__name__])

if TYPE_CHECKING:  # the same names for editors and type checkers; a test compares the lists
    from pellucid import (
        convert,
        datasets,
        errors,
        exercises,
        initializers,
        layers,
        losses,
        metrics,
        model,
        ops,
        optimizers,
        plan,
        schedules,
        scratch,
        train,
        transfer,
        visualise,
        zoo,
    )
    from pellucid.errors import (
        BackendError,
        CheckpointError,
        ConfigError,
        DataError,
        DivergedError,
        PellucidError,
        ShapeError,
    )
    from pellucid.layers import (
        RBF,
        Activation,
        Add,
        AveragePooling1D,
        AveragePooling2D,
        AvgPool1D,
        AvgPool2D,
        BatchNorm,
        BatchNormalization,
        Concatenate,
        Conv1D,
        Conv2D,
        Convolution1D,
        Convolution2D,
        Dense,
        Dropout,
        Flatten,
        GlobalAveragePooling2D,
        GlobalAvgPool2D,
        Input,
        InputLayer,
        Layer,
        LeakyReLU,
        LocalResponseNorm,
        MaxPool1D,
        MaxPool2D,
        MaxPooling1D,
        MaxPooling2D,
        Multiply,
        ReLU,
        ScaledTanh,
        Sigmoid,
        Softmax,
        Subsampling2D,
        TableConv2D,
        Tanh,
        ZeroPadding2D,
        check_gradients,
    )
    from pellucid.model import Model, Sequential, set_exact_convolution
    from pellucid.model.file import load
    from pellucid.model.tracing import trace
    from pellucid.ops import num_threads, set_num_threads

    __version__: str

__all__ = [
    "RBF",
    "Activation",
    "Add",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BackendError",
    "BatchNorm",
    "BatchNormalization",
    "CheckpointError",
    "Concatenate",
    "ConfigError",
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "DataError",
    "Dense",
    "DivergedError",
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
    "Model",
    "Multiply",
    "PellucidError",
    "ReLU",
    "ScaledTanh",
    "Sequential",
    "ShapeError",
    "Sigmoid",
    "Softmax",
    "Subsampling2D",
    "TableConv2D",
    "Tanh",
    "ZeroPadding2D",
    "__version__",
    "check_gradients",
    "convert",
    "datasets",
    "errors",
    "exercises",
    "initializers",
    "layers",
    "load",
    "losses",
    "metrics",
    "model",
    "num_threads",
    "ops",
    "optimizers",
    "plan",
    "schedules",
    "scratch",
    "set_exact_convolution",
    "set_num_threads",
    "trace",
    "train",
    "transfer",
    "visualise",
    "zoo",
]

_SUBMODULES = frozenset(
    [
        "convert",
        "datasets",
        "errors",
        "exercises",
        "initializers",
        "layers",
        "losses",
        "metrics",
        "model",
        "ops",
        "optimizers",
        "plan",
        "schedules",
        "scratch",
        "train",
        "transfer",
        "visualise",
        "zoo",
    ]
)

# where the other names live; what is not here is a layer
_HOME = {
    "BackendError": "pellucid.errors",
    "CheckpointError": "pellucid.errors",
    "ConfigError": "pellucid.errors",
    "DataError": "pellucid.errors",
    "DivergedError": "pellucid.errors",
    "PellucidError": "pellucid.errors",
    "ShapeError": "pellucid.errors",
    "Model": "pellucid.model",
    "Sequential": "pellucid.model",
    "load": "pellucid.model.file",
    "num_threads": "pellucid.ops",
    "set_exact_convolution": "pellucid.model",
    "set_num_threads": "pellucid.ops",
    "trace": "pellucid.model.tracing",
}


def _version() -> str:
    metadata = importlib.import_module("importlib.metadata")
    try:
        return str(metadata.version("pellucid"))
    except metadata.PackageNotFoundError:
        return "0+unknown"  # run from its source folder, not installed


if not TYPE_CHECKING:  # a type checker would take every misspelt name for granted

    def __getattr__(name: str) -> Any:
        if name not in __all__:
            raise missing("module 'pellucid'", name, sys.modules[__name__])
        if name in _SUBMODULES:
            return importlib.import_module(f"pellucid.{name}")
        if name == "__version__":
            value: Any = _version()
        else:
            value = explained(getattr(importlib.import_module(_HOME.get(name, "pellucid.layers")), name))
        globals()[name] = value  # next time without a detour
        return value


def __dir__() -> list[str]:
    return list(__all__)
