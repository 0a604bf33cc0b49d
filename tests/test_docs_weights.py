"""docs/weights.md says what the program knows, in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from commands import Command

from pellucid import zoo
from pellucid.convert import PUBLISHED, SCALINGS

DOCS = Path(__file__).parent.parent / "docs"
LANGUAGES = ("weights.md", "weights.ko.md")


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^ *```{kind}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("file", LANGUAGES)
def test_the_table_is_what_import_compares_with(file: str) -> None:
    text = (DOCS / file).read_text("utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| `(.+?)` \| (\d+) \| (\S+) `(\w+)` \|", text, re.MULTILINE)
    told = {(name, url, network, int(size), kind, digest) for name, url, network, size, kind, digest in rows}
    kinds = {"sha256": "SHA-256", "md5": "MD5"}
    known = {(p.file, p.url, p.network, p.megabytes, kinds[p.kind], p.digest) for p in PUBLISHED.values()}
    assert told == known
    assert set(re.findall(r"^\| `(\w+)` \| .*0", text, re.MULTILINE)) == set(SCALINGS)


def test_both_languages_show_the_same_commands() -> None:
    texts = [(DOCS / file).read_text("utf-8") for file in LANGUAGES]
    for kind in ("sh", "python"):
        assert blocks(texts[0], kind) and blocks(texts[0], kind) == blocks(texts[1], kind)
    assert len(re.findall(r"^## ", texts[0], re.MULTILINE)) == len(re.findall(r"^## ", texts[1], re.MULTILINE))


@pytest.mark.parametrize("file", LANGUAGES)
def test_what_is_linked_is_there(file: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (DOCS / file).read_text("utf-8")):
        assert target.startswith("http") or (DOCS / target).exists(), target


def test_the_commands_have_options_there_are(command: Command) -> None:
    text = (DOCS / LANGUAGES[0]).read_text("utf-8")
    lines = [line.strip() for block in blocks(text, "sh") for line in block.splitlines() if "pellucid " in line]
    assert len(lines) == 14
    for line in lines:
        words = shlex.split(line)[1:]
        told = command(*words[: 2 if words[0] in ("weights", "show") else 1], "--help")[1]
        for word in words[1:]:
            assert not word.startswith("--") or re.search(rf"{word}\b", told), (line, word)
    assert "alexnet-owt" in zoo.NAMES
