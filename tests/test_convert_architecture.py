"""`pellucid import WEIGHTS --as NET.json`: a network that is not the zoo's, described in JSON, filled from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command

import pellucid
from pellucid import CheckpointError, ConfigError, convert, layers

LAYERS: list[dict[str, Any]] = [
    {"type": "Conv2D", "filters": 4, "kernel_size": 3, "activation": "relu"},
    {"type": "MaxPool2D"},
    {"type": "Conv2D", "filters": 6, "kernel_size": 2, "activation": "relu"},
    {"type": "Flatten"},
    {"type": "Dense", "units": 5, "activation": "relu"},
    {"type": "Dense", "units": 3},
]
RNG = np.random.default_rng(3)


def written(folder: Path, content: Any) -> Path:
    (folder / "net.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder / "net.json"


def test_a_state_dict_of_a_described_network_answers_as_in_pytorch(tmp_path: Path, command: Command) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    conv1, conv2 = torch.nn.Conv2d(1, 4, 3), torch.nn.Conv2d(4, 6, 2)
    fc1, fc2 = torch.nn.Linear(6 * 3 * 2, 5), torch.nn.Linear(5, 3)
    module = torch.nn.ModuleDict({"conv1": conv1, "conv2": conv2, "fc1": fc1, "fc2": fc2})
    torch.save(module.state_dict(), tmp_path / "own.pth")
    net = written(tmp_path, {"input_shape": [10, 9, 1], "layers": LAYERS})
    out = tmp_path / "own.safetensors"
    status, said, err = command("import", tmp_path / "own.pth", "--as", net, "--scaling", "raw", "--out", out)
    assert status == 0, err
    assert "conv1 is conv2d" in said
    pictures = RNG.integers(0, 256, (2, 10, 9, 1)).astype(np.uint8)
    with torch.no_grad():
        x = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32))
        x = torch.relu(conv2(torch.nn.functional.max_pool2d(torch.relu(conv1(x)), 2)))
        expected = fc2(torch.relu(fc1(x.flatten(1)))).numpy()
    np.testing.assert_allclose(pellucid.load(out).predict(pictures), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2
def test_what_keras_describes_is_filled(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    pytest.importorskip("h5py", reason="h5py is not installed")
    inputs = keras.Input((6, 7, 2))
    x = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    x = keras.layers.Add()([x, keras.layers.Conv2D(3, 1)(inputs)])
    theirs = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    theirs.save_weights(tmp_path / "own.weights.h5")
    model = convert.empty(written(tmp_path, theirs.to_json()))
    convert.import_weights(model, tmp_path / "own.weights.h5", scaling="raw")
    pictures = RNG.normal(size=(2, 6, 7, 2)).astype(np.float32)
    found = model.predict(pictures)
    np.testing.assert_allclose(found, theirs.predict(pictures, verbose=0), rtol=1e-4, atol=1e-5)


def test_what_pellucid_keras_describes_is_the_same_network(tmp_path: Path) -> None:
    from pellucid import keras

    inputs = keras.Input((6, 7, 2))
    x = keras.layers.Conv2D(3, 3, padding="same")(inputs)
    model = keras.Model(inputs, keras.layers.Add()([x, keras.layers.Conv2D(3, 1)(inputs)]))
    again = convert.empty(written(tmp_path, model.to_json()))
    assert [type(layer) for layer in again.layers] == [layers.Conv2D, layers.Conv2D, layers.Add]
    assert again.reads == model.reads and again.layers[0].params["kernel"].any(), "weights are drawn"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no JSON"),
        ("[1]", "is no network of TensorFlow.js"),
        ({"input_shape": [4, 4, 1], "layers": [{"type": "Nonsense"}]}, "Nonsense"),
        ({"input_shape": [4, 4, 1], "layers": [{"type": "Lambda"}]}, "Lambda"),
        ({"input_shape": [4, 4, "x"], "layers": []}, "input_shape"),
        ({"input_shape": [4, 4, 1], "layers": [{"type": "Flatten"}], "reads": [[0]]}, "which layer reads which"),
        ({"input_shape": [4, 4, 1], "layers": [{"type": "Flatten"}] * 2000}, "at most 1000"),
        ({"input_shape": [9, 9, 1], "layers": [{"type": "Dense", "units": 1 << 30}]}, r"at most|\d{6}"),
        ({"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {}}]}}, "Lambda"),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(content: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=words):
        convert.empty(written(tmp_path, content))


def test_programs_are_not_run_and_descriptions_hold_no_weights(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("raise SystemExit('this ran')")
    with pytest.raises(ConfigError, match=r"is a program, which is not run; describe its network in JSON"):
        convert.empty(tmp_path / "net.py")
    with pytest.raises(CheckpointError, match=r"describes a network without weights; .* pellucid import FILE --as "):
        pellucid.load(written(tmp_path, {"input_shape": [10, 9, 1], "layers": LAYERS}))
