"""A network of a few hundred weights, with pictures for it."""

from __future__ import annotations

import numpy as np

from pellucid import layers as L
from pellucid.model import Sequential
from pellucid.plan import Feed, TrainingPlan
from pellucid.train import History


def pictures(count: int = 24, shape: tuple[int, ...] = (6, 5, 2), classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    return rng.normal(size=(count, *shape)).astype(np.float32), np.arange(count) % classes


def small(seed: int = 0) -> Sequential:
    return Sequential(
        [
            L.Conv2D(4, (3, 2), activation="relu", input_shape=(6, 5, 2), name="conv"),
            L.MaxPool2D(2, name="pool"),
            L.Flatten(name="flat"),
            L.Dense(7, activation="tanh", name="hidden"),
            L.Dense(3, activation="softmax", name="out"),
        ],
        seed=seed,
    )


def compiled(optimizer: object = "adam", model: Sequential | None = None) -> Sequential:
    model = model or small()
    model.compile(optimizer, "categorical_crossentropy")  # type: ignore[arg-type]
    return model


def fit(model: Sequential, *data: object, **options: object) -> History:
    return model.fit(*data, verbose=0, **options)  # type: ignore[arg-type]


def training_plan(model: Sequential, feed: Feed, seed: int = 3, accuracy: str | None = "categorical") -> TrainingPlan:
    """The step of training that a compiled model takes."""
    return TrainingPlan.of(model, feed, seed=seed, accuracy=accuracy)
