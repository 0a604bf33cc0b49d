"""Schedules against their formulas, written out by hand, and PyTorch's."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from pellucid import schedules
from pellucid.errors import ConfigError
from pellucid.schedules import Constant, Cosine, Step, WarmUp


def test_constant_and_numbers() -> None:
    assert [schedules.get(0.01)(step) for step in (0, 5, 10**6)] == [0.01] * 3
    assert schedules.get(np.float32(0.5)) == Constant(0.5)


def test_step_drops_exactly_at_multiples() -> None:
    schedule = Step(1.0, every=3, factor=0.5)
    assert [schedule(step) for step in range(8)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_cosine_starts_ends_and_stays() -> None:
    schedule = Cosine(0.8, steps=10, final=0.2)
    assert schedule(0) == pytest.approx(0.8)
    assert schedule(5) == pytest.approx(0.5)
    assert schedule(10) == schedule(11) == schedule(10**6) == pytest.approx(0.2)
    rates = [schedule(step) for step in range(11)]
    assert rates == sorted(rates, reverse=True)


def test_cosine_and_step_agree_with_torch() -> None:
    torch = pytest.importorskip("torch")

    def torch_rates(make, steps: int) -> list[float]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
        scheduler = make(optimizer)
        rates = []
        for _ in range(steps):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return rates

    lr = torch.optim.lr_scheduler
    cosine = torch_rates(lambda o: lr.CosineAnnealingLR(o, T_max=20, eta_min=0.01), 21)
    np.testing.assert_allclose([Cosine(0.3, 20, 0.01)(step) for step in range(21)], cosine, rtol=1e-9)
    step = torch_rates(lambda o: lr.StepLR(o, step_size=4, gamma=0.1), 14)
    np.testing.assert_allclose([Step(0.3, 4, 0.1)(at) for at in range(14)], step, rtol=1e-9)


def test_warm_up_climbs_then_hands_over() -> None:
    schedule = WarmUp(Step(1.0, every=2, factor=0.5), steps=3)
    assert [schedule(step) for step in range(8)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 0.5, 0.5, 0.25])
    assert WarmUp(0.4, steps=1)(0) == pytest.approx(0.2)


@pytest.mark.parametrize(
    "schedule", [Constant(0.1), Step(0.1, 7), Cosine(0.1, 9, 0.01), WarmUp(Cosine(0.1, 9), 4), WarmUp(0.1, 2)]
)
def test_config_round_trip(schedule: schedules.Schedule) -> None:
    again = schedules.get(json.loads(json.dumps(schedule.config())))
    assert again == schedule
    assert [again(step) for step in range(20)] == [schedule(step) for step in range(20)]


def test_names_are_fitted_to_the_run() -> None:
    assert schedules.get("Constant", learning_rate=0.1) == Constant(0.1)
    assert schedules.get("step", learning_rate=0.1, steps=30)(10) == pytest.approx(0.01)
    assert schedules.get("cosine", learning_rate=0.1, steps=30) == Cosine(0.1, 30)
    warm = schedules.get("warm-up", learning_rate=0.1, steps=100)
    assert max(warm(step) for step in range(100)) == pytest.approx(0.1)
    assert warm(0) < 0.02 and warm(100) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: schedules.get("cosin", learning_rate=1, steps=3), "did you mean 'cosine'"),
        (lambda: schedules.get("cosine"), "needs a learning rate"),
        (lambda: schedules.get("cosine", learning_rate=0.1), "needs the number of steps"),
        (lambda: schedules.get(None), "got None"),
        (lambda: schedules.get(True), "got True"),
        (lambda: schedules.get({"type": "Cosin"}), "did you mean 'Cosine'"),
        (lambda: Constant(-0.1), "at least 0, got -0.1"),
        (lambda: Constant(float("nan")), "got nan"),
        (lambda: Step(0.1, 0), "every must be a whole number of at least 1, got 0"),
        (lambda: Cosine(0.1, 2.5), "steps must be a whole number"),
    ],
)
def test_wrong_arguments(call, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


KERAS_SCHEDULES = [
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9}),
    ("ExponentialDecay", {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.9, "staircase": True}),
    ("InverseTimeDecay", {"initial_learning_rate": 0.1, "decay_steps": 2.5, "decay_rate": 0.5, "staircase": True}),
    ("PiecewiseConstantDecay", {"boundaries": [5, 11], "values": [1.0, 0.5, 0.1]}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "power": 0.5}),
    ("PolynomialDecay", {"initial_learning_rate": 0.1, "decay_steps": 9, "end_learning_rate": 0.01, "cycle": True}),
    ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 12, "alpha": 0.1}),
    ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 12, "warmup_target": 0.2, "warmup_steps": 4}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "m_mul": 0.8, "alpha": 0.05}),
    ("CosineDecayRestarts", {"initial_learning_rate": 0.1, "first_decay_steps": 4, "t_mul": 1.0}),
]


@pytest.mark.parametrize(
    ("name", "arguments"), KERAS_SCHEDULES, ids=[f"{c[0]}-{i}" for i, c in enumerate(KERAS_SCHEDULES)]
)
def test_kerass_schedules_give_kerass_rates(name: str, arguments: dict) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    theirs = getattr(pytest.importorskip("keras").optimizers.schedules, name)(**arguments)
    ours = getattr(schedules, name)(**arguments, name="rate")
    np.testing.assert_allclose(
        [ours(t) for t in range(26)], [float(theirs(t)) for t in range(26)], rtol=2e-6, atol=1e-9
    )
    again = schedules.get(json.loads(json.dumps(ours.config())))
    assert [again(t) for t in range(26)] == [ours(t) for t in range(26)]


def test_what_no_schedule_can_be_is_refused() -> None:
    for make, message in (
        (lambda: schedules.PiecewiseConstantDecay([3, 2], [1.0, 0.5, 0.1]), "boundaries must rise"),
        (lambda: schedules.PiecewiseConstantDecay([3], [1.0]), "one value more"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.9), "decay_steps must be a number above 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5), "t_mul must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            make()
