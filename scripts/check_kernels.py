"""Checks the compiled kernels: each instruction set for itself, nothing weak, no vector spilled in an inner loop.

    python scripts/check_kernels.py build/develop
    python scripts/check_kernels.py build/arm64/kernels aarch64-linux-gnu-      with the binutils of that prefix

Why: two instruction sets that share one weak symbol run each other's code, and a spill halves a kernel's speed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ALLOWED_UNDEFINED = re.compile(
    r"^(memcpy|memset|memmove|sqrtf?|_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|"
    r"__aarch64_\w+|pellucid::(parallel_for|arena_reserve|set_aside)\(.*)$"
)
SHARED = re.compile(r"^pellucid::(\w+)::(kernels::)?\w+(\(.*\))?$")
TILED = ("common/gather_gemm.cpp.o", "winograd/winograd.cpp.o", "winograd/backward_kernel.cpp.o")
SPILL = re.compile(r"mov[au]p[sd]\s+%[xyz]mm\d+,\s*-?(0x[0-9a-f]+)?\(%r[sb]p\)|st[rp]\s+q\d+,.*\[sp")
JUMP = re.compile(r"^(?:j\w+|b(?:\.\w+)?|cbn?z|tbn?z)\s+(?:\S+, )*([0-9a-f]+)\b")
PRODUCT = re.compile(r"mulps|fmadd|fmla|fmul")


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _of_each(paths: Sequence[Path], *command: str) -> dict[Path, str]:
    """What a program says of each of these files, asked once: it names each before what it says."""
    said = re.split(r"^(?:File: )?(.+\.o):?\n", _output(*command, *map(str, paths)), flags=re.MULTILINE)
    return dict(zip(map(Path, said[1::2]), (text.strip("\n") for text in said[2::2]), strict=True))


def symbol_faults(path: Path, symbols: str, sections: str) -> list[str]:
    """What is wrong with the symbols of one object: it exports and uses what is of its instruction set alone.

    symbols, sections: what nm and readelf say of it.
    """
    faults, exported = [], 0
    instruction_set = re.search(r"kernels_(\w+)\.dir", str(path))[1]  # type: ignore[index]
    for line in symbols.splitlines():
        kind, name = re.match(r"^[0-9a-f ]{16} (\w) (.*)$", line).groups()  # type: ignore[union-attr]
        shared = SHARED.match(name)
        own = shared is not None and shared[1] == instruction_set
        if kind in "VvWwu":
            faults.append(f"{path}: weak symbol {name}")
        elif kind == "U" and not own and not ALLOWED_UNDEFINED.match(name):
            faults.append(f"{path}: calls {name}")
        elif kind.isupper() and kind != "U":
            exported += own
            if not own:
                faults.append(f"{path}: exports {name}, which is not of its instruction set")
    if not exported:
        faults.append(f"{path}: exports nothing")
    if ".init_array" in sections or ".ctors" in sections:
        faults.append(f"{path}: has a dynamic initialiser")
    return faults


def inner_loops(listing: str) -> dict[str, list[str]]:
    """The instructions of the shortest loop with a multiplication in every register tile of a disassembly."""
    loops: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[0-9a-f]{16} <)", listing):
        name = re.match(r"^[0-9a-f]{16} <(.*)>:", block)
        if not name or "::tile<" not in name[1]:
            continue
        code = [(int(at, 16), text) for at, text in re.findall(r"^\s*([0-9a-f]+):\s+(.*)$", block, re.M)]
        places = {at: i for i, (at, _) in enumerate(code)}
        for i, (_, text) in enumerate(code):
            jump = JUMP.match(text)
            start = places.get(int(jump[1], 16), i) if jump else i
            body = [line for _, line in code[start:i]]
            if any(map(PRODUCT.search, body)) and (name[1] not in loops or len(body) < len(loops[name[1]])):
                loops[name[1]] = body
    return loops


def spill_faults(path: Path, prefix: str) -> list[str]:
    """Vector stores to the stack in the inner loops of one object."""
    loops = inner_loops(_output(f"{prefix}objdump", "-d", "-C", "--no-show-raw-insn", str(path)))
    return [f"{path}: {name} spills: {line}" for name, body in loops.items() for line in body if SPILL.search(line)] + (
        [] if len(loops) > 8 else [f"{path}: found only {len(loops)} register tiles"]
    )


def main(folder: Path, prefix: str = "") -> int:
    objects = sorted(folder.glob("CMakeFiles/kernels_*.dir/native/*/*.o"))
    faults = [] if objects else [f"no kernel objects under {folder}"]
    symbols, sections = (
        _of_each(objects, prefix + program, option) for program, option in (("nm", "-C"), ("readelf", "-SW"))
    )
    for path in objects:
        faults += symbol_faults(path, symbols[path], sections[path])
        if f"{path.parent.name}/{path.name}" in TILED:
            faults += spill_faults(path, prefix)
    print("\n".join(faults) or f"{len(objects)} objects: each instruction set for itself, nothing weak, no spills")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
