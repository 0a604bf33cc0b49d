"""Single layers against PyTorch, forward and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import layers
from pellucid.layers import (
    ELU,
    AvgPool2D,
    BatchNorm,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Layer,
    LeakyReLU,
    LocalResponseNorm,
    MaxPool2D,
    ReLU,
    ZeroPadding2D,
)


def torch_pass(module: Any, x: np.ndarray, dy: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """y, dx and the parameters' gradients of a PyTorch module fed with NHWC pictures (or rows)."""
    torch = pytest.importorskip("torch")

    def first(array: np.ndarray) -> Any:
        return torch.tensor(np.ascontiguousarray(np.moveaxis(array, -1, 1)))

    x_first = first(x).requires_grad_(True)
    y = module(x_first)
    y.backward(first(dy))
    grads = [parameter.grad.numpy() for parameter in module.parameters()]
    return np.moveaxis(y.detach().numpy(), 1, -1), np.moveaxis(x_first.grad.numpy(), 1, -1), grads


def test_layers_without_parameters_against_torch() -> None:
    torch = pytest.importorskip("torch")
    nn = torch.nn
    adaptive = [
        (layers.AdaptiveAvgPool2D, nn.AdaptiveAvgPool2d),
        (layers.AdaptiveMaxPool2D, nn.AdaptiveMaxPool2d),
    ]
    rows: list[tuple[Layer, Any]] = [
        (MaxPool2D((3, 2), (2, 1), 1), nn.MaxPool2d((3, 2), (2, 1), 1)),
        (AvgPool2D((3, 2), (2, 1)), nn.AvgPool2d((3, 2), (2, 1))),
        (AvgPool2D(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)),
        (AvgPool2D(3, 2, 1, count_include_pad=True), nn.AvgPool2d(3, 2, 1)),
        (MaxPool2D((3, 2), (2, 3), ceil_mode=True), nn.MaxPool2d((3, 2), (2, 3), ceil_mode=True)),
        (MaxPool2D(3, 3, 1, ceil_mode=True), nn.MaxPool2d(3, 3, 1, ceil_mode=True)),
        (AvgPool2D(3, (2, 4), 1, ceil_mode=True), nn.AvgPool2d(3, (2, 4), 1, True, count_include_pad=False)),
        (AvgPool2D(4, 3, (1, 2), ceil_mode=True, count_include_pad=True), nn.AvgPool2d(4, 3, (1, 2), ceil_mode=True)),
        *((ours(size), theirs(size)) for ours, theirs in adaptive for size in ((3, 2), (4, 7), (1, 1))),
        (ReLU(), nn.ReLU()),
        (ReLU(max_value=0.5), nn.Hardtanh(0.0, 0.5)),
        (LeakyReLU(0.1), nn.LeakyReLU(0.1)),
        (ELU(0.7), nn.ELU(0.7)),
        (layers.Sigmoid(), nn.Sigmoid()),
        (layers.Tanh(), nn.Tanh()),
        (layers.Softmax(), nn.Softmax(dim=1)),
        (layers.Softmax(axis=2), nn.Softmax(dim=3)),
        (ZeroPadding2D(((1, 2), (3, 0))), nn.ZeroPad2d((3, 0, 1, 2))),
        (layers.Padding2D(((1, 2), (3, 0)), "reflect"), nn.ReflectionPad2d((3, 0, 1, 2))),
        (layers.Padding2D(((1, 2), (9, 0)), "edge"), nn.ReplicationPad2d((9, 0, 1, 2))),
        (layers.UpSampling2D((2, 3)), nn.Upsample(scale_factor=(2, 3))),
        (layers.UpSampling2D((2, 3), "bilinear"), nn.Upsample(scale_factor=(2, 3), mode="bilinear")),
        (layers.UpSampling2D((5, 1), "bilinear"), nn.Upsample(scale_factor=(5, 1), mode="bilinear")),
        (LocalResponseNorm(5, 0.02, 0.75, 2.0), nn.LocalResponseNorm(5, 0.1, 0.75, 2.0)),
    ]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 8, 7, 6)).astype(np.float32)
    for layer, module in rows:
        y, cache = layer.forward(x, training=True)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        dx, _ = layer.backward(dy, cache)
        expected_y, expected_dx, _ = torch_pass(module, x, dy)
        np.testing.assert_allclose(y, expected_y, rtol=2e-5, atol=2e-6, err_msg=repr(layer))
        np.testing.assert_allclose(dx, expected_dx, rtol=2e-5, atol=2e-6, err_msg=repr(layer))


