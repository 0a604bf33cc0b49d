"""What differs on Windows, by its rules: locks, names taken from open files, names that are none.

`sharing` is loaded as Windows would load it, over stand-ins that keep the rules of Microsoft's documentation: of
`_locking`, of renaming onto a file that somebody has open, of naming files.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
import threading
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pellucid.datasets import download
from pellucid.errors import CheckpointError
from pellucid.files import atomic, inside, sharing
from pellucid.files.inside import Inside
from pellucid.train import Checkpoints, checkpoints


class Locks(SimpleNamespace):
    """msvcrt: bytes from the current place on are one handle's, who may not take them twice; closing lets go."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[int, int], int] = {}

    def locking(self, handle: int, mode: int, count: int) -> None:
        assert (mode, count) == (self.LK_NBLCK, 1)
        place = os.fstat(handle).st_ino, os.lseek(handle, 0, os.SEEK_CUR)
        assert place[1] >= 1 << 20, "what is written into the file is to be read by others"
        if place in self.held:
            raise OSError(errno.EACCES, "Permission denied")
        self.held[place] = handle

    def close(self, handle: int) -> None:
        self.held = {place: each for place, each in self.held.items() if each != handle}
        os.close(handle)


@pytest.fixture
def locks() -> Locks:
    return Locks()


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch, locks: Locks) -> ModuleType:
    """`sharing` as on Windows, where locks are taken and names too."""
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", locks)
    spec = importlib.util.spec_from_file_location("sharing_on_windows", sharing.__file__)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.undo()
    for user in (download, checkpoints):
        monkeypatch.setattr(user, "sharing", module)
        monkeypatch.setattr(user, "os", SimpleNamespace(**{**vars(os), "close": locks.close}))
    return module


def test_one_process_trains_in_a_folder(windows: ModuleType, locks: Locks, tmp_path: Path) -> None:
    with Checkpoints(tmp_path).locked():
        assert len(locks.held) == 1
        with pytest.raises(CheckpointError, match=f"process {os.getpid()} is training here; wait"):
            Checkpoints(tmp_path).locked().__enter__()
    with Checkpoints(tmp_path).locked():
        pass
    assert not locks.held


def test_a_second_download_waits_and_says_so_once(windows: ModuleType, tmp_path: Path) -> None:
    place, order = tmp_path / ".lock", []

    def second() -> None:
        with download.alone(place, lambda: order.append("waits")):
            order.append("second")

    with download.alone(place):
        waiter = threading.Thread(target=second)
        waiter.start()
        until = time.monotonic() + 60
        while not order and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(2.5 * windows.PAUSE_S)  # it looks several times
        order.append("first")
    waiter.join(60)
    assert order == ["waits", "first", "second"]


def test_a_lock_file_that_cannot_be_removed_stays(
    windows: ModuleType, locks: Locks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(self: Path, missing_ok: bool = False) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file", str(self))

    monkeypatch.setattr(Path, "unlink", unlink)
    for _ in range(2):
        with download.alone(tmp_path / ".lock"):
            pass
    assert not locks.held


def refusing(times: int, winerror: int | None, tries: list[object]) -> Any:
    """os.replace where the file is open elsewhere, so many times."""

    def replace(*args: object, **options: Any) -> None:
        tries.append(args)
        if len(tries) <= times:
            error = PermissionError(errno.EACCES, "Access is denied")
            if winerror is not None:
                error.winerror = winerror  # type: ignore[attr-defined]
            raise error
        os.rename(*args, **options)  # type: ignore[arg-type]

    return replace


@pytest.mark.parametrize("winerror", [5, 32])
def test_a_name_is_taken_when_its_reader_has_closed_it(
    winerror: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").write_bytes(b"old")
    tries: list[object] = []
    monkeypatch.setattr(sharing, "os", SimpleNamespace(**{**vars(os), "replace": refusing(3, winerror, tries)}))
    with atomic.replacing(tmp_path / "model") as file:
        file.write(b"new")
    assert (tmp_path / "model").read_bytes() == b"new" and len(tries) == 4


@pytest.mark.parametrize(("winerror", "patience"), [(32, 0.03), (None, 60.0)])
def test_a_name_that_cannot_be_taken_is_said_and_nothing_lost(
    winerror: int | None, patience: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stays, and a folder without the right to write, which no waiting changes."""
    (tmp_path / "model").write_bytes(b"old")
    tries: list[object] = []
    monkeypatch.setattr(sharing, "PATIENCE_S", patience)
    monkeypatch.setattr(sharing, "os", SimpleNamespace(**{**vars(os), "replace": refusing(10**6, winerror, tries)}))
    with pytest.raises(CheckpointError, match="cannot be written"), atomic.replacing(tmp_path / "model") as file:
        file.write(b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["model"] and (tmp_path / "model").read_bytes() == b"old"
    assert len(tries) > 1 if winerror else len(tries) == 1


@pytest.mark.parametrize(
    "name",
    [
        "CON",
        "aux",
        "nul.png",
        "Com1.txt",
        "LPT9",
        "con .json",
        "C:model",
        "model.npz:stream",
        "a?b",
        "x.",
        "x ",
        "a\\b",
    ],
)
def test_what_is_no_file_on_windows_is_no_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "WINDOWS", True)
    with pytest.raises(CheckpointError, match="is no name of a file in a folder"):
        Inside(tmp_path) / name


@pytest.mark.parametrize("name", ["console", "aux-net", "com10", "model.safetensors", "고양이 1.png", ".lock", "null"])
def test_what_only_looks_like_it_is_one(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "WINDOWS", True)
    assert (Inside(tmp_path) / name).name == name
