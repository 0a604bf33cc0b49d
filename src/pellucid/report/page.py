"""A page of HTML that needs nothing but itself: styles and pictures are inside, and it runs no script."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pellucid._text import markup
from pellucid.visualise.drawing.figure import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
:root { --ink: #222; --pale: #d9d9d9; --blue: #0072b2; }
* { box-sizing: border-box; }
body { color: var(--ink); background: #fff; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", "Apple SD Gothic Neo", "Malgun Gothic", "Noto Sans KR",
  "Noto Sans", sans-serif; word-break: keep-all; overflow-wrap: break-word; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0.5rem 0 0.2rem; }
h2 { font-size: 1.3rem; margin: 2.6rem 0 0.6rem; border-bottom: 1px solid var(--pale); padding-bottom: 0.2rem; }
p { margin: 0.6rem 0; max-width: 46rem; }
.lead { font-size: 1.15rem; margin: 0 0 1rem; }
nav { font-size: 0.95rem; margin: 1rem 0; } nav a { margin-right: 1rem; color: var(--blue); white-space: nowrap; }
figure { margin: 1rem 0 1.6rem; } figure img, figure svg { max-width: 100%; height: auto; display: block; }
figcaption { font-size: 0.9rem; color: #444; max-width: 46rem; margin-top: 0.3rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.92rem; margin: 0.6rem 0; }
th, td { padding: 0.25rem 0.9rem 0.25rem 0; text-align: left; border-bottom: 1px solid #eee; vertical-align: top; }
th { font-weight: 600; } .right { text-align: right; font-variant-numeric: tabular-nums; }
td.whole { white-space: nowrap; }
table:not(:has(thead)) td { overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: 0.7rem 0.9rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.88rem; }
@media print { nav { display: none; } figure, table { break-inside: avoid; } body { max-width: none; } }
"""


class Page:
    """Headings, words, tables and figures in order; `text()` is the whole page.

    Everything given as words is escaped: a class called `<b>` is shown as it is called.
    """

    def __init__(self, title: str, *, lang: str) -> None:
        self.title, self.lang = title, lang
        self._parts: list[str] = []
        self._links: list[tuple[str, str]] = []

    def lead(self, words: str) -> None:
        """The line under the title."""
        self._parts.append(f'<p class="lead">{markup(words)}</p>')

    def heading(self, words: str) -> None:
        """Begin a section, which the list at the top links to."""
        anchor = f"s{len(self._links) + 1}"
        self._links.append((anchor, words))
        self._parts.append(f'<h2 id="{anchor}">{markup(words)}</h2>')

    def paragraph(self, words: str) -> None:
        """A few sentences."""
        self._parts.append(f"<p>{markup(words)}</p>")

    def code(self, lines: str) -> None:
        """Lines to be copied as they are."""
        self._parts.append(f"<pre>{markup(lines)}</pre>")

    def table(
        self,
        heads: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        right: Sequence[int] = (),
        whole: Sequence[int] = (),
    ) -> None:
        """A table; `right` numbers the columns that hold numbers, `whole` those whose cells stay on one line."""

        def cells(tag: str, values: Sequence[object]) -> str:
            kinds = [
                ' class="right"' if n in right else ' class="whole"' if n in whole else "" for n in range(len(heads))
            ]
            escaped = (markup(str(value)) for value in values)
            return "".join(f"<{tag}{kind}>{value}</{tag}>" for kind, value in zip(kinds, escaped, strict=True))

        head = f"<thead><tr>{cells('th', heads)}</tr></thead>" if any(heads) else ""
        body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
        self._parts.append(f'<div class="scroll"><table>{head}<tbody>{body}</tbody></table></div>')

    def figure(self, figure: Figure, caption: str, *, dpi: int = 110) -> None:
        """A Matplotlib figure as a PNG: of many small pictures that is a tenth of the SVG."""
        data = base64.b64encode(figure_bytes(figure, "png", dpi=dpi)).decode()
        self._figure(f'<img src="data:image/png;base64,{data}" alt="{markup(caption)}">', caption)

    def drawing(self, svg: str, caption: str) -> None:
        """An SVG drawing, put into the page as it is but for what stands before its first tag."""
        self._figure(re.sub(r"^.*?(?=<svg)", "", svg, count=1, flags=re.DOTALL), caption)

    def _figure(self, inside: str, caption: str) -> None:
        below = f"<figcaption>{markup(caption)}</figcaption>" if caption else ""
        self._parts.append(f"<figure>{inside}{below}</figure>")

    def text(self) -> str:
        """The page."""
        links = "".join(f'<a href="#{anchor}">{markup(words)}</a>' for anchor, words in self._links)
        return "\n".join(
            (
                "<!DOCTYPE html>",
                f'<html lang="{self.lang}">',
                '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">',
                # whatever stands in a class's name, nothing is fetched and nothing runs
                '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
                "style-src 'unsafe-inline'\">",
                f"<title>{markup(self.title)}</title><style>{STYLE}</style></head>",
                f"<body><h1>{markup(self.title)}</h1>",
                *self._parts[:1],
                f"<nav>{links}</nav>",
                *self._parts[1:],
                "</body></html>\n",
            )
        )
