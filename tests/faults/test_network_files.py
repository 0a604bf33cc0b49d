"""Files of Keras's, TensorFlow.js's and ConvNetJS's networks from strangers: one line each, bounded, nothing run."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_convert_json import convnetjs, topology, twin, write_tfjs

import pellucid
from pellucid.convert.keras_graph import ConfigReader
from pellucid.errors import CheckpointError

Content = dict[str, Any]


def refused(path: Path, words: str) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        pellucid.load(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 3000


# Configs, which all of Keras's and TensorFlow.js's files share


def dense(name: str, reads: Any = None, **more: Any) -> Content:
    record: Content = {"class_name": "Dense", "name": name, "config": {"name": name, "units": 2, **more}}
    return record if reads is None else {**record, "inbound_nodes": reads}


def functional(*records: Content, outputs: Any = (("a", 0, 0),)) -> Content:
    inputs: Content = {"class_name": "InputLayer", "name": "i", "config": {"name": "i", "batch_input_shape": [None, 4]}}
    layers = [{**inputs, "inbound_nodes": []}, *records]
    config = {"layers": layers, "input_layers": [["i", 0, 0]], "output_layers": [list(each) for each in outputs]}
    return {"class_name": "Functional", "config": config}


def sequential(*records: Any) -> Content:
    return {"class_name": "Sequential", "config": {"name": "s", "layers": list(records)}}


def nested(depth: int) -> Content:
    model = sequential(dense("d", batch_input_shape=[None, 4]))
    for _ in range(depth):
        model = sequential(model)
    return model


def doubled(depth: int) -> Content:
    """A model in which one is called twice, in which one is called twice, and so on."""
    model = functional(outputs=[["i", 0, 0]])
    for number in range(depth):
        name = f"m{number}"
        model = {**model, "name": name, "inbound_nodes": [[["i", 0, 0]], [[name, 1, 0]]]}
        model = functional(model, outputs=[[name, 2, 0]])
    return model


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (doubled(14), "called more than 2000 times"),
        (functional(dense("a", [[["i", 0, 0]]] * 100_000)), "called more than 2000 times"),
        (functional(dense("a", [[["i", 0, 0]] * 100_000])), "read more than 5000 values"),
        (None, "describes no model"),
        ([1, 2], "describes no model"),
        ({"class_name": "MyModel", "config": {}}, "a class of its author's own"),
        ({"class_name": "Sequential", "config": 5}, "has no config"),
        (sequential(), "it has no layers"),
        (sequential(7), "expected a layer with its class_name"),
        (sequential(dense("d")), "does not say the shape of its input"),
        (sequential(dense("d", batch_input_shape=[None, None])), "takes pictures of any size"),
        (sequential(dense("d", batch_input_shape=[None, -3])), "input|size|shape"),
        (sequential(dense("d", batch_input_shape=[None, 10**12])), "too large|must be|at most"),
        (sequential(dense("d", batch_input_shape=[None, 4], units=10**12)), "Dense 'd': "),
        (sequential(*[dense(f"d{i}", batch_input_shape=[None, 4]) for i in range(1200)]), "more than 1000 layers"),
        (nested(20), "more than 16 deep"),
        (functional(dense("a", [[["b", 0, 0]]]), dense("b", [[["a", 0, 0]]])), "waits for a value that nobody gives"),
        (functional(dense("a", [[["a", 0, 0]]])), "waits for a value that nobody gives"),
        (functional(dense("a", [[["nowhere", 0, 0]]])), "cannot be followed"),
        (functional(dense("a", [[["i", 10**9, 0]]])), r"expected a value as \[layer, call, answer\]"),
        (functional(dense("a", [[["i", 0, 7]]])), "cannot be followed"),
        (functional(dense("a", [[["i", 0, 0]]]), outputs=()), "has no inputs or outputs"),
        (sequential({"class_name": "Lambda", "config": {"name": "x", "function": ["cG9zaXg="]}}), "are not run"),
        (
            sequential({"class_name": "Dense", "module": "os", "registered_name": "system", "config": {"name": "x"}}),
            "Dense 'x' of a class of your own",
        ),
    ],
)
def test_configs_that_lie_are_refused(config: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        ConfigReader(tmp_path / "m.keras", config, 3)
    assert "\n" not in str(caught.value)


# TensorFlow.js's


def changed(folder: Path, change: Callable[[Content], object]) -> Path:
    path = write_tfjs(folder, twin())
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def paths_are(*names: str) -> Callable[[Content], object]:
    return lambda content: content["weightsManifest"][0].update(paths=list(names))


def weight(**entries: Any) -> Callable[[Content], object]:
    return lambda content: content["weightsManifest"][0]["weights"][0].update(entries)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (paths_are("../outside.bin"), "no name of a file in a folder"),
        (paths_are("/etc/passwd"), "no name of a file in a folder"),
        (paths_are("https://example.org/a.bin"), "its weights lie at https"),
        (paths_are("missing.bin"), "missing.bin"),
        (paths_are("linked.bin"), "linked.bin"),
        (paths_are("group1-shard1.bin"), "its shards have 100 bytes"),
        (weight(shape=[2**39, 2**39]), "its shards have"),
        (weight(shape=[-1]), r"weights\[0\].shape\[0\]: expected a whole number"),
        (weight(shape=[3, 3, 2, 2]), "its shards have"),
        (weight(name="b/gamma"), "there twice"),
        (weight(dtype="string"), "is string of shape"),
        (weight(quantization={"dtype": "uint8", "scale": 1e300, "min": 0}), "scale|shards have"),
        (lambda content: content.update(weightsManifest=[]), "c/kernel .* is missing"),
        (lambda content: content.update(weightsManifest=5), "weightsManifest: expected a list"),
        (lambda content: content.update(modelTopology=5), "its modelTopology is no object"),
        (
            lambda content: content["modelTopology"]["model_config"]["config"]["layers"].pop(),
            "2 arrays are of no layer in its architecture: d/kernel, d/bias",
        ),
    ],
)
def test_manifests_that_lie_are_refused(change: Callable[[Content], object], words: str, tmp_path: Path) -> None:
    (tmp_path / "outside.bin").write_bytes(b"0" * 10_000)
    folder = tmp_path / "model"
    folder.mkdir()
    os.symlink(tmp_path / "outside.bin", folder / "linked.bin")
    refused(changed(folder, change), words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ('{"a": ' * 100_000, "is no JSON"),
        ("[1]", "is no network"),
        ('{"layers": [{"layer_type": 3}]}', "cannot be read here"),
        ('{"layers": [{"layer_type": "input", "out_sx": 1e9, "out_sy": 1, "out_depth": 1}]}', "out_sx"),
        (json.dumps({"layers": [{"layer_type": "relu"}] * 2000}), "has 2000 layers"),
    ],
)
def test_json_that_is_damaged_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(text)
    refused(path, words)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"filters": []}, "expected 3 filters"),
        ({"filters": 5}, "expected 3 filters"),
        ({"out_depth": 2**30}, "out_depth"),
        ({"biases": {"w": {"0": 1}}}, "expected a volume of 3 numbers"),
        ({"biases": {"w": ["x", "y", "z"]}}, "no number"),
        ({"sx": 0}, "sx: expected a whole number"),
        ({"stride": -1}, "stride"),
    ],
)
def test_layers_of_convnetjs_that_lie_are_refused(entries: Content, words: str, tmp_path: Path) -> None:
    content, _ = convnetjs()
    content["layers"][1].update(entries)
    (tmp_path / "net.json").write_text(json.dumps(content))
    refused(tmp_path / "net.json", words)


# .keras


def archive(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


WHOLE = {"config.json": b"{}", "metadata.json": b'{"keras_version": "3.0.0"}', "model.weights.h5": b"\x89HDF"}


@pytest.mark.parametrize(
    ("members", "packing", "words"),
    [
        ({"config.json": b"{}"}, zipfile.ZIP_STORED, "has no metadata.json and no model.weights.h5"),
        ({**WHOLE, "metadata.json": b"["}, zipfile.ZIP_STORED, "metadata.json is no JSON"),
        ({**WHOLE, "metadata.json": b"[5]"}, zipfile.ZIP_STORED, "metadata.json is no JSON"),
        ({**WHOLE, "config.json": b" " * (9 << 20)}, zipfile.ZIP_DEFLATED, "at most .* are expected"),
        ({**WHOLE, "model.weights.h5": b"0" * (50 << 20)}, zipfile.ZIP_DEFLATED, "would unpack to 52428800"),
        (WHOLE, zipfile.ZIP_BZIP2, "unusual|would unpack"),
        (WHOLE, zipfile.ZIP_STORED, "no whole HDF5 file"),
    ],
)
def test_archives_that_lie_are_refused(members: dict[str, bytes], packing: int, words: str, tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py is not installed")
    refused(archive(tmp_path / "m.keras", members, packing), words)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="h5py is not installed")
    model = twin()
    model.save(tmp_path / "m.keras")
    whole = (tmp_path / "m.keras").read_bytes()
    assert np.array_equal(pellucid.load(tmp_path / "m.keras").predict(np.ones((1, 6, 5, 2), np.float32)).shape, (1, 4))
    (tmp_path / "m.keras").write_bytes(whole[: len(whole) // 2])
    refused(tmp_path / "m.keras", "damaged zip archive")


def test_topologies_of_the_tests_are_read(tmp_path: Path) -> None:
    """What is changed above is right before."""
    assert ConfigReader(tmp_path, topology()["model_config"], 2).name == "own"
