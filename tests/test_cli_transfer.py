"""`pellucid train --weights … --freeze …`, run for real: a network of the digits learns other classes from a folder."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import datasets, zoo
from pellucid.datasets.transforms import Preprocessing

CLASSES = {"even": (0, 2, 4), "odd": (1, 3, 5)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits as pictures in two classes that the digits' own network does not know."""
    root = tmp_path_factory.mktemp("data") / "parity"
    train = datasets.load("digits").train
    images = np.asarray(train.images)
    for name, digits in CLASSES.items():
        (root / name).mkdir(parents=True)
        for row in np.flatnonzero(np.isin(train.labels, digits))[:60]:
            Image.fromarray(images[row, :, :, 0]).save(root / name / f"{row}.png")
    return root


@pytest.fixture
def transferred(command: Command, run_folder: Path, folder: Path, tmp_path: Path) -> tuple[Path, str, str]:
    """(run folder, standard output, standard error) of a frozen run."""
    out = tmp_path / "transferred"
    status, told, notes = command(
        "train", "--weights", run_folder, "--freeze", "features", "--data", folder, "--epochs", 12, "--out", out
    )
    assert status == 0, notes
    return out, told, notes


def test_a_folder_is_learned_on_frozen_features(
    command: Command, run_folder: Path, folder: Path, transferred: tuple[Path, str, str]
) -> None:
    out, told, notes = transferred
    lines = told[told.index("weights ") :].splitlines()  # behind what is said of the folder
    assert lines[0] == f"weights {run_folder}: 2 of 3 layers; affine2 starts anew: 2 classes here, 10 there"
    assert lines[1] == "pictures 8 x 8, grey, 0 to 1, as the weights learned them"
    assert lines[2] == "frozen conv1: 1 layer, 780 parameters"
    assert re.fullmatch(r"trained affine1, affine2: [\d,]+ parameters", lines[3])
    assert "frozen up to 'flatten': 120 pictures once" in notes
    before, after = pellucid.load(run_folder), pellucid.load(out)
    np.testing.assert_array_equal(after.layers[0].weights[0], before.layers[0].weights[0])
    assert np.any(after.get_layer("affine1").weights[0] != before.get_layer("affine1").weights[0])
    assert after.class_names == ("even", "odd")
    record = json.loads((out / "run.json").read_text())
    assert record["start"] == {
        "weights": str(run_folder.resolve()),
        "taken": ["conv1", "affine1"],
        "fresh": ["affine2"],
        "frozen": ["conv1"],
    }
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [entry["event"] for entry in log] == ["start", *["epoch"] * 12, "end"]

    status, judged, _ = command("evaluate", out, "--json")
    assert status == 0 and json.loads(judged)["accuracy"] > 0.8
    status, answers, _ = command("predict", out, folder / "odd", "--json")
    assert status == 0
    given = [answer["predictions"][0]["class"] for answer in json.loads(answers)]
    assert given.count("odd") > 45
    assert command("show", "filters", out, "--out", out / "f.png")[0] == 0


def test_a_second_stage_goes_on_from_a_run(
    command: Command, folder: Path, transferred: tuple[Path, str, str], tmp_path: Path
) -> None:
    first, _, _ = transferred
    words = ["--data", folder, "--epochs", 2, "--lr", "0.0001", "--class-weight", "balanced", "--patience", 2]
    status, told, notes = command(
        "train", "--weights", first, "--freeze", "affine1", *words, "--validation", "0.25", "--out", tmp_path / "second"
    )
    assert status == 0, notes
    assert f"weights {first}: 3 of 3 layers" in told.splitlines()
    assert "trained conv1, affine2" in told and "frozen up to" not in notes


def test_without_freeze_everything_is_trained(command: Command, run_folder: Path, tmp_path: Path) -> None:
    status, told, _ = command(
        "train", "simple-convnet", "--weights", run_folder, "--epochs", 1, "--quiet", "--out", tmp_path / "run"
    )
    assert status == 0 and "3 of 3 layers" in told and "frozen" not in told
    accuracy = float(re.search(r"test accuracy ([\d.]+) %", told)[1])  # type: ignore[index]
    assert accuracy > 90, "it goes on from where the weights were"


def test_without_weights_frozen_layers_are_said_to_be_random(command: Command, tmp_path: Path) -> None:
    status, told, notes = command("train", "--freeze", "conv1", "--epochs", 2, "--out", tmp_path / "run")
    assert status == 0 and "frozen conv1: 1 layer" in told and "keep their random start" in notes


def test_scaling_size_and_resize_rule_come_from_the_weights(command: Command, folder: Path, tmp_path: Path) -> None:
    source = zoo.build("simple-convnet", input_shape=(12, 10, 3), classes=4, options={"pad": 2, "filter_num": 4})
    source.preprocessing = Preprocessing(mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.25), resize="stretch")
    source.save(tmp_path / "colour.safetensors")
    words = ["train", "--weights", tmp_path / "colour.safetensors", "--freeze", "features", "--data", folder]
    status, told, err = command(*words, "--epochs", 2, "--out", tmp_path / "run")
    assert status == 0, err
    assert "pictures 12 x 10, colour, 0 to 1, less mean 0.5 0.4 0.3, by deviation 0.2 0.2 0.25, as the weights" in told
    made = pellucid.load(tmp_path / "run").preprocessing
    assert made == Preprocessing(
        mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.25), resize="stretch", size=(12, 10), channels=3
    )
    assert command("evaluate", tmp_path / "run")[0] == 0
    status, told, _ = command(*words, "--epochs", 1, "--size", 16, "--resize", "pad", "--out", tmp_path / "larger")
    assert status == 0 and "pictures 16 x 16 (the weights learned 12 x 10)" in told
    assert "affine1, affine2 start anew: affine1 kernel (256, 100) here, (120, 100) there" in told
    assert pellucid.load(tmp_path / "larger").preprocessing.resize == "pad"


