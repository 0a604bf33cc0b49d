"""The fault suite: what is done to it, and what must come of it. At the end it says how many cases each file tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mirrors import Server, serving

FOLDER = Path(__file__).parent.name


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kills", type=int, help="How often trainings are killed at random moments. Default: a few times."
    )
    parser.addoption(
        "--every-call", action="store_true", help="Let each call of a training go wrong, not a few of them."
    )


@pytest.fixture
def cases(record_property: Callable[[str, object], None]) -> Callable[[int], None]:
    """Tell how many cases one test tried: cases(2000). A test that does not tell counts as one."""

    def tried(count: int) -> None:
        record_property("cases", count)

    return tried


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Mirrors on this machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PELLUCID_OFFLINE", raising=False)
    with serving() as mirrors:
        yield mirrors


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        path = Path(report.nodeid.partition("::")[0])
        if FOLDER in path.parts and report.when == "call":
            told = [int(value) for name, value in report.user_properties if name == "cases"]
            counts[path.stem.removeprefix("test_").replace("_", " ")] += sum(told) if told else 1
    if counts:
        told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
        terminalreporter.write_line(f"faults: {sum(counts.values()):,} cases held ({told})")
