"""GELU where a file spells it out: x / 2 * (1 + erf(x / sqrt 2)), or x / 2 * erfc(-x / sqrt 2) as TensorFlow does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def gelus(nodes: Sequence[Any], arrays: Mapping[str, Any]) -> dict[str, str]:
    """For each node that ends a GELU, by the name of what it gives, the name of what goes in."""
    constants = {
        name: float(each.reshape(-1)[0]) for name, each in arrays.items() if np.size(each) == 1 and _real(each)
    }
    makers = {node.output[0]: node for node in nodes if node.output}
    readers: dict[str, list[Any]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)
        if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
            value = _one(node.attribute[0].t)
            constants.update({} if value is None else {node.output[0]: value})

    def parts(name: str, operators: tuple[str, ...]) -> tuple[str, float] | None:
        """Of such a node with a constant, what it is made from and the constant."""
        node = makers.get(name)
        if node is None or node.op_type not in operators or len(node.input) != 2:
            return None
        first, second = node.input
        if second in constants:
            return first, constants[second]
        return (second, constants[first]) if first in constants and node.op_type != "Div" else None

    found: dict[str, str] = {}
    for node in nodes:
        if node.op_type not in ("Erf", "Erfc"):
            continue
        inner = parts(node.input[0], ("Div", "Mul"))
        behind = readers.get(node.output[0], [])
        if inner is None or len(behind) != 1:
            continue
        x, number = inner
        if node.op_type == "Erfc":  # 1 + erf(z) = erfc(-z)
            negated = makers.get(x)
            if negated is None or negated.op_type != "Neg":
                continue
            x, end = negated.input[0], node
        elif parts(behind[0].output[0], ("Add",)) == (node.output[0], 1.0):
            end = behind[0]
        else:
            continue
        factor = 1 / number if makers[node.input[0]].op_type == "Div" and number else number
        if not math.isclose(factor, math.sqrt(0.5), rel_tol=1e-4):
            continue
        name, by_x, by_half = end.output[0], False, False
        while len(readers.get(name, [])) == 1 and not (by_x and by_half) and readers[name][0].op_type == "Mul":
            product = readers[name][0]
            other = product.input[0] if product.input[1] == name else product.input[1]
            half = constants.get(other) == 0.5
            if not half and other != x and parts(other, ("Mul",)) != (x, 0.5):
                break
            by_half, by_x = by_half or half or other != x, by_x or not half
            name = product.output[0]
        if by_x and by_half:
            found[name] = x
    return found


def _real(array: Any) -> bool:
    return isinstance(array, np.ndarray) and array.dtype.kind == "f"


def _one(tensor: Any) -> float | None:
    """The number of a tensor of one in float32."""
    if tensor.data_type != 1 or math.prod(tensor.dims) != 1:
        return None
    if len(tensor.raw_data) == 4:
        return float(np.frombuffer(tensor.raw_data, np.float32)[0])
    return float(tensor.float_data[0]) if len(tensor.float_data) == 1 else None
