"""The doctor names the cause and not its neighbour: small trainings whose cause is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from doctor_cases import bars, rules, said

from pellucid import layers as L
from pellucid import optimizers
from pellucid.errors import ConfigError
from pellucid.initializers import RandomNormal
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.ops import native

X, Y = bars()
HELD, HELD_Y = bars(60, seed=9)
WITH_HELD: dict[str, Any] = {"validation_data": (HELD, HELD_Y)}


def dense(*middle: L.Layer, units: int = 3, last: str | None = "softmax", **options: Any) -> Sequential:
    """Options go to the weighted layers."""
    first = L.Dense(24, activation="relu", name="hidden", **options)
    return Sequential(
        [L.Flatten(input_shape=(6, 5, 2)), first, *middle, L.Dense(units, activation=last, name="out", **options)]
    )


def levels(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of grey pictures, one a little brighter, both far from a mean of 0."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % 2
    return (rng.normal(0.5, 0.1, (count, 6, 6, 1)) + 0.15 * labels[:, None, None, None]).astype(np.float32), labels


def normed(**options: Any) -> Sequential:
    return Sequential(
        [
            L.Conv2D(6, 3, padding="same", input_shape=(6, 6, 1)),
            L.BatchNorm(**options),
            L.ReLU(),
            L.GlobalAvgPool2D(),
            L.Dense(2, activation="softmax"),
        ]
    )


def levels_said(held: bool, momentum: float = 0.99, **options: Any) -> tuple[list[Any], Sequential]:
    x, y = levels(64, 1)
    model = normed(momentum=momentum)
    options = {"batch_size": 64, "epochs": 60, "optimizer": optimizers.Adam(0.03), **options}
    return said(model, x, y, validation_data=levels(80, 2) if held else None, **options), model


@pytest.mark.parametrize("held", [True, False])
def test_running_statistics_that_have_not_caught_up(held: bool) -> None:
    told, model = levels_said(held)
    (one,) = told
    assert one.rule == "batch-norm-behind"
    assert float(one.values["used"]) > 3 * float(one.values["loss"])
    assert f"{0.99 ** int(one.values['steps']):.0%}".replace("%", "") in one.values["share"]
    assert "momentum=0.9" in one.text and "by heart" not in one.text
    x, y = levels(64, 1)
    judged = model.evaluate(x, y, verbose=0)["loss"]
    assert held or float(one.values["used"]) == pytest.approx(judged, rel=1e-3), "as it is judged in use"


@pytest.mark.parametrize(("momentum", "options"), [(0.5, {}), (0.99, {"batch_size": 4, "epochs": 40})])
def test_those_that_have_are_not_blamed(momentum: float, options: dict[str, Any]) -> None:
    x, y = levels(64, 1)
    model = normed(momentum=momentum)
    settings = {"batch_size": 64, "epochs": 60, "optimizer": optimizers.Adam(0.01), **options}
    told = said(model, x, y, **settings)
    assert "batch-norm-behind" not in rules(told) and model.evaluate(x, y, verbose=0)["accuracy"] > 0.95


def test_what_really_is_learned_by_heart_is_said_with_batch_norm_too() -> None:
    rng = np.random.default_rng(0)
    noise = np.where(rng.random(96) < 0.5, rng.integers(0, 3, 96), Y)
    model = dense(L.BatchNorm(momentum=0.5))
    assert "overfitting" in rules(said(model, X, noise, epochs=80, optimizer=optimizers.Adam(0.02), **WITH_HELD))


def test_heavy_dropout_is_not_a_matter_of_labels_or_the_learning_rate() -> None:
    for batch_size in (4, 32):
        told = said(dense(L.Dropout(0.995, name="drop")), X, Y, batch_size=batch_size, epochs=14, **WITH_HELD)
        assert rules(told) == ["dropout-high"] and "'drop' takes 99.5%" in told[0].text
    assert said(dense(L.Dropout(0.5)), X, Y, batch_size=4, epochs=14, **WITH_HELD) == []


def test_a_penalty_that_takes_all_weights_is_neither_a_matter_of_labels_nor_of_the_learning_rate() -> None:
    told = said(dense(kernel_regularizer=L.L2(1.0)), X, Y, epochs=55, optimizer=optimizers.Adam(0.01))
    assert rules(told) == ["stuck.penalty"]


@pytest.mark.parametrize("factor", [255.0, 1 / 255])
def test_held_out_pictures_of_another_scale(factor: float) -> None:
    held = (HELD * np.float32(factor), HELD_Y)
    told = said(dense(), X, Y, epochs=30, validation_data=held)
    assert rules(told) == ["held-out-scale"] and told[0].epoch == 0
    assert said(dense(), X, Y, epochs=3, validation_data=(HELD * np.float32(1.4), HELD_Y)) == []


@pytest.mark.parametrize("held", [(HELD, (HELD_Y + 1) % 3), (1 - HELD, HELD_Y)], ids=["labels", "pictures"])
def test_held_out_pictures_made_another_way(held: tuple[np.ndarray, np.ndarray]) -> None:
    told = said(dense(), X, Y, epochs=60, validation_data=held)
    assert rules(told) == ["overfitting.never"] and "labels belong to their pictures" in told[0].text


@pytest.mark.skipif(not native.available, reason="the reference has no Winograd's algorithm")
def test_numbers_far_beyond_their_neighbours() -> None:
    """Of the maps that a convolution gets, not of the pictures alone; in silence where it is exact."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (24, 12, 12, 1)).astype(np.float32)
    hot = x.copy()
    hot[:, 5, 7] = 5000

    def convolving(exact: bool = False, size: int = 3) -> Sequential:
        return Sequential(
            [
                L.Conv2D(32, 1, activation="relu", use_bias=False, input_shape=(12, 12, 1)),
                L.Conv2D(16, size, name="second"),
                L.GlobalAvgPool2D(),
                L.Dense(3, activation="softmax"),
            ],
            exact_convolution=exact,
        )

    quiet = {"optimizer": optimizers.SGD(1e-9)}
    told = [one for one in said(convolving(), hot, Y[:24], **quiet) if one.rule == "wide-range"]
    assert len(told) == 1 and "8 of 8 pictures reach 'second'" in told[0].text
    few = x.copy()
    few[::2, 5, 7] = 5000
    told = said(convolving(), few, Y[:24], **quiet)
    assert [0 < int(one.values["again"]) < 8 for one in told if one.rule == "wide-range"] == [True]
    strokes = np.zeros_like(x)  # on a map that is mostly 0 a stroke is usual, whatever else is small there
    strokes[:, 2:9, 4], strokes[:, 5, 8] = 1, 1e-4
    assert "wide-range" not in rules(said(convolving(), strokes, Y[:24], **quiet))
    strokes[:, 2, 4] = 1e6
    assert "wide-range" in rules(said(convolving(), strokes, Y[:24], **quiet))
    assert "wide-range" not in rules(said(convolving(size=1), hot, Y[:24], **quiet))  # computed directly
    assert "wide-range" not in rules(said(convolving(exact=True), hot, Y[:24], **quiet))
    assert "wide-range" not in rules(said(convolving(), x, Y[:24], **quiet))


