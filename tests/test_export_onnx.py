"""What leaves as ONNX answers in ONNX Runtime as `predict` does: each layer, each network of the zoo."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx_runtime as run
import pytest
from commands import Command
from test_layer_contract import ROWS

import pellucid
from pellucid import export, layers, zoo
from pellucid.convert.onnx.table import WRITERS
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, ConfigError
from pellucid.export.onnx import to_bytes
from pellucid.layers import LAYERS, Layer
from pellucid.layers.activation import ACTIVATIONS
from pellucid.model import Model, Sequential

BOUND = 1e-6
"""Of single layers, in parts of their largest answer: a few roundings of float32."""
NETWORK_BOUND = 1e-5
"""Of whole networks, logarithms of probabilities, in parts of the largest."""

SMALL: dict[str, dict[str, Any]] = {
    "alexnet": {"dense_units": 32},
    "alexnet-owt": {"dense_units": 32},
    **{name: {"dense_units": 32, "conv*.filters": 16} for name in ("vgg11", "vgg13", "vgg16", "vgg19")},
    **{name: {"filters": 8} for name in ("resnet18", "resnet34", "resnet50")},
    "resnet20": {"blocks": 1},
    "resnet56": {"blocks": 2},
    "densenet121": {"growth": 8, "blocks": (2, 2, 2, 2)},
    "mobilenet-v2": {"width": 0.5},
}
"""What makes networks smaller that would take a second."""


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_layer(row: Any) -> None:
    layer = row.make()
    model = Sequential([layers.Input(row.input_shape), *([] if isinstance(layer, layers.Input) else [layer])])
    if isinstance(layer, layers.Input):
        model.add(layers.Activation("linear"))
    run.scramble(model)
    x = np.random.default_rng(1).normal(size=(3, *row.input_shape)).astype(np.float32)
    if type(layer) not in WRITERS:
        with pytest.raises(ConfigError, match="has no counterpart in ONNX"):
            to_bytes(model)
        return
    (found,) = run.answers(model, x, "float32")
    assert run.apart(found, model.predict(x)) < BOUND


def test_each_activation() -> None:
    inputs = layers.Input((5, 4))
    model = Model(inputs, [layers.Activation(name)(inputs) for name in ACTIVATIONS if name != "sparsemax"])
    x = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(np.float32)
    for found, expected in zip(run.answers(model, x, "float32"), model.predict(x), strict=True):
        assert run.apart(found, expected) < BOUND


@pytest.mark.parametrize("name", zoo.NAMES)
def test_each_network_of_the_zoo_goes_out_and_comes_back(name: str, tmp_path: Path) -> None:
    model = small(name)
    run.scramble(model)
    x = np.random.default_rng(2).integers(0, 256, (2, *model.input_shape), np.uint8)
    data = to_bytes(model)
    (tmp_path / "m.onnx").write_bytes(data)
    back = pellucid.load(tmp_path / "m.onnx")
    answers = model.predict(x), run.session(data).run(None, {"pictures": x})[0], back.predict(x)
    expected, found, again = (np.log(np.maximum(each, 1e-30)) for each in answers)
    assert run.apart(found, expected) < NETWORK_BOUND and run.apart(again, expected) < NETWORK_BOUND
    proto = run.onnx.load_from_string(data)
    run.onnx.checker.check_model(proto)
    operators = [node.op_type for node in proto.graph.node]
    ends = 1 + (len(model.output_shape) == 3)
    assert operators.count("Transpose") == ends, "channels are moved at the ends alone"


def small(name: str) -> Model:
    """The network with its default classes, on the smallest pictures it takes."""
    height, width, channels = inspect.signature(zoo.BUILDERS[name]).parameters["input_shape"].default
    for size in (32, 64, 128):
        shape = (min(size, height), min(size, width), channels)
        try:
            return zoo.build(
                name,
                input_shape=shape,
                classes=None if name.startswith(("unet", "lenet5-p")) else 10,
                options=SMALL.get(name),
            )
        except pellucid.ShapeError:
            pass
    raise AssertionError(f"{name} takes no small picture")


@pytest.fixture(scope="module")
def model() -> Model:
    made = Sequential(
        [
            layers.Input((6, 5, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    made.preprocessing = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), size=(6, 5), resize="pad")
    made.class_names = ("고양이", "dog")
    return made


def test_scaling_classes_and_any_number_of_pictures_are_inside(model: Model) -> None:
    data = to_bytes(model)
    session = run.session(data)
    (given,), (answer,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape) == ("pictures", "tensor(uint8)", ["N", 6, 5, 3])
    assert (answer.name, answer.shape) == ("answers", ["N", 2])
    for count in (1, 4):
        pictures = np.random.default_rng(count).integers(0, 256, (count, 6, 5, 3), np.uint8)
        found = session.run(None, {"pictures": pictures})[0]
        assert run.apart(found, model.predict(pictures)) < BOUND
    notes = session.get_modelmeta().custom_metadata_map
    assert json.loads(notes["class_names"]) == ["고양이", "dog"]
    assert json.loads(notes["preprocessing"]) == model.preprocessing.to_config()
    assert session.get_modelmeta().producer_name == "pellucid"


def test_a_network_that_was_trained_on_floats_takes_floats(model: Model) -> None:
    twin = pellucid.Sequential([layers.Dense(2, input_shape=(3,))])
    assert run.session(to_bytes(twin)).get_inputs()[0].type == "tensor(float)"
    pictures = np.random.default_rng(3).random((2, 6, 5, 3), np.float32)
    (found,) = run.answers(model, pictures, "float32")
    assert run.apart(found, model.predict(pictures)) < BOUND
    with pytest.raises(ConfigError, match="did you mean 'uint8'"):
        to_bytes(model, "uint")


def test_several_outputs_have_their_layers_names() -> None:
    inputs = layers.Input((4, 4, 2))
    maps = layers.Conv2D(3, 3, padding="same", name="maps")(inputs)
    pooled = layers.GlobalAvgPool2D(name="row")(layers.Dropout(0.5)(maps))
    model = Model(inputs, [maps, pooled, layers.Multiply(name="scaled")([maps, pooled])])
    x = np.random.default_rng(4).random((2, 4, 4, 2), np.float32)
    found = run.answers(model, x, "float32")
    for ours, theirs in zip(model.predict(x), found, strict=True):
        assert run.apart(theirs, ours) < BOUND
    assert [each.name for each in run.session(to_bytes(model)).get_outputs()] == ["maps", "row", "scaled"]


class Own(Layer):
    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        return x, None


def test_what_onnx_has_no_word_for_is_named() -> None:
    for layer, message in (
        (Own(name="mine"), r"layer 0 'mine' \(Own\) has no counterpart in ONNX"),
        (layers.LocalResponseNorm(4, name="even"), r"layer 0 'even' .* choose an odd size"),
    ):
        with pytest.raises(ConfigError, match=message):
            to_bytes(Sequential([layers.Input((3, 3, 5)), layer]))


def test_rows_are_of_layers_that_there_are() -> None:
    assert {layer for layer in WRITERS if layer not in LAYERS.values()} == set()


def test_the_command_and_the_formats(command: Command, model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m.safetensors")
    out = tmp_path / "m.onnx"
    status, text, _ = command("export", tmp_path / "m.safetensors", "--out", out, "--json")
    assert status == 0 and json.loads(text) == {"model": "sequential", "format": "onnx", "files": [str(out)]}
    assert out.read_bytes() == to_bytes(pellucid.load(tmp_path / "m.safetensors"))
    export.to_onnx(model, tmp_path / "floats.onnx", pictures="float32")
    assert run.session((tmp_path / "floats.onnx").read_bytes()).get_inputs()[0].type == "tensor(float)"
    for arguments, message in (
        (("--out", tmp_path / "m.tflite"), "say which format"),
        (("--out", tmp_path / "m.bin", "--to", "onnx"), "ends in .onnx"),
        (("--out", out, "--to", "onx"), "did you mean 'onnx'"),
        (("--out", tmp_path / "none" / "m.onnx"), "choose a folder that exists"),
    ):
        status, _, err = command("export", tmp_path / "m.safetensors", *arguments)
        assert status == 1 and message in err and err.count("\n") == 1, arguments
    with pytest.raises(CheckpointError, match="choose a folder that exists"):
        export.write(model, tmp_path / "none" / "m.onnx")
