"""A model as one page that computes in the browser, from a file as from a server, and sends nothing anywhere.

compiled.py has the kernels as WebAssembly, programs.py what they are to do, page/ what is shown; all in one file.
engine.js and fitting.js there know no page: the first runs programs, the second brings pictures to size.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from importlib import resources

from pellucid.export.html import programs
from pellucid.export.html.compiled import kernels
from pellucid.model import Model

SHARED, OWN = "serve/page", "export/html/page"
"""Where the page's style, language and list of answers come from, in the package, and where the rest."""

SCRIPTS = {
    SHARED: ("language.js", "cards.js"),
    OWN: ("words.js", "engine.js", "fitting.js", "network.js", "drawing.js", "main.js"),
}
"""In the order in which each needs only those before it."""


def files(model: Model, stem: str) -> dict[str, bytes]:
    """STEM.html. Errors: ConfigError for a network that answers for no pictures, or has a layer without a kernel."""
    return {f"{stem}.html": _page(model, trainable=False)}


def trainable_files(model: Model, stem: str) -> dict[str, bytes]:
    """The same, which goes on learning from pictures it is given.

    Errors: as `files`, for training; ConfigError for a loss other than cross-entropy, or with nothing to train.
    """
    return {f"{stem}.html": _page(model, trainable=True)}


def _page(model: Model, *, trainable: bool) -> bytes:
    network, contents = programs.described(model, trainable=trainable)
    parts = {
        "title": html.escape(model.name),
        "style": text(SHARED, "style.css") + text(OWN, "page.css"),
        "script": "".join(as_script(text(folder, name)) for folder, names in SCRIPTS.items() for name in names),
        "network": json.dumps(network, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"),
        "kernels": packed(kernels()),
        "contents": packed(contents),
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], text(OWN, "index.html"))
    return page.encode()


def text(folder: str, name: str) -> str:
    return (resources.files("pellucid") / folder / name).read_text(encoding="utf-8")


def as_script(module: str) -> str:
    """A module's text where all stand in one."""
    return re.sub(r"^import [^;]+;\n|^export (?=\w)", "", module, flags=re.MULTILINE)


def packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
