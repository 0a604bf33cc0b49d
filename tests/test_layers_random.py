"""Layers of many drawn geometries against PyTorch and Keras, forward and every gradient."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
torch = pytest.importorskip("torch")
from torch_curves import CURVES, ROWS  # noqa: E402

functional = torch.nn.functional

from pellucid import layers as L  # noqa: E402  # after the backend was chosen
from pellucid.layers import Layer  # noqa: E402

Twin = Callable[[Any, dict[str, Any]], Any]
"""(x as PyTorch has it, our parameters as tensors) -> y."""
DRAWS = 12
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


def first(x: Any) -> Any:
    return x.permute(0, 3, 1, 2)


def last(x: Any) -> Any:
    return x.permute(0, 2, 3, 1)


def drawn(rng: np.random.Generator, low: int, high: int) -> tuple[int, int]:
    """Two sizes, of rows and columns."""
    return int(rng.integers(low, high)), int(rng.integers(low, high))


def layer_norm(rng: np.random.Generator) -> tuple[Layer, Twin]:
    axes = tuple(range(-int(rng.integers(1, 4)), 0))
    return L.LayerNorm(axes, epsilon=1e-3), lambda x, p: first(
        functional.layer_norm(last(x), p["gamma"].shape, p["gamma"], p["beta"], 1e-3)
    )


def group_norm(rng: np.random.Generator) -> tuple[Layer, Twin]:
    groups = int(rng.choice([1, 2, 3, 6]))
    return L.GroupNorm(groups, epsilon=1e-3), lambda x, p: functional.group_norm(x, groups, p["gamma"], p["beta"], 1e-3)


def separable(rng: np.random.Generator) -> tuple[Layer, Twin]:
    kernel, strides, pads, dilation = drawn(rng, 1, 5), drawn(rng, 1, 3), drawn(rng, 2, 5), drawn(rng, 1, 3)
    multiplier = int(rng.integers(1, 4))
    layer = L.SeparableConv2D(5, kernel, strides, pads, dilation_rate=dilation, depth_multiplier=multiplier)

    def twin(x: Any, p: dict[str, Any]) -> Any:
        depthwise = p["depthwise_kernel"].reshape(*kernel, -1).permute(2, 0, 1)[:, None]
        d = functional.conv2d(x, depthwise, None, strides, pads, dilation, groups=x.shape[1])
        return functional.conv2d(d, p["pointwise_kernel"].permute(3, 2, 0, 1), p["bias"])

    return layer, twin


def transposed(rng: np.random.Generator) -> tuple[Layer, Twin]:
    kernel, strides, dilation = drawn(rng, 1, 5), drawn(rng, 1, 4), drawn(rng, 1, 3)
    pads = tuple(int(rng.integers(0, (k - 1) * d // 2 + 1)) for k, d in zip(kernel, dilation, strict=True))
    more = tuple(int(rng.integers(0, stride)) for stride in strides)
    return L.Conv2DTranspose(
        4, kernel, strides, pads, more, dilation_rate=dilation
    ), lambda x, p: functional.conv_transpose2d(
        x, p["kernel"].permute(3, 2, 0, 1), p["bias"], strides, pads, more, dilation=dilation
    )


def upsampling(rng: np.random.Generator) -> tuple[Layer, Twin]:
    factors = drawn(rng, 1, 5)
    return L.UpSampling2D(factors, "bilinear"), lambda x, p: functional.interpolate(
        x, scale_factor=factors, mode="bilinear"
    )


def window(rng: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Size, strides, and padding as PyTorch allows it."""
    size = drawn(rng, 1, 5)
    return size, drawn(rng, 1, 5), tuple(int(rng.integers(0, taps // 2 + 1)) for taps in size)  # type: ignore[return-value]


def max_pool(rng: np.random.Generator) -> tuple[Layer, Twin]:
    given, ceil = window(rng), bool(rng.integers(2))
    return L.MaxPool2D(*given, ceil_mode=ceil), lambda x, p: functional.max_pool2d(x, *given, ceil_mode=ceil)


def avg_pool(rng: np.random.Generator) -> tuple[Layer, Twin]:
    given, ceil, counted = window(rng), bool(rng.integers(2)), bool(rng.integers(2))
    return L.AvgPool2D(*given, ceil_mode=ceil, count_include_pad=counted), lambda x, p: functional.avg_pool2d(
        x, *given, ceil, counted
    )


def prelu(rng: np.random.Generator) -> tuple[Layer, Twin]:
    shared = tuple(axis for axis in (1, 2, 3) if rng.integers(2))
    return L.PReLU("random_normal", shared_axes=shared), lambda x, p: torch.where(x > 0, x, first(p["alpha"][None]) * x)


def permute(rng: np.random.Generator) -> tuple[Layer, Twin]:
    dims = tuple(int(axis) for axis in rng.permutation(3) + 1)
    return L.Permute(dims), lambda x, p: first(last(x).permute(0, *dims))


def softmax(rng: np.random.Generator) -> tuple[Layer, Twin]:
    axis = int(rng.integers(1, 4))
    return L.Softmax(axis), lambda x, p: first(functional.softmax(last(x), dim=axis))


def global_max(rng: np.random.Generator) -> tuple[Layer, Twin]:
    return L.GlobalMaxPool2D(), lambda x, p: functional.adaptive_max_pool2d(x, 1)[..., 0, 0]


KINDS = (
    *(layer_norm, group_norm, separable, transposed, upsampling, max_pool, avg_pool),
    *(prelu, permute, softmax, global_max),
)


def randomised(layer: Layer, x: np.ndarray, rng: np.random.Generator) -> None:
    layer(x)
    layer.set_weights([rng.standard_normal(array.shape) for array in layer.weights])


def compared(layer: Layer, theirs: Any, x: np.ndarray, rng: np.random.Generator) -> None:
    """theirs(x): y and, of what it is made from by name, tensors with gradients; all channels last."""
    y, cache = layer.forward(x, training=True)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    dx, grads = layer.backward(dy, cache)
    expected, made_from = theirs(torch.tensor(x, requires_grad=True))
    expected.backward(torch.tensor(dy))
    about = repr(layer)
    np.testing.assert_allclose(y, expected.detach().numpy(), **CLOSE, err_msg=about)
    assert dx is not None
    for name, gradient in {"x": dx, **{name: grads[f"d{name}"] for name in layer.params}}.items():
        close = {**CLOSE, "atol": 2e-5 * max(1.0, float(np.abs(gradient).max(initial=0)))}
        np.testing.assert_allclose(gradient, made_from[name].grad.numpy(), **close, err_msg=f"d{name} of {about}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_drawn_geometries_against_torch(kind: Callable[[np.random.Generator], tuple[Layer, Twin]]) -> None:
    for seed in range(DRAWS):
        rng = np.random.default_rng([seed, *kind.__name__.encode()])
        layer, twin = kind(rng)
        x = rng.standard_normal((int(rng.integers(1, 4)), *drawn(rng, 6, 13), 6)).astype(np.float32)
        randomised(layer, x, rng)

        def theirs(tensor: Any, layer: Layer = layer, twin: Twin = twin) -> Any:
            params = {name: torch.tensor(np.array(value), requires_grad=True) for name, value in layer.params.items()}
            y = twin(first(tensor), params)
            return last(y) if y.ndim == 4 else y, {"x": tensor, **params}

        compared(layer, theirs, x, rng)


@pytest.mark.parametrize("name", L.activation.ACTIVATIONS)
def test_activations_against_torch(name: str) -> None:
    if name == "linear":
        return
    rng = np.random.default_rng(5)
    x = (10.0 ** rng.uniform(-3, 1.5, (4, 500)) * rng.choice([-1, 1], (4, 500))).astype(np.float32)
    theirs = {**CURVES, **ROWS}[name]
    compared(L.Activation(name), lambda tensor: (theirs(tensor), {"x": tensor}), x, rng)


def of_keras(rng: np.random.Generator) -> Iterator[tuple[Layer, str, tuple[Any, ...], dict[str, Any]]]:
    """Our layer, the name of Keras's, and the arguments that both are given."""
    for _ in range(DRAWS // 2):
        padding = str(rng.choice(["same", "valid"]))
        kernel, strides, dilation = drawn(rng, 1, 5), int(rng.integers(1, 4)), int(rng.integers(1, 3))
        slid: dict[str, Any] = {"padding": padding}
        slid |= {"strides": strides} if rng.integers(2) else {"dilation_rate": dilation}
        calls: list[tuple[Any, str, tuple[Any, ...], dict[str, Any]]] = [
            (L.LayerNorm, "LayerNormalization", (list(range(-int(rng.integers(1, 4)), 0)),), {}),
            (L.GroupNorm, "GroupNormalization", (int(rng.choice([1, 2, 3, 6])),), {}),
            (L.SeparableConv2D, "", (5, kernel), {**slid, "depth_multiplier": 2, "activation": "relu"}),
            (L.DepthwiseConv2D, "", (kernel,), {**slid, "depth_multiplier": 3}),
            (L.Conv2DTranspose, "", (4, kernel), slid),
            (L.UpSampling2D, "", (drawn(rng, 1, 4),), {"interpolation": str(rng.choice(["nearest", "bilinear"]))}),
            (L.MaxPool2D, "", (kernel, strides, padding), {}),
            # with "same" Keras on PyTorch counts the padding as zeros, on TensorFlow it does not, as here
            (L.AvgPool2D, "AveragePooling2D", (kernel, strides, "valid"), {}),
            (L.PReLU, "", ("random_normal",), {"shared_axes": [1, 2]}),
            (L.ReLU, "", (1.5, 0.2, 0.3), {}),
            (L.Softmax, "", (int(rng.integers(1, 4)),), {}),
            (L.Permute, "", (tuple(int(axis) for axis in rng.permutation(3) + 1),), {}),
            (L.GlobalMaxPool2D, "", (), {}),
        ]
        for ours, name, args, options in calls:
            yield ours(*args, **options), name or ours.__name__, args, options


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2
def test_drawn_geometries_against_keras() -> None:
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(3)
    for layer, name, args, options in of_keras(rng):
        x = rng.standard_normal((2, *drawn(rng, 8, 13), 6)).astype(np.float32)
        randomised(layer, x, rng)
        twin = getattr(keras.layers, name)(*args, **options)
        twin.build(x.shape)
        twin.set_weights(layer.get_weights())

        def theirs(tensor: Any, layer: Layer = layer, twin: Any = twin) -> Any:
            own = dict(zip(layer.params, (one.value for one in twin.trainable_weights), strict=True))
            return twin(tensor), {"x": tensor, **own}

        compared(layer, theirs, x, rng)
