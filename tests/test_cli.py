"""The command line, run for real on the digits in the package: what is printed, what is written, how it ends."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid import datasets, optimizers, zoo
from pellucid.cli import main
from pellucid.cli.background import border_mean, looks_inverted
from pellucid.cli.settings import divide, parse
from pellucid.errors import CheckpointError, ConfigError

COMMANDS = [
    ["train"],
    ["evaluate"],
    ["predict"],
    ["summary"],
    ["show"],
    ["show", "curves"],
    ["show", "filters"],
    ["data"],
    ["data", "list"],
    ["data", "info"],
    ["data", "fetch"],
]
SMALL = ["--limit", "600", "--test-limit", "200", "--batch-size", "50"]

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs one command line in this process: (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the digits well enough to be asked."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "--epochs", "6", "--batch-size", "32", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten test digits as PNG files, named by their class."""
    folder = tmp_path_factory.mktemp("pictures")
    test = datasets.load("digits").test
    for digit in range(10):
        index = int(np.flatnonzero(test.labels == digit)[0])
        Image.fromarray(np.asarray(test.images)[index, :, :, 0]).save(folder / f"{digit}.png")
    return folder


def test_every_command_explains_itself_with_an_example(command: Command) -> None:
    for words in COMMANDS:
        status, out, _ = command(*words, "--help")
        assert status == 0 and "Usage: pellucid " + " ".join(words) in out, words
        if words not in (["show"], ["data"]):
            assert "pellucid " + " ".join(words) in out.split("Options")[1], words


def test_help_promises_nothing_that_is_not_there(command: Command) -> None:
    told = " ".join(command(*words, "--help")[1] for words in [[], *COMMANDS])
    for later in ("--resume", "--freeze", "--weights", "import", "bench", "report"):
        assert not re.search(rf"(?<![\w-]){later}(?![\w-])", told), later
    status, _, err = command("bench")
    assert status == 2 and "No such command" in err


def test_help_names_the_networks_optimizers_and_data_there_are(command: Command) -> None:
    told = re.sub(r"[\s│]+", " ", command("train", "--help")[1])
    for name in (*zoo.NAMES, *datasets.names()):
        assert name in told, name
    listed = re.search(r"(sgd, .*?)\.", told)
    assert listed is not None
    for name in listed[1].split(", "):
        assert optimizers.get(name).learning_rate


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
    assert "epoch" not in out and "1/1 " not in err
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
    status, _, err = command("train", "--epochs", 1, *SMALL, "--validation", "0.25", "--out", tmp_path / "run")
    assert status == 0 and "chosen on these same pictures" not in err
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["pictures"] == {"train": 450, "test": 200, "validation": 150}


def test_evaluate_agrees_with_counting(command: Command, run_folder: Path) -> None:
    status, out, _ = command("evaluate", run_folder, "--json")
    assert status == 0
    told = json.loads(out)
    test = datasets.load("digits").test
    guesses = pellucid.load(run_folder).predict(np.asarray(test.images)).argmax(axis=1)
    assert told["accuracy"] == pytest.approx((guesses == test.labels).mean())
    assert told["pictures"] == 360 and told["accuracy"] > 0.9
    _, table, _ = command("evaluate", run_folder / "model.safetensors", "--data", "digits")
    assert f"{100 * told['accuracy']:.2f} %" in table


def test_predict_names_the_digits(command: Command, run_folder: Path, pictures: Path) -> None:
    status, out, err = command("predict", run_folder, pictures, "--top", 3, "--json")
    assert status == 0 and not err
    answers = json.loads(out)
    assert [Path(answer["picture"]).name for answer in answers] == [f"{digit}.png" for digit in range(10)]
    right = sum(Path(answer["picture"]).stem == answer["predictions"][0]["class"] for answer in answers)
    assert right >= 9
    for answer in answers:
        probabilities = [p["probability"] for p in answer["predictions"]]
        assert len(probabilities) == 3 and probabilities == sorted(probabilities, reverse=True)
        assert sum(probabilities) <= 1 + 1e-5
    _, table, _ = command("predict", "--top", 2, run_folder, pictures / "3.png", pictures / "4.png")
    assert "3.png" in table and "%" in table


def test_predict_writes_csv_and_json(command: Command, run_folder: Path, pictures: Path, tmp_path: Path) -> None:
    assert command("predict", run_folder, pictures, "--out", tmp_path / "a.csv")[0] == 0
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10 and rows[0].keys() == {"picture", "class", "probability"}
    assert command("predict", run_folder, pictures, "--top", 2, "--out", tmp_path / "b.json")[0] == 0
    answers = json.loads((tmp_path / "b.json").read_text())
    assert [answer["predictions"][0]["class"] for answer in answers] == [row["class"] for row in rows]
    assert command("predict", run_folder, pictures, "--top", 2, "--out", tmp_path / "c.csv")[0] == 0
    assert (tmp_path / "c.csv").read_text().startswith("picture,class_1,probability_1,class_2,probability_2\n")
    status, _, err = command("predict", run_folder, pictures, "--out", tmp_path / "d.xlsx")
    assert status == 1 and ".csv or .json" in err