def test_single_pictures_under_batch_norm_are_named_alone() -> None:
    assert rules(said(dense(L.BatchNorm()), X, Y, batch_size=1, epochs=12, **WITH_HELD)) == ["small-batch"]


def layers_of(count: int, kind: str = "relu", last: str | None = "softmax", **options: Any) -> Sequential:
    middle = [L.Dense(16, activation=kind, **options) for _ in range(count)]
    return Sequential([L.Flatten(input_shape=(6, 5, 2)), *middle, L.Dense(3, activation=last, **options)])


SHUFFLED = np.random.default_rng(2).permutation(Y)
ORDER = np.argsort(Y, kind="stable")
RATE = optimizers.SGD(0.1)
TARGETS = np.repeat(Y[:, None], 3, axis=1).astype(np.float32)


@pytest.mark.parametrize(
    ("model", "data", "options", "expected"),
    [
        (lambda: dense(), (np.repeat(X[:1], 96, 0), Y), {"epochs": 60, **WITH_HELD}, "pictures-alike"),
        (lambda: dense(), (np.zeros_like(X), Y), {"epochs": 60}, "pictures-alike"),
        (lambda: dense(last="relu"), (X, Y), {"epochs": 3}, "scores-squashed"),
        (lambda: dense(last="sigmoid"), (X, 4 * TARGETS), {"loss": "mse", "epochs": 60}, "targets-out-of-reach"),
        (lambda: dense(last="relu"), (X, -TARGETS), {"loss": "mae", "epochs": 60}, "targets-out-of-reach"),
        (lambda: dense(last=None), (X, 1e4 * TARGETS), {"loss": "mse", "epochs": 60}, "stuck.targets"),
        (lambda: dense(L.BatchNorm()), (X[ORDER], Y[ORDER]), {"shuffle": False, "epochs": 60}, "not-shuffled"),
        (lambda: dense(), (X, Y), {"validation_data": (HELD, HELD_Y * 0), "epochs": 3}, "held-out-classes.shares"),
        (lambda: dense(), (X[Y < 2], Y[Y < 2]), {**WITH_HELD, "epochs": 60}, "held-out-classes"),
        (lambda: dense(), (X, Y), {"validation_data": (2 * HELD - 1, HELD_Y), "epochs": 60}, "held-out-scale"),
        (lambda: dense(kernel_initializer="ones"), (X, Y), {**WITH_HELD, "epochs": 60}, "equal-weights"),
        (lambda: layers_of(2, kernel_initializer=RandomNormal(stddev=3.0)), (X, Y), {"epochs": 9}, "weights-large"),
        (lambda: layers_of(7, "sigmoid"), (X, Y), {"optimizer": RATE, "epochs": 170}, "stuck.vanishing"),
        (lambda: dense(), (X, SHUFFLED), {"optimizer": optimizers.Adam(1e-5), "epochs": 52}, "stuck.slow"),
        (
            lambda: dense(),
            (X, SHUFFLED),
            {"optimizer": optimizers.SGD(0.1, clipnorm=1e-7)},
            "learning-rate-low.clipped",
        ),
        (lambda: layers_of(3, "relu"), (X, Y), {"epochs": 60}, None),
        (lambda: dense(L.Dropout(0.9), units=3), (X, Y), {"epochs": 9}, "dropout-high"),
    ],
)
def test_one_cause_is_named_and_no_other(model: Any, data: Any, options: dict[str, Any], expected: str | None) -> None:
    told = said(model(), *data, **{"epochs": 20, **options})
    assert rules(told) == ([] if expected is None else [expected])


