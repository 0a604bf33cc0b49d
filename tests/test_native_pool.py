"""Average pooling's way back through an activation, against its twin in float64; and behind a convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.ops import geometry, native, reference

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

POOLS: tuple[dict[str, Any], ...] = (
    {"pool_size": (2, 2), "strides": (2, 2), "padding": ((0, 0), (0, 0))},
    {"pool_size": (2, 3), "strides": (2, 3), "padding": ((0, 0), (0, 0))},
    {"pool_size": (3, 2), "strides": (2, 1), "padding": ((1, 1), (0, 1))},
    {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 1))},
)


@pytest.mark.parametrize("pool", POOLS, ids=["halves", "side-by-side", "overlaps", "overlaps-asymmetric"])
@pytest.mark.parametrize("kind", ["linear", "relu", "leaky_relu", "sigmoid", "tanh"])
@pytest.mark.parametrize("shape", [(3, 9, 8, 6), (2, 12, 12, 16), (1, 7, 5, 45), (9, 21, 23, 19)])
def test_avg_pool2d_backward_through_an_activation(shape: tuple[int, ...], kind: str, pool: dict[str, Any]) -> None:
    """The bias's gradient sums a column of up to 21 gradients in float, and the columns in double."""
    rng = np.random.default_rng(5)
    y = np.tanh(rng.normal(size=shape)).astype(np.float32)
    dy = rng.normal(size=geometry.pool2d_shape(shape, *pool.values())).astype(np.float32)
    expected, wanted = np.empty(shape), np.empty(shape[-1])
    options = {**pool, "activation": kind, "slope": 0.1}
    reference.pool.avg_pool2d_backward(dy.astype(np.float64), expected, y=y.astype(np.float64), dbias=wanted, **options)
    for in_place in (False, True):
        given = y.copy()
        dx, dbias = given if in_place else np.empty(shape, np.float32), np.empty(shape[-1], np.float32)
        native.run(native.avg_pool2d_backward(dy, dx, y=given, dbias=dbias, **options))
        np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-6)
        assert (np.abs(dbias - wanted) <= 21 * np.finfo(np.float32).eps * np.abs(expected).sum((0, 1, 2))).all()


@pytest.mark.parametrize("kind", ["linear", "relu", "leaky_relu", "sigmoid", "tanh"])
def test_what_no_window_covers_has_no_gradient(kind: str) -> None:
    """The map's last row and columns lie behind the last windows: even NaN there reaches nothing."""
    rng = np.random.default_rng(6)
    x, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 9, 20, 1), (3, 4, 6, 6)))
    planes = rng.uniform(size=(3, 6, 9, 20)).astype(np.float32)
    spoilt = planes.copy()
    spoilt[:, :, 8:], spoilt[:, :, :, 18:] = np.nan, np.inf
    same, pool = {"strides": (1, 1), "padding": ((1, 1), (1, 1))}, {"pool_size": (2, 3), "strides": (2, 3)}
    results = []
    for given in (planes, spoilt):
        dkernel, dbias = np.empty((3, 3, 1, 6), np.float32), np.empty(6, np.float32)
        step = native.conv2d_pool_map_backward_kernel(
            x,
            dy,
            given,
            dkernel,
            dbias,
            convolution=same,
            pooling={**pool, "padding": geometry.NO_PADS},
            activation=kind,
        )
        native.run(step)
        results.append((dkernel, dbias))
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["linear", "relu", "sigmoid"])
@pytest.mark.parametrize("filters", [5, 16, 40])
@pytest.mark.parametrize("place", range(4))
def test_one_nan_of_a_window_stays_without_places(place: int, filters: int, kind: str) -> None:
    """Direct convolution, so that the other three numbers of its window stay what they are; and no other window's."""
    rng = np.random.default_rng(7)
    x, kernel = rng.normal(size=(2, 6, 8, 3)).astype(np.float32), rng.normal(size=(1, 1, 3, filters)).astype(np.float32)
    x[1, 2 + place // 2, 4 + place % 2, 1] = np.nan
    y = np.empty((2, 3, 4, filters), np.float32)
    convolution: dict[str, Any] = {"strides": (1, 1), "padding": geometry.NO_PADS}
    pooling: dict[str, Any] = {"pool_size": (2, 2), "strides": (2, 2), "padding": geometry.NO_PADS}
    options: dict[str, Any] = {"convolution": convolution, "pooling": pooling, "activation": kind}
    native.run(native.conv2d_pool(x, kernel, None, y, None, **options, algorithm="direct"))
    nan = np.isnan(y)
    assert nan[1, 1, 2].all()
    assert nan.sum() == filters
