"""docs/seeds.md: what it links is there, every row names a test that is there, and both languages say the same rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
LANGUAGES = ("seeds.md", "seeds.ko.md")
LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)\)")


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of every row below the heads of the tables, the table of replacements left out."""
    lines = text_of(name).partition("\n## 000")[2].splitlines()
    found = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("|")]
    heads = {index - 1 for index, cells in enumerate(found) if set(cells) == {"---"}}
    return [cells for index, cells in enumerate(found) if index not in heads and index - 1 not in heads]


@pytest.mark.parametrize("name", LANGUAGES)
def test_what_is_linked_is_there(name: str) -> None:
    for label, target in LINK.findall(text_of(name)):
        assert (DOCS / target).exists(), f"{label}: {target}"


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_row_names_a_test_that_is_there(name: str) -> None:
    found = rows(name)
    assert len(found) > 80
    for cells in found:
        assert len(cells) == 4 and all(cells[:2]), cells
        named = LINK.findall(cells[3])
        assert named, f"no test: {cells[0]}"
        for label, target in named:
            function = f"def test_{label.replace(' ', '_')}("
            assert target.startswith("../tests/test_"), cells[0]
            assert function in (DOCS / target).read_text(encoding="utf-8"), f"{function} in {target}"


def test_both_languages_have_the_same_rows_and_replacements() -> None:
    english, korean = (rows(name) for name in LANGUAGES)
    for ours, theirs in zip(english, korean, strict=True):
        links = LINK.findall("".join(theirs).replace(".ko.md", ".md"))  # a page's translation stands for it
        assert links == LINK.findall("".join(ours)), (ours[0], theirs[0])
    tables = [
        text_of(name).partition("<!-- the table of replacements -->")[2].partition("\n\n")[0] for name in LANGUAGES
    ]
    assert tables[0].splitlines()[3:] == tables[1].splitlines()[3:]
    headings = [re.findall(r"^## (\d{3})", text_of(name), re.MULTILINE) for name in LANGUAGES]
    assert headings[0] == headings[1] == ["000", "001", "002", "003", "004"]


def test_every_example_stands_in_a_row() -> None:
    linked = {target for cells in rows("seeds.md") for _, target in LINK.findall("".join(cells))}
    examples = (DOCS.parent / "examples").glob("*.py")
    assert {path.stem for path in examples if f"../examples/{path.name}" not in linked} == {"drawing"}
