"""The command line: thin. Each command parses, calls the library, and prints.

`app.py` is the entry, and `commands.py` lists the commands, which are loaded when they are called. Each has a file of
its own, but for `judge.py` (evaluate, predict); `importing.py` and `exporting.py` hold import and export, and
`run_program.py` runs a program of the book. `settings.py` reads --set, `output.py` prints tables and JSON, `flags.py`
words messages in flags, `interrupt.py` turns Ctrl-C into an orderly end.
"""

from __future__ import annotations

from pellucid.cli.app import main

__all__ = ["main"]
