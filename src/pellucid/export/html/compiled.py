"""The kernels as a WebAssembly module: compiled from the package's own sources, once, and then kept.

A wheel brings it along where `scripts/build --wasm` ran before it was made; elsewhere Zig's compiler makes it at the
first export, which takes a minute, and it lies in the user's cache.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pellucid.datasets.download import alone, cache_folder
from pellucid.errors import ConfigError
from pellucid.files.atomic import replacing
from pellucid.ops.native.signature import field_names

TARGET = ("-target", "wasm32-wasi")
FLAGS = (*TARGET, "-std=c++17", "-msimd128", "-DPELLUCID_ISA_NAMESPACE=wasm")
LINK = ("-mexec-model=reactor", "-Wl,-z,stack-size=1048576", "-s")
PACKAGE = Path(__file__).parents[2]
WITHOUT = ("runtime",)
"""Folders of sources that are Python's side."""


def kernels() -> bytes:
    """The module. Errors: ConfigError where it is not there and cannot be made."""
    found = at_hand()
    if found is None:
        kept = places()[-1]
        with alone(kept.with_suffix(".lock")):
            found = at_hand() or build()
            with replacing(kept) as file:
                file.write(found)
    if table() not in found:
        raise ConfigError("the kernels for browsers and those in use are of different sources; install Pellucid again")
    return found


def at_hand() -> bytes | None:
    """The module where it was compiled before."""
    return next((place.read_bytes() for place in places() if place.is_file()), None)


def places() -> tuple[Path, Path]:
    """Where it lies: in the package, or in the user's cache."""
    name = f"kernels-{fingerprint()}.wasm"
    return PACKAGE / "ops" / name, cache_folder() / name


def table() -> bytes:
    """What numbers of kernels and fields mean, as native/wasm/module.cpp writes it."""
    rows = (" ".join((name, *fields)) for name, fields in field_names().items())
    return "\n".join(rows).encode()


@functools.cache
def fingerprint() -> str:
    """Of the sources and of how they are compiled."""
    found = hashlib.sha256(repr((flags(), LINK)).encode())
    for file in sorted(sources().rglob("*.[ch]pp")):
        found.update(file.relative_to(sources()).as_posix().encode() + file.read_bytes())
    return found.hexdigest()[:16]


def flags() -> tuple[str, ...]:
    """One more instruction set, with the options of all and the vector and register tiles of baseline."""
    lines = (sources() / "instruction_sets.txt").read_text("utf-8").splitlines()
    rows = {words[0]: words[1:] for words in map(str.split, lines) if words}
    names = ("VECTOR", "ROWS3", "ROWS2", "ROWS1")
    tiles = (f"-DPELLUCID_{name}={value}" for name, value in zip(names, rows["baseline"], strict=True))
    return (*FLAGS, *rows["options"], *tiles)


def sources() -> Path:
    """The folder of the kernels' sources: installed beside the package, or in the clone it is run from."""
    for folder in (PACKAGE / "native", PACKAGE.parents[1] / "native"):
        if (folder / "wasm" / "module.cpp").is_file():
            return folder
    raise ConfigError("the sources of the kernels are not installed; install Pellucid again")


def build() -> bytes:
    """Compile them. Errors: ConfigError without Zig's compiler, or where it fails."""
    if importlib.util.find_spec("ziglang") is None:
        raise ConfigError("the kernels for browsers are compiled once by Zig: pip install 'pellucid[html]'")
    compiler = (sys.executable, "-m", "ziglang", "c++")
    with tempfile.TemporaryDirectory(prefix="pellucid-") as folder:

        def compiled(file: Path) -> str:
            made = os.path.join(folder, f"{file.parent.name}-{file.stem}.o")
            _run([*compiler, *flags(), f"-I{sources()}", "-c", str(file), "-o", made])
            return made

        files = [file for file in sorted(sources().glob("*/*.cpp")) if file.parent.name not in WITHOUT]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            made = list(threads.map(compiled, files))
        target = Path(folder, "kernels.wasm")
        _run([*compiler, *TARGET, *LINK, *made, "-o", str(target)])
        return target.read_bytes()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ConfigError(f"the kernels for browsers cannot be compiled: {done.stderr.strip()[-300:]}")


def build_into_package() -> None:
    """Have them, and none of other sources, in the package's own folder: scripts/build --wasm."""
    kept = places()[0]
    for older in kept.parent.glob("kernels-*.wasm"):
        if older != kept:
            older.unlink()
    if not kept.is_file():
        with replacing(kept) as file:
            file.write(build())
