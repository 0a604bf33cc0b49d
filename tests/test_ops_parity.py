"""The operations in float64 against PyTorch and SciPy, which compute the same mathematics by other code.

Where PyTorch defines something else (LRN's alpha, the place of epsilon, counting of padding), the test says so and
accounts for it, or uses the closed form.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Conv, Pool
from scipy import signal
from sizes import BLOCKS, CONVS, DENSES, LOGITS, POOLS
from torch_curves import CURVES

from pellucid import ops
from pellucid.ops.geometry import Array, Shape

torch = pytest.importorskip("torch")
functional = torch.nn.functional

CLOSE = {"rtol": 1e-9, "atol": 1e-11}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def leaf(array: Array) -> Any:
    return torch.tensor(array, requires_grad=True)


def nchw(array: Array) -> Any:
    """A tensor that requires a gradient, with the channels where PyTorch has them."""
    return leaf(np.ascontiguousarray(np.moveaxis(array, -1, 1)))


def nhwc(tensor: Any) -> Array:
    return np.moveaxis(tensor.detach().numpy(), 1, -1)


def same(got: Array, expected: Array) -> None:
    np.testing.assert_allclose(got, expected, **CLOSE)


@pytest.mark.parametrize("c", CONVS, ids=lambda c: c.name)
def test_conv2d(c: Conv, rng: np.random.Generator) -> None:
    x, k, b, dy = (rng.standard_normal(s) for s in (c.x, c.kernel_shape, (c.filters,), c.y))
    tx, tk, tb = nchw(x), leaf(np.ascontiguousarray(k.transpose(3, 2, 0, 1))), leaf(b)
    (top, bottom), (left, right) = c.padding
    padded = functional.pad(tx, (left, right, top, bottom))
    ty = functional.conv2d(padded, tk, tb, c.strides, 0, c.dilation, c.groups)
    ty.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    same(ops.conv2d(x, k, b, **c.options), nhwc(ty))
    same(ops.conv2d(x, k, **c.options), nhwc(ty) - b)
    same(ops.conv2d_backward_input(dy, k, c.x, **c.options), nhwc(tx.grad))
    same(ops.conv2d_backward_kernel(x, dy, c.kernel_shape, **c.options), tk.grad.numpy().transpose(2, 3, 1, 0))
    same(ops.bias_backward(dy), tb.grad.numpy())


def test_conv2d_is_cross_correlation(rng: np.random.Generator) -> None:
    x, k = rng.standard_normal((1, 9, 7, 2)), rng.standard_normal((3, 2, 2, 1))
    y = ops.conv2d(x, k, strides=(1, 1), padding=((0, 0), (0, 0)))
    same(y[0, :, :, 0], signal.correlate(x[0], k[..., 0], mode="valid")[:, :, 0])


@pytest.mark.parametrize("n,i,u", DENSES)
def test_dense(n: int, i: int, u: int, rng: np.random.Generator) -> None:
    x, k, b, dy = (rng.standard_normal(s) for s in ((n, i), (i, u), (u,), (n, u)))
    tx, tk, tb = leaf(x), leaf(k), leaf(b)
    ty = functional.linear(tx, tk.T, tb)
    ty.backward(torch.tensor(dy))
    same(ops.dense(x, k, b), ty.detach().numpy())
    same(ops.dense_backward_input(dy, k), tx.grad.numpy())
    same(ops.dense_backward_kernel(x, dy), tk.grad.numpy())
    same(ops.bias_backward(dy), tb.grad.numpy())


@pytest.mark.parametrize("p", POOLS, ids=lambda p: p.name)
def test_pools(p: Pool, rng: np.random.Generator) -> None:
    x, dy = rng.standard_normal(p.x), rng.standard_normal(p.y)
    (top, bottom), (left, right) = p.padding
    tx = nchw(x)
    ty = functional.max_pool2d(functional.pad(tx, (left, right, top, bottom), value=-torch.inf), p.pool_size, p.strides)
    ty.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    y, argmax = ops.max_pool2d(x, **p.options)
    np.testing.assert_array_equal(y, nhwc(ty))
    same(ops.max_pool2d_backward(dy, argmax, p.x, **p.options), nhwc(tx.grad))

    # PyTorch cannot leave asymmetric padding uncounted: divide its sums by the sums of ones
    tx = nchw(x)
    ones = functional.pad(torch.ones_like(tx), (left, right, top, bottom))
    counts = functional.avg_pool2d(ones, p.pool_size, p.strides)
    ty = functional.avg_pool2d(functional.pad(tx, (left, right, top, bottom)), p.pool_size, p.strides) / counts
    ty.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    same(ops.avg_pool2d(x, **p.options), nhwc(ty))
    same(ops.avg_pool2d_backward(dy, p.x, **p.options), nhwc(tx.grad))


@pytest.mark.parametrize("shape", [s for s in BLOCKS if len(s) == 4])
def test_global_avg_pool2d(shape: Shape, rng: np.random.Generator) -> None:
    x = rng.standard_normal(shape)
    same(ops.global_avg_pool2d(x), functional.adaptive_avg_pool2d(nchw(x), 1)[:, :, 0, 0].detach().numpy())


@pytest.mark.parametrize("kind", [*ops.ACTIVATIONS, "softmax"])
def test_activations(kind: str, rng: np.random.Generator) -> None:
    x, dy = rng.standard_normal((5, 45)) * 4, rng.standard_normal((5, 45))
    tx = leaf(x)
    usual = ops.ACTIVATIONS.get(kind, {})
    numbers: dict[str, Any] = {**usual, **({"slope": 0.3} if usual.get("slope") else {})}
    ty = functional.softmax(tx, -1) if kind == "softmax" else CURVES[kind](tx, **(numbers if kind != "relu6" else {}))
    ty.backward(torch.tensor(dy))
    if kind == "softmax":
        y = ops.softmax(x)
        dx = ops.softmax_backward(dy, y)
    else:
        y = ops.activation(x, kind, **numbers)
        dx = ops.activation_backward(dy, x if kind in ops.READ_INPUT else y, kind, **numbers)
    same(y, ty.detach().numpy())
    if kind == "hard_sigmoid":  # there the gradient is a sixth in float32
        np.testing.assert_allclose(dx, tx.grad.numpy(), rtol=1e-7)
    else:
        same(dx, tx.grad.numpy())


@pytest.mark.parametrize("shape", [s for s in BLOCKS if len(s) == 4])
@pytest.mark.parametrize("size", [1, 3, 4, 5])
def test_local_response_norm(shape: Shape, size: int, rng: np.random.Generator) -> None:
    x, dy, alpha, beta, k = rng.standard_normal(shape), rng.standard_normal(shape), 0.3, 0.75, 2.0
    tx = nchw(x)
    ty = functional.local_response_norm(tx, size, alpha * size, beta, k)  # PyTorch divides alpha by the size
    ty.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    y, scale = ops.local_response_norm(x, size=size, alpha=alpha, beta=beta, k=k)
    same(y, nhwc(ty))
    same(ops.local_response_norm_backward(dy, x, y, scale, size=size, alpha=alpha, beta=beta), nhwc(tx.grad))


@pytest.mark.parametrize("shape", [s for s in BLOCKS if np.prod(s[:-1]) > 1])
def test_batch_norm(shape: Shape, rng: np.random.Generator) -> None:
    c = shape[-1:]
    x, dy, gamma, beta = (rng.standard_normal(s) for s in (shape, shape, c, c))
    tx, tg, tb = nchw(x), leaf(gamma), leaf(beta)
    ty = functional.batch_norm(tx, None, None, tg, tb, training=True, eps=1e-3)
    ty.backward(torch.tensor(np.moveaxis(dy, -1, 1).copy()))
    y, mean, variance = ops.batch_norm(x, gamma, beta, epsilon=1e-3)
    same(y, nhwc(ty))
    for got, tensor in zip(
        ops.batch_norm_backward(dy, x, gamma, mean, variance, epsilon=1e-3), (tx, tg, tb), strict=True
    ):
        same(got, np.moveaxis(tensor.grad.numpy(), 1, -1) if tensor is tx else tensor.grad.numpy())
    still = functional.batch_norm(tx, torch.tensor(mean), torch.tensor(variance), tg, tb, training=False, eps=1e-3)
    same(ops.batch_norm_inference(x, gamma, beta, mean, variance, epsilon=1e-3), nhwc(still))


@pytest.mark.parametrize("shape", LOGITS)
@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("rows", [False, True])
def test_softmax_cross_entropy(
    shape: Shape, scale: float, smoothing: float, rows: bool, rng: np.random.Generator
) -> None:
    n, k = shape
    logits = rng.standard_normal(shape) * scale
    targets = ops.softmax(rng.standard_normal(shape)) if rows else rng.integers(0, k, n)
    tz = leaf(logits)
    each = functional.cross_entropy(tz, torch.tensor(targets), reduction="none", label_smoothing=smoothing)
    each.mean().backward()
    losses, dlogits = ops.softmax_cross_entropy(targets, logits, label_smoothing=smoothing)
    same(losses, each.detach().numpy())
    same(dlogits, tz.grad.numpy())


@pytest.mark.parametrize("scale", [1.0, 1e4])
@pytest.mark.parametrize("op", ["binary_cross_entropy", "mean_squared_error", "mean_absolute_error"])
def test_losses(op: str, scale: float, rng: np.random.Generator) -> None:
    z, t, w = rng.standard_normal((6, 3, 5)) * scale, rng.random((6, 3, 5)), rng.random(6)
    f = {
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
        "mean_squared_error": functional.mse_loss,
        "mean_absolute_error": functional.l1_loss,
    }[op]
    tz = leaf(z)
    each = f(tz, torch.tensor(t), reduction="none").mean(dim=(1, 2))
    (each * torch.tensor(w)).mean().backward()
    losses, gradient = getattr(ops, op)(t, z, weights=w)
    same(losses, each.detach().numpy())
    same(gradient, tz.grad.numpy())


def run(update: Any, param: Array, slots: list[Array], **options: Any) -> list[Array]:
    """Five steps down the gradient of sum(sin p), ours; `step` is given to those who count."""
    path = []
    for step in range(1, 6):
        counted = {"step": step} if update is ops.adam_update else {}
        update(param, np.cos(param), *slots, **options, **counted)
        path.append(param.copy())
    return path


def run_torch(make: Any, param: Array) -> list[Array]:
    tensor = leaf(param)
    optimizer = make([tensor])
    path = []
    for _ in range(5):
        optimizer.zero_grad()
        torch.sin(tensor).sum().backward()
        optimizer.step()
        path.append(tensor.detach().numpy().copy())
    return path


# with epsilon 0 its place does not matter; the tests below check its place by the closed form
OPTIMIZERS = {
    "sgd": (ops.sgd_update, 0, {"lr": 0.1}, lambda p: torch.optim.SGD(p, 0.1)),
    "sgd decay": (
        ops.sgd_update,
        0,
        {"lr": 0.1, "weight_decay": 0.1},
        lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.1),
    ),
    # PyTorch's v = momentum * v + g, p -= lr * v is the same path while lr is constant
    "momentum": (ops.sgd_update, 1, {"lr": 0.1, "momentum": 0.9}, lambda p: torch.optim.SGD(p, 0.1, 0.9)),
    "nesterov": (
        ops.sgd_update,
        1,
        {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
        lambda p: torch.optim.SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1),
    ),
    "adam": (
        ops.adam_update,
        2,
        {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 0.0, "weight_decay": 0.1},
        lambda p: torch.optim.Adam(p, 0.1, (0.9, 0.99), 0.0, weight_decay=0.1),
    ),
    "adamw": (
        ops.adam_update,
        2,
        {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 0.0, "weight_decay": 0.1, "decoupled": True},
        lambda p: torch.optim.AdamW(p, 0.1, (0.9, 0.99), 0.0, weight_decay=0.1),
    ),
    "adagrad": (
        ops.adagrad_update,
        1,
        {"lr": 0.1, "epsilon": 0.0},
        lambda p: torch.optim.Adagrad(p, 0.1, eps=0.0),
    ),
    "rmsprop": (
        ops.rmsprop_update,
        1,
        {"lr": 0.1, "rho": 0.9, "epsilon": 0.0},
        lambda p: torch.optim.RMSprop(p, 0.1, 0.9, 0.0),
    ),
    "rmsprop momentum": (
        ops.rmsprop_update,
        2,
        {"lr": 0.1, "rho": 0.9, "epsilon": 0.0, "momentum": 0.9, "weight_decay": 0.1},
        lambda p: torch.optim.RMSprop(p, 0.1, 0.9, 0.0, weight_decay=0.1, momentum=0.9),
    ),
    "rmsprop centered": (
        ops.rmsprop_update,
        3,
        {"lr": 0.1, "rho": 0.9, "epsilon": 0.0, "momentum": 0.5, "centered": True},
        lambda p: torch.optim.RMSprop(p, 0.1, 0.9, 0.0, momentum=0.5, centered=True),
    ),
    # PyTorch has epsilon where Keras has it, under both roots
    "adadelta": (
        ops.adadelta_update,
        2,
        {"lr": 0.7, "rho": 0.9, "epsilon": 1e-3},
        lambda p: torch.optim.Adadelta(p, 0.7, 0.9, 1e-3),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name: str, rng: np.random.Generator) -> None:
    update, slots, options, make = OPTIMIZERS[name]
    start = rng.standard_normal(33)
    ours = run(update, start.copy(), [np.zeros(33) for _ in range(slots)], **options)
    for step, (got, expected) in enumerate(zip(ours, run_torch(make, start), strict=True)):
        np.testing.assert_allclose(got, expected, **CLOSE, err_msg=f"{name}, step {step + 1}")


def test_keras_epsilons(rng: np.random.Generator) -> None:
    """Keras: Adam p -= alpha m / (sqrt v + e) with the corrections in alpha; Adagrad and RMSprop g / sqrt(s + e)."""
    p, g, e = rng.standard_normal(7), rng.standard_normal(7), 0.05
    got = p.copy()
    ops.adam_update(got, g, np.zeros(7), np.zeros(7), lr=0.1, beta1=0.9, beta2=0.99, epsilon=e, step=1)
    same(got, p - 0.1 * np.sqrt(0.01) / 0.1 * (0.1 * g) / (np.sqrt(0.01 * g * g) + e))
    got = p.copy()
    ops.adagrad_update(got, g, np.full(7, 0.1), lr=0.1, epsilon=e)
    same(got, p - 0.1 * g / np.sqrt(0.1 + g * g + e))
    got = p.copy()
    ops.rmsprop_update(got, g, np.zeros(7), lr=0.1, rho=0.9, epsilon=e)
    same(got, p - 0.1 * g / np.sqrt(0.1 * g * g + e))
