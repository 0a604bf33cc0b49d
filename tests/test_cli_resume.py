"""`pellucid train --resume`: what it takes from the run, what it says, what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from picture_files import write

import pellucid
from pellucid import ops

SMALL = ("--limit", "100", "--test-limit", "50", "--batch-size", "25", "--quiet")


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second that Matplotlib takes."""
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, trained on a falling learning rate."""
    from pellucid.cli import main

    run = tmp_path_factory.mktemp("runs") / "done"
    assert main(["train", "--epochs", "2", "--set", "schedule=cosine", *SMALL, "--out", str(run)]) == 0
    return run


@pytest.fixture
def run(done: Path, tmp_path: Path) -> Path:
    """A copy of it to go on with."""
    return Path(shutil.copytree(done, tmp_path / "run"))


def events(run: Path, kind: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == kind]


def test_more_epochs_on_a_schedule_fitted_to_them(command: Command, run: Path) -> None:
    status, out, err = command("train", "--resume", run, "--epochs", 4, "--threads", 1, "--quiet")
    assert status == 0, err
    assert "goes on after epoch 2, to epoch 4" in out and "schedule=cosine is fitted to 4 epochs" in out
    rates = [entry["learning_rate"] for entry in events(run, "epoch")]
    whole = pellucid.schedules.Cosine(0.001, 4 * 4)
    assert rates[2:] == [whole(11), whole(15)] and rates[1] < rates[2]
    assert events(run, "start")[0]["epochs"] == 4 and len(events(run, "start")) == len(events(run, "end")) == 1
    record = json.loads((run / "run.json").read_text())
    assert record["training"]["epochs"] == 4 and record["training"]["optimizer"]["learning_rate"]["steps"] == 16
    assert [entry["epoch"] for entry in record["resumed"]] == [2]
    assert record["resumed"][0]["command"][:3] == ["train", "--resume", str(run)]


def test_a_run_that_is_done_is_told_so_and_stays_as_it_is(command: Command, run: Path) -> None:
    before = {name: (run / name).read_bytes() for name in ("model.safetensors", "last.safetensors", "log.jsonl")}
    status, out, err = command("train", "--resume", run)
    assert status == 0 and "all 2 epochs are done; --epochs N trains on" in err and f"run {run}" in out
    assert {name: (run / name).read_bytes() for name in before} == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lr", "1", "--seed", "3", "lenet5"], "leave MODEL, --lr, --seed out"),
        (["--out", "other"], "leave --out out"),
        (["--set", "schedule=step", "--no-doctor"], "leave --set, --doctor out"),
        (["--epochs", "1"], "--epochs 1: "),
        (["--epochs", "-1"], "epochs must be"),
        (["--threads", "0"], "threads"),
    ],
)
def test_what_a_run_has_decided_cannot_be_said_again(
    command: Command, done: Path, arguments: list[str], words: str
) -> None:
    status, _, err = command("train", "--resume", done, *arguments)
    assert status == 1 and words in err and err.count("\n") == 1 and err.startswith("pellucid: "), err


def test_what_was_interrupted_while_it_was_judged(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("pellucid.runs.run.report", interrupted)
        status, _, err = command("train", "--epochs", 1, *SMALL, "--out", run)
    assert status == 130 and f"interrupted after all epochs; --resume {run} draws and judges" in err
    status, out, _ = command("train", "--resume", run, "--quiet")
    assert status == 0 and "test accuracy" in out


def test_what_is_no_run_is_said(command: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, words in (
        (tmp_path / "none", "no such run"),
        (tmp_path / "empty", "no training has begun there; begin it again"),
        (run / "model.safetensors", "name its folder"),
    ):
        status, _, err = command("train", "--resume", place)
        assert status == 1 and words in err and err.count("\n") == 1, err
    for path in (run / "checkpoints").glob("*.safetensors"):
        path.write_bytes(b"")
    status, _, err = command("train", "--resume", run)
    assert status == 1 and err.count("passed over a checkpoint: ") == 2
    assert f"holds no whole checkpoint; --weights {run} starts a new run" in err.splitlines()[-1]
    shutil.rmtree(run / "checkpoints")
    status, _, err = command("train", "--resume", run)
    assert status == 1 and "holds no checkpoints" in err
    assert not (run / "checkpoints").exists()


def test_a_record_that_says_too_little(command: Command, run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    for part, key in (("data", "loading"), ("training", "epochs"), ("model", "name")):
        spoiled = {**record, part: {name: value for name, value in record[part].items() if name != key}}
        (run / "run.json").write_text(json.dumps(spoiled))
        status, _, err = command("train", "--resume", run)
        assert status == 1 and "run.json: " in err and "was changed or damaged" in err and err.count("\n") == 1


def test_a_best_model_that_is_lost_is_said(command: Command, run: Path) -> None:
    (run / "model.safetensors").write_bytes(b"torn")
    status, _, err = command("train", "--resume", run, "--quiet")
    assert status == 0 and "model.safetensors" in err and "the last one, takes its place" in err
    last = pellucid.load(run / "last.safetensors")
    np.testing.assert_array_equal(pellucid.load(run).parameters.vector, last.parameters.vector)


def test_a_folder_whose_pictures_are_others_now(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(8):
        for name, colour in (("cat", (240, 20 * number, 60)), ("dog", (20, 240, 20 * number))):
            write(tmp_path / "photos" / name / f"{number}.png", colour=colour)
    training = ("train", "--data", "photos", "--size", "16", "--set", "filters=[4]", "--batch-size", "4", "--quiet")
    status, _, err = command(*training, "--epochs", 1, "--out", "run")
    assert status == 0, err
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    status, _, err = command("train", "--resume", tmp_path / "run", "--epochs", 2, "--quiet")
    assert status == 0, err  # the folder is found from anywhere
    write(tmp_path / "photos" / "cat" / "new.png", colour=(1, 2, 3))
    status, _, err = command("train", "--resume", tmp_path / "run", "--epochs", 3, "--quiet")
    assert status == 1 and "pictures '" in err and "train anew in another folder" in err and err.count("\n") == 1


def test_a_run_that_was_killed_before_it_began_is_begun_again(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "lock").write_text("1\n")
    (run / "checkpoints" / "epoch-000.safetensors").write_bytes(b"of another run")
    (run / ".pellucid-0123.tmp").write_bytes(b"run.js")
    assert command("train", "--epochs", 1, *SMALL, "--out", run)[0] == 0
    assert command("train", "--resume", run)[0] == 0 and not list(run.glob("*.tmp"))
    status, _, err = command("train", "--epochs", 1, *SMALL, "--out", run)
    assert status == 1 and f"holds a run already; choose another name, or go on with it: --resume {run}" in err


@pytest.mark.skipif(ops.backend().instruction_set in ("", "baseline"), reason="one instruction set alone here")
def test_another_instruction_set_is_said(run: Path) -> None:
    """As by a processor without it, in a process of its own."""
    words = [sys.executable, "-m", "pellucid", "train", "--resume", str(run), "--epochs", "3", "--quiet"]
    path = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": path, "PELLUCID_ISA": "baseline"}
    told = subprocess.run(words, capture_output=True, text=True, env=environment)
    own = ops.backend().instruction_set
    assert told.returncode == 0 and f"the run began with {own} and goes on with baseline: its numbers" in told.stderr
    assert f"PELLUCID_ISA={own} keeps them" in told.stderr
