"""What the examples share: their options, the digits they look at, and how a map is drawn."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pellucid import datasets
from pellucid.visualise import write_figure
from pellucid.visualise.drawing.figure import INK, new_figure, plain

__all__ = ["Digits", "digits", "draw_map", "finish", "new_figure", "options", "photographs", "plain"]

Digits = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def options(doc: str | None) -> argparse.ArgumentParser:
    """--out, where figures go, and --quick, for a first look in seconds; an example may add its own."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("figures"), help="folder for the figures (default figures)")
    parser.add_argument("--quick", action="store_true", help="small and without a download: seconds instead of minutes")
    return parser


def digits(quick: bool, count: int = 60_000) -> Digits:
    """Digits to learn from and to judge by: MNIST's, or, if quick, the 1,797 of the package brought to MNIST's size.

    Shapes: images (M,28,28,1) uint8, labels (M,), the same for the test part.
    """
    data = datasets.load("digits" if quick else "mnist")
    parts = (data.train.take(count), data.test)
    enlarge = _as_mnist if quick else np.asarray
    return tuple(array for part in parts for array in (enlarge(part.images), part.labels))  # type: ignore[return-value]


def photographs(quick: bool) -> Digits:
    """CIFAR-10's photographs, or, if quick, the digits of the package as 32x32 colour pictures, each in its own tint.

    Shapes: images (M,32,32,3) uint8, labels (M,), the same for the test part.
    """
    if not quick:
        data = datasets.load("cifar10")
        return np.asarray(data.train.images), data.train.labels, np.asarray(data.test.images), data.test.labels
    rng = np.random.default_rng(0)
    train, train_labels, test, test_labels = digits(True)
    coloured = []
    for images in (train, test):
        tints = rng.uniform(0.4, 1, (len(images), 1, 1, 3))
        coloured.append((np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))) * tints).astype(np.uint8))
    return coloured[0], train_labels, coloured[1], test_labels


def _as_mnist(images: Any) -> np.ndarray:
    """8x8 digits smoothly enlarged to 20x20, in the middle of 28x28, as MNIST has them."""
    large = np.zeros((len(images), 28, 28, 1), np.uint8)
    for target, image in zip(large, np.asarray(images), strict=True):
        target[4:24, 4:24, 0] = np.asarray(Image.fromarray(image[:, :, 0]).resize((20, 20), Image.Resampling.BICUBIC))
    return large


def draw_map(
    ax: Any, values: np.ndarray, title: str, *, low: float | None = None, high: float | None = None, bar: bool = True
) -> None:
    """A map in grey with its scale beside it; low and high put several maps on one scale."""
    shown = ax.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    ax.set_title(title, fontsize=9, color=INK)
    ax.tick_params(labelsize=7)
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_major_locator().set_params(integer=True)
    if bar:
        colours = ax.figure.colorbar(shown, ax=ax, shrink=0.85)
        colours.ax.tick_params(labelsize=7)


def finish(figure: Any, out: Path, name: str) -> None:
    """Write a figure and say where."""
    out.mkdir(parents=True, exist_ok=True)
    write_figure(figure, out / name)
    print(f"figure {out / name}")
