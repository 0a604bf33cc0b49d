"""Keras's applications that are here: networks of the zoo."""

from __future__ import annotations

from pellucid.keras.applications import densenet, imagenet_utils, mobilenet_v2, resnet, resnet50, vgg16, vgg19
from pellucid.keras.applications.published import VGG16, VGG19, DenseNet121, MobileNetV2, ResNet50

__all__ = [
    "VGG16",
    "VGG19",
    "DenseNet121",
    "MobileNetV2",
    "ResNet50",
    "densenet",
    "imagenet_utils",
    "mobilenet_v2",
    "resnet",
    "resnet50",
    "vgg16",
    "vgg19",
]  # fmt: skip
