"""Drawn networks of convolutions, batch norms and sums: a plan gives the gradients of its steps one by one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from case import normal

import pellucid
from pellucid.layers import Add, BatchNorm, Conv2D, Dense, DepthwiseConv2D, Dropout, GlobalAvgPool2D, Input, Layer, ReLU
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan import Feed, patterns
from pellucid.plan.normed_convolution import lower_normed_convolutions
from pellucid.train import training_plan

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")
PICTURES = 12


def network(seed: int) -> pellucid.Model:
    """Stretches of up to three convolutions, each from one of the last two values, some added to any value before."""
    draw = random.Random(seed)
    same: dict[str, Any] = {"padding": "same", "use_bias": False}

    def convolution(kind: str = "") -> Layer:
        if kind == "alone" or (not kind and draw.random() < 0.25):
            return DepthwiseConv2D(3, **same)
        return Conv2D(16, 1 if kind else draw.choice([1, 3, 3]), **same)

    inputs = Input((draw.choice([6, 9]), draw.choice([5, 8]), 3))
    values = [ReLU()(BatchNorm()(Conv2D(16, 3, **same)(inputs)))]
    for _ in range(draw.randint(2, 6)):
        y = draw.choice(values[-2:])
        first = ["expansion", "alone"] if draw.random() < 0.3 else []
        for kind in [*first, *[""] * draw.randint(1, 4)]:
            y = convolution(kind)(y)
            y = BatchNorm()(y) if draw.random() < 0.9 else y
            y = ReLU(max_value=draw.choice([None, 2.0]))(y) if draw.random() < 0.75 else y
        if draw.random() < 0.6:
            y = Add()([y, draw.choice(values)])
            y = ReLU()(y) if draw.random() < 0.6 else y
        values.append(Dropout(0.3)(y) if draw.random() < 0.1 else y)
    model = pellucid.Model(inputs, Dense(4, activation="softmax")(GlobalAvgPool2D()(values[-1])))
    for layer in model.layers:
        layer.trainable = draw.random() > 0.12
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def trained(seed: int, pictures: Array, n: int) -> tuple[Array, list[str]]:
    """All gradients of a step, and the kernels that ran."""
    model = network(seed)
    labels, ones = np.arange(PICTURES, dtype=np.int32) % 4, np.ones(3, np.float32)
    shape = model.graph.input_shape
    feed = Feed(pictures, labels, None, capacity=PICTURES, picture=shape, scale=ones, offset=0 * ones)
    plan = training_plan(model, feed, seed=0, accuracy="categorical")
    assert plan.run(n, step=0, learning_rate=0.0)
    return model.parameters.gradients.copy(), [step.kernel for step in plan.steps]


@pytest.mark.parametrize("seed", range(26))
def test_gradients_are_those_of_steps_one_by_one(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On two of three draws of pictures: a number that is zero but for its rounding has its ReLU decide otherwise."""
    rng, every = np.random.default_rng(seed), patterns.PATTERNS
    apart = tuple(row for row in every if row[1] is not lower_normed_convolutions)
    if seed % 2:
        monkeypatch.setattr(native.conv, "EXPANDED_NUMBERS", 0)
    agreed = 0
    for _ in range(3):
        pictures = normal(rng, (PICTURES, *network(seed).graph.input_shape))
        n = int(rng.choice([PICTURES, 5]))
        monkeypatch.setattr(patterns, "PATTERNS", every)
        found, kernels = trained(seed, pictures, n)
        assert "conv2d_norm" in kernels
        monkeypatch.setattr(patterns, "PATTERNS", apart)
        wanted, _ = trained(seed, pictures, n)
        agreed += np.abs(found - wanted).max() <= 1e-4 * max(np.abs(wanted).max(), 1e-6)
    assert agreed >= 2
