"""docs/keras.md: its Python runs, and both languages show the same of it."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def blocks(name: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```$", (DOCS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def test_the_page_runs_and_is_the_same_in_both_languages(capsys) -> None:  # type: ignore[no-untyped-def]
    code = blocks("keras.md")
    assert blocks("keras.ko.md") == code
    exec(compile("\n".join(code), "keras.md", "exec"), {})
    assert capsys.readouterr().out == "(None, 3)\n940851\n1\n"


def test_what_the_page_says_is_refused_is() -> None:
    from pellucid.keras.refused import REFUSED

    assert {"ConvLSTM2D", "Conv3D"} <= REFUSED["layers"].keys()
    assert "custom_gradient" in REFUSED["tensorflow"]
