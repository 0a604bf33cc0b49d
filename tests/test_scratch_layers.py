"""The book's layers on our kernels against the page's own NumPy code, and against PyTorch where the page is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import page_layers
import pytest

from pellucid import ops, scratch
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.ops import native

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
TOLERANCE = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


def close(got: Any, wanted: Any, dtype: Any) -> None:
    """Equal to the dtype's tolerance of the largest number, and in that dtype."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape and got.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=0, atol=TOLERANCE[np.dtype(dtype)] * np.abs(wanted).max())


def numbers(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def passes(layer: Any, x: np.ndarray, seed: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """(y, dx) of a layer for a random dout."""
    y = layer.forward(x)
    return y, layer.backward(numbers(*y.shape, seed=seed, dtype=y.dtype))


# The page's own code has these sizes right: every window lies on the grid of the strides.
CONVOLUTIONS = [
    # n, c, h, w, filters, fh, fw, stride, pad
    (2, 1, 28, 28, 30, 5, 5, 1, 0),
    (3, 3, 9, 7, 4, 3, 2, 1, 1),
    (1, 2, 11, 8, 5, 3, 2, 2, 0),
    (2, 16, 6, 10, 8, 3, 3, 1, 1),
    (2, 6, 7, 9, 3, 1, 1, 1, 0),
    (2, 3, 12, 9, 7, 4, 5, 3, 2),
]


@DTYPES
@pytest.mark.parametrize("sizes", CONVOLUTIONS, ids=str)
def test_convolution_is_the_pages(sizes: tuple[int, ...], dtype: Any) -> None:
    n, c, h, w, filters, fh, fw, stride, pad = sizes
    x, W, b = numbers(n, c, h, w), numbers(filters, c, fh, fw, seed=1), numbers(filters, seed=2)
    ours, page = scratch.Convolution(W, b, stride, pad), page_layers.Convolution(W, b, stride, pad)
    for got, wanted in zip(passes(ours, x.astype(dtype)), passes(page, x), strict=True):
        close(got, wanted, dtype)
    close(ours.dW, page.dW, dtype)
    close(ours.db, page.db, dtype)


@DTYPES
@pytest.mark.parametrize(("h", "w", "stride", "pad"), [(8, 11, 2, 0), (9, 10, 3, 1), (7, 7, 2, 2), (5, 13, 4, 1)])
def test_convolution_of_odd_maps_is_pytorchs(h: int, w: int, stride: int, pad: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    x, W, b = numbers(2, 3, h, w), numbers(4, 3, 3, 5, seed=1), numbers(4, seed=2)
    tx, tW, tb = (torch.tensor(array, requires_grad=True) for array in (x, W, b))
    ty = torch.nn.functional.conv2d(tx, tW, tb, stride=stride, padding=pad)
    ty.backward(torch.tensor(numbers(*ty.shape, seed=9)))
    ours = scratch.Convolution(W, b, stride, pad)
    y, dx = passes(ours, x.astype(dtype))
    for got, wanted in ((y, ty.detach()), (dx, tx.grad), (ours.dW, tW.grad), (ours.db, tb.grad)):
        close(got, wanted.numpy(), dtype)


@DTYPES
def test_pooling_without_padding_is_the_pages(dtype: Any) -> None:
    x = numbers(3, 5, 8, 6)
    ours, page = scratch.Pooling(2, 3, stride=2), page_layers.Pooling(2, 3, stride=2)
    for got, wanted in zip(passes(ours, x.astype(dtype)), passes(page, x), strict=True):
        close(got, wanted, dtype)
    np.testing.assert_array_equal(np.asarray(ours.arg_max).transpose(0, 2, 3, 1).ravel(), page.arg_max)


@DTYPES
@pytest.mark.parametrize(("size", "stride", "pad"), [((3, 3), 2, 1), ((2, 2), 2, 0), ((2, 3), 1, 1), ((5, 4), 3, 2)])
def test_pooling_with_padding_and_odd_maps_is_pytorchs(size: Any, stride: int, pad: int, dtype: Any) -> None:
    torch = pytest.importorskip("torch")
    x = numbers(2, 3, 7, 11) - 3  # below zero nearly everywhere: zeros as padding would win
    tx = torch.tensor(x, requires_grad=True)
    ty = torch.nn.functional.max_pool2d(tx, size, stride, pad)
    ty.backward(torch.tensor(numbers(*ty.shape, seed=9)))
    y, dx = passes(scratch.Pooling(*size, stride=stride, pad=pad), x.astype(dtype))
    close(y, ty.detach().numpy(), dtype)
    close(dx, tx.grad.numpy(), dtype)


def test_padding_never_beats_a_negative_value_as_it_does_on_the_page() -> None:
    x = np.full((1, 1, 2, 2), -1.0)
    assert (scratch.Pooling(2, 2, stride=2, pad=1).forward(x) == -1).all()
    assert page_layers.im2col(x, 2, 2, 2, 1).max() == 0  # what the page picks its largest from


@DTYPES
@pytest.mark.parametrize("kind", ["Relu", "Sigmoid"])
@pytest.mark.parametrize("shape", [(4, 7), (2, 3, 5, 4)])
def test_activations_are_the_books(kind: str, shape: tuple[int, ...], dtype: Any) -> None:
    x = numbers(*shape)
    x.ravel()[::3] = 0  # on the ReLU's edge
    x = x.astype(dtype)
    for given in (x, np.ascontiguousarray(x.T).T):  # and in another order of memory
        ours, theirs = getattr(scratch, kind)(), getattr(page_layers, kind)()
        for got, wanted in zip(passes(ours, given), passes(theirs, x.astype(np.float64)), strict=True):
            close(got, wanted, dtype)
        if kind == "Relu":
            np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_relu_leaves_dout_as_it_is() -> None:
    relu, dout = scratch.Relu(), np.ones(3)
    relu.forward(np.array([-1.0, 0.0, 2.0]))
    assert relu.backward(dout).tolist() == [0, 0, 1] and dout.tolist() == [1, 1, 1]


@DTYPES
@pytest.mark.parametrize("memory", ["NCHW", "NHWC", "rows"])
def test_affine_flattens_in_the_pages_order_however_pictures_lie(memory: str, dtype: Any) -> None:
    x, W, b = numbers(3, 4, 2, 5), numbers(40, 6, seed=1), numbers(6, seed=2)
    given = x.astype(dtype)
    if memory == "NHWC":
        given = np.ascontiguousarray(given.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    elif memory == "rows":
        given, x = given.reshape(3, 40), x.reshape(3, 40)
    ours, page = scratch.Affine(W, b), page_layers.Affine(W, b)
    for got, wanted in zip(passes(ours, given), passes(page, x), strict=True):
        close(got, wanted, dtype)
    close(ours.dW, page.dW, dtype)
    close(ours.db, page.db, dtype)
    close(ours.x, page.x, dtype)
    assert ours.original_x_shape == page.original_x_shape


@DTYPES
@pytest.mark.parametrize("one_hot", [False, True])
def test_softmax_with_loss_is_the_books(one_hot: bool, dtype: Any) -> None:
    x, labels = 5 * numbers(6, 4), np.array([0, 1, 2, 3, 1, 1], np.uint8)
    t = np.eye(4, dtype=np.uint8)[labels] if one_hot else labels
    ours, page = scratch.SoftmaxWithLoss(), page_layers.SoftmaxWithLoss()
    x = x.astype(dtype)
    assert ours.forward(x, t) == pytest.approx(page.forward(x.astype(np.float64), t), rel=1e-12)
    close(ours.backward(), page.backward(), dtype)
    close(ours.backward(3), 3 * page.backward(), dtype)
    np.testing.assert_allclose(ours.y, page.y, rtol=1e-12)


def test_soft_labels_have_the_gradient_of_their_loss() -> None:
    x, t = numbers(3, 4), np.random.default_rng(1).dirichlet(np.ones(4), 3)
    last = scratch.SoftmaxWithLoss()
    wanted = scratch.numerical_gradient(lambda x: last.forward(x, t), x)
    last.forward(x, t)
    np.testing.assert_allclose(last.backward(), wanted, atol=1e-6)


def test_a_single_example_has_a_loss() -> None:
    y = scratch.softmax(np.array([1.0, 2.0, 3.0]))
    assert scratch.cross_entropy_error(y, 2) == pytest.approx(-np.log(y[2] + 1e-7))
    assert scratch.cross_entropy_error(y, np.array([0, 0, 1])) == pytest.approx(-np.log(y[2] + 1e-7))


@DTYPES
def test_dropout_scales_at_the_test(dtype: Any) -> None:
    np.random.seed(3)
    layer, x = scratch.Dropout(0.25), np.ones((40, 50), dtype)
    y = layer.forward(x)
    np.random.seed(3)
    np.testing.assert_array_equal(y, np.random.rand(40, 50) > 0.25)
    np.testing.assert_array_equal(layer.backward(2 * x), 2 * y)
    tested = layer.forward(x, train_flg=False)
    assert (tested == dtype(0.75)).all() and tested.dtype == y.dtype == dtype


@DTYPES
@pytest.mark.parametrize(("fh", "fw", "stride", "pad"), [(3, 2, 1, 0), (2, 3, 2, 1), (5, 5, 1, 2), (4, 1, 3, 0)])
def test_im2col_and_back_are_the_pages(fh: int, fw: int, stride: int, pad: int, dtype: Any) -> None:
    x = numbers(2, 3, 7, 9)
    col = scratch.im2col(x.astype(dtype), fh, fw, stride, pad)
    close(col, page_layers.im2col(x.astype(dtype), fh, fw, stride, pad), dtype)
    rows = numbers(*col.shape, seed=1)
    back = scratch.col2im(rows.astype(dtype), x.shape, fh, fw, stride, pad)
    close(back, page_layers.col2im(rows, x.shape, fh, fw, stride, pad), dtype)
    # each is the other's transpose: <im2col(x), rows> = <x, col2im(rows)>
    assert (col * rows).sum() == pytest.approx((x * back).sum(), rel=1e-4)


def test_a_layer_reads_its_weights_anew() -> None:
    x, W, b = numbers(2, 1, 5, 5), numbers(3, 1, 2, 2, seed=1), np.zeros(3)
    conv, affine = scratch.Convolution(W, b), scratch.Affine(W.reshape(3, 4), b[:1].repeat(4))
    first, second = conv.forward(x), affine.forward(x[0, 0, :2, :3])
    W *= 2
    np.testing.assert_allclose(conv.forward(x), 2 * first)
    np.testing.assert_allclose(affine.forward(x[0, 0, :2, :3]), 2 * second)


def test_layers_hand_pictures_on_without_copying_them() -> None:
    x = numbers(2, 1, 8, 8, dtype=np.float32)
    conv, relu, pool = scratch.Convolution(numbers(3, 1, 3, 3), np.zeros(3)), scratch.Relu(), scratch.Pooling(2, 2, 2)
    for layer in (conv, relu, pool):
        x = layer.forward(x)
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous and not x.flags.owndata
    for layer in (pool, relu, conv):
        x = layer.backward(x)
        assert x.transpose(0, 2, 3, 1).flags.c_contiguous


@pytest.mark.skipif(not native.available, reason="no compiled kernels")
@pytest.mark.parametrize(("dtype", "backend"), [(np.float32, "native"), (np.float64, "reference")])
def test_float32_runs_on_the_kernels_and_float64_on_the_reference(dtype: Any, backend: str) -> None:
    x = numbers(2, 1, 8, 8, dtype=dtype)
    layers = [
        scratch.Convolution(numbers(3, 1, 3, 3), np.zeros(3)),
        scratch.Relu(),
        scratch.Pooling(2, 2, 2),
        scratch.Affine(numbers(27, 4), np.zeros(4)),
        scratch.Sigmoid(),
    ]
    with ops.recording() as calls:
        for layer in layers:
            x = layer.forward(x)
        for layer in reversed(layers):
            x = layer.backward(x)
    assert len(calls) == 16 and {where for _, where in calls} == {backend}


def test_whole_numbers_are_taken() -> None:
    pictures = np.arange(2 * 36, dtype=np.uint8).reshape(2, 1, 6, 6)
    conv = scratch.Convolution(np.ones((1, 1, 2, 2)), np.zeros(1))
    assert conv.forward(pictures).dtype == np.float32
    assert conv.forward(pictures)[0, 0, 0].tolist() == [0 + 1 + 6 + 7 + 4 * i for i in range(5)]


def test_numerical_gradient_of_float32_is_taken_in_float64() -> None:
    x, W, b = numbers(2, 1, 6, 6, dtype=np.float32), numbers(2, 1, 3, 3, dtype=np.float32), np.zeros(2, np.float32)
    conv, weights = scratch.Convolution(W, b), numbers(2, 2, 4, 4)

    def loss(_: np.ndarray) -> float:
        y = conv.forward(x)
        assert y.dtype == np.float64
        return float((np.tanh(y) * weights).sum())

    found = scratch.numerical_gradient(loss, W)
    before = W.copy()
    y = conv.forward(x)
    conv.backward(weights * (1 - np.tanh(y) ** 2))
    np.testing.assert_allclose(found, conv.dW, atol=2e-6 * np.abs(found).max())
    assert found.dtype == np.float64 and y.dtype == np.float32
    np.testing.assert_array_equal(W, before)


def test_numerical_gradient_puts_back_what_it_moved_when_the_loss_fails() -> None:
    x = np.ones(2)
    with pytest.raises(ZeroDivisionError):
        scratch.numerical_gradient(lambda x: 1 / 0, x)
    assert x.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: scratch.Convolution(np.ones((2, 3)), np.ones(2)), ShapeError, r"W must be filters .* got shape"),
        (lambda: scratch.Convolution(np.ones((2, 1, 3, 3)), np.ones(2), 0), ConfigError, "stride must be .* got 0"),
        (lambda: scratch.Convolution(np.ones((2, 1, 3, 3)), np.ones(2), 1, -1), ConfigError, "pad must be .* got -1"),
        (lambda: scratch.Convolution(np.ones((2, 1, 3, 3)), np.ones(2), 1, "same"), ConfigError, "pixels, got 'same'"),
        (lambda: conv().forward(np.ones((2, 784))), ShapeError, r"pictures \(N, C, H, W\), got shape \(2, 784\); load"),
        (lambda: conv().forward(np.ones((2, 3, 5, 5))), ShapeError, "look at 1 channels, got 3"),
        (lambda: conv().forward(np.ones((2, 1, 2, 5))), ShapeError, "needs at least 3x3 input, got 2x5"),
        (lambda: conv().forward(np.array([["a"]])), ConfigError, "Convolution: x must hold real numbers"),
        (lambda: conv(biases=3).forward(np.ones((1, 1, 3, 3))), ShapeError, r"one number a filter, \(2,\), got \(3,\)"),
        (lambda: conv().backward(np.ones((1, 2, 1, 1))), ConfigError, "backward needs a forward pass first"),
        (lambda: after(conv(), (1, 1, 5, 5)).backward(np.ones((1, 2, 5, 5))), ShapeError, r"output \(1, 2, 3, 3\)"),
        (lambda: scratch.Pooling(2, 0), ConfigError, "pool_h, pool_w"),
        (lambda: scratch.Pooling(2, 2, pad=2).forward(np.ones((1, 1, 4, 4))), ConfigError, "smaller than the window"),
        (lambda: scratch.Pooling(2, 2).backward(np.ones(1)), ConfigError, "forward pass first"),
        (lambda: scratch.Relu().backward(np.ones(1)), ConfigError, "forward pass first"),
        (lambda: scratch.Sigmoid().backward(np.ones(1)), ConfigError, "forward pass first"),
        (lambda: scratch.Affine(np.ones(3), np.ones(3)), ShapeError, r"W must be \(inputs, units\), got shape \(3,\)"),
        (lambda: scratch.Affine(np.ones((4, 3)), np.ones(3)).forward(np.ones((2, 5))), ShapeError, "takes 4 numbers"),
        (lambda: scratch.Affine(np.ones((4, 3)), np.ones(3)).backward(np.ones((2, 3))), ConfigError, "forward"),
        (lambda: scratch.Dropout(1.5), ConfigError, "from 0 to 1, got 1.5"),
        (lambda: scratch.Dropout().backward(np.ones(1)), ConfigError, "forward"),
        (lambda: scratch.SoftmaxWithLoss().backward(), ConfigError, "forward"),
        (lambda: scratch.SoftmaxWithLoss().forward(np.ones(3), np.array(1)), ShapeError, r"scores \(N, K\)"),
        (lambda: scratch.SoftmaxWithLoss().forward(np.ones((2, 3)), np.array([0, 3])), DataError, "to 3, but x has 3"),
        (lambda: scratch.SoftmaxWithLoss().forward(np.ones((2, 3)), np.array([0, 1, 2])), ShapeError, r"t must be"),
        (lambda: scratch.SoftmaxWithLoss().forward(np.ones((2, 3)), np.array([0.0, 1])), DataError, "whole numbers"),
        (lambda: scratch.im2col(np.ones((1, 1, 4, 4)), 5, 5), ShapeError, "needs at least 5x5"),
        (lambda: scratch.col2im(np.ones((4, 9)), (1, 4, 4), 3, 3), ShapeError, r"input_shape \(N, C, H, W\)"),
        (lambda: scratch.col2im(np.ones((4, 8)), (1, 1, 4, 4), 3, 3), ShapeError, r"4 rows of 9, got col \(4, 8\)"),
        (lambda: scratch.numerical_gradient(np.sum, np.ones(3, int)), ConfigError, "array of floats.* one of int"),
        (lambda: scratch.numerical_gradient(np.sum, [1.0]), ConfigError, "got list"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def conv(biases: int = 2) -> scratch.Convolution:
    return scratch.Convolution(np.ones((2, 1, 3, 3)), np.ones(biases))


def after(layer: Any, shape: tuple[int, ...]) -> Any:
    layer.forward(np.ones(shape))
    return layer
