"""A training that was stopped goes on to the same bits: whatever is random, counted or remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import StopAt, compiled, fitted, pictures, small

from pellucid import layers as L
from pellucid import ops, optimizers, schedules
from pellucid.datasets.augmentation import Augmentation
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files.atomic import make_folder
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.runs.training import run_training
from pellucid.train import (
    BatchEnded,
    Checkpoints,
    EarlyStopping,
    EpochEnded,
    EpochStarted,
    Event,
    History,
    Listener,
    PicturesJudged,
    TrainConfig,
    Trainer,
    other_backend,
)

EPOCHS, BATCH = 4, 10


class Scaled(L.Layer):
    """A layer of somebody's own, which the plan runs in Python between its programs, with something to remember."""

    def build(self, input_shape, rng):  # type: ignore[no-untyped-def]
        self.state = {"seen": np.zeros(1, np.float32)}

    def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
        return x * (1 + self.state["seen"][0]), training

    def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
        return dy * (1 + self.state["seen"][0]), {}

    def apply_state(self, cache):  # type: ignore[no-untyped-def]
        self.state["seen"] += 0.01


def lively() -> Sequential:
    layers = [L.Conv2D(3, 2), L.BatchNorm(), L.ReLU(), L.Dropout(0.3), L.Flatten(), L.Dense(8, "relu"), L.Dropout(0.5)]
    return Sequential([L.Input((6, 5, 2)), *layers, L.Dense(3, "softmax")])


def with_own_layer() -> Sequential:
    return Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 2), Scaled(), L.Flatten(), L.Dropout(0.2), L.Dense(3)])


def frozen() -> Sequential:
    model = lively()
    model.layers[0].trainable = model.layers[1].trainable = False
    return model


def brighter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return images * np.float32(rng.uniform(0.5, 1.5))


def each(optimizer: str, **arguments: Any) -> Any:
    return lambda: optimizers.from_config({"type": optimizer, **arguments})


CASES: dict[str, tuple[Callable[[], Sequential], Callable[[], Any], Any]] = {
    "plain": (small, each("Adam"), None),
    "dropout and batch norm": (
        lively,
        each("Adam", learning_rate={"type": "Cosine", "initial": 0.01, "steps": 30}),
        None,
    ),
    "augmentation": (small, each("SGD", momentum=0.9, nesterov=True), brighter),
    "drawn augmentation": (small, each("Adam"), Augmentation.of("strong,mixup")),
    "all of it": (lively, each("RMSprop", momentum=0.5, centered=True), brighter),
    "a layer of one's own": (with_own_layer, each("Adadelta"), None),
    "frozen": (frozen, each("AdamW", weight_decay=0.01, clipnorm=1.0), None),
}


def trainer(case: str, kept: Checkpoints | None, listeners: list[Listener]) -> Trainer:
    build, optimizer, augment = CASES[case]
    model = compiled(optimizer(), build())
    x, y = pictures(47)
    examples, held = make_examples(model, x, y, None, None, validation_data=(x[:15], y[:15]))
    config = TrainConfig(EPOCHS, BATCH)
    return Trainer(model, examples, config, validation=held, augment=augment, listeners=listeners, checkpoints=kept)


def outcome(done: Trainer, history: History) -> dict[str, Any]:
    model = done.model
    return {
        "weights": [array.tobytes() for array in model.get_weights()],
        "slots": {name: vector.tobytes() for name, vector in model.optimizer_state.slots.items()},
        "counts": (model.optimizer_state.step, model.optimizer_state.num_epochs),
        "history": (history.history, history.epoch, history.best_epoch),
    }


def every(kind: type, number: int) -> list[Listener]:
    """Listeners that want each batch: the loop goes step by step."""
    return [StopAt(kind, number), lambda event: None]


@pytest.mark.parametrize("case", CASES)
def test_ends_with_the_same_bits_wherever_it_was_stopped(case: str, tmp_path: Path) -> None:
    whole = trainer(case, None, [])
    expected = outcome(whole, whole.run())
    stops = [(EpochStarted, 1), *((BatchEnded, n) for n in (1, 3, 5, 6, 14)), (PicturesJudged, 3), (EpochEnded, 2)]
    for number, stop in enumerate(stops):
        folder = tmp_path / str(number)
        kept = Checkpoints(folder)
        make_folder(folder)
        first = trainer(case, kept, every(*stop))
        first.run()
        saved = Checkpoints(folder).newest(pytest.fail)
        assert saved is not None
        second = trainer(case, Checkpoints(folder), [])
        second.resume(saved)
        assert second.model.optimizer_state.step == first.model.optimizer_state.step
        assert outcome(second, second.run()) == expected, f"stopped by {stop}"


