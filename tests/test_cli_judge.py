"""The command line judging: evaluate and predict, on the digits in the package and on folders of pictures."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import datasets
from pellucid.model.background import border_mean, looks_inverted


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
    assert err.count("broken.png") == 1 and err.count("\n") == 1
    status, _, err = command("predict", run_folder, tmp_path / "broken.png")
    assert status == 1 and err.startswith("pellucid: ") and err.count("broken.png") == 1 and err.count("\n") == 1
    (tmp_path / "empty.png").write_bytes(b"")
    status, _, err = command("predict", run_folder, tmp_path)
    assert status == 1 and err.count("broken.png") == err.count("empty.png") == 1
    assert err.endswith("pellucid: none of the 2 pictures could be read\n")
    status, _, err = command("predict", run_folder, tmp_path, pictures / "5.png")
    assert status == 0 and err.endswith("2 of 3 pictures could not be read\n")


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


@pytest.fixture(scope="module")
def mislabelled(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits in folders of their own names, but for one that lies in the wrong one."""
    folder = tmp_path_factory.mktemp("mislabelled")
    test = datasets.load("digits").test
    for index in range(40):
        label = (int(test.labels[index]) + 1) % 10 if index == 7 else int(test.labels[index])
        (folder / str(label)).mkdir(exist_ok=True)
        Image.fromarray(np.asarray(test.images)[index, :, :, 0]).save(folder / str(label) / f"=scan {index}.png")
    return folder


def test_mistakes_are_named(command: Command, run_folder: Path, mislabelled: Path, tmp_path: Path) -> None:
    table, drawn = tmp_path / "m.csv", tmp_path / "m.svg"
    status, out, err = command(
        "show", "mistakes", run_folder, "--data", mislabelled, "--csv", table, "--out", drawn, "--count", 40
    )
    assert status == 0 and out.strip() == str(drawn)
    assert "=scan 7.png: is " in err and "scan 7.png" in drawn.read_text("utf-8")
    lines = table.read_text("utf-8").splitlines()
    assert lines[0] == "picture,is,said,probability" and any("scan 7.png" in line for line in lines)
    assert not any(line.startswith("=") for line in lines)
    status, out, _ = command("show", "mistakes", run_folder, "--data", mislabelled, "--json")
    told = json.loads(out)
    assert status == 0 and len(told) == len(lines) - 1 and set(told[0]) == {"picture", "is", "said", "probability"}
    assert any(one["picture"].endswith("=scan 7.png") for one in told)


def test_mistakes_of_a_named_set_are_numbers_of_its_test_pictures(command: Command, run_folder: Path) -> None:
    told = json.loads(command("show", "mistakes", run_folder, "--json")[1])
    test = datasets.load("digits").test
    for one in told:
        assert str(test.labels[int(one["picture"])]) == one["is"] != one["said"]


def test_confusion_and_predictions_as_tables(
    command: Command, run_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    table, answers = tmp_path / "c.csv", tmp_path / "p.csv"
    status, out, _ = command("show", "confusion", run_folder, "--csv", table, "--json")
    told = json.loads(out)
    rows = [line.split(",") for line in table.read_text("utf-8").splitlines()]
    assert status == 0 and rows[0][1:] == told["classes"] and sum(map(sum, told["pictures"])) == 360
    assert [[int(cell) for cell in row[1:]] for row in rows[1:]] == told["pictures"]
    status, out, _ = command("predict", run_folder, pictures, "--csv", answers, "--json")
    assert status == 0 and len(json.loads(out)) == 10 and len(answers.read_text("utf-8").splitlines()) == 11
    status, _, err = command("show", "confusion", run_folder, "--csv", tmp_path / "c.png")
    assert status == 1 and "--csv" in err
