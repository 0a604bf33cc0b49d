"""Reads sanitizers' reports on standard input; prints those that are ours, and fails if there are any.

    cat build/sanitize-address/report.* | python scripts/sanitizer_reports.py

A leak is ours if one of our functions is on its stack: Python itself leaves many. Any other report is ours.
"""

from __future__ import annotations

import re
import sys

OURS = re.compile(r" in pellucid::| in nb::|/native/\w+/\w+\.[ch]pp:\d|/_native\.[\w.-]+\.so\b")
LEAK = re.compile(r"^(?:Direct|Indirect) leak of ")


def ours(text: str) -> list[str]:
    """The reports to mend, each with its stack."""
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]
    leaks = [block for block in blocks if LEAK.match(block)]
    rest = [
        block
        for block in blocks
        if block not in leaks
        and re.search(r"ERROR: (?!LeakSanitizer)|WARNING: ThreadSanitizer|runtime error:|FATAL", block)
    ]
    return rest + [block for block in leaks if OURS.search(block)]


def main() -> int:
    found = ours(sys.stdin.read())
    print("\n\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
