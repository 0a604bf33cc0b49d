"""Checks the built site: links and anchors lead somewhere, nothing comes from elsewhere, no public name is missing.

Run: python scripts/site_check.py FOLDER
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from api_pages import MODULES, public

FETCHED = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src"), ("video", "src")}
"""What a browser loads by itself; a link of the text it does not."""
IN_STYLES = re.compile(r"(?:@import\s+|url\()['\"]?((?:https?:)?//[^'\")]+)")


class Page(HTMLParser):
    """The anchors of a page, and what it links to or loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[tuple[str, str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append((tag, name, value))


def faults(site: Path) -> list[str]:
    """What is wrong with a site, a line each."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        if path.name == "404.html":  # its addresses count from a server's root
            continue
        where = path.relative_to(site.resolve())
        for tag, name, value in page.links:
            address = urlsplit(value)
            if address.scheme or address.netloc:
                loaded = (tag, name) in FETCHED and address.scheme != "data"
                found += [f"{where}: loads {value}"] if loaded else []
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.exists():
                found.append(f"{where}: {value} is not there")
            elif address.fragment and target in pages and address.fragment != "__consent":
                anchors = pages[target].anchors
                if not {address.fragment, unquote(address.fragment)} & anchors:
                    found.append(f"{where}: {value} has no such place")
    for style in site.rglob("*.css"):
        found += [f"{style.name}: loads {address}" for address in IN_STYLES.findall(style.read_text("utf-8"))]
    for index in site.glob("search/search_index.js*"):
        locations = re.findall(r'"location": ?"([^"#]*)', index.read_text("utf-8"))
        found += [
            f"{index.name}: no page of {start}" for start in ("index", "ko/index") if f"{start}.html" not in locations
        ]
    for module in MODULES:
        anchors = pages[(site / "api" / f"{module}.html").resolve()].anchors
        found += [
            f"api/{module}.html: {name} is missing" for name in public(module) if f"{module}.{name}" not in anchors
        ]
    return found


if __name__ == "__main__":
    wrong = faults(Path(sys.argv[1]))
    print(
        "\n".join(wrong)
        or f"{sys.argv[1]}: every link leads somewhere, nothing comes from elsewhere, no name is missing"
    )
    sys.exit(bool(wrong))
