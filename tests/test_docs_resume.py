"""docs/resume.md: its commands and its Python run."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from page_blocks import blocks, lines

from pellucid.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "resume.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)
    for line in lines(PAGE, "console"):
        assert main(shlex.split(line)[1:]) == 0, line
    told = capfd.readouterr().err
    assert "all 3 epochs are done" in told and "5/5" in told
    (code,) = blocks(PAGE, "python")
    for _ in range(2):
        exec(code, {})
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert "epoch-003.safetensors" in kept and len(capfd.readouterr().out.splitlines()) == 4, "it trains once"
