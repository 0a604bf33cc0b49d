"""ONNX files come in as networks of our layers: what ONNX Runtime answers, `predict` answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx_runtime as run
import pytest
from commands import Command
from test_layer_contract import ROWS

import pellucid
from pellucid import layers
from pellucid.convert.onnx.table import WRITERS
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError
from pellucid.export.onnx import to_bytes
from pellucid.model import Model, Sequential

onnx = run.onnx
helper = onnx.helper
BOUND = 2e-6

Made = Callable[["Graph"], str]


class Graph:
    """Nodes and arrays with random numbers, put together for one picture."""

    def __init__(self, shape: tuple[int, ...], opset: int = 18) -> None:
        self.shape, self.opset = shape, opset
        self.nodes: list[Any] = []
        self.arrays: dict[str, np.ndarray] = {}
        self.rng = np.random.default_rng(5)

    def __call__(self, operator: str, *inputs: Any, outputs: int = 1, **attributes: Any) -> Any:
        """The name of what a node gives; arrays among the inputs become initializers."""
        names = []
        for each in inputs:
            if not isinstance(each, str):
                self.arrays[f"a{len(self.arrays)}"] = np.asarray(each)
                each = f"a{len(self.arrays) - 1}"
            names.append(each)
        given = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, names, given, f"node{len(self.nodes)}", **attributes))
        return given[0] if outputs == 1 else given

    def random(self, *shape: int) -> np.ndarray:
        return self.rng.normal(size=shape).astype(np.float32)

    def bytes(self, output: str, *, kind: int = 1, notes: dict[str, str] | None = None) -> bytes:
        info = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "made",
            [info("x", kind, ["N", *self.shape])],
            [info(output, 1, None)],
            [onnx.numpy_helper.from_array(array, name) for name, array in self.arrays.items()],
        )
        opset = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=8)
        helper.set_model_props(model, notes or {})
        return bytes(model.SerializeToString())


def load(data: bytes, folder: Path) -> Model:
    (folder / "m.onnx").write_bytes(data)
    return pellucid.load(folder / "m.onnx")


def as_ours(x: np.ndarray) -> np.ndarray:
    """Channels last."""
    return np.moveaxis(x, 1, -1) if x.ndim > 2 else x


def rows() -> dict[str, tuple[tuple[int, ...], Made, int]]:
    """The shape of a picture in the file, what is made of it, and the opset."""
    i64 = np.int64

    def scalar(value: float) -> np.ndarray:
        return np.array(value, np.float32)

    def row(*numbers: int) -> np.ndarray:
        return np.array(numbers, i64)

    def view(g: Graph) -> str:
        """PyTorch's x.view(x.size(0), -1) before a linear layer."""
        size = g("Unsqueeze", g("Gather", g("Shape", "x"), np.array(0, i64)), axes=[0])
        return g("Gemm", g("Reshape", "x", g("Concat", size, row(-1), axis=0)), g.random(5, 40), transB=1)

    def squeeze_excite(g: Graph) -> str:
        pooled = g("GlobalAveragePool", "x")
        gate = g("Relu", g("Conv", pooled, g.random(3, 4, 1, 1), g.random(3)))
        gate = g("HardSigmoid", g("Conv", gate, g.random(4, 3, 1, 1)), alpha=0.2, beta=0.5)
        return g("Mul", gate, "x")

    def shuffled(g: Graph) -> str:
        split = g("Reshape", "x", row(0, 2, 3, 4, 5))
        return g("Reshape", g("Transpose", split, perm=[0, 2, 1, 3, 4]), row(0, 6, 4, 5))

    def grouped(g: Graph) -> str:
        normed = g(
            "InstanceNormalization", g("Reshape", "x", row(0, 2, -1)), np.ones(2, np.float32), np.zeros(2, np.float32)
        )
        back = g("Reshape", normed, row(0, 6, 4, 5))
        return g("Add", g("Mul", back, g.random(6, 1, 1)), g.random(6, 1, 1))

    def gelu(g: Graph) -> str:
        error = g("Erf", g("Div", "x", scalar(2**0.5)))
        return g("Mul", g("Mul", "x", g("Add", error, scalar(1))), scalar(0.5))

    def halves(g: Graph) -> str:
        a, b = g("Split", "x", row(2, 4), outputs=2, axis=1)
        return g("Concat", b, g("Tanh", a), axis=1)

    def broadcast(g: Graph) -> str:
        return g("Add", g("ReduceMean", "x", row(2, 3), keepdims=1), g("Conv", "x", g.random(4, 4, 1, 1)))

    def tensorflow(g: Graph) -> str:
        y = g(
            "Conv", g("Transpose", "x", perm=[0, 3, 1, 2]), g.random(4, 3, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2]
        )
        y = g("Transpose", y, perm=[0, 2, 3, 1])
        return g("MatMul", g("Reshape", y, row(-1, 48)), g.random(48, 3))

    def crooked(g: Graph) -> str:
        y = g("Conv", "x", g.random(6, 1, 3, 2), group=4 if g.shape[0] == 4 else 6, pads=[1, 0, 2, 1], dilations=[2, 1])
        return g("MaxPool", y, kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1], ceil_mode=1)

    def upsampled(g: Graph) -> str:
        y = g("Resize", "x", "", np.array([1, 1, 2, 3], np.float32), mode="linear")
        corners = {"mode": "linear", "coordinate_transformation_mode": "align_corners", "axes": [2, 3]}
        return g("Resize", y, "", "", row(5, 7), **corners)

    def series(g: Graph) -> str:
        return g("AveragePool", g("Conv", "x", g.random(6, 2, 3), group=2), kernel_shape=[2])

    def padded(g: Graph) -> str:
        mirrored = g("Pad", "x", row(0, 0, 2, 1, 0, 0, 1, 3), mode="reflect")
        return g("Pad", mirrored, row(0, 1, -1, 0, 0, 0, 0, 2), scalar(0.5))

    def lengths(g: Graph) -> str:
        """What PyTorch writes for normalize(x), and TensorFlow for its l2_normalize."""
        length = g("Expand", g("Clip", g("ReduceL2", "x", row(1), keepdims=1), scalar(1e-12)), row(1, 4, 3, 5))
        squares = g("ReduceSum", g("Mul", "x", "x"), row(1), keepdims=1)
        inverse = g("Min", g("Div", scalar(1), g("Sqrt", squares)), scalar(1e6))
        return g("Sub", g("Div", "x", length), g("Mul", g("Mul", "x", inverse), scalar(3)))

    def standardised(g: Graph) -> str:
        """Kernels that a network standardises itself, as those without batch norm do."""
        kernel = g.random(5, 4, 3, 3)
        centred = g("Sub", kernel, g("ReduceMean", kernel, row(1, 2, 3), keepdims=1))
        deviation = g("Sqrt", g("ReduceMean", g("Mul", centred, centred), row(1, 2, 3), keepdims=1))
        return g("Conv", "x", g("Div", centred, g("Max", deviation, scalar(1e-4))))

    def reductions(g: Graph) -> str:
        kinds = ("ReduceMin", "ReduceSum", "ReduceL1", "ReduceSumSquare", "ReduceMax")
        return g("Concat", *(g(kind, "x", row(2, 3), keepdims=0) for kind in kinds), axis=1)

    def read_twice(g: Graph) -> str:
        """A scaled value that is read before and behind another scaling."""
        y = g("Mul", "x", scalar(2))
        return g("Add", g("Relu", g("Mul", y, scalar(3))), g("Abs", y))

    return {
        "lengths": ((4, 3, 5), lengths, 18),
        "kernels made from kernels": ((4, 3, 5), standardised, 18),
        "reductions": ((4, 3, 5), reductions, 18),
        "a value read twice": ((4, 3, 5), read_twice, 18),
        "powers": ((4, 3), lambda g: g("Pow", g("Pow", "x", scalar(2)), scalar(-0.5)), 18),
        "far bounds": ((4, 3), lambda g: g("Clip", g("Max", "x", scalar(-1e7)), scalar(-1e7), scalar(1e7)), 18),
        "bounds on one side": ((4, 3), lambda g: g("Min", g("Max", "x", scalar(-0.3)), scalar(-0.1)), 18),
        "repeated": ((4, 3, 1), lambda g: g("Tile", g("Expand", "x", row(1, 4, 3, 5)), row(1, 1, 2, 1)), 18),
        "a constant larger than the tensor": ((4, 1, 1), lambda g: g("Mul", "x", g.random(4, 3, 5)), 18),
        "flatten by shapes": ((4, 2, 5), view, 11),
        "squeeze and excite": ((4, 3, 5), squeeze_excite, 18),
        "channel shuffle": ((6, 4, 5), shuffled, 18),
        "group norm of PyTorch": ((6, 4, 5), grouped, 18),
        "gelu of PyTorch": ((4, 3, 5), gelu, 18),
        "split and concat": ((6, 4, 5), halves, 18),
        "a row added to maps": ((4, 3, 5), broadcast, 18),
        "channels last of TensorFlow": ((7, 6, 3), tensorflow, 13),
        "padding, dilation, groups, ceil": ((6, 8, 7), crooked, 18),
        "resizing": ((3, 4, 5), upsampled, 18),
        "clip of two signs": ((4, 3), lambda g: g("Clip", "x", scalar(-0.5), scalar(0.7)), 18),
        "clip above": ((4, 3), lambda g: g("Clip", "x", "", scalar(0.7)), 18),
        "attributes of opset 7": ((4, 3), lambda g: g("Clip", g("Unsqueeze", "x", axes=[3]), min=0.0, max=0.7), 7),
        "softmax of opset 7": ((4, 3, 5), lambda g: g("Softmax", "x"), 7),
        "constants of every kind": (
            (4, 3, 5),
            lambda g: g("Sub", scalar(1), g("Div", g("Mul", g("Add", "x", g.random(4, 3, 5)), g.random(5)), scalar(3))),
            18,
        ),
        "a series": ((4, 9), series, 18),
        "transposed in groups": (
            (4, 3, 5),
            lambda g: g("ConvTranspose", "x", g.random(4, 3, 3, 2), strides=[2, 1], pads=[1, 0, 0, 1], group=2),
            18,
        ),
        "layer norm of channels": (
            (4, 3, 5),
            lambda g: g("LayerNormalization", g("Transpose", "x", perm=[0, 2, 3, 1]), g.random(4), g.random(4)),
            18,
        ),
        "pads of every kind": (
            (3, 4, 5),
            padded,
            18,
        ),
        "depth to space": ((8, 3, 2), lambda g: g("DepthToSpace", "x", blocksize=2, mode="CRD"), 18),
        "a slice with a step": ((6, 4, 5), lambda g: g("Slice", "x", row(5, 1), row(0, 4), row(1, 2), row(-2, 1)), 18),
    }  # fmt: skip


