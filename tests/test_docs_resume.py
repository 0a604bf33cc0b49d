"""docs/resume.md: its commands and its Python run, and both languages show the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pellucid.cli import main

DOCS = Path(__file__).parent.parent / "docs"


def blocks(name: str, kind: str) -> list[str]:
    """The fenced blocks of one kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", (DOCS / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)
    for line in [line for block in blocks("resume.md", "console") for line in block.splitlines()]:
        assert main(shlex.split(line)[2:]) == 0, line
    told = capfd.readouterr().err
    assert "all 3 epochs are done" in told and "5/5" in told
    (code,) = blocks("resume.md", "python")
    for _ in range(2):
        exec(code, {})
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert "epoch-003.safetensors" in kept and len(capfd.readouterr().out.splitlines()) == 4, "it trains once"


def test_both_languages_show_the_same_code() -> None:
    for kind in ("console", "python"):
        assert blocks("resume.md", kind) == blocks("resume.ko.md", kind)
    rows = [(DOCS / name).read_text("utf-8").count("\n| ") for name in ("resume.md", "resume.ko.md")]
    assert rows[0] == rows[1] == 9
