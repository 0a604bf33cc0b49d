"""The model file: round trips, an independent reader (safetensors), and one error for each malformation."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid.errors import CheckpointError, PellucidError
from pellucid.files import tensor_file

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
    tensor_file.write(path, TENSORS, METADATA)
    tensors, metadata = tensor_file.read(path)
    assert metadata == METADATA
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        assert tensors[name].dtype == array.dtype and tensors[name].shape == array.shape, name
        assert tensors[name].tobytes() == array.tobytes(), name
        tensors[name][...] = 0  # they are the reader's own, and writable


def test_the_safetensors_library_reads_it(tmp_path: Path) -> None:
    library = pytest.importorskip("safetensors")
    numpy_side = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "m.safetensors"
    tensor_file.write(path, TENSORS, METADATA)
    theirs = numpy_side.load_file(path)
    assert theirs.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(theirs[name], array)
    with library.safe_open(path, "np") as opened:
        assert json.loads(opened.metadata()["pellucid"]) == {"format_version": tensor_file.FORMAT_VERSION, **METADATA}


def test_arrays_need_not_be_contiguous_or_little_endian(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    base = np.arange(12, dtype=np.float32).reshape(3, 4)
    tensor_file.write(path, {"t": base.T, "s": base[:, ::2], "big": base.astype(">f4")}, {})
    tensors, _ = tensor_file.read(path)
    np.testing.assert_array_equal(tensors["t"], base.T)
    np.testing.assert_array_equal(tensors["s"], base[:, ::2])
    np.testing.assert_array_equal(tensors["big"], base)


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        tensor_file.write(tmp_path / name, TENSORS, METADATA)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_wide_items_are_aligned(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensor_file.write(path, {"byte": np.ones(3, np.uint8), "double": np.ones(2)}, {})
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
        tensor_file.write(path, tensors, metadata)
    assert all(word in str(caught.value) for word in [str(path), *words]), str(caught.value)
    assert os.listdir(tmp_path) == []


def test_errors_are_pellucids() -> None:
    assert issubclass(CheckpointError, PellucidError)
