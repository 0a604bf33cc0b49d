"""docs/offline.md: its commands and options exist, both languages give the same ones, and the files are right."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from page_blocks import lines

from pellucid import datasets
from pellucid.cli import main
from pellucid.datasets.sources import IDX_FILES

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "offline.md"
ENGLISH, KOREAN = ((DOCS / name).read_text(encoding="utf-8") for name in ("offline.md", "offline.ko.md"))


def test_both_languages_name_the_same_files() -> None:
    names = re.compile(r"`([\w.-]+\.(?:gz|bin))`")
    assert names.findall(ENGLISH) == names.findall(KOREAN)


def test_the_commands_are_those_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    checked = 0
    for command in "&&".join(lines(PAGE, "sh")).split("&&"):
        words = [word for word in shlex.split(command) if "=" not in word]
        if words[:1] != ["pellucid"]:
            continue
        named = words[1:3] if words[1] == "data" else words[1:2]
        assert main([*named, "--help"]) == 0
        told = capsys.readouterr().out
        assert all(option in told for option in words if option.startswith("--")), words
        checked += 1
    assert checked == 5


def test_the_files_are_those_that_are_looked_for() -> None:
    for name, files in (("mnist", [f"{file}.gz" for file in IDX_FILES]), ("cifar10", ["cifar-10-binary.tar.gz"])):
        known = datasets.known(name)
        assert [remote.name for remote in known.remotes] == files
        assert f"| `{name}` | `{known.folders[0]}` |" in ENGLISH
        assert all(f"`{file}`" in ENGLISH for file in files)
    assert f"| `fashion-mnist` | `{datasets.known('fashion-mnist').folders[0]}` |" in ENGLISH
