"""What a training step and a run's snapshots do with frozen layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frozen_models import LABELS, PICTURES, Recorder, frozen, normed, outcome, plain
from small_model import fit

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import ConfigError
from pellucid.model.inputs import make_examples
from pellucid.ops import native
from pellucid.ops.table import TABLE
from pellucid.train import (
    EpochStarted,
    Event,
    FeaturesComputed,
    TrainConfig,
    Trainer,
)


@pytest.mark.skipif(not native.available, reason="counts native steps")
def test_no_way_back_enters_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        make = getattr(native, name)

        def step(*args: Any, **options: Any) -> Any:
            made.append(name)
            return make(*args, **options)

        return step

    for name in TABLE:
        if "_backward" in name:
            monkeypatch.setattr(native, name, counting(name), raising=False)

    def backward_steps(depth: int) -> list[str]:
        model = frozen(zoo.vgg11((32, 32, 3), 3, dense_units=8), depth)
        examples, _ = make_examples(model, np.zeros((4, 32, 32, 3), np.uint8), np.arange(4) % 3, None, None)
        made.clear()
        Trainer(model, examples, TrainConfig(1, 4))._staging.make_plan()
        return [name for name in made if name.endswith(("kernel", "input"))]

    everything, last_block, head_alone = (backward_steps(depth) for depth in (0, 10, 14))
    assert sum(name.startswith("conv2d") for name in everything) == 8 + 7  # kernels, and inputs of all but the first
    assert sum(name.startswith("conv2d") for name in last_block) == 2 + 1
    assert sorted(head_alone) == ["dense_backward_input"] * 2 + ["dense_backward_kernel"] * 3


@pytest.mark.skipif(not native.available, reason="the reference never writes pooled maps alone")
def test_a_frozen_base_needs_two_buffers_and_no_gradient() -> None:
    def memory(depth: int) -> Any:
        model = frozen(zoo.vgg11((64, 64, 3), 3, dense_units=8), depth)
        told = model.memory(8).training
        assert told is not None
        return told

    everything, head_alone = memory(0), memory(14)
    assert head_alone.gradients < everything.gradients / 100 and head_alone.moments < everything.moments / 100
    pictures, first_map, second_map = 8 * 64 * 64 * 3 * 4, 8 * 32 * 32 * 64 * 4, 8 * 16 * 16 * 128 * 4
    assert head_alone.buffers < 1.01 * (pictures + first_map + second_map) < everything.buffers / 3


def test_frozen_batch_norm_takes_and_keeps_its_running_statistics() -> None:
    model = normed()
    norms = [layer for layer in model.layers if isinstance(layer, L.BatchNorm)]
    before = [layer.get_weights() for layer in norms]
    x = PICTURES[:5] / np.float32(255)
    expected = x
    for layer in model.layers[:-2]:
        expected, _ = layer.forward(expected, training=True)  # frozen, so as in use
    outcome(model)
    for layer, weights in zip(norms, before, strict=True):
        for now, then in zip(layer.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(now, then)
    features = model.predict(PICTURES[:5])
    out = model.layers[-1](expected)
    np.testing.assert_allclose(features, out, rtol=1e-4, atol=1e-6)


def test_one_step_with_frozen_features_is_pytorchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is the independent truth here; it is not installed")
    from torch import nn

    model = plain()
    vars(model.get_layer("dropout"))["rate"] = 0.0
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.optimizer.learning_rate = 0.1
    kernels = {layer.name: layer.get_weights() for layer in model.layers if layer.params}

    def convolution(name: str, padding: str) -> nn.Conv2d:
        kernel, bias = kernels[name]
        conv = nn.Conv2d(kernel.shape[2], kernel.shape[3], kernel.shape[:2], padding=padding)
        conv.weight.data = torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy())
        conv.bias.data = torch.from_numpy(bias)
        return conv.requires_grad_(False)

    def dense(name: str) -> nn.Linear:
        kernel, bias = kernels[name]
        linear = nn.Linear(*kernel.shape)
        linear.weight.data, linear.bias.data = torch.from_numpy(kernel.T.copy()), torch.from_numpy(bias)
        return linear

    base = nn.Sequential(
        convolution("conv1", "same"), nn.ReLU(), nn.MaxPool2d(2), convolution("conv2", "valid"), nn.ReLU(),
        nn.AvgPool2d(2),
    )  # fmt: skip
    head = nn.Sequential(dense("hidden"), nn.ReLU(), dense("out"))
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
    x = torch.from_numpy((PICTURES / np.float32(255)).transpose(0, 3, 1, 2).copy())
    features = base(x).permute(0, 2, 3, 1).reshape(len(x), -1)
    for _ in range(2):  # two epochs of one step, so that the second runs on what was kept
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(features), torch.from_numpy(LABELS)).backward()
        optimizer.step()
    seen = Recorder()
    fit(model, PICTURES, LABELS, batch_size=23, epochs=2, callbacks=seen)
    assert seen.of(FeaturesComputed)
    for name, layer in (("hidden", head[0]), ("out", head[2])):
        kernel, bias = model.get_layer(name).get_weights()
        np.testing.assert_allclose(kernel, layer.weight.detach().numpy().T, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(bias, layer.bias.detach().numpy(), rtol=1e-4, atol=1e-6)
        assert np.abs(kernel - kernels[name][0]).max() > 1e-3


def test_everything_frozen_is_said_before_anything_runs() -> None:
    model, seen = frozen(plain(), 9), Recorder()
    with pytest.raises(ConfigError, match="every layer is frozen"):
        fit(model, PICTURES, LABELS, epochs=2, callbacks=seen)
    assert not seen.events


# Snapshots


def test_snapshots_measure_what_is_frozen_once_and_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pellucid.train import snapshots

    measured: list[str] = []

    def counting(name: str, values: np.ndarray) -> Any:
        measured.append(name)
        return histogram(name, values)

    histogram = snapshots.histogram
    monkeypatch.setattr(snapshots, "histogram", counting)
    model = plain()
    probes = model.scaled(PICTURES)

    def scale_first(event: Event) -> None:
        if isinstance(event, EpochStarted) and event.epoch == 1:
            layer = model.get_layer("conv1")
            layer.set_weights([2 * array for array in layer.get_weights()])

    listeners = [snapshots.Snapshots(tmp_path, model, probes), scale_first]
    examples, _ = make_examples(model, PICTURES, LABELS, None, None)
    Trainer(model, examples, TrainConfig(3, 5), listeners=listeners).run()
    assert measured.count("activations/conv1") == measured.count("weights/conv1/kernel") == 2  # before and after
    assert measured.count("activations/out") == measured.count("weights/out/kernel") == 4
    with np.load(tmp_path / "epoch-003.npz") as last:
        y = probes
        for layer in model.layers:
            y, _ = layer.forward(y)
            counts, edges = np.histogram(y, 64)
            np.testing.assert_array_equal(last[f"activations/{layer.name}"], counts)
            np.testing.assert_array_equal(last[f"activations/{layer.name}/range"], edges[[0, -1]])
        np.testing.assert_array_equal(last["filters"], model.layers[0].params["kernel"])


def test_snapshots_of_large_pictures_look_at_fewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from pellucid.train import snapshots

    model = plain()
    monkeypatch.setattr(snapshots, "PROBE_BYTES", 5 * 16 * 12 * 6 * 4)  # five pictures' first maps
    snapshots.Snapshots(tmp_path, model, model.scaled(PICTURES))._write(0, gradients=False)
    with np.load(tmp_path / "epoch-000.npz") as first:
        assert first["activations/out"].sum() == 5 * 3
