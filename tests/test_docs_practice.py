"""docs/labels.md and docs/practice.md: their Python runs, their options are there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from page_blocks import blocks, lines

from pellucid.cli import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / "labels.md", DOCS / "practice.md"]


@pytest.mark.parametrize("code", blocks(DOCS / "practice.md", "python"))
def test_the_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "sklearn" in code:
        pytest.importorskip("sklearn", reason="needs scikit-learn")
    monkeypatch.chdir(tmp_path)
    exec(code, {})


def test_the_options_are_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    used: dict[str, set[str]] = {}
    for line in [line for page in PAGES for line in lines(page, "console")]:
        words = shlex.split(line.split("&&")[0])[1:]
        command = " ".join(words[:2] if words[0] in ("data", "show") else words[:1])
        used.setdefault(command, set()).update(word for word in words if word.startswith("--"))
    for command, options in used.items():
        assert main([*command.split(), "--help"]) == 0
        text = capsys.readouterr().out
        assert not [option for option in options if option not in text], command
