"""Dense layers by each way of walking the weights: few examples, many, few columns, several tasks a strip."""

from __future__ import annotations

import numpy as np
import pytest

from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import aligned_empty

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")

# (inputs, units): whole and cut vectors, blocks of the depth, strips and panels; rows that share a set of the cache;
# a few columns behind whole vectors, or alone, each way
SHAPES = (
    *((1, 1), (7, 10), (17, 1), (256, 16), (700, 45), (515, 530), (2060, 70), (2048, 33), (70, 2060)),
    *((512, 1030), (600, 4099), (260, 100), (100, 300), (515, 3), (1024, 17), (18, 513)),
)
BATCHES = (1, 2, 3, 4, 5, 31, 48, 49, 130)
MOST = max(BATCHES)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _forward(x: Array, kernel: Array, bias: Array, n: int) -> Array:
    y = np.full((MOST, kernel.shape[1]), np.nan, np.float32)
    native.run(native.dense(x[:n], kernel, bias, y[:n], activation="relu"))
    assert np.isnan(y[n:]).all(), "wrote past the batch"
    return y[:n]


def _backward(dy: Array, kernel: Array, _: Array, n: int) -> Array:
    dx = np.full((MOST, kernel.shape[0]), np.nan, np.float32)
    native.run(native.dense_backward_input(dy[:n], kernel, dx[:n]))
    assert np.isnan(dx[n:]).all(), "wrote past the batch"
    return dx[:n]


@pytest.mark.parametrize("forward", [True, False], ids=["forward", "backward_input"])
@pytest.mark.parametrize("inputs,units", SHAPES)
def test_an_examples_result_does_not_depend_on_its_batch_nor_on_threads(
    inputs: int, units: int, forward: bool, rng: np.random.Generator
) -> None:
    x = rng.standard_normal((MOST, inputs if forward else units)).astype(np.float32)
    around = np.full(inputs * units + 34, np.nan, np.float32)  # what lies beside the weights is nobody's business
    kernel = around[17:-17].reshape(inputs, units)
    kernel[...] = rng.standard_normal(kernel.shape)
    bias = rng.standard_normal(units).astype(np.float32)
    run = _forward if forward else _backward
    before = native.num_threads()
    try:
        whole = run(x, kernel, bias, MOST)
        exact = x.astype(np.float64) @ (kernel if forward else kernel.T).astype(np.float64)
        if forward:
            exact = np.maximum(exact + bias, 0)
        np.testing.assert_allclose(whole, exact, rtol=0, atol=1e-6 * (2 + x.shape[1] ** 0.5) * np.abs(exact).max())
        for n in BATCHES:
            for threads in (1, 2, 3, 8):
                native.set_num_threads(threads)
                assert run(x, kernel, bias, n).tobytes() == whole[:n].tobytes(), (n, threads)
    finally:
        native.set_num_threads(before)


@pytest.mark.parametrize("inputs,units", SHAPES)
@pytest.mark.parametrize("n", [1, 4, 33, 300])
def test_the_kernels_gradient_is_the_same_for_any_threads(
    inputs: int, units: int, n: int, rng: np.random.Generator
) -> None:
    x, dy = (rng.standard_normal((n, size)).astype(np.float32) for size in (inputs, units))
    exact = x.T.astype(np.float64) @ dy.astype(np.float64)
    results, before = [], native.num_threads()
    try:
        for threads in (1, 2, 3, 8):
            native.set_num_threads(threads)
            dkernel = np.full((inputs, units), np.nan, np.float32)
            native.run(native.dense_backward_kernel(x, dy, dkernel))
            results.append(dkernel)
    finally:
        native.set_num_threads(before)
    assert len({each.tobytes() for each in results}) == 1
    np.testing.assert_allclose(results[0], exact, rtol=0, atol=1e-6 * (2 + n**0.5) * np.abs(exact).max())


def test_a_program_built_for_many_examples_runs_few(rng: np.random.Generator) -> None:
    x, kernel, y = np.zeros((130, 2060), np.float32), np.zeros((2060, 70), np.float32), np.zeros((130, 70), np.float32)
    x[...], kernel[...] = rng.standard_normal(x.shape), rng.standard_normal(kernel.shape)
    program = native.Program([native.dense(x, kernel, None, y)])
    for n in (130, 48, 9, 1):
        y[...] = np.nan
        program.run(n)
        np.testing.assert_allclose(y[:n], x[:n] @ kernel, rtol=0, atol=1e-3)
        assert np.isnan(y[n:]).all()


