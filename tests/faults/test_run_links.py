"""Run folders from strangers: nothing in one leads out of it, whatever stands in the place of its files and folders."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzz_folders import interrupted_run
from PIL import Image
from small_model import small

import pellucid
from pellucid.cli import main
from pellucid.errors import CheckpointError
from pellucid.files.inside import MAX_TEXT_BYTES, Inside, read_bytes
from pellucid.runs import run as train_run
from pellucid.runs.resume import resume_run
from pellucid.train import Checkpoints

FILES = ("run.json", "log.jsonl", "model.safetensors", "last.safetensors", "report.html", "curves.png", "filters.png")
FOLDERS = ("checkpoints", "snapshots")
WITHIN = ("checkpoints/lock", "checkpoints/epoch-001.safetensors", "snapshots/epoch-000.npz", "snapshots/epoch-001.npz")
SECRET = b"not yours\n"


def link(place: Path, outside: Path) -> None:
    place.symlink_to(outside.resolve())


def hard_link(place: Path, outside: Path) -> None:
    os.link(outside, place)


def fifo(place: Path, outside: Path) -> None:
    os.mkfifo(place)


def device(place: Path, outside: Path) -> None:
    place.symlink_to("/dev/zero")


def socket_file(place: Path, outside: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        os.chdir(place.parent)  # a socket's path is short
        one.bind(place.name)


def other_kind(place: Path, outside: Path) -> None:
    if outside.is_dir():
        place.write_bytes(b"a file")
    else:
        place.mkdir()


def dangling(place: Path, outside: Path) -> None:
    place.symlink_to(outside.parent / "nowhere")


def loop(place: Path, outside: Path) -> None:
    place.symlink_to(place.name)


KINDS: dict[str, Callable[[Path, Path], None]] = {
    each.__name__: each for each in (link, hard_link, fifo, device, socket_file, other_kind, dangling, loop)
}
RESUME = ["train", "--resume", "RUN", "--epochs", "2", "-q"]
READERS = {
    "run.json": ["evaluate", "RUN"],
    "log.jsonl": ["show", "curves", "RUN"],
    "model.safetensors": ["evaluate", "RUN"],
    "report.html": ["report", "RUN"],
    "curves.png": ["show", "curves", "RUN"],
    "filters.png": ["show", "filters", "RUN"],
    "snapshots": ["show", "histograms", "RUN", "--kind", "weights", "--over-time"],
    "snapshots/epoch-000.npz": ["show", "filters", "RUN"],
    "snapshots/epoch-001.npz": ["show", "histograms", "RUN", "--kind", "weights", "--over-time"],
}
"""A command that reads or writes a place, besides a training that goes on, which writes all but the report."""

TO_COME = (
    *(f"checkpoints/{name}" for name in ("epoch-001.safetensors", "epoch-001-step-00001.safetensors")),
    "snapshots/epoch-001.npz",
    "curves.png",
    "filters.png",
    "answers.csv",
)
"""Names that an interrupted run has not taken yet, and takes when it goes on; a step's checkpoint comes with time."""

LEFT = (".pellucid-0.tmp", "checkpoints/.pellucid-0.tmp", "snapshots/.pellucid-0.tmp")
"""Names like those of files that a killed run has left half-written, which are removed."""

