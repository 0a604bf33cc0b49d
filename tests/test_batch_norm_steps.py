"""Batch norm + addend + activation as one step, and its gradient: what each by itself gives, and mean and variance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import normal

from pellucid import layers, zoo
from pellucid.errors import BackendError
from pellucid.ops import native
from pellucid.ops.geometry import Array, Shape
from pellucid.plan import Feed
from pellucid.train import training_plan

needs_kernels = pytest.mark.skipif(not native.available, reason="the kernels are not built")
SHAPES: list[Shape] = [(3, 5, 7, 16), (2, 4, 3, 1), (9, 13, 11, 3), (4, 6, 5, 30), (2, 9, 8, 45), (130, 36)]
KINDS = ("linear", "relu", "leaky_relu", "tanh")


def arguments(shape: Shape) -> dict[str, Array]:
    rng = np.random.default_rng(4)
    x, dy, addend = (normal(rng, shape, 2.0) for _ in range(3))
    gamma, beta = normal(rng, shape[-1:]), normal(rng, shape[-1:])
    return {"x": x, "dy": dy, "addend": addend, "gamma": gamma, "beta": beta}


def normed(a: dict[str, Array], **options: Any) -> tuple[Array, Array, Array]:
    y, mean, variance = np.empty_like(a["x"]), np.empty_like(a["gamma"]), np.empty_like(a["gamma"])
    native.run(native.batch_norm(a["x"], a["gamma"], a["beta"], y, mean, variance, epsilon=1e-3, **options))
    return y, mean, variance


def taken_back(a: dict[str, Array], dy: Array, mean: Array, variance: Array, **options: Any) -> list[Array]:
    dx, dgamma, dbeta = np.empty_like(a["x"]), np.empty_like(mean), np.empty_like(mean)
    given = (dy, a["x"], a["gamma"], mean, variance, dx, dgamma, dbeta)
    native.run(native.batch_norm_backward(*given, epsilon=1e-3, **options))
    return [dx, dgamma, dbeta]


@needs_kernels
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("added", [False, True])
def test_one_step_gives_what_each_by_itself_does(shape: Shape, kind: str, added: bool) -> None:
    a = arguments(shape)
    options: dict[str, Any] = {"activation": kind, "slope": 0.3}
    y, mean, variance = normed(a, **options, addend=a["addend"] if added else None)
    wanted, *statistics = normed(a)
    if added:
        native.run(native.add(a["addend"], wanted))
    native.run(native.activation(wanted, wanted, kind, slope=0.3))
    np.testing.assert_allclose(y, wanted, rtol=3e-7 if kind == "tanh" else 0, atol=0)
    np.testing.assert_array_equal((mean, variance), statistics)

    through, daddend = np.empty_like(y), np.zeros_like(y)
    native.run(native.activation_backward(a["dy"], y, through, kind, slope=0.3))
    apart = taken_back(a, through, mean, variance)
    known: dict[str, Any] = {"y": y, "daddend": daddend} if added else {"beta": a["beta"]}
    together = taken_back(a, a["dy"], mean, variance, **known, **options)
    for one, other in zip([*together, daddend], [*apart, through] if added else [*apart, daddend], strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6 * scale if kind == "tanh" else 0)


@needs_kernels
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("added", [False, True])
def test_back_where_the_gradient_lies(shape: Shape, kind: str, added: bool) -> None:
    """The same bits where dx, or the gradient of what was added, overwrites dy."""
    a = arguments(shape)
    options: dict[str, Any] = {"activation": kind, "slope": 0.3, "epsilon": 1e-3}
    y, mean, variance = np.empty_like(a["x"]), np.empty_like(a["gamma"]), np.empty_like(a["gamma"])
    addend = a["addend"] if added else None
    native.run(native.batch_norm(a["x"], a["gamma"], a["beta"], y, mean, variance, addend=addend, **options))
    found = []
    for over in (False, True):
        dy = a["dy"].copy()
        free = np.full_like(dy, np.nan), np.full_like(dy, np.nan)
        dx = dy if over and not added else free[0]
        daddend = dy if over and added else free[1]
        known: dict[str, Any] = {"y": y, "daddend": daddend} if added else {"beta": a["beta"]}
        sums = np.empty_like(mean), np.empty_like(mean)
        native.run(native.batch_norm_backward(dy, a["x"], a["gamma"], mean, variance, dx, *sums, **known, **options))
        found.append((dx, daddend, *sums))
    for apart, there in zip(*found, strict=True):
        np.testing.assert_array_equal(apart, there)


@needs_kernels
@pytest.mark.parametrize("offset", [0.0, 100.0, -3e4])
@pytest.mark.parametrize("first", [0.0, 1e3])
def test_variance_far_from_zero_keeps_its_digits(offset: float, first: float) -> None:
    """Also where the number that deviations are taken from is the farthest of all."""
    a = arguments((8, 16, 16, 17))
    a["x"] += np.float32(offset)
    a["x"][0, 0, 0] += np.float32(first)
    _, mean, variance = normed(a)
    exact = a["x"].astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 1, 2)), rtol=2e-7)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=2e-7)


@needs_kernels
def test_equal_numbers_have_no_variance() -> None:
    a = arguments((4, 5, 6, 18))
    a["x"][...] = np.float32(0.1)
    _, mean, variance = normed(a)
    np.testing.assert_array_equal(mean, np.float32(0.1))
    np.testing.assert_array_equal(variance, 0)


@needs_kernels
def test_an_activation_needs_its_result() -> None:
    a = arguments((2, 3, 4, 5))
    with pytest.raises(BackendError, match="needs y, or beta"):
        taken_back(a, a["dy"], a["gamma"], a["gamma"], activation="relu")


@needs_kernels
def test_residual_blocks_train_without_steps_between() -> None:
    """Convolutions sum up mean and variance, normalise what they read, and add to it; where none reads that first,
    activation and sum are part of batch norm; gradients of what is read twice are added there too."""
    model = zoo.resnet20((8, 8, 3), blocks=1)
    model.compile("sgd", "sparse_categorical_crossentropy")
    pictures, labels = np.zeros((4, 8, 8, 3), np.float32), np.zeros(4, np.int32)
    scale, offset = np.ones(3, np.float32), np.zeros(3, np.float32)
    feed = Feed(pictures, labels, None, capacity=4, picture=(8, 8, 3), scale=scale, offset=offset)
    plan = training_plan(model, feed, seed=0, accuracy="categorical")
    kernels = [step.kernel for step in plan.steps]
    convs = sum(isinstance(layer, layers.Conv2D) for layer in model.layers)
    assert kernels.count("conv2d_norm") == kernels.count("conv2d_norm_backward") == convs
    by_itself = 3  # in front of the sums with two projections, and of the mean over all pixels
    assert kernels.count("batch_norm_inference") == kernels.count("batch_norm_backward") == by_itself
    assert not {"batch_norm", "activation", "activation_backward", "add"} & set(kernels)
