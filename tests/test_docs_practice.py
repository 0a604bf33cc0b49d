"""docs/labels.md and docs/practice.md: their Python runs, their options are there, both languages show the same."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pellucid.cli import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("labels", "practice")


def blocks(name: str, kind: str) -> list[str]:
    """The fenced blocks of one kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", (DOCS / name).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_show_the_same(page: str) -> None:
    for kind in ("console", "python"):
        assert blocks(f"{page}.md", kind) == blocks(f"{page}.ko.md", kind)


@pytest.mark.parametrize("code", blocks("practice.md", "python"))
def test_the_python_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "sklearn" in code:
        pytest.importorskip("sklearn", reason="needs scikit-learn")
    monkeypatch.chdir(tmp_path)
    exec(code, {})


def test_the_options_are_there(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    lines = [line for page in PAGES for block in blocks(f"{page}.md", "console") for line in block.splitlines()]
    used: dict[str, set[str]] = {}
    for line in lines:
        words = shlex.split(line.split("&&")[0])[2:]
        command = " ".join(words[:2] if words[0] in ("data", "show") else words[:1])
        used.setdefault(command, set()).update(word for word in words if word.startswith("--"))
    for command, options in used.items():
        assert main([*command.split(), "--help"]) == 0
        text = capsys.readouterr().out
        assert not [option for option in options if option not in text], command
