"""`pellucid train --pretrained` and `train_run(pretrained=...)`: a new head, fine-tuning, and what cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_branches as branches
from commands import Command
from picture_files import write
from published_files import only_data, publish, write_weights

import pellucid
from pellucid import schedules, zoo
from pellucid.errors import CheckpointError, ConfigError, DataError, PellucidError
from pellucid.runs.pretrained import two_stages
from pellucid.runs.run import Run
from pellucid.train import (
    BatchEnded,
    EpochEnded,
    Event,
    FeaturesComputed,
    FineTuningStarted,
    Stop,
    TrainConfig,
    TrainingStarted,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

FILE = "mobilenet_v2-b0353104.pth"
SMALL: dict[str, Any] = {"pretrained": "mobilenet-v2", "size": 32, "batch_size": 5, "verbose": 0, "doctor": False}
STAGES: dict[str, Any] = {**SMALL, "epochs": 2, "fine_tune": 2}


@pytest.fixture(scope="module")
def published_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the form of MobileNetV2's published ones."""
    path = tmp_path_factory.mktemp("stand-in") / "weights" / FILE
    return write_weights(path, branches.mobilenet_v2(branches.MOBILE, 1000))


def stand(published_file: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only_data(published_file.parent.parent, cache, monkeypatch)
    publish(published_file, monkeypatch)


@pytest.fixture
def stand_in(published_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only data on this machine."""
    stand(published_file, tmp_path / "cache", monkeypatch)
    return published_file


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten reds and ten blues, of odd sizes."""
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    for number in range(10):
        write(folder / "red" / f"{number}.png", colour=(200, 10 * number, 30), size=(40, 33 + number))
        write(folder / "blue" / f"{number}.png", colour=(30, 10 * number, 200), size=(35 + number, 40))
    return folder


@pytest.fixture(scope="module")
def whole(published_file: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Both stages, never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pellucid.runs.run.draw", lambda *_: None)
        stand(published_file, folder / "cache", patch)
        return pellucid.train_run(**STAGES, data=photos, out=folder / "run")


def test_one_command_from_a_folder_to_a_judged_model(
    command: Command, stand_in: Path, photos: Path, tmp_path: Path
) -> None:
    out, words = tmp_path / "run", ["--size", "32", "--epochs", "2", "--fine-tune", "2", "--batch-size", "5"]
    status, told, notes = command("train", "--pretrained", "mobilenet-v2", "--data", photos, *words, "--out", out)
    assert status == 0, notes
    assert "52 of 53 layers" not in told and "classes starts anew: 2 classes here, 1000 there" in told
    assert "pictures 32 x 32 (the weights learned 224 x 224), colour, 0 to 1, less mean 0.485" in told
    assert "trained classes: 2,562 parameters" in told
    assert "frozen up to 'average': 20 pictures once" in notes
    assert "fine-tuning from epoch 3 on" in notes and "held-out accuracy: " in told and "the new head: " in notes
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in log] == ["start", "epoch", "epoch", "fine-tuning", "epoch", "epoch", "end"]
    rates = [entry["learning_rate"] for entry in log if entry["event"] == "epoch"]
    assert max(rates[2:]) <= 1.01e-4 < max(rates[:2]) <= 3e-3

    before, last = zoo.mobilenet_v2(weights="imagenet"), pellucid.load(out / "last.safetensors")
    assert last.class_names == ("blue", "red") and last.preprocessing.resize == "center"
    for layer in last.layers[:-1]:
        for array, old in zip(layer.weights, before.get_layer(layer.name).weights, strict=True):
            assert np.array_equal(array, old) == (layer.role == "batch norm"), layer.name

    picture = photos / "red" / "0.png"
    for words in (["predict", out, picture], ["evaluate", out], ["report", out, "--lang", "en"], ["summary", out]):
        status, told, notes = command(*words)
        assert status == 0, notes
    assert "fine-tuned" in (out / "report.html").read_text(encoding="utf-8")


def stop_at(kind: type[Event], **where: int) -> Callable[[Event], Stop | None]:
    """A listener that stops at an event of this kind with these fields."""

    def listen(event: Event) -> Stop | None:
        there = isinstance(event, kind) and all(getattr(event, key) == value for key, value in where.items())
        return Stop("enough") if there else None

    return listen


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    "stop",
    [
        stop_at(FeaturesComputed, done=5),
        stop_at(BatchEnded, epoch=1, batch=1),
        stop_at(EpochEnded, epoch=1),
        stop_at(FineTuningStarted),
        stop_at(BatchEnded, epoch=2, batch=1),
        stop_at(EpochEnded, epoch=2),
    ],
    ids=["features", "head", "head done", "fine-tuning begins", "fine-tuning", "an epoch of it done"],
)
def test_a_run_stopped_in_any_stage_ends_with_the_same_bits(
    whole: Run, stand_in: Path, photos: Path, tmp_path: Path, stop: Callable[[Event], Stop | None]
) -> None:
    stopped = pellucid.train_run(**STAGES, data=photos, out=tmp_path / "stopped", callbacks=stop)
    assert len(stopped.history.epoch) < 4
    resumed = pellucid.resume_run(tmp_path / "stopped", verbose=0)
    assert resumed.history.history == whole.history.history
    for file in ("last.safetensors", "model.safetensors"):
        one, other = (pellucid.load(folder / file) for folder in (whole.folder, stopped.folder))
        assert all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))


