"""How objects show themselves in notebooks; `pellucid._notebook` draws what they show, and is loaded when asked."""

from __future__ import annotations

import importlib
import sys
from dataclasses import fields
from typing import Any

from pellucid.errors import shown


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


def in_notebook() -> bool:
    """Whether what is displayed stands in the page of a notebook (Jupyter, Colab)."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


def live_curve() -> Any:
    """What watches a training in a notebook, see `pellucid._live`."""
    return importlib.import_module("pellucid._live").LiveCurve()


class Brief:
    """A record whose text is one line: arrays by type and shape, all else short. For `@dataclass(repr=False)`."""

    def __repr__(self) -> str:
        names = (field.name for field in fields(self) if field.repr)  # type: ignore[arg-type]  # of a dataclass
        return f"{type(self).__name__}({', '.join(f'{name}={_brief(getattr(self, name))}' for name in names)})"


def _brief(value: Any) -> str:
    if isinstance(value, tuple | list) and len(value) > 6:
        return f"{len(value)} of {type(value[0]).__name__}"
    if hasattr(value, "dtype") and hasattr(value, "shape") and len(value.shape):
        return f"{value.dtype} {tuple(value.shape)}"
    return shown(value)


def _drawn(kind: str, shown: Any) -> str | None:
    drawn: str | None = getattr(importlib.import_module("pellucid._notebook"), kind)(shown)
    return drawn
