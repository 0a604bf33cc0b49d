"""What the tests of the training doctor share: pictures with something to learn, and what was said about a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid import layers as L
from pellucid.model import Sequential
from pellucid.train import Diagnosed


def bars(count: int = 96, classes: int = 3, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Pictures from 0 to 1 with a bright row, whose number is the class, on noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    images = rng.uniform(0, 0.3, (count, 6, 5, 2)).astype(np.float32)
    images[np.arange(count), labels] += 0.7
    return images, labels


def network(*, hidden: str = "relu", last: str | None = "softmax", units: int = 3, **options: Any) -> Sequential:
    """A small network; options go to its convolution."""
    return Sequential(
        [
            L.Conv2D(6, 3, activation=hidden, input_shape=(6, 5, 2), name="conv", **options),
            L.Flatten(),
            L.Dense(8, activation=hidden, name="hidden"),
            L.Dense(units, activation=last, name="out"),
        ]
    )


def said(
    model: Sequential,
    x: np.ndarray,
    y: np.ndarray,
    *,
    optimizer: Any = "adam",
    loss: str = "categorical_crossentropy",
    **options: Any,
) -> list[Diagnosed]:
    """What the doctor says while a model is trained."""
    heard: list[Diagnosed] = []
    model.compile(optimizer, loss)
    options.setdefault("batch_size", 16)
    model.fit(x, y, verbose=0, callbacks=lambda e: heard.append(e) if isinstance(e, Diagnosed) else None, **options)
    return heard


def rules(told: Sequence[Diagnosed]) -> list[str]:
    """The names of the rules that spoke, with their variants."""
    return [one.rule for one in told]
