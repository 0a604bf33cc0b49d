"""Steps of every kernel, at sizes that cut vectors, tiles and tasks: for what must hold of all of them.

A kernel that is not named here gets the options of its row's typical call, at the sizes of AWKWARD.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid.bench.calls import made
from pellucid.ops.geometry import NO_PADS, Array, Pooling, Shape
from pellucid.ops.native import signatures
from pellucid.ops.table import HALVED, SAME3, SAME5, TABLE, VALID, Call, Op, row

BATCH = 9
AWKWARD: dict[str, Shape] = {
    "N": (BATCH,), "INNER": (21, 23), "C": (45,), "K": (131,), "COUNT": (50_001,), "INPUTS": (700,), "UNITS": (45,),
    "H": (21,), "W": (23,), "A": (30,), "B": (144,), "TASKS": (40,), "INDICES": (40,), "ROWS": (40,),
    "OUTER": (5,), "GROUPS": (9,), "SHARED": (2,), "WIDTH": (131,),
}  # fmt: skip
SMALL: dict[str, Shape] = {
    "N": (2,), "INNER": (4,), "C": (2,), "(C / GROUPS)": (2,), "K": (8,), "COUNT": (16,), "INPUTS": (8,), "UNITS": (3,),
    "H": (6,), "W": (6,), "KH": (3,), "KW": (3,), "O": (4,), "A": (2,), "B": (3,), "TASKS": (2,), "INDICES": (16,),
    "ROWS": (16,), "OUTER": (2,), "GROUPS": (2,), "SHARED": (2,), "WIDTH": (67,),
}  # fmt: skip

NUMBERS = np.random.default_rng(3).standard_normal(1 << 21, np.float32)
"""What the arrays hold: drawn once, as drawing takes longer than most kernels."""

Built = tuple[Any, list[Array]]


class Arrays:
    """Seeded arrays: the same numbers for the same call, cut to n examples where they are a batch."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._taken = 0

    def batch(self, *shape: int) -> Array:
        return self.fixed(BATCH, *shape)[: self.n].copy()

    def fixed(self, *shape: int) -> Array:
        size = math.prod(shape)
        start = self._taken % (len(NUMBERS) - size)
        self._taken += size
        return NUMBERS[start : start + size].reshape(shape).copy()

    def out(self, *shape: int) -> Array:
        return np.full((self.n, *shape), np.nan, np.float32)

    def draw(self, axis: str, shape: Shape) -> Array:
        return self.batch(*shape[1:]) if axis == "N" else self.fixed(*shape)

    def empty(self, axis: str, shape: Shape) -> Array:
        return self.out(*shape[1:]) if axis == "N" else np.full(shape, np.nan, np.float32)


@dataclass(frozen=True)
class Build:
    """Makes a step, and the arrays that it writes, for so many examples as `Arrays` gives."""

    op: Op
    name: str
    values: dict[str, Any]

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, arrays: Arrays) -> Built:
        values = dict(self.values)
        for name in self.op.arrays:
            value = values.get(name)
            if isinstance(value, tuple) and value[0] == BATCH:
                values[name] = (arrays.n, *value[1:])
            elif isinstance(value, np.ndarray) and len(value) == BATCH:
                values[name] = value[: arrays.n]
        if "pictures" in values:
            values["pictures"] = arrays.n
        found = made(self.op, Call("", values), arrays.draw, arrays.empty)
        return found.step, found.results


def typical(op: Op, letters: dict[str, Shape]) -> Build:
    """The row's first call, at other sizes."""
    values = op.typical[0].values
    (height,), (width,) = letters["H"], letters["W"]
    if "factors" in values:
        letters = {**letters, "OH": (height * values["factors"][0],), "OW": (width * values["factors"][1],)}
    elif "mode" in values:
        letters = {**letters, "OH": (height + sum(values["padding"][0]),), "OW": (width + sum(values["padding"][1]),)}
    elif op.name.startswith("conv2d_norm"):  # what it takes: 1x1, and whole vectors of channels
        letters = {**letters, "KH": (1,), "KW": (1,), "C": (16,), "(C / GROUPS)": (16,)}
    elif "I" in signatures()[op.kernel].sizes:  # whole vectors of channels, each by itself, and a kernel of 3x3
        letters = {**letters, "KH": (3,), "KW": (3,), "I": (8,), "C": (16,), "(C / GROUPS)": (1,)}
        if "groups" in values:
            letters, values = {**letters, "O": (16,), "OH": (height,), "OW": (width,)}, {**values, "groups": 16}
    fields = signatures()[op.kernel].arrays
    names = {name: op.fields.get(name, name) for name in op.arrays if values.get(name)}
    shapes = {
        name: fields[field if isinstance(field, str) else field[0]].shape(letters) for name, field in names.items()
    }
    return Build(op, op.name, {name: value for name, value in values.items() if name not in op.arrays} | shapes)


