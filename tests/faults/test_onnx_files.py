"""ONNX files from strangers: damaged, hostile in size, or with data elsewhere; each is one line, soon."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from limits import needs_limits, read_within

import pellucid
from pellucid.errors import CheckpointError

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
helper, tensors = onnx.helper, onnx.numpy_helper


def model(*, kernel: Any = None, shape: tuple[Any, ...] = ("N", 3, 8, 8), nodes: Any = None, opset: int = 18) -> Any:
    """One convolution, unless other nodes are given."""
    weights = tensors.from_array(np.ones((4, 3, 3, 3), np.float32), "w") if kernel is None else kernel
    info = helper.make_tensor_value_info
    made = [helper.make_node("Conv", ["x", "w"], ["y"], "conv")] if nodes is None else nodes
    graph = helper.make_graph(made, "g", [info("x", 1, shape)], [info("y", 1, None)], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def declared(*sizes: int, kind: int = 1) -> Any:
    """A tensor that says it is large, with no numbers."""
    tensor = onnx.TensorProto(name="w", data_type=kind)
    tensor.dims.extend(sizes)
    return tensor


def outside(location: str, **more: str) -> Any:
    tensor = declared(4, 3, 3, 3)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in {"location": location, **more}.items():
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


def chain(count: int, operator: str = "Relu") -> Any:
    names = ["x", *(f"v{i}" for i in range(count - 1)), "y"]
    return [helper.make_node(operator, [a], [b]) for a, b in itertools.pairwise(names)]


def filled(*sizes: int) -> Any:
    shape = helper.make_node("Constant", [], ["s"], value=tensors.from_array(np.array(sizes, np.int64)))
    return [shape, helper.make_node("ConstantOfShape", ["s"], ["k"]), helper.make_node("Conv", ["x", "k"], ["y"])]


FAULTS: dict[str, tuple[Callable[[], Any], str]] = {
    "sizes of 1e18": (lambda: model(kernel=declared(10**18)), "at most"),
    "sizes whose product is large": (lambda: model(kernel=declared(2**31, 2**31, 2**31)), "at most"),
    "negative sizes": (lambda: model(kernel=declared(-1, 3)), "has sizes"),
    "sizes without numbers": (lambda: model(kernel=declared(4, 3, 3, 3)), "has no numbers"),
    "another type": (lambda: model(kernel=declared(4, kind=99)), "cannot be read"),
    "text": (lambda: model(kernel=tensors.from_array(np.array(["a", "b"], object), "w")), "has no numbers"),
    "data above the folder": (lambda: model(kernel=outside("../secret")), "only files in its own folder"),
    "data at an absolute path": (lambda: model(kernel=outside("/etc/passwd")), "only files in its own folder"),
    "data behind a backslash": (lambda: model(kernel=outside("a\\b")), "only files in its own folder"),
    "data nowhere": (lambda: model(kernel=outside("none.bin")), "cannot be read"),
    "data in a link": (lambda: model(kernel=outside("link.bin")), "link"),
    "data in a linked folder": (lambda: model(kernel=outside("linked/secret.bin")), "linked"),
    "data too short": (lambda: model(kernel=outside("short.bin")), "takes 432 bytes"),
    "data behind the end": (lambda: model(kernel=outside("short.bin", offset="99")), "takes 432 bytes"),
    "a place that is no number": (lambda: model(kernel=outside("short.bin", offset="x")), "no number"),
    "a cycle": (
        lambda: model(nodes=[helper.make_node("Add", ["x", "y"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]),
        "which nothing before it gives",
    ),
    "a missing array": (lambda: model(nodes=[helper.make_node("Conv", ["x", "v"], ["y"])]), "which nothing before it"),
    "no output": (lambda: model(nodes=[helper.make_node("Relu", ["x"], ["z"])]), "that no node gives"),
    "10,000 layers": (lambda: model(nodes=chain(10_000)), "more than 1000 layers"),
    "30,000 nodes": (lambda: model(nodes=chain(30_000)), "at most 20000 are read"),
    "10,000 nodes without a layer": (lambda: model(nodes=chain(10_000, "Sin")), "Sin (10000 times)"),
    "a picture of 1e18 pixels": (lambda: model(shape=("N", 3, 10**9, 10**9)), "a side can be"),
    "a picture of 1e12 pixels": (lambda: model(shape=("N", 3, 2**20, 2**20)), "x"),
    "a picture of any size": (lambda: model(shape=("N", 3, "H", "W")), "has no fixed size"),
    "a row of names": (lambda: model(shape=()), "axes"),
    "a constant of 1e15 numbers": (lambda: model(nodes=filled(10**5, 10**5, 10**5)), "more than can be held"),
    "a stride of 0": (
        lambda: model(nodes=[helper.make_node("Conv", ["x", "w"], ["y"], strides=[0, 0])]),
        "cannot be expressed",
    ),
    "strides of one": (
        lambda: model(nodes=[helper.make_node("Conv", ["x", "w"], ["y"], strides=[1])]),
        "cannot be expressed",
    ),
    "a constant without a value": (lambda: model(nodes=[helper.make_node("Constant", [], ["y"])]), "it has no value"),
    "an output without a name": (
        lambda: model(nodes=[helper.make_node("Relu", ["x"], [""]), helper.make_node("Relu", ["x"], ["z"])]),
        "that no node gives",
    ),
    "the same axis twice": (
        lambda: model(
            nodes=[helper.make_node("Unsqueeze", ["x", "w"], ["y"])],
            kernel=tensors.from_array(np.array([2, 2]), "w"),
        ),
        "the same twice",
    ),
    "repeated 1e9 times": (
        lambda: model(
            nodes=[helper.make_node("Tile", ["x", "w"], ["y"])],
            kernel=tensors.from_array(np.array([1, 1, 10**9, 1]), "w"),
        ),
        "places, where 1 to",
    ),
    "opset 3": (lambda: model(opset=3), "7 to"),
    "opset 999": (lambda: model(opset=999), "7 to"),
    "resized to 1e9": (
        lambda: model(
            nodes=[helper.make_node("Resize", ["x", "", "s"], ["y"])],
            kernel=tensors.from_array(np.array([1, 1, 1e9, 1e9], np.float32), "s"),
        ),
        "cannot be expressed",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret.bin").write_bytes(b"\0" * 432)
    own = tmp_path / "own"
    own.mkdir()
    (own / "short.bin").write_bytes(b"\0" * 100)
    (own / "link.bin").symlink_to(tmp_path / "away" / "secret.bin")
    (own / "linked").symlink_to(tmp_path / "away")
    return own


@pytest.mark.parametrize("name", FAULTS)
def test_each_is_one_line(name: str, folder: Path) -> None:
    make, message = FAULTS[name]
    path = folder / "m.onnx"
    path.write_bytes(make().SerializeToString())
    with pytest.raises(CheckpointError) as caught:
        pellucid.load(path)
    text = str(caught.value)
    assert message in text and "\n" not in text and str(path) in text and len(text) < 3000, text


def test_data_in_its_own_folder_is_read(folder: Path) -> None:
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    (folder / "w.bin").write_bytes(b"1234" + kernel.tobytes())
    path = folder / "m.onnx"
    path.write_bytes(model(kernel=outside("w.bin", offset="4", length="432")).SerializeToString())
    found = pellucid.load(path).layers[0].get_weights()[0]
    assert (found == kernel.transpose(2, 3, 1, 0)).all()


@needs_limits
def test_cut_anywhere_it_is_refused_in_little_memory(folder: Path) -> None:
    whole = model().SerializeToString()
    paths = []
    for i, cut in enumerate(range(0, len(whole), len(whole) // 12)):
        paths.append(folder / f"cut{i}.onnx")
        paths[-1].write_bytes(whole[:cut])
    big = folder / "big.onnx"
    big.write_bytes(model(nodes=filled(10**4, 10**4, 2)).SerializeToString())
    (folder / "warm.onnx").write_bytes(whole)
    told = read_within(300, "import pellucid", "pellucid.load", [*paths, big], warm=folder / "warm.onnx")
    assert all(str(path) in text and text != "read" for path, text in zip([*paths, big], told, strict=True)), told
