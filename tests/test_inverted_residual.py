"""Inverted residual blocks in use as one step: the bits of the three convolutions, and where plans take it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import EPS, normal

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import BackendError
from pellucid.model import Model, Sequential
from pellucid.model.tracing import trace
from pellucid.ops import native, reference
from pellucid.ops.geometry import NO_PADS, Array, conv2d_shape
from pellucid.plan import InferencePlan, patterns
from pellucid.plan.inverted_residual import lower_inverted_residual

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")
POINTWISE: dict[str, Any] = {"strides": (1, 1), "padding": NO_PADS}
RELU6: dict[str, Any] = {"activation": "relu6", "ceiling": 1.5}
SIZES = [(n, size) for n in (1, 2, 5, 11) for size in ((5, 7), (14, 23), (37, 16))]
BLOCKS = [(3, 1, 16, 48, 24), (3, 2, 24, 144, 33), (5, 1, 7, 32, 7), (5, 2, 40, 272, 16)]
"""Kernel, stride, channels read, convolved and written."""


def _arguments(n: int, size: tuple[int, int], block: tuple[int, int, int, int, int], expanded: bool) -> dict[str, Any]:
    k, stride, read, wide, written = block
    rng = np.random.default_rng([n, *size, *block])
    before = (k - 1) // 2
    window = {"strides": (stride, stride), "padding": ((before, k // 2), (before - (stride - 1), k // 2))}
    a: dict[str, Any] = {
        "x": normal(rng, (n, *size, read if expanded else wide)),
        "expand": normal(rng, (read, wide)) if expanded else None,
        "expand_bias": normal(rng, (wide,)) if expanded else None,
        "kernel": normal(rng, (k, k, wide)),
        "bias": normal(rng, (wide,)),
        "project": normal(rng, (wide, written)),
        "project_bias": normal(rng, (written,)),
    }
    shape = conv2d_shape((n, *size, wide), (k, k, 1, wide), groups=wide, **window)  # type: ignore[arg-type]
    return a | {"y": np.full((*shape[:3], written), np.nan, np.float32), **window}


def _one_by_one(a: dict[str, Any], how: dict[str, Any], addend: Array | None) -> Array:
    """The three steps."""
    wide, channels = a["x"], a["kernel"].shape[-1]
    if a["expand"] is not None:
        wide = np.empty((*a["x"].shape[:3], channels), np.float32)
        native.run(native.conv2d(a["x"], a["expand"][None, None], a["expand_bias"], wide, **POINTWISE, **how))
    deep, y = np.empty((*a["y"].shape[:3], channels), np.float32), np.empty_like(a["y"])
    window = {"strides": a["strides"], "padding": a["padding"], "groups": channels}
    native.run(native.conv2d(wide, a["kernel"][:, :, None], a["bias"], deep, **window, **how))
    native.run(native.conv2d(deep, a["project"][None, None], a["project_bias"], y, addend=addend, **POINTWISE))
    return y


@pytest.mark.parametrize(("n", "size"), SIZES)
@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("expanded", [True, False])
def test_the_bits_are_those_of_the_steps(
    n: int, size: tuple[int, int], block: tuple[int, int, int, int, int], expanded: bool
) -> None:
    a = _arguments(n, size, block, expanded)
    for how, added in ((RELU6, False), ({"activation": "silu"}, True)):
        addend = normal(np.random.default_rng(1), a["y"].shape) if added else None
        native.run(native.inverted_residual(**a, addend=addend, **how))
        np.testing.assert_array_equal(a["y"], _one_by_one(a, how, addend))


@pytest.mark.parametrize("block", BLOCKS)
def test_the_numbers_are_those_of_float64(block: tuple[int, int, int, int, int]) -> None:
    a = _arguments(2, (9, 11), block, expanded=True)
    native.run(native.inverted_residual(**a, **RELU6))
    exact, most = ({**a, "y": np.empty(a["y"].shape, np.float64)} for _ in range(2))
    for name in ("x", "expand", "expand_bias", "kernel", "bias", "project", "project_bias"):
        exact[name] = a[name].astype(np.float64)
        most[name] = np.abs(exact[name])
    reference.inverted_residual.inverted_residual(**exact, **RELU6)
    reference.inverted_residual.inverted_residual(**most)
    roundings = sum((*a["kernel"].shape[:2], a["x"].shape[-1], a["kernel"].shape[-1]))
    assert np.all(np.abs(a["y"] - exact["y"]) <= roundings * EPS * most["y"])


def test_what_it_cannot_do_is_refused() -> None:
    a = _arguments(1, (9, 9), BLOCKS[0], expanded=True)
    with pytest.raises(BackendError, match="expand"):
        native.run(native.inverted_residual(**{**a, "expand": None}))
    with pytest.raises(BackendError, match="multiple of 16 channels"):
        native.inverted_residual(**_arguments(1, (9, 9), (3, 1, 8, 24, 8), expanded=True))
    with pytest.raises(BackendError, match="3x3 or 5x5"):
        native.inverted_residual(**_arguments(1, (9, 9), (7, 1, 8, 32, 8), expanded=True))


def _plan(model: Model | Sequential, n: int) -> InferencePlan:
    return InferencePlan(model.graph, model.parameters, capacity=n)


@pytest.mark.parametrize(("name", "blocks"), [("mobilenet-v2", 17), ("efficientnet-lite0", 16)])
def test_plans_take_blocks_whole(name: str, blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = zoo.build(name, input_shape=(64, 64, 3), classes=5)
    x = normal(np.random.default_rng(2), (3, 64, 64, 3))
    answers = []
    for patterned in (True, False):
        if not patterned:
            rows = [row for row in patterns.PATTERNS if row[1] is not lower_inverted_residual]
            monkeypatch.setattr(patterns, "PATTERNS", rows)
        plan = _plan(model, 3)
        plan.inputs[...] = x
        answers.append(plan.run(3)[0].copy())
        assert [step.kernel for step in plan.steps].count("inverted_residual") == (blocks if patterned else 0)
    np.testing.assert_array_equal(*answers)


OTHERS: dict[str, tuple[list[L.Layer], int]] = {
    "3x3 before": ([L.Conv2D(32, 3), L.ReLU(), L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(8, 1)], 1),
    "strides before": ([L.Conv2D(32, 1, 2), L.ReLU(), L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(8, 1)], 1),
    "other activations": ([L.Conv2D(32, 1), L.ReLU(6), L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(8, 1)], 1),
    "groups behind": ([L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(16, 1, groups=4)], 0),
    "padding behind": ([L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(8, 1, padding=1)], 0),
    "two filters each": ([L.DepthwiseConv2D(3, depth_multiplier=2), L.ReLU(), L.Conv2D(8, 1)], 0),
    "dilated": ([L.DepthwiseConv2D(3, dilation_rate=2), L.ReLU(), L.Conv2D(8, 1)], 0),
    "7x7": ([L.DepthwiseConv2D(7), L.ReLU(), L.Conv2D(8, 1)], 0),
    "an activation of its own": ([L.DepthwiseConv2D(3), L.ReLU(), L.Conv2D(8, 1, activation="relu")], 0),
}
"""Layers that look like a block, and how many of them begin or end one that is."""


@pytest.mark.parametrize("name", OTHERS)
def test_what_only_looks_like_a_block_runs_one_by_one(name: str) -> None:
    rows, blocks = OTHERS[name]
    model = Sequential([L.Input((16, 18, 16)), *rows])
    x = normal(np.random.default_rng(3), (2, 16, 18, 16))
    plan = _plan(model, 2)
    plan.inputs[...] = x
    np.testing.assert_allclose(plan.run(2)[0], trace(model, x).outputs, rtol=1e-5, atol=1e-6)
    assert [step.kernel for step in plan.steps].count("inverted_residual") == blocks
