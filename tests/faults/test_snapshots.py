"""The snapshots of a run that somebody else made: .npz files that unfold, lie about themselves, or ask for pickle."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import needs_limits, read_within

from pellucid.errors import CheckpointError
from pellucid.train.snapshots import histogram, read_snapshot

Cases = Callable[[int], None]

NAME = "weights/a"
HONEST = {**histogram(NAME, np.linspace(-1, 2, 1000)), "filters": np.ones((3, 2, 1, 4), np.float32)}


def npy(array: Any, **changed: str) -> bytes:
    """An array as .npy has it; its header with texts changed, of equal length."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array))
    data = out.getvalue()
    for old, new in changed.items():
        assert data.count(old.encode()) == 1
        data = data.replace(old.encode(), new.encode())
    return data


def archive(path: Path, packing: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", packing) as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return path


def lying(path: Path, size: int, packing: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    """An archive whose directory gives every member another length."""
    data = bytearray(archive(path, packing, **members).read_bytes())
    place = data.find(b"PK\x01\x02")
    while place >= 0:
        data[place + 24 : place + 28] = struct.pack("<L", size)
        place = data.find(b"PK\x01\x02", place + 1)
    path.write_bytes(data)
    return path


def both(path: Path) -> None:
    for filters in (False, True):
        read_snapshot(path, filters=filters)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "epoch-000.npz"
    np.savez_compressed(path, **HONEST)  # type: ignore[arg-type]
    assert list(read_snapshot(path, filters=True)) == ["filters"]
    found = {**read_snapshot(path, filters=False), **read_snapshot(path, filters=True)}
    assert list(found) == list(HONEST)
    for name, array in HONEST.items():
        np.testing.assert_array_equal(found[name], array)
    np.savez(path, filters=np.asfortranarray(HONEST["filters"]))
    np.testing.assert_array_equal(read_snapshot(path, filters=True)["filters"], HONEST["filters"])


COUNTS = np.arange(64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npy(COUNTS)[:-1], r"has 511 bytes, its shape is \(64,\)"),
        (npy(COUNTS) + b"x", "has 513 bytes"),
        (npy(COUNTS, **{"(64,)": "(65,)"}), r"has 512 bytes, its shape is \(65,\)"),
        (npy(COUNTS, **{"(64,), }     ": "(64,2**9), }"}), "is no array"),
        (npy(COUNTS, **{"(64,), }             ": "(1099511627776,), }  "}), r"its shape is \(1099511627776,\)"),
        (npy(COUNTS, **{"(64,), }   ": "(-8,-8), } "}), "is no array of numbers"),
        (npy(COUNTS, **{"<i8": "|O8"}), "is no array of numbers"),
        (npy(COUNTS, **{"<i8": "<U2"}), "is no array of numbers"),
        (npy(COUNTS, **{"<i8": "<M8"}), "is no array of numbers"),
        (npy(COUNTS, **{"<i8": "???"}), "is no array"),
        (npy(np.zeros(8, [("x", "i8")])), "is no array of numbers"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 500, "is no array"),
        (b"\x93NUMPY\x09\x00" + bytes(99), "is no array"),
        (b"", "is no array"),
        (npy(COUNTS, **{"(64,), }": "((64,), "}), "is no array"),  # found by fuzzing: NumPy's reader raised TokenError
        (npy(np.zeros((1,) * 9)), "its shape is"),
        (b"cos\nsystem\n(S'touch canary'\ntR.", "is no array"),
        (npy(np.zeros(300)), "takes 2528 bytes, at most 1536 are expected"),
    ],
)
def test_arrays_that_are_none_are_named(tmp_path: Path, data: bytes, words: str) -> None:
    path = archive(tmp_path / "epoch-000.npz", **{NAME: data})
    with pytest.raises(CheckpointError, match=rf"epoch-000\.npz: cannot be read: 'weights/a.*{words}"):
        both(path)


@pytest.mark.parametrize("packing", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_packings_without_a_limit_are_refused(tmp_path: Path, packing: int) -> None:
    path = lying(tmp_path / "epoch-000.npz", 640, packing, **{NAME: npy(COUNTS)})
    with pytest.raises(CheckpointError, match=r"'weights/a\.npy' is encrypted or packed in an unusual way"):
        both(path)


def test_a_long_name_is_cut_in_the_error(tmp_path: Path) -> None:
    path = archive(tmp_path / "epoch-000.npz", **{"n" * 60_000: b"none"})
    with pytest.raises(CheckpointError, match=r"'n{77}\.\.\.'.* is no array") as caught:
        both(path)
    assert len(str(caught.value)) < 600


@needs_limits
def test_bombs_are_not_unpacked(tmp_path: Path, cases: Cases) -> None:
    """A hundred megabytes of zeros, in an archive of a tenth of one, with 60 MB."""
    zeros = npy(np.zeros(1, np.float32)) + bytes(96 << 20)
    honest = tmp_path / "honest.npz"
    np.savez_compressed(honest, **HONEST)  # type: ignore[arg-type]
    directory = tmp_path / "directory.npz"
    directory.write_bytes(b"PK\x03\x04" + bytes(100) + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**30, 0, 0))
    paths = [
        archive(tmp_path / "histogram.npz", **{NAME: zeros}),
        archive(tmp_path / "filters.npz", filters=zeros),
        lying(tmp_path / "lying.npz", 640, **{NAME: zeros}),
        lying(tmp_path / "lying filters.npz", 15 << 20, filters=zeros),
        directory,
    ]
    reader = "lambda path: [read_snapshot(path, filters=filters) for filters in (False, True)]"
    told = read_within(60, "from pellucid.train.snapshots import read_snapshot", reader, paths, honest)
    assert "takes 100663428 bytes, at most 1536" in told[0] and "takes 100663428 bytes, at most 16778240" in told[1]
    assert all(text.startswith("CheckpointError") and path.name in text for path, text in zip(paths, told, strict=True))
    assert "table of contents takes 1073741824 bytes" in told[4]
    cases(len(paths))


def test_every_cut_and_flip_is_an_error_or_arrays(tmp_path: Path, cases: Cases) -> None:
    whole = tmp_path / "whole.npz"
    np.savez_compressed(whole, **HONEST)  # type: ignore[arg-type]
    data = whole.read_bytes()
    path, refused = tmp_path / "epoch-000.npz", 0
    places = np.random.default_rng(3).integers(0, len(data), 500).tolist()
    for place in places:
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        for content in (data[:place], bytes(flipped)):
            path.write_bytes(content)
            try:
                both(path)
            except CheckpointError as error:
                assert str(error).startswith(f"{path}: cannot be read: ")
                refused += 1
    assert refused > 800  # what is left are dates, and lengths that nobody asks
    cases(2 * len(places))


def test_filters_of_another_kind_are_said(
    command: Callable[..., tuple[int, str, str]], run_folder: Path, tmp_path: Path
) -> None:
    for name in ("run.json", "model.safetensors"):
        (tmp_path / name).write_bytes((run_folder / name).read_bytes())
    (tmp_path / "snapshots").mkdir()
    for filters in (
        np.zeros(4),
        np.zeros((3, 3, 1, 2), np.int64),
        np.zeros((0, 0, 0, 0)),
        np.full((5, 5, 1, 4), np.nan),
    ):
        np.savez(tmp_path / "snapshots" / "epoch-000.npz", filters=filters)
        status, _, err = command("show", "filters", tmp_path, "--out", tmp_path / "f.png")
        assert (status == 1 and err.count("\n") == 1 and err.startswith("pellucid: ")) or status == 0, err
