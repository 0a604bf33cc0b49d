"""Data sets from strangers: IDX, CIFAR-10 and archives that are damaged, or lie about what they hold."""

from __future__ import annotations

import gzip
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import needs_limits, read_within

from pellucid import datasets
from pellucid.datasets import cifar, idx
from pellucid.errors import DataError

Cases = Callable[[int], None]


# IDX ----------------------------------------------------------------------------------------------------------------


def idx_bytes(array: np.ndarray) -> bytes:
    codes = {"uint8": 8, "int8": 9, "int16": 0xB, "int32": 0xC, "float32": 0xD, "float64": 0xE}
    head = bytes([0, 0, codes[array.dtype.name], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda b: b"\1" + b[1:], "magic number.*starts with bytes 00 00.*got 01 00 08 03"),
        (lambda b: b"", "magic number"),
        (lambda b: b[:2] + b"\x0a" + b[3:], "type: expected one of.*got 0a"),
        (lambda b: b[:3] + b"\x02" + b[4:], "number of dimensions: expected 3.*got 2"),
        (lambda b: b[:9], "sizes: expected 12 bytes for 3 dimensions, got 5"),
        (lambda b: b[:-1], "length: the header promises 2 x 3 x 5.*only 29"),
        (lambda b: b + b"x", "length: the header promises.*but more follow"),
        (lambda b: b[:4] + b"\xff" * 12 + b[16:], "sizes: the header promises 4294967295 x"),
        (lambda b: b[:4] + bytes(4) + b"\xff" * 8 + b[16:], "sizes: the header promises 0 x 4294967295 x"),
        (lambda b: b[:3] + b"\xff" + b[4:], "number of dimensions: expected 3.*got 255"),
    ],
)
def test_damaged_idx_names_file_and_field(
    tmp_path: Path, change: Callable[[bytes], bytes], field: str, packed: bool
) -> None:
    raw = change(idx_bytes(np.arange(30, dtype=np.uint8).reshape(2, 3, 5)))
    path = tmp_path / "broken-idx"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(DataError, match=f"broken-idx: {field}"):
        idx.read_idx(path, ndim=3)


@pytest.mark.parametrize("dims", [0, 9, 255])
def test_as_many_dimensions_as_a_byte_can_say(tmp_path: Path, dims: int) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes([0, 0, 8, dims]) + b"\0\0\0\1" * dims + b"\0")
    with pytest.raises(DataError, match=rf"number of dimensions: expected 1 to 8, got {dims}"):
        idx.read_idx(path)


def test_cut_gzip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.zeros((4, 9, 9), np.uint8)))[:-12])
    with pytest.raises(DataError, match=r"cut\.gz: damaged gzip"):
        idx.read_idx(path)


@pytest.mark.parametrize("packed", [False, True])
def test_idx_cut_at_every_byte_and_flipped_in_every_bit(tmp_path: Path, packed: bool, cases: Cases) -> None:
    """An error of ours, or an array: a file without a checksum cannot tell a changed picture."""
    raw = idx_bytes(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    raw = gzip.compress(raw) if packed else raw
    path = tmp_path / "x"
    flips = [
        raw[: bit // 8] + bytes([raw[bit // 8] ^ 1 << bit % 8]) + raw[bit // 8 + 1 :] for bit in range(len(raw) * 8)
    ]
    read = 0
    for content in [*(raw[:length] for length in range(len(raw))), *flips]:
        path.write_bytes(content)
        try:
            assert idx.read_idx(path).size <= 24
            read += 1
        except DataError as error:
            assert str(error).startswith(str(path))
    assert packed or read > 100
    cases(len(raw) * 9)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((3, 2, 2), np.uint8), np.zeros(2, np.uint8), "holds 3 pictures, but .* holds 2 labels"),
        (np.zeros((1, 2, 2), np.uint8), np.array([10], np.uint8), "expected 0 to 9, got 10"),
        (np.zeros((1, 2, 2), np.float32), np.zeros(1, np.uint8), "expected unsigned bytes"),
    ],
)
def test_idx_pair_is_checked(tmp_path: Path, images: np.ndarray, labels: np.ndarray, message: str) -> None:
    (tmp_path / "x").write_bytes(idx_bytes(images))
    (tmp_path / "y").write_bytes(idx_bytes(labels))
    with pytest.raises(DataError, match=message):
        idx.read_pair(tmp_path / "x", tmp_path / "y", classes=10)