POOL: Pooling = {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 1))}
POOLING: Pooling = {"pool_size": (3, 2), "strides": (2, 2), "padding": ((1, 0), (0, 0))}
POOLED: dict[str, Any] = {"convolution": SAME3, "pooling": POOLING}
POOLED_GROUPS: dict[str, Any] = {"convolution": {**SAME3, "groups": 2}, "pooling": POOLING}
SIDE_BY_SIDE: Pooling = {"pool_size": (2, 3), "strides": (2, 3), "padding": NO_PADS}
MAPPED: dict[str, Any] = {"convolution": SAME3, "pooling": SIDE_BY_SIDE, "activation": "sigmoid"}
INSIDE = np.resize(np.array([2, 5, 255, 3, 4, 2, 4], np.uint8), (BATCH, 6, 8, 46))
"""Places that lie inside, and some that no gradient comes through."""
PLACES = np.resize(np.array([0, 3, 1, 5, 2, 4, 5], np.uint8), (BATCH, 10, 12, 45))

Variants = dict[str, tuple[str, dict[str, Any]]]
"""Name: operation, its arguments; arrays by their shapes, from which the other shapes follow."""
STATISTICS = ("mean", "variance", "x_gamma", "x_beta", "x_mean", "x_variance")
GRADIENTS = ("gamma", "dgamma", "dbeta", "x_dgamma", "x_dbeta")
NORMED: dict[str, Any] = {"activation": "relu6", "ceiling": 6.0, "x_epsilon": 1e-3}
CONVOLUTIONS: Variants = {
    "conv2d": (
        "conv2d",
        {"x": (9, 13, 17, 6), "kernel": (3, 3, 6, 30), "activation": "leaky_relu", "slope": 0.1, **SAME3},
    ),
    "conv2d_strided": (
        "conv2d",
        {"x": (9, 13, 17, 3), "kernel": (3, 2, 3, 45), "bias": None, "strides": (2, 2), "padding": NO_PADS,
         "activation": "tanh"},
    ),
    "conv2d_addend": ("conv2d", {"x": (9, 13, 17, 6), "kernel": (3, 3, 6, 30), "addend": (9, 13, 17, 30), **SAME3}),
    "conv2d_scale": ("conv2d", {"x": (9, 13, 17, 16), "kernel": (3, 3, 16, 45), "scale": (45,), **SAME3}),
    "conv2d_few_filters": (
        "conv2d",
        {"x": (9, 21, 30, 1), "kernel": (5, 5, 1, 6), "scale": (6,), "activation": "sigmoid", **SAME5},
    ),
    "conv2d_depthwise": (
        "conv2d",
        {"x": (9, 13, 17, 36), "kernel": (3, 3, 1, 36), "addend": (9, 13, 17, 36), "scale": (36,), "activation": "tanh",
         "groups": 36, **SAME3},
    ),
    "conv2d_depthwise_each": (
        "conv2d", {"x": (9, 13, 17, 18), "kernel": (2, 4, 1, 36), "dilation": (2, 1), "groups": 18, **SAME3},
    ),
    "conv2d_depthwise_backward_input": (
        "conv2d_backward_input",
        {"dx": (9, 13, 17, 45), "kernel": (5, 5, 1, 90), "strides": (2, 2), "padding": ((2, 2), (1, 2)), "groups": 45},
    ),
    "conv2d_depthwise_backward_kernel": (
        "conv2d_backward_kernel",
        {"x": (9, 13, 17, 45), "dkernel": (5, 5, 1, 90), "strides": (2, 2), "padding": ((2, 2), (1, 2)), "groups": 45},
    ),
    "conv2d_depthwise_each_backward_kernel": (
        "conv2d_backward_kernel", {"x": (9, 13, 17, 18), "dkernel": (3, 7, 1, 18), "groups": 18, **SAME3},
    ),
    "conv2d_backward_input": (
        "conv2d_backward_input",
        {"dx": (9, 13, 17, 36), "kernel": (3, 2, 18, 16), "strides": (2, 3), "padding": ((1, 1), (2, 0)),
         "dilation": (2, 1), "groups": 2},
    ),
    "conv2d_backward_input_addend": (
        "conv2d_backward_input", {"dx": (9, 13, 17, 36), "kernel": (3, 3, 36, 45), "addend": (9, 13, 17, 36), **SAME3},
    ),
    "conv2d_few_channels_backward_input": (
        "conv2d_backward_input", {"dx": (9, 14, 15, 6), "kernel": (5, 5, 6, 16), **VALID},
    ),
    "conv2d_backward_input_bias": (
        "conv2d_backward_input",
        {"dx": (9, 14, 15, 24), "kernel": (3, 2, 24, 16), "bias": (24,), "activation": "elu", "slope": 1.0,
         "strides": (2, 2), "padding": NO_PADS},
    ),
    "conv2d_backward_input_few_bias": (
        "conv2d_backward_input",
        {"dx": (9, 14, 15, 6), "kernel": (5, 5, 6, 16), "bias": (6,), "activation": "tanh", **VALID},
    ),
    "conv2d_backward_input_winograd_bias": (
        "conv2d_backward_input",
        {"dx": (9, 13, 17, 46), "kernel": (3, 3, 46, 30), "bias": (46,), "activation": "relu", **SAME3},
    ),
    "conv2d_backward_kernel": ("conv2d_backward_kernel", {"x": (9, 13, 17, 16), "dkernel": (3, 3, 16, 46), **SAME3}),
    "conv2d_few_filters_backward_kernel": (
        "conv2d_backward_kernel", {"x": (9, 21, 30, 1), "dkernel": (5, 5, 1, 6), **SAME5},
    ),
    "conv2d_pool": ("conv2d_pool", {"x": (9, 13, 17, 6), "kernel": (3, 3, 6, 30), "activation": "relu", **POOLED}),
    "conv2d_pool_grey": (
        "conv2d_pool",
        {"x": (9, 41, 23, 1), "kernel": (5, 5, 1, 19), "convolution": VALID, "pooling": HALVED, "activation": "relu",
         "algorithm": "winograd_rows"},
    ),
    "conv2d_pool_average": (
        "conv2d_pool",
        {"x": (9, 13, 17, 3), "kernel": (3, 3, 3, 45), "bias": None, "argmax": None, "activation": "sigmoid",
         "average": True, **POOLED},
    ),
    "conv2d_pool_backward_kernel": (
        "conv2d_pool_backward_kernel",
        {"x": (9, 13, 17, 36), "dkernel": (3, 3, 18, 46), "argmax": INSIDE, "activation": "relu", **POOLED_GROUPS},
    ),
    "conv2d_pool_backward_input": (
        "conv2d_pool_backward_input",
        {"dx": (9, 13, 17, 36), "kernel": (3, 3, 18, 46), "argmax": INSIDE, "activation": "tanh", **POOLED_GROUPS},
    ),
    "conv2d_pool_map": ("conv2d_pool_map", {"x": (9, 13, 17, 3), "kernel": (3, 3, 3, 6), **MAPPED}),
    "conv2d_pool_map_backward_kernel": (
        "conv2d_pool_map_backward_kernel", {"x": (9, 13, 17, 3), "dkernel": (3, 3, 3, 6), **MAPPED},
    ),
    "inverted_residual": (
        "inverted_residual",
        {"x": (9, 21, 23, 24), "expand": (24, 48), "expand_bias": (48,), "kernel": (3, 3, 48), "bias": (48,),
         "project": (48, 46), "project_bias": (46,), "addend": (9, 21, 23, 46), "expand_scale": (48,),
         "project_scale": (46,), "activation": "silu", **SAME3},
    ),
    "inverted_residual_without_expansion": (
        "inverted_residual",
        {"x": (9, 21, 23, 48), "expand": None, "expand_bias": None, "kernel": (5, 5, 48), "bias": (48,),
         "project": (48, 24), "project_bias": (24,), "activation": "relu6", "ceiling": 1.0, **SAME5, "strides": (2, 2)},
    ),
    "conv2d_norm_depthwise": (
        "conv2d_norm",
        {"x": (9, 21, 23, 48), "kernel": (3, 3, 1, 48), "groups": 48, **dict.fromkeys(STATISTICS, (48,)), **NORMED,
         **SAME3},
    ),
    "conv2d_norm": (
        "conv2d_norm",
        {"x": (9, 21, 23, 48), "kernel": (1, 1, 48, 80), "mean": (80,), "variance": (80,),
         **dict.fromkeys(STATISTICS[2:], (48,)), **NORMED, **VALID},
    ),
    "conv2d_norm_pictures": (
        "conv2d_norm",
        {"x": (9, 13, 17, 16), "kernel": (3, 3, 16, 32), "mean": (32,), "variance": (32,),
         **dict.fromkeys(STATISTICS[2:], (16,)), **NORMED, **SAME3},
    ),
    "conv2d_norm_backward_pictures": (
        "conv2d_norm_backward",
        {"x": (9, 13, 17, 16), "kernel": (3, 3, 16, 32), "dkernel": (3, 3, 16, 32), "dx": (9, 13, 17, 16),
         "addend": (9, 13, 17, 16), **dict.fromkeys((*STATISTICS[2:], *GRADIENTS[3:]), (16,)),
         **dict.fromkeys((*STATISTICS[:2], *GRADIENTS[:3]), (32,)), "y": (9, 13, 17, 32), "epsilon": 1e-3, **NORMED,
         **SAME3},
    ),
    "batch_norm_inference_addend": (
        "batch_norm_inference",
        {"x": (9, 13, 17, 45), "addend": (9, 13, 17, 45), "activation": "relu", "epsilon": 1e-3},
    ),
    "conv2d_norm_backward_depthwise": (
        "conv2d_norm_backward",
        {"x": (9, 21, 23, 48), "kernel": (5, 5, 1, 48), "dkernel": (5, 5, 1, 48), "dx": (9, 21, 23, 48), "groups": 48,
         **dict.fromkeys((*STATISTICS, *GRADIENTS), (48,)), "y": (9, 21, 23, 48), "epsilon": 1e-3, **NORMED, **SAME5},
    ),
    "conv2d_norm_backward": (
        "conv2d_norm_backward",
        {"x": (9, 21, 23, 48), "kernel": (1, 1, 48, 80), "dkernel": (1, 1, 48, 80), "dx": (9, 21, 23, 48),
         **dict.fromkeys((*STATISTICS[2:], *GRADIENTS[3:]), (48,)),
         **dict.fromkeys((*STATISTICS[:2], *GRADIENTS[:3]), (80,)), "y": (9, 21, 23, 80), "epsilon": 1e-3, **NORMED,
         **VALID},
    ),
}  # fmt: skip
POOLINGS: Variants = {
    "max_pool2d": ("max_pool2d", {"x": (9, 21, 23, 45), **POOL}),
    "max_pool2d_backward": ("max_pool2d_backward", {"dx": (9, 21, 23, 45), "argmax": PLACES, **POOL}),
    "avg_pool2d": ("avg_pool2d", {"x": (9, 21, 23, 45), **POOL}),
    "global_max_pool2d_few": ("global_max_pool2d", {"x": (9, 21, 23, 6)}),
    "avg_pool2d_few": ("avg_pool2d", {"x": (9, 21, 23, 6), **SIDE_BY_SIDE}),
    "avg_pool2d_backward": ("avg_pool2d_backward", {"dx": (9, 21, 23, 45), **POOL}),
    "avg_pool2d_backward_activation": (
        "avg_pool2d_backward",
        {"dx": (9, 21, 23, 6), "y": (9, 21, 23, 6), "dbias": (6,), "activation": "sigmoid", **SIDE_BY_SIDE},
    ),
    "avg_pool2d_backward_activation_overlapping": (
        "avg_pool2d_backward",
        {"dx": (9, 21, 23, 45), "y": (9, 21, 23, 45), "dbias": (45,), "activation": "leaky_relu", "slope": 0.1, **POOL},
    ),
}  # fmt: skip
_UNEVEN = ((1, 2), (3, 1))
_GATHERED = {"source": (40, 31, 17, 3), "indices": (40,), "out": (9, 31, 17, 3), "cursor": np.array([4])}
OTHERS: Variants = {
    "gather": ("gather", _GATHERED),
    "augment": ("augment", {**_GATHERED, "draws": (40, 21), "position": np.array([7]), "border": "constant"}),
    "augment_floats": ("augment", {"source": np.ones((40, 31, 17, 2), np.float32), "draws": (40, 21), "indices": (40,),
                                   "out": (9, 31, 17, 2), "cursor": None, "position": None}),
    "mix_targets": (
        "mix_targets", {"targets": (40,), "draws": (40, 21), "indices": (40,), "out": (9, 13), "cursor": np.array([4]),
                        "position": np.array([7])},
    ),
    "pad2d": ("pad2d", {"x": (9, 21, 23, 45), "y": (9, 24, 27, 45), "padding": _UNEVEN, "mode": "reflect"}),
    "pad2d_backward": (
        "pad2d_backward", {"dx": (9, 21, 23, 45), "dy": (9, 24, 27, 45), "padding": _UNEVEN, "mode": "edge"},
    ),
    "upsample2d": (
        "upsample2d",
        {"x": (9, 21, 23, 45), "y": (9, 42, 69, 45), "factors": (2, 3), "interpolation": "bilinear"},
    ),
    "upsample2d_backward": (
        "upsample2d_backward",
        {"dx": (9, 21, 23, 45), "dy": (9, 42, 69, 45), "factors": (2, 3), "interpolation": "bilinear"},
    ),
    "permute": ("permute", {"x": (9, 3, 21, 5, 46, 1)}),
    "permute_runs": ("permute", {"x": (9, 3, 21, 23, 13)}),
    "prelu_one": ("prelu", {"x": (9, 2, 3, 700, 1), "alpha": (3, 1)}),
    "prelu_backward_one": ("prelu_backward", {"x": (9, 2, 3, 700, 1), "alpha": (3, 1)}),
    "prelu_backward_each": ("prelu_backward", {"x": (9, 1, 1, 1, 3001), "alpha": (1, 3001)}),
    "multiply_alike": ("multiply", {"x": (9, 21, 1, 45), "factor": (9, 21, 45)}),
    "multiply_backward_alike": ("multiply_backward", {"x": (9, 21, 1, 45), "factor": (9, 21, 45)}),
    "gather_labels": ("gather_labels", {"labels": (40,), "indices": (40,), "out": (9,), "cursor": np.array([4])}),
    "gather_masks": (
        "gather_labels", {"labels": np.ones((40, 21, 23), np.uint8), "indices": (40,), "out": (9, 21, 23),
                          "cursor": np.array([4])},
    ),
    "augment_masks": (
        "augment_masks", {"masks": np.resize(np.arange(7, dtype=np.uint8), (40, 31, 17)), "draws": (40, 21),
                          "indices": (40,), "out": (9, 31, 17), "cursor": np.array([4]), "position": np.array([7]),
                          "border": "constant"},
    ),
    "softmax_cross_entropy_of_pixels": (
        "softmax_cross_entropy", {"logits": (9, 21, 23, 13), "targets": (9, 21, 23), "class_weights": (13,),
                                  "answers": (9, 21, 23), "ignored": 3},
    ),
    "softmax_cross_entropy": (
        "softmax_cross_entropy", {"logits": (9, 1001), "targets": (9,), "label_smoothing": 0.1},
    ),
    "binary_cross_entropy": (
        "binary_cross_entropy", {"logits": (9, 13), "accuracy": "binary", "label_smoothing": 0.1},
    ),
    "activation_tanh": ("activation", {"x": (9, 21, 23, 15), "kind": "tanh"}),
    "activation_backward_sigmoid": ("activation_backward", {"dy": (9, 21, 23, 15), "kind": "sigmoid"}),
    "batch_norm_addend": (
        "batch_norm", {"x": (9, 21, 23, 45), "addend": (9, 21, 23, 45), "activation": "relu", "epsilon": 1e-3},
    ),
    "batch_norm_backward_activation": (
        "batch_norm_backward",
        {"x": (9, 21, 23, 13), "beta": (13,), "activation": "leaky_relu", "slope": 0.1, "epsilon": 1e-3},
    ),
    "batch_norm_backward_addend": (
        "batch_norm_backward",
        {"x": (9, 21, 23, 13), "y": (9, 21, 23, 13), "daddend": (9, 21, 23, 13), "activation": "relu",
         "epsilon": 1e-3},
    ),
    "dense": ("dense", {"x": (9, 700), "kernel": (700, 45), "activation": "sigmoid"}),
    "sgd": ("sgd", {"param": (50_001,), "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    # far above the square of `mean`, which is not the mean of what `square` has summed
    "rmsprop": ("rmsprop", {"param": (50_001,), "rho": 0.9, "momentum": 0.9, "epsilon": 100.0}),
    "add_penalty": ("add_penalty", {"param": (50_001,), "l1": 0.1, "l2": 0.2, "pictures": BATCH}),
}  # fmt: skip

NAMED = CONVOLUTIONS | POOLINGS | OTHERS
BUILDS = {name: Build(row(op), name, values) for name, (op, values) in NAMED.items()} | {
    op.name: typical(op, AWKWARD)
    for op in TABLE.values()
    if op.typical and op.name not in NAMED and op.kernel in signatures()
}
BATCHED = [build for build in BUILDS.values() if "N" in signatures()[build.op.kernel].sizes]
FLAT = [build for build in BUILDS.values() if build not in BATCHED]
