"""docs/engines.md: every command and every block of Python runs, on the CPU; both languages show the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from commands import Command
from picture_files import write

pytest.importorskip("torch", reason="PyTorch is not installed")

PAGES = [Path(__file__).parent.parent / "docs" / name for name in ("engines.md", "engines.ko.md")]


def blocks(kind: str) -> list[list[str]]:
    """The fenced blocks of one kind, in order, of each page."""
    found = re.compile(rf"^```{kind}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [found.findall(page.read_text(encoding="utf-8")) for page in PAGES]


def test_both_languages_show_the_same() -> None:
    for kind in ("console", "python"):
        english, korean = blocks(kind)
        assert english == korean and english


def test_the_commands_run(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "picture.png", seed=3)
    first, *lines = (line.removeprefix("$ ") for block in blocks("console")[0] for line in block.splitlines())
    assert first == "pip install 'pellucid[torch]'" and len(lines) == 3
    for line in lines:  # the same of less
        small = line.replace("resnet20 --data cifar10", "simple-convnet --limit 60 --test-limit 20 --epochs 1")
        words = shlex.split(small.replace("--device cuda", "--device cpu").replace("--epochs 40", "--epochs 2"))
        status, out, err = command(*words[1:])
        assert status == 0, f"{line}\n{out}{err}"


def test_the_python_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks("python")[0]:
        exec(compile(block, "engines.md", "exec"), names)
    assert "torch.Size([2, 10])" in capsys.readouterr().out
