"""kill -9 and failures at random moments and at every call that changes a run's folder: `--resume` goes on, and ends
where an uninterrupted run ends.

By default a seeded few; `--kills 200` kills so often at random moments, `--every-call` lets each call go wrong once:

    pytest -s tests/faults/test_killed_trainings.py --kills 200 --every-call
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import NAMES, Fault
from trainings import Outcome, Server, assert_same, remains, whole_checkpoints

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="calls are caught on Linux, with a C compiler"
)

Cases = Callable[[int], None]

DATA = ("--limit", "60", "--test-limit", "20", "--batch-size", "30", "--quiet")
COMMANDS = {  # one with held-out pictures; one with batch norm, dropout, augmentation and a schedule
    "plain": ("train", "simple-convnet", "--epochs", "2", "--validation", "0.25", "--patience", "3", *DATA),
    "lively": ("train", "photo-net", "--data", "digits", "--set", "filters=[8, 12]", "--epochs", "2", *DATA),
}
CHAIN = 4
"""A run is killed at most so many times before it may end."""

LATER_S = 0.03
"""A kill comes within so long after a call: a checkpoint and a step or two."""

WRITES = NAMES["write"] + NAMES["append"]
ALL = "".join(NAMES.values())
FAILURES = {
    "open": errno.EACCES,
    "write": errno.ENOSPC,
    "append": errno.ENOSPC,
    "lock": errno.ENOSPC,
    "flush": errno.EIO,
    "flush folder": errno.EIO,
    "rename": errno.EROFS,
    "remove": errno.EACCES,
    "make folder": errno.EROFS,
}
EXCUSED = NAMES["lock"] + NAMES["remove"] + NAMES["make folder"]
"""What may fail without an error: a lock's text, an old file that stays, a folder that is there already."""

FEW = 3
"""Calls that are tried of each training and kind by default."""


@dataclass(frozen=True)
class Finished:
    """A run that nobody interrupted: what it left, and its calls."""

    remains: dict[str, Any]
    calls: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def finished(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Finished]:
    found = {}
    for name, command in COMMANDS.items():
        run = tmp_path_factory.mktemp("finished") / name
        outcome = server.run(*command, "--out", run, run=run)
        assert outcome.status == 0, outcome.err
        found[name] = Finished(remains(run), outcome.calls)
        assert outcome.calls.count(NAMES["rename"]) > 12, "too few checkpoints"
    return found


def option(request: pytest.FixtureRequest, name: str, usual: Any) -> Any:
    """An option of this folder's; known where the folder was named on the command line."""
    asked = request.config.getoption(name, None)
    return usual if asked is None else asked


def go_on(server: Server, command: tuple[str, ...], run: Path, **how: Any) -> Outcome:
    """Take the run up again; one that was killed before its beginning is begun again, as --resume then says."""
    if (run / "run.json").is_file():
        return server.run("train", "--resume", run, "--quiet", run=run, **how)
    if run.is_dir():
        refused = server.run("train", "--resume", run, run=run)
        assert refused.status == 1 and "no training has begun there" in refused.err, refused
    return server.run(*command, "--out", run, run=run, **how)


def expect_whole(run: Path) -> None:
    assert whole_checkpoints(run) >= (run / "run.json").is_file(), "a run that has begun has a whole checkpoint"


def expect_the_end(server: Server, command: tuple[str, ...], run: Path, expected: Finished) -> None:
    expect_whole(run)
    outcome = go_on(server, command, run)
    assert outcome.status == 0 and "passed over" not in outcome.err, outcome
    assert_same(remains(run), expected.remains)
    assert not list(run.rglob("*.tmp"))
    shutil.rmtree(run)


@pytest.mark.parametrize("name", COMMANDS)
def test_files_take_their_names_after_their_flush_and_before_the_folders(
    finished: dict[str, Finished], name: str
) -> None:
    """Nothing is written in its place but the log's lines, after the first."""
    calls = finished[name].calls
    whole = "ow*srf"
    line = "oa"
    assert re.fullmatch(f"(m|f|{whole}|{line}|ol+|u)*", calls), calls
    assert calls.count("a") == 3, "two epochs, the end"


def test_the_same_calls_every_time(server: Server, finished: dict[str, Finished], tmp_path: Path) -> None:
    """Or the n-th call would be another in the run where it goes wrong."""
    for name, command in COMMANDS.items():
        again = server.run(*command, "--out", tmp_path / name, run=tmp_path / name)
        assert again.calls == finished[name].calls


def test_killed_at_random_moments(
    server: Server, finished: dict[str, Finished], tmp_path: Path, cases: Cases, request: pytest.FixtureRequest
) -> None:
    wanted = option(request, "--kills", 10)
    rng = np.random.default_rng(wanted)
    kills, runs, places = 0, 0, Counter[str]()
    while kills < wanted:
        name = list(COMMANDS)[runs % len(COMMANDS)]
        run, runs = tmp_path / f"{name}-{runs}", runs + 1
        assert runs < 3 * wanted + 9, f"{kills} kills only"
        for _ in range(int(rng.integers(1, CHAIN + 1))):
            # a while after any of its calls, from each quarter in turn: spread over the run, however quick the machine
            moment = (kills % 4 + rng.random()) / 4
            after = Fault("tell", 1 + int(moment * (len(finished[name].calls) - 1)))
            outcome = go_on(server, COMMANDS[name], run, fault=after, kill_after_s=rng.uniform(0, LATER_S))
            assert outcome.status in (-9, 0), outcome
            if outcome.status == 0:
                break
            kills += 1
            expect_whole(run)
            places[max((path.stem for path in (run / "snapshots").glob("*.npz")), default="before")] += 1
        expect_the_end(server, COMMANDS[name], run, finished[name])
    assert len(places) > 2, f"killed after these snapshots only: {places}"
    print(f"\n{kills} kills of {runs} runs, at snapshots {dict(sorted(places.items()))}")
    cases(kills)