@pytest.mark.parametrize("name", rows())
def test_a_graph_answers_as_in_onnx_runtime(name: str, tmp_path: Path) -> None:
    shape, made, opset = rows()[name]
    graph = Graph(shape, opset)
    data = graph.bytes(made(graph))
    x = np.random.default_rng(6).normal(size=(2, *shape)).astype(np.float32)
    (expected,) = run.session(data).run(None, {"x": x})
    model = load(data, tmp_path)
    given = x if model.input_shape == shape else as_ours(x)
    found = model.predict(given)
    expected = expected if found.shape == expected.shape and given is x else as_ours(expected)
    assert run.apart(found, expected.reshape(found.shape)) < BOUND


def test_where_axes_are_only_named_anew_nothing_is_moved(tmp_path: Path) -> None:
    graph = Graph((6, 8, 7))
    y = graph("Relu", graph("Conv", "x", graph.random(4, 6, 3, 3)))
    y = graph("Gemm", graph("Flatten", y), graph.random(4 * 6 * 5, 3))
    model = load(graph.bytes(y), tmp_path)
    assert [type(layer).__name__ for layer in model.layers] == ["Conv2D", "Activation", "Flatten", "Dense"]
    assert isinstance(model, Sequential)


ONE_WAY = (layers.RepeatVector, layers.UnitNormalization, layers.RMSNorm)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_layer_comes_back(row: Any, tmp_path: Path) -> None:
    layer = row.make()
    spelled = isinstance(layer, ONE_WAY) or getattr(layer, "activation", None) == "squareplus"
    if type(layer) not in WRITERS or spelled:
        return  # refused, as test_export_onnx.py says; or written as sums and roots
    made = [layers.Input(row.input_shape), *([] if isinstance(layer, layers.Input) else [layer])]
    model = Sequential([*made, layers.Activation("linear")])
    run.scramble(model)
    x = np.random.default_rng(1).normal(size=(3, *row.input_shape)).astype(np.float32)
    back, expected = load(to_bytes(model, "float32"), tmp_path), model.predict(x)
    assert run.apart(back.predict(x).reshape(expected.shape), expected) < BOUND  # axes of one place are not kept


