"""Folders of pictures on the command line: what is said of them, with every size, and in the line's own words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from picture_files import write
from PIL import Image

import pellucid
from pellucid import Dense, Flatten, Sequential, datasets
from pellucid.cli.flags import in_flags
from pellucid.plan.work import WorkSequence

FEW = ("--epochs", 1, "--batch-size", 8, "--out", "run")


@pytest.fixture(autouse=True)
def beside(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)


def fill(root: Path, size=(28, 28), count=5, mode="L"):
    for label, name in enumerate(("cat", "dog")):
        for number in range(count):
            write(root / name / f"{number}.png", size=size, seed=100 * label + number, mode=mode)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (9, 31), (40, 33)])
def test_small_pictures_train_by_the_one_command(command, size):
    fill(Path("photos"), size)
    write(Path("photos/cat/colour.png"), size=size)
    status, out, err = command("train", "--data", "photos", *FEW)
    assert status == 0, err
    assert "2 classes: cat (6), dog (5)\n" in out and f"pictures {size[1]} x {size[0]} are taken " in out
    assert "colour" in out
    assert command("predict", "run", "photos/cat")[0] == 0


def test_every_side_is_taken_when_it_is_asked_for(command):
    fill(Path("photos"))
    for side in (1, 7, 16):
        status, _, err = command(
            "train", "--data", "photos", "--size", side, "--epochs", 1, "-q", "--out", f"run{side}"
        )
        assert status == 0, err


def test_loose_test_pictures_are_predicted_in_the_end(command):
    fill(Path("photos/train"))
    for number in range(3):
        write(Path(f"photos/test/{number}.png"), size=(28, 28), seed=number)
    status, out, err = command("train", "--data", "photos", *FEW)
    assert status == 0, err
    assert "no labels: 3 (test/)" in out and out.rstrip().endswith("test --out answers.csv")
    words = ("train", "--data", "photos", "--epochs", 1, "--out", "again", "-q", "--predict", "photos/test")
    assert command(*words)[0] == 0
    assert len(Path("again/answers.csv").read_text().splitlines()) == 4
    Path("again/answers.csv").unlink()
    assert command("train", "--resume", "again", "--epochs", 2, "-q")[0] == 0
    assert len(Path("again/answers.csv").read_text().splitlines()) == 4, "a resumed run knows what it was asked"
    status, _, err = command("train", "--data", "photos", "--predict", "photos/tset")
    assert status == 1 and "no such file or folder; did you mean photos/test?" in err


def test_data_info_says_what_train_says(command):
    for part, count in (("train", 4), ("val", 2), ("test", 1)):
        fill(Path("photos", part), (8, 8), count=count)
    write(Path("photos/test2/0.png"), size=(8, 8), seed=1000)
    status, out, err = command("data", "info", "photos")
    assert status == 0 and "training: 8 pictures (train/); validation: 4 (val/); test: 2 (test/)" in out
    assert "no labels: 1 (test2/)" in out and "4 of 4 validation pictures are learned from too, val/cat/0.png" in err
    assert [line.split() for line in out.splitlines() if line.startswith((" class", " all"))] == [
        ["class", "train", "validation", "test"],
        ["all", "8", "4", "2"],
    ]
    told = json.loads(command("data", "info", "photos", "--json")[1])
    assert (told["train"], told["validation"], told["test"]) == (8, 4, 2) and len(told["warnings"]) == 2
    assert [one["pictures"] for one in told["unlabelled"]] == [1]


def test_warnings_stay_when_it_is_quiet(command):
    fill(Path("photos"), count=40)
    fill(Path("photos"), count=3)
    write(Path("photos/Cat/0.png"), size=(28, 28), seed=0, mode="L")
    Path("photos/dog/notes.txt").write_text("x")
    for number in range(1, 39):
        Path(f"photos/dog/{number}.png").unlink()
    status, out, err = command("train", "--data", "photos", *FEW, "-q")
    assert " classes: " in out.splitlines()[0]
    assert status == 0
    assert "left out dog/notes.txt" in err and "almost the same name, 'Cat', 'cat'" in err
    assert "in two classes, Cat/0.png = cat/0.png" in err
    assert "doctor: class 'cat' has" in err and "use --class-weight balanced, and" in err and "class_weight" not in err


def test_advice_names_flags(command):
    fill(Path("photos/train"))
    fill(Path("photos/val"))
    fill(Path("narrow"), (200, 1))
    for words, flag in (
        (("--data", "photos", "--validation", "0.2"), "--validation 0.2"),
        (("--data", "narrow"), "--size 32 with --resize stretch"),
        (("alexnet", "--data", "photos"), "--set LAYER.padding=same, a smaller kernel, or larger pictures (--size N)"),
    ):
        status, _, err = command("train", *words)
        assert status == 1 and flag in err.splitlines()[-1] and err.count("\n") <= 2, err


def test_advice_goes_by_the_options_of_its_command():
    for words, told in (
        (("show", "features", "run"), "say --layer conv1"),
        (("data", "list"), 'say layer="conv1"'),
        (("train",), "say --set LAYER.layer=conv1"),
        ((), 'say layer="conv1"'),
    ):
        assert in_flags('say layer="conv1"', words) == told


def test_evaluate_judges_each_class(command):
    fill(Path("photos"), count=6)
    fill(Path("more"), count=2)
    write(Path("more/dog/9.png"), size=(28, 28), seed=7, mode="L")
    assert command("train", "--data", "photos", *FEW, "-q")[0] == 0
    told = json.loads(command("evaluate", "run", "--data", "more", "--json")[1])
    assert [row["pictures"] for row in told["classes"]] == [2, 3]
    assert told["largest_class"] == {"class": "dog", "share": 0.6}
    right = sum(row["recall"] * row["pictures"] for row in told["classes"])
    assert np.isclose(right / 5, told["accuracy"], atol=1e-6)
    out = command("evaluate", "run", "--data", "more")[1]
    assert "always 'dog'" in out and "recall" in out and "precision" in out


def test_evaluate_asks_the_network_once(command, monkeypatch):
    fill(Path("photos"), count=6)
    assert command("train", "--data", "photos", *FEW, "-q")[0] == 0
    asked, run = [], WorkSequence.run
    monkeypatch.setattr(WorkSequence, "run", lambda self, n: asked.append(n) or run(self, n))
    told = json.loads(command("evaluate", "run", "--data", "photos", "--json")[1])
    assert sum(asked) == told["pictures"] == 12
    model, data = pellucid.load("run/model.safetensors"), datasets.load("photos", whole=True, size=32, channels=1)
    guesses, labels = model.predict(data.test.images).argmax(axis=1), data.test.labels
    for number, row in enumerate(told["classes"]):
        hits, said = np.sum((guesses == number) & (labels == number)), np.sum(guesses == number)
        assert row["recall"] == round(hits / 6, 6) and row["precision"] == (round(hits / said, 6) if said else None)


@pytest.mark.parametrize(
    ("loss", "activation"), [("binary_crossentropy", "sigmoid"), ("mse", "sigmoid"), ("mse", None)]
)
def test_a_single_output_is_judged_as_its_accuracy(command, loss, activation):
    fill(Path("photos"), (8, 8), count=20)
    data = datasets.load("photos", whole=True, size=8, class_names=("cat", "dog"))
    model = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(1, activation=activation)])
    model.compile("adam", loss)
    model.fit(data.test.images, data.test.labels, epochs=3, verbose=0)
    model.class_names = ("cat", "dog")
    model.save("one.safetensors")
    status, out, err = command("evaluate", "one.safetensors", "--data", "photos", "--json")
    assert status == 0, err
    told = json.loads(out)
    guesses = model.predict(data.test.images)[:, 0] > 0.5
    assert [row["recall"] for row in told["classes"]] == [np.mean(guesses[:20] == 0), np.mean(guesses[20:])]


def test_predict_sees_in_a_folder_what_it_sees_alone(command):
    fill(Path("photos"))
    assert command("train", "--data", "photos", *FEW, "-q")[0] == 0
    for number, (kind, name) in enumerate((("JPEG", "a.jfif"), ("JPEG", "b.jpe"), ("PNG", "c.jpg"), ("GIF", "d"))):
        Path("new").mkdir(exist_ok=True)
        Image.new("L", (20, 20), number).save(Path("new", name), format=kind)
    Path("new/readme.txt").write_text("x")
    status, out, err = command("predict", "run", "new", "--json")
    assert status == 0 and "readme.txt" in err
    together = json.loads(out)
    alone = json.loads(command("predict", "run", *sorted(Path("new").glob("[a-d]*")), "--json")[1])
    assert together == alone and len(together) == 4


def test_a_name_that_is_known_is_meant_before_a_folder_of_that_name(command, tmp_path):
    for name in ("digits", "mobilenet-v2"):
        (tmp_path / name / "one").mkdir(parents=True)
    code, out, err = command("train", "--limit", 40, "--test-limit", 20, *FEW)
    assert code == 0 and "on digits: 40 pictures" in out
    assert "digits is the data set of that name; the folder would be ./digits" in err
    data = json.loads(Path("run/run.json").read_text())["data"]
    assert not data["folder"] and data["loading"]["data"] == "digits"
    for words in (["evaluate", "run", "--data", "digits"], ["summary", "mobilenet-v2"]):
        assert command(*words)[0] == 0
    code, _, err = command("train", "--data", "./digits")
    assert code == 1 and "only one class, 'one'" in err


def test_a_run_that_is_called_like_a_network_is_that_run(command):
    command("train", "--limit", 40, "--test-limit", 20, *FEW[:-1], "vgg11")
    assert "simple-convnet" in command("summary", "vgg11")[1]
