"""Average pooling's way back through an activation, against its twin in float64."""

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
    reference.avg_pool2d_backward(dy.astype(np.float64), expected, y=y.astype(np.float64), dbias=wanted, **options)
    for in_place in (False, True):
        given = y.copy()
        dx, dbias = given if in_place else np.empty(shape, np.float32), np.empty(shape[-1], np.float32)
        native.run(native.avg_pool2d_backward(dy, dx, y=given, dbias=dbias, **options))
        np.testing.assert_allclose(dx, expected, rtol=1e-5, atol=1e-6)
        assert (np.abs(dbias - wanted) <= 21 * np.finfo(np.float32).eps * np.abs(expected).sum((0, 1, 2))).all()
