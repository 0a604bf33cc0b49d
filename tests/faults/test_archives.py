"""Archives from strangers: members with names, kinds and lengths that a data set has no need of."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import needs_limits, read_within

from pellucid.datasets.archive import unpack
from pellucid.errors import DataError

Cases = Callable[[int], None]


def member(name: str, content: bytes = b"", **attributes: Any) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, content


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return path


def everything_under(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "name", ["../../up.bin", "/etc/up.bin", "deep/up.bin", "..\\up.bin/up.bin", "into/../../up.bin", "up.bin"]
)
def test_a_member_is_written_under_its_bare_name_and_nowhere_else(tmp_path: Path, name: str) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = archive(
        inner / "x.tar.gz", member(name, b"1"), member("../../other.bin", b"2"), member("/tmp/third.bin", b"3")
    )
    unpack(path, ["up.bin"], inner / "into", max_bytes=1 << 20)
    assert everything_under(tmp_path) == {"a", "a/b", "a/b/x.tar.gz", "a/b/into", "a/b/into/up.bin"}
    assert (inner / "into" / "up.bin").read_bytes() == b"1"


@pytest.mark.parametrize(
    "attributes",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"},
        {"type": tarfile.LNKTYPE, "linkname": "../../../etc/passwd"},
        {"type": tarfile.SYMTYPE, "linkname": "secret"},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
        {"type": tarfile.BLKTYPE, "devmajor": 8, "devminor": 0},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.DIRTYPE},
    ],
)
def test_links_devices_and_folders_are_no_files(tmp_path: Path, attributes: dict[str, Any]) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = archive(tmp_path / "x.tar.gz", member("data.bin", **attributes))
    with pytest.raises(DataError, match=r"x\.tar\.gz: expected data\.bin inside, not found"):
        unpack(path, ["data.bin"], tmp_path / "into", max_bytes=1 << 20)
    assert everything_under(tmp_path) == {"secret", "x.tar.gz", "into"}


def test_a_link_where_the_file_belongs_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "into").mkdir()
    (tmp_path / "into" / "data.bin").symlink_to(tmp_path / "secret")
    path = archive(tmp_path / "x.tar.gz", member("data.bin", b"new", mode=0o4777, uid=0))
    unpack(path, ["data.bin"], tmp_path / "into", max_bytes=1 << 20)
    assert (tmp_path / "secret").read_bytes() == b"secret"
    written = tmp_path / "into" / "data.bin"
    assert not written.is_symlink() and written.read_bytes() == b"new" and not written.stat().st_mode & 0o7111


def test_archives_cut_short_leave_nothing(tmp_path: Path, cases: Cases) -> None:
    path = archive(tmp_path / "b.tar.gz", member("b.bin", np.random.default_rng(0).bytes(5_000)))
    whole = path.read_bytes()
    cuts = range(0, len(whole) - 60, 97)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"b\.tar\.gz: (damaged archive|expected b\.bin inside)"):
            unpack(path, ["b.bin"], tmp_path / "new", max_bytes=1 << 20)
        assert not list((tmp_path / "new").iterdir())
    cases(len(cuts))


def repeated(path: Path, head: bytes, block: bytes, times: int) -> Path:
    with gzip.open(path, "wb", 1) as file:
        file.write(head)
        for _ in range(times):
            file.write(block)
    return path


@needs_limits
def test_bombs_stop_at_the_limit(tmp_path: Path, cases: Cases) -> None:
    """An eighth of a gigabyte in little, as contents and as what the library reads whole, with 60 MB."""
    huge = tarfile.TarInfo("data.bin")
    huge.size = 128 << 20
    names = tarfile.TarInfo("long")
    names.size, names.type = 128 << 20, tarfile.GNUTYPE_LONGNAME
    pax = tarfile.TarInfo("pax")
    pax.size, pax.type = 128 << 20, tarfile.XHDTYPE
    empty = member("empty")[0].tobuf()
    paths = [
        repeated(tmp_path / "wanted", huge.tobuf(), bytes(1 << 20), 128),
        repeated(tmp_path / "passed over", member("other.bin")[0].tobuf() + huge.tobuf(), bytes(1 << 20), 128),
        repeated(tmp_path / "name", names.tobuf(), b"n" * (1 << 20), 128),
        repeated(tmp_path / "pax", pax.tobuf(), b"1" * (1 << 20), 128),
        repeated(tmp_path / "members", empty * 20, empty * 20, 5000),
    ]
    reader = f"lambda path: unpack(path, ['data.bin'], Path({str(tmp_path / 'into')!r}), max_bytes=20 << 20)"
    told = read_within(60, "from pellucid.datasets.archive import unpack", reader, paths)
    assert all("unpacks to more than 20971520 bytes" in text for text in told[:4]), told
    assert "more than 10000 members" in told[4]
    assert not list((tmp_path / "into").iterdir())
    cases(len(paths))