WRITERS = (
    *(f"show {what} RUN --out RUN/{{}}.png" for what in ("curves", "filters", "confusion", "calibration", "mistakes")),
    "show curves RUN RUN --out RUN/{}.png",
    "show architecture RUN --out RUN/{}.svg",
    "show slide RUN --layer conv1 --frames 2 --out RUN/{}.gif",
    "show confusion RUN --json --csv RUN/{}.csv",
    "predict RUN PICTURE --out RUN/{}.json",
    "predict RUN PICTURE --json --csv RUN/{}.csv",
    "report RUN --out RUN/{}.html",
)
"""Every way for a command to write where an option says."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("links") / "run"
    assert main(["train", "--epochs", "1", "--limit", "32", "--test-limit", "8", "-q", "--out", str(run)]) == 0
    (run / "report.html").write_bytes(b"an old report")
    return run


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("links") / "run"
    interrupted_run(run)
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def arranged(finished: Path, folder: Path, place: str, kind: str) -> tuple[Path, Path]:
    """A copy of the run where something else stands in a place, and the folder of what it leads to."""
    run, outside = folder / "run", folder / "outside"
    shutil.copytree(finished, run)
    outside.mkdir()
    target = outside / Path(place).name
    spoiled = run / place
    if place in FOLDERS:
        shutil.copytree(spoiled, target)  # its files would be read, and its checkpoints removed
        (target / ".pellucid-0.tmp").write_bytes(SECRET)
        shutil.rmtree(spoiled)
    else:
        if spoiled.exists():
            shutil.copy(spoiled, target)  # a whole one, which would be read
            spoiled.unlink()
        else:
            target.write_bytes(SECRET)
    KINDS[kind](spoiled, target)
    return run, outside


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hard_link"])
def test_no_command_leaves_the_run(
    kind: str, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, place in enumerate([*FILES, *FOLDERS, *WITHIN]):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        run, outside = arranged(finished, folder, place, kind)
        before, inside = contents(outside), sorted(os.listdir(run))
        commands = [RESUME] * (place != "report.html")
        for command in [*commands, *([READERS[place]] if place in READERS else [])]:
            assert main([word.replace("RUN", str(run)) for word in command]) == 1, (place, command)
            (written,) = capsys.readouterr().err.splitlines()
            assert written.startswith("pellucid: ") and str(run / place) in written, (place, written)
            assert contents(outside) == before, (place, command)
            assert sorted(os.listdir(run)) == inside, (place, command)  # nothing was changed before it was said


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "hard_link"])
def test_a_run_that_goes_on_stays_inside(
    kind: str, begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {str(path.relative_to(begun)) for path in begun.rglob("*")}
    assert not here & {*TO_COME, *LEFT} and {*FOLDERS, "checkpoints/lock", "run.json", "last.safetensors"} <= here
    for number, place in enumerate([*sorted(here), *TO_COME]):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        run, outside = arranged(begun, folder, place, kind)
        before, inside = contents(outside), sorted(os.listdir(run))
        with pytest.raises(CheckpointError, match=re.escape(str(run / place))):
            resume_run(run, verbose=0)
        assert contents(outside) == before and sorted(os.listdir(run)) == inside, place


def test_leftovers_are_removed_and_what_they_lead_to_stays(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(begun, run)
    shutil.copytree(begun, outside)
    for place, kind in zip(LEFT, (link, hard_link, link), strict=True):
        (outside / place).write_bytes(SECRET)
        kind(run / place, outside / place)
    (run / "snapshots" / ".pellucid-1.tmp").symlink_to(outside)
    os.mkfifo(run / "checkpoints" / ".pellucid-1.tmp")
    before = contents(outside)
    monkeypatch.setattr(train_run, "draw", lambda *_: None)
    assert main(["train", "--resume", str(run), "-q"]) == 0
    assert contents(outside) == before and not list(run.rglob("*.tmp"))


def test_a_run_that_becomes_a_link_amid_training_is_not_followed(
    begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outside, moved = tmp_path / "run", tmp_path / "outside", tmp_path / "moved"
    shutil.copytree(begun, run)
    shutil.copytree(begun, outside)
    picture = tmp_path / "picture.png"
    Image.new("L", (28, 28), 80).save(picture)
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(record | {"predict": str(picture)}))
    before, write = contents(outside), train_run.write_record

    def replaced(*arguments: Any) -> None:
        run.rename(moved)
        run.symlink_to(outside)
        write(*arguments)

    monkeypatch.setattr(train_run, "write_record", replaced)
    assert main(["train", "--resume", str(run), "-q"]) == 0
    assert contents(outside) == before
    assert {"answers.csv", "curves.png", "filters.png"} <= set(os.listdir(moved))


@pytest.mark.parametrize("command", WRITERS)
def test_an_option_that_names_a_file_of_a_run_follows_no_link(
    command: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(finished, run)
    outside.mkdir()
    picture = tmp_path / "picture.png"
    Image.new("L", (28, 28), 80).save(picture)
    (run / "sub").symlink_to(outside)
    words = command.replace("PICTURE", str(picture)).replace("RUN", str(run))
    place = Path(next(word for word in words.split() if "{}" in word).format("made"))
    (outside / "file").write_bytes(SECRET)
    place.symlink_to(outside / "file")
    for name in ("made", "sub/made"):
        assert main(words.format(name).split()) == 1
        assert "is a link" in capsys.readouterr().err.splitlines()[-1]
        assert contents(outside) == {"file": SECRET}


def test_other_names_of_its_files_keep_what_they_have(finished: Path, tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    shutil.copytree(finished, outside)
    shutil.copytree(outside, run, copy_function=os.link)
    before = contents(outside)
    assert main(["train", "--resume", str(run), "--epochs", "2", "-q"]) == 0
    assert main(["report", str(run)]) == 0
    assert contents(outside) == before
    assert (run / "log.jsonl").read_text().count("\n") == 4


def test_a_run_that_is_a_link_is_followed(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(finished)
    assert main(["show", "curves", str(tmp_path / "named")]) == 0
    assert pellucid.load(tmp_path / "named").count_params() > 0


def test_a_log_that_gets_another_name_amid_training_is_left_to_it(tmp_path: Path) -> None:
    from pellucid.train.events import Diagnosed, TrainingEnded, TrainingStarted
    from pellucid.train.log import JsonLog

    log = JsonLog(tmp_path / "log.jsonl", {})
    log(TrainingStarted(0, 1, 1, 1, 0, 1, small()))  # type: ignore[arg-type]
    os.link(tmp_path / "log.jsonl", tmp_path / "kept")
    before = (tmp_path / "kept").read_bytes()
    log(Diagnosed("rule", "text", {}, 1))
    log(TrainingEnded("done", 1, 0))
    assert (tmp_path / "kept").read_bytes() == before
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3


def test_a_lock_elsewhere_keeps_what_it_holds(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "other").write_bytes(SECRET)
    (kept / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(CheckpointError, match="lock: is a link"), Checkpoints(kept).locked():
        pass
    (kept / "lock").unlink()
    os.link(tmp_path / "other", kept / "lock")
    with Checkpoints(kept).locked():
        pass
    assert (tmp_path / "other").read_bytes() == SECRET


def test_a_link_that_comes_between_is_not_followed(tmp_path: Path) -> None:
    """Whoever looks first and opens then can be overtaken: the descriptor decides."""
    (tmp_path / "run").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_bytes(SECRET)
    run = Inside(tmp_path / "run")
    run.names()  # opened
    (tmp_path / "run").rename(tmp_path / "moved")
    (tmp_path / "run").symlink_to("other")
    assert (run / "file").kind() is None
    (tmp_path / "moved" / "sub").symlink_to("../other")
    for read in (lambda: read_bytes(run / "sub" / "file"), lambda: (run / "sub").names()):
        with pytest.raises(CheckpointError, match="is a link"):
            read()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc/passwd"])
def test_no_name_leads_out(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no name of a file"):
        Inside(tmp_path) / name


def test_texts_of_a_run_are_bounded(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, commands in {
        "run.json": (["evaluate", "RUN"], ["train", "--resume", "RUN"]),
        "log.jsonl": (["show", "curves", "RUN"], ["report", "RUN"], ["train", "--resume", "RUN"]),
    }.items():
        run = tmp_path / name
        shutil.copytree(finished, run)
        with open(run / name, "r+b") as file:
            file.truncate(20 << 30)  # takes no room on the disk
        for command in commands:
            assert main([word.replace("RUN", str(run)) for word in command]) == 1
            (written,) = capsys.readouterr().err.splitlines()
            assert f"{name}: takes {20 << 30} bytes, at most {MAX_TEXT_BYTES} are read" in written
