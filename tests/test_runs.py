"""`train_run` and `resume_run`: what the command does, from Python, to the same bits."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command

import pellucid
from pellucid import (
    Dense,
    Flatten,
    Input,
    Sequential,
    datasets,
    losses,
    optimizers,
    resume_run,
    schedules,
    train_run,
    zoo,
)
from pellucid.cli.train import OPTIONS
from pellucid.errors import CheckpointError, ConfigError
from pellucid.train import Stop

SMALL: dict[str, Any] = {"limit": 60, "test_limit": 20, "batch_size": 20, "verbose": 0}
OPTIONS_OF_SMALL = ["--limit", "60", "--test-limit", "20", "--batch-size", "20"]
FILES = ("model.safetensors", "last.safetensors")


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)  # a second of Matplotlib


def same_files(one: Path, other: Path) -> bool:
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in FILES)


def small_model() -> Sequential:
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(10, "softmax")], name="plain")
    model.compile(optimizers.SGD(0.05, momentum=0.5), "mse")
    return model


def test_a_run_is_that_of_the_command(command: Command, tmp_path: Path) -> None:
    options = ["--epochs", 2, "--optimizer", "sgd", "--lr", 0.1, "--set", "hidden_size=7", "--set", "schedule=cosine"]
    more = ["--augment", "standard", "--standardize", "--validation", 0.2, "--seed", 3]
    status, _, err = command("train", *OPTIONS_OF_SMALL, *options, *more, "--out", tmp_path / "one")
    assert status == 0, err
    settings = {"hidden_size": 7, "schedule": "cosine"}
    given: dict[str, Any] = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.1, "settings": settings}
    given |= {"augment": "standard", "standardize": True, "validation": 0.2, "seed": 3}
    run = train_run(**SMALL, **given, out=tmp_path / "two")
    assert same_files(tmp_path / "one", tmp_path / "two") and run.folder == tmp_path / "two"
    records = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("one", "two")]
    assert records[0].pop("command")[0] == "train" and records[0].pop("predict") is None
    assert records[0] == records[1]
    assert run.history.epoch == [0, 1] and run.config.epochs == 2 and len(run.dataset.train) == 48
    last = pellucid.load(run.folder / "last.safetensors")
    assert all(map(np.array_equal, last.get_weights(), run.model.get_weights()))


def test_every_option_is_an_argument_or_the_commands_own() -> None:
    arguments = set(inspect.signature(train_run).parameters) - {"model", "verbose", "callbacks", "console"}
    assert arguments == set(OPTIONS) - {"predict", "threads", "resume", "find_lr", "quiet"}


def test_a_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = train_run("photo-net", **SMALL, epochs=3, out=tmp_path / "whole")
    train_run("photo-net", **SMALL, epochs=3, out=tmp_path / "part", callbacks=stopper(2))
    run = resume_run(tmp_path / "part", verbose=0)
    assert same_files(tmp_path / "whole", run.folder) and run.history.history == whole.history.history
    with pytest.raises(ConfigError, match=r"epochs=1: .* has finished 3 already"):
        resume_run(run.folder, 1, verbose=0)
    assert resume_run(run.folder, 4, verbose=0).history.epoch == [0, 1, 2, 3]
    with pytest.raises(CheckpointError, match="no such run"):
        resume_run(tmp_path / "nothing", verbose=0)


def stopper(epochs: int) -> Any:
    ended = []

    def listen(event: pellucid.train.Event) -> Stop | None:
        if isinstance(event, pellucid.train.EpochEnded):
            ended.append(event)
        return Stop("enough") if len(ended) == epochs else None

    return listen


def test_a_model_keeps_what_it_was_compiled_with(tmp_path: Path) -> None:
    model, data = small_model(), datasets.load("digits")
    run = train_run(model, data, **SMALL, epochs=1, out=tmp_path / "run")
    assert run.model is model and model.optimizer.config()["momentum"] == 0.5
    assert model.class_names == data.class_names and model.trained_on["data"] == "digits"
    record = json.loads((run.folder / "run.json").read_text())
    assert (record["model"]["name"], record["training"]["loss"]) == ("plain", "MeanSquaredError")
    assert resume_run(run.folder, 2, data=data, verbose=0).history.epoch == [0, 1]
    other = train_run(small_model(), data, **SMALL, epochs=1, optimizer="adam", out=tmp_path / "other")
    assert other.model.optimizer.config()["type"] == "Adam"


def test_optimizer_and_loss_may_be_objects(tmp_path: Path) -> None:
    optimizer = optimizers.SGD(schedules.Cosine(0.1, 40), clipnorm=1)
    given: dict[str, Any] = {"optimizer": optimizer, "loss": losses.CategoricalCrossentropy(label_smoothing=0.1)}
    run = train_run(**SMALL, epochs=1, **given, settings={"momentum": 0.5}, out=tmp_path / "run")
    again = resume_run(run.folder, 2, verbose=0)
    straight = train_run(**SMALL, epochs=2, **given, settings={"momentum": 0.5}, out=tmp_path / "straight")
    assert again.model.optimizer.config() == {**optimizer.config(), "momentum": 0.5}
    assert again.model.loss.config() == given["loss"].config()
    np.testing.assert_array_equal(again.model.parameters.vector, straight.model.parameters.vector)

    class Mine(optimizers.SGD):
        pass

    with pytest.raises(ConfigError, match=r"optimizer=Mine\(...\): a run cannot write down a class of your own"):
        train_run(**SMALL, optimizer=Mine(), out=tmp_path / "mine")


def test_a_run_says_what_it_does_unless_it_is_to_be_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train_run(**SMALL, epochs=1, out=tmp_path / "silent")
    assert capsys.readouterr() == ("", "")
    train_run(**{**SMALL, "verbose": 2}, epochs=1, freeze="conv1", out=tmp_path / "told")
    out, err = capsys.readouterr()
    for words in (
        "10 classes",
        "frozen conv1",
        "simple-convnet (",
        "settings pad=2",
        "epoch ",
        "test accuracy",
        "run ",
    ):
        assert words in out, words
    assert "(no weights: the frozen layers keep their random start)" in err and "validation=0.1" in err
    assert "--" not in err


def test_what_is_wrong_with_a_run_is_said_in_pythons_words(tmp_path: Path) -> None:
    folder = train_run(**SMALL, epochs=0, out=tmp_path / "run").folder
    for given, words in (
        ({"out": folder}, rf'out="{folder}": holds a run already; .* resume_run\("{folder}"\)'),
        ({"model": 5}, "model must be a network's name or a Model, got 5"),
        ({"model": "lenet"}, "did you mean 'lenet5'"),
        ({"settings": {"hiden_size": 1}}, "did you mean 'hidden_size'"),
        ({"weights": folder, "standardize": True}, "standardize=True: pictures are scaled"),
        ({"data": "digit"}, "did you mean 'digits'"),
        ({"data": datasets.load("digits"), "validation": "photos"}, "validation must be a share"),
    ):
        with pytest.raises(ConfigError, match=words):
            train_run(**{**SMALL, **given})


def test_a_model_knows_the_background_it_learned() -> None:
    images = np.full((6, 8, 8, 1), 200, np.uint8)
    model, other = small_model(), small_model()
    model.fit(images, np.arange(6), verbose=0)
    assert model.trained_on["background"] == 200
    other.fit(images / 255, np.arange(6), verbose=0)
    assert "background" not in other.trained_on and other.trained_on["range"] is not None


def test_a_recipe_is_a_value() -> None:
    recipe = zoo.recipe("cifar-net")
    assert (recipe.batch_size, recipe.schedule, recipe.standardize) == (64, "cosine", True)
    assert zoo.recipe("SIMPLE_CONVNET", "digits").settings["pad"] == 2 and not zoo.recipe("simple-convnet").settings
    with pytest.raises(ConfigError, match="did you mean 'cifar-net'"):
        zoo.recipe("cifarnet")
