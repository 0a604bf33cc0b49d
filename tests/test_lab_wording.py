"""Sentences that the lab says in Korean too: each is one that is said in English, and both speak of the same things."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pellucid
from pellucid.lab.wording import KOREAN, in_korean, told

JOINED = ("the loss became", "the weights became")
"""These are put together from parts when they are said; test_lab_session.py hears one."""


def templates(source: str) -> set[str]:
    """All texts in a program, with {} for what is put into them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            found.add("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


def test_every_sentence_is_one_that_is_said() -> None:
    files = [path for path in Path(pellucid.__file__).parent.rglob("*.py") if path.name != "wording.py"]
    said = set().union(*(templates(path.read_text("utf-8")) for path in files))
    for english, korean in KOREAN.items():
        assert english.startswith(JOINED) or re.sub(r"\{\w+\}", "{}", english) in said, english
        assert set(re.findall(r"\{(\w+)\}", korean)) <= set(re.findall(r"\{(\w+)\}", english)), english
        assert re.search("[가-힣]", korean) and not re.search("[가-힣]", english)


def test_a_sentence_is_found_with_what_is_put_into_it() -> None:
    said = (
        "layer 3 'conv2' (Conv2D 5x5, valid) needs at least 5x5 input, got 4x4 from 'pool1'; use padding=\"same\", "
        "a smaller kernel, or a larger picture"
    )
    korean = in_korean(said)
    assert korean is not None and korean.startswith("계층 3 'conv2' (Conv2D 5x5, valid): ")
    assert "5x5 이상" in korean and "4x4입니다" in korean and "pool1" not in korean
    assert told("text", said) == {"text": said, "text_ko": korean}
    assert told("text", "something else") == {"text": "something else"}
