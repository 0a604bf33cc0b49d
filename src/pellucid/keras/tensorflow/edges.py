"""How much pictures change from pixel to pixel, by TensorFlow's names; a tape follows."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras.tensorflow.math import numbers

__all__ = ["image_gradients", "sobel_edges", "total_variation"]


def total_variation(images: Any, name: Any = None) -> Any:
    """The sum of what neighbours differ by, of each picture. Shapes: (N,H,W,C) -> (N,), (H,W,C) -> ()."""
    x = numbers(images, "total_variation")
    down, across = x[..., 1:, :, :] - x[..., :-1, :, :], x[..., 1:, :] - x[..., :-1, :]
    return np.sum(np.abs(down), (-3, -2, -1)) + np.sum(np.abs(across), (-3, -2, -1))


def image_gradients(image: Any) -> Any:
    """(down, across): each pixel's next one less itself, 0 at the border. Shapes: (N,H,W,C), unchanged."""
    x = numbers(image, "image_gradients")
    down = np.pad(x[:, 1:] - x[:, :-1], ((0, 0), (0, 1), (0, 0), (0, 0)))
    return down, np.pad(x[:, :, 1:] - x[:, :, :-1], ((0, 0), (0, 0), (0, 1), (0, 0)))


def sobel_edges(image: Any, *, border: Any = "reflect") -> Any:
    """Sobel's differences down and across, smoothed the other way; border: a mode of `numpy.pad`.

    Shapes: (N,H,W,C) -> (N,H,W,C,2).
    Source: Sobel & Feldman 1968, as in Duda & Hart 1973, p. 271.
    """
    x = np.pad(numbers(image, "sobel_edges"), ((0, 0), (1, 1), (1, 1), (0, 0)), mode=border)
    down = x[:, 2:] - x[:, :-2]
    across = x[:, :, 2:] - x[:, :, :-2]
    down = down[:, :, :-2] + 2 * down[:, :, 1:-1] + down[:, :, 2:]
    across = across[:, :-2] + 2 * across[:, 1:-1] + across[:, 2:]
    return np.stack([down, across], -1)
