"""Networks in JSON: TensorFlow.js's layers models, packed weights among them, and ConvNetJS's."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import CheckpointError, convert, layers

RNG = np.random.default_rng(3)
PICTURES = RNG.normal(size=(2, 6, 5, 2)).astype(np.float32)


def twin() -> pellucid.Sequential:
    """What the file below describes."""
    model = pellucid.Sequential(
        [
            layers.Input((6, 5, 2)),
            layers.Conv2D(3, 3, padding="same", activation="relu", name="c"),
            layers.BatchNorm(name="b"),
            layers.Flatten(name="f"),
            layers.Dense(4, activation="softmax", name="d"),
        ]
    )
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([RNG.uniform(0.1, 0.9, array.shape) for array in layer.weights])
    return model


def topology() -> dict[str, Any]:
    records = [
        ("Conv2D", {"name": "c", "filters": 3, "kernel_size": [3, 3], "padding": "same", "activation": "relu",
                    "batch_input_shape": [None, 6, 5, 2], "data_format": "channels_last"}),
        ("BatchNormalization", {"name": "b", "axis": -1}),
        ("Flatten", {"name": "f"}),
        ("Dense", {"name": "d", "units": 4, "activation": "softmax"}),
    ]  # fmt: skip
    named = [{"class_name": kind, "config": config} for kind, config in records]
    model = {"class_name": "Sequential", "config": {"name": "own", "layers": named}}
    return {"keras_version": "2.1.6", "backend": "tensorflow", "model_config": model}


def write_tfjs(folder: Path, model: pellucid.Sequential, packing: str = "float32", shard: int = 100) -> Path:
    """model.json and shards of so many bytes. packing: "float32", "float16", "uint8" or "uint16"."""
    data, weights = b"", []
    for layer in model.layers:
        for name, array in {**layer.params, **layer.state}.items():
            row: dict[str, Any] = {"name": f"{layer.name}/{name}", "shape": list(array.shape), "dtype": "float32"}
            if packing == "float32":
                data += array.astype("<f4").tobytes()
            elif packing == "float16":
                row["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
                data += array.astype("<f2").tobytes()
            else:
                least, scale = float(array.min()), float(np.ptp(array) or 1) / np.iinfo(packing).max
                row["quantization"] = {"dtype": packing, "min": least, "scale": scale}
                data += np.round((array - least) / scale).astype(packing).tobytes()
            weights.append(row)
    paths = [f"group1-shard{i + 1}.bin" for i in range(math.ceil(len(data) / shard))]
    for place, name in enumerate(paths):
        (folder / name).write_bytes(data[place * shard : (place + 1) * shard])
    content = {
        "format": "layers-model",
        "modelTopology": topology(),
        "weightsManifest": [{"paths": paths, "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(content))
    return folder / "model.json"


@pytest.mark.parametrize(
    ("packing", "error"), [("float32", 1e-6), ("float16", 1e-3), ("uint16", 1e-4), ("uint8", 0.02)]
)
def test_layers_models_of_tensorflow_js_are_read(packing: str, error: float, tmp_path: Path) -> None:
    model = twin()
    read, report = convert.import_network(write_tfjs(tmp_path, model, packing))
    assert report.form == "TensorFlow.js layers model (model.json)"
    assert read.name == "own"
    np.testing.assert_allclose(read.predict(PICTURES), model.predict(PICTURES), atol=error)


CONVNETJS = {
    "layers": [
        {"layer_type": "input", "out_sx": 5, "out_sy": 4, "out_depth": 2},
        {"layer_type": "conv", "sx": 3, "sy": 3, "stride": 1, "pad": 1, "in_depth": 2, "out_depth": 3, "out_sx": 5,
         "out_sy": 4, "l1_decay_mul": 0, "l2_decay_mul": 1},
        {"layer_type": "relu", "out_sx": 5, "out_sy": 4, "out_depth": 3},
        {"layer_type": "lrn", "n": 3, "k": 1, "alpha": 0.3, "beta": 0.75, "out_sx": 5, "out_sy": 4, "out_depth": 3},
        {"layer_type": "pool", "sx": 2, "sy": 2, "stride": 2, "pad": 0, "in_depth": 3, "out_sx": 2, "out_sy": 2,
         "out_depth": 3},
        {"layer_type": "dropout", "drop_prob": 0.25, "out_sx": 2, "out_sy": 2, "out_depth": 3},
        {"layer_type": "fc", "num_inputs": 12, "out_depth": 4, "out_sx": 1, "out_sy": 1},
        {"layer_type": "softmax", "num_inputs": 4, "out_depth": 4, "out_sx": 1, "out_sy": 1},
    ]
}  # fmt: skip


def convnetjs() -> tuple[dict[str, Any], list[np.ndarray]]:
    """The network above with weights, as ConvNetJS's toJSON gives them, and these."""
    content: dict[str, Any] = json.loads(json.dumps(CONVNETJS))
    arrays = [RNG.normal(size=shape) for shape in ((3, 3, 2, 3), (3,), (12, 4), (4,))]
    for row, (kernel, bias) in zip((content["layers"][1], content["layers"][6]), (arrays[:2], arrays[2:]), strict=True):
        row["filters"] = [volume(kernel[..., i]) for i in range(kernel.shape[-1])]
        row["biases"] = volume(bias)
    return content, arrays


def volume(numbers: np.ndarray) -> dict[str, Any]:
    flat = numbers.reshape(-1)
    return {"sx": 1, "sy": 1, "depth": flat.size, "w": {str(i): float(number) for i, number in enumerate(flat)}}


def forward(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, dense: np.ndarray, dense_bias: np.ndarray) -> Any:
    """The same in NumPy, written after convnet_layers_*.js. Shapes: x (4,5,2)."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    maps = sum(padded[i : i + 4, j : j + 5] @ kernel[i, j] for i in range(3) for j in range(3)) + bias
    maps = np.maximum(maps, 0)
    sums = [np.square(maps[..., max(0, c - 1) : c + 2]).sum(axis=-1) for c in range(3)]
    maps = maps / (1 + 0.3 / 3 * np.stack(sums, axis=-1)) ** 0.75
    pooled = maps[:4, :4].reshape(2, 2, 2, 2, 3).max(axis=(1, 3))
    scores = np.exp(pooled.reshape(-1) * 0.25 @ dense + dense_bias)
    return scores / scores.sum()


def test_networks_of_convnetjs_are_read(tmp_path: Path) -> None:
    content, arrays = convnetjs()
    (tmp_path / "net.json").write_text(json.dumps(content))
    model, report = convert.import_network(tmp_path / "net.json")
    x = RNG.normal(size=(4, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(model.predict(x[None])[0], forward(x, *arrays), rtol=1e-4, atol=1e-6)
    assert report.notes[0] == "dropout5 multiplies by its probability, 0.25, in use, as ConvNetJS does"
    assert "--scaling plain" in report.notes[1]
    assert (model.preprocessing.size, model.preprocessing.scale) == ((4, 5), 1.0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"format": "graph-model", "modelTopology": {}}, "is a graph model of TensorFlow.js"),
        ({"class_name": "Sequential", "config": []}, "describes a network of Keras's without weights"),
        ({"weights": [1, 2]}, "is no network of TensorFlow.js"),
        ({"layers": [{"layer_type": "input"}, {"layer_type": "maxout"}]}, r"has maxout \(layer 1\), which cannot"),
    ],
)
def test_other_json_is_refused(content: dict[str, Any], words: str, tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=words):
        pellucid.load(tmp_path / "net.json")