@dataclass(frozen=True)
class Trial:
    """One of the commands, run again and again with something wrong each time."""

    server: Server
    command: tuple[str, ...]
    finished: Finished
    folder: Path
    every_call: bool

    def chosen(self, only: str, kind: str, calls: str | None = None) -> list[int]:
        """Numbers from 1 of the calls in `only`: all, or a seeded few."""
        count = sum(call in only for call in calls or self.finished.calls)
        if self.every_call:
            return list(range(1, count + 1))
        return sorted((1 + np.random.default_rng([count, len(kind)]).permutation(count)[:FEW]).tolist())

    def run(self, name: object, fault: Fault) -> tuple[Path, Outcome]:
        """The command into a new folder."""
        run = self.folder / str(name)
        return run, self.server.run(*self.command, "--out", run, run=run, fault=fault)

    def expect_the_end(self, run: Path) -> None:
        expect_the_end(self.server, self.command, run, self.finished)


@pytest.fixture(params=COMMANDS)
def trial(request: pytest.FixtureRequest, server: Server, finished: dict[str, Finished], tmp_path: Path) -> Trial:
    every_call = option(request, "--every-call", False)
    return Trial(server, COMMANDS[request.param], finished[request.param], tmp_path, every_call)


@pytest.mark.parametrize(("kind", "only"), [("die", ""), ("tear", WRITES)])
def test_killed_at_a_call(trial: Trial, cases: Cases, kind: str, only: str) -> None:
    places = trial.chosen(only or ALL, kind)
    for at in places:
        run, killed = trial.run(at, Fault(kind, at, only=only))
        assert killed.status == -9, killed
        trial.expect_the_end(run)
    cases(len(places))


@pytest.mark.parametrize("kind", ["die", "fail"])
def test_killed_while_going_on(trial: Trial, cases: Cases, kind: str) -> None:
    """A run that was killed amid its first epoch, and the run that goes on killed too, or a call of it failing."""
    step = [match.end() for match in re.finditer("rf", trial.finished.calls)][5]
    begun, killed = trial.run("begun", Fault("die", step + 4))
    assert killed.status == -9
    whole = Path(shutil.copytree(begun, trial.folder / "whole"))
    resumed = trial.server.run("train", "--resume", whole, "--quiet", run=whole)
    assert resumed.status == 0
    places = trial.chosen(ALL, kind, resumed.calls)
    for at in places:
        run = Path(shutil.copytree(begun, trial.folder / str(at)))
        letter = resumed.calls[at - 1]
        again = trial.server.run("train", "--resume", run, "--quiet", run=run, fault=failure(letter, at, kind))
        assert again.status == -9 if kind == "die" else again.status == 1 or letter in EXCUSED, (at, again)
        trial.expect_the_end(run)
    cases(len(places))


def failure(letter: str, at: int, kind: str = "fail") -> Fault:
    word = next(word for word, own in NAMES.items() if own == letter)
    return Fault(kind, at, errno=FAILURES[word])


def expect_one_line(failed: Outcome, number: int) -> None:
    *before, last = failed.err.splitlines()
    assert failed.status == 1 and "Traceback" not in failed.err and len(before) <= 1, failed
    assert last.startswith("pellucid: ") and os.strerror(number) in last, last
    assert "cannot be written" in last or "cannot be made" in last, last


def test_a_failing_call_is_one_line_and_damages_nothing(trial: Trial, cases: Cases) -> None:
    calls = trial.finished.calls
    first = calls.index("ow") + 1  # of the first checkpoint: nothing has begun, and the place is free again
    places = sorted({first, *trial.chosen(ALL, "fail")})
    for at in places:
        fault = failure(calls[at - 1], at)
        run, failed = trial.run(at, fault)
        if failed.status == 0 and calls[at - 1] in EXCUSED:
            assert_same(remains(run), trial.finished.remains)
            continue
        expect_one_line(failed, fault.errno)
        assert not list(run.rglob("*.tmp")), "what is half-written is removed"
        trial.expect_the_end(run)
    cases(len(places))


def test_a_disk_that_is_full_from_a_call_on(trial: Trial, cases: Cases) -> None:
    places = trial.chosen(WRITES, "full")
    for at in places:
        run, failed = trial.run(at, Fault("fail", at, errno=errno.ENOSPC, only=WRITES, persists=True))
        expect_one_line(failed, errno.ENOSPC)
        assert not list(run.rglob("*.tmp"))
        trial.expect_the_end(run)
    cases(len(places))


def test_a_write_that_takes_only_half_is_continued(trial: Trial, cases: Cases) -> None:
    places = trial.chosen(WRITES, "short")
    for at in places:
        run, done = trial.run(at, Fault("short", at, only=WRITES))
        assert done.status == 0, done
        assert_same(remains(run), trial.finished.remains)
        shutil.rmtree(run)
    cases(len(places))
