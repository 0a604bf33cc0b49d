"""Reading a stranger's file in a process that may not take more than so much memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROGRAM = """
import resource, sys, warnings
from pathlib import Path
from pellucid.errors import PellucidError
warnings.simplefilter("ignore")
{imports}
read = {reader}
if {warm!r}:
    read(Path({warm!r}))  # everything is imported, and every buffer there, before the limit
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + {megabytes} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (size, size))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for path in sys.argv[1:]:
    try:
        read(Path(path))
        print("read")
    except PellucidError as error:
        print(type(error).__name__, " ".join(str(error).split()))
"""

needs_limits = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limits of memory are Linux's")


def read_within(megabytes: int, imports: str, reader: str, paths: Sequence[Path], warm: Path | str = "") -> list[str]:
    """What comes of reading each file with so much more memory than the process had: "read", or an error's text."""
    program = PROGRAM.format(imports=imports, reader=reader, megabytes=megabytes, warm=str(warm))
    command = [sys.executable, "-c", program, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    told = done.stdout.splitlines()
    assert len(told) == len(paths)
    return told
