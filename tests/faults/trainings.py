"""Trainings in processes of their own: forked, so that they start at once, from a server that computes nothing itself.

`python -m trainings` is that server: a job a line on standard input, its outcome a line on standard output.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from faulty import Fault, library, seen
from fuzz_folders import CHECKPOINT_OPTIONS

from pellucid.cli.app import main
from pellucid.files import tensor_file
from pellucid.runs import run as train_run
from pellucid.train import stepping

EVERY_STEP = {"every_s": 0.0, "share": math.inf}
"""A checkpoint after every step, so that most kills come while one is written, and the same calls in every run."""


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status, -9 where it was killed; what it printed; its calls, as `faulty.seen`."""

    status: int
    out: str
    err: str
    calls: str


class Server:
    """Runs `pellucid` commands, one at a time, each in a fresh child of a process that has imported everything."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        made = library(folder)
        assert made is not None, "no C compiler; leave these tests out"
        paths = [str(Path(__file__).parent), *(path for path in sys.path if path)]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "trainings"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "LD_PRELOAD": str(made)},
        )

    def run(self, *arguments: object, run: Path, fault: Fault | None = None, kill_after_s: float = 0.0) -> Outcome:
        """Run a command to its end, or until kill -9 so long after a fault of kind "tell".

        run: the folder where calls are counted.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        job = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(self._folder),
            "run": str(run),
            "kill_after_s": kill_after_s,
            "fault": asdict(fault or Fault()),
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        out, err, calls = ((self._folder / name).read_text() for name in ("out", "err", "calls"))
        return Outcome(status, out, err, calls)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _serve() -> None:
    CHECKPOINT_OPTIONS.update(EVERY_STEP)
    stepping.STRETCH_S = 0.0  # one step, and then the next
    train_run.draw = lambda *_: None  # a second of Matplotlib, of which nothing here depends
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        for options in (["--epochs", "1", "--limit", "20", "--out", folder], ["--resume", folder]):
            main(["train", *options, "--quiet"])  # what is imported and loaded by now, is so in every child
    for line in sys.stdin:
        job = json.loads(line)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(job, writer)
        os.close(writer)
        if os.read(reader, 1):  # nothing comes from one that has ended before
            time.sleep(job["kill_after_s"])
            os.kill(child, signal.SIGKILL)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _child(job: dict[str, Any], handle: int) -> None:
    folder = Path(job["folder"])
    (folder / "calls").write_text("")
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY), stream)
    Fault(**job["fault"]).install(Path(job["run"]), handle)
    status = 99
    try:
        status = main(job["arguments"])
    finally:
        (folder / "calls").write_text(seen())
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def whole_checkpoints(run: Path) -> int:
    """How many checkpoints a run folder holds. Errors: CheckpointError if one of them is not whole."""
    paths = list((run / "checkpoints").glob("*.safetensors"))
    for path in paths:
        tensor_file.read(path)
    return len(paths)


def remains(run: Path) -> dict[str, Any]:
    """All that a finished run has left, without what a clock has measured and what resuming itself tells."""
    last = max((run / "checkpoints").glob("epoch-???.safetensors"))
    tensors, facts = tensor_file.read(last)
    kept = {  # the log's lines hold times; the log itself is compared without them
        name: (array.dtype.str, array.tobytes()) for name, array in tensors.items() if name.count(":") < 3
    }
    training = {key: value for key, value in facts.pop("training").items() if not key.endswith("_s")}
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    timed = ("elapsed_s", "images_per_s", "waited_s")
    record = json.loads((run / "run.json").read_text())
    for name in ("command", "resumed", "backend"):
        record.pop(name, None)
    return {
        "files": sorted(str(path.relative_to(run)) for path in run.rglob("*") if path.parent != run / "checkpoints"),
        "model": (run / "model.safetensors").read_bytes(),
        "last": (run / "last.safetensors").read_bytes(),
        "snapshots": {path.name: path.read_bytes() for path in (run / "snapshots").iterdir()},
        "log": [{key: value for key, value in entry.items() if key not in timed} for entry in log],
        "record": record,
        "checkpoint": last.name,
        "tensors": kept,
        "facts": facts,
        "training": training,
    }


def assert_same(given: dict[str, Any], expected: dict[str, Any]) -> None:
    """Each part to the last bit; says which part differs, not by what."""
    different = [name for name in expected if given.get(name) != expected[name]]
    assert not different, f"{different} differ from the uninterrupted run's"


if __name__ == "__main__":
    _serve()
