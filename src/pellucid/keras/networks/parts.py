"""What descriptions of `keras.applications` are made of besides layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pellucid.layers import Dense, Dropout, GlobalAvgPool2D


@dataclass(frozen=True)
class Top:
    """What stands behind the last maps: classes are told apart, and how their scores become answers."""

    classes: int
    activation: Any

    def __call__(self, maps: Any, *, dropout: float = 0.0, **dense: Any) -> Any:
        """The maps' means, dropout where there is any, and a dense layer."""
        x = GlobalAvgPool2D(name="avg_pool")(maps)
        if dropout:
            x = Dropout(dropout, name="top_dropout")(x)
        return Dense(self.classes, activation=self.activation, name="predictions", **dense)(x)


def correct_pad(x: Any, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """What a window that moves by 2 needs around maps, so that it sees as much as TensorFlow's "same" shows it."""
    half = size // 2
    return tuple((half - (1 if side is None else 1 - side % 2), half) for side in x.shape[1:3])  # type: ignore[return-value]
