"""Keras's applications: networks of the zoo, with the weights that `pellucid weights` knows."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import zoo
from pellucid.convert.published import SCALINGS, imagenet_names
from pellucid.errors import ConfigError, expect_known
from pellucid.keras.model import Model
from pellucid.keras.seeds import next_seed
from pellucid.keras.tensor import KerasInput, tensor
from pellucid.layers import GlobalAvgPool2D, GlobalMaxPool2D, Rescaling
from pellucid.layers.graph import INPUT
from pellucid.layers.symbolic import call, is_symbolic
from pellucid.ops import real_array

__all__ = ["VGG16", "VGG19", "DenseNet121", "MobileNetV2", "ResNet50", "decode_predictions", "preprocess_input"]

SIDE = 224
"""Of the pictures that these networks were published for."""

SCALING = SCALINGS["torchvision"].preprocessing
"""What their published weights were trained with."""


def _application(name: str, keras_name: str) -> Callable[..., Model]:
    def build(
        include_top: bool = True,
        weights: Any = "imagenet",
        input_tensor: Any = None,
        input_shape: Sequence[int | None] | None = None,
        pooling: str | None = None,
        classes: int = 1000,
        **more: Any,
    ) -> Model:
        if weights is not None and include_top and classes != 1000:
            raise ConfigError(f"{keras_name}: weights of ImageNet are for 1000 classes; give include_top=False")
        known = (SIDE, SIDE, 3) if input_shape is None or None in input_shape else tuple(input_shape)
        size: Any = known if include_top else (SIDE, SIDE, 3)
        made = zoo.build(name, input_shape=size, classes=classes, weights=weights, seed=next_seed())
        free = input_shape if input_shape is not None or include_top else (None, None, 3)
        source = KerasInput(known if free is None else free) if input_tensor is None else input_tensor
        visits = list(made.graph.walk())
        end = len(visits) if include_top else next(visit.number for visit in visits if visit.ends_maps)
        values: dict[int, Any] = {INPUT: source}
        for visit in visits[:end]:
            values[visit.number] = call(visit.layer, [values[i] for i in visit.inputs])
        answer = values[max(values)]
        if not include_top and pooling is not None:
            kinds = {"avg": GlobalAvgPool2D, "max": GlobalMaxPool2D}
            answer = kinds[expect_known("pooling", pooling, kinds)]()(answer)
        model = Model(source, answer, name=more.get("name") or keras_name.lower())
        for layer in model.layers:
            layer.owner = weakref.ref(model)  # and no longer the zoo's
        return model

    build.__name__ = build.__qualname__ = keras_name
    build.__doc__ = f"""`pellucid.zoo`'s {name}: weights="imagenet" for those that were published, None for new ones.

    Pictures go in as `preprocess_input` gives them. include_top=False ends at the last maps; pooling: "avg" or "max".
    Errors: ConfigError for arguments, and where the published weights are not here and cannot be fetched.
    """
    return build


VGG16, VGG19 = _application("vgg16", "VGG16"), _application("vgg19", "VGG19")
ResNet50, DenseNet121 = _application("resnet50", "ResNet50"), _application("densenet121", "DenseNet121")
MobileNetV2 = _application("mobilenet-v2", "MobileNetV2")


def preprocess_input(x: Any, data_format: str | None = None, mode: str | None = None) -> Any:
    """Pictures from 0 to 255 as these networks' published weights take them: (x / 255 - mean) / std of each colour.

    Keras has another for each network; this one goes with the weights that are here.
    Shapes: (..., 3), unchanged.
    """
    scale, offset = SCALING.scale_offset(3)
    if is_symbolic(x):
        return Rescaling(scale.tolist(), offset.tolist())(x)
    return tensor(np.asarray(real_array(x, "preprocess_input: x"), np.float32) * scale + offset)


def decode_predictions(preds: Any, top: int = 5) -> list[list[tuple[str, str, float]]]:
    """For each picture the likeliest of ImageNet's classes: ("", name, probability), the likeliest first.

    Keras puts WordNet's number first, which is not kept here.
    Errors: ConfigError for other than 1000 classes.
    """
    rows = np.asarray(preds)
    if rows.ndim != 2 or rows.shape[1] != 1000:
        raise ConfigError(f"decode_predictions: needs probabilities (N, 1000), got shape {rows.shape}")
    names = imagenet_names()
    return [[("", names[k], float(row[k])) for k in np.argsort(-row, kind="stable")[:top]] for row in rows]
