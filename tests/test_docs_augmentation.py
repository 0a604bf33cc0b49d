"""docs/augmentation.md: its tables are those of the code, in both languages, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from page_blocks import blocks

from pellucid import Sequential
from pellucid import layers as L
from pellucid.datasets.augmentation import KINDS, PRESETS
from pellucid.visualise.augmentation import WORDS

DOCS = Path(__file__).parent.parent / "docs"
LANGUAGES = ("augmentation.md", "augmentation.ko.md")


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_tables_are_those_of_the_code(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| (.*) \|$", text, re.MULTILINE)
    words = {kind.words: WORDS[kind.words] if name.endswith("ko.md") else kind.words for kind in KINDS.values()}
    assert rows == [
        (kind.name, f"{kind.usual:g}", f"{kind.most:g}", words[kind.words].replace("{amount}", "X"))
        for kind in KINDS.values()
    ]
    for preset, kinds in PRESETS.items():
        assert re.search(rf"^\| `{preset}` \| (`{re.escape(kinds)}`)?", text, re.MULTILINE)


def test_the_python_runs() -> None:
    (code,) = blocks(DOCS / LANGUAGES[0], "python")
    model = Sequential([L.Flatten(input_shape=(6, 7, 3)), L.Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    images, labels = np.random.default_rng(0).integers(0, 256, (6, 6, 7, 3), np.uint8), np.arange(6) % 2
    exec(code, {"model": model, "images": images, "labels": labels})