def test_what_came_in_is_judged_by_the_command(tmp_path: Path, command: Command) -> None:
    model = Sequential([layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(10, activation="softmax")])
    model.build()
    (tmp_path / "m.onnx").write_bytes(to_bytes(model))
    assert command("import", tmp_path / "m.onnx", "--out", tmp_path / "m.safetensors")[0] == 0
    found = []
    for name in ("m.onnx", "m.safetensors"):
        status, text, err = command("evaluate", tmp_path / name, "--data", "digits", "--json")
        assert status == 0, err
        found.append(json.loads(text)["accuracy"])
    assert 0 <= found[0] == found[1] <= 1


def test_several_inputs_and_names_come_in(tmp_path: Path) -> None:
    rng, info = np.random.default_rng(2), helper.make_tensor_value_info
    arrays = {"k": rng.normal(size=(4, 3, 3, 3)), "d": rng.normal(size=(5, 4)), "e": rng.normal(size=(4, 2))}
    nodes = [
        helper.make_node("Conv", ["pixels", "k"], ["c"], "first/Conv", pads=[1, 1, 1, 1]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"], "pool"),
        helper.make_node("Flatten", ["p"], ["f"], "flat"),
        helper.make_node("MatMul", ["known:0", "d"], ["g"], "gate"),
        helper.make_node("Mul", ["f", "g"], ["m"], "both"),
        helper.make_node("MatMul", ["m", "e"], ["kind"], "last"),
        helper.make_node("Tanh", ["m"], ["12"], "side"),
    ]
    graph = helper.make_graph(
        nodes,
        "two",
        [info("pixels", 1, ["N", 3, 4, 5]), info("known:0", 1, ["N", 5])],
        [info("kind", 1, None), info("12", 1, None)],
        [onnx.numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    data = bytes(model.SerializeToString())
    pixels, known = (rng.normal(size=(2, *shape)).astype(np.float32) for shape in ((3, 4, 5), (5,)))
    expected = run.session(data).run(None, {"pixels": pixels, "known:0": known})
    back = load(data, tmp_path)
    found = back.predict({"pixels": as_ours(pixels), "known_0": known})
    assert all(run.apart(one, other) < BOUND for one, other in zip(found, expected, strict=True))
    assert [back.graph.nodes[number].layer.name for number in back.graph.outputs] == ["kind", "side"]
    again = run.session(to_bytes(back, "float32"))
    assert [each.name for each in again.get_inputs()] == ["pixels", "known_0"]
    assert [each.name for each in again.get_outputs()] == ["kind", "side"]


@pytest.mark.parametrize("ending", ["onnx", "keras", "h5"])
def test_the_name_of_a_single_input_is_kept(ending: str, tmp_path: Path) -> None:
    inputs = layers.Input((4, 5, 3), name="photo")
    model = Model(inputs, layers.Dense(2, name="kind")(layers.Flatten(name="flat")(inputs)), "net")
    model.save(tmp_path / f"m.{ending}")
    back = pellucid.load(tmp_path / f"m.{ending}")
    assert back.input_name == "photo"
    assert [layer.name for layer in back.layers if layer.role != "rescaling"] == ["flat", "kind"]


def test_scaling_and_classes_come_back(tmp_path: Path, command: Command) -> None:
    model = Sequential([layers.Input((4, 5, 3)), layers.Flatten(), layers.Dense(2)])
    model.preprocessing = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3), size=(4, 5), resize="pad")
    model.class_names = ("a", "b")
    back = load(to_bytes(model), tmp_path)
    assert (back.preprocessing, back.class_names) == (model.preprocessing, model.class_names)
    pictures = np.random.default_rng(1).integers(0, 256, (3, 4, 5, 3), np.uint8)
    assert run.apart(back.predict(pictures), model.predict(pictures)) < BOUND
    out = tmp_path / "m.safetensors"
    status, text, _ = command("import", tmp_path / "m.onnx", "--out", out, "--json")
    assert status == 0 and json.loads(text)["scaling"] == "as in the file"
    assert (pellucid.load(out).predict(pictures) == back.predict(pictures)).all()
    graph = Graph((3, 4, 5))  # levels that nothing scales, and scaling that no metadata explain
    data = graph.bytes(graph("Relu", graph("Cast", "x", to=1)), kind=2)
    assert load(data, tmp_path).predict(pictures).max() == pictures.max()
    graph = Graph((3, 4, 5))
    y = graph("Sub", graph("Div", graph("Cast", "x", to=1), np.float32(51)), graph.random(3, 1, 1))
    data = graph.bytes(graph("Conv", y, graph.random(2, 3, 2, 2)), kind=2)
    found = load(data, tmp_path)
    assert found.layers[0].role == "convolution"
    (expected,) = run.session(data).run(None, {"x": pictures.transpose(0, 3, 1, 2)})
    assert run.apart(found.predict(pictures), as_ours(expected)) < BOUND


def test_what_cannot_be_expressed_is_named_with_how_often(tmp_path: Path) -> None:
    graph = Graph((3, 4, 5))
    y = graph("Sin", graph("Sin", "x"))
    with pytest.raises(
        CheckpointError, match=r"m\.onnx: cannot .* Sin \(2 times\): no layer .*TopK: no layer"
    ) as caught:
        load(graph.bytes(graph("TopK", y, np.array([2], np.int64), outputs=2)[0]), tmp_path)
    assert "\n" not in str(caught.value)
