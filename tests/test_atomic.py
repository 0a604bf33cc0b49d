"""Writing whole files: what is there before, between and after, and in which order the disk hears of it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pellucid
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files import atomic


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
    def full(*args: object, **options: object) -> None:
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
        def call(*args: Any, **options: Any) -> None:
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            done.append("fsync folder" if folder else name)
            real(*args, **options)

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


def test_an_existing_file_keeps_its_mode_and_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "m.bin"
    write(path, b"old")
    path.chmod(0o600)
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    before = path.stat()
    write(path)
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino and path.read_bytes() == b"whole"


def test_a_pipe_and_a_device_are_written_into_and_stay(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reader, 100) == b"whole" and stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)
    (tmp_path / "link").symlink_to("/dev/full")
    with pytest.raises(CheckpointError, match=r"link: cannot be written: No space left on device"):
        write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink() and stat.S_ISCHR(os.stat("/dev/full").st_mode)
    assert sorted(os.listdir(tmp_path)) == ["link", "pipe"]


def test_the_output_of_this_process_is_no_file_to_replace(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pellucid.files.atomic import replacing\n"
        "print('before', flush=True)\n"
        "with replacing('/dev/stdout') as file: file.write(b'whole\\n')\n"
        "print('after')"
    )
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "before\nwhole\nafter\n"


@pytest.mark.parametrize("name", ["a\0b", "n" * 5000, "d/" * 3000 + "m.bin", "\ud800"], ids=ascii)
def test_no_name_is_too_strange(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="cannot be written"):
        write(tmp_path / name)
    with pytest.raises(ConfigError, match="load: path must be a path"):
        pellucid.load(str(tmp_path / name))
    assert os.listdir(tmp_path) == []
