"""The tutorials, docs/concepts.md, coming-from.md and keras.md: every block runs and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from page_blocks import BLOCK, blocks, chapters, differs, differs_much, refused_at_the_prompt, run_page
from PIL import Image

DOCS = Path(__file__).parent.parent / "docs"
READERS = ("practitioner", "student", "teacher")
NEEDS = {"practitioner": ("onnx", "uvicorn", "multipart"), "teacher": ("uvicorn",)}
"""What the extras bring along that these pages install."""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("reader", READERS)
def test_a_tutorial_runs_from_start_to_end(reader: str, tmp_path: Path) -> None:
    for module in NEEDS.get(reader, ()):
        pytest.importorskip(module, reason=f"{module} is not installed")
    pages = chapters(DOCS / "tutorial" / reader)
    assert len(pages) == 8
    for page in pages:
        run_page(page)
        for link in re.findall(r"\]\(\.\./\.\./(images/[^)]+)\)", page.read_text("utf-8")):
            kept = DOCS / link
            assert (tmp_path / kept.name).is_file(), f"{page.name}: no block makes {kept.name}"
            for file in (kept, kept.with_suffix(f".ko{kept.suffix}")):
                with Image.open(file) as image:
                    assert image.width >= 300 and np.ptp(np.asarray(image.convert("L"))) > 100, file.name


@pytest.mark.parametrize("page", sorted((DOCS / "tutorial").rglob("[1-9]-*.md")), ids=lambda page: page.name)
def test_blocks_can_be_pasted_at_pythons_prompt(page: Path) -> None:
    for block in blocks(page, "python"):
        assert not refused_at_the_prompt(block), page


def test_what_the_prompt_refuses_is_found() -> None:
    assert refused_at_the_prompt("for x in y:\n    print(x)\nprint(y)") == "invalid syntax: print(y)"
    assert "unexpected indent" in refused_at_the_prompt("class A:\n    x = 1\n\n    y = 2\n")
    assert not refused_at_the_prompt("class A:\n    x = 1\n    y = 2\n\n\nz = (\n\n    1\n)\n")


def test_numbers_about_as_the_page_says_pass_and_others_do_not() -> None:
    assert not differs_much("...\nloss 0.0900 of 1,437\n...", "a\nloss 0.0950   of 1,437\nb\n")
    assert not differs_much("18 of 360 are wrong", "17 of 360 are wrong\n")
    for printed in ("13 of 360 are wrong", "18 of 360 were wrong", "18 of 360 are wrong, 3"):
        assert differs_much("18 of 360 are wrong", printed)


@pytest.mark.parametrize("name", ["concepts.md", "coming-from.md", "keras.md"])
def test_a_page_runs(name: str) -> None:
    run_page(DOCS / name)


def test_a_page_that_says_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 2\n```\n\n```python\nprint(x, 1.5)\n```\n\n```text\n2 1...\n```\n", "utf-8")
    run_page(page)
    page.write_text(page.read_text("utf-8").replace("2 1...", "3 1..."), "utf-8")
    with pytest.raises(AssertionError, match=r"page\.md: the page says"):
        run_page(page)
    page.write_text("```console\n$ pellucid summary nothing\n```\n", "utf-8")
    with pytest.raises(AssertionError, match="summary nothing"):
        run_page(page)
    assert differs("a ... c", "a b c\n") == "" and differs("a", "b")


@pytest.mark.parametrize(
    "page", [DOCS.parent / "README.ko.md", *sorted(DOCS.rglob("*.ko.md"))], ids=lambda page: page.name
)
def test_both_languages_show_the_same_blocks_pictures_and_tables(page: Path) -> None:
    shown = []
    for path in (page, page.with_name(page.name.replace(".ko.md", ".md"))):
        text = path.read_text("utf-8")
        pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
        headings = [len(marks) for marks in re.findall(r"^(#+) ", BLOCK.sub("", text), re.MULTILINE)]
        # comments are translated
        code = [(kind, re.sub(r"\s*#.*|, lang=\"ko\"", "", block)) for kind, block in BLOCK.findall(text)]
        rows = re.findall(r"^\|.*", BLOCK.sub("", text), re.MULTILINE)
        tables = [row.count("|") for row in rows if page.name != "glossary.ko.md"]  # the Korean one alone lists terms
        shown.append((code, [name.replace(".ko.", ".") for name in pictures], headings, tables))
    assert shown[0] == shown[1]
