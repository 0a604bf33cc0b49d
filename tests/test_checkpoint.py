"""The model file: round trips, an independent reader (safetensors), and one error for each malformation."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import checkpoint
from pellucid.errors import CheckpointError, PellucidError

TENSORS = {
    "conv1.kernel": np.arange(2 * 3 * 1 * 4, dtype=np.float32).reshape(2, 3, 1, 4) / 7,
    "conv1.bias": np.array([0.5, -0.0, np.inf, np.nan], np.float32),
    "moment": np.array([[1e300, -1e-300]], np.float64),
    "step": np.array(12345678901, np.int64),
    "order": np.array([3, 1, 2], np.uint16),
    "mask": np.array([[True, False]]),
    "nothing": np.zeros((0, 5), np.float32),
}
METADATA = {
    "layers": [{"type": "Conv2D", "filters": 4}],
    "class_names": ["고양이", "dog"],
    "input": {"shape": [28, 28, 1]},
}


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, TENSORS, METADATA)
    tensors, metadata = checkpoint.read(path)
    assert metadata == METADATA
    assert checkpoint.read_metadata(path) == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape, name
        assert tensors[name].tobytes() == array.tobytes(), name
        tensors[name][...] = 0  # they are the reader's own, and writable


def test_the_safetensors_library_reads_it(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors")
    numpy_side = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, TENSORS, METADATA)
    theirs = numpy_side.load_file(path)
    assert theirs.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(theirs[name], array)
    with library.safe_open(path, "np") as opened:
        assert json.loads(opened.metadata()["pellucid"]) == {"format_version": 1, **METADATA}


def test_arrays_need_not_be_contiguous_or_little_endian(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    checkpoint.write(path, {"t": base.T, "s": base[:, ::2], "big": base.astype(">f4")}, {})
    tensors, _ = checkpoint.read(path)
    np.testing.assert_array_equal(tensors["t"], base.T)
    np.testing.assert_array_equal(tensors["s"], base[:, ::2])
    np.testing.assert_array_equal(tensors["big"], base)


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        checkpoint.write(tmp_path / name, TENSORS, METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_wide_items_are_aligned(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, {"byte": np.ones(3, np.uint8), "double": np.ones(2)}, {})
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    assert length % 8 == 0
    assert json.loads(raw[8 : 8 + length])["double"]["data_offsets"] == [0, 16]


@pytest.mark.parametrize(
    ("tensors", "metadata", "words"),
    [
        ({"c": np.ones(2, np.complex64)}, {}, ["'c'", "complex64", "float32"]),
        ({"o": np.array([object()])}, {}, ["'o'", "object"]),
        ({"deep": np.ones((1,) * 9)}, {}, ["'deep'", "9 dimensions", "at most 8"]),
        ({"__metadata__": np.ones(1)}, {}, ["__metadata__"]),
        ({}, {"f": print}, ["metadata", "JSON"]),
        ({}, {"f": float("nan")}, ["metadata", "JSON"]),
        ({}, {"format_version": 3}, ["format_version"]),
        ({"\ud800": np.ones(1)}, {}, ["UTF-8"]),
        ({}, {"long": "x" * 10_000_001}, ["header", "10000000"]),
    ],
)
def test_what_has_no_place_is_refused_and_nothing_is_left(
    tmp_path: Path, tensors: dict[str, Any], metadata: dict[str, Any], words: list[str]
) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(CheckpointError) as caught:
        checkpoint.write(path, tensors, metadata)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert os.listdir(tmp_path) == []


def table_of(**entries: tuple[str, Any, Any]) -> dict[str, Any]:
    return {name: dict(zip(("dtype", "shape", "data_offsets"), entry, strict=True)) for name, entry in entries.items()}


def craft(path: Path, table: Any, data: bytes = b"", inner: str = '{"format_version":1}') -> Path:
    """A file with any header at all, with a right checksum, so that only the planted fault can be what is refused."""
    text = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(
        struct.pack("<Q", len(inner.encode())) + inner.encode() + struct.pack("<Q", len(text)) + text + data
    )
    header = json.dumps({"__metadata__": {"pellucid": inner, "sha256": digest.hexdigest()}, **table}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)
    return path


def test_the_crafted_file_is_whole_when_nothing_is_planted(tmp_path: Path) -> None:
    path = craft(tmp_path / "m", table_of(a=("F32", [2], [0, 8]), b=("U8", [1], [8, 9])), b"\0" * 9)
    tensors, _ = checkpoint.read(path)
    np.testing.assert_array_equal(tensors["a"], np.zeros(2, np.float32))


F = "F32"
MALFORMED: list[tuple[str, Any, bytes, list[str]]] = [
    ("unknown dtype", table_of(a=("F99", [1], [0, 4])), b"1234", ["'a'", "'dtype'", "F99"]),
    ("dtype no text", table_of(a=(7, [1], [0, 4])), b"1234", ["'a'", "'dtype'", "7"]),
    ("shape no list", table_of(a=(F, 1, [0, 4])), b"1234", ["'a'", "'shape'"]),
    ("negative size", table_of(a=(F, [-1], [0, 4])), b"1234", ["'a'", "'shape'", "-1"]),
    ("fractional size", table_of(a=(F, [1.0], [0, 4])), b"1234", ["'a'", "'shape'"]),
    ("true as size", table_of(a=(F, [True], [0, 4])), b"1234", ["'a'", "'shape'"]),
    ("nine dimensions", table_of(a=(F, [1] * 9, [0, 4])), b"1234", ["'a'", "'shape'", "8"]),
    ("overflow", table_of(a=(F, [2**32, 2**32], [0, 0])), b"", ["'a'", "'shape'", "2^63"]),
    ("huge and empty", table_of(a=(F, [0, 2**62, 4], [0, 0])), b"", ["'a'", "'shape'", "2^63"]),
    ("size of 2^64", table_of(a=(F, [2**64], [0, 0])), b"", ["'a'", "'shape'"]),
    ("wrong byte count", table_of(a=(F, [2], [0, 4])), b"1234", ["'a'", "'data_offsets'", "8 bytes"]),
    ("backwards", table_of(a=(F, [1], [4, 0])), b"1234", ["'a'", "'data_offsets'"]),
    ("three offsets", table_of(a=(F, [1], [0, 4, 8])), b"1234", ["'a'", "'data_offsets'"]),
    ("hole", table_of(a=(F, [1], [0, 4]), b=(F, [1], [5, 9])), b"123456789", ["'b'", "hole"]),
    ("overlap", table_of(a=(F, [1], [0, 4]), b=(F, [1], [2, 6])), b"123456", ["'b'", "overlap"]),
    ("same place twice", table_of(a=(F, [1], [0, 4]), b=(F, [1], [0, 4])), b"1234", ["overlap"]),
    ("trailing bytes", table_of(a=(F, [1], [0, 4])), b"12345", ["data", "4 bytes", "5"]),
    ("missing bytes", table_of(a=(F, [1], [0, 4])), b"123", ["data", "4 bytes", "3"]),
    ("no data_offsets", {"a": {"dtype": F, "shape": [1]}}, b"1234", ["'a'", "data_offsets"]),
    ("extra key", {"a": {"dtype": F, "shape": [1], "data_offsets": [0, 4], "run": "x"}}, b"1234", ["'a'"]),
    ("entry no object", {"a": [1]}, b"", ["'a'"]),
    ("bool of 2", table_of(a=("BOOL", [1], [0, 1])), b"\x02", ["'a'", "BOOL"]),
]


@pytest.mark.parametrize(("table", "data", "words"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_each_malformed_table_is_refused_by_field(tmp_path: Path, table: Any, data: bytes, words: list[str]) -> None:
    path = craft(tmp_path / "m.safetensors", table, data)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)


def with_header(header: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header


GOOD_TEXT = '{"__metadata__":{"pellucid":"{\\"format_version\\":1}","sha256":"0"}}'
RAW: list[tuple[str, bytes, list[str]]] = [
    ("empty file", b"", ["header length", "0 bytes"]),
    ("seven bytes", b"1234567", ["header length", "7 bytes"]),
    ("length 2^63", with_header(b"{}", 2**63), ["header length", str(2**63)]),
    ("length past the end", with_header(b"{}", 3), ["header length", "2 bytes"]),
    ("over 10 MB", with_header(b"{" + b" " * 10_000_000), ["header length", "10000001"]),
    ("not UTF-8", with_header(b'{"\xff":1}'), ["header", "UTF-8", "0xff"]),
    ("not JSON", with_header(b"{nope}"), ["header", "JSON"]),
    ("a list", with_header(b"[1]"), ["header", "{"]),
    ("space first", with_header(b" {}"), ["header", "{"]),
    ("a PNG", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, ["header length"]),
    ("HTML", b"<!DOCTYPE html><html></html>", ["header length"]),
    ("NaN", with_header(b'{"a":NaN}'), ["header", "NaN"]),
    ("deep", with_header(b'{"a":' + b"[" * 100_000), ["header", "deep"]),
    ("deep object", with_header(b'{"a":' * 100_000), ["header", "deep"]),
    ("long number", with_header(b'{"a":' + b"1" * 100_000 + b"}"), ["header"]),
    ("twice", with_header(b'{"a":1,"a":2}'), ["header", "'a'", "2 times"]),
    ("twice below", with_header(b'{"a":{"dtype":1,"dtype":2}}'), ["header", "'dtype'"]),
    ("no metadata", with_header(b"{}"), ["__metadata__"]),
    ("metadata a list", with_header(b'{"__metadata__":[]}'), ["__metadata__"]),
    ("metadata of numbers", with_header(b'{"__metadata__":{"pellucid":1}}'), ["__metadata__"]),
    ("somebody else's", with_header(b'{"__metadata__":{"format":"pt"}}'), ["'pellucid'", "none"]),
    ("no checksum", with_header(b'{"__metadata__":{"pellucid":"{}"}}'), ["'sha256'"]),
    ("inner not JSON", with_header(b'{"__metadata__":{"pellucid":"x","sha256":""}}'), ["metadata 'pellucid'", "JSON"]),
    ("inner list", with_header(b'{"__metadata__":{"pellucid":"[]","sha256":""}}'), ["metadata 'pellucid'"]),
    ("no version", with_header(b'{"__metadata__":{"pellucid":"{}","sha256":""}}'), ["'format_version'"]),
    ("wrong checksum", with_header(GOOD_TEXT.encode()), ["changed or damaged"]),
]


@pytest.mark.parametrize(("raw", "words"), [row[1:] for row in RAW], ids=[row[0] for row in RAW])
def test_each_malformed_header_is_refused(tmp_path: Path, raw: bytes, words: list[str]) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(raw)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.read(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_newer_format_says_which_version_is_needed(tmp_path: Path) -> None:
    path = craft(tmp_path / "m", table_of(a=("F8_E4M3", [1], [0, 1])), b"1", inner='{"format_version":7}')
    with pytest.raises(CheckpointError, match=r"format version 7.*reads up to 1.*install a newer"):
        checkpoint.read(path)


def test_truncation_at_every_byte_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, {"a": np.arange(5, dtype=np.float32)}, {"k": 1})
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(CheckpointError):
            checkpoint.read(path)


def test_a_flipped_bit_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    """Harmless: only the header's own punctuation and the padding may change, never what is read."""
    path = tmp_path / "m.safetensors"
    tensors = {"a": np.arange(5, dtype=np.float32)}
    checkpoint.write(path, tensors, {"k": "ü"})
    raw = bytearray(path.read_bytes())
    refused = 0
    for bit in range(len(raw) * 8):
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            read, metadata = checkpoint.read(path)
        except CheckpointError:
            refused += 1
        else:
            assert metadata == {"k": "ü"}
            np.testing.assert_array_equal(read["a"], tensors["a"])
    assert refused > 0.9 * len(raw) * 8


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, TENSORS, METADATA)
    raw = bytearray(path.read_bytes())
    raw[-3] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CheckpointError, match="changed or damaged"):
        checkpoint.read(path)
    assert checkpoint.read_metadata(path) == METADATA


