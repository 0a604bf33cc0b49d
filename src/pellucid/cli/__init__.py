"""The command line: thin. Each command parses, calls the library, and prints.

`app.py` puts the commands together; each has a file of its own, but for `judge.py` (evaluate, predict);
`importing.py` and `exporting.py` hold import and export, and `run_program.py` runs a program of the book. `settings.py`
reads --set, `output.py` prints tables and JSON, `flags.py` words messages in flags, `interrupt.py` turns Ctrl-C into an
orderly end.
Everything heavy is imported inside the commands, so that help and mistakes answer at once.
"""

from __future__ import annotations

from pellucid.cli.app import main

__all__ = ["main"]