def test_dropout_of_many_numbers_is_no_noise() -> None:
    wide = [L.Flatten(input_shape=(6, 5, 2)), L.Dense(512, activation="relu"), L.Dropout(0.9)]
    assert said(Sequential([*wide, L.Dense(3, activation="softmax")]), X, Y, epochs=12, **WITH_HELD) == []


def test_a_rare_class_is_not_a_matter_of_labels_weights_or_held_out_pictures() -> None:
    rare = np.concatenate([np.flatnonzero(Y == 0), np.flatnonzero(Y == 1)[:2], np.flatnonzero(Y == 2)[:2]])
    told = said(dense(), X[rare], Y[rare], batch_size=4, epochs=40, **WITH_HELD)
    assert rules(told) == ["class-imbalance", "held-out-classes.shares"]
    weighted = said(dense(), X, Y, class_weight={0: 1000.0, 1: 1.0, 2: 1.0}, epochs=3)
    assert "weights-large" not in rules(weighted)


@pytest.mark.parametrize("rate", [1e-6, 1.0])
def test_learning_rates_are_still_told_apart(rate: float) -> None:
    optimizer = optimizers.SGD(rate) if rate < 1 else optimizers.Adam(rate)
    expected = "learning-rate-low" if rate < 1 else "learning-rate-high"
    assert rules(said(dense(), X, Y, epochs=30, optimizer=optimizer, **WITH_HELD))[0] == expected


@pytest.mark.parametrize("spelling", ["argument", "layer", "activation", "map"])
@pytest.mark.parametrize("loss", ["binary_crossentropy", "mse", "mae", "categorical_crossentropy"])
def test_a_softmax_over_one_unit_is_refused(spelling: str, loss: str) -> None:
    last: dict[str, list[L.Layer]] = {
        "argument": [L.Flatten(), L.Dense(1, activation="softmax")],
        "layer": [L.Flatten(), L.Dense(1), L.Softmax()],
        "activation": [L.Flatten(), L.Dense(1), L.Activation("softmax")],
        "map": [L.Conv2D(1, (6, 5), activation="softmax"), L.Flatten()],
    }
    model = Sequential([L.Input((6, 5, 2)), *last[spelling]])
    model.compile("adam", loss)
    for use in (model.fit, model.evaluate):
        with pytest.raises(ConfigError, match=r'a softmax over one unit is 1 for every picture.*activation="sigmoid"'):
            use(X, (Y > 0).astype(int), verbose=0)
    assert model.predict(X).shape == (96, 1)
    two = Sequential([L.Flatten(input_shape=(6, 5, 2)), L.Dense(2, activation="softmax")])
    two.compile("adam", "mse")
    make_examples(two, X, (Y > 0).astype(int), None, None)