@pytest.mark.parametrize("where", ["missing.safetensors", ".", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, where: str) -> None:
    if where == "pipe":
        os.mkfifo(tmp_path / where)
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        checkpoint.read(tmp_path / where)


def test_the_old_file_survives_a_failing_write(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    checkpoint.write(path, TENSORS, METADATA)
    before = path.read_bytes()

    def fails() -> None:
        with checkpoint.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        checkpoint.write(tmp_path / "m.safetensors", TENSORS, METADATA)
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
    checkpoint.write(tmp_path / "m.safetensors", TENSORS, METADATA)
    assert done == ["fsync", "replace", "fsync folder"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"nowhere/m\.safetensors: cannot be written: No such file"):
        checkpoint.write(tmp_path / "nowhere" / "m.safetensors", TENSORS, METADATA)


def test_the_file_has_the_usual_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    mask = os.umask(0o027)
    try:
        checkpoint.write(tmp_path / "m.safetensors", TENSORS, METADATA)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "m.safetensors").stat().st_mode) == 0o640
    link = tmp_path / "link"
    link.symlink_to("m.safetensors")
    checkpoint.write(link, {"x": np.ones(1)}, {})
    assert link.is_symlink()
    assert checkpoint.read(tmp_path / "m.safetensors")[0].keys() == {"x"}


def test_errors_are_pellucids() -> None:
    assert issubclass(CheckpointError, PellucidError)
