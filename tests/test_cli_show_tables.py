"""What a figure draws as a table: --csv and --json of calibration, curves and mistakes, whatever files are called."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from PIL import Image

from pellucid import datasets
from pellucid.model.file import load


def table(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.reader(opened))


def test_calibration_is_a_table_of_bins(command: Command, run_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "bins.csv"
    status, out, err = command("show", "calibration", run_folder, "--bins", 5, "--csv", file, "--json")
    told: list[dict[str, Any]] = json.loads(out)
    assert status == 0 and "5 bins" in err and [row["from"] for row in told] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert sum(row["pictures"] for row in told) == 360
    for row in told:
        assert (row["accuracy"] is None) == (row["confidence"] is None) == (row["pictures"] == 0)
    assert [cell and float(cell) for cell in table(file)[-1]] == list(told[-1].values())
    assert not list(tmp_path.glob("*.png"))


def test_curves_are_a_table_of_epochs(command: Command, run_folder: Path, tmp_path: Path) -> None:
    status, out, _ = command("show", "curves", run_folder, "--json")
    told = json.loads(out)
    log = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines() if '"epoch"' in line]
    assert status == 0 and [row["epoch"] for row in told] == sorted({one["epoch"] for one in log if "loss" in one})
    assert told[0]["epoch"] == 1 and {"run", "loss", "val_accuracy"} <= set(told[0])
    status, _, err = command("show", "curves", run_folder, run_folder, "--csv", tmp_path / "c.csv", "--json")
    rows = table(tmp_path / "c.csv")
    assert status == 0 and len(rows) == 1 + 2 * len(told) and len({row[0] for row in rows[1:]}) == 2, err


@pytest.mark.parametrize("kind", ["filters", "features", "histograms", "architecture", "attribution", "excite"])
def test_what_is_no_table_says_so(command: Command, run_folder: Path, kind: str) -> None:
    status, _, err = command("show", kind, run_folder, "--csv", "x.csv")
    assert status == 2 and "--csv" in err


NAMES = ("=1+1,2.png", "줄\n바꿈.png", "한글, 이름.png", '+a"b".png', "@x.png", "-9.png", "$x$.png")


def test_file_names_of_any_kind_survive_a_table(command: Command, run_folder: Path, tmp_path: Path) -> None:
    test = datasets.load("digits").test
    model = load(run_folder / "model.safetensors")
    said = model.predict(np.asarray(test.images[:20]), verbose=0).argmax(axis=1)
    for place, name in enumerate(NAMES):  # each lies where the network does not say it belongs
        for digit in range(10):
            (tmp_path / "d" / str(digit)).mkdir(parents=True, exist_ok=True)
        wrong = str((int(said[place]) + 1) % 10)
        Image.fromarray(np.asarray(test.images)[place, :, :, 0]).save(tmp_path / "d" / wrong / name)
    for digit in range(10):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "d" / str(digit) / "dark.png")
    file, drawn = tmp_path / "m.csv", tmp_path / "m.png"
    status, out, err = command("show", "mistakes", run_folder, "--data", tmp_path / "d", "--csv", file, "--json")
    assert status == 0, err
    named = {Path(row["picture"]).name for row in json.loads(out)}
    assert {name.replace("\n", "\\n") for name in NAMES} <= named  # a line end is spelled out, as everywhere
    rows = table(file)
    assert {len(row) for row in rows} == {4} and len(rows) == 1 + len(json.loads(out))
    assert not any(cell[:1] in ("=", "+", "@", "\n") for row in rows for cell in row)
    assert len(file.read_text("utf-8").splitlines()) == len(rows)
    status, _, err = command("show", "mistakes", run_folder, "--data", tmp_path / "d", "--out", drawn)
    assert status == 0 and "줄\\n바꿈.png: is" in err and drawn.stat().st_size > 0