def test_stopped_after_every_step_and_with_other_threads(tmp_path: Path) -> None:
    whole = trainer("dropout and batch norm", None, [])
    expected = outcome(whole, whole.run())
    make_folder(tmp_path)
    threads = ops.num_threads()
    try:
        for turn in range(100):
            ops.set_num_threads(1 + turn % 3)
            part = trainer("dropout and batch norm", Checkpoints(tmp_path), every(BatchEnded, 1))
            saved = Checkpoints(tmp_path).newest(pytest.fail)
            if saved is not None:
                part.resume(saved)
            history = part.run()
            if len(history.epoch) == EPOCHS:
                break
    finally:
        ops.set_num_threads(threads)
    assert turn == EPOCHS * 5 and outcome(part, history) == expected


def test_early_stopping_goes_on_waiting(tmp_path: Path) -> None:
    def listeners() -> list[Listener]:
        return [EarlyStopping("val_loss", min_delta=0.02, patience=2, restore_best_weights=True)]

    def worse(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch >= 1:
            part.model.set_weights([np.zeros_like(array) for array in part.model.get_weights()])

    part = trainer("plain", None, [*listeners(), worse])
    expected = outcome(part, part.run())
    assert len(expected["history"][1]) == 4
    make_folder(tmp_path)
    for _ in range(60):
        part = trainer("plain", Checkpoints(tmp_path), [*listeners(), worse, *every(BatchEnded, 4)])
        saved = Checkpoints(tmp_path).newest(pytest.fail)
        if saved is not None:
            part.resume(saved)
        history = part.run()
        if part._stop is None or "no better" in part._stop.reason:
            break
    assert outcome(part, history) == expected
    again = trainer("plain", Checkpoints(tmp_path), [*listeners(), worse])
    saved = Checkpoints(tmp_path).newest(pytest.fail)
    assert saved is not None
    again.resume(saved)
    assert outcome(again, again.run()) == expected, "what has ended stays ended"


def test_a_learning_rate_that_a_listener_changed_stays_changed(tmp_path: Path) -> None:
    def fit(*stop: object) -> Sequential:
        model, (x, y) = compiled(optimizers.SGD(0.1)), pictures()

        def halve(event: Event) -> None:
            if isinstance(event, EpochEnded):
                model.optimizer.learning_rate = float(model.optimizer.learning_rate) / 2  # type: ignore[arg-type]

        model.fit(x, y, 8, 4, verbose=0, callbacks=[halve, *stop], resume=folder)  # type: ignore[list-item]
        return model

    folder = tmp_path / "whole"
    whole = fit()
    folder = tmp_path / "parts"
    fit(StopAt(BatchEnded, 7))
    parts = fit()
    np.testing.assert_array_equal(parts.parameters.vector, whole.parameters.vector)
    assert parts.optimizer.learning_rate == whole.optimizer.learning_rate == 0.1 / 16


# fit(resume=)


def test_fit_is_simply_called_again(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    model, history = fitted(None)
    fitted(folder, StopAt(BatchEnded, 6))
    again, told = fitted(folder)
    np.testing.assert_array_equal(again.parameters.vector, model.parameters.vector)
    assert told.history == history.history and told.epoch == [0, 1, 2]
    seen: list[Event] = []
    done, told = fitted(folder, seen.append)
    np.testing.assert_array_equal(done.parameters.vector, model.parameters.vector)
    assert told.history == history.history and not any(isinstance(event, BatchEnded) for event in seen)
    longer, _ = fitted(folder, epochs=5)
    np.testing.assert_array_equal(longer.parameters.vector, fitted(None, epochs=5)[0].parameters.vector)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 4}, "has batch_size 8, this one 4"),
        ({"shuffle": False}, "has shuffle True, this one False"),
        ({"optimizer": "sgd"}, "has optimizer"),
        ({"optimizer": optimizers.Adam(0.5)}, "has learning_rate 0.001, this one 0.5"),
        ({"optimizer": optimizers.Adam(beta_1=0.5)}, "has optimizer"),
        ({"validation_split": 0.4}, "has training pictures '32 pictures"),
        ({"class_weight": {0: 2.0}}, "has training pictures '32 pictures"),
        ({"model": lively()}, "tensors do not fit the layers"),
    ],
)
def test_another_training_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    fitted(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises((ConfigError, CheckpointError), match=words) as refused:
        fitted(tmp_path, **change)
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
    assert {name: content for name, content in before.items() if name != "lock"} == {
        path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "lock"
    }


def test_another_instruction_set_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(tmp_path)
    saved = Checkpoints(tmp_path).newest(pytest.fail)
    assert saved is not None and other_backend(saved) is None
    was = ops.backend().instruction_set
    other = ops.Backend("native", "sse9", 1, "")
    monkeypatch.setattr("pellucid.ops.backend", lambda: other)
    with pytest.warns(UserWarning, match=f"began with {was} and goes on with sse9.*PELLUCID_ISA={was} keeps them"):
        fitted(tmp_path)


# Runs


def finished(folder: Path, resume: Any = None, *listeners: Listener, epochs: int = 4) -> Iterator[tuple[str, Any]]:
    model, (x, y) = compiled(schedules_model(), lively()), pictures(40)
    examples, held = make_examples(model, x, y, None, None, validation_split=0.25)
    folder.mkdir(exist_ok=True)
    config = TrainConfig(epochs, 8, patience=3)
    run_training(model, examples, held, config, folder, augment=brighter, listeners=listeners, resume=resume)
    for name in ("model.safetensors", "last.safetensors"):
        yield name, (folder / name).read_bytes()
    for path in sorted((folder / "snapshots").iterdir()):
        yield path.name, path.read_bytes()
    for line in (folder / "log.jsonl").read_text().splitlines():
        told = json.loads(line)
        yield "log", {key: value for key, value in told.items() if key not in ("elapsed_s", "images_per_s", "waited_s")}


def schedules_model() -> optimizers.Optimizer:
    return optimizers.SGD(schedules.WarmUp(schedules.Cosine(0.05, 16), 4), momentum=0.9)


@pytest.mark.parametrize("stop", [(BatchEnded, 2), (BatchEnded, 4), (EpochEnded, 1), (BatchEnded, 11)])
def test_a_run_folder_is_that_of_a_run_that_never_stopped(tmp_path: Path, stop: tuple[type, int]) -> None:
    expected = list(finished(tmp_path / "whole"))
    parts = dict(finished(tmp_path / "parts", None, StopAt(*stop)))
    assert parts["log"]["reason"] == "enough"
    saved = Checkpoints(tmp_path / "parts" / "checkpoints").newest(pytest.fail)
    (tmp_path / "parts" / "snapshots" / ".pellucid-0123.tmp").write_text("left by a killed process")
    assert list(finished(tmp_path / "parts", saved)) == expected


class Numbered:
    """Batches by their number."""

    def __init__(self, x: Any, y: Any) -> None:
        self._batches = [(x[at : at + BATCH], y[at : at + BATCH]) for at in range(0, len(x), BATCH)]

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Any:
        return self._batches[number]


class GoneThrough:
    """The same, one after another."""

    def __init__(self, x: Any, y: Any) -> None:
        self._batches = Numbered(x, y)

    def __iter__(self) -> Iterator[Any]:
        return (self._batches[number] for number in range(len(self._batches)))


@pytest.mark.parametrize("kind", [Numbered, GoneThrough])
@pytest.mark.parametrize("stop", [(BatchEnded, 8), (EpochEnded, 2)], ids=["within an epoch", "behind it"])
def test_batches_that_come_one_by_one_go_on(kind: type, stop: tuple[type, int], tmp_path: Path) -> None:
    def train(*listeners: Any, resume: Path | None = None) -> tuple[Any, Any]:
        model = lively()
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        batches, held = kind(*pictures(45)), kind(*pictures(20))
        history = model.fit(
            batches, epochs=EPOCHS, validation_data=held, callbacks=list(listeners), resume=resume, verbose=0
        )
        return history.history, model.parameters.vector.copy()

    whole, weights = train()
    train(StopAt(*stop), resume=tmp_path)
    history, resumed = train(resume=tmp_path)
    assert history == whole
    np.testing.assert_array_equal(resumed, weights)
    model = lively()
    model.compile("adam", "categorical_crossentropy")
    with pytest.raises(ConfigError, match=r"5 batches of 10 x \(6, 5, 2\)"):
        model.fit(kind(*pictures(30)), epochs=EPOCHS, resume=tmp_path, verbose=0)
