"""The doctor as a whole: silent on healthy runs, heard everywhere, kept with the run, and without effect on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doctor_cases import bars, network, rules, said

import pellucid
from pellucid import datasets, optimizers, zoo
from pellucid import layers as L
from pellucid.datasets.augmentation import Augmentation
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.runs.folder import CHECKPOINTS, LOG_FILE
from pellucid.runs.training import run_training
from pellucid.train import Checkpoints, Diagnosed, JsonLog, TrainConfig, Trainer
from pellucid.train.doctor import RULES, Doctor, read_findings
from pellucid.train.doctor.record import in_language
from pellucid.train.doctor.sentences import SENTENCES

X, Y = bars()


# Healthy runs, in short


@pytest.fixture(scope="module")
def digits() -> Any:
    return datasets.load("digits", size=28)


@pytest.mark.parametrize(
    ("name", "optimizer", "epochs"),
    [
        ("simple-convnet", optimizers.Adam(0.001), 2),
        ("simple-convnet", optimizers.SGD(0.01), 3),  # stands at ln 10 for some hundred steps
        ("lenet5", optimizers.Adam(0.002), 6),  # and so does this
        ("lenet5", optimizers.SGD(0.1), 3),
    ],
)
def test_healthy_runs_on_digits(digits: Any, name: str, optimizer: Any, epochs: int) -> None:
    model = zoo.build(name, input_shape=(28, 28, 1), classes=10, seed=0)
    train, test = digits.train, digits.test
    options = {"epochs": epochs, "batch_size": 32, "validation_data": (test.images, test.labels)}
    assert said(model, train.images, train.labels, optimizer=optimizer, **options) == []


def test_a_healthy_run_with_dropout_and_augmentation(tmp_path: Path) -> None:
    data = datasets.load("digits", size=32, channels=3)
    model = zoo.build("cifar-net", input_shape=(32, 32, 3), classes=10, seed=0, options={"n_filter": 8})
    model.compile("adam")
    examples, held = make_examples(
        model, data.train.images, data.train.labels, None, None, validation_data=(data.test.images, data.test.labels)
    )
    model.prepare_slots()
    augment = Augmentation.of("standard", mirror=False)
    run_training(model, examples, held, TrainConfig(2, 64), tmp_path, augment=augment)
    assert read_findings(tmp_path / LOG_FILE) == []


# Without effect


def restless() -> Sequential:
    """Everything that draws numbers or keeps some: dropout, batch norm, momentum."""
    model = Sequential(
        [
            L.Conv2D(6, 3, input_shape=(6, 5, 2)),
            L.BatchNorm(),
            L.ReLU(),
            L.Dropout(0.3),
            L.Flatten(),
            L.Dense(8, activation="tanh"),
            L.Dense(3, activation="softmax"),
        ],
        seed=4,
    )
    model.compile(optimizers.SGD(0.05, momentum=0.9))
    return model


@pytest.mark.parametrize("scale", [1.0, 255.0])
@pytest.mark.parametrize("augmented", [False, True])
def test_training_is_the_same_to_the_last_bit_with_and_without(scale: float, augmented: bool) -> None:
    ends = []
    for doctor in (True, False):
        model = restless()
        examples, held = make_examples(model, X * np.float32(scale), Y, None, None, validation_split=0.25)
        model.prepare_slots()
        listeners = [Doctor(model, examples, held)] if doctor else []
        augment = (lambda images, rng: images * rng.uniform(0.9, 1)) if augmented else None
        history = Trainer(
            model, examples, TrainConfig(3, 10), validation=held, augment=augment, listeners=listeners
        ).run()
        ends.append((model, history))
        assert not doctor or rules(listeners[0].findings) == (["pictures-not-scaled"] if scale > 1 else [])
    (one, first), (two, second) = ends
    for name, with_doctor, without in [
        ("parameters", one.parameters.vector, two.parameters.vector),
        *((f"slot {key}", value, two.optimizer_state.slots[key]) for key, value in one.optimizer_state.slots.items()),
        *((f"weights {i}", a, b) for i, (a, b) in enumerate(zip(one.get_weights(), two.get_weights(), strict=True))),
    ]:
        assert with_doctor.tobytes() == without.tobytes(), name
    assert first.history == second.history
    assert [layer.version for layer in one.layers] == [layer.version for layer in two.layers]


# Heard and kept


def test_each_rule_speaks_once_a_run() -> None:
    model = network()
    told = said(model, X * 255, Y, epochs=4)
    assert rules(told) == ["pictures-not-scaled"]
    assert rules(said(model, X * 255, Y)) == ["pictures-not-scaled"]  # another run


def test_fit_prints_it_and_keeps_it(capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    model.compile("adam")
    history = model.fit(X * 255, Y, epochs=2)
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"doctor: {history.advice[0]}" and len(history.advice) == 1
    assert printed[0].startswith("doctor: pictures hold values from") and len(printed) == 4
    assert model.fit(X * 255, Y, doctor=False).advice == []
    assert "doctor" not in capsys.readouterr().out
    assert model.fit(X, Y, verbose=0).advice == []


def test_a_run_keeps_it_in_its_log_and_does_not_say_it_again(tmp_path: Path) -> None:
    model = network()
    model.compile("adam")
    heard: list[Diagnosed] = []
    for epochs in (1, 2):
        examples, held = make_examples(model, X * 255, Y, None, None, validation_split=0.25)
        model.prepare_slots()
        keep = [lambda event: heard.append(event) if isinstance(event, Diagnosed) else None]
        saved = None if epochs == 1 else Checkpoints(tmp_path / CHECKPOINTS).newest(pytest.fail)
        run_training(model, examples, held, TrainConfig(epochs, 16), tmp_path, listeners=keep, resume=saved)
    lines = [json.loads(line) for line in (tmp_path / LOG_FILE).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["start", "diagnosis", "epoch", "epoch", "end"]
    assert read_findings(tmp_path / LOG_FILE) == heard and len(heard) == 1
    assert pellucid.visualise.read_log(tmp_path / LOG_FILE).epochs == [1, 2]
    run_training(model, examples, held, TrainConfig(1, 16), tmp_path, doctor=False)


def test_a_damaged_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    assert read_findings(tmp_path / "none.jsonl") == []
    log = tmp_path / "log.jsonl"
    said_once = Diagnosed("not-a-number", "a picture", {"picture": "3"}, 0)
    JsonLog(log, {})(said_once)
    log.write_bytes(b'[1]\n\xff\n{"event": "diagnosis"}\n' + log.read_bytes() + b'{"event": "diagn')
    damaged, whole = read_findings(log)
    assert whole == said_once and damaged.values == {}


def test_every_sentence_is_said_in_both_languages() -> None:
    names = {rule.name for rule in RULES}
    assert {key.partition(".")[0] for key in SENTENCES} == names
    for key, (english, korean) in SENTENCES.items():
        spoken = [Everything(), Everything()]
        for text, found in zip((english, korean), spoken, strict=True):
            told = text.format_map(found)
            assert "\n" not in told and ": " in told, f"{key}: one line, what it is and what to do"
        assert spoken[0].asked == spoken[1].asked, key
        assert any("가" <= letter <= "힣" for letter in korean)


class Everything(dict[str, str]):
    """Has a value for every place of a sentence, and remembers which were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def __missing__(self, key: str) -> str:
        self.asked.add(key)
        return "7"


def test_a_finding_in_another_language() -> None:
    known = Diagnosed("not-a-number", "as it was said", {"picture": "3"}, 0)
    assert "3번" in in_language(known, "ko") and "picture 3" in in_language(known, "en")
    assert in_language(Diagnosed("of-a-later-version", "as it was said", {}, 0), "ko") == "as it was said"
    assert in_language(Diagnosed("not-a-number", "as it was said", {}, 0), "ko") == "as it was said"
