"""ONNX's own node tests, of the operators that networks are made of, by our layers: right, wrong, or not expressible.

    python benchmarks/onnx_nodes.py [FAMILY…] [--all]

Each test is one node with numbers for its inputs and outputs, from the package onnx. The node is read as a file would
be: weights are its second and later inputs; of operators that join tensors all inputs are cut out of one; a tensor
without a batch axis, or worked on along it, is one picture. All numbers are float32. The first output is compared,
within 1e-3 of it and 1e-6. Losses are compared with `pellucid.losses`, whose classes come last. --all names each test.
"""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases

import pellucid
from pellucid.errors import PellucidError

FAMILIES = {
    "conv": "Conv ConvTranspose",
    "pool": "AveragePool MaxPool GlobalAveragePool GlobalMaxPool",
    "norm": "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization LRN",
    "activation": "Relu LeakyRelu Elu Selu Celu Sigmoid HardSigmoid Tanh Softplus Softsign HardSwish Mish Gelu Swish "
    "ThresholdedRelu PRelu Clip Softmax LogSoftmax",
    "gemm": "Gemm MatMul",
    "pad": "Pad",
    "resize": "Resize Upsample",
    "concat": "Concat",
    "add": "Add Sum Mul",
    "flatten": "Flatten",
    "dropout": "Dropout Identity",
    "losses": "SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss",
}
JOINING = ("Add", "Sum", "Mul", "Concat")


class NotExpressible(Exception):
    """Why a test is none of a network's."""


