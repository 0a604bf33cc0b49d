"""A network of a few hundred weights, with pictures for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid import train
from pellucid.model import Sequential
from pellucid.plan import Feed, TrainingPlan
from pellucid.train import Event, History, Listener, Stop


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
    return train.training_plan(model, feed, seed=seed, accuracy=accuracy)


class StopAt:
    """Ends training at the n-th event of a type; n is counted from 1."""

    every_batch = False

    def __init__(self, kind: type, number: int) -> None:
        self._kind, self._left = kind, number

    def __call__(self, event: Event) -> Stop | None:
        self._left -= isinstance(event, self._kind)
        return Stop("enough") if self._left == 0 else None


def fitted(folder: Path | None, *listeners: Listener, epochs: int = 3, **options: Any) -> tuple[Sequential, History]:
    """A training with its checkpoints in a folder, as `fit(resume=)` has it."""
    model, (x, y) = compiled(options.pop("optimizer", "adam"), options.pop("model", None)), pictures(40)
    settings = {"batch_size": 8, "validation_split": 0.2, **options}
    return model, model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(listeners), resume=folder, **settings)
