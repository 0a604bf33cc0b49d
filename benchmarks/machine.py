"""The machine and the versions that numbers belong to, and the files that numbers are kept in."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from pellucid.ops import native

HERE = Path(__file__).parent
RESULTS = HERE / "results" / (native.instruction_set() if native.available else "none")
"""Of the instruction set in use, since each was measured on a machine of its own."""
PACKAGES = (
    "numpy",
    "torch",
    "onnx",
    "onnxruntime",
    "openvino",
    "keras",
    "tensorflow",
    "tensorflow_cpu",
    "jax",
    "jaxlib",
)
WIDE = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16")


def versions(python: str, packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Versions of the packages an interpreter can import."""
    program = (
        "import importlib.metadata as m, importlib.util as u, json, sys\n"
        "names = m.packages_distributions()\n"
        "print(json.dumps({n: m.version(names[n][0]) for n in sys.argv[1:] if n in names and u.find_spec(n)}))"
    )
    done = subprocess.run([python, "-c", program, *packages], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


MEASURED = ("../src", "../native", "*.py")
"""What a measurement depends on, seen from this folder."""
RUN = ("commit", "state", "date", "command")
"""What a row keeps of the run that measured it."""


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def commit() -> str:
    """The commit that is measured, with "+changes" where files differ from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *MEASURED)
    return (_git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+changes" if changed else "")


def state() -> str:
    """A digest of the measured files, which outlives commits that only touch others; it sees what is changed, too."""
    staged = _git("ls-files", "--stage", "--", *MEASURED)
    digest = hashlib.sha256((staged + _git("diff", "--", *MEASURED)).encode())
    return digest.hexdigest()[:16] if staged else "unknown"


def _read(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def processor() -> dict[str, Any]:
    """The processor as Linux tells it; elsewhere only its name."""
    fields: dict[str, str] = {}
    for line in _read("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        kind = _read(f"{index}/type").strip()
        level = "L" + _read(f"{index}/level").strip() + {"Data": "d", "Instruction": "i"}.get(kind, "")
        caches[level] = _read(f"{index}/size").strip()
    flags = set(fields.get("flags", "").split())
    family = f"family {fields['cpu family']}, model {fields['model']}" if "cpu family" in fields else ""
    return {
        "name": fields.get("model name", platform.processor() or "unknown"),
        "family": family,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "caches": caches,
        "instruction_sets": [name for name in WIDE if name in flags],
    }


def memory_gb() -> float:
    """Memory of the machine."""
    first = _read("/proc/meminfo").partition("\n")[0].split()
    return int(first[1]) / 2**20 if len(first) > 1 else 0.0


def describe(*, keras_python: str = sys.executable) -> dict[str, Any]:
    """What every file of results begins with."""
    kept = dict(line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line)
    own = versions(sys.executable)
    return {
        "commit": commit(),
        "state": state(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "command": "python " + " ".join(["benchmarks/" + Path(sys.argv[0]).name, *_told(sys.argv[1:])]),
        "processor": processor(),
        "memory_gb": round(memory_gb(), 1),
        "system": f"{kept.get('PRETTY_NAME', platform.system()).strip(chr(34))}, Linux {platform.release()}"
        if platform.system() == "Linux"
        else platform.platform(),
        "python": platform.python_version(),
        "versions": {**versions(keras_python), **own},
    }


def _told(arguments: list[str]) -> list[str]:
    """The command line without folders of this machine."""
    return [Path(word).name if word.startswith(os.sep) else word for word in arguments]


class Stored:
    """Rows in a JSON file, each with the run that measured it, written as soon as they are known.

    Those of another processor are dropped. Those of other sources stay in the file, but count as absent.
    """

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self.path, self.about = path, about
        kept = json.loads(path.read_text()) if path.exists() else {}
        before = kept.get("about", {})
        same = before.get("processor") == about["processor"]
        rows: dict[str, Any] = kept.get("rows", {}) if same else {}
        self.rows = {key: {"measured": {name: before.get(name) for name in RUN}, **row} for key, row in rows.items()}

    def get(self, key: str) -> Any:
        """The row, or None where these sources have not been measured."""
        row = self.rows.get(key)
        return row if row is not None and row["measured"]["state"] == self.about["state"] else None

    def put(self, key: str, row: Any) -> None:
        """Keep a row."""
        self.rows[key] = {"measured": {name: self.about[name] for name in RUN}, **row}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".part")
        beside.write_text(json.dumps({"about": self.about, "rows": self.rows}, indent=1) + "\n")
        beside.replace(self.path)

    def largest(self, field: str) -> float:
        """The largest value of a field in any row; 0 where there is none."""
        return max((row.get(field, 0.0) for row in self.rows.values()), default=0.0)
