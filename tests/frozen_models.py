"""Small networks whose first layers are frozen, pictures for them, and a listener that keeps what it is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from small_model import fit

from pellucid import layers as L
from pellucid import zoo
from pellucid.datasets.transforms import Preprocessing
from pellucid.model import Sequential
from pellucid.train import (
    Event,
)

RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 256, (23, 16, 12, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 3, 23)


class Recorder:
    """Keeps every event."""

    every_batch = False

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def plain() -> Sequential:
    """Frozen: convolutions with every kind of follower. Trained: two dense layers with dropout between."""
    model = Sequential(
        [
            L.Conv2D(6, 3, padding="same", activation="relu", input_shape=(16, 12, 3), name="conv1"),
            L.MaxPool2D(2, name="pool1"),
            L.Conv2D(8, (3, 2), name="conv2"),
            L.ReLU(name="relu2"),
            L.AvgPool2D(2, name="pool2"),
            L.Flatten(name="flatten"),
            L.Dense(7, activation="relu", name="hidden"),
            L.Dropout(0.4, name="dropout"),
            L.Dense(3, activation="softmax", name="out"),
        ],
        seed=1,
    )
    return frozen(model, 6)


def normed() -> Sequential:
    """Frozen: batch norms with statistics that are not those of a batch."""
    model, rng = zoo.photo_net((16, 12, 3), 3, filters=(8, 8, 16), seed=2), np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, L.BatchNorm):
            size = layer.state["mean"].size
            layer.set_weights([*layer.get_weights()[:2], rng.normal(0, 0.5, size), rng.uniform(0.5, 2, size)])
    return frozen(model, len(model.layers) - 2)


def scaled() -> Sequential:
    """Frozen: as `plain`, with pictures scaled by channel, which features must not be."""
    model = plain()
    model.preprocessing = Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    return model


def dense_too() -> Sequential:
    """Frozen: a dense layer as well."""
    return frozen(plain(), 7)


def last_block() -> Sequential:
    """Trained: a convolution and what follows, so the first trained kernel needs the base's output."""
    model = frozen(plain(), 2)
    for layer in model.layers[2:]:
        layer.trainable = True
    return model


def frozen(model: Sequential, depth: int) -> Sequential:
    for layer in model.layers[:depth]:
        layer.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


NETWORKS: dict[str, Callable[[], Sequential]] = {
    "plain": plain,
    "normed": normed,
    "scaled": scaled,
    "dense_too": dense_too,
    "last_block": last_block,
}
FITTING: dict[str, Any] = {"batch_size": 5, "epochs": 3, "validation_split": 0.3, "class_weight": "balanced"}


def outcome(model: Sequential, **options: Any) -> tuple[np.ndarray, dict[str, list[float]]]:
    history = fit(model, PICTURES, LABELS, **{**FITTING, **options})
    return model.parameters.vector.copy(), history.history
