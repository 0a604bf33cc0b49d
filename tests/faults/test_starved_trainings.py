"""Memory that runs out amid a training: what was learned is kept, the model is of use, and the training can go on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import library
from fuzz_folders import CHECKPOINT_OPTIONS, TRAIN
from trainings import EVERY_STEP, assert_same, remains

from pellucid import Sequential, load
from pellucid.cli import main
from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten
from pellucid.plan import EvaluationPlan, TrainingPlan
from pellucid.runs import run as train_run
from pellucid.train import Checkpoints, History, JsonLog, stepping
from pellucid.train.doctor import Doctor
from pellucid.train.snapshots import Snapshots

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.random((40, 8, 8, 1), np.float32), (np.arange(40) % 3).astype(np.int32)
EPOCHS, STEPS = 3, 4

Places = dict[str, tuple[Any, str, int]]
PLACES: Places = {
    "a step amid the first epoch": (TrainingPlan, "run_steps", 2),
    "a step amid the second epoch": (TrainingPlan, "run_steps", STEPS + 2),
    "the first step": (TrainingPlan, "run_steps", 1),
    "a plan": (TrainingPlan, "__init__", 1),
    "the second look at held-out pictures": (EvaluationPlan, "__init__", 2),
    "a picture of them": (EvaluationPlan, "run", 2),
    "the doctor": (Doctor, "__call__", 9),
    "the history": (History, "append", 2),
    "a checkpoint": (Checkpoints, "write", 3),
}
RUN_PLACES: Places = {
    "the first step": (TrainingPlan, "run_steps", 1),
    "a step amid the second epoch": (TrainingPlan, "run_steps", 4),
    "a plan": (TrainingPlan, "__init__", 1),
    "the second look at held-out pictures": (EvaluationPlan, "__init__", 2),
    "the doctor": (Doctor, "__call__", 9),
    "a checkpoint": (Checkpoints, "write", 3),
    "a snapshot": (Snapshots, "_write", 2),
    "the log": (JsonLog, "_write", 1),
    "the first line of the log": (JsonLog, "_start", 1),
}


def ending(patch: pytest.MonkeyPatch, place: tuple[Any, str, int]) -> None:
    """From this call of it on, once, there is no memory."""
    owner, name, at = place
    work, calls = getattr(owner, name), 0

    def starved(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise MemoryError("none")
        return work(*given, **more)

    patch.setattr(owner, name, starved)


@pytest.fixture
def stepwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step a stretch, and a checkpoint after each."""
    monkeypatch.setattr(stepping, "STRETCH_S", 0.0)
    for option, value in EVERY_STEP.items():
        monkeypatch.setitem(CHECKPOINT_OPTIONS, option, value)


def network() -> Sequential:
    model = Sequential([Conv2D(3, 3, input_shape=(8, 8, 1)), BatchNorm(), Dropout(0.2), Flatten(), Dense(3)])
    model.compile("adam", "categorical_crossentropy")
    model.build()
    return model


def weights(model: Sequential) -> bytes:
    return b"".join(weight.tobytes() for weight in model.get_weights())


def train(model: Sequential, **more: Any) -> None:
    model.fit(IMAGES, LABELS, batch_size=8, epochs=EPOCHS, validation_split=0.25, verbose=0, **more)


def seen_by(work: Callable[..., Any], model: Sequential, seen: list[bytes]) -> Callable[..., Any]:
    def watched(*given: Any, **more: Any) -> Any:
        done = work(*given, **more)
        seen.append(weights(model))
        return done

    return watched


@pytest.mark.usefixtures("stepwise")
def test_a_fit_keeps_what_it_has_learned_and_goes_on(tmp_path: Path, cases: Callable[[int], None]) -> None:
    twin = network()
    steps = [weights(twin)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingPlan, "run_steps", seen_by(TrainingPlan.run_steps, twin, steps))
        train(twin)
    assert len(set(steps)) == EPOCHS * STEPS + 1
    for number, (name, place) in enumerate(PLACES.items()):
        model, folder = network(), tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch:
            ending(patch, place)
            with pytest.raises(MemoryError, match="none"):
                train(model, resume=folder)
        held = steps.index(weights(model))
        assert place[1] != "run_steps" or held == place[2] - 1, name
        assert np.isfinite(model.predict(IMAGES)).all() and model.evaluate(IMAGES, LABELS, verbose=0)["loss"] > 0
        model.save(tmp_path / "m.safetensors")
        assert weights(load(tmp_path / "m.safetensors")) == steps[held], name
        model.fit(IMAGES, LABELS, verbose=0)
        again = network()
        train(again, resume=folder)
        assert weights(again) == steps[-1], name
    cases(len(PLACES))


@pytest.mark.usefixtures("stepwise")
def test_a_run_goes_on_where_memory_ran_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], cases: Callable[[int], None]
) -> None:
    monkeypatch.setattr(train_run, "draw", lambda *_: None)
    command = [*TRAIN[:-1], "--epochs", "2", TRAIN[-1]]
    assert main([*command, str(tmp_path / "whole")]) == 0
    expected = remains(tmp_path / "whole")
    for number, (name, place) in enumerate(RUN_PLACES.items()):
        run = tmp_path / str(number)
        capsys.readouterr()
        with pytest.MonkeyPatch.context() as patch:
            ending(patch, place)
            assert main([*command, str(run)]) == 1, name
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("pellucid: out of memory"), name
        if (run / "run.json").exists():
            if place[1] == "run":
                assert load(run / "last.safetensors").count_params() > 0
            assert main(["train", "--resume", str(run), "-q"]) == 0, name
        else:
            assert main([*command, str(run)]) == 0, name
        assert_same(remains(run), expected)
    cases(len(RUN_PLACES))


def test_steps_that_end_early_are_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory ran out after some steps of a stretch, the others come in the next one, to the same bits."""
    monkeypatch.setattr(stepping, "STRETCH_S", 10.0)
    twin, model, counts = network(), network(), []
    train(twin)
    work = TrainingPlan.run_steps

    def early(self: TrainingPlan, n: int, *, learning_rates: list[float], **more: Any) -> Any:
        enough = max(1, len(learning_rates) - 1)
        done, totals = work(self, n, learning_rates=learning_rates[:enough], **more)
        counts.append((len(learning_rates), done))
        return done, np.concatenate([totals, np.zeros((len(learning_rates) - enough, 3))])

    monkeypatch.setattr(TrainingPlan, "run_steps", early)
    train(model)
    assert weights(model) == weights(twin) and any(done < asked for asked, done in counts)


@pytest.mark.skipif(sys.platform != "linux", reason="calls are caught on Linux")
@pytest.mark.parametrize("threads", [1, 3])
def test_kernels_without_working_space_leave_the_model_as_it_was(
    threads: int, tmp_path: Path, cases: Callable[[int], None]
) -> None:
    made = library(tmp_path)
    if made is None:
        pytest.skip("no C compiler")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("starved_trainings.py")), str(threads)],
        env={**os.environ, "LD_PRELOAD": str(made)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout) > 2
    cases(int(done.stdout))