def zeros_in_gzip(path: Path, head: bytes, megabytes: int) -> Path:
    with gzip.open(path, "wb", 1) as file:
        file.write(head)
        for _ in range(megabytes):
            file.write(bytes(1 << 20))
    return path


def sparse(path: Path, head: bytes, length: int) -> Path:
    """A file that is long, and takes no room on the disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(length)
    return path


@needs_limits
def test_no_idx_file_takes_more_memory_than_a_data_set_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cases: Cases
) -> None:
    """With 150 MB: MNIST's 47 and the buffers around them fit, and nothing that a header only claims."""
    head = bytes([0, 0, 8, 3])
    bombs = {
        "2^32 dimensions": sparse(tmp_path / "a", head + b"\xff" * 12, 100),
        "an array as long as its file": sparse(
            tmp_path / "b", head + struct.pack(">3I", 2**20, 2**10, 2**10), 2**40 + 16
        ),
        "gzip with an honest header": zeros_in_gzip(tmp_path / "c", head + struct.pack(">3I", 200, 1024, 1024), 200),
        "gzip with a modest header": zeros_in_gzip(tmp_path / "d", head + struct.pack(">3I", 60_000, 28, 28), 200),
        "a hollow terabyte": sparse(tmp_path / "e", head + struct.pack(">3I", 10, 28, 28), 2**40),
    }
    told = read_within(
        150,
        "from pellucid.datasets import idx",
        "lambda path: idx.read_idx(path, ndim=3, max_bytes=94_080_000)",
        list(bombs.values()),
    )
    for what, text, words in zip(
        bombs,
        told,
        ("sizes:", "at most 94080000 bytes", "at most 94080000 bytes", "but more follow", "but more follow"),
        strict=True,
    ):
        assert text.startswith("DataError") and words in text, f"{what}: {text}"
    place = tmp_path / "data" / "mnist"
    place.mkdir(parents=True)
    for part in ("train", "t10k"):
        os.link(tmp_path / "c", place / f"{part}-images-idx3-ubyte.gz")
        (place / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(200, np.uint8)))
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    with pytest.raises(DataError, match=r"sizes: the header promises 200 x 1024 x 1024 .*at most 94080000"):
        datasets.load("mnist")
    cases(len(bombs) + 1)


# CIFAR-10 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x00" * 3072, r"length: expected a multiple of 3073"),
        (b"", r"length: expected a multiple of 3073 bytes .*got 0"),
        (b"\x00" * 3074, r"length: expected a multiple of 3073"),
        (b"\x0b" + b"\x00" * 3072, r"labels: expected 0 to 9, got 11"),
        (b"\x09" + b"\xff" * 3072 + b"\xff" + b"\x00" * 3072, r"labels: expected 0 to 9, got 255"),
    ],
)
def test_damaged_records(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.bin: {message}"):
        cifar.read_binary(path)


class Planted:
    def __init__(self, call: Any, *arguments: object) -> None:
        self.call = (call, arguments)

    def __reduce__(self) -> Any:
        return self.call


DATA = np.zeros((1, 3072), np.uint8)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"labels": [1]}, "entry 'data'"),
        ([1], "entry 'data'"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [1, 2]}, "entry 'labels'.*2 entries"),
        ({"data": np.zeros((1, 3071), np.uint8), "labels": [1]}, "entry 'data': expected uint8.*got uint8"),
        ({"data": np.zeros((1, 3072), np.int8), "labels": [1]}, "entry 'data'.*got int8"),
        ({"data": DATA, "labels": [10]}, "labels: expected 0 to 9, got 10"),
        ({"data": DATA, "labels": [-1]}, "labels: expected 0 to 9, got -1"),
        ({"data": DATA, "labels": [2**200]}, "labels: expected 0 to 9, got 16069380442589"),
        ({"data": DATA, "labels": [2**5000]}, "refused: a whole number of 5001 bits"),
        ({2**5000: 1, "data": DATA, "labels": [1]}, "refused: a whole number"),
        ({2**200: 1, "data": DATA, "label": [1]}, "entry 'labels'.*NoneType"),
        ({"data": DATA, "labels": np.array([1])}, "entry 'labels'.*ndarray"),
        ({"data": DATA, "labels": [1.0]}, "entry 'labels'"),
        ({"data": DATA, "labels": "1"}, "entry 'labels'"),
    ],
)
def test_damaged_batches(tmp_path: Path, batch: object, message: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(pickle.dumps(batch))
    with pytest.raises(DataError, match=rf"/a: {message}"):
        cifar.read_python(path)


@pytest.mark.parametrize("where", ["value", "key", "inside"])
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_batch_with_a_planted_call_runs_nothing(tmp_path: Path, where: str, protocol: int) -> None:
    canary = tmp_path / "canary"
    trap = Planted(os.system, f"touch {canary}")
    batch: dict[Any, Any] = {b"data": DATA, b"labels": [1]}
    if where == "value":
        batch[b"data"] = trap
    elif where == "key":
        batch[trap] = 1
    else:
        batch[b"labels"] = [trap]
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(batch, protocol))
    with pytest.raises(DataError, match=r"data_batch_1: refused: the name (posix|nt)\.system"):
        cifar.read_python(path)
    assert not canary.exists()


