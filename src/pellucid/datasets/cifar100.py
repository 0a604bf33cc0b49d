"""CIFAR-100: small colour photographs, 32 x 32, of 100 classes, in the form that Keras's module of this name gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pellucid.datasets.cifar import read_hundred
from pellucid.datasets.dataset import KerasPair, keras_pairs
from pellucid.datasets.registry import load_named, locate
from pellucid.errors import expect_known

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> tuple[KerasPair, KerasPair]:
    """((x_train, y_train), (x_test, y_test)), all uint8: pictures (N,32,32,3), labels (N,1).

    label_mode: "fine" for the 100 classes, "coarse" for the 20 that hold five of them each.
    """
    expect_known("label_mode", label_mode, ("fine", "coarse"))
    data: Any = load_named("cifar100")
    place = locate("cifar100")
    if label_mode == "coarse" and place is not None:
        (_, train), (_, test) = read_hundred(place, coarse=True)
        data = replace(data, train=replace(data.train, labels=train), test=replace(data.test, labels=test))
    return keras_pairs(data)
