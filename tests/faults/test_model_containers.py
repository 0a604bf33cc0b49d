"""Model files that are damaged or lie: the header, the table of arrays, the data. One error for each, by field."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from containers import craft, table_of, with_header
from limits import needs_limits, read_within

from pellucid.errors import CheckpointError
from pellucid.files import tensor_file


def test_the_crafted_file_is_whole_when_nothing_is_planted(tmp_path: Path) -> None:
    path = craft(tmp_path / "m", table_of(a=("F32", [2], [0, 8]), b=("U8", [1], [8, 9])), b"\0" * 9)
    tensors, _ = tensor_file.read(path)
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
        tensor_file.read(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)


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
        tensor_file.read(path)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_newer_format_says_which_version_is_needed(tmp_path: Path) -> None:
    path = craft(tmp_path / "m", table_of(a=("F8_E4M3", [1], [0, 1])), b"1", inner='{"format_version":7}')
    with pytest.raises(CheckpointError, match=r"format version 7.*reads up to 2.*install a newer"):
        tensor_file.read(path)


def test_truncation_at_every_byte_is_refused(tmp_path: Path, cases: Callable[[int], None]) -> None:
    path = tmp_path / "m.safetensors"
    tensor_file.write(path, {"a": np.arange(5, dtype=np.float32)}, {"k": 1})
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(CheckpointError):
            tensor_file.read(path)
    cases(len(raw))


def test_a_flipped_bit_anywhere_is_refused_or_harmless(tmp_path: Path, cases: Callable[[int], None]) -> None:
    """Harmless: only the header's own punctuation and the padding may change, never what is read."""
    path = tmp_path / "m.safetensors"
    tensors = {"a": np.arange(5, dtype=np.float32)}
    tensor_file.write(path, tensors, {"k": "ü"})
    raw = bytearray(path.read_bytes())
    refused = 0
    for bit in range(len(raw) * 8):
        raw[bit // 8] ^= 1 << bit % 8
        path.write_bytes(raw)
        raw[bit // 8] ^= 1 << bit % 8
        try:
            read, metadata = tensor_file.read(path)
        except CheckpointError:
            refused += 1
        else:
            assert metadata == {"k": "ü"}
            np.testing.assert_array_equal(read["a"], tensors["a"])
    assert refused > 0.9 * len(raw) * 8
    cases(len(raw) * 8)


def test_a_changed_weight_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensor_file.write(path, {"a": np.arange(5, dtype=np.float32)}, {"k": 1})
    raw = path.read_bytes()
    path.write_bytes(raw[:-3] + bytes([raw[-3] ^ 1]) + raw[-2:])
    with pytest.raises(CheckpointError, match="changed or damaged"):
        tensor_file.read(path)


@pytest.mark.parametrize("where", ["missing.safetensors", ".", "pipe"])
def test_what_is_no_file_is_refused(tmp_path: Path, where: str) -> None:
    if where == "pipe":
        os.mkfifo(tmp_path / where)
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        tensor_file.read(tmp_path / where)


@needs_limits
def test_no_header_takes_more_memory_than_its_own_length_many_times(
    tmp_path: Path, cases: Callable[[int], None]
) -> None:
    """Ten megabytes of JSON become at most some hundred of objects; sizes that a header only claims take none."""
    full = 9_990_000
    contents = {
        "lists": with_header(b'{"a":[' + b"[]," * (full // 3) + b"[]]}"),
        "objects": with_header(b'{"a":[' + b"{}," * (full // 3) + b"{}]}"),
        "deep": with_header(b'{"a":' + b"[" * full),
        "long number": with_header(b'{"a":' + b"1" * full + b"}"),
        "length": with_header(b"{}", 2**63),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    craft(tmp_path / "many", table_of(**{f"a{i}": ("U8", [0], [0, 0]) for i in range(100_000)}))
    craft(tmp_path / "claimed", table_of(a=(F, [2**40, 2**10], [0, 2**52])))
    with open(tmp_path / "hollow", "wb") as file:  # a terabyte that takes no room on the disk
        file.truncate(2**40)
    names = [*contents, "many", "claimed", "hollow"]
    told = read_within(
        700, "from pellucid.files import tensor_file", "tensor_file.read", [tmp_path / name for name in names]
    )
    assert [name for name, text in zip(names, told, strict=True) if text == "read"] == ["many"], told
    assert all(text == "read" or text.startswith("CheckpointError") for text in told)
    cases(len(names))
