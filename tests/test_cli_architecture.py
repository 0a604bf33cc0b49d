"""`pellucid show architecture` and `show curves`, run for real."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from commands import Command
from PIL import Image

from pellucid import Conv2D, Dense, Flatten, Sequential


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    layers = [Conv2D(2, 3, input_shape=(6, 6, 1), name="first"), Flatten(), Dense(2, activation="softmax")]
    Sequential(layers, name="tiny").save(tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_a_model_file_is_drawn_as_its_ending_says(command: Command, saved: Path, tmp_path: Path) -> None:
    for ending, start in ((".png", b"\x89PNG"), (".pdf", b"%PDF"), (".svg", b"<svg")):
        out = tmp_path / f"drawn{ending}"
        status, told, err = command("show", "architecture", saved, "--out", out)
        assert (status, told, err) == (0, f"{out}\n", "")
        assert out.read_bytes().startswith(start)
    words = ["".join(element.itertext()) for element in ET.parse(tmp_path / "drawn.svg").iter() if element.text]
    assert "first" in words and "20 params" in words
    with Image.open(tmp_path / "drawn.png") as picture:
        assert picture.size[0] > 600


def test_a_network_by_name_is_drawn_where_one_stands(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command("show", "architecture", "lenet5")[:2] == (0, "lenet5-architecture.png\n")
    assert (tmp_path / "lenet5-architecture.png").stat().st_size > 10_000


def test_nodes_and_text(command: Command, saved: Path, tmp_path: Path) -> None:
    status, told, _ = command("show", "architecture", saved, "--style", "text")
    assert status == 0 and "first" in told and "4x4x2" in told and told.count("conv 3x3") == 1
    status, _, _ = command("show", "architecture", saved, "--style", "nodes", "--out", tmp_path / "n.svg")
    circles = [element for element in ET.parse(tmp_path / "n.svg").iter() if element.tag.endswith("circle")]
    assert status == 0 and len(circles) == 36 + 32 + 2


def test_standard_output_gets_the_picture_and_nothing_else(saved: Path) -> None:
    words = ["-m", "pellucid", "show", "architecture", str(saved), "--out", "-"]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=True)
    assert done.stdout.startswith(b"\x89PNG") and done.stdout.endswith(b"IEND\xaeB`\x82") and not done.stderr


def test_a_terminal_without_box_letters_gets_plain_ones(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    words = ["-m", "pellucid", "show", "architecture", str(saved), "--style", "text"]
    done = subprocess.run([sys.executable, *words], capture_output=True, check=True)
    assert done.stdout.isascii() and b"+----" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet55"], "did you mean 'lenet5'"),
        (["runs/none"], "no such run"),
        (["lenet5", "--style", "node"], "did you mean 'nodes'"),
        (["lenet5", "--style", "nodes"], "style blocks"),
        (["lenet5", "--style", "text", "--out", "a.png"], "is printed"),
        (["lenet5", "--out", "a.bmp"], ".png, .svg, .pdf"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = command("show", "architecture", *arguments)
    assert status == 1 and words in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    folders = []
    for name, losses in (("slow", [3.0, 2.0]), ("quick", [1.0, 0.5, 0.25])):
        folder = tmp_path / name
        folder.mkdir()
        lines = [{"epoch": i, "loss": loss, "learning_rate": 0.1} for i, loss in enumerate(losses, 1)]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        folders.append(folder)
    return folders


def words_of(svg: Path) -> list[str]:
    return ["".join(element.itertext()) for element in ET.parse(svg).iter() if element.tag.endswith("text")]


def test_runs_are_compared_by_their_folders_names(
    command: Command, runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "both.svg"
    status, told, err = command("show", "curves", *runs, "--what", "loss,learning-rate", "--out", out)
    assert (status, told, err) == (0, f"{out}\n", "")
    words = words_of(out)
    assert {"slow", "quick", "loss", "learning rate", "epoch"} <= set(words)
    monkeypatch.chdir(tmp_path)
    assert command("show", "curves", *runs)[:2] == (0, "curves.png\n")


def test_runs_of_the_same_name_keep_apart(command: Command, runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "twice.svg"
    assert command("show", "curves", runs[0], runs[0], "--out", out)[0] == 0
    assert len({word for word in words_of(out) if word.startswith(str(runs[0]))}) == 2


def test_one_run_is_drawn_into_its_folder(command: Command, runs: list[Path]) -> None:
    assert command("show", "curves", runs[0])[:2] == (0, f"{runs[0] / 'curves.png'}\n")
    status, _, err = command("show", "curves", runs[0], "--what", "speed")
    assert status == 1 and "there are loss, learning-rate" in err and err.count("\n") == 1
