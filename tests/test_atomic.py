"""Writing whole files: what is there before, between and after, and in which order the disk hears of it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pellucid import atomic
from pellucid.errors import CheckpointError


def write(path: Path, content: bytes = b"whole") -> None:
    with atomic.replacing(path) as file:
        file.write(content)


def test_the_old_file_survives_a_failing_write(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    write(path)
    before = path.read_bytes()

    def fails() -> None:
        with atomic.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.bin"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        write(tmp_path / "m.bin")
    assert os.listdir(tmp_path) == []


def test_file_and_folder_are_flushed_before_and_after_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def noted(name: str, real: Callable[..., None]) -> Callable[..., None]:
        def call(*args: Any) -> None:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            done.append("fsync folder" if folder else name)
            real(*args)

        return call

    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(name, getattr(os, name)))
    write(tmp_path / "m.bin")
    assert done == ["fsync", "replace", "fsync folder"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere/m\.bin: cannot be written: No such file"):
        write(tmp_path / "nowhere" / "m.bin")


def test_the_file_has_the_usual_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        write(tmp_path / "m.bin")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "m.bin").stat().st_mode) == 0o640
    link = tmp_path / "link"
    link.symlink_to("m.bin")
    write(link, b"other")
    assert link.is_symlink()
    assert (tmp_path / "m.bin").read_bytes() == b"other"
