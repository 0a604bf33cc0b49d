"""What a process does to one folder on the disk, call by call, and one of those calls going wrong.

The calls are caught where they leave the process (`calls.c`), so whatever writes comes by there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KINDS = ("nothing", "die", "tear", "fail", "short", "tell")

NAMES = {
    "open": "o",
    "write": "w",  # to a file beside, which has not its name yet
    "append": "a",  # to a file in its place: the log
    "lock": "l",
    "flush": "s",
    "flush folder": "f",
    "rename": "r",
    "remove": "u",
    "make folder": "m",
    "truncate": "t",
}
"""Every call that is counted, and its letter in what `seen` gives."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at call number `at`, counted from 1 over the calls in `only` (letters of NAMES; empty: over all).

    kind: "die" is kill -9 before the call; "tear" the same after half of what was to be written; "fail" the call's
    failure with `errno`, with `persists` of every one from then on; "short" a write of half, which says so; "tell" no
    more than a byte to a pipe, where somebody waits to kill it from outside.
    """

    kind: str = "nothing"
    at: int = 0
    errno: int = 0
    only: str = ""
    persists: bool = False

    def install(self, folder: Path, handle: int) -> None:
        """Let it come in this process, which was started with the library; handle: of that pipe."""
        setting = (os.fsencode(folder), KINDS.index(self.kind), ctypes.c_long(self.at), self.only.encode(), self.errno)
        ctypes.CDLL(None).fault_set(*setting, handle, int(self.persists))


def seen() -> str:
    """The calls so far in this process, a letter each."""
    calls = ctypes.CDLL(None).fault_calls
    calls.restype = ctypes.c_char_p
    return str(calls().decode())


def library(folder: Path) -> Path | None:
    """What a process must be started with, LD_PRELOAD, compiled into a folder; None where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    made = folder / "calls.so"
    source = Path(__file__).with_name("calls.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", str(source), "-o", str(made), "-ldl"], check=True)
    return made
