"""What a run leaves on disk: models, log and snapshots, whatever ends it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_model import compiled, pictures, small

import pellucid
from pellucid import optimizers
from pellucid.errors import DivergedError
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.runs.folder import new_run_folder
from pellucid.runs.training import run_training
from pellucid.train import (
    BatchEnded,
    EpochEnded,
    Event,
    JsonLog,
    TrainConfig,
)


def run(folder: Path, model: Sequential | None = None, spoil: int | None = None, **options: object) -> Sequential:
    model = model or compiled()
    x, y = pictures(24)
    if spoil is not None:
        x[spoil] = np.nan
    listeners = options.pop("listeners", ())
    examples, held = make_examples(model, x, y, None, None, validation_split=0.25)
    model.prepare_slots()
    folder.mkdir(exist_ok=True)
    config = TrainConfig(**{"epochs": 3, "batch_size": 8, **options})  # type: ignore[arg-type]
    run_training(model, examples, held, config, folder, listeners=listeners, about={"data": "noise"})  # type: ignore[arg-type]
    return model


def test_a_run_folder_holds_best_last_log_and_snapshots(tmp_path: Path) -> None:
    saved: list[np.ndarray] = []

    def watch(event: Event) -> None:
        if isinstance(event, EpochEnded):
            saved.append(model.get_weights()[0])

    model = compiled()
    run(tmp_path, model, listeners=[watch])
    lines = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "epoch", "end"]
    start, *epochs, end = lines
    assert (start["samples"], start["validation_samples"], start["batch_size"], start["data"]) == (18, 6, 8, "noise")
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    assert {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "elapsed_s", "images_per_s"} < set(
        epochs[0]
    )
    scores = [(line["val_accuracy"], -line["val_loss"]) for line in epochs]
    best = scores.index(max(scores))
    assert end == {"event": "end", "reason": "all epochs done", "epochs": 3, "best_epoch": best + 1}
    np.testing.assert_array_equal(pellucid.load(tmp_path).get_weights()[0], saved[best])
    np.testing.assert_array_equal(pellucid.load(tmp_path / "last.safetensors").get_weights()[0], saved[-1])
    assert sorted(p.name for p in (tmp_path / "snapshots").iterdir()) == [f"epoch-{i:03d}.npz" for i in range(4)]
    with np.load(tmp_path / "snapshots" / "epoch-000.npz", allow_pickle=False) as first:
        np.testing.assert_array_equal(first["filters"], small().get_weights()[0])
        assert not any(name.startswith("gradients") for name in first)
    with np.load(tmp_path / "snapshots" / "epoch-003.npz", allow_pickle=False) as last:
        np.testing.assert_array_equal(last["filters"], saved[-1])
        counts, (low, high) = last["weights/conv/kernel"], last["weights/conv/kernel/range"]
        assert counts.sum() == 48 and (low, high) == (saved[-1].min(), saved[-1].max())
        assert last["gradients/out/bias"].sum() == 3 and last["activations/pool"].sum() == 18 * 2 * 2 * 4


def test_early_stopping_of_a_run(tmp_path: Path) -> None:
    run(tmp_path, compiled(optimizers.SGD(0.0)), epochs=20, patience=2)
    end = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert (end["epochs"], end["best_epoch"]) == (3, 1) and "no better epoch" in end["reason"]


def test_a_run_whose_loss_is_no_number_keeps_its_models(tmp_path: Path) -> None:
    model = compiled()
    with pytest.raises(DivergedError, match="step"):
        run(tmp_path, model, spoil=5)
    for name in ("model.safetensors", "last.safetensors"):
        again = pellucid.load(tmp_path / name)
        assert all(np.isfinite(w).all() for w in again.weights)
        np.testing.assert_array_equal(again.parameters.vector, model.parameters.vector)
    lines = [json.loads(line, parse_constant=pytest.fail) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "nan" in lines[-1]["reason"]


def test_an_interrupted_run_keeps_its_last_step(tmp_path: Path) -> None:
    model = compiled()

    def interrupt(event: Event) -> None:
        if isinstance(event, BatchEnded) and (event.epoch, event.batch) == (1, 1):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, model, listeners=[interrupt])
    assert model.optimizer_state.step == 5
    last, best = pellucid.load(tmp_path / "last.safetensors"), pellucid.load(tmp_path)
    np.testing.assert_array_equal(last.parameters.vector, model.parameters.vector)
    assert np.any(best.parameters.vector != last.parameters.vector)
    assert len(list((tmp_path / "snapshots").iterdir())) == 2


def test_run_folders_never_overwrite(tmp_path: Path) -> None:
    names = [new_run_folder(tmp_path / "runs", "net-data").name for _ in range(3)]
    assert names == ["net-data-001", "net-data-002", "net-data-003"]


def test_a_validation_loss_that_is_no_number_is_null_in_the_log(tmp_path: Path) -> None:
    log = JsonLog(tmp_path / "log.jsonl", {})
    log(EpochEnded(0, {"loss": 1.0, "val_loss": float("nan")}, 0.1, 1.0, 1.0, False))
    assert json.loads((tmp_path / "log.jsonl").read_text(), parse_constant=pytest.fail)["val_loss"] is None