def test_packed_weights_stay_until_they_are_refreshed(rng: np.random.Generator) -> None:
    x = rng.standard_normal((64, 300)).astype(np.float32)
    first, second = rng.standard_normal((2, 300, 20)).astype(np.float32)
    kernel, y = first.copy(), np.empty((64, 20), np.float32)
    kept = native.Program([native.dense(x, kernel, None, y)], fixed_weights=True)
    anew = native.Program([native.dense(x, kernel, None, y)])

    def outputs(program: native.Program, n: int = 64) -> Array:
        y[...] = np.nan
        program.run(n)
        return y[:n].copy()

    before = outputs(kept)
    np.testing.assert_array_equal(before, outputs(anew))
    kernel[...] = second
    np.testing.assert_array_equal(outputs(kept), before)
    kept.refresh()
    np.testing.assert_array_equal(outputs(kept), outputs(anew))
    for n in (3, 50):  # few are streamed, and read the weights themselves
        np.testing.assert_array_equal(outputs(kept, n), outputs(anew, n))
    kernel[...] = first
    kept.refresh()
    outputs(kept, 3)  # prepares for as many as the program was built for
    np.testing.assert_array_equal(outputs(kept), before)
    assert kept.workspace_bytes >= kernel.nbytes


@pytest.mark.parametrize("n,shift", [(3, 0), (3, 1), (257, 0)], ids=["aligned", "shifted", "many"])
def test_a_gradient_larger_than_the_caches_is_whole(n: int, shift: int, rng: np.random.Generator) -> None:
    inputs, units = 2049, 2048
    x, dy = (rng.standard_normal((n, size)).astype(np.float32) for size in (inputs, units))
    memory = aligned_empty(64 + inputs * units)
    memory[...] = np.nan
    dkernel = memory[16 + shift :][: inputs * units].reshape(inputs, units)
    native.run(native.dense_backward_kernel(x, dy, dkernel))
    exact = x.T.astype(np.float64) @ dy.astype(np.float64)
    np.testing.assert_allclose(dkernel, exact, rtol=0, atol=1e-6 * (2 + n**0.5) * np.abs(exact).max())
    assert np.isnan(memory[: 16 + shift]).all() and np.isnan(memory[16 + shift + inputs * units :]).all()


@pytest.mark.parametrize("shape", [(4320, 100), (256, 16), (1000, 37), (70, 10), (513, 128), (40, 1000)])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.97, 1.0])
def test_one_example_with_zeros_has_the_bits_of_many(shape: tuple[int, int], share: float) -> None:
    rng = np.random.default_rng(7)
    kernel, bias = rng.standard_normal(shape, np.float32), rng.standard_normal(shape[1], np.float32)
    x = rng.standard_normal((60, shape[0]), np.float32)
    x[rng.random(x.shape) < share] = rng.choice(np.float32([0.0, -0.0]))
    many, one = np.empty((60, shape[1]), np.float32), np.empty((1, shape[1]), np.float32)
    native.run(native.dense(x, kernel, bias, many, activation="tanh"))
    row = np.empty((1, shape[0]), np.float32)
    program = native.Program([native.dense(row, kernel, bias, one, activation="tanh")], fixed_weights=True)
    for n in range(4):
        row[:] = x[n]
        program.run(1)
        np.testing.assert_array_equal(one[0], many[n])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_show_behind_zeros(value: float) -> None:
    rng = np.random.default_rng(7)
    kernel, x = rng.standard_normal((512, 32), np.float32), np.zeros((1, 512), np.float32)
    x[0, 3] = 1.0
    y = np.empty((1, 32), np.float32)
    program = native.Program([native.dense(x, kernel, None, y)], fixed_weights=True)
    for _ in range(3):
        program.run(1)
    np.testing.assert_array_equal(y[0], kernel[3])
    kernel[100, 5] = value  # which meets a zero: 0 * NaN and 0 * infinity are NaN
    program.refresh()
    for _ in range(4):
        program.run(1)
        assert np.isnan(y[0, 5])
        np.testing.assert_array_equal(np.delete(y[0], 5), np.delete(kernel[3], 5))
