"""The command line: thin. Each command parses, calls the library, and prints.

`app.py` puts the commands together; `train.py`, `judge.py` (evaluate, predict), `show.py` (summary, show) and `data.py`
hold them; `run_program.py` runs a program of the book. `run.py` knows run folders, `settings.py` --set, `output.py`
prints tables and JSON, `interrupt.py` turns Ctrl-C into an orderly end, `background.py` notices dark ink on white.
Everything heavy is imported inside the commands, so that help and mistakes answer at once.
"""

from __future__ import annotations

from pellucid.cli.app import main

__all__ = ["main"]