def cases() -> list[tuple[str, Any]]:
    """(family, test) of each node test of one operator above."""
    family = {operator: name for name, operators in FAMILIES.items() for operator in operators.split()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    one = ((test, {node.op_type for node in test.model.graph.node}) for test in found)
    return [(family[next(iter(kinds))], test) for test, kinds in one if len(kinds) == 1 and kinds <= set(family)]


def joined(model: Any, inputs: list[np.ndarray]) -> tuple[Any, np.ndarray]:
    """The model with one input, of which the others are cut, and that input."""
    if len({each.shape[:1] for each in inputs}) != 1 or any(each.ndim < 1 for each in inputs):
        raise NotExpressible("tensors with other batches")
    rows = [each.reshape(len(each), -1) for each in inputs]
    graph, start, nodes = model.graph, 0, []
    for number, (given, each, row) in enumerate(zip(graph.input, inputs, rows, strict=True)):
        ends = {"s": [start], "e": [start + row.shape[1]], "a": [1], "r": [0, *each.shape[1:]]}
        for key, value in ends.items():
            graph.initializer.append(numpy_helper.from_array(np.array(value, np.int64), f"{key}{number}"))
        names = [f"{key}{number}" for key in "sea"]
        nodes.append(helper.make_node("Slice", ["joined", *names], [f"cut{number}"]))
        nodes.append(helper.make_node("Reshape", [f"cut{number}", f"r{number}"], [given.name]))
        start += row.shape[1]
    whole = np.concatenate(rows, axis=1)
    own = list(graph.node)
    del graph.node[:], graph.input[:]
    graph.node.extend([*nodes, *own])
    graph.input.append(helper.make_tensor_value_info("joined", 1, whole.shape))
    return model, whole


def frozen(model: Any, inputs: list[np.ndarray]) -> tuple[Any, np.ndarray]:
    """The model with its later inputs as weights, and the first."""
    graph = model.graph
    for given, each in zip(list(graph.input)[1:], inputs[1:], strict=True):
        graph.initializer.append(numpy_helper.from_array(np.asarray(each), given.name))
    del graph.input[1:]
    return model, inputs[0]


def lifted(model: Any, inputs: list[np.ndarray]) -> tuple[Any, list[np.ndarray]]:
    """Tensors without a batch, or that are worked on along it, as one picture each: with an axis of 1 in front."""
    rank, node = inputs[0].ndim, model.graph.node[0]
    if node.op_type in (
        "Conv",
        "ConvTranspose",
        "AveragePool",
        "MaxPool",
        "BatchNormalization",
        "Gemm",
        "MatMul",
        "Pad",
    ):
        raise NotExpressible("")
    if node.op_type == "Flatten":
        axis = next((each.i for each in node.attribute if each.name == "axis"), 1)
        shape = inputs[0].shape
        rows = [0, int(np.prod(shape[:axis])), int(np.prod(shape[axis:]))]
        model.graph.initializer.append(numpy_helper.from_array(np.array(rows, np.int64), "rows"))
        node.CopyFrom(helper.make_node("Reshape", [node.input[0], "rows"], list(node.output)))
    for each in node.attribute:
        if each.name == "axis" and each.i >= 0:
            each.i += 1
    for number, given in enumerate(model.graph.input):
        if number == 0 or node.op_type in JOINING:
            given.type.tensor_type.shape.CopyFrom(
                helper.make_tensor_value_info("", 1, (1, *inputs[number].shape)).type.tensor_type.shape
            )
    ranks = [each.ndim == rank or node.op_type in JOINING for each in inputs]
    return model, [
        each[None] if i == 0 or (same and node.op_type in JOINING) else each
        for i, (each, same) in enumerate(zip(inputs, ranks, strict=True))
    ]


def answer(test: Any, inputs: list[np.ndarray], folder: Path) -> np.ndarray:
    """What the network that is read gives. Errors: NotExpressible, for the first of the readings."""
    if not inputs or any(each.dtype.kind not in "fiub" for each in inputs):
        raise NotExpressible("no tensors of numbers")
    first = inputs[0].astype(np.float32)
    inputs = [first, *(each if each.dtype.kind == "i" else each.astype(np.float32) for each in inputs[1:])]
    joins = test.model.graph.node[0].op_type in JOINING and len(inputs) > 1
    inputs = [each.astype(np.float32) for each in inputs] if joins else inputs
    reasons = []
    for lift in (False, True):
        for prepare in (joined, frozen) if joins else (frozen,):
            model = onnx.ModelProto.FromString(test.model.SerializeToString())
            del model.graph.output[1:]
            model.graph.input[0].type.tensor_type.elem_type = 1
            try:
                given = lifted(model, inputs) if lift else (model, inputs)
                return run(*prepare(*given), folder)
            except (NotExpressible, PellucidError) as error:
                reasons.append(str(error).split("layers: ")[-1])
    raise NotExpressible(reasons[0])


def run(model: Any, x: np.ndarray, folder: Path) -> np.ndarray:
    path = folder / "node.onnx"
    path.write_bytes(model.SerializeToString())
    network = pellucid.load(path)
    return network.predict(x if network.input_shape == x.shape[1:] else np.moveaxis(x, 1, -1), verbose=0)


def loss(test: Any, inputs: list[np.ndarray]) -> np.ndarray:
    """The same by our cross-entropy of each place; weights of classes and the mean by them are put on here."""
    node = test.model.graph.node[0]
    attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    scores, labels = np.moveaxis(inputs[0], 1, -1), np.asarray(inputs[1], np.int64)
    ignored, weights = attributes.get("ignore_index"), inputs[2] if len(inputs) > 2 else None
    seen = np.ones(labels.shape, bool) if ignored is None else labels != ignored
    classes = np.where(seen, labels, 0).reshape(-1)
    # the log of probabilities is a score like any other: its softmax is the probabilities
    logits = scores.reshape(-1, scores.shape[-1]).astype(np.float32)
    if node.op_type == "NegativeLogLikelihoodLoss":  # of any numbers: minus the one at the label
        each = -np.take_along_axis(logits, classes[:, None], axis=1)[:, 0]
    else:
        rule = pellucid.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="none")
        each = np.asarray(rule(classes, logits))
    shares = (np.ones(len(classes)) if weights is None else weights[classes]) * seen.reshape(-1)
    values = (each * shares).astype(np.float32)
    reduction = attributes.get("reduction", b"mean").decode()
    if reduction == "none":
        return values.reshape(labels.shape)
    return np.float32(values.sum() / (shares.sum() if reduction == "mean" else 1))


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Whether they agree, where channels last and axes of one place are no difference."""
    shape = tuple(size for size in expected.shape if size > 1)
    forms = [found, *([np.moveaxis(found, -1, 1)] if found.ndim > 2 else [])]
    forms = [form for form in forms if tuple(size for size in form.shape if size > 1) == shape]
    return any(np.allclose(form.reshape(expected.shape), expected, rtol=1e-3, atol=1e-6) for form in forms)


def judge(family: str, test: Any, folder: Path) -> tuple[str, str]:
    """ "right", "wrong" or "not expressible", and why."""
    inputs, outputs = test.data_sets[0]
    inputs = [np.asarray(each) for each in inputs]
    try:
        found = loss(test, inputs) if family == "losses" else answer(test, inputs, folder)
    except NotExpressible as error:
        return "not expressible", str(error)
    return ("right", "") if close(np.asarray(found), np.asarray(outputs[0])) else ("wrong", "")


def main() -> None:
    families = [word for word in sys.argv[1:] if not word.startswith("-")] or list(FAMILIES)
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for family, test in cases():
            if family not in families:
                continue
            verdict, why = judge(family, test, Path(folder))
            counts[family, verdict] += 1
            if verdict != "right" or "--all" in sys.argv:
                print(f"{verdict}: {test.name}{f': {why[:110]}' if why else ''}")
    print(f"\n{'family':12} right wrong not expressible")
    for family in families:
        row = [counts[family, verdict] for verdict in ("right", "wrong", "not expressible")]
        print(f"{family:12} {row[0]:5} {row[1]:5} {row[2]:5}")
    totals = [sum(counts[family, verdict] for family in families) for verdict in ("right", "wrong", "not expressible")]
    print(f"{'all':12} {totals[0]:5} {totals[1]:5} {totals[2]:5}")
    sys.exit(bool(totals[1]))


if __name__ == "__main__":
    main()
