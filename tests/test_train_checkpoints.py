"""The folder of checkpoints: which are kept, what they cost, who may write there, and which one is taken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_model import StopAt, fitted

import pellucid
from pellucid.errors import CheckpointError
from pellucid.train import Checkpoints, EpochEnded


def test_a_checkpoint_is_a_model_too(tmp_path: Path) -> None:
    model, _ = fitted(tmp_path)
    again = pellucid.load(tmp_path / "epoch-003.safetensors")
    np.testing.assert_array_equal(again.parameters.vector, model.parameters.vector)
    model.save(tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="is no checkpoint of a training, but 'model'"):
        (tmp_path / "model.safetensors").replace(tmp_path / "epoch-009.safetensors")
        fitted(tmp_path)


@pytest.mark.parametrize("damage", ["torn", "changed", "empty"])
def test_a_damaged_newest_one_is_passed_over_and_said(tmp_path: Path, damage: str) -> None:
    model, history = fitted(None, epochs=5)
    fitted(tmp_path, StopAt(EpochEnded, 2), epochs=5)
    newest, before = tmp_path / "epoch-002.safetensors", tmp_path / "epoch-000.safetensors"
    assert before.is_file()
    content = bytearray(newest.read_bytes())
    content[-9] ^= 1
    newest.write_bytes({"torn": content[: len(content) // 2], "changed": content, "empty": b""}[damage])
    with pytest.warns(UserWarning, match=r"passed over a checkpoint: .*epoch-002.safetensors"):
        again, told = fitted(tmp_path, epochs=5)
    np.testing.assert_array_equal(again.parameters.vector, model.parameters.vector)
    assert told.history == history.history


class Clock:
    """Time that passes only when somebody works."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("pellucid.train.checkpoints.time.perf_counter", clock)
    return clock


@pytest.mark.parametrize("cost_s", [0.001, 0.5, 30.0])
def test_at_most_a_twentieth_of_the_time(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, cost_s: float
) -> None:
    written: list[float] = []

    def write(*_: object) -> None:
        clock.now += cost_s
        written.append(clock.now)

    monkeypatch.setattr("pellucid.files.tensor_file.write", write)
    kept = Checkpoints(tmp_path, every_s=60)
    start = clock.now
    kept.write({}, {}, epochs=0, steps=0)
    for epoch in range(20):
        for step in range(100):
            clock.now += 2.0
            if kept.due(epoch_ended=step == 99):
                kept.write({}, {}, epochs=epoch, steps=step + 1)
                assert len(written) * cost_s <= 0.05 * (clock.now - start) + cost_s
    expected = min(0.05 * (clock.now - start) / cost_s, 1 + 20 * 4)
    assert expected * 0.8 - 1 <= len(written) <= expected + 1


def test_the_last_two_stay(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    for epochs, steps in ((0, 0), (0, 7), (1, 0), (1, 3), (12, 0)):
        kept.write({}, {"kind": "checkpoint"}, epochs=epochs, steps=steps)
    (tmp_path / "mine.txt").write_text("keep")
    kept.write({}, {"kind": "checkpoint"}, epochs=100, steps=11)
    names = ["epoch-012.safetensors", "epoch-100-step-00011.safetensors", "mine.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    newest = Checkpoints(tmp_path).newest(pytest.fail)
    assert newest is not None and newest.path.name == names[1]


def test_one_training_a_folder(tmp_path: Path) -> None:
    with Checkpoints(tmp_path).locked():
        with pytest.raises(CheckpointError, match=f"process {os.getpid()} is training here; wait"):
            fitted(tmp_path)
        with pytest.raises(CheckpointError, match="is training here"), Checkpoints(tmp_path).locked():
            pass
    fitted(tmp_path)
    with Checkpoints(tmp_path).locked():
        pass


HOLD = """
import sys, time
from pathlib import Path
from pellucid.train import Checkpoints
with Checkpoints(Path(sys.argv[1])).locked():
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no kill -9 here")
def test_a_killed_process_holds_no_lock(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        with pytest.raises(CheckpointError, match=f"process {holder.pid} is training here"):
            fitted(tmp_path)
        holder.kill()
    fitted(tmp_path)
