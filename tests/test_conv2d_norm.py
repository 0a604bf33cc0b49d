"""Convolutions between batch norms as one step each way: what the operations one by one give in float64."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from case import EPS, normal

import pellucid
from pellucid import layers
from pellucid.errors import BackendError
from pellucid.layers import Add, BatchNorm, Conv2D, DepthwiseConv2D, GlobalAvgPool2D, Input, Layer, ReLU
from pellucid.ops import native, reference
from pellucid.ops.geometry import NO_PADS, Array, Shape, conv2d_shape
from pellucid.plan import Feed, patterns
from pellucid.plan.normed_convolution import lower_normed_convolutions
from pellucid.train import training_plan

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")
WINDOWS: dict[str, tuple[Shape, Shape, dict[str, Any]]] = {
    "1x1 to more": ((3, 7, 9, 16), (1, 1, 16, 96), {"strides": (1, 1), "padding": NO_PADS}),
    "1x1 to fewer": ((5, 13, 11, 112), (1, 1, 112, 48), {"strides": (1, 1), "padding": NO_PADS}),
    "1x1, many": ((2, 3, 5, 320), (1, 1, 320, 272), {"strides": (1, 1), "padding": NO_PADS}),
    "3x3": ((2, 9, 13, 48), (3, 3, 1, 48), {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "groups": 48}),
    "3x3, many": ((18, 5, 6, 304), (3, 3, 1, 304), {"strides": (1, 1), "padding": ((1, 1), (1, 1)), "groups": 304}),
    "3x3, halved": ((3, 15, 70, 16), (3, 3, 1, 16), {"strides": (2, 2), "padding": ((0, 1), (0, 1)), "groups": 16}),
    "3x3, inside": ((1, 21, 9, 32), (3, 3, 1, 32), {"strides": (1, 1), "padding": NO_PADS, "groups": 32}),
    "3x3, cut off": ((2, 8, 10, 32), (3, 3, 1, 32), {"strides": (2, 2), "padding": NO_PADS, "groups": 32}),
    "5x5": ((2, 17, 8, 48), (5, 5, 1, 48), {"strides": (1, 1), "padding": ((2, 2), (2, 2)), "groups": 48}),
    "5x5, halved": ((40, 9, 11, 32), (5, 5, 1, 32), {"strides": (2, 2), "padding": ((1, 2), (2, 1)), "groups": 32}),
    "all to all": ((37, 6, 7, 16), (3, 3, 16, 32), {"strides": (1, 1), "padding": ((1, 1), (1, 1))}),
    "all, halved": ((9, 7, 6, 32), (3, 3, 32, 16), {"strides": (2, 2), "padding": ((0, 1), (1, 1))}),
    "in groups": ((20, 5, 4, 32), (2, 3, 8, 48), {"strides": (1, 1), "padding": NO_PADS, "groups": 4}),
    "1x1, halved": ((35, 9, 8, 16), (1, 1, 16, 32), {"strides": (2, 2), "padding": NO_PADS}),
    "5x5, far": ((1, 12, 9, 16), (5, 5, 1, 16), {"strides": (1, 1), "padding": ((4, 4), (4, 3)), "groups": 16}),
}
ACTIVATIONS: dict[str, dict[str, Any]] = {
    "relu": {"activation": "relu"},
    "relu6": {"activation": "relu6", "ceiling": 1.5},
    "tanh": {"activation": "tanh"},
}


def step_arguments(name: str) -> tuple[dict[str, Array], dict[str, Any]]:
    x, kernel, window = WINDOWS[name]
    rng = np.random.default_rng(3)
    y = conv2d_shape(x, kernel, **window)
    a = {"x": normal(rng, x, 2.0) + 1, "kernel": normal(rng, kernel), "y": normal(rng, y, 3.0), "dy": normal(rng, y)}
    a["addend"], a["x_y"] = normal(rng, x), normal(rng, x)
    for prefix, channels in (("", kernel[-1]), ("x_", x[-1])):
        for part in ("gamma", "beta", "mean", "dgamma", "dbeta"):
            a[prefix + part] = normal(rng, (channels,))
        a[f"{prefix}variance"] = 0.5 + np.square(normal(rng, (channels,)))
    return a, window


FRONT = ("x_gamma", "x_beta", "x_mean", "x_variance")
KEPT = "kept"
"""The result of the batch norm in front, with what is added to it, is kept for others."""
BEHIND = ("y", "gamma", "mean", "variance", "dgamma", "dbeta")


def forward(a: dict[str, Array], options: dict[str, Any], norms: bool | str, run: Any) -> list[Array]:
    y, mean, variance, x_y = (np.full_like(a[name], np.nan) for name in ("y", "mean", "variance", "x"))
    given = {name: a[name] for name in FRONT} if norms else {}
    given |= {"x_addend": a["addend"], "x_y": x_y} if norms == KEPT else {}
    run(a["x"], a["kernel"], y, mean=mean, variance=variance, **given, x_epsilon=1e-3, **options)
    return [mean, variance, y, *([x_y] if norms == KEPT else [])]


def backward(a: dict[str, Array], options: dict[str, Any], norms: bool | str, run: Any) -> list[Array]:
    dkernel, dx = np.full_like(a["kernel"], np.nan), np.full_like(a["x"], np.nan)
    results = [dkernel, dx]
    given = {"addend": a["addend"]}
    if norms:
        results += [np.full_like(a["x_mean"], np.nan), np.full_like(a["x_mean"], np.nan)]
        given = {name: a[name] for name in (*FRONT, *BEHIND)} | {"x_dgamma": results[2], "x_dbeta": results[3]}
    given |= {"x_y": a["x_y"]} if norms == KEPT else {}
    epsilons = {"epsilon": 1e-3, "x_epsilon": 1e-3}
    run(a["dy"], a["x"], a["kernel"], dkernel, dx, **given, **epsilons, **options)
    return results


def magnitudes(a: dict[str, Array], norms: bool | str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arguments with their signs taken away: sums of these bound the sums of what is rounded."""
    largest = {name: np.abs(array).astype(np.float64) for name, array in a.items()}
    if norms:
        largest["x_mean"], largest["mean"] = -largest["x_mean"], -largest["mean"]
        for name in ("dgamma", "dbeta"):
            largest[name] = -largest[name]
    return largest, {"activation": "linear"}


