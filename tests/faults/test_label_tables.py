"""Tables of labels from strangers: each fault is one error, in bounded time and memory, and no row leads outside."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from picture_files import write

from pellucid import datasets
from pellucid.datasets.tables import MOST_BYTES, read_table
from pellucid.errors import PellucidError

WHOLE = "file,label\np0.png,a\np1.png,b\np2.png,a\np3.png,b\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures, and one beside their folder that is none of theirs."""
    root = tmp_path_factory.mktemp("labelled") / "photos"
    for number in range(4):
        write(root / f"p{number}.png", size=(8, 8), colour=(60 * number, 9, 9))
    write(root.parent / "secret.png", size=(8, 8), colour=(1, 2, 3))
    return root


def refused(folder: Path, table: Path) -> str:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PellucidError) as error:
        datasets.load(folder, labels=table)
    assert time.perf_counter() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 3 * MOST_BYTES // 1024
    said = str(error.value)
    assert "\n" not in said and len(said) < 2000 and said.isprintable()
    return said


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n\n",
        b"\x00" * 5000,
        bytes(range(256)) * 20,
        b"file,label\np0.png,\x00\x00\np1.png,b\n",
        b'file,label\np0.png,"a\n' + b"x" * 200_000,
        b"file,label\np0.png," + b"a" * 300_000 + b"\np1.png,b\n",
        b"\xff\xfef\x00i\x00l\x00e\x00",
        b"\x1f\x8b\x08\x00" + b"z" * 300,
        b"file,label\n" + b"p0.png," * 50_000 + b"\n",
        b"file," + b",".join(b"c%d" % n for n in range(20_000)) + b"\np0.png,1\n",
        b"file,file\np0.png,p0.png\np1.png,p1.png\n",
        b"file,label\n\x1b[2J\x1b]0;gone\x07,a\np1.png,b\n",
        WHOLE.replace("p3", "../secret").encode(),
        WHOLE.replace("p3", "/etc/passwd\x00").encode(),
        "file,label\np0.png,\u202ea\np1.png,\u202ea\n".encode(),
    ],
    ids=range(16),
)
def test_a_damaged_table_is_refused_in_one_line(folder: Path, tmp_path: Path, data: bytes) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(data)
    refused(folder, table)


def test_a_table_without_end_is_not_read(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    with open(table, "wb") as file:
        file.truncate(20 << 30)  # takes no room on the disk
    assert f"more than {MOST_BYTES:,} bytes" in refused(folder, table)


@pytest.mark.parametrize("kind", ["folder", "dangling", "loop", "fifo"])
def test_what_is_no_file_is_no_table(folder: Path, tmp_path: Path, kind: str) -> None:
    table = tmp_path / "labels.csv"
    if kind == "folder":
        table.mkdir()
    elif kind == "fifo":
        os.mkfifo(table)
    else:
        table.symlink_to(table.name if kind == "loop" else "nowhere")
    refused(folder, table)


@pytest.mark.parametrize(
    "name", ["../secret.png", "../photos/../secret", "photos/../../secret.png", "{root}/secret.png"]
)
def test_no_row_leads_out_of_the_folder(folder: Path, tmp_path: Path, name: str) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(WHOLE.replace("p3.png", name.format(root=folder.parent)))
    assert "no picture" in refused(folder, table)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(WHOLE)), st.binary(max_size=6), st.integers(0, 4))
def test_any_change_is_a_table_or_an_error(tmp_path: Path, at: int, put: bytes, cut: int) -> None:
    whole = WHOLE.encode()
    table = tmp_path / "labels.csv"
    table.write_bytes(whole[:at] + put + whole[at + cut :])
    try:
        found = read_table(table)
    except PellucidError as error:
        assert "\n" not in str(error)
    else:
        assert all(isinstance(label, str) for row in found.rows for label in row.labels)
