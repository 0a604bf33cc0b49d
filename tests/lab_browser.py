"""The lab's page in a real browser: opened, waited for, and read."""

from __future__ import annotations

import importlib.util
import shutil
import time
from collections.abc import Callable
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MS = 30_000

in_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="there is no Chromium on this machine, or no Playwright",
)


class Pages:
    """Opens pages; whatever the console of one complains of fails the test in the end."""

    def __init__(self, browser: Any) -> None:
        self._browser, self.complaints = browser, list[str]()

    def open(
        self, address: str, width: int = 1280, height: int = 800, shows: str = "#predictions-body .answer", **more: Any
    ) -> Any:
        """A page that shows this. more: as Playwright's new_page."""
        page = self._browser.new_page(viewport={"width": width, "height": height}, **more)
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector(shows)
        return page


def number_in(page: Any, selector: str) -> float:
    return float(page.get_attribute(selector, "data-value"))


def numbers_in(page: Any, selector: str) -> list[float]:
    found = page.eval_on_selector_all(selector, "all => all.map(each => each.dataset.value)")
    return [float(value) for value in found if value]


def until(page: Any, condition: str | Callable[[], bool]) -> None:
    """Wait for what the page says or a test sees. Playwright's own way would evaluate within the page, which the page's
    policy forbids."""
    end = time.monotonic() + WAIT_MS / 1000
    while not (page.evaluate(condition) if isinstance(condition, str) else condition()):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(10)


def drawn(page: Any) -> None:
    """Wait until the page has drawn what was changed."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