def test_dark_ink_on_white_paper_is_noticed_and_inverted(
    command: Command, run_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    for path in pictures.iterdir():
        with Image.open(path) as picture:
            Image.fromarray(255 - np.asarray(picture)).save(tmp_path / path.name)
    status, _, err = command("predict", run_folder, tmp_path)
    assert status == 0 and "10 of 10 pictures" in err and "try --invert" in err
    status, out, err = command("predict", run_folder, tmp_path, "--invert", "--json")
    assert status == 0 and not err
    plain = json.loads(command("predict", run_folder, pictures, "--json")[1])
    assert [answer["predictions"] for answer in json.loads(out)] == [answer["predictions"] for answer in plain]


def test_background_looks_at_the_outermost_ring_alone() -> None:
    picture = np.full((6, 5, 1), 250, np.uint8)
    picture[1:-1, 1:-1] = 0
    assert border_mean(picture[None]) == 250
    assert looks_inverted(picture, 3.0) and not looks_inverted(picture, 240.0)
    assert looks_inverted(255 - picture, 240.0)
    assert not looks_inverted(np.repeat(picture, 3, axis=2), 3.0), "photographs have no ink"
    assert not looks_inverted(picture, None)


def test_a_picture_that_cannot_be_read_is_named_and_the_others_go_on(
    command: Command, run_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    status, out, err = command("predict", run_folder, tmp_path / "broken.png", pictures / "5.png", "--json")
    assert status == 0 and len(json.loads(out)) == 1
    assert "broken.png" in err and "1 of 2 pictures could not be read" in err
    status, _, err = command("predict", run_folder, tmp_path / "broken.png")
    assert status == 1 and "broken.png" in err


def make_photographs(root: Path, count: int = 30) -> Path:
    """Two classes that a small network can tell apart: left half bright, and right half bright."""
    rng = np.random.default_rng(8)
    for name, side in (("왼쪽", slice(0, 20)), ("right", slice(20, 40))):
        (root / name).mkdir(parents=True)
        for index in range(count):
            picture = rng.integers(0, 90, (36, 40, 3), dtype=np.uint8)
            picture[:, side] += 120
            Image.fromarray(picture).save(root / name / f"{index:02d}.jpg")
    return root


def test_a_folder_of_pictures_trains_and_is_judged_on_what_was_held_out(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photographs = make_photographs(tmp_path / "photos")
    run = tmp_path / "run"
    fast = ["--epochs", 2, "--size", 32, "--batch-size", 8, "--set", "filters=[4, 8]", "--augment", "none"]
    status, out, err = command("train", "--data", photographs, *fast, "--out", run)
    assert status == 0, err
    record = json.loads((run / "run.json").read_text())
    held = record["data"]["files"]["test"]
    assert record["model"]["name"] == "photo-net" and len(held) == 12
    assert not set(held) & set(record["data"]["files"]["train"])
    assert pellucid.load(run).class_names == ("right", "왼쪽")
    told = json.loads(command("evaluate", run, "--json")[1])
    assert told["pictures"] == 12
    assert f"{100 * told['accuracy']:.2f} %" in out
    Image.new("RGB", (50, 40)).save(photographs / "right" / "new.png")
    assert json.loads(command("evaluate", run, "--json")[1]) == told, "a picture added later was not held out"
    (photographs / held[0]).unlink()
    status, _, err = command("evaluate", run)
    assert status == 1 and held[0] in err
    other = make_photographs(tmp_path / "others", count=5)
    assert json.loads(command("evaluate", run, "--data", other, "--json")[1])["pictures"] == 10
    (other / "third").mkdir()
    Image.new("RGB", (50, 40)).save(other / "third" / "x.png")
    status, _, err = command("evaluate", run, "--data", other)
    assert status == 1 and "third" in err


def test_a_validation_folder_is_what_the_run_is_judged_on(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    photographs, held = make_photographs(tmp_path / "photos", 12), make_photographs(tmp_path / "held", 4)
    fast = ["--epochs", 1, "--size", 32, "--batch-size", 8, "--set", "filters=[4, 8]"]
    status, out, err = command("train", "--data", photographs, "--validation", held, *fast, "--out", tmp_path / "run")
    assert status == 0, err
    told = json.loads(command("evaluate", tmp_path / "run", "--json")[1])
    assert told["pictures"] == 8 and f"{100 * told['accuracy']:.2f} %" in out


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


def interrupted(folder: Path, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    """Start a training that would take an hour, and send it a signal when its first steps are done."""
    arguments = ["train", "--epochs", "100000", "--batch-size", "8", "--out", str(folder)]
    code = "import sys; from pellucid.cli import main; sys.exit(main(sys.argv[1:]))"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s and not list(folder.glob("snapshots/epoch-001.npz")) and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_training_saves_and_says_so(tmp_path: Path, number: signal.Signals, status: int) -> None:
    done = interrupted(tmp_path / "run", number)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert "interrupted" in done.stderr
    for name in ("model.safetensors", "last.safetensors"):
        assert pellucid.load(tmp_path / "run" / name).count_params() > 0
    assert (tmp_path / "run" / "curves.png").is_file()


def test_run_records_that_are_damaged_are_named(command: Command, run_folder: Path, tmp_path: Path) -> None:
    from pellucid.cli.run import read_record

    for text in ("{", "[]"):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(CheckpointError, match=r"run\.json"):
            read_record(tmp_path)
