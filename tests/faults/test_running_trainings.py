"""A training meets a full disk, a folder that is taken away, a second training, signals, forks; it does not grow."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import Command
from trainings import whole_checkpoints

import pellucid

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux alone")


SETTINGS = ("--batch-size", "8", "--limit", "240", "--test-limit", "60")
ENDLESS = ("train", "--epochs", "100000", *SETTINGS)
RUN_COMMAND = "import sys; from pellucid.cli import main; sys.exit(main(sys.argv[1:]))"
SLOW_FLUSH = """
import os, time, pellucid.files.atomic
class Slow:
    def __getattr__(self, name):
        return getattr(os, name)
    def fsync(self, handle):
        time.sleep(0.5)
        os.fsync(handle)
pellucid.files.atomic.os = Slow()
"""


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the second that Matplotlib takes, of which nothing here depends."""
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)


@contextlib.contextmanager
def training(*arguments: object, before: str = "") -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own, which is gone when the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + RUN_COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(there: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something is so; the process must be running all the while."""
    end_s = time.monotonic() + 120
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end_s, "waited for two minutes"
        time.sleep(0.02)


def epochs_of(run: Path) -> int:
    return len(list((run / "snapshots").glob("epoch-*.npz"))) - 1


def expect_one_line(err: str, *words: str) -> None:
    """What is said after the progress: one line, no traceback."""
    last = [line for line in err.splitlines() if line][-1]
    assert last.startswith("pellucid: ") and "Traceback" not in err, err
    assert all(word in last for word in words), last


def expect_same(command: Command, run: Path, other: Path, *, reached: int = 1) -> None:
    """Resumed for two epochs more, the run is one that never stopped.

    reached: epochs it had made before somebody resumed it already, which takes those after the checkpoint from the log;
    the best of them may be the model until they are made again.
    """
    logged = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines() if line.endswith("}")]
    epochs = 2 + max([reached, *(entry["epoch"] for entry in logged if entry["event"] == "epoch")])
    status, _, err = command("train", "--resume", run, "--epochs", epochs, "--quiet")
    assert status == 0, err
    assert command("train", "--epochs", epochs, *SETTINGS, "--quiet", "--out", other)[0] == 0
    for name in ("last.safetensors", "model.safetensors"):
        assert (run / name).read_bytes() == (other / name).read_bytes(), name
    assert not list(run.rglob("*.tmp"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2.5 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2500k", "none", str(folder)], capture_output=True)
    if made.returncode:
        pytest.skip("no right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk(small_disk: Path, command: Command, tmp_path: Path, cases: Callable[[int], None]) -> None:
    run = small_disk / "run"
    with training(*ENDLESS, "--out", run) as process:
        _, err = process.communicate(timeout=120)  # snapshots fill it
    assert process.returncode == 1, err
    expect_one_line(err, "cannot be written: No space left on device", str(run))
    assert whole_checkpoints(run) >= 1 and epochs_of(run) >= 1
    reached = epochs_of(run)
    status, _, err = command("train", "--resume", run)
    assert status == 1
    expect_one_line(err, "No space left on device")
    assert whole_checkpoints(run) >= 1
    subprocess.run(["mount", "-o", "remount,size=50m", str(small_disk)], check=True)
    expect_same(command, run, tmp_path / "other", reached=reached)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for arguments in (("--resume", run), ("--out", small_disk / "new")):
        status, _, err = command("train", *arguments)
        assert status == 1
        expect_one_line(err, "Read-only file system", str(small_disk))
    cases(4)


def test_files_that_may_not_grow(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with training(*ENDLESS, "--out", run) as process:
        until(lambda: epochs_of(run) >= 1, process)
        newest = max(path.stat().st_size for path in (run / "checkpoints").glob("*.safetensors"))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (newest - 1000, resource.RLIM_INFINITY))
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    expect_one_line(err, "cannot be written: File too large", str(run))
    assert whole_checkpoints(run) >= 1
    expect_same(command, run, tmp_path / "other")


def test_a_folder_that_is_taken_away(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with training(*ENDLESS, "--out", run) as process:
        until(lambda: epochs_of(run) >= 1, process)
        moved = tmp_path / "elsewhere"
        run.rename(moved)  # the folder that was opened goes on being the run
        reached = epochs_of(moved)
        until(lambda: epochs_of(moved) > reached, process)
        assert whole_checkpoints(moved) >= 1
        while moved.exists():  # files are still made in it meanwhile
            shutil.rmtree(moved, ignore_errors=True)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    expect_one_line(err, "cannot be written: No such file or directory", str(run))
    assert not run.exists(), "what was taken away is not made anew"


def test_two_trainings_at_once(command: Command, tmp_path: Path, cases: Callable[[int], None]) -> None:
    run = tmp_path / "run"
    with training(*ENDLESS, "--out", run) as first, training(*ENDLESS, "--out", run) as second:
        ends = time.monotonic() + 60
        while first.poll() is None and second.poll() is None and time.monotonic() < ends:
            time.sleep(0.05)
        refused, running = (first, second) if first.poll() is not None else (second, first)
        assert refused.poll() == 1 and running.poll() is None
        until(lambda: epochs_of(run) >= 1, running)
        said = refused.communicate()[1]
        assert said.count("\n") == 1 and (
            "is training here" in said or "holds a run already" in said or "--out" in said
        )
        for arguments in (("--resume", run), ("--resume", run, "--epochs", "100001")):
            status, _, err = command("train", *arguments)
            assert status == 1 and err.count("\n") == 1
            expect_one_line(err, f"process {running.pid} is training here")
        before = epochs_of(run)
        until(lambda: epochs_of(run) > before, running)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
    expect_same(command, run, tmp_path / "other")  # the lock went with its owner
    cases(3)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_the_run_goes_on(
    command: Command, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    run = tmp_path / "run"
    with training(*ENDLESS, "--out", run) as process:
        until(lambda: epochs_of(run) >= 2, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == status, err
    assert err.rstrip().endswith(f"go on with: pellucid train --resume {run}") and "Traceback" not in err
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    ended = [entry for entry in log if entry["event"] == "epoch"]
    assert log[-1] == {
        "event": "end",
        "reason": "interrupted",
        "epochs": len(ended),
        "best_epoch": log[-1]["best_epoch"],
    }
    assert epochs_of(run) == len(ended), "an epoch that was interrupted has not ended"
    assert pellucid.load(run).count_params() == pellucid.load(run / "last.safetensors").count_params() > 0
    assert not (run / "curves.png").exists(), "whoever interrupts will not wait for pictures"
    expect_same(command, run, tmp_path / "other")


def test_a_second_ctrl_c_leaves_at_once(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with training(*ENDLESS, "--quiet", "--out", run, before=SLOW_FLUSH) as process:
        until(lambda: epochs_of(run) >= 1, process)
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        while "stopping after this step" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)  # while the first is being obeyed: a flush takes half a second
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "left at once; the last checkpoint stands" in err and "Traceback" not in err and "go on with" not in err
    assert whole_checkpoints(run) >= 1 and not list(run.rglob("*.tmp"))
    assert not (run / "last.safetensors").exists(), "it would have taken its time"
    expect_same(command, run, tmp_path / "other")


FORK = """
import os, sys, warnings
import numpy as np
import pellucid
from pellucid import Conv2D, Dense, Flatten, MaxPool2D, Sequential

warnings.simplefilter("ignore", DeprecationWarning)
pellucid.set_num_threads(2)
x = np.random.default_rng(0).normal(size=(64, 12, 12, 3)).astype(np.float32)

def trained():
    layers = [Conv2D(16, 3, activation="relu", input_shape=(12, 12, 3)), MaxPool2D(2), Flatten(), Dense(10)]
    model = Sequential(layers)
    model.compile("adam", "categorical_crossentropy")
    model.fit(x, np.arange(64) % 10, batch_size=16, epochs=3, verbose=0)
    return model.parameters.vector.tobytes()

def in_child():
    reader, writer = os.pipe()
    if os.fork() == 0:
        made = trained()
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(made)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        made = pipe.read()
    os.wait()
    return made

after_import = in_child()
here = trained()
after_kernels = in_child()
print(after_import == here, after_kernels == here, trained() == here, len(here) > 1000)
"""


def alone(code: str, *arguments: object) -> str:
    """What a program prints."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_on_both_sides_of_a_fork(cases: Callable[[int], None]) -> None:
    assert alone(FORK).split() == ["True"] * 4, "in a child after import, in one after kernels ran, in the parent"
    cases(2)


STEPS = """
import os, sys
import numpy as np
from pathlib import Path
from pellucid import BatchNorm, Conv2D, Dense, Dropout, Flatten, Sequential
from pellucid.train import BatchEnded, EpochEnded

epochs = int(sys.argv[2])
count = 40_000 // epochs
x = np.random.default_rng(0).integers(0, 256, (2000, 8, 8, 3), np.uint8)
y = np.arange(2000) % 10
first = Conv2D(8, 3, activation="relu", input_shape=(8, 8, 3))
model = Sequential([first, BatchNorm(), Flatten(), Dropout(0.2), Dense(10)])
model.compile("adam", "categorical_crossentropy")
resident = []

def watch(event):
    if isinstance(event, BatchEnded) and (event.step + 1) % 500 == 0:
        resident.append(int(Path("/proc/self/statm").read_text().split()[1]))

settings = {"batch_size": 4, "epochs": epochs, "verbose": 0, "validation_data": (x[:200], y[:200])}
model.fit(x[:count], y[:count], **settings, callbacks=watch, resume=sys.argv[1])
print(model.optimizer_state.step, *resident)
"""


@pytest.mark.parametrize("epochs", [20, 200])
def test_ten_thousand_steps_take_no_more_memory_than_a_thousand(tmp_path: Path, epochs: int) -> None:
    steps, *resident = map(int, alone(STEPS, tmp_path / "kept", epochs).split())
    assert steps == 10_000 and len(resident) == 20
    settled = resident[1]
    assert max(resident[1:]) <= 1.01 * settled, f"pages after each 500 steps: {resident}"
