"""How objects show themselves in notebooks; what they show is drawn in `pellucid.notebook`, loaded when it is asked."""

from __future__ import annotations

import importlib
from typing import Any


class Shown:
    """Models, layers and results are shown by Jupyter as HTML, and models as SVG where there is no HTML.

    Imports point one way: what is shown knows nothing of drawing, so the drawing is looked up by name, here alone.
    """

    def _repr_html_(self) -> str | None:
        """A fragment of HTML, or None where there is nothing to show."""
        return _drawn("html", self)

    def _repr_svg_(self) -> str | None:
        """An SVG document, or None."""
        return _drawn("svg", self)


def _drawn(kind: str, shown: Any) -> str | None:
    drawn: str | None = getattr(importlib.import_module("pellucid.notebook"), kind)(shown)
    return drawn
