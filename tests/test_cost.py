"""What a step costs, against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.ops import native
from pellucid.ops.geometry import NO_PADS

pytestmark = pytest.mark.skipif(not native.available, reason="no compiled kernels")


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def test_convolution_counts_a_multiply_add_as_two() -> None:
    step = native.conv2d(
        zeros(4, 9, 7, 6), zeros(3, 2, 3, 8), None, zeros(4, 7, 6, 8), strides=(1, 1), padding=NO_PADS, groups=2
    )
    found = native.cost(step)
    assert found.flops == 2 * 4 * (7 * 6 * 8) * (3 * 2 * 3)
    assert found.num_bytes == 4 * (4 * 9 * 7 * 6 + 3 * 2 * 3 * 8 + 4 * 7 * 6 * 8)
    assert native.cost(step, n=1).flops == found.flops / 4


def test_pooled_convolution_counts_no_unpooled_map() -> None:
    step = native.conv2d_pool(
        zeros(4, 9, 7, 6),
        zeros(3, 2, 6, 8),
        None,
        zeros(4, 3, 3, 8),
        np.zeros((4, 3, 3, 8), np.uint8),
        convolution={"strides": (1, 1), "padding": NO_PADS},
        pooling={"pool_size": (2, 2), "strides": (2, 2), "padding": NO_PADS},
    )
    found = native.cost(step)
    assert found.flops == 2 * 4 * (7 * 6 * 8) * (3 * 2 * 6)
    assert found.num_bytes == 4 * (4 * 9 * 7 * 6 + 3 * 2 * 6 * 8) + 5 * (4 * 3 * 3 * 8)


def test_dense_and_pooling_and_streams() -> None:
    dense = native.cost(native.dense(zeros(5, 11), zeros(11, 3), None, zeros(5, 3)))
    assert (dense.flops, dense.num_bytes) == (2 * 5 * 11 * 3, 4 * (5 * 11 + 11 * 3 + 5 * 3))
    pool = native.avg_pool2d(zeros(2, 8, 6, 5), zeros(2, 4, 3, 5), pool_size=(2, 2), strides=(2, 2), padding=NO_PADS)
    assert native.cost(pool).num_bytes == 4 * (2 * 8 * 6 * 5 + 2 * 4 * 3 * 5)
    relu = native.activation(zeros(3, 4, 5), zeros(3, 4, 5), "relu")
    assert native.cost(relu).num_bytes == 4 * 60 * 2
    adam = native.adam(*(zeros(100) for _ in range(4)), None, np.zeros(3), beta1=0.9, beta2=0.9, epsilon=1e-7)
    assert native.cost(adam).num_bytes == 4 * 100 * 7
