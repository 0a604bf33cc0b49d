"""Trains the digits with the package as it is installed, by each instruction set this machine has, and exports a page.

    python scripts/try_installed.py

It ends with an error where there are no kernels, for browsers too, or the network did not learn. Run on every wheel.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pellucid.ops import native

ACCURACY = 0.9
"""What three epochs reach with every instruction set: 0.93 and more."""


def pellucid(isa: str, *words: str) -> str:
    """What a command says on standard output."""
    environment = {**os.environ, "PELLUCID_ISA": isa, "PELLUCID_REQUIRE_NATIVE": "1"}
    command = [sys.executable, "-m", "pellucid", *words]
    return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sets = native.instruction_sets()
    if not sets:
        sys.exit(f"no kernels: {native.reason}")
    with tempfile.TemporaryDirectory() as folder:
        for isa in sets:
            run = str(Path(folder) / isa)
            pellucid(isa, "train", "--epochs", "3", "--quiet", "--out", run)
            accuracy = json.loads(pellucid(isa, "evaluate", run, "--json"))["accuracy"]
            print(f"{isa}: trained the digits, accuracy {accuracy:.3f}")
            if accuracy < ACCURACY:
                sys.exit(f"{isa} reached {accuracy:.3f}, less than {ACCURACY}")
        if importlib.util.find_spec("ziglang"):
            sys.exit("ziglang is installed here, by which kernels for browsers may be compiled: it must not be")
        pellucid(isa, "export", run, "--to", "html", "--out", str(Path(folder, "page.html")))
        print("exported a page")