@pytest.mark.usefixtures("undrawn")
def test_engine_torch_trains_the_head_and_fine_tunes_as_ours(
    stand_in: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pellucid.ops, "num_threads", lambda: 1)
    given: dict[str, Any] = {**SMALL, "epochs": 1, "fine_tune": 1, "settings": {"dropout": 0.0}, "data": photos}
    ours, theirs = (
        pellucid.train_run(**given, engine=engine, out=tmp_path / engine).history for engine in ("pellucid", "torch")
    )
    assert theirs["loss"][0] == pytest.approx(ours["loss"][0], rel=1e-5)
    # random weights, of which each rounding is multiplied from layer to layer
    assert theirs["loss"][1] == pytest.approx(ours["loss"][1], rel=1e-2)
    assert theirs["learning_rate"] == ours["learning_rate"]


@pytest.mark.usefixtures("undrawn")
def test_fine_tuning_begins_with_fresh_moments(stand_in: Path, photos: Path, tmp_path: Path) -> None:
    """So Adam moves no weight by more than the learning rate, a thirtieth of the head's, in its first step."""
    models: list[Any] = []
    seen: dict[type, Any] = {}

    def watch(event: Event) -> None:
        if isinstance(event, TrainingStarted):
            models.append(event.model)
        tuned = isinstance(event, BatchEnded) and event.epoch == 10
        if tuned or isinstance(event, FineTuningStarted):
            seen.setdefault(type(event), models[0].parameters.vector.copy())

    given: dict[str, Any] = {**SMALL, "epochs": 10, "fine_tune": 1, "settings": {"schedule": None}}
    pellucid.train_run(**given, data=photos, out=tmp_path / "run", callbacks=watch)
    moved = np.abs(seen[BatchEnded] - seen[FineTuningStarted]).max()
    np.testing.assert_allclose(moved, 1e-4, rtol=0.01)


@pytest.mark.usefixtures("undrawn")
def test_more_epochs_fine_tune_on(stand_in: Path, photos: Path, tmp_path: Path) -> None:
    pellucid.train_run(**SMALL, epochs=1, fine_tune=1, data=photos, out=tmp_path / "run")
    run = pellucid.resume_run(tmp_path / "run", epochs=3, verbose=0)
    assert (run.config.epochs, run.config.fine_tune_from, len(run.history.epoch)) == (3, 1, 3)
    assert run.model.get_layer("conv").trainable and not run.model.get_layer("conv_norm").trainable


@pytest.mark.usefixtures("undrawn")
def test_the_head_alone(stand_in: Path, photos: Path, tmp_path: Path) -> None:
    run = pellucid.train_run(**SMALL, epochs=2, fine_tune=0, data=photos, out=tmp_path / "run")
    assert (run.config.epochs, run.config.fine_tune_from, run.config.augment) == (2, None, "none")
    assert [layer.name for layer in run.model.layers if layer.params and layer.trainable] == ["classes"]


