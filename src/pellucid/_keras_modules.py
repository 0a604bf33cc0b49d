"""Modules that Keras had before, and where their names are today; nothing is imported for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

DATASETS = ("cifar10", "cifar100", "fashion_mnist", "mnist")
"""Modules of `keras.datasets`, which are those of `pellucid.datasets`."""

AGAIN = ("tensorflow.keras", "tensorflow.python.keras", "_tf_keras.keras", "api", "src")
"""Where, below `keras`, all its modules are found again."""

_MOVED: Mapping[str, str] = {
    "layers": "advanced_activations attention convolutional convolutional_recurrent core embeddings experimental "
    "experimental.preprocessing local merge noise normalization pooling preprocessing recurrent rnn wrappers",
    "utils": "conv_utils data_utils generic_utils image_utils io_utils layer_utils np_utils numerical_utils vis_utils "
    "visualize_util",
}
"""What `keras.layers.core` and the like are today."""

OLDER: Mapping[str, str] = {
    **{f"{today}.{name}": today for today, names in _MOVED.items() for name in names.split()},
    "applications.mobilenetv2": "applications.mobilenet_v2",
    "backend.tensorflow_backend": "backend",
    "callbacks.callbacks": "callbacks",
    "datasets.imdb": "imdb",
    "datasets.reuters": "reuters",
    "engine": "models",
    "engine.base_layer": "layers",
    "engine.input_layer": "layers",
    "engine.topology": "layers",
    "engine.training": "models",
    "initializations": "initializers",
    "objectives": "losses",
    "optimizers.experimental": "optimizers",
    "preprocessing.image_dataset": "utils",
}
"""`keras.layers.core` as `layers`, and so on."""


def again(name: str) -> Iterator[str]:
    """All paths of a module of `keras`, "" for that itself, where Keras is called `keras`."""
    for above in ("keras", *(each if each.startswith("tensorflow") else f"keras.{each}" for each in AGAIN)):
        yield f"{above}.{name}".rstrip(".")
