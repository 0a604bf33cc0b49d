"""Initializers against the published moments and limits."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pellucid import RBF, Conv1D, Conv2D, Dense, Layer, Subsampling2D, TableConv2D, initializers
from pellucid.errors import ConfigError, DataError

SHAPE = (3, 5, 40, 60)
FAN_IN, FAN_OUT = 3 * 5 * 40, 3 * 5 * 60


def draw(spec: object, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    array = initializers.get(spec)(shape, np.random.default_rng(seed))
    assert array.dtype == np.float32 and array.shape == shape and array.flags.c_contiguous
    return array


@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot", 2 / (FAN_IN + FAN_OUT)),
        ("xavier", 2 / (FAN_IN + FAN_OUT)),
        ("he", 2 / FAN_IN),
        ("lecun", 1 / FAN_IN),
    ],
)
def test_scaled_initializers_have_the_published_variance_and_limits(name: str, variance: float) -> None:
    normal, uniform = draw(f"{name}_normal").ravel(), draw(f"{name.upper()}_Uniform").ravel()
    for array in (normal, uniform):
        assert abs(array.mean()) < 5 * math.sqrt(variance / array.size)
        assert array.var() == pytest.approx(variance, rel=0.03)
    limit = math.sqrt(3 * variance)
    assert np.abs(uniform).max() <= limit * (1 + 1e-6)
    assert np.abs(uniform).max() > 0.999 * limit
    cut = 2 * math.sqrt(variance) / initializers.CUT_NORMAL_STDDEV
    assert 0.99 * cut < np.abs(normal).max() <= cut * (1 + 1e-6)
    scale = cut / 2
    assert stats.kstest(normal, stats.truncnorm(-2, 2, scale=scale).cdf).pvalue > 1e-3
    assert stats.kstest(uniform, stats.uniform(-limit, 2 * limit).cdf).pvalue > 1e-3


def test_cut_normal_constant_is_scipys() -> None:
    assert pytest.approx(stats.truncnorm(-2, 2).std(), abs=1e-12) == initializers.CUT_NORMAL_STDDEV


def test_plain_initializers() -> None:
    assert (draw("zeros") == 0).all()
    assert (draw("Ones") == 1).all()
    assert (draw(initializers.Constant(0.3)) == np.float32(0.3)).all()
    normal = draw(initializers.RandomNormal(1.0, 0.2)).ravel()
    assert stats.kstest(normal, stats.norm(1.0, 0.2).cdf).pvalue > 1e-3
    assert draw("random_normal").std() == pytest.approx(0.05, rel=0.02)
    uniform = draw("random_uniform")
    assert uniform.min() >= -0.05 and uniform.max() <= 0.05 and uniform.std() == pytest.approx(0.1 / 12**0.5, rel=0.02)


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((3, 2, 4, 5), (24, 30)), ((7, 9), (7, 9)), ((5, 4, 6), (20, 30)), ((8,), (8, 8)), ((), (1, 1))],
)
def test_fans(shape: tuple[int, ...], fans: tuple[int, int]) -> None:
    assert initializers.fans(shape) == fans


@pytest.mark.parametrize(
    "spec",
    [
        "he_normal",
        "GlorotUniform",
        "constant",
        initializers.Constant(2.0),
        initializers.RandomNormal(0.0, 0.01),
        initializers.VarianceScaling(0.5, "fan_out", "uniform"),
        initializers.Zeros,
    ],
)
def test_config_round_trip(spec: object) -> None:
    first = initializers.get(spec)
    again = initializers.get(json.loads(json.dumps(initializers.config(first))))
    assert again == first
    np.testing.assert_array_equal(draw(first), draw(again))


def test_same_seed_same_draws_other_seed_others() -> None:
    np.testing.assert_array_equal(draw("he_normal", seed=3), draw("he_normal", seed=3))
    assert (draw("he_normal", seed=3) != draw("he_normal", seed=4)).any()


def test_function_as_initializer() -> None:
    def ramp(shape: tuple[int, ...], rng: np.random.Generator) -> list[list[float]]:
        return np.arange(math.prod(shape), dtype=float).reshape(shape).tolist()

    np.testing.assert_array_equal(draw(ramp, (2, 3)), [[0, 1, 2], [3, 4, 5]])
    stored = initializers.get(initializers.config(initializers.get(ramp)))
    assert np.isnan(draw(stored, (2, 3))).all()


def _wrong_start(given: Any) -> Callable[..., Any]:
    return lambda shape, rng: given


class _WrongStart(initializers.Initializer):
    def __call__(self, shape: Any, rng: Any) -> Any:
        return [1, 2, 3]


LAYERS = [
    (lambda **given: Dense(2, name="own", **given), ("kernel_initializer", "bias_initializer")),
    (lambda **given: Conv2D(2, 2, name="own", **given), ("kernel_initializer", "bias_initializer")),
    (lambda **given: Conv1D(2, 2, name="own", **given), ("kernel_initializer", "bias_initializer")),
    (lambda **given: TableConv2D([[0]], 2, name="own", **given), ("kernel_initializer", "bias_initializer")),
    (lambda **given: Subsampling2D(name="own", **given), ("kernel_initializer", "bias_initializer")),
    (lambda **given: RBF(2, name="own", **given), ("kernel_initializer",)),
]


@pytest.mark.parametrize(("make", "arguments"), LAYERS)
def test_what_no_initializer_gives_names_the_layer_and_the_argument(
    make: Callable[..., Layer], arguments: tuple[str, ...]
) -> None:
    for argument in arguments:
        for given in ("glorot", 5, object(), int, Dense, np.zeros(3), {"type": "Ones", "value": 3}, lambda shape: 0):
            with pytest.raises(ConfigError, match=rf"^\w+: {argument}: "):
                make(**{argument: given})
        shape = {"Conv1D": (4, 1), "Dense": (4,), "RBF": (4,)}.get(type(make()).__name__, (4, 4, 1))
        for start in (*map(_wrong_start, ([1, 2, 3], [[1], [2, 3]], 5.0, "abc", None, 1j, [object()])), _WrongStart()):
            layer = make(**{argument: start})
            with pytest.raises((ConfigError, DataError), match=rf"^'own' \(.*: {argument}: what it returns must "):
                layer.build(shape, np.random.default_rng(0))


@pytest.mark.parametrize("argument", ["kernel_regularizer", "activation"])
def test_what_is_no_penalty_or_activation_names_the_layer_and_the_argument(argument: str) -> None:
    for make in (functools.partial(Dense, 2), functools.partial(Conv2D, 2, 2), functools.partial(Conv1D, 2, 2)):
        for given in ("l3", 5, object(), int, {"l1": 1, "l3": 2}, ("l2", -1.0), ("l2", "much"), {"l1": math.nan}):
            with pytest.raises(ConfigError, match=rf"^{make.func.__name__}: {argument}: "):
                make(**{argument: given})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("he_norml", "did you mean 'he_normal'"),
        (3, "got 3"),
        ({"type": "Zeroes"}, "did you mean 'Zeros'"),
    ],
)
def test_unknown_initializers(bad: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        initializers.get(bad)


def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"stddev must be a number of at least 0, got -1"):
        initializers.RandomNormal(0.0, -1)
    with pytest.raises(ConfigError, match="minval must not be above maxval, got 2 and 1"):
        initializers.RandomUniform(2, 1)
    with pytest.raises(ConfigError, match="scale must be a number above 0, got 0"):
        initializers.VarianceScaling(0)
    with pytest.raises(ConfigError, match="did you mean 'fan_out'"):
        initializers.VarianceScaling(1.0, "fan_ou")
    with pytest.raises(ConfigError, match="did you mean 'normal'"):
        initializers.VarianceScaling(1.0, "fan_in", "norml")
