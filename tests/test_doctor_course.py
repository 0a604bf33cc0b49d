"""The doctor's rules about the course of training: each speaks where it must and is silent where it must be."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from doctor_cases import bars, network, rules, said

from pellucid import losses, optimizers
from pellucid.errors import DivergedError
from pellucid.layers import L2
from pellucid.model.inputs import make_examples
from pellucid.train import Diagnosed, EpochEnded, Examples, FineTuningStarted, TrainingStarted
from pellucid.train.doctor import RULES, Doctor, chart
from pellucid.train.doctor.chart import chance_loss

X, Y = bars()
LOW = ["learning-rate-low"]
ALIKE = np.random.default_rng(3).normal(0.5, 1e-3, X.shape).astype(np.float32)


def heard_until_it_fails(x: np.ndarray, optimizer: Any, loss: str = "categorical_crossentropy") -> list[Diagnosed]:
    model, heard = network(last=None), []
    model.compile(optimizer, loss)
    keep = [lambda event: heard.append(event) if isinstance(event, Diagnosed) else None]
    with pytest.raises(DivergedError):
        model.fit(x, Y, 16, 30, verbose=0, callbacks=keep)
    return heard


def test_a_learning_rate_that_explodes() -> None:
    told = said(network(), X, Y, optimizer=optimizers.Adam(3.0), epochs=3)
    assert rules(told)[0] == "learning-rate-high" and "try 0.001, or have one measured (--find-lr)" in told[0].text
    assert float(told[0].values["loss"]) > 5 * float(told[0].values["first"]) > 5 * math.log(2.9)
    (last,) = heard_until_it_fails(X, optimizers.SGD(1e4), loss="mse")
    assert last.rule.startswith("learning-rate-high") and "try 0.01" in last.text


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop", "adagrad", optimizers.SGD(0.1, momentum=0.9)])
def test_learning_rates_that_do(optimizer: Any) -> None:
    assert said(network(), X, Y, optimizer=optimizer, epochs=20) == []


def test_a_picture_that_is_no_number() -> None:
    x = X.copy()
    x[50, 0, 0, 0] = np.nan
    (told,) = heard_until_it_fails(x, "adam")
    assert told.rule == "not-a-number" and "picture 50" in told.text


@pytest.mark.parametrize(
    ("rate", "expected"), [(0.0, ["learning-rate-low"]), (1e-6, ["learning-rate-low"]), (0.01, [])]
)
def test_a_learning_rate_that_does_nothing(rate: float, expected: list[str]) -> None:
    told = said(network(), X, Y, optimizer=optimizers.SGD(rate), epochs=20)
    assert rules(told) == expected
    assert all(one.epoch == 17 for one in told)  # the first whole epoch after 100 steps
    assert said(network(), X, Y, optimizer=optimizers.SGD(rate), epochs=10) == []


def test_a_small_learning_rate_for_what_is_learned_already() -> None:
    model = network()
    assert said(model, X, Y, epochs=60) == [] and model.evaluate(X, Y, verbose=0)["loss"] < 0.3
    assert said(model, X, Y, optimizer=optimizers.SGD(1e-8), epochs=20) == []


@pytest.mark.parametrize(
    ("hidden", "epochs", "expected"),
    [("relu", 9, []), ("relu", 13, ["stuck"]), ("sigmoid", 13, []), ("sigmoid", 42, ["stuck.sigmoid"])],
)
def test_a_loss_that_stays_where_it_was(hidden: str, epochs: int, expected: list[str]) -> None:
    told = said(network(hidden=hidden), ALIKE, Y, batch_size=4, epochs=epochs)
    assert rules(told) == expected
    assert all(one.values["chance"] == "1.099" == f"{math.log(3):.4g}" for one in told)


def test_weight_penalties_are_no_part_of_a_stuck_loss() -> None:
    model = network(kernel_regularizer=L2(1.0))
    told = said(model, ALIKE, Y, batch_size=4, epochs=13, optimizer=optimizers.SGD(1e-4))
    assert rules(told) == ["stuck"] and float(told[0].values["loss"]) == pytest.approx(math.log(3), rel=0.02)
    model = network(kernel_regularizer=L2(1.0))  # at first the penalty is as large as the loss
    assert said(model, X, Y, batch_size=4, epochs=13) == []


def course(
    held: Sequence[float], trained: Sequence[float], *, waited_s: float = 0.0, elapsed_s: float = 2.0
) -> list[str]:
    """What is said after epochs with these losses."""
    model, heard = network(), []
    model.compile("adam")
    examples, _ = make_examples(model, X, Y, None, None)
    doctor = Doctor(model, examples, tell=[heard.append])
    doctor(TrainingStarted(0, len(held), 6, 96, 0, 16, model))
    for epoch, (val_loss, loss) in enumerate(zip(held, trained, strict=True)):
        logs = {"loss": loss, "val_loss": val_loss}
        doctor(EpochEnded(epoch, logs, 1e-3, elapsed_s, 1.0, True, waited_s))
    assert [one.rule for one in doctor.findings] == rules(heard)
    return rules(heard)


FALLING = [0.9, 0.6, 0.4, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("held", "trained", "expected"),
    [
        ([0.9, 0.7, 0.6, 0.7, 0.8, 0.9], FALLING, ["overfitting"]),
        ([0.9, 0.7, 0.6, 0.6, 0.8, 0.9], FALLING, []),  # not yet for three epochs
        ([0.9, 0.7, 0.6, 0.7, 0.61, 0.9], FALLING, []),  # restless
        ([0.9, 0.7, 0.6, 0.63, 0.64, 0.65], FALLING, []),  # hardly worse
        ([0.9, 0.7, 0.6, 0.55, 0.5, 0.5], FALLING, []),
        ([0.9, 0.7, 0.6, 0.7, 0.8, 0.9], [0.9, 0.7, 0.6, 0.7, 0.8, 0.9], []),  # training gets worse too
        ([0.9, math.nan, 0.6, 0.7, 0.8, 0.9], FALLING, []),
    ],
)
def test_overfitting(held: list[float], trained: list[float], expected: list[str]) -> None:
    assert course(held, trained) == expected


@pytest.mark.parametrize(
    ("tuned", "expected"),
    [
        ([0.9, 0.95, 0.9, 0.9], []),  # worse than the head's best epochs, which another stage had
        ([0.6, 0.9, 0.9, 0.9], ["overfitting"]),
    ],
)
def test_a_head_before_fine_tuning_may_learn_by_heart(tuned: list[float], expected: list[str]) -> None:
    model = network()
    model.compile("adam")
    examples, _ = make_examples(model, X, Y, None, None)
    doctor = Doctor(model, examples)
    held = [0.9, 0.7, 0.6, 0.7, 0.8, 0.9, *tuned]
    doctor(TrainingStarted(0, len(held), 6, 96, 0, 16, model, frozen_epochs=6))
    for epoch, (val_loss, loss) in enumerate(zip(held, [*FALLING, 0.4, 0.3, 0.2, 0.1], strict=True)):
        if epoch == 6:
            doctor(FineTuningStarted(epoch, len(held), 1, "none", None))
        doctor(EpochEnded(epoch, {"loss": loss, "val_loss": val_loss}, 1e-3, 2.0, 1.0, True, 0.0))
        assert epoch == len(held) - 1 or not doctor.findings
    assert rules(doctor.findings) == expected


def test_the_book_of_a_long_run_is_no_longer_and_can_be_closed_and_opened_at_any_epoch() -> None:
    model = network()
    model.compile("adam")
    examples, _ = make_examples(model, X, Y, None, None)
    held = [1.5 - epoch / 1000 for epoch in range(300)] + [1.3, 1.4, 1.5, 1.6]
    doctor, lengths, said = Doctor(model, examples), [], []
    doctor(TrainingStarted(0, len(held), 6, 96, 0, 16, model))
    for epoch, val_loss in enumerate(held):
        logs = {"loss": 1 / (1 + epoch), "val_loss": val_loss}
        doctor(EpochEnded(epoch, logs, 1e-3, 2.0, 1.0, True, 0.0))
        state = doctor.state()
        lengths.append(len(state["told"]))
        said.append([one.values["epoch"] for one in doctor.findings])
        doctor = Doctor(model, examples)
        doctor.resume(state)
    assert max(lengths[3:-2]) - min(lengths[3:-2]) < 100, "digits more or less"
    assert said[-2:] == [["300"], ["300"]] and not any(said[:-2])


def test_labels_that_have_nothing_to_do_with_their_pictures_are_not_called_overfitting() -> None:
    """Nothing to stop earlier for: the held-out loss was never below that of one answer."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1, (80, 6, 5, 2)).astype(np.float32), np.arange(80) % 3
    told = said(network(), x[:40], y[:40], validation_data=(x[40:], y[40:]), optimizer=optimizers.Adam(0.01), epochs=80)
    assert rules(told) == ["overfitting.never"] and "there are too few pictures" in told[0].text


