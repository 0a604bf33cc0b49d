"""`pellucid train | head -1`: a reader that goes away, at whatever moment, costs no training and no run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fuzz_folders import SMALL
from trainings import assert_same, remains

from pellucid.cli import main
from pellucid.runs import run as train_run
from pellucid.train import JsonLog
from pellucid.train.events import EpochEnded, Event, TrainingEnded, TrainingStarted

TRAIN = ["train", *SMALL.replace("--epochs 1 -q", "--epochs 3").split()]
MOMENTS: dict[str, Callable[[Event], bool]] = {
    "at the first line": lambda event: True,
    "as training starts": lambda event: isinstance(event, TrainingStarted),
    "amid the epochs": lambda event: isinstance(event, EpochEnded) and event.epoch % 2 == 1,
    "at the end": lambda event: isinstance(event, TrainingEnded),
}


def read_until(moment: str, command: list[str], patch: pytest.MonkeyPatch) -> tuple[int, str]:
    """The status of a command whose output and errors go to a pipe that is read up to then, and what came by then."""
    reader, writer = os.pipe()
    heard, read = JsonLog.__call__, b""

    def leave() -> None:
        nonlocal read, reader
        sys.stdout.flush()
        os.write(writer, b"\n")  # or reading would wait
        read, reader = os.read(reader, 2**16), os.close(reader) or -1

    def hear(self: JsonLog, event: Event) -> None:
        if reader >= 0 and MOMENTS[moment](event):
            leave()
        heard(self, event)

    with patch.context() as here, open(writer, "w") as out, open(os.dup(writer), "w") as err:
        here.setattr(JsonLog, "__call__", hear)
        here.setattr(sys, "stdout", out)
        here.setattr(sys, "stderr", err)
        if moment == "at the first line":
            leave()
        status = main(command)
        assert reader < 0
        null = os.open(os.devnull, os.O_WRONLY)
        for handle in (out.fileno(), err.fileno()):
            os.dup2(null, handle)  # where closing may write
        os.close(null)
    return status, read.decode()


@pytest.fixture(scope="module", autouse=True)
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, dict[str, Any]]]:
    """What a run that is read to its end leaves, after so many epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_run, "draw", lambda *_: None)
        run = tmp_path_factory.mktemp("undisturbed") / "run"
        assert main([*TRAIN, str(run)]) == 0
        after = remains(run)
        assert main(["train", "--resume", str(run), "--epochs", "5"]) == 0
        yield {3: after, 5: remains(run)}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_whose_reader_has_gone_goes_on(
    moment: str, undisturbed: dict[int, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    status, read = read_until(moment, [*TRAIN, str(run)], monkeypatch)
    assert status == 0 and (moment == "at the first line" or "classes" in read)
    assert ("1/3" in read) == (moment in ("amid the epochs", "at the end")), read
    assert_same(remains(run), undisturbed[3])
    assert read_until(moment, ["train", "--resume", str(run), "--epochs", "5"], monkeypatch)[0] == 0
    assert_same(remains(run), undisturbed[5])