def test_augmented_pictures_are_not_kept_and_that_is_said(
    command: Command, run_folder: Path, folder: Path, tmp_path: Path
) -> None:
    words = ["train", "--weights", run_folder, "--freeze", "features", "--data", folder, "--augment", "standard"]
    status, _, notes = command(*words, "--epochs", 2, "--out", tmp_path / "run")
    assert status == 0 and "frozen layers run in every epoch: the pictures are augmented" in notes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["cifar-net", "--size", "16", "--weights", "{run}"],
            ["'simple-convnet'", "'cifar-net'", "conv1 kernel (3, 3, 1, 36) here", "conv2 only here"],
        ),
        (["--weights", "{run}", "--freeze", "conv9"], ["'conv9'", "conv1", "affine1", "features"]),
        (["--weights", "{run}", "--freeze", "*"], ["every layer", "leave out 'affine2'"]),
        (["--weights", "{run}", "--data", "{folder}", "--freeze", "affine?"], ["affine2 would start anew"]),
        (["--weights", "{tmp}/none"], ["none", "no such run or model file"]),
        (["--weights", "{tmp}/vgg16.pth"], ["vgg16.pth", "name the network", "pellucid train vgg16"]),
        (["vgg16", "--weights", "{tmp}/vgg16.pth"], ["vgg16.pth", "zip"]),
        (["vgg16", "--weights", "{tmp}/empty.pth"], ["empty.pth", "no file of weights"]),
        (["--weights", "{tmp}/cut.safetensors"], ["cut.safetensors"]),
        (["--weights", "{tmp}/changed.safetensors"], ["changed or damaged"]),
        (["--weights", "{tmp}"], ["holds no model.safetensors"]),
        (["--weights", "{run}", "--set", "hidden_size=3"], ["hidden_size", "the network"]),
    ],
)
def test_weights_that_cannot_be_used_are_one_line_and_status_1(
    command: Command,
    run_folder: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    raw = (run_folder / "model.safetensors").read_bytes()
    (tmp_path / "vgg16.pth").write_bytes(b"PK\x03\x04")
    (tmp_path / "empty.pth").touch()
    (tmp_path / "cut.safetensors").write_bytes(raw[:1000])
    (tmp_path / "changed.safetensors").write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    places = {"run": run_folder, "folder": folder, "tmp": tmp_path}
    status, _, err = command("train", *(argument.format(**places) for argument in arguments))
    lines = err.splitlines()
    assert status == 1 and lines[-1].startswith("pellucid: ") and len(lines) == 1, err
    assert all(word in err for word in words), err
    assert not (tmp_path / "runs").exists(), "a run that never began leaves no folder"


@pytest.mark.parametrize("head", [False, True])
def test_pytorchs_own_file_is_taken_where_the_network_is_named(
    command: Command, folder: Path, tmp_path: Path, head: bool
) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch writes the file; it is not installed")
    import torch_networks as networks

    module = networks.scramble(networks.network("vgg11", maps=(7, 7), units=8, classes=5), 0)
    tensors = {name: value for name, value in module.state_dict().items() if head or name.startswith("features")}
    torch.save(tensors, tmp_path / "vgg11.pth")
    words = ["train", "vgg11", "--weights", tmp_path / "vgg11.pth", "--freeze", "features", "--data", folder]
    words += ["--set", "dense_units=4", "--size", 32, "--limit", 20, "--epochs", 2, "--out", tmp_path / "run"]
    status, told, err = command(*words)
    assert status == 0, err
    assert "8 of 11 layers; fc6, fc7, fc8 start anew: fc6 only here" in told
    assert "deviation 0.229 0.224 0.225" in told and "(the weights learned 224 x 224)" in told
    kernel = module.state_dict()["features.0.weight"].numpy().transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(pellucid.load(tmp_path / "run").layers[0].weights[0], kernel)


def test_a_network_of_any_name_leaves_its_run_in_runs(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = zoo.build("simple-convnet", input_shape=(8, 8, 1), classes=2, options={"pad": 2})
    source.name = "../../etc/net"
    source.save(tmp_path / "named.safetensors")
    status, _, err = command("train", "--weights", "named.safetensors", "--data", folder, "--epochs", 1)
    assert status == 0, err
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["net-parity-001"]


def test_an_interrupt_while_frozen_layers_run_saves_and_leaves(folder: Path, tmp_path: Path) -> None:
    """A network of some weight, so that its frozen layers take long enough to be interrupted."""
    zoo.build("vgg11", input_shape=(64, 64, 3), classes=2, options={"dense_units": 4}).save(
        tmp_path / "vgg.safetensors"
    )
    out = tmp_path / "run"
    code = "import sys; from pellucid.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", "--weights", tmp_path / "vgg.safetensors", "--freeze", "features", "--data", folder]
    words += ["--batch-size", "1", "--epochs", "5", "--out", out]
    running = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        snapshot = out / "snapshots" / "epoch-000.npz"
        deadline = time.monotonic() + 120
        while not snapshot.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=120)
    finally:
        running.kill()
    assert running.returncode == 130, err
    assert "stopped after epoch 0: interrupted" in err
    assert {"model.safetensors", "last.safetensors"} <= {path.name for path in out.iterdir()}
