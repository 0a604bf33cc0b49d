"""U-Net: its size by a formula, its answers and gradients by PyTorch on the same weights, and what it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_masks import squares_and_discs

import pellucid
from pellucid import metrics, zoo
from pellucid.errors import ConfigError
from pellucid.layers import BatchNorm

RNG = np.random.default_rng(0)


def trained_numbers(channels: int, classes: int, depth: int, filters: int, up: str) -> int:
    """Kernels of 3x3 with two numbers of batch norm a filter, transposed 2x2 convolutions, and the last one."""

    def twice(inputs: int, width: int) -> int:
        return 9 * (inputs * width + width * width) + 4 * width

    total, inputs = 0, channels
    for level in range(depth + 1):
        total += twice(inputs, filters * 2**level)
        inputs = filters * 2**level
    for level in reversed(range(depth)):
        width = filters * 2**level
        wider = 2 * width
        if up == "transposed":
            total += 4 * wider * width + width
            wider = width
        total += twice(width + wider, width)
    return total + (filters + 1) * classes


@pytest.mark.parametrize("up", ["bilinear", "transposed"])
@pytest.mark.parametrize(("channels", "classes", "depth", "filters"), [(3, 2, 3, 16), (1, 11, 4, 4), (2, 5, 1, 8)])
def test_trained_numbers(channels: int, classes: int, depth: int, filters: int, up: str) -> None:
    model = zoo.unet((32, 64, channels), classes, depth=depth, filters=filters, up=up)
    counted = sum(array.size for layer in model.layers for array in layer.params.values())
    assert counted == trained_numbers(channels, classes, depth, filters, up)
    assert model.output_shape == (32, 64, classes)


def test_its_usual_size() -> None:
    assert sum(array.size for layer in zoo.unet().layers for array in layer.params.values()) == 488_018


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((100, 128, 3), {}, r"100 x 128 cannot be halved 3 times; .* multiples of 8, such as 96 x 128"),
        ((4, 4, 1), {}, "such as 8 x 8"),
        ((32, 32, 3), {"up": "nearest"}, "unknown way up of unet 'nearest'"),
        ((32, 32, 3), {"depth": 0}, "unet: depth"),
    ],
)
def test_what_it_refuses(shape: tuple[int, ...], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        zoo.unet(shape, **options)


class Twin:
    """The same network in PyTorch's words, with the weights of one of ours, in float64."""

    def __init__(self, model: pellucid.Model, torch: Any) -> None:
        self.torch, self.F = torch, torch.nn.functional
        self.weights = {
            f"{layer.name}/{name}": torch.tensor(np.array(array), dtype=torch.float64, requires_grad=True)
            for layer in model.layers
            for name, array in layer.params.items()
        }
        self.running = {
            f"{layer.name}/{name}": torch.tensor(np.array(array), dtype=torch.float64)
            for layer in model.layers
            for name, array in layer.state.items()
        }

    def convolved(self, x: Any, name: str, training: bool) -> Any:
        x = self.F.conv2d(x, self.weights[f"{name}/kernel"].permute(3, 2, 0, 1), padding=1)
        norm = f"{name}_norm"
        mean, variance = (self.running[f"{norm}/{part}"].clone() for part in ("mean", "variance"))
        gamma, beta = self.weights[f"{norm}/gamma"], self.weights[f"{norm}/beta"]
        return self.F.relu(self.F.batch_norm(x, mean, variance, gamma, beta, training, eps=1e-5))

    def twice(self, x: Any, name: str, training: bool) -> Any:
        return self.convolved(self.convolved(x, f"{name}_conv1", training), f"{name}_conv2", training)

    def logits(self, pictures: Any, *, training: bool, depth: int = 2) -> Any:
        x, beside = self.torch.tensor(pictures.transpose(0, 3, 1, 2), dtype=self.torch.float64), []
        for level in range(1, depth + 1):
            x = self.twice(x, f"down{level}", training)
            beside.append(x)
            x = self.F.max_pool2d(x, 2)
        x = self.twice(x, "bottom", training)
        for level in range(depth, 0, -1):
            kernel = self.weights.get(f"up{level}/kernel")
            if kernel is None:
                x = self.F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            else:
                x = self.F.conv_transpose2d(x, kernel.permute(3, 2, 0, 1), self.weights[f"up{level}/bias"], stride=2)
            x = self.twice(self.torch.cat([beside.pop(), x], 1), f"up{level}", training)
        scores = self.F.conv2d(x, self.weights["classes/kernel"].permute(3, 2, 0, 1), self.weights["classes/bias"])
        return scores


@pytest.mark.parametrize("up", ["bilinear", "transposed"])
def test_answers_and_gradients_are_pytorchs(up: str) -> None:
    torch = pytest.importorskip("torch")
    model = zoo.unet((16, 24, 3), 4, depth=2, filters=4, up=up, seed=1)
    for layer in model.layers:
        if isinstance(layer, BatchNorm):  # as after some training, and not at its start
            spread = ((0.5, 1.5), (0, 0.3), (0, 0.3), (0.5, 2))
            layer.set_weights([RNG.uniform(*ends, layer.get_weights()[0].shape) for ends in spread])
    x, y = RNG.standard_normal((6, 16, 24, 3), np.float32), RNG.integers(0, 4, (6, 16, 24))
    twin = Twin(model, torch)
    wanted = torch.softmax(twin.logits(x, training=False), 1).permute(0, 2, 3, 1).detach().numpy()
    np.testing.assert_allclose(model.predict(x), wanted, atol=1e-5)
    torch.nn.functional.cross_entropy(twin.logits(x, training=True), torch.tensor(y)).backward()
    before = {s.key: np.array(model.parameters.view(s)) for s in model.parameters.segments}
    model.compile(pellucid.optimizers.SGD(1.0), "categorical_crossentropy")
    model.fit(x, y, batch_size=6, shuffle=False, verbose=0, doctor=False)
    for segment in model.parameters.segments:
        gradient = twin.weights[segment.key].grad.numpy()
        got = before[segment.key] - model.parameters.view(segment)
        np.testing.assert_allclose(got, gradient, atol=1e-4 * max(np.abs(gradient).max(), 1e-2), err_msg=segment.key)


def test_it_learns_squares_and_discs() -> None:
    x, y = squares_and_discs(64)
    held, truth = squares_and_discs(16, seed=1)
    model = zoo.unet((32, 32, 1), 3, filters=8, depth=1)
    model.compile(pellucid.optimizers.Adam(0.01), "categorical_crossentropy")
    model.fit(x, y, batch_size=4, epochs=6, verbose=0)
    assert metrics.mean_iou(truth, model.predict(held)) > 0.9
