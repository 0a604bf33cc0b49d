"""docs/transfer.md: every command and every block of Python runs, on small stand-ins."""

from __future__ import annotations

import shlex
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_blocks import blocks, lines
from picture_files import write
from published_files import only_data, publish, write_weights

from pellucid import zoo
from pellucid.cli import main
from pellucid.convert import published
from pellucid.datasets.transforms import Preprocessing

PAGE = Path(__file__).parent.parent / "docs" / "transfer.md"
TORCH = find_spec("torch") is not None
"""Without it, there is no stand-in for published weights."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small stand-ins for what the page starts from."""
    monkeypatch.chdir(tmp_path)
    source = zoo.vgg16((32, 32, 3), 10, dense_units=16)
    source.preprocessing = Preprocessing(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=(32, 32))
    source.save(tmp_path / "vgg16.safetensors")
    for number in range(10):
        for name, colour in (("daisy", (240, 240, 60 + number)), ("rose", (200, 20 + number, 60))):
            write(tmp_path / "photos" / name / f"{number}.png", colour=colour)
    only_data(tmp_path, tmp_path / "cache", monkeypatch)
    if TORCH:
        import torch_branches as branches

        lite = branches.efficientnet_lite(*branches.LITES["efficientnet-lite0"], 1000)
        publish(write_weights(tmp_path / "weights" / published("efficientnet-lite0").file, lite), monkeypatch)
    write(tmp_path / "new-pictures" / "a.png", seed=3)
    return tmp_path


def test_the_commands_run_one_after_the_other(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commands = [line for line in lines(PAGE, "console") if TORCH or "--pretrained" not in line]
    assert len(commands) >= 7 and all(line.startswith("pellucid ") for line in commands)
    told: dict[str, str] = {}
    for line in commands:
        capfd.readouterr()
        short = line.replace("--epochs 20", "--epochs 3")  # twenty are for accuracy
        words = shlex.split(short.replace("--pretrained", "--pretrained --size 32 --epochs 2 --fine-tune 1"))[1:]
        assert main(words) == 0, line
        out, err = capfd.readouterr()
        told[" ".join([words[0], words[-1]])] = out + err
    head, last = told["train runs/head"], told["train runs/last-block"]
    assert "13 of 16 layers; fc6, fc7, fc8 start anew" in head and "frozen up to 'flatten'" in head
    assert "frozen conv1_1 ... conv5_3: 13 layers" in head and "deviation 0.229 0.224 0.225" in head
    assert "16 of 16 layers" in last and "trained conv5_1, conv5_2, conv5_3, fc6, fc7, fc8" in last
    assert (place / "answers.csv").read_text().splitlines()[1].startswith("new-pictures/a.png,")


def test_the_python_runs(place: Path) -> None:
    (code,) = blocks(PAGE, "python")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(code, "transfer.md", "exec"), {})
    assert (place / "head.safetensors").stat().st_size > 1000
