"""Frozen first layers: their outputs are computed once, and every number stays what it is without that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import fit

from pellucid import layers as L
from pellucid import zoo
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError
from pellucid.inputs import make_examples
from pellucid.model import Sequential
from pellucid.ops import native
from pellucid.plan import base_depth
from pellucid.train import (
    BatchEnded,
    EpochEnded,
    EpochStarted,
    Event,
    FeaturesComputed,
    FeaturesNotKept,
    Progress,
    Stop,
    TrainConfig,
    Trainer,
    TrainingEnded,
)

RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 256, (23, 16, 12, 3), dtype=np.uint8)
LABELS = RNG.integers(0, 3, 23)


class Recorder:
    """Keeps every event."""

    every_batch = False

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def plain() -> Sequential:
    """Frozen: convolutions with every kind of follower. Trained: two dense layers with dropout between."""
    model = Sequential(
        [
            L.Conv2D(6, 3, padding="same", activation="relu", input_shape=(16, 12, 3), name="conv1"),
            L.MaxPool2D(2, name="pool1"),
            L.Conv2D(8, (3, 2), name="conv2"),
            L.ReLU(name="relu2"),
            L.AvgPool2D(2, name="pool2"),
            L.Flatten(name="flatten"),
            L.Dense(7, activation="relu", name="hidden"),
            L.Dropout(0.4, name="dropout"),
            L.Dense(3, activation="softmax", name="out"),
        ],
        seed=1,
    )
    return frozen(model, 6)


def normed() -> Sequential:
    """Frozen: batch norms with statistics that are not those of a batch."""
    model, rng = zoo.photo_net((16, 12, 3), 3, filters=(8, 8, 16), seed=2), np.random.default_rng(7)
    for layer in model.layers:
        if isinstance(layer, L.BatchNorm):
            size = layer.state["mean"].size
            layer.set_weights([*layer.get_weights()[:2], rng.normal(0, 0.5, size), rng.uniform(0.5, 2, size)])
    return frozen(model, len(model.layers) - 2)


def scaled() -> Sequential:
    """Frozen: as `plain`, with pictures scaled by channel, which features must not be."""
    model = plain()
    model.preprocessing = Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))
    return model


def dense_too() -> Sequential:
    """Frozen: a dense layer as well."""
    return frozen(plain(), 7)


def last_block() -> Sequential:
    """Trained: a convolution and what follows, so the first trained kernel needs the base's output."""
    model = frozen(plain(), 2)
    for layer in model.layers[2:]:
        layer.trainable = True
    return model


def frozen(model: Sequential, depth: int) -> Sequential:
    for layer in model.layers[:depth]:
        layer.trainable = False
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


NETWORKS: dict[str, Callable[[], Sequential]] = {
    "plain": plain,
    "normed": normed,
    "scaled": scaled,
    "dense_too": dense_too,
    "last_block": last_block,
}
FITTING: dict[str, Any] = {"batch_size": 5, "epochs": 3, "validation_split": 0.3, "class_weight": "balanced"}


def outcome(model: Sequential, **options: Any) -> tuple[np.ndarray, dict[str, list[float]]]:
    history = fit(model, PICTURES, LABELS, **{**FITTING, **options})
    return model.parameters.vector.copy(), history.history


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch_size", [1, 5, 8])
def test_every_number_is_the_same_without_keeping(name: str, batch_size: int) -> None:
    seen = Recorder()
    kept, told = outcome(NETWORKS[name](), batch_size=batch_size, callbacks=seen)
    computed = seen.of(FeaturesComputed)
    assert computed[-1].done == computed[-1].total == 23 and computed[-1].in_memory
    whole, expected = outcome(NETWORKS[name](), batch_size=batch_size, cache_features=False)
    np.testing.assert_array_equal(kept, whole)
    assert told == expected


def test_a_listener_that_wants_every_batch_changes_nothing() -> None:
    kept, _ = outcome(plain(), callbacks=lambda event: None)
    np.testing.assert_array_equal(kept, outcome(plain())[0])


