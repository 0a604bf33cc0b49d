"""docs/segmentation.md: its Python runs."""

from __future__ import annotations

from pathlib import Path

from drawn_masks import squares_and_discs
from page_blocks import blocks

import pellucid
from pellucid.layers import Conv2D

PAGE = Path(__file__).parent.parent / "docs" / "segmentation.md"


def test_the_python_runs() -> None:
    (code,) = blocks(PAGE, "python")
    images, masks = squares_and_discs(8)
    given = {"pellucid": pellucid, "Conv2D": Conv2D, "images": images, "masks": masks}
    exec(code, given)
    assert given["iou"].shape == (3,)  # type: ignore[attr-defined]
