"""docs/engines.md: every command and every block of Python runs, on the CPU."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from commands import Command
from page_blocks import blocks, lines
from picture_files import write

pytest.importorskip("torch", reason="PyTorch is not installed")

PAGE = Path(__file__).parent.parent / "docs" / "engines.md"


def test_the_commands_run(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "picture.png", seed=3)
    first, *rest = lines(PAGE, "console")
    assert first == "pip install 'pellucid[torch]'" and len(rest) == 3
    for line in rest:  # the same of less
        small = line.replace("resnet20 --data cifar10", "simple-convnet --limit 60 --test-limit 20 --epochs 1")
        words = shlex.split(small.replace("--device cuda", "--device cpu").replace("--epochs 40", "--epochs 2"))
        status, out, err = command(*words[1:])
        assert status == 0, f"{line}\n{out}{err}"


def test_the_python_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {}
    for block in blocks(PAGE, "python"):
        exec(compile(block, "engines.md", "exec"), names)
    assert "torch.Size([2, 10])" in capsys.readouterr().out
