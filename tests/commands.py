"""The type of the fixture `command`."""

from __future__ import annotations

from collections.abc import Callable

Command = Callable[..., tuple[int, str, str]]
"""Runs one command line in this process: (exit status, standard output, standard error)."""