def agree(mean: Array, variance: Array, y: Array, *_: Array) -> None:
    """Of 16 deviations in float each sum takes up 17 roundings; and mean and variance are rounded once."""
    exact, rounding = y.astype(np.float64), EPS / 2
    deviation = exact.std((0, 1, 2))
    assert np.all(np.abs(mean - exact.mean((0, 1, 2))) <= 18 * rounding * deviation + rounding * np.abs(mean))
    np.testing.assert_allclose(variance, deviation**2, rtol=19 * rounding)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("kind", ACTIVATIONS)
@pytest.mark.parametrize("norms", [True, False, KEPT])
@pytest.mark.parametrize("way", [forward, backward])
def test_a_step_gives_what_its_parts_do(name: str, kind: str, norms: bool, way: Any) -> None:
    a, window = step_arguments(name)
    options = {**window, **(ACTIVATIONS[kind] if norms else {})}
    op = "conv2d_norm" if way is forward else "conv2d_norm_backward"
    step = partial(getattr(native, op), algorithm="direct")
    found = way(a, options, norms, lambda *args, **more: native.run(step(*args, **more)))
    exact = {key: array.astype(np.float64) for key, array in a.items()}
    wanted = way(exact, options, norms, getattr(reference.conv_norm, op))
    largest, plain = magnitudes(a, norms)
    scale = way(largest, {**window, **plain}, norms, getattr(reference.conv_norm, op))
    if way is forward:
        agree(*found)
        found, wanted, scale = found[2:], wanted[2:], scale[2:]
    # a rounding each term of the longest sum, and some before it, beside the sum of magnitudes
    length = max(a["dy"].size // a["dy"].shape[-1], *a["kernel"].shape[2:], 25)
    for one, truth, most in zip(found, wanted, scale, strict=True):
        bound = (length + 16) * EPS * np.abs(most).max(axis=tuple(range(most.ndim - 1)))
        assert np.all(np.abs(one - truth) <= bound)


def test_by_winograds_algorithm_it_gives_what_the_convolutions_do() -> None:
    a, window = step_arguments("all to all")
    assert native.conv2d_choice(a["x"], a["kernel"], **window).startswith("winograd")
    step = native.conv2d_norm(a["x"], a["kernel"], a["y"], **window)
    assert native.conv2d_algorithm(step).startswith("winograd")
    _, _, y = forward(a, window, False, lambda *args, **more: native.run(native.conv2d_norm(*args, **more)))
    native.run(native.conv2d(a["x"], a["kernel"], None, a["y"], **window))
    np.testing.assert_array_equal(y, a["y"])
    dkernel, dx = backward(
        a, window, False, lambda *args, **more: native.run(native.conv2d_norm_backward(*args, **more))
    )
    wanted, passed = np.empty_like(dkernel), np.empty_like(dx)
    native.run(native.conv2d_backward_kernel(a["x"], a["dy"], wanted, **window))
    native.run(native.conv2d_backward_input(a["dy"], a["kernel"], passed, addend=a["addend"], **window))
    np.testing.assert_array_equal(dx, passed)
    np.testing.assert_allclose(dkernel, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


ALONE = [name for name, (x, _, window) in WINDOWS.items() if window.get("groups") == x[-1] and name != "5x5, far"]
"""Depthwise convolutions whose rows go back together with the convolution 1x1 before them."""


def expanded(
    a: dict[str, Array], narrow: dict[str, Array], options: dict[str, Any], run: Any
) -> tuple[Array, Array, Array, Array, Array]:
    """dkernel, x_dgamma, x_dbeta, dexpand, dinput."""
    results = [np.full_like(a["kernel"], np.nan), *(np.full_like(a["x_mean"], np.nan) for _ in range(2))]
    more = [np.full_like(narrow[name], np.nan) for name in ("expand", "input")]
    given = {name: a[name] for name in (*FRONT, *BEHIND)} | {"x_dgamma": results[1], "x_dbeta": results[2]}
    each = (narrow["input"], narrow["expand"], *more)
    epsilons = {"epsilon": 1e-3, "x_epsilon": 1e-3}
    run(a["dy"], a["x"], a["kernel"], results[0], *each, addend=narrow["addend"], **given, **epsilons, **options)
    return results[0], results[1], results[2], more[0], more[1]


@pytest.mark.parametrize("channels", [8, 20])
@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_back_through_an_expansion_is_what_both_convolutions_give(name: str, kind: str, channels: int) -> None:
    a, window = step_arguments(name)
    rng, (*places, wide) = np.random.default_rng(4), a["x"].shape
    narrow = {"input": normal(rng, (*places, channels)) + 1, "expand": normal(rng, (channels, wide)) / 2}
    narrow["addend"] = normal(rng, (*places, channels))
    a["x"] = narrow["input"] @ narrow["expand"]
    a["x_mean"], a["x_variance"] = a["x"].mean((0, 1, 2)), a["x"].var((0, 1, 2))
    options = {**window, **ACTIVATIONS[kind]}
    op = "expanded_conv2d_norm_backward"
    found = expanded(a, narrow, options, lambda *args, **more: native.run(getattr(native, op)(*args, **more)))
    exact, few = ({key: value.astype(np.float64) for key, value in each.items()} for each in (a, narrow))
    wanted = expanded(exact, few, options, getattr(reference.conv_norm, op))
    # a sum of magnitudes for each gradient, as `magnitudes` has them for one convolution
    largest, plain = magnitudes(a, True)
    dkernel, dx, dgamma, dbeta = backward(largest, {**window, **plain}, True, reference.conv_norm.conv2d_norm_backward)
    pixels, inverse = dx.size // wide, 1 / np.sqrt(exact["x_variance"] + 1e-3)
    away = np.abs(exact["x"]) + np.abs(exact["x_mean"])
    dz = np.abs(exact["x_gamma"]) * inverse * (dx + dbeta / pixels + away * inverse * dgamma / pixels)
    dinput = dz @ np.abs(few["expand"]).T + np.abs(few["addend"])
    dexpand = np.abs(few["input"]).reshape(-1, channels).T @ dz.reshape(-1, wide)
    scales = (dkernel, dgamma, dbeta, dexpand, dinput)
    length = max(pixels, wide) + a["kernel"].size // wide + 2 * channels
    for one, truth, most in zip(found, wanted, scales, strict=True):
        bound = (length + 16) * EPS * np.abs(most).max(axis=tuple(range(most.ndim - 1)))
        assert np.all(np.abs(one - truth) <= bound)


@pytest.mark.parametrize("offset", [0.0, 100.0, -3e4])
@pytest.mark.parametrize("name", ["1x1 to more", "3x3, many"])
def test_variance_far_from_zero_keeps_its_digits(name: str, offset: float) -> None:
    a, window = step_arguments(name)
    a["x"][..., 0] += np.float32(offset)
    agree(*forward(a, window, False, lambda *args, **more: native.run(native.conv2d_norm(*args, **more))))


def test_what_it_cannot_do_is_refused() -> None:
    a, window = step_arguments("1x1 to more")
    y = np.empty_like(a["y"])
    with pytest.raises(BackendError, match="together"):
        native.conv2d_norm(a["x"], a["kernel"], y, mean=a["mean"], **window)
    with pytest.raises(BackendError, match="needs its input"):
        native.conv2d_norm(a["x"], a["kernel"], y, activation="silu", **window)
    with pytest.raises(BackendError, match="a multiple of 16"):
        odd = np.ones((1, 1, 16, 9), np.float32)
        statistics = {"mean": np.empty(9, np.float32), "variance": np.empty(9, np.float32)}
        native.conv2d_norm(a["x"], odd, np.empty((3, 7, 9, 9), np.float32), **window, **statistics)


def network(frozen: Sequence[str] = ()) -> pellucid.Model:
    """A stem, a block that begins with its depthwise convolution, an inverted residual, two residual blocks."""

    def normed(layer: Layer, x: Any, act: bool = True) -> Any:
        y = BatchNorm(name=f"{layer.name}_norm")(layer(x))
        return ReLU(max_value=2.0)(y) if act else y

    same: dict[str, Any] = {"padding": "same", "use_bias": False}
    inputs = Input((12, 10, 3))
    x = normed(Conv2D(16, 3, **same, name="stem"), inputs)
    x = normed(DepthwiseConv2D(3, **same, name="alone"), x)
    x = normed(Conv2D(12, 1, **same, name="narrow"), x, act=False)
    y = normed(Conv2D(48, 1, **same, name="wide"), x)
    y = normed(DepthwiseConv2D(5, **same, name="inside"), y)
    y = Add()([normed(Conv2D(12, 1, **same, name="back"), y, act=False), x])
    x = normed(Conv2D(16, 3, strides=2, **same, name="halved"), y)
    y = normed(Conv2D(16, 3, **same, name="first"), x)
    x = ReLU()(Add()([normed(Conv2D(16, 3, **same, name="second"), y, act=False), x]))
    y = normed(Conv2D(32, 3, strides=2, **same, name="third"), x)
    y = normed(Conv2D(32, 3, **same, name="fourth"), y, act=False)
    y = ReLU()(Add()([y, normed(Conv2D(32, 1, strides=2, **same, name="beside"), x, act=False)]))
    y = Add()([normed(Conv2D(32, 3, **same, name="last"), y, act=False), y])
    model = pellucid.Model(inputs, layers.Dense(4, activation="softmax")(GlobalAvgPool2D()(y)))
    for name in frozen:
        model.get_layer(name).trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model


def trained(model: pellucid.Model, n: int) -> tuple[Array, Array, list[str]]:
    """After a step: all gradients, all running statistics, and the kernels that ran."""
    rng = np.random.default_rng(5)
    pictures, labels = normal(rng, (8, 12, 10, 3)), np.arange(8, dtype=np.int32) % 4
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    feed = Feed(pictures, labels, None, capacity=8, picture=(12, 10, 3), scale=ones, offset=zeros)
    plan = training_plan(model, feed, seed=0, accuracy="categorical")
    assert plan.run(n, step=0, learning_rate=0.0)
    state = [array.ravel() for layer in model.layers for array in layer.state.values()]
    return model.parameters.gradients.copy(), np.concatenate(state), [step.kernel for step in plan.steps]


BELOW = ("stem", "stem_norm", "alone", "alone_norm", "narrow", "narrow_norm", "wide", "wide_norm", "inside")
FROZEN = [
    (), ("stem", "alone"), ("wide", "inside"), ("stem", "stem_norm"), ("inside_norm",), ("first", "third_norm"),
    (*BELOW, "inside_norm", "back", "back_norm", "halved", "halved_norm"),
]  # fmt: skip


@pytest.mark.parametrize("n, merged", [(8, False), (3, False), (8, True), (3, True)])
@pytest.mark.parametrize("frozen", FROZEN, ids=str)
def test_a_plan_gives_the_gradients_of_steps_one_by_one(
    frozen: tuple[str, ...], n: int, merged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if merged:
        monkeypatch.setattr(native.conv, "EXPANDED_NUMBERS", 0)
    together, running, kernels = trained(network(frozen), n)
    rows = tuple(row for row in patterns.PATTERNS if row[1] is not lower_normed_convolutions)
    monkeypatch.setattr(patterns, "PATTERNS", rows)
    apart, wanted, one_by_one = trained(network(frozen), n)
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5 * np.abs(apart).max())
    np.testing.assert_allclose(running, wanted, rtol=1e-5, atol=1e-6)
    assert "conv2d_norm" not in one_by_one
    if not frozen:
        assert kernels.count("conv2d_norm") == 13
        assert kernels.count("conv2d_norm_backward") == 13 - 2 * merged
        assert kernels.count("expanded_conv2d_norm_backward") == merged
        assert kernels.count("batch_norm") == 2  # behind the convolutions to 12 channels
