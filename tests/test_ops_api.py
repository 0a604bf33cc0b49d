"""What is refused and how that is said; what it copies; which backend runs; values that have one right answer."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import ops
from pellucid.errors import BackendError, ConfigError, DataError, ShapeError
from pellucid.ops import dispatch, native, reference
from pellucid.ops.geometry import Array
from pellucid.ops.table import TABLE

F = np.float32
PLAIN: dict[str, Any] = {"strides": (1, 1), "padding": ((0, 0), (0, 0))}
X = np.ones((2, 6, 5, 4), F)
K = np.ones((3, 3, 4, 8), F)
Y = np.ones((2, 4, 3, 8), F)
POOL: dict[str, Any] = {"pool_size": (2, 2), **PLAIN}
P = np.ones((2, 5, 4, 4), F)
LOGITS = np.zeros((3, 4), F)
C4 = np.ones(4, F)

REFUSED: dict[str, tuple[Callable[[], object], type[Exception], str]] = {
    "list": (lambda: ops.conv2d([[1.0]], K, **PLAIN), ConfigError, "x must be a NumPy array, got list"),
    "integers": (lambda: ops.conv2d(X.astype(np.uint8), K, **PLAIN), ConfigError, "x must hold floats, got uint8"),
    "mixed dtypes": (lambda: ops.conv2d(X, K.astype(float), **PLAIN), ConfigError, "kernel is float64.*float32"),
    "axes": (lambda: ops.conv2d(X[0], K, **PLAIN), ShapeError, r"\(N, H, W, C\), got shape \(6, 5, 4\)"),
    "channels": (lambda: ops.conv2d(X[..., :3], K, **PLAIN), ShapeError, "expects 4 input channels, got 3"),
    "kernel too large": (lambda: ops.conv2d(X[:, :2], K, **PLAIN), ShapeError, "at least 3x3 input, got 2x5"),
    "bias": (lambda: ops.conv2d(X, K, np.ones(7, F), **PLAIN), ShapeError, r"bias must have shape \(8,\), got \(7,\)"),
    "strides": (lambda: ops.conv2d(X, K, strides=(0, 1), padding=((0, 0), (0, 0))), ConfigError, "strides.*0"),
    "word": (lambda: ops.conv2d(X, K, strides=(1, 1), padding="same"), ConfigError, "resolve_padding"),
    "conv dy": (
        lambda: ops.conv2d_backward_input(Y[:, 1:], K, X.shape, **PLAIN),
        ShapeError,
        r"dy must have shape \(2, 4, 3, 8\), got \(2, 3, 3, 8\)",
    ),
    "conv dy for kernel": (lambda: ops.conv2d_backward_kernel(X, Y[1:], K.shape, **PLAIN), ShapeError, "dy must have"),
    "pad axes": (lambda: ops.zero_pad2d(C4, ((0, 1), (0, 1))), ShapeError, r"\(N, H, W, C\)"),
    "dense": (lambda: ops.dense(X, K[0, 0]), ShapeError, "N, inputs"),
    "dense inputs": (lambda: ops.dense(X[0, 0], K[0, 0, :3]), ShapeError, "expects 3 inputs, got 4"),
    "dense bias": (lambda: ops.dense(X[0, 0], K[0, 0], C4), ShapeError, r"bias must have shape \(8,\)"),
    "dense dy": (lambda: ops.dense_backward_input(X[0, 0], K[0, 0]), ShapeError, r"\(5, 8\), got \(5, 4\)"),
    "dense batch": (lambda: ops.dense_backward_kernel(X[0, 0], X[0, 0, :3]), ShapeError, "same batch"),
    "bias axes": (lambda: ops.bias_backward(C4), ShapeError, "add the batch axis"),
    "pool dy": (lambda: ops.avg_pool2d_backward(P[1:], X.shape, **POOL), ShapeError, "dy must have shape"),
    "argmax": (
        lambda: ops.max_pool2d_backward(P, np.zeros((2, 5, 4, 3), np.uint8), X.shape, **POOL),
        ShapeError,
        "argmax must have shape",
    ),
    "argmax outside": (
        lambda: ops.max_pool2d_backward(P, np.full(P.shape, 4, np.uint8), X.shape, **POOL),
        DataError,
        "argmax holds 4 to 4.*count 0 to 3",
    ),
    "pool padding": (
        lambda: ops.max_pool2d(X, pool_size=(2, 2), strides=(1, 1), padding=((2, 0), (0, 0))),
        ConfigError,
        "smaller than the window",
    ),
    "pool window": (lambda: ops.max_pool2d(X, pool_size=(7, 2), **PLAIN), ShapeError, "at least 7x2 input, got 6x5"),
    "global": (lambda: ops.global_avg_pool2d_backward(C4[None], (2, 3, 3, 4)), ShapeError, r"\(2, 4\), got \(1, 4\)"),
    "kind": (lambda: ops.activation(X, "rulu"), ConfigError, "did you mean 'relu'"),
    "slope": (lambda: ops.activation(X, "leaky_relu", slope=-0.1), ConfigError, "at least 0, got -0.1"),
    "activation dy": (lambda: ops.activation_backward(X[1:], X, "relu"), ShapeError, "dy must have shape"),
    "softmax dy": (lambda: ops.softmax_backward(X[1:], X), ShapeError, "dy must have shape"),
    "label": (
        lambda: ops.softmax_cross_entropy(np.array([0, 4, 1]), LOGITS),
        DataError,
        "label 4 at position 1 is not among the 4 classes",
    ),
    "label below": (
        lambda: ops.softmax_cross_entropy(np.array([0, 3, -1]), LOGITS),
        DataError,
        "label -1 at position 2",
    ),
    "labels": (lambda: ops.softmax_cross_entropy(np.array([0, 1]), LOGITS), ShapeError, r"\(3,\), got \(2,\)"),
    "rows": (lambda: ops.softmax_cross_entropy(LOGITS + 1, LOGITS), DataError, "row 0 sum to 4; expected 1"),
    "smoothing": (
        lambda: ops.softmax_cross_entropy(np.array([0, 1, 2]), LOGITS, label_smoothing=1.5),
        ConfigError,
        "from 0 to 1, got 1.5",
    ),
    "weights": (
        lambda: ops.softmax_cross_entropy(np.array([0, 1, 2]), LOGITS, weights=np.ones(2, F)),
        ShapeError,
        r"weights must have shape \(3,\), got \(2,\)",
    ),
    "targets": (lambda: ops.mean_squared_error(LOGITS[:2], LOGITS), ShapeError, "targets must have shape"),
    "rate": (lambda: ops.dropout(X, 1.0, (0, 0, 0)), ConfigError, "below 1, got 1.0"),
    "rate nan": (lambda: ops.dropout(X, float("nan"), (0, 0, 0)), ConfigError, "got nan"),
    "key": (lambda: ops.dropout(X, 0.5, (0, 0)), ConfigError, r"\(seed, step, layer\), got \(0, 0\)"),  # type: ignore[arg-type]
    "size": (
        lambda: ops.local_response_norm(X, size=0),
        ConfigError,
        "size must be a whole number of at least 1, got 0",
    ),
    "scale": (lambda: ops.local_response_norm_backward(X, X, X, X[1:]), ShapeError, "scale must have shape"),
    "gamma": (lambda: ops.batch_norm(X, C4[:3], C4, epsilon=1e-3), ShapeError, r"gamma must have shape \(4,\)"),
    "batch axis": (lambda: ops.batch_norm(C4, C4, C4, epsilon=1e-3), ShapeError, "add the batch axis"),
    "no parts": (lambda: ops.concatenate(()), ShapeError, "one part or more, got none"),
    "part": (lambda: ops.concatenate((X, X[:, 1:])), ShapeError, "part 2 must have shape.*along their axis alone"),
    "axis": (lambda: ops.concatenate((X, X), 4), ShapeError, "axis must be one of 4 axes, got 4"),
    "sizes": (lambda: ops.split(X, (1, 2)), ShapeError, r"sizes must add up to \d+, which axis 3 has, got \(1, 2\)"),
    "gather": (
        lambda: ops.gather(X.astype(int), np.array([0]), scale=C4, offset=C4),
        ConfigError,
        "uint8 or float32 array, got int64",
    ),
    "index": (lambda: ops.gather(X, np.array([0, 2]), scale=C4, offset=C4), DataError, "0 to 2.*2 pictures"),
    "velocity": (lambda: ops.sgd_update(C4, C4, lr=0.1, momentum=0.9), ConfigError, "needs a velocity"),
    "vector": (lambda: ops.sgd_update(LOGITS, LOGITS, lr=0.1), ShapeError, "parameters"),
    "vector size": (lambda: ops.adagrad_update(C4, C4, C4[:3], lr=0.1, epsilon=0.1), ShapeError, "square must have"),
    "step": (
        lambda: ops.adam_update(C4, C4, C4, C4, lr=0.1, beta1=0.9, beta2=0.9, epsilon=0.1, step=0),
        ConfigError,
        "counts from 1, got 0",
    ),
    "mean": (
        lambda: ops.rmsprop_update(C4, C4, C4, lr=0.1, rho=0.9, epsilon=0.1, centered=True),
        ConfigError,
        "centered needs a mean",
    ),
    "out shape": (lambda: ops.conv2d(X, K, **PLAIN, out=Y[1:].copy()), ShapeError, "out must have shape"),
    "out dtype": (lambda: ops.conv2d(X, K, **PLAIN, out=Y.astype(float)), ConfigError, "out must be.*float32.*float64"),
    "out strides": (lambda: ops.softmax(X, out=X.transpose(0, 2, 1, 3)), ConfigError, "C-contiguous"),
    "out list": (lambda: ops.softmax(X, out=[]), ConfigError, "list"),  # type: ignore[arg-type]
    "out is x": (lambda: ops.zero_pad2d(X, ((0, 0), (0, 0)), out=X), ConfigError, "out overlaps an input"),
    "out overlaps": (
        lambda: ops.activation(X.reshape(-1)[1:], "relu", out=X.reshape(-1)[:-1]),
        ConfigError,
        "overlaps",
    ),
    "threads": (lambda: ops.set_num_threads(0), ConfigError, "number of threads.*0"),
    "operation": (lambda: ops.backend_of("conv2", X), ConfigError, "did you mean 'conv2d'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_say_what_is_wrong(name: str) -> None:
    wrong, error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        wrong()


def test_a_read_only_out_is_refused() -> None:
    out = np.empty_like(X)
    out.flags.writeable = False
    with pytest.raises(ConfigError, match="read-only"):
        ops.softmax(X, out=out)
    with pytest.raises(ConfigError, match="param is read-only"):
        ops.sgd_update(out.reshape(-1), X.reshape(-1), lr=0.1)


def test_arrays_that_are_right_are_not_copied_and_others_are_made_right() -> None:
    assert dispatch.array("op", "x", X) is X
    turned = np.random.default_rng(0).random((2, 5, 6, 4), dtype=F).transpose(0, 2, 1, 3)
    y = ops.conv2d(turned, K, **PLAIN)
    np.testing.assert_array_equal(y, ops.conv2d(turned.copy(), K, **PLAIN))
    # with negative strides too
    np.testing.assert_array_equal(ops.conv2d(X[:, ::-1], K, **PLAIN), ops.conv2d(X[:, ::-1].copy(), K, **PLAIN))


@pytest.mark.parametrize("op", ["softmax", "relu", "dropout", "softmax_backward", "relu_backward"])
def test_in_place(op: str) -> None:
    x = np.random.default_rng(0).standard_normal((3, 7)).astype(F)
    calls: dict[str, Callable[[Array, Array | None], Array]] = {
        "softmax": lambda a, out: ops.softmax(a, out=out),
        "relu": lambda a, out: ops.activation(a, "relu", out=out),
        "dropout": lambda a, out: ops.dropout(a, 0.5, (1, 2, 3), out=out),
        "softmax_backward": lambda a, out: ops.softmax_backward(a, x, out=out),
        "relu_backward": lambda a, out: ops.activation_backward(a, x, "relu", out=out),
    }
    work = x.copy()
    expected = calls[op](x.copy(), None)
    assert calls[op](work, work) is work
    np.testing.assert_array_equal(work, expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_results_have_the_dtype_of_the_arguments(dtype: type) -> None:
    x, k = X.astype(dtype), K.astype(dtype)
    assert ops.conv2d(x, k, **PLAIN).dtype == dtype
    assert ops.softmax(x).dtype == dtype
    assert ops.dropout(x, 0.5, (0, 0, 0)).dtype == dtype
    assert ops.backend_of("conv2d", x, k) == (ops.backend().name if dtype == np.float32 else "reference")


def test_an_empty_batch_gives_empty_results() -> None:
    x = np.empty((0, 6, 5, 4), F)
    assert ops.conv2d(x, K, **PLAIN).shape == (0, 4, 3, 8)
    assert ops.max_pool2d(x, **POOL)[0].shape == (0, 5, 4, 4)
    losses, dlogits = ops.softmax_cross_entropy(np.empty(0, np.int64), np.empty((0, 4), F))
    assert losses.shape == (0,) and dlogits.shape == (0, 4)
    np.testing.assert_array_equal(ops.conv2d_backward_kernel(x, Y[:0], K.shape, **PLAIN), np.zeros_like(K))


# --- which backend runs ---


def test_recording_says_who_ran() -> None:
    with ops.recording() as calls:
        ops.softmax(X)
        ops.softmax(X.astype(np.float64))
        with ops.recording() as inner:
            ops.zero_pad2d(X, ((0, 0), (1, 1)))
        ops.max_pool2d(np.ones((1, 16, 16, 1), F), pool_size=(16, 16), **PLAIN)
    assert calls == [("softmax", ops.backend().name), ("softmax", "reference"), ("max_pool2d", "reference")]
    assert [op for op, _ in inner] == ["pad2d"]


def test_recording_is_of_one_thread() -> None:
    with ops.recording() as calls:
        other = threading.Thread(target=ops.softmax, args=(X,))
        other.start()
        other.join()
    assert calls == []


def test_backend_of_the_optimizers() -> None:
    assert ops.backend_of("sgd_update", C4, C4, None) == ops.backend().name
    assert ops.backend_of("adadelta_update", C4) == ops.backend().name
    assert ops.backend_of("adadelta_update", C4.astype(np.float64)) == "reference"


def test_threads() -> None:
    before = ops.num_threads()
    ops.set_num_threads(1)
    assert ops.num_threads() == 1
    ops.set_num_threads(before)
    assert ops.num_threads() == before


@pytest.mark.parametrize(
    "given",
    [
        0,
        -1,
        1025,
        2**31 - 1,
        2**31,
        2**64,
        pytest.param(10**5000, id="huge"),
        True,
        2.0,
        2.5,
        "2",
        b"2",
        None,
        (2, 3),
        [2],
        np.ones(1),
    ],
)
def test_the_number_of_threads_is_a_whole_number_within_reason(given: Any) -> None:
    before = ops.num_threads()
    with pytest.raises(
        ConfigError, match=r"the number of threads must be a whole number from 1 to 1024, got ."
    ) as told:
        ops.set_num_threads(given)
    assert len(str(told.value)) < 150 and "\n" not in str(told.value)
    assert ops.num_threads() == before
    ops.set_num_threads(np.int64(before))


def test_every_kernel_has_a_row_and_is_given_all_of_its_fields() -> None:
    if not dispatch.native.available:
        pytest.skip("there are no kernels")
    rows = {found.kernel: found for found in TABLE.values() if found.kernel}
    assert set(rows) == set(native.signatures())
    for op in rows.values():
        signature = native.signatures()[op.kernel]
        named = {field for name in op.parameters for field in _names(op.fields.get(name, name))} | set(op.fixed)
        windows = {
            "strides",
            "padding",
            "dilation",
            "groups",
            "pool_size",
            "convolution",
            "pooling",
            "factors",
            "counted",
        }
        sizes = {name.lower() for name in signature.sizes} | set(signature.sizes)
        assert named <= {*signature.arrays, *signature.reals, *sizes, *windows}, op.name
        assert {*signature.arrays} <= named, op.name
        assert {*signature.reals} - named <= {"label_smoothing"}, op.name


def test_words_of_a_choice_are_those_that_the_reference_has_formulas_for() -> None:
    if not dispatch.native.available:
        pytest.skip("there are no kernels")
    assert native.choices()["ACTIVATION"] == ["linear", *reference.nonlinear.ACTIVATIONS]
    losses = [op.name for op in TABLE.values() if op.kernel == "elementwise_loss"]
    assert native.choices()["LOSS"] == losses == [TABLE[name].fixed["LOSS"] for name in losses]


def _names(fields: str | tuple[str, ...]) -> tuple[str, ...]:
    return (fields,) if isinstance(fields, str) else fields


def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch.native, "available", False)
    monkeypatch.setattr(dispatch.native, "reason", "no compiler was found")
    monkeypatch.setattr(dispatch, "_announced", False)


def test_missing_kernels_are_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch)
    monkeypatch.delenv("PELLUCID_REQUIRE_NATIVE", raising=False)
    with pytest.warns(RuntimeWarning, match="no compiler was found"):
        ops.softmax(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.softmax(X)
    assert ops.backend() == ops.Backend("reference", "numpy", 1, "no compiler was found")


def test_missing_kernels_are_an_error_where_they_are_required(monkeypatch: pytest.MonkeyPatch) -> None:
    missing(monkeypatch)
    monkeypatch.setenv("PELLUCID_REQUIRE_NATIVE", "1")
    with pytest.raises(BackendError, match="no compiler was found"):
        ops.softmax(X)


# --- values that have one right answer ---
