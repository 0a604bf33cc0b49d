"""The doctor's rules about pictures and labels: each speaks where it must and is silent where it must be."""

from __future__ import annotations

import numpy as np
import pytest
from doctor_cases import bars, network, rules, said

from pellucid import datasets
from pellucid import layers as L
from pellucid.datasets.transforms import Preprocessing
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.train import TrainConfig, Trainer
from pellucid.train.doctor import Doctor
from pellucid.train.doctor.duplicates import shared_rows

X, Y = bars()


@pytest.mark.parametrize(
    ("pictures", "expected"),
    [
        (X, []),
        (X * 255, ["pictures-not-scaled"]),
        ((X * 255 / 1.3).astype(np.uint8), []),
        ((X - X.mean()) / X.std(), []),
        (X / 255, ["pictures-not-scaled.small"]),
        ((X > 0.5).astype(np.uint8), ["pictures-not-scaled.small"]),
        (np.where(X > 0.99, 255, 0).astype(np.float32), ["pictures-not-scaled"]),
    ],
    ids=["0 to 1", "0 to 255", "bytes", "standardised", "divided twice", "bytes of 0 and 1", "nearly black"],
)
def test_pictures_not_scaled(pictures: np.ndarray, expected: list[str]) -> None:
    assert rules(said(network(), pictures, Y)) == expected


def test_pictures_that_batch_norm_scales_are_not_called_unscaled() -> None:
    model = Sequential([L.BatchNorm(input_shape=(6, 5, 2)), L.Flatten(), L.Dense(3, activation="softmax")])
    assert said(model, X * 255, Y) == []


def test_a_scaling_that_the_model_states_is_its_own_business() -> None:
    model = network()
    model.preprocessing = Preprocessing(scale=1.0, mean=(120.0,))
    assert "pictures-not-scaled" not in rules(said(model, (X * 190).astype(np.uint8), Y))


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "mse"])
def test_labels_that_are_all_alike(loss: str) -> None:
    told = said(network(), X, np.full(len(X), 2), loss=loss)
    assert rules(told)[:1] == ["labels.constant"] and "96 labels are" in told[0].text


def test_labels_that_count_from_one() -> None:
    (told,) = said(network(units=4), X, Y + 1)
    assert told.rule == "labels.from-one" and "subtract 1" in told.text and "3 units" in told.text


@pytest.mark.parametrize("labels", [Y, Y % 2, np.where(Y == 1, 2, Y)], ids=["all", "two of three", "a gap"])
def test_labels_that_may_be_meant(labels: np.ndarray) -> None:
    assert said(network(), X, labels) == []


def test_class_imbalance() -> None:
    x, y = bars(240)
    y = np.where(np.arange(240) < 220, 0, 1 + np.arange(240) % 2)
    (told,) = said(network(), x, y)
    assert told.rule == "class-imbalance"
    assert told.values == {"common": "0", "rare": "1", "many": "220", "few": "10", "share": "92%"}
    named = network()
    named.class_names = ("cat", "dog", "emu")
    assert "class 'cat' has 220 pictures, class 'dog' has 10" in said(named, x, y)[0].text
    assert said(network(), x, y, class_weight="balanced") == []
    assert said(network(), x, np.where(np.arange(240) < 180, 0, 1 + np.arange(240) % 2)) == []


def test_class_imbalance_of_one_sigmoid() -> None:
    y = (np.arange(96) < 5).astype(np.float32)
    model = network(units=1, last="sigmoid")
    (told,) = said(model, X, y, loss="binary_crossentropy")
    assert told.rule == "class-imbalance" and told.values["many"] == "91"


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_held_out_pictures_that_were_trained_on(dtype: type) -> None:
    x, y = bars(200, seed=1)
    x = (x * 190).astype(dtype)
    if dtype is np.float32:
        x /= 255
    other = x[100:]
    other[7], other[30] = x[13], x[14]
    (told,) = said(network(), x[:100], y[:100], validation_data=(other, y[100:]))
    assert told.rule == "overlap"
    assert told.values == {"count": "2", "total": "100", "share": "2%", "held": "7", "train": "13"}
    assert said(network(), x[:100], y[:100], validation_data=(x[131:], y[131:])) == []


def test_test_pictures_that_were_trained_on() -> None:
    x, y = bars(150, seed=2)
    model, heard = network(), []
    model.compile("adam")
    examples, held = make_examples(model, x[:100], y[:100], None, None, validation_data=(x[100:120], y[100:120]))
    for test in (x[120:], np.concatenate([x[120:], x[40:42]])):
        doctor = Doctor(model, examples, held, test=test, tell=[heard.append])
        Trainer(model, examples, TrainConfig(1, 10), validation=held, listeners=[doctor]).run()
    (told,) = heard
    assert told.rule == "overlap.test" and (told.values["held"], told.values["train"]) == ("30", "40")


def test_one_duplicate_in_many_is_no_overlap() -> None:
    x, y = bars(300, seed=1)
    x[299] = x[0]
    assert said(network(), x[:100], y[:100], validation_data=(x[100:], y[100:])) == []


@pytest.mark.parametrize("shape", [(5, 3, 1), (4, 4, 1), (6, 1, 3), (3, 3, 2)], ids=str)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shared_rows_are_those_of_a_comparison_of_all_with_all(shape: tuple[int, ...], dtype: type) -> None:
    rng = np.random.default_rng(3)
    left = rng.integers(0, 256, (300, *shape)).astype(dtype)
    right = rng.integers(0, 256, (200, *shape)).astype(dtype)
    right[::7] = left[rng.integers(0, 300, len(right[::7]))]
    left[250] = left[20]  # twice in one set
    expected = [j for j in range(200) if any(np.array_equal(right[j], picture) for picture in left)]
    found = shared_rows(left, right)
    assert [j for _, j in found] == expected and len(expected) >= 29
    assert all(np.array_equal(left[i], right[j]) for i, j in found)
    assert shared_rows(left, right[:, :, :, :1].astype(np.float64)) == []


def test_the_sets_in_the_package_share_no_pictures_worth_a_word() -> None:
    digits = datasets.load("digits")
    shared = shared_rows(digits.train.images, digits.test.images)
    assert len(shared) < 0.01 * len(digits.test)
