"""A terminal that remembers what was drawn on it."""

from __future__ import annotations

import io
import re
import time


class Screen(io.StringIO):
    """A terminal; `seen` is what was written without the codes that move and colour."""

    def isatty(self) -> bool:
        return True

    @property
    def seen(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


def appears(screen: Screen, text: str) -> bool:
    """Whether it is drawn within five seconds."""
    end = time.monotonic() + 5
    while text not in screen.seen and time.monotonic() < end:
        time.sleep(0.01)
    return text in screen.seen
