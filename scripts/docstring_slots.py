"""Our docstrings as Markdown, for mkdocstrings: a paragraph a slot, examples in fences, formulas as they are typed."""

from __future__ import annotations

import re

from api_pages import spoken
from griffe import Docstring, Extension, Object

SLOT = re.compile(r"(?:^|(?<=\. ))(Shapes|Units|Errors|Source):", re.MULTILINE)
CODE = re.compile(r"(`[^`]*`)")
MARKS = re.compile(r"([\\*_<>\[\]|#])")


def markdown(text: str) -> str:
    """A docstring as Markdown, which formulas such as i*SH + a would be mistaken for."""
    return "\n\n".join(filter(None, (_paragraph(part) for part in re.split(r"\n\s*\n", SLOT.sub(r"\n\n\1:", text)))))


def _paragraph(text: str) -> str:
    if text.lstrip().startswith(">>>"):
        return f"```pycon\n{text.strip()}\n```"
    if text.startswith((" ", "\t")):  # indented: a drawing or a formula, line by line
        return f"```text\n{text.rstrip()}\n```"
    parts = CODE.split(text.strip())
    parts[::2] = [MARKS.sub(r"\\\1", part) for part in parts[::2]]
    return SLOT.sub(r"**\1**:", "".join(parts))


class Slots(Extension):
    """What griffe calls for each object that it has read."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Put Markdown in the place of its docstring; of what is made by a function, that comes of the made thing."""
        if obj.docstring is None and (text := spoken(obj.path)):
            obj.docstring = Docstring(text, parent=obj)
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
