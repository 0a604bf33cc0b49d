"""The command line, run for real on the digits in the package: what is printed, what is written, how it ends."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import datasets, optimizers, zoo
from pellucid.cli.settings import parse
from pellucid.cli.train import families
from pellucid.errors import CheckpointError, ConfigError
from pellucid.runs.setup import divide, settle

COMMANDS = [
    ["train"],
    ["bench"],
    ["report"],
    ["evaluate"],
    ["predict"],
    ["summary"],
    ["import"],
    ["show"],
    ["show", "architecture"],
    ["show", "curves"],
    ["show", "filters"],
    *(["show", what] for what in ("features", "arithmetic", "histograms")),
    *(["show", what] for what in ("attribution", "excite", "confusion", "calibration", "precision-recall")),
    ["show", "mistakes"],
    ["data"],
    ["data", "list"],
    ["data", "info"],
    ["data", "fetch"],
]
SMALL = ["--limit", "600", "--test-limit", "200", "--batch-size", "50"]


def test_every_command_explains_itself_with_an_example(command: Command) -> None:
    for words in COMMANDS:
        status, out, _ = command(*words, "--help")
        assert status == 0 and "Usage: pellucid " + " ".join(words) in out, words
        if words not in (["show"], ["data"]):
            assert "pellucid " + " ".join(words) in out.split("Options")[1], words


def test_help_promises_nothing_that_is_not_there(command: Command) -> None:
    status, _, err = command("resume")
    assert status == 2 and "No such command" in err


def test_help_names_the_networks_optimizers_and_data_there_are(command: Command) -> None:
    told = re.sub(r"[\s│]+", " ", command("train", "--help")[1])
    for name in (*families(zoo.NAMES), *datasets.names()):
        assert name in told, name
    listed = re.search(r"((?:\w+, )+\w+ or \w+)\. Default: adam\*\.", told)
    assert listed is not None
    assert sorted(re.split(", | or ", listed[1])) == sorted(optimizers.NAMES)


def test_the_helps_defaults_are_those_of_the_usual_recipe(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 200)
    told = command("train", "--help")[1]
    usual = zoo.Recipe()
    expected = {name: getattr(usual, name) for name in ("epochs", "batch_size", "optimizer", "loss", "augment")}
    for field, value in {**expected, "lr": "the optimizer's", "standardize": "no"}.items():
        option = field.replace("_", "-")
        assert re.search(rf"--{option} .*Default: {re.escape(str(value))}\*\. *│", told), option
    assert "* unless the network's own recipe says otherwise: pellucid summary MODEL" in told


@pytest.mark.parametrize("name", [name for name in zoo.NAMES if not name.startswith(("vgg", "alexnet"))])
def test_a_networks_summary_tells_its_recipe(command: Command, name: str) -> None:
    recipe = zoo.recipe(name)
    told = command("summary", name)[1].splitlines()[-1]
    assert told == f"recipe: {recipe}"
    for value in (f"{recipe.epochs} epochs", f"batch size {recipe.batch_size}", recipe.optimizer, recipe.loss):
        assert value in told
    for name, value in {**recipe.of_optimizer, "schedule": recipe.schedule, "augmentation": recipe.augment}.items():
        assert (f"{name} {value}" in told) == (value not in (None, "none"))
    assert ("standardized" in told) == recipe.standardize


def test_the_helps_other_defaults_are_those_that_are_taken(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.datasets.sizes import DEFAULT_SIZE, LEAST_SIZE
    from pellucid.runs.setup import naming

    told = re.sub(r"[\s│]+", " ", command("train", "--help")[1])
    folder, other = naming(None, str(Path(__file__).parent), None)[1], naming(None, "mnist", None)[1]
    assert f"Default: {folder} for a folder, else {other}." in told
    assert f"{LEAST_SIZE} to {DEFAULT_SIZE}." in told
    assert "digits (default), mnist" in told and "Default: crop." in told


def test_version_says_what_computes(command: Command) -> None:
    status, out, _ = command("--version")
    backend = pellucid.ops.backend()
    assert status == 0
    assert re.match(r"pellucid \S", out)
    assert f"backend {backend.name}, instruction set {backend.instruction_set}, {backend.threads} threads" in out


def test_no_arguments_show_the_help(command: Command) -> None:
    _, out, err = command()
    assert "pellucid train" in out + err


@pytest.mark.parametrize(
    "arguments", [["tran"], ["train", "--epoch", "x"], ["train", "--epochs", "many"], ["predict", "run"], ["show", "x"]]
)
def test_wrong_usage_is_status_2(command: Command, arguments: list[str]) -> None:
    status, out, err = command(*arguments)
    assert status == 2 and err and "Traceback" not in err + out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "simple-convnt"], ["simple-convnt", "did you mean 'simple-convnet'"]),
        (["train", "--data", "fashon-mnist"], ["did you mean 'fashion-mnist'"]),
        (["train", "--data", "no/such/folder"], ["no/such/folder"]),
        (["train", "--optimizer", "adan"], ["did you mean 'adam'"]),
        (["train", "--loss", "categorical_crosentropy"], ["did you mean"]),
        (["train", "--set", "hiden_size=4"], ["hiden_size", "did you mean 'hidden_size'"]),
        (["train", "--set", "hidden_size"], ["KEY=VALUE", "'hidden_size'"]),
        (["train", "--epochs", "-1"], ["epochs", "-1"]),
        (["train", "--batch-size", "0"], ["batch_size", "0"]),
        (["train", "--limit", "0"], ["limit", "0"]),
        (["train", "--augment", "standrd"], ["did you mean 'standard'"]),
        (["train", "--resize", "corp", "--size", "16"], ["did you mean 'crop'"]),
        (["train", "--class-weight", "fair"], ["balanced", "fair"]),
        (["train", "--validation", "some-folder"], ["fraction", "some-folder"]),
        (["train", "--lr", "-1"], ["learning", "-1"]),
        (["train", "--threads", "0"], ["threads", "0"]),
        (["train", "--threads", "99999999999"], ["threads", "from 1 to 1024", "99999999999"]),
        (["evaluate", "runs/none"], ["runs/none", "no such run"]),
        (["summary", "lenet55"], ["lenet55", "simple-convnet"]),
        (["show", "curves", "nowhere"], ["nowhere"]),
        (["data", "info", "mnst"], ["did you mean 'mnist'"]),
        (["data", "fetch", "mnst"], ["did you mean 'mnist'"]),
    ],
)
def test_what_cannot_be_done_is_one_line_and_status_1(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = command(*arguments)
    assert status == 1, err
    assert err.startswith("pellucid: ") and err.count("\n") == 1, err
    assert all(word in err for word in words), err
    assert not list(tmp_path.glob("runs/*")), "a run that never began leaves no folder"


def test_training_leaves_what_it_promises(run_folder: Path) -> None:
    names = {path.name for path in run_folder.iterdir()}
    assert names == {
        "model.safetensors",
        "last.safetensors",
        "log.jsonl",
        "run.json",
        "snapshots",
        "checkpoints",
        "curves.png",
        "filters.png",
    }
    assert len(list((run_folder / "snapshots").iterdir())) == 7
    for name in ("curves.png", "filters.png"):
        with Image.open(run_folder / name) as picture:
            assert picture.size[0] > 400 and len(set(picture.convert("L").resize((64, 64)).tobytes())) > 10
    model = pellucid.load(run_folder / "model.safetensors")
    assert model.class_names == tuple("0123456789")
    record = json.loads((run_folder / "run.json").read_text())
    assert record["model"]["name"] == "simple-convnet" and record["data"]["load"] == "digits"
    assert record["command"][:5] == ["train", "--epochs", "6", "--batch-size", "32"]  # those of main(), not pytest's
    assert record["training"]["epochs"] == 6 and record["training"]["seed"] == 0
    assert record["data"]["pictures"] == {"train": 1437, "test": 360}
    assert record["versions"]["numpy"] == np.__version__ and record["backend"]["threads"] >= 1


def test_two_runs_are_the_same_to_the_bit_and_the_second_has_its_own_folder(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = command("train", "--epochs", 1, "simple-convnet", *SMALL)
    assert status == 0 and "run runs/simple-convnet-digits-001" in out
    status, out, _ = command("train", *SMALL, "simple-convnet", "--threads", "1", "--epochs", "1")
    assert status == 0 and "run runs/simple-convnet-digits-002" in out
    runs = sorted((tmp_path / "runs").iterdir())
    first, second = ((run / "model.safetensors").read_bytes() for run in runs)
    assert first == second
    assert json.loads((runs[0] / "run.json").read_text())["data"]["pictures"] == {"train": 600, "test": 200}


def test_progress_goes_to_standard_error_and_quiet_silences_it(command: Command, tmp_path: Path) -> None:
    _, out, err = command("train", "--epochs", 1, *SMALL, "--out", tmp_path / "a")
    assert "1/1 " in err and "accuracy" in err and "1/1 " not in out
    _, out, err = command("train", "--epochs", 1, *SMALL, "--quiet", "--out", tmp_path / "b")
    assert "epoch  " not in err and "1/1 " not in err
    assert re.search(r"test accuracy \d+\.\d\d %, loss \d\.\d+ on 200 pictures", out)


def test_a_folder_in_use_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    status, _, err = command("train", "--epochs", 1, "--out", tmp_path)
    assert status == 1 and "not an empty folder" in err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_settings_reach_the_network_and_the_optimizer(command: Command, tmp_path: Path) -> None:
    settings = ["--set", "filter_num=7", "--set", "momentum=0.5", "--optimizer", "sgd", "--lr", "0.125"]
    status, _, err = command("train", "--epochs", 1, *SMALL, *settings, "--out", tmp_path / "run")
    assert status == 0, err
    model = pellucid.load(tmp_path / "run")
    assert model.layers[0].params["kernel"].shape[-1] == 7
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["training"]["optimizer"]["momentum"] == 0.5
    assert record["training"]["optimizer"]["learning_rate"] == 0.125
    assert record["model"]["settings"] == {"pad": 2, "weight_init_std": "he", "filter_num": 7}


def test_settings_of_layers_and_of_the_loss(command: Command, tmp_path: Path) -> None:
    settings = ["--set", "conv1.filters=4", "--set", "affine?.use_bias=false", "--set", "label_smoothing=0.25"]
    status, out, err = command("train", "--epochs", 1, *SMALL, *settings, "--out", tmp_path / "run")
    assert status == 0, err
    assert "conv1.filters=4" in out
    model = pellucid.load(tmp_path / "run")
    assert model.layers[0].filters == 4 and [len(layer.weights) for layer in model.layers] == [2, 0, 0, 1, 1]
    assert model.loss.config()["label_smoothing"] == 0.25
    for setting, words in (
        ("conf1.filters=4", "did you mean 'conv1'"),
        ("conv1.filter=4", "did you mean 'filters'"),
        ("label_smothing=0.1", "did you mean 'label_smoothing'"),
    ):
        status, _, err = command("train", *SMALL, "--set", setting)
        assert status == 1 and words in err and err.count("\n") == 1


def test_what_is_said_goes_before_the_recipe() -> None:
    recipe = zoo.recipe("lenet5-published", "mnist")
    _, optimizer, loss, schedule = settle("lenet5-published", None, None, None, {}, recipe)
    assert (optimizer.learning_rate, type(loss).__name__, schedule) == (0.005, "MAPCriterion", "cosine")
    said = {"rubbish_penalty": 7, "schedule": "step", "momentum": 0.9, "codes": "random"}
    own, optimizer, loss, schedule = settle("lenet5-published", "sgd", None, None, said, recipe)
    assert own == {"codes": "random"} and loss.config()["rubbish_penalty"] == 7 and schedule == "step"
    assert (optimizer.config()["type"], optimizer.learning_rate) == ("SGD", optimizers.get("sgd").learning_rate)
    _, optimizer, loss, _ = settle("lenet5-published", "Adam", 0.25, "mse", {}, recipe)
    assert (optimizer.learning_rate, type(loss).__name__) == (0.25, "MeanSquaredError")


def test_pictures_are_standardized_by_those_trained_on(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    status, out, _ = command("train", *SMALL, "--epochs", "1", "--standardize", "--out", run)
    assert status == 0
    images = datasets.load("digits").train.images[:600] / 255.0
    scaling = pellucid.load(run / "model.safetensors").preprocessing
    assert scaling.mean is not None and scaling.std is not None
    np.testing.assert_allclose([scaling.mean[0], scaling.std[0]], [images.mean(), images.std()], rtol=1e-6)
    assert f"pictures 0 to 1, less mean {images.mean():.6g}, by deviation {images.std():.6g}" in out
    status, _, err = command("train", *SMALL, "--weights", run, "--standardize")
    assert status == 1 and "--standardize: pictures are scaled as they were for the weights" in err


def test_settings_are_read_as_json_where_they_are(tmp_path: Path) -> None:
    assert parse(["a=1", "b=0.5", "c=same", "d=[3, 5]", "e=true", "f-g=None", "h=x=y"]) == {
        "a": 1,
        "b": 0.5,
        "c": "same",
        "d": [3, 5],
        "e": True,
        "f_g": None,
        "h": "x=y",
    }
    assert divide({"a": 1, "b": 2}, [("net", ["a"]), ("adam", ["a", "b"])]) == [{"a": 1}, {"b": 2}]
    with pytest.raises(ConfigError, match="twice"):
        parse(["a=1", "a=2"])


def test_a_validation_share_is_taken_from_the_training_pictures(command: Command, tmp_path: Path) -> None:
    status, out, err = command("train", "--epochs", 1, *SMALL, "--validation", "0.25", "--out", tmp_path / "run")
    assert status == 0 and "on these same pictures" not in out + err and "last accuracy" not in out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["pictures"] == {"train": 450, "test": 200, "validation": 150}


def test_summary_of_a_name_and_of_a_run(command: Command, run_folder: Path) -> None:
    status, out, _ = command("summary", "simple-convnet")
    assert status == 0 and "433,890" in out and max(map(len, out.splitlines())) <= 80
    told = json.loads(command("summary", run_folder, "--json")[1])
    assert told["totals"]["parameters"] == pellucid.load(run_folder).count_params()


def test_show_draws_where_it_is_told(command: Command, run_folder: Path, tmp_path: Path) -> None:
    for what in ("curves", "filters"):
        target = tmp_path / f"{what}.svg"
        status, out, _ = command("show", what, run_folder, "--out", target)
        assert status == 0 and out.strip() == str(target) and target.read_bytes().startswith(b"<?xml")
    assert "before training" in (tmp_path / "filters.svg").read_text()
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes((run_folder / "model.safetensors").read_bytes())
    assert command("show", "filters", alone, "--scale", "each", "--out", tmp_path / "b.svg")[0] == 0
    assert "before training" not in (tmp_path / "b.svg").read_text()
    status, _, err = command("show", "filters", run_folder, "--layer", "conv2")
    assert status == 1 and "did you mean 'conv1'" in err
    assert command("show", "filters", run_folder, "--scale", "log")[0] == 1


def test_data_is_listed_and_described(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    listed = json.loads(command("data", "list", "--json")[1])
    assert [entry["name"] for entry in listed] == list(datasets.names())
    assert listed[0]["where"] == "in the package"
    assert "handwritten digits" in command("data", "list")[1]
    with monkeypatch.context() as terminal:
        terminal.setattr(sys.stdout, "isatty", lambda: True)
        terminal.setenv("COLUMNS", "80")
        terminal.setenv("TERM", "dumb")  # no escape codes between the letters
        lines = command("data", "list")[1].splitlines()
    assert all(any(name in line for line in lines) for name in (*datasets.names(), "handwritten"))
    assert max(map(len, lines)) <= 80
    told = json.loads(command("data", "info", "digits", "--json")[1])
    assert told["train"] == 1437 and sum(entry["test"] for entry in told["classes"]) == 360
    assert "CC BY 4.0" in command("data", "info", "digits")[1]
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    status, _, err = command("data", "fetch", "digits", "cifar10")
    assert status == 1 and "PELLUCID_OFFLINE" in err


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_a_model(command: Command, tmp_path: Path) -> None:
    wild = ["--optimizer", "sgd", "--lr", "1e20", "--epochs", 3, "--quiet", "--out", tmp_path / "run"]
    status, _, err = command("train", *SMALL, *wild)
    assert status == 1 and re.search(r"pellucid: the loss became \S+ at step \d+", err) and "learning rate" in err
    for name in ("model.safetensors", "last.safetensors"):
        assert all(np.isfinite(array).all() for array in pellucid.load(tmp_path / "run" / name).get_weights())


def test_a_damaged_model_is_one_line(command: Command, run_folder: Path, tmp_path: Path) -> None:
    raw = bytearray((run_folder / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(raw)
    status, _, err = command("summary", tmp_path / "m.safetensors")
    assert status == 1 and "changed or damaged" in err and err.count("\n") == 1


def test_run_records_that_are_damaged_are_named(command: Command, run_folder: Path, tmp_path: Path) -> None:
    from pellucid.runs.folder import read_record

    for text in ("{", "[]"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"run\.json"):
            read_record(tmp_path)


def test_a_schedule_by_name_is_fitted_to_the_run(command: Command, tmp_path: Path) -> None:
    status, out, _ = command("train", "--epochs", 2, *SMALL, "--set", "schedule=cosine", "--out", tmp_path / "run")
    assert status == 0 and "schedule=cosine" in out
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    steps = 2 * -(-600 // record["training"]["batch_size"])
    assert record["training"]["optimizer"]["learning_rate"] == {
        "type": "Cosine",
        "initial": 0.001,
        "steps": steps,
        "final": 0.0,
    }
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    first, second = (entry["learning_rate"] for entry in log if entry["event"] == "epoch")
    assert 0 < second < first < 0.001
    status, _, err = command("train", *SMALL, "--set", "schedule=cosin")
    assert status == 1 and "did you mean 'cosine'" in err
