"""docs/add-a-layer.md, docs/add-a-kernel.md: what they quote stands in the files they name, and their Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_blocks import BLOCK

ROOT = Path(__file__).parent.parent
PAGES = ("add-a-layer.md", "add-a-kernel.md")

NAMED = re.compile(r"(?:^`([\w/.]+)`:\n)?" + BLOCK.pattern, BLOCK.flags)
"""A fenced block, and the file that the line above it names."""


def blocks(page: str) -> list[tuple[str, str, str]]:
    return NAMED.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_quoted_stands_there(page: str) -> None:
    quoted = [(file, part) for file, _, text in blocks(page) if file for part in text.split("...\n")]
    assert len(quoted) > 1
    for file, part in quoted:
        assert part.strip("\n") in (ROOT / file).read_text(encoding="utf-8"), f"{page}: {file} has no\n{part}"


@pytest.mark.parametrize("page", PAGES)
def test_the_python_runs(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    place: dict[str, object] = {"__name__": "page"}
    for file, kind, text in blocks(page):
        if kind == "python" and not file:
            exec(compile(text, page, "exec"), place)
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES)
def test_the_tests_and_files_it_names_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for name in re.findall(r"`?((?:src|tests|native|scripts)/[\w/.]+)`?", text):
        assert (ROOT / name).exists(), name
