"""One page about a finished run, complete in itself: what was learned, how well, from what, and how to do it again.

`page.py` makes the HTML, `words.py` holds every sentence in every language, `sections.py` fills the page from a run.
"""

from __future__ import annotations

from pellucid._language import LANGUAGES
from pellucid.report.sections import Run, make_report

__all__ = ["LANGUAGES", "Run", "make_report"]
