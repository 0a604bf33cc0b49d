"""docs/weights.md says what the program knows, in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from commands import Command
from page_blocks import lines

from pellucid import zoo
from pellucid.convert import PUBLISHED, SCALINGS

DOCS = Path(__file__).parent.parent / "docs"
LANGUAGES = ("weights.md", "weights.ko.md")


@pytest.mark.parametrize("file", LANGUAGES)
def test_the_table_is_what_import_compares_with(file: str) -> None:
    text = (DOCS / file).read_text("utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| `(.+?)` \| (\d+) \| (\S+) `(\w+)` \|", text, re.MULTILINE)
    told = {(name, url, network, int(size), kind, digest) for name, url, network, size, kind, digest in rows}
    kinds = {"sha256": "SHA-256", "md5": "MD5"}
    known = {(p.file, p.url, p.network, p.megabytes, kinds[p.kind], p.digest) for p in PUBLISHED.values()}
    assert told == known
    assert set(re.findall(r"^\| `(\w+)` \| .*0", text, re.MULTILINE)) == set(SCALINGS)


def test_the_commands_have_options_there_are(command: Command) -> None:
    commands = [line for line in lines(DOCS / LANGUAGES[0], "sh") if "pellucid " in line]
    assert len(commands) == 14
    for line in commands:
        words = shlex.split(line)[1:]
        told = command(*words[: 2 if words[0] in ("weights", "show") else 1], "--help")[1]
        for word in words[1:]:
            assert not word.startswith("--") or re.search(rf"{word}\b", told), (line, word)
    assert "alexnet-owt" in zoo.NAMES