def test_prelu_against_torch() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).standard_normal((2, 8, 7, 6)).astype(np.float32)
    layer, module = layers.PReLU("random_normal", shared_axes=(1, 2)), torch.nn.PReLU(6)
    layer(x)
    assert layer.params["alpha"].shape == (1, 1, 6)
    module.weight.data = torch.tensor(layer.params["alpha"].reshape(6).copy())
    y, cache = layer.forward(x)
    dx, grads = layer.backward(x, cache)
    expected_y, expected_dx, (dalpha,) = torch_pass(module, x, x)
    np.testing.assert_allclose(y, expected_y, rtol=1e-6)
    np.testing.assert_allclose(dx, expected_dx, rtol=1e-6)
    np.testing.assert_allclose(grads["dalpha"].reshape(6), dalpha, rtol=1e-5)


def test_convolutions_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 9, 8, 6)).astype(np.float32)
    rows: list[tuple[Layer, Any]] = [
        (Conv2D(4, (3, 2), (2, 1)), torch.nn.Conv2d(6, 4, (3, 2), (2, 1))),
        (Conv2D(4, (3, 5), padding="same"), torch.nn.Conv2d(6, 4, (3, 5), padding="same")),
        (
            Conv2D(4, (2, 3), 2, (1, 2), dilation_rate=(2, 1), groups=2),
            torch.nn.Conv2d(6, 4, (2, 3), 2, (1, 2), dilation=(2, 1), groups=2),
        ),
        (DepthwiseConv2D(3, 2, 1), torch.nn.Conv2d(6, 6, 3, 2, 1, groups=6)),
        (DepthwiseConv2D((3, 5), 1, 2, 3), torch.nn.Conv2d(6, 18, (3, 5), 1, 2, groups=6)),
    ]
    for layer, module in rows:
        layer(x)
        kernel, bias = layer.weights
        shape = (*kernel.shape[:2], *module.weight.shape[1::-1])  # of a depthwise one: (KH, KW, 1, C*M)
        module.weight.data = torch.tensor(kernel.reshape(shape).transpose(3, 2, 0, 1).copy())
        module.bias.data = torch.tensor(bias.copy())
        y, cache = layer.forward(x)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        dx, grads = layer.backward(dy, cache)
        expected_y, expected_dx, (dkernel, dbias) = torch_pass(module, x, dy)
        np.testing.assert_allclose(y, expected_y, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=1e-5)
        expected = dkernel.transpose(2, 3, 1, 0).reshape(kernel.shape)
        np.testing.assert_allclose(grads["dkernel"], expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(grads["dbias"], dbias, rtol=1e-4, atol=1e-4)


def test_transposed_convolutions_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 5, 4, 6)).astype(np.float32)
    transposed = torch.nn.ConvTranspose2d
    rows: list[tuple[Layer, Any]] = [
        (Conv2DTranspose(4, 2, 2), transposed(6, 4, 2, 2)),
        (Conv2DTranspose(4, 3, 2, 1, 1), transposed(6, 4, 3, 2, 1, 1)),
        (
            Conv2DTranspose(3, (3, 2), (2, 3), (2, 1), (1, 2), dilation_rate=(2, 1)),
            transposed(6, 3, (3, 2), (2, 3), (2, 1), (1, 2), dilation=(2, 1)),
        ),
    ]
    for layer, module in rows:
        layer(x)
        kernel, bias = layer.weights
        module.weight.data = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        module.bias.data = torch.tensor(bias.copy())
        y, cache = layer.forward(x)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        dx, grads = layer.backward(dy, cache)
        expected_y, expected_dx, (dkernel, dbias) = torch_pass(module, x, dy)
        np.testing.assert_allclose(y, expected_y, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(dx, expected_dx, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(grads["dkernel"], dkernel.transpose(2, 3, 1, 0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(grads["dbias"], dbias, rtol=1e-4, atol=1e-4)


def test_layer_and_group_norm_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = (2 * rng.standard_normal((3, 4, 5, 6)) + 1).astype(np.float32)
    rows: list[tuple[Layer, Any, bool]] = [
        (layers.GroupNorm(3), torch.nn.GroupNorm(3, 6, 1e-3), True),
        (layers.GroupNorm(-1), torch.nn.InstanceNorm2d(6, 1e-3, affine=True), True),
        (layers.LayerNorm(), torch.nn.LayerNorm(6, 1e-3), False),
        (layers.LayerNorm((1, 2, 3)), torch.nn.LayerNorm((4, 5, 6), 1e-3), False),
    ]
    for ours, theirs, channels_first in rows:
        ours(x)
        gamma, beta = (rng.standard_normal(array.shape).astype(np.float32) for array in ours.weights)
        ours.set_weights([gamma, beta])
        theirs.weight.data, theirs.bias.data = torch.tensor(gamma), torch.tensor(beta)
        y, cache = ours.forward(x, training=True)
        dy = rng.standard_normal(y.shape).astype(np.float32)
        dx, grads = ours.backward(dy, cache)
        if channels_first:
            expected_y, expected_dx, (dgamma, dbeta) = torch_pass(theirs, x, dy)
        else:
            tensor = torch.tensor(x, requires_grad=True)
            theirs(tensor).backward(torch.tensor(dy))
            expected_y, expected_dx = theirs(tensor).detach().numpy(), tensor.grad.numpy()
            dgamma, dbeta = theirs.weight.grad.numpy(), theirs.bias.grad.numpy()
        for got, expected in ((y, expected_y), (dx, expected_dx), (grads["dgamma"], dgamma), (grads["dbeta"], dbeta)):
            np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5, err_msg=repr(ours))


def test_dense_and_batch_norm_against_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((6, 5)).astype(np.float32)
    dense = Dense(4, kernel_initializer="he_normal", bias_initializer="random_normal")
    dense(rows)
    linear = torch.nn.Linear(5, 4)
    linear.weight.data, linear.bias.data = (torch.tensor(array.T.copy()) for array in dense.weights)
    y, cache = dense.forward(rows)
    dx, grads = dense.backward(y, cache)
    expected_y, expected_dx, (dweight, dbias) = torch_pass(linear, rows, y)
    for got, expected in ((y, expected_y), (dx, expected_dx), (grads["dkernel"].T, dweight), (grads["dbias"], dbias)):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)

    x = (2 * rng.standard_normal((3, 4, 5, 6)) + 1).astype(np.float32)
    ours, theirs = BatchNorm(epsilon=1e-3), torch.nn.BatchNorm2d(6, eps=1e-3)
    ours(x)
    gamma, beta = rng.standard_normal((2, 6)).astype(np.float32)
    ours.set_weights([gamma, beta, *ours.get_weights()[2:]])
    theirs.weight.data, theirs.bias.data = torch.tensor(gamma), torch.tensor(beta)
    y, cache = ours.forward(x, training=True)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dx, grads = ours.backward(dy, cache)
    expected_y, expected_dx, (dgamma, dbeta) = torch_pass(theirs, x, dy)
    for got, expected in ((y, expected_y), (dx, expected_dx), (grads["dgamma"], dgamma), (grads["dbeta"], dbeta)):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5)
