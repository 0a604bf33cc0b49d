"""Names, values and titles as the text of a Python program."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Collection
from itertools import chain, count
from typing import Any

from pellucid._text import printable


def identifier(name: str, taken: Collection[str]) -> str:
    """A layer's name as that of a variable, of which there is none yet.

    >>> identifier("3-conv", []), identifier("conv1", ["conv1"])
    ('layer_3_conv', 'conv1_1')
    """
    base = re.sub(r"\W", "_", name, flags=re.ASCII)
    base = base if base.isidentifier() and not keyword.iskeyword(base) else f"layer_{base}"
    return next(each for each in chain([base], (f"{base}_{i}" for i in count(1))) if each not in taken)


def literal(value: Any) -> str:
    """A value as it is written in a program; lists as tuples."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    if isinstance(value, list | tuple):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(each)}" for key, each in value.items()) + "}"
    return repr(value)


def in_docstring(text: str) -> str:
    """A text on one line of a docstring: nothing that could end it."""
    return re.sub(r'[\\"\s]+', " ", printable(text))
