"""`keras.ops` against Keras's own, name by name, of arrays and of a network's values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.keras import ops

RNG = np.random.default_rng(0)
A, B = (RNG.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(2))
P, U, T = np.abs(A) + 0.1, np.tanh(A), (A > 0).astype(np.float32)
IMAGES, KERNEL = RNG.normal(size=(2, 6, 6, 3)).astype(np.float32), RNG.normal(size=(3, 3, 3, 4)).astype(np.float32)
SHARES = np.exp(B) / np.exp(B).sum(-1, keepdims=True)

ONE = [
    "abs",
    "absolute",
    "amax",
    "amin",
    "any",
    "all",
    "arcsinh",
    "arctan",
    "average",
    "argmax",
    "argmin",
    "argsort",
    "ceil",
    "cos",
    "cosh",
    "count_nonzero",
    "cumprod",
    "cumsum",
    "diff",
    "elu",
    "exp",
    "expm1",
    "flip",
    "floor",
    "gelu",
    "hard_sigmoid",
    "hard_silu",
    "isfinite",
    "isinf",
    "isnan",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "max",
    "mean",
    "median",
    "min",
    "nan_to_num",
    "ndim",
    "negative",
    "norm",
    "normalize",
    "ones_like",
    "prod",
    "ravel",
    "reciprocal",
    "relu",
    "relu6",
    "round",
    "selu",
    "shape",
    "sigmoid",
    "sign",
    "silu",
    "sin",
    "sinh",
    "size",
    "softmax",
    "softplus",
    "softsign",
    "sort",
    "square",
    "std",
    "sum",
    "swish",
    "tan",
    "tanh",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "var",
    "zeros_like",
]
TWO = [
    "add",
    "arctan2",
    "divide",
    "divide_no_nan",
    "equal",
    "floor_divide",
    "greater",
    "greater_equal",
    "isclose",
    "less",
    "less_equal",
    "logaddexp",
    "logical_and",
    "logical_or",
    "logical_xor",
    "kron",
    "inner",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "not_equal",
    "subtract",
    "true_divide",
]
CALLS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(ONE, (A,)), **dict.fromkeys(TWO, (A, B)),
    **dict.fromkeys(("log", "log1p", "log2", "log10", "sqrt", "rsqrt"), (P,)),
    **dict.fromkeys(("arccos", "arcsin", "arctanh"), (U,)),
    **dict.fromkeys(("concatenate", "stack", "vstack", "hstack"), ([A, B],)),
    "arange": (5,), "arccosh": (1 + P,), "bincount": (np.array([0, 2, 2, 1]),), "cross": (A[:, :2, :3], B[:, :2, :3]),
    "diag": (A[0, 0],), "digitize": (A, np.float32([-1, 0, 1])), "fft2": ((A, B),), "quantile": (A, 0.3),
    "rot90": (A,), "searchsorted": (np.float32([-1, 0, 1]), A[0, 0]), "slice_update": (A, (0, 1, 1), B[:1, :2, :2]),
    "vdot": (A[0, 0], B[0, 0]),
    "array": ([1.0, 2.0],), "average_pool": (IMAGES, 2, 2), "binary_crossentropy": (T, 1 / (1 + P)),
    "broadcast_to": (A[:1], (2, 3, 4)), "cast": (A, "int32"),
    "categorical_crossentropy": (np.eye(4)[[[0, 2, 1], [3, 0, 0]]].astype("f"), SHARES),
    "clip": (A, -0.5, 0.5), "conv": (IMAGES, KERNEL, 2, "same"), "convert_to_tensor": (A,),
    "depthwise_conv": (IMAGES, KERNEL[..., :2], 1, "valid"), "diagonal": (A[0],), "dot": (A[0], B[0].T),
    "einsum": ("nij,nkj->nik", A, B), "expand_dims": (A, 1), "eye": (3,), "full": ((2, 3), 1.5), "full_like": (A, 2.0),
    "linspace": (0, 1, 5), "logical_not": (A > 0,), "matmul": (A, B.transpose(0, 2, 1)), "max_pool": (IMAGES, 2, 2),
    "meshgrid": (A[0, 0], B[0, 1]), "moments": (A, (0, 1)), "moveaxis": (A, 0, -1), "one_hot": (np.array([0, 2]), 4),
    "ones": ((2, 3),), "outer": (A[0, 0], B[0, 0]), "pad": (A, ((0, 0), (1, 1), (0, 2))), "power": (P, B),
    "repeat": (A, 2, 1), "reshape": (A, (4, 6)), "roll": (A, 1, 0), "slice": (A, (0, 1, 1), (1, 2, 2)),
    "sparse_categorical_crossentropy": (np.array([0, 2]), SHARES[:, 0]), "split": (A, 2, 2), "squeeze": (A[:, :1], 1),
    "stop_gradient": (A,), "swapaxes": (A, 0, 1), "take": (A, np.array([0, 2]), 1),
    "take_along_axis": (A, np.argsort(A, -1), -1), "tensordot": (A, B.transpose(2, 1, 0), 1), "tile": (A, (1, 2, 1)),
    "top_k": (A, 2), "trace": (A[0],), "unstack": (A,), "where": (A > 0, A, B), "zeros": ((2, 3),),
}  # fmt: skip
OTHERS = {"cond", "convert_to_numpy", "image", "is_tensor"}


def parts(found: Any) -> list[Any]:
    if isinstance(found, list | tuple) and not all(isinstance(each, int) for each in found):
        return [one for each in found for one in parts(each)]
    return [np.asarray(found.detach() if hasattr(found, "detach") else found, np.float64)]


def test_every_name_has_a_call() -> None:
    assert set(ops.__all__) == set(CALLS) | OTHERS
    assert ops.cond(A.sum() > 1e9, lambda: 1, lambda: 2) == 2 and ops.is_tensor(ops.array([1.0]))


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_numbers_are_kerass(name: str) -> None:
    theirs = pytest.importorskip("keras").ops
    given = [theirs.convert_to_tensor(each) if isinstance(each, np.ndarray) else each for each in CALLS[name]]
    found, wanted = parts(getattr(ops, name)(*CALLS[name])), parts(getattr(theirs, name)(*given))
    assert len(found) == len(wanted)
    for ours, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, other, atol=2e-5)


@pytest.mark.parametrize("name", [*ONE[:4], "exp", "softmax", "gelu", "cumsum", "std", "flip", "log_softmax"])
def test_of_a_networks_values_they_are_those_of_arrays(name: str) -> None:
    inputs, function = keras.Input((3, 4)), getattr(ops, name)
    more = {"axis": 2} if name in ("amax", "amin", "cumsum", "std", "flip") else {}
    np.testing.assert_allclose(keras.Model(inputs, function(inputs, **more))(A), function(A, **more), atol=1e-6)
