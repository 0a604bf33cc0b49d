"""A lab that is killed while it trains: what is lost is what was learned since its last checkpoint, and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_sessions import Watched

from pellucid.errors import CheckpointError
from pellucid.lab.prepare import prepare
from pellucid.train import Checkpoints

PROGRAM = """
import sys, time
from pathlib import Path
from pellucid.lab import keeping
from pellucid.lab.launch import make_lab
from pellucid.lab.prepare import prepare
from pellucid.lab.session import Command

keeping.KEEP_EVERY_S = 0.1
lab = make_lab(prepare, port=0, host="127.0.0.1", lang="en", folder=lambda _: Path("kept"))
lab.start()
lab.session.obey(Command("start"))
while True:
    print(lab.session.moment[1], time.monotonic(), flush=True)
    time.sleep(0.01)
"""


def test_kill_9_loses_no_more_than_the_time_since_the_last_checkpoint(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", PROGRAM]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        end, seen = time.monotonic() + 60, list[tuple[int, float]]()
        kept = tmp_path / "kept" / "checkpoints"
        while time.monotonic() < end and (not kept.is_dir() or len(list(kept.glob("*.safetensors"))) < 2):
            step, moment = process.stdout.readline().split()
            seen.append((int(step), float(moment)))
        with pytest.raises(CheckpointError, match="is training here"), Checkpoints(kept).locked():
            pass
        process.send_signal(signal.SIGKILL)
        seen += [(int(line.split()[0]), float(line.split()[1])) for line in process.stdout.read().splitlines()[:-1]]
    start = prepare(tmp_path / "kept")
    assert start.dataset.name == "digits"
    session = Watched(start, start.folder)
    session.begin()
    session.wait(lambda: session.snapshot["step"] > 0)
    step = session.snapshot["step"]
    last, died = seen[-1]
    reached = next((moment for at, moment in seen if at >= step), died)
    assert 0 < step <= last + 100 and session.snapshot["said"] == ""
    assert died - reached < 5  # seconds of training that are lost, where a checkpoint is due ten times a second
    session.do("step", lambda: session.snapshot["step"] == step + 1)
    assert session.close() == tmp_path / "kept" / "last.safetensors"