def test_pictures_that_are_floats_and_are_not_shuffled() -> None:
    floats = RNG.normal(size=PICTURES.shape).astype(np.float32)
    results = []
    for cache in (True, False):
        model = plain()
        fit(model, floats, LABELS, batch_size=4, epochs=2, shuffle=False, cache_features=cache)
        results.append(model.parameters.vector.copy())
    np.testing.assert_array_equal(*results)


def test_more_than_memory_should_hold_goes_to_a_file_without_a_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("pellucid.train.features.MEMORY_BYTES", 100)
    monkeypatch.setattr("pellucid.train.features.MACS_PER_BYTE", 0)
    model, seen = plain(), Recorder()
    examples, held = make_examples(model, PICTURES, LABELS, "balanced", None, validation_split=0.3)
    config = TrainConfig(3, 5, seed=model.seed)
    listed: list[int] = []

    def look(event: Event) -> None:
        if isinstance(event, FeaturesComputed | EpochEnded):
            listed.append(len(list((tmp_path / "run").iterdir())))

    Trainer(model, examples, config, validation=held, listeners=[seen, look], folder=tmp_path / "run").run()
    assert not seen.of(FeaturesComputed)[-1].in_memory and len(listed) > 3 and max(listed) == 0
    np.testing.assert_array_equal(model.parameters.vector, outcome(plain(), cache_features=False)[0])


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({}, "quicker than reading"),
        ({"MACS_PER_BYTE": 0, "limit_bytes": lambda: 1000}, "PELLUCID_CACHE_BYTES"),
        ({"MACS_PER_BYTE": 0, "SPARE_BYTES": 2**62}, "free"),
    ],
)
def test_where_nothing_can_be_kept_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limits: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr("pellucid.train.features.MEMORY_BYTES", 100)
    for name, value in limits.items():
        monkeypatch.setattr(f"pellucid.train.features.{name}", value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen = Recorder()
    result, _ = outcome(last_block(), callbacks=seen)
    (told,) = seen.of(FeaturesNotKept)
    assert words in told.text and not seen.of(FeaturesComputed)
    np.testing.assert_array_equal(result, outcome(last_block(), cache_features=False)[0])


def test_a_full_disk_is_no_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(**options: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pellucid.train.features.MEMORY_BYTES", 100)
    monkeypatch.setattr("pellucid.train.features.MACS_PER_BYTE", 0)
    monkeypatch.setattr("pellucid.train.features.tempfile.TemporaryFile", full)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen = Recorder()
    result, _ = outcome(plain(), callbacks=seen)
    assert "No space left" in seen.of(FeaturesNotKept)[0].text
    np.testing.assert_array_equal(result, outcome(plain(), cache_features=False)[0])


def test_augmented_pictures_go_through_the_frozen_layers_each_time() -> None:
    def brighter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return images + rng.integers(0, 2, images.shape, dtype=np.uint8)

    model, seen = plain(), Recorder()
    examples, _ = make_examples(model, PICTURES // 2, LABELS, None, None)
    Trainer(model, examples, TrainConfig(2, 5), augment=brighter, listeners=[seen]).run()
    assert [event.text for event in seen.of(FeaturesNotKept)] == [
        "frozen layers run in every epoch: the pictures are augmented"
    ]
    assert not seen.of(FeaturesComputed)


def test_what_draws_anew_ends_the_base() -> None:
    def network() -> Sequential:
        model = plain()
        model.get_layer("hidden").trainable = False
        model.pop()
        model.add(L.Dense(5, activation="tanh", name="more"))
        model.add(L.Dense(3, activation="softmax", name="out"))
        model.get_layer("more").trainable = False
        model.compile("adam", "sparse_categorical_crossentropy")
        return model

    seen = Recorder()
    result, _ = outcome(network(), callbacks=seen)
    assert seen.of(FeaturesComputed)[-1].layer == "hidden"
    assert (
        seen.of(FeaturesNotKept)[0].text
        == "frozen layers from 'dropout' on run in every epoch: it draws anew in each step"
    )
    np.testing.assert_array_equal(result, outcome(network(), cache_features=False)[0])


def test_a_layer_of_ones_own_is_never_in_the_base() -> None:
    class Noisy(L.ReLU):
        def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
            y, cache = super().forward(x, training=training, key=key)
            return y + (np.random.default_rng(key).random() if training else 0), cache

    model = frozen(Sequential([L.Conv2D(4, 3, input_shape=(16, 12, 3)), Noisy(), L.Flatten(), L.Dense(3)]), 2)
    assert base_depth(model.layers) == 1
    drawn = Sequential([Noisy(input_shape=(16, 12, 3)), L.Conv2D(4, 3), L.Flatten(), L.Dense(3)])
    seen = Recorder()
    fit(frozen(drawn, 2), PICTURES, LABELS, epochs=2, callbacks=seen)
    assert "may do something else in training" in seen.of(FeaturesNotKept)[0].text


def test_one_epoch_or_nothing_frozen_keeps_nothing() -> None:
    seen = Recorder()
    outcome(plain(), epochs=1, callbacks=seen)
    thawed = plain()
    for layer in thawed.layers:
        layer.trainable = True
    outcome(thawed, callbacks=seen)
    assert not seen.of(FeaturesComputed) and not seen.of(FeaturesNotKept)


@pytest.mark.parametrize("change", ["thaw", "freeze", "overwrite"])
@pytest.mark.parametrize("when", [EpochStarted, EpochEnded])
def test_a_listener_may_change_frozen_layers_on_the_way(change: str, when: type) -> None:
    results = []
    for cache in (True, False):
        model = plain()

        def interfere(event: Event, model: Sequential = model) -> None:
            if type(event) is when and event.epoch == 1:  # type: ignore[attr-defined]
                if change == "overwrite":
                    layer = model.get_layer("conv1")
                    layer.set_weights([2 * array for array in layer.get_weights()])
                else:
                    model.get_layer("conv2" if change == "thaw" else "hidden").trainable = change == "thaw"

        results.append(outcome(model, epochs=4, cache_features=cache, callbacks=interfere)[0])
    np.testing.assert_array_equal(*results)


def test_a_stop_is_answered_while_the_frozen_layers_run() -> None:
    model, seen = plain(), Recorder()
    before = model.parameters.vector.copy()

    def stop(event: Event) -> Stop | None:
        return Stop("enough") if isinstance(event, FeaturesComputed) else None

    fit(model, PICTURES, LABELS, batch_size=5, epochs=3, callbacks=[seen, stop])
    assert len(seen.of(FeaturesComputed)) == 1 and not seen.of(BatchEnded)
    (end,) = seen.of(TrainingEnded)
    assert (end.reason, end.num_epochs) == ("enough", 0)
    np.testing.assert_array_equal(model.parameters.vector, before)


def test_progress_says_what_was_kept(capsys: pytest.CaptureFixture[str]) -> None:
    model = plain()
    with Progress() as progress:
        fit(model, PICTURES, LABELS, epochs=2, callbacks=[progress])
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("frozen up to 'flatten': 23 pictures once, 0 s, 0.0 MB in memory"), told
    assert len(told) == 4


# What a step does with frozen layers


@pytest.mark.skipif(not native.available, reason="counts native steps")
def test_no_way_back_enters_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counting(name: str) -> Callable[..., Any]:
        make = getattr(native, name)

        def step(*args: Any, **options: Any) -> Any:
            made.append(name)
            return make(*args, **options)

        return step

    for name in dir(native):
        if "_backward" in name:
            monkeypatch.setattr(native, name, counting(name))

    def backward_steps(depth: int) -> list[str]:
        model = frozen(zoo.vgg11((32, 32, 3), 3, dense_units=8), depth)
        examples, _ = make_examples(model, np.zeros((4, 32, 32, 3), np.uint8), np.arange(4) % 3, None, None)
        made.clear()
        Trainer(model, examples, TrainConfig(1, 4))._make_plan()
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
    dropout = model.get_layer("dropout")
    assert isinstance(dropout, L.Dropout)
    dropout.rate = 0.0
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
