"""AlexNet and VGG-16 at their full size on four photographs: they predict, and their loss falls over 20 steps."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import optimizers, zoo

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "flower.jpg")
STEPS = 20


@functools.cache
def photographs(side: int) -> np.ndarray:
    """The four, cut square. Shapes: (4, side, side, 3) uint8."""
    folder = Path(os.environ.get("PELLUCID_DATA", ""), "photos")
    if not all((folder / name).is_file() for name in NAMES):
        pytest.skip("the photographs are not on this machine")
    pictures = []
    for name in NAMES:
        with Image.open(folder / name) as photo:
            square = min(photo.size)
            left, top = (photo.width - square) // 2, (photo.height - square) // 2
            cut = photo.convert("RGB").resize((side, side), box=(left, top, left + square, top + square))
        pictures.append(np.asarray(cut))
    return np.stack(pictures)


@pytest.mark.parametrize(
    ("name", "side", "shown", "copies", "rate"),
    [("alexnet", 227, 4, 3, 0.0001), ("vgg16", 224, 2, 1, 0.001)],
    ids=["alexnet", "vgg16"],
)
def test_a_large_network_predicts_and_learns(name: str, side: int, shown: int, copies: int, rate: float) -> None:
    pictures = photographs(side)[:shown]
    model = zoo.build(name, seed=1)
    assert model.input_shape == (side, side, 3) and model.output_shape == (1000,)
    before = model.predict(pictures)
    assert before.shape == (shown, 1000) and np.isfinite(before).all()
    np.testing.assert_allclose(before.sum(axis=1), 1, rtol=1e-4)
    alone = model(model.scaled(pictures[:1]))  # every layer by itself
    np.testing.assert_allclose(before[:1], alone, rtol=1e-3, atol=1e-6)

    rng = np.random.default_rng(2)
    moved = np.stack(
        [
            np.roll(picture[:, :: rng.choice((-1, 1))], rng.integers(-side // 8, side // 8 + 1, 2), (0, 1))
            for picture in np.tile(pictures, (copies, 1, 1, 1))
        ]
    )
    labels = np.tile(np.arange(shown), copies)
    model.compile(optimizers.SGD(rate, momentum=0.9), "categorical_crossentropy")
    history = model.fit(moved, labels, batch_size=len(moved), epochs=STEPS, verbose=0)
    losses = history["loss"]
    assert len(losses) == model.optimizer_state.step == STEPS
    assert losses[0] > 0.8 * np.log(1000) and np.mean(losses[-3:]) < 0.5 * losses[0], losses
    after = model.predict(pictures)
    assert after[:, :shown].sum(axis=1).min() > 0.5, "the few of a thousand classes that were shown"
