"""docs/serve.md: its options exist, its Python runs, its limits are those in use, and both languages show the same."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from page_blocks import blocks, lines

from pellucid.datasets.pictures import MAX_SENT_BYTES, MAX_SENT_PHOTOGRAPH, MAX_SENT_PIXELS

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("python_multipart", reason="the extra serve is not installed")

from pellucid.serve.reading import MAX_BODY, MAX_PICTURES

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / "serve.md", DOCS / "serve.ko.md"]


def test_both_languages_give_the_same_times() -> None:
    rows = [re.findall(r"^\| (?:photo-net|mobilenet-v2) .*", page.read_text("utf-8"), re.MULTILINE) for page in PAGES]
    assert rows[0] == rows[1] and len(rows[0]) == 2


def test_the_options_exist(command: Command) -> None:
    told = command("serve", "--help")[1]
    for words in [shlex.split(line) for line in lines(PAGES[0], "console") if line.startswith("pellucid")]:
        assert words[1] == "serve" and all(word in told for word in words if word.startswith("--"))


def test_the_python_makes_an_application() -> None:
    names: dict[str, Any] = {}
    exec("".join(blocks(PAGES[0], "python")), names)
    assert callable(names["app"])


def test_the_answer_that_it_shows_is_json_of_that_form() -> None:
    shown = json.loads(blocks(PAGES[0], "json")[0])
    shares = [each["probability"] for each in shown["answers"][0]["predictions"]]
    assert sum(shares) == pytest.approx(1)


def test_the_limits_are_those_in_use() -> None:
    said = re.sub(r"\s+", " ", PAGES[0].read_text("utf-8"))
    assert f"up to {MAX_PICTURES} pictures" in said
    assert f"A file may have {MAX_SENT_BYTES >> 20} MB, a request {MAX_BODY >> 20}" in said
    assert f"a JPEG {MAX_SENT_PHOTOGRAPH // 10**6} million pixels, others {MAX_SENT_PIXELS // 10**6}" in said
