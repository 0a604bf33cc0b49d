"""Residual networks beside PyTorch's arithmetic on the same weights, and as a user meets them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import zoo
from pellucid.cli import main
from pellucid.layers import BatchNorm, Conv2D

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(0)
X = RNG.standard_normal((8, 32, 32, 3), np.float32)
Y = RNG.integers(0, 10, 8)


class Twin:
    """resnet20 in PyTorch's words, with the weights of one of ours."""

    def __init__(self, model: pellucid.Model, dtype: Any) -> None:
        self.blocks = sum(layer.name.endswith("_add") for layer in model.layers)
        self.weights = {
            f"{layer.name}/{name}": torch.tensor(np.array(array), dtype=dtype, requires_grad=True)
            for layer in model.layers
            for name, array in layer.params.items()
        }
        self.running = {
            f"{layer.name}/{name}": torch.tensor(np.array(array), dtype=dtype)
            for layer in model.layers
            for name, array in layer.state.items()
        }

    def convolved(self, x: Any, name: str, training: bool) -> Any:
        kernel = self.weights[f"{name}/kernel"].permute(3, 2, 0, 1)
        rows = kernel.shape[2]
        strides = 2 if self.halves(name) else 1
        out = -(-x.shape[2] // strides)
        pad = max((out - 1) * strides + rows - x.shape[2], 0)  # Keras's "same": the odd row comes last
        x = F.conv2d(F.pad(x, (pad // 2, pad - pad // 2) * 2), kernel, stride=strides)
        norm, mean, variance = f"{name}_norm", *(self.running[f"{name}_norm/{part}"] for part in ("mean", "variance"))
        gamma, beta = self.weights[f"{norm}/gamma"], self.weights[f"{norm}/beta"]
        if training:
            batch = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
            with torch.no_grad():
                mean.mul_(0.9).add_(0.1 * batch[0])
                variance.mul_(0.9).add_(0.1 * batch[1])
            mean, variance = batch
        column = (1, -1, 1, 1)
        x = (x - mean.view(column)) / torch.sqrt(variance.view(column) + 1e-5)
        return x * gamma.view(column) + beta.view(column)

    @staticmethod
    def halves(name: str) -> bool:
        return name in ("block2_1_conv1", "block3_1_conv1", "block2_1_shortcut", "block3_1_shortcut")

    def logits(self, pictures: Any, *, training: bool) -> Any:
        x = torch.tensor(pictures.transpose(0, 3, 1, 2), dtype=self.weights["classes/kernel"].dtype)
        x = F.relu(self.convolved(x, "conv", training))
        for stage in (1, 2, 3):
            for block in (1, 2, 3):
                name = f"block{stage}_{block}"
                y = F.relu(self.convolved(x, f"{name}_conv1", training))
                y = self.convolved(y, f"{name}_conv2", training)
                if f"{name}_shortcut/kernel" in self.weights:
                    x = self.convolved(x, f"{name}_shortcut", training)
                x = F.relu(x + y)
        return x.mean((2, 3)) @ self.weights["classes/kernel"] + self.weights["classes/bias"]

    def loss(self, pictures: Any, labels: Any) -> Any:
        loss = F.cross_entropy(self.logits(pictures, training=True), torch.tensor(labels))
        for key, weight in self.weights.items():
            if key.endswith("/kernel"):
                loss = loss + 0.00005 * (weight**2).sum()
        return loss


@pytest.fixture
def model() -> pellucid.Model:
    model = zoo.resnet20(seed=1)
    rng = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, BatchNorm):  # as after some training, and not at its start
            gamma, beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [
                    rng.uniform(0.5, 1.5, gamma.shape),
                    rng.normal(0, 0.3, beta.shape),
                    rng.normal(0, 0.3, mean.shape),
                    rng.uniform(0.5, 2, variance.shape),
                ]
            )
    model.compile(pellucid.optimizers.SGD(0.05, momentum=0.9), "sparse_categorical_crossentropy")
    return model


def test_as_published() -> None:
    model = zoo.resnet20()
    assert sum(array.size for layer in model.layers for array in layer.params.values()) == 272_474
    assert sum(isinstance(layer, Conv2D) and layer.kernel_size == (3, 3) for layer in model.layers) == 19
    assert zoo.resnet20(blocks=2).output_shape == (10,)


def test_answers_are_pytorchs(model: pellucid.Model) -> None:
    wanted = F.softmax(Twin(model, torch.float64).logits(X, training=False), 1).detach().numpy()
    np.testing.assert_allclose(model.predict(X), wanted, atol=1e-5)


def test_gradients_are_pytorchs(model: pellucid.Model) -> None:
    twin = Twin(model, torch.float64)
    twin.loss(X, Y).backward()
    before = {s.key: np.array(model.parameters.view(s)) for s in model.parameters.segments}
    model.compile(pellucid.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0, doctor=False)
    for segment in model.parameters.segments:
        wanted = twin.weights[segment.key].grad.numpy()
        got = before[segment.key] - model.parameters.view(segment)
        np.testing.assert_allclose(got, wanted, atol=1e-4 * max(np.abs(wanted).max(), 1e-2), err_msg=segment.key)


def test_twenty_steps_are_pytorchs(model: pellucid.Model) -> None:
    twin = Twin(model, torch.float64)
    steps = torch.optim.SGD(twin.weights.values(), 0.05, momentum=0.9)
    losses = []
    for _ in range(20):
        steps.zero_grad()
        loss = twin.loss(X, Y)
        loss.backward()
        steps.step()
        losses.append(float(loss.detach()))
    history = model.fit(X, Y, batch_size=8, epochs=20, shuffle=False, verbose=0, doctor=False)
    assert losses[-1] < 0.2 * losses[0]
    np.testing.assert_allclose(history.history["loss"], losses, rtol=1e-2)  # PyTorch itself in float32: 1.1e-2


def test_the_command_line_trains_resumes_and_judges_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["train", "resnet20", "--data", "digits", "--limit", "64", "--test-limit", "32", "--set", "blocks=1", "-q"]
    assert main([*words, "--epochs", "2", "--out", "whole"]) == 0
    assert main([*words, "--epochs", "1", "--out", "parts"]) == 0
    assert main(["train", "--resume", "parts", "--epochs", "2", "-q"]) == 0
    for name in ("whole", "parts"):
        assert main(["evaluate", name]) == 0
        assert main(["summary", name]) == 0
    whole, parts = (pellucid.load(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    for mine, theirs in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