@pytest.mark.parametrize("pictures", [1, 25, 1600, 60_000, 10**7])
def test_epochs_go_by_the_number_of_pictures(pictures: int) -> None:
    config = two_stages(TrainConfig(), None, None, pictures, plain=True)
    head, steps = config.frozen_epochs, -(-pictures // 32)
    assert head * steps >= 100 and 10 <= head <= 100 and 1 <= config.epochs - head <= 5
    given = two_stages(TrainConfig(epochs=7, augment="flip"), 7, 3, pictures, plain=False)
    assert (given.epochs, given.fine_tune_from, given.augment) == (10, 7, "flip")


def test_two_schedules_one_after_the_other() -> None:
    rates = schedules.Stages(schedules.Cosine(1.0, 4), 4, 0.25)
    assert [rates(step) for step in (0, 2, 4, 9)] == [1.0, pytest.approx(0.5), 0.25, 0.25]
    assert schedules.get(rates.config()) == rates


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"pretrained": "lenet5"}, "'lenet5' has no published weights; there are those of efficientnet-lite0"),
    ({"pretrained": True, "model": "photo-net"}, "'photo-net' has no published weights"),
    ({"pretrained": "resnet18"}, "resnet18-f37072fd.pth is not on this machine .* Put it into "),
    ({"pretrained": "mobilenet-v2", "model": "resnet18"}, "are two networks; leave one out"),
    ({"pretrained": True, "weights": "runs/first"}, "weights='runs/first': pretrained brings its own"),
    ({"pretrained": True, "freeze": "features"}, "freeze='features': pretrained brings its own"),
    ({"pretrained": "mobilenet-v2", "fine_tune": -1}, "fine_tune must be a whole number of at least 0"),
    ({"pretrained": "mobilenet-v2", "standardize": True}, "scaled as they were for the weights"),
    ({"pretrained": 3}, "pretrained takes a network by its name, got 3"),
    ({"fine_tune": 3}, "fine_tune=3: trains published weights on; give pretrained=True too"),
    ({"weights": "imagenet"}, 'weights="imagenet": is no run or file; pretrained=True takes'),
]


@pytest.mark.parametrize(("given", "said"), WRONG)
def test_what_does_not_go_together_is_said(
    given: dict[str, Any], said: str, stand_in: Path, photos: Path, tmp_path: Path
) -> None:
    with pytest.raises((ConfigError, DataError), match=said):
        pellucid.train_run(**{**given, "data": photos, "out": tmp_path / "run", "verbose": 0})
    assert not (tmp_path / "run").exists()


def test_masks_want_another_network(stand_in: Path, tmp_path: Path) -> None:
    for number in range(4):
        for part in ("images", "masks"):
            write(tmp_path / "pixels" / part / f"{number}.png", colour=3 * (number % 2,), size=(32, 32), mode="L")
    with pytest.raises(ConfigError, match=r"has masks, .*; take another network: unet, without these weights"):
        pellucid.train_run(**SMALL, data=tmp_path / "pixels", out=tmp_path / "run")


def test_the_command_says_it_in_flags(command: Command, stand_in: Path, photos: Path, tmp_path: Path) -> None:
    status, _, err = command("train", "--data", photos, "--fine-tune", "3")
    assert (status, err) == (1, "pellucid: --fine-tune 3: trains published weights on; give --pretrained too\n")
    status, _, err = command("train", "--resume", tmp_path, "--pretrained")
    assert status == 1 and "leave --pretrained out" in err
    status, _, err = command("train", "resnet18", "--data", photos, "--pretrained")
    assert status == 1 and "resnet18-f37072fd.pth is not on this machine" in err
    with pytest.raises(CheckpointError, match='did you mean weights="imagenet"'):
        zoo.lenet5(weights="imagnet")


def cut(path: Path, data: bytes) -> None:
    path.write_bytes(data[: len(data) // 2])


def others(path: Path, data: bytes) -> None:
    state = torch.load(path, weights_only=True)
    torch.save({key: value + 1 for key, value in state.items()}, path)


def without_layers(path: Path, data: bytes) -> None:
    state = torch.load(path, weights_only=True)
    torch.save({key: value for key, value in state.items() if not key.startswith("features.3.")}, path)


def another_network(path: Path, data: bytes) -> None:
    write_weights(path, branches.squeezenet(64, 3, (3, 5), 1000))


@pytest.mark.parametrize(
    ("spoil", "hashed", "said"),
    [
        (cut, False, r"fetch it again|damaged zip|is damaged|cut off"),
        (without_layers, False, r"SHA256 begins with .*; fetch it again"),
        (others, False, r"SHA256 begins with .*; fetch it again"),
        (without_layers, True, r"does not fit mobilenet-v2: 15 missing: features\.3"),
        (another_network, True, r"does not fit mobilenet-v2: "),
    ],
    ids=["truncated", "without its hash", "wrong hash", "missing layers", "wrong network"],
)
def test_bad_weights_get_one_line(
    command: Command,
    stand_in: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path, bytes], None],
    hashed: bool,
    said: str,
) -> None:
    path = tmp_path / "data" / "weights" / FILE
    path.parent.mkdir(parents=True)
    data = stand_in.read_bytes()
    path.write_bytes(data)
    spoil(path, data)
    if hashed:
        publish(path, monkeypatch)
    monkeypatch.setenv("PELLUCID_DATA", str(path.parent.parent))
    with pytest.raises(PellucidError, match=said):
        pellucid.train_run(**SMALL, data=photos, out=tmp_path / "run")
    status, _, err = command("train", "--pretrained", "mobilenet-v2", "--data", photos)
    assert status == 1 and err.count("\n") == 1 and err.startswith("pellucid: ") and str(path) in err
