"""Modules that Keras had before, and where their names are today; nothing is imported for it."""

from __future__ import annotations

from collections.abc import Mapping

DATASETS = ("cifar10", "fashion_mnist", "mnist")
"""Modules of `keras.datasets`, which are those of `pellucid.datasets`."""

OLDER: Mapping[str, str] = {
    **{
        f"layers.{name}": "layers"
        for name in (
            "advanced_activations", "convolutional", "core", "experimental", "experimental.preprocessing", "merge",
            "noise", "normalization", "pooling",
        )
    },
    **{f"utils.{name}": "utils" for name in ("data_utils", "generic_utils", "np_utils", "vis_utils")},
    "backend.tensorflow_backend": "backend",
    "engine": "layers",
    "engine.topology": "layers",
    "engine.training": "models",
}  # fmt: skip
"""`keras.layers.core` as `layers`, and so on."""
