"""Frozen first layers: their outputs are computed once, and every number stays what it is without that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from frozen_models import LABELS, NETWORKS, PICTURES, RNG, Recorder, frozen, last_block, outcome, plain
from small_model import fit

from pellucid import layers as L
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.plan import frozen_nodes
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
    assert frozen_nodes(model.graph) == [0]
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
