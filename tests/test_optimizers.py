"""Optimizers against PyTorch over several steps, and against Keras's formulas written out in float64."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
import pellucid.keras  # after the backend was chosen
from pellucid import optimizers
from pellucid.errors import ConfigError
from pellucid.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, Momentum, Nesterov, Optimizer, RMSprop
from pellucid.schedules import Constant, Cosine

STEPS = 8
ALL = [
    SGD(),
    Momentum(),
    Nesterov(),
    Adagrad(),
    RMSprop(),
    RMSprop(momentum=0.8, centered=True),
    Adadelta(),
    Adam(),
    Adam(amsgrad=True),
    AdamW(),
    optimizers.Adamax(weight_decay=0.1, decoupled_weight_decay=True),
    optimizers.Nadam(),
    optimizers.Lion(),
    optimizers.Ftrl(),
]


def identity(optimizer: Optimizer) -> str:
    return "-".join(str(value) for value in optimizer.config().values() if isinstance(value, str | float | bool))


def problem() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return rng.standard_normal(37).astype(np.float32), rng.standard_normal((STEPS, 37)).astype(np.float32)


def run(optimizer: Optimizer, weight_decay: float = 0.0) -> np.ndarray:
    param, grads = problem()
    slots = optimizer.slots(param.size)
    for step, grad in enumerate(grads, 1):
        kept = grad.copy()
        rate = optimizer.learning_rate_at(step - 1)
        optimizer.update(param, grad, slots, learning_rate=rate, step=step, weight_decay=weight_decay)
        np.testing.assert_array_equal(grad, kept)
    return param


@pytest.mark.parametrize(
    ("ours", "make", "decay"),
    [
        (SGD(0.1), lambda t, p: t.optim.SGD(p, 0.1), 0.0),
        (SGD(0.1), lambda t, p: t.optim.SGD(p, 0.1, weight_decay=0.02), 0.02),
        (Momentum(0.1), lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9), 0.0),
        (Momentum(0.1), lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.02), 0.02),
        (Nesterov(0.1), lambda t, p: t.optim.SGD(p, 0.1, momentum=0.9, nesterov=True), 0.0),
        (
            Adagrad(0.1, epsilon=0.0),
            lambda t, p: t.optim.Adagrad(p, 0.1, initial_accumulator_value=0.1, eps=0.0, weight_decay=0.03),
            0.03,
        ),
        (RMSprop(0.01, epsilon=0.0), lambda t, p: t.optim.RMSprop(p, 0.01, alpha=0.9, eps=0.0), 0.0),
        (
            RMSprop(0.01, rho=0.95, momentum=0.8, epsilon=0.0, centered=True),
            lambda t, p: t.optim.RMSprop(p, 0.01, alpha=0.95, eps=0.0, momentum=0.8, centered=True),
            0.0,
        ),
        (Adadelta(1.0, 0.9, 1e-6), lambda t, p: t.optim.Adadelta(p, 1.0, rho=0.9, eps=1e-6), 0.0),
        (Adam(0.01, epsilon=0.0), lambda t, p: t.optim.Adam(p, 0.01, eps=0.0), 0.0),
        (Adam(0.01, epsilon=0.0), lambda t, p: t.optim.Adam(p, 0.01, eps=0.0, weight_decay=0.05), 0.05),
        (AdamW(0.01, epsilon=0.0), lambda t, p: t.optim.AdamW(p, 0.01, eps=0.0, weight_decay=0.05), 0.05),
    ],
    ids=lambda value: None if callable(value) and not isinstance(value, Optimizer) else str(value),
)
def test_against_torch(ours: Optimizer, make: Callable, decay: float) -> None:
    """With epsilon 0 where the two frameworks put it in different places."""
    torch = pytest.importorskip("torch")
    start, grads = problem()
    theirs = torch.tensor(start, requires_grad=True)
    optimizer = make(torch, [theirs])
    for grad in grads:
        theirs.grad = torch.tensor(grad)
        optimizer.step()
    np.testing.assert_allclose(run(ours, decay), theirs.detach().numpy(), rtol=2e-5, atol=2e-6)


def test_adam_has_keras_epsilon() -> None:
    param, grads = problem()
    p = param.astype(np.float64)
    m = v = np.zeros_like(p)
    for step, grad in enumerate(grads.astype(np.float64), 1):
        m = 0.9 * m + 0.1 * grad
        v = 0.99 * v + 0.01 * grad**2
        p -= 0.01 * np.sqrt(1 - 0.99**step) / (1 - 0.9**step) * m / (np.sqrt(v) + 0.05)
    np.testing.assert_allclose(run(Adam(0.01, 0.9, 0.99, 0.05)), p, rtol=1e-5, atol=1e-6)


def test_adagrad_and_rmsprop_have_keras_epsilon() -> None:
    param, grads = problem()
    p, q = param.astype(np.float64), param.astype(np.float64)
    s, r = np.full_like(p, 0.2), np.zeros_like(p)
    for grad in grads.astype(np.float64):
        s = s + grad**2
        p -= 0.1 * grad / np.sqrt(s + 0.05)
        r = 0.9 * r + 0.1 * grad**2
        q -= 0.01 * grad / np.sqrt(r + 0.05)
    np.testing.assert_allclose(run(Adagrad(0.1, 0.2, 0.05)), p, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run(RMSprop(0.01, epsilon=0.05)), q, rtol=1e-5, atol=1e-6)


def test_schedule_is_followed() -> None:
    schedule = Cosine(0.2, STEPS)
    param, grads = problem()
    p = param.astype(np.float64)
    for step, grad in enumerate(grads):
        p -= schedule(step) * grad
    np.testing.assert_allclose(run(SGD(schedule)), p, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("optimizer", ALL, ids=identity)
def test_nothing_is_kept_on_the_optimizer(optimizer: Optimizer) -> None:
    before = dict(vars(optimizer))
    first, second = run(optimizer), run(optimizer)
    np.testing.assert_array_equal(first, second)
    assert vars(optimizer) == before


@pytest.mark.parametrize("optimizer", ALL, ids=identity)
def test_config_round_trip(optimizer: Optimizer) -> None:
    optimizer.exclude_from_weight_decay(["bias"])
    again = optimizers.from_config(json.loads(json.dumps(optimizer.config())))
    assert again.config() == optimizer.config() and type(again) is type(optimizer)
    np.testing.assert_array_equal(run(again), run(optimizer))
    scheduled = Adam(Cosine(0.1, 10), clipnorm=1.0)
    assert optimizers.get(json.loads(json.dumps(scheduled.config()))).learning_rate == Cosine(0.1, 10)


def test_keras_defaults() -> None:
    rates = {"sgd": 0.01, "momentum": 0.01, "adagrad": 0.001, "rmsprop": 0.001, "adadelta": 0.001, "adam": 0.001}
    for name, rate in rates.items():
        assert optimizers.get(name.upper()).learning_rate == rate
    adamw = optimizers.get("AdamW")
    assert adamw.weight_decay == 0.004 and adamw.epsilon == 1e-7
    assert Adagrad().slots(3)["square"].tolist() == pytest.approx([0.1] * 3)
    assert AdamW(0.1, 0.2).weight_decay == 0.2 and Adam(0.1, 0.5).beta_1 == 0.5


def test_names_and_learning_rates() -> None:
    for name in optimizers.NAMES:
        assert optimizers.get(name, learning_rate=0.5).learning_rate == 0.5
    assert SGD(lr=0.3).learning_rate == 0.3 and SGD(Constant(0.3)).lr == 0.3
    optimizer = Adam()
    optimizer.lr = 0.7
    assert optimizer.learning_rate == 0.7
    assert optimizers.get("nesterov").nesterov and optimizers.get("momentum").momentum == 0.9


def test_weight_decay_by_name() -> None:
    optimizer = AdamW(weight_decay=0.1)
    assert optimizer.weight_decay_of("conv1/bias") == 0.1
    optimizer.exclude_from_weight_decay(["bias", "gamma"])
    assert optimizer.weight_decay_of("conv1/bias") == 0.0
    assert optimizer.weight_decay_of("conv1/kernel") == 0.1
    assert SGD().weight_decay_of("conv1/kernel") == 0.0


def test_clipping() -> None:
    def gradients() -> list[np.ndarray]:
        return [np.array([3.0, -4.0], np.float32), np.array([0.0, 12.0], np.float32), np.array([0.1], np.float32)]

    value, each, together, loose = gradients(), gradients(), gradients(), gradients()
    SGD(clipvalue=3.5).clip(value)
    assert [array.tolist() for array in value[:2]] == [[3.0, -3.5], [0.0, 3.5]]
    SGD(clipnorm=1.0).clip(each)
    np.testing.assert_allclose(each[0], [0.6, -0.8], rtol=1e-6)
    np.testing.assert_allclose(each[1], [0, 1], rtol=1e-6)
    assert each[2] == np.float32(0.1)
    SGD(global_clipnorm=6.5).clip(together)
    whole = np.sqrt(3**2 + 4**2 + 12**2 + 0.1**2)
    np.testing.assert_allclose(np.concatenate(together), np.concatenate(loose) * 6.5 / whole, rtol=1e-5)
    SGD(global_clipnorm=100.0).clip(loose)
    assert loose[0].tolist() == [3.0, -4.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: optimizers.get("adan"), "did you mean 'adam'"),
        (lambda: optimizers.get(3), "got 3"),
        (lambda: optimizers.get({"type": "Adan"}), "did you mean 'Adam'"),
        (lambda: SGD(-1.0), "at least 0, got -1.0"),
        (lambda: SGD("fast"), "unknown schedule 'fast'"),
        (lambda: SGD(0.1, momentum=1.0), "SGD: momentum must be a number from 0 to below 1, got 1.0"),
        (lambda: Adam(beta_1=1.5), "beta_1"),
        (lambda: Adam(clipnorm=0), "clipnorm must be above 0"),
        (lambda: Adam(clipnorm=1, clipvalue=1), "got clipnorm and clipvalue"),
        (lambda: AdamW(weight_decay=-0.1), "weight_decay must be a number of at least 0, got -0.1"),
    ],
)
def test_wrong_arguments(call, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_kerass_arguments_are_taken() -> None:
    old = SGD(lr=0.1, decay=0.5, momentum=0.9, nesterov=True, name="sgd", use_ema=False, ema_momentum=0.99)
    assert [old.learning_rate_at(step) for step in (0, 2)] == pytest.approx([0.1, 0.05])
    assert optimizers.get(old.config()).config() == old.config()
    with pytest.raises(ConfigError, match="use_ema=True is not known here"):
        Adam(use_ema=True)  # type: ignore[call-arg]
    adam = Adam(0.25)
    assert adam.learning_rate == 0.25 and adam.learning_rate.numpy() == np.float32(0.25)
    adam.learning_rate.assign(0.5)
    assert adam.lr == 0.5 and json.dumps(adam.config()["learning_rate"]) == "0.5"


KERAS: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adagrad", {"weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.8, "centered": True, "weight_decay": 0.1}),
    ("Adadelta", {"weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"amsgrad": True, "weight_decay": 0.1}),
    ("AdamW", {"weight_decay": 0.1}),
    ("Adamax", {}),
    ("Adamax", {"weight_decay": 0.1, "epsilon": 0.05}),
    ("Nadam", {}),
    ("Nadam", {"weight_decay": 0.1, "beta_1": 0.8, "epsilon": 0.05}),
    ("Lion", {}),
    ("Lion", {"weight_decay": 0.1, "beta_1": 0.8}),
    ("Ftrl", {}),
    ("Ftrl", {"l1_regularization_strength": 0.3, "l2_regularization_strength": 0.1, "beta": 0.2, "weight_decay": 0.1}),
    ("Ftrl", {"l2_shrinkage_regularization_strength": 0.1, "initial_accumulator_value": 0.2}),
]


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn.t accept a copy:DeprecationWarning")  # Keras's own
@pytest.mark.parametrize(("name", "options"), KERAS, ids=[f"{name}-{len(options)}" for name, options in KERAS])
def test_ten_steps_are_kerass(name: str, options: dict[str, Any]) -> None:
    """Through `pellucid.keras`, whose weight decay is Keras's, against Keras's own in float64."""
    keras = pytest.importorskip("keras")
    rng = np.random.default_rng(6)
    param, grads = rng.standard_normal(33), rng.standard_normal((10, 33))
    theirs, variable = getattr(keras.optimizers, name)(0.05, **options), keras.Variable(param, dtype="float64")
    ours, found = getattr(pellucid.keras.optimizers, name)(0.05, **options), param.astype(np.float32)
    assert optimizers.get(ours.config()).config() == ours.config()
    slots = ours.slots(param.size)
    decay = ours.weight_decay_of("kernel")
    for step, grad in enumerate(grads, 1):
        theirs.apply([keras.ops.convert_to_tensor(grad, "float64")], [variable])
        ours.update(found, grad.astype(np.float32), slots, learning_rate=0.05, step=step, weight_decay=decay)
        expected = variable.value.detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6, err_msg=f"step {step}")


def test_a_rate_of_zero_stops_ftrl() -> None:
    param, grads = problem()
    before, slots = param.copy(), optimizers.Ftrl().slots(param.size)
    optimizers.Ftrl().update(param, grads[0], slots, learning_rate=0.0, step=1)
    np.testing.assert_array_equal(param, before)
    with pytest.raises(ConfigError, match="the square root of the paper"):
        optimizers.Ftrl(learning_rate_power=-0.4)  # type: ignore[call-arg]