def test_an_error_quotes_little_of_the_file(tmp_path: Path) -> None:
    """Found by fuzzing: the name that is refused may be as long as the file."""
    path = tmp_path / "a"
    for content in (b"c" + b"x" * 50_000 + b"\nname\n.", b"\x80\x04X\x50\xc3\0\0" + b"y" * 50_000 + b"\x8c\1z\x93."):
        path.write_bytes(content)
        with pytest.raises(DataError, match="refused: the name") as caught:
            cifar.read_python(path)
        assert len(str(caught.value)) < 700


@needs_limits
def test_no_batch_takes_more_memory_than_its_file(tmp_path: Path, cases: Cases) -> None:
    """With 150 MB, for files of a few megabytes, and for some that only seem to be long."""
    shared = b"\x80\x02X\x00\x00\x10\x00" + b"a" * 2**20 + b"q\x00]q\x01"
    contents = {
        "lists": b"\x80\x02" + b"]" * 2_000_000 + b".",
        "dicts": b"\x80\x02" + b"}" * 2_000_000 + b".",
        "nested": b"\x80\x02" + b")" + b"\x85" * 2_000_000 + b".",
        "doubled": b"\x80\x02]" + b"2" * 2_000_000 + b".",
        "copies": shared + b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86Ra" * 5000 + b".",
        "long number": b"\x80\x02\x8b" + struct.pack("<i", 2_000_000) + b"\x7f" * 2_000_000 + b".",
        "digits": b"L" + b"9" * 2_000_000 + b"L\n.",
        "text beyond the end": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        "frame beyond the end": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"N.",
        "memo": b"\x80\x02N" + b"r\xff\xff\xff\x7f" * 600_000 + b".",
    }
    paths = []
    for name, content in contents.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    paths.append(sparse(tmp_path / "hollow", b"\x80\x02", 2**40))
    told = read_within(150, "from pellucid.datasets import cifar", "cifar.read_python", paths)
    assert all(text.startswith("DataError") for text in told), "\n".join(told)
    records = sparse(tmp_path / "hollow.bin", b"", 3073 * 2**30)
    (text,) = read_within(50, "from pellucid.datasets import cifar", "cifar.read_binary", [records])
    assert "at most 60000 are read" in text
    cases(len(paths) + 1)


# What is no file ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", [idx.read_idx, cifar.read_binary, cifar.read_python])
def test_pipes_folders_and_nothing_are_refused_without_waiting(tmp_path: Path, reader: Callable[[Path], Any]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to("loop")
    for name in ("pipe", "zero", "loop", ".", "absent"):
        with pytest.raises(DataError, match=str(tmp_path)):
            reader(tmp_path / name)
