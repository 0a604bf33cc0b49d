"""kill -9 at random moments and amid every kind of write: `--resume` goes on, and ends where an uninterrupted run ends.

`--kills 200` kills so often; by default a seeded few.
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faulty import Fault
from trainings import Outcome, Server, assert_same, remains, whole_checkpoints

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

DATA = ("--limit", "240", "--test-limit", "60", "--batch-size", "30", "--quiet")
COMMANDS = {  # stretches of native steps; and batch norm, dropout, augmentation and a schedule, step by step
    "plain": ("train", "simple-convnet", "--epochs", "3", "--validation", "0.25", "--patience", "3", *DATA),
    "lively": ("train", "photo-net", "--data", "digits", "--set", "filters=[8, 12]", "--epochs", "2", *DATA),
}
CHAIN = 4
"""A run is killed at most so many times before it may end."""

LATER_S = 0.03
"""A kill comes within so long after a call: a checkpoint and a step or two."""


@dataclass(frozen=True)
class Finished:
    """A run that nobody interrupted: what it left, and the calls that wrote it."""

    remains: dict[str, Any]
    calls: Counter[str]


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
        outcome = server.run(*command, "--out", run, fault=Fault())
        assert outcome.status == 0, outcome.err
        found[name] = Finished(remains(run), Counter(outcome.calls))
        assert found[name].calls["replace"] > 8 and min(found[name].calls.values()) > 8
    return found


def kills_asked(request: pytest.FixtureRequest, usual: int) -> int:
    """What --kills says; the option is known where this folder was named on the command line."""
    asked = request.config.getoption("--kills", None)
    return usual if asked is None else int(asked)


def go_on(server: Server, command: tuple[str, ...], run: Path, **how: Any) -> Outcome:
    """Take the run up again; one that was killed before its beginning is begun again, as --resume then says."""
    if (run / "run.json").is_file():
        return server.run("train", "--resume", run, "--quiet", **how)
    if run.is_dir():
        refused = server.run("train", "--resume", run)
        assert refused.status == 1 and "no training has begun there" in refused.err, refused
    return server.run(*command, "--out", run, **how)


def expect_whole(run: Path) -> None:
    assert whole_checkpoints(run) >= (run / "run.json").is_file(), "a run that has begun has a whole checkpoint"


def test_killed_at_random_moments(
    server: Server,
    finished: dict[str, Finished],
    tmp_path: Path,
    cases: Callable[[int], None],
    request: pytest.FixtureRequest,
) -> None:
    wanted = kills_asked(request, 10)
    rng = np.random.default_rng(wanted)
    kills, runs, places = 0, 0, Counter[str]()
    while kills < wanted:
        name = list(COMMANDS)[runs % len(COMMANDS)]
        run, runs = tmp_path / f"{name}-{runs}", runs + 1
        assert runs < 3 * wanted + 9, f"{kills} kills only"
        for _ in range(int(rng.integers(1, CHAIN + 1))):
            # a while after any of its calls: spread over the run, however much else the machine has to do
            after = Fault("tell", int(rng.integers(1, finished[name].calls.total())))
            outcome = go_on(server, COMMANDS[name], run, fault=after, kill_after_s=rng.uniform(0, LATER_S))
            assert outcome.status in (-9, 0), outcome
            if outcome.status == 0:
                break
            kills += 1
            expect_whole(run)
            places[max((path.stem for path in (run / "snapshots").glob("*.npz")), default="before")] += 1
        outcome = go_on(server, COMMANDS[name], run)
        assert outcome.status == 0 and not outcome.err.count("passed over"), outcome
        assert_same(remains(run), finished[name].remains)
    assert len(places) > 2, f"killed after these snapshots only: {places}"
    print(f"\n{kills} kills of {runs} runs, at snapshots {dict(sorted(places.items()))}")
    cases(kills)


@pytest.mark.parametrize("call", ["open", "write", "flush", "fsync", "replace"])
def test_killed_amid_a_write(
    server: Server,
    finished: dict[str, Finished],
    tmp_path: Path,
    cases: Callable[[int], None],
    call: str,
    request: pytest.FixtureRequest,
) -> None:
    share = -(-kills_asked(request, 5) // 5)
    rng = np.random.default_rng([share, len(call)])
    for number in range(share):
        name = list(COMMANDS)[(number + len(call)) % 2]
        run = tmp_path / str(number)
        at = int(rng.integers(1, finished[name].calls[call] // 2))  # timing decides how many there are
        killed = server.run(*COMMANDS[name], "--out", run, fault=Fault("tear", at, only=call))
        assert killed.status == -9, killed
        expect_whole(run)
        again = go_on(server, COMMANDS[name], run)
        assert again.status == 0 and "passed over" not in again.err, again
        assert_same(remains(run), finished[name].remains)
    cases(share)


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("open", errno.EACCES),
        ("write", errno.ENOSPC),
        ("flush", errno.ENOSPC),
        ("fsync", errno.EIO),
        ("replace", errno.EROFS),
    ],
)
def test_a_failing_call_is_one_line_and_damages_nothing(
    server: Server,
    finished: dict[str, Finished],
    tmp_path: Path,
    cases: Callable[[int], None],
    call: str,
    number: int,
    request: pytest.FixtureRequest,
) -> None:
    share = -(-kills_asked(request, 5) // 5)
    rng = np.random.default_rng([share, number])
    for attempt in range(share):
        name = list(COMMANDS)[(attempt + len(call)) % 2]
        run = tmp_path / str(attempt)
        at = int(rng.integers(6, finished[name].calls[call] // 2))
        failed = server.run(*COMMANDS[name], "--out", run, fault=Fault("error", at, errno=number, only=call))
        assert failed.status == 1, failed
        assert failed.err.startswith("pellucid: ") and failed.err.count("\n") == 1, failed.err
        assert os.strerror(number) in failed.err and "cannot be written" in failed.err
        expect_whole(run)
        assert not list(run.rglob("*.tmp")), "what was half-written is removed"
        again = go_on(server, COMMANDS[name], run)
        assert again.status == 0, again
        assert_same(remains(run), finished[name].remains)
    cases(share)