@pytest.mark.parametrize(
    ("waited_s", "elapsed_s", "expected"), [(1.2, 2.0, ["waiting"]), (0.8, 2.0, []), (0.6, 0.8, [])]
)
def test_steps_that_wait_for_pictures(waited_s: float, elapsed_s: float, expected: list[str]) -> None:
    assert course([0.9], [0.9], waited_s=waited_s, elapsed_s=elapsed_s) == expected


@pytest.mark.parametrize(
    ("name", "last", "targets"),
    [
        ("categorical_crossentropy", "softmax", Y),
        ("categorical_crossentropy", "softmax", np.where(Y == 1, 2, Y)),
        ("categorical_crossentropy", "softmax", np.random.default_rng(0).dirichlet([1, 2, 3], 96)),
        ("binary_crossentropy", "sigmoid", np.random.default_rng(0).uniform(0, 1, (96, 3))),
        ("mse", None, np.random.default_rng(0).normal(2, 3, (96, 3))),
        ("mae", None, np.random.default_rng(0).normal(2, 3, (96, 3))),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_of_knowing_nothing_is_the_least_of_one_answer(
    name: str, last: str | None, targets: np.ndarray, weighted: bool
) -> None:
    """Found here by descent on one row of scores, which the loss itself judges."""
    model = network(last=last)
    model.compile("adam", name)
    weights = np.random.default_rng(1).uniform(0, 2, 96).astype(np.float32) if weighted else None
    examples, _ = make_examples(model, X, targets.astype(np.float32 if targets.ndim > 1 else int), None, weights)
    loss, scores = losses.get(name), np.zeros((1, 3), np.float32)
    rate = {"mse": 0.5, "mae": 0.02}.get(name, 1.0)
    for _ in range(4000):
        values, gradient = loss.value_and_gradient(examples.targets, np.repeat(scores, 96, axis=0), examples.weights)
        scores -= rate * gradient.sum(axis=0)
    mean = np.mean(values * (1 if weights is None else weights))
    assert chance_loss(loss, examples) == pytest.approx(float(mean), rel=3e-3)


def test_of_many_targets_some_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    targets = rng.normal(2, 3, (4000, 60)).astype(np.float32)
    whole = chance_loss(losses.get("mse"), Examples(targets, targets))
    monkeypatch.setattr(chart, "MAX_TARGETS", 50_000)
    assert chance_loss(losses.get("mse"), Examples(targets, targets)) == pytest.approx(whole, rel=0.02)


def test_losses_without_a_formula_are_not_judged_by_it() -> None:
    model = network(last=None)
    model.compile("adam", "map_criterion")
    examples, _ = make_examples(model, X, Y, None, None)
    assert chance_loss(model.loss, examples) is None
    assert said(network(last=None), ALIKE, Y, loss="map_criterion", batch_size=4, epochs=13) == []


def test_every_rule_has_a_name_of_its_own_and_is_silent_only_after_rules_there_are() -> None:
    names = [rule.name for rule in RULES]
    assert len(set(names)) == len(names)
    assert {cause for rule in RULES for cause in rule.silent_after} <= set(names)
