"""docs/segmentation.md: both languages show the same code, and its Python runs."""

from __future__ import annotations

import re
from pathlib import Path

from drawn_masks import squares_and_discs

import pellucid
from pellucid.layers import Conv2D

DOCS = Path(__file__).parent.parent / "docs"
LANGUAGES = ("segmentation.md", "segmentation.ko.md")


def test_both_languages_show_the_same_code() -> None:
    blocks = [re.findall(r"^```(.*?)^```$", (DOCS / name).read_text("utf-8"), re.M | re.S) for name in LANGUAGES]
    assert blocks[0] == blocks[1] and len(blocks[0]) == 4


def test_the_python_runs() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (DOCS / LANGUAGES[0]).read_text("utf-8"), re.M | re.S)
    images, masks = squares_and_discs(8)
    given = {"pellucid": pellucid, "Conv2D": Conv2D, "images": images, "masks": masks}
    exec(code, given)
    assert given["iou"].shape == (3,)  # type: ignore[attr-defined]
