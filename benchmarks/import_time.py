"""How long starting takes, whole processes: medians of five fresh interpreters, and what each imports from outside.

`import pellucid` loads names on first use, so its second line measures the first use of `Sequential` too, which loads
layers, kernels and the trainer; Python and NumPy alone stand beside it. The last line is `pellucid train` on the digits
until it begins its first step, which is when the run's log is begun.
Run: python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUNS = 5
HELP = "from pellucid.cli import main; main(['--help'])"
LIMITS_S = {
    "pass": None,
    "import numpy": None,
    "import pellucid": 0.1,
    "import pellucid; pellucid.Sequential": 0.3,
    HELP: 0.15,
}
TRAIN_LIMIT_S = 1.5
PROGRAM = """
import sys
{statement}
foreign = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"pellucid", "numpy"}}
print()
print(*sorted(name for name in foreign if not name.startswith("_")))
"""
BROUGHT_BY_NUMPY = {"cython_runtime"}


def started(statement: str) -> tuple[float, set[str]]:
    """(seconds, third-party modules other than numpy) of one fresh interpreter."""
    program = PROGRAM.format(statement=statement)
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return time.perf_counter() - start, set(done.stdout.splitlines()[-1].split()) - BROUGHT_BY_NUMPY


def first_step_s() -> float:
    """Seconds from the command to the first step of a training on the digits."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run" / "log.jsonl"
        command = [sys.executable, "-m", "pellucid", "train", "--quiet", "--out", str(log.parent)]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and not (log.exists() and log.stat().st_size):
                time.sleep(0.002)
            elapsed_s = time.perf_counter() - start
            process.kill()
        if not log.exists():
            raise RuntimeError("the training ended before its first step")
        return elapsed_s


def main() -> int:
    """Print the medians; exit status 1 if one is above its limit or something foreign was imported."""
    good = True
    for statement, limit_s in LIMITS_S.items():
        runs = [started(statement) for _ in range(RUNS)]
        median_s, foreign = statistics.median(elapsed_s for elapsed_s, _ in runs), runs[0][1]
        good = good and (limit_s is None or median_s <= limit_s) and not (foreign and statement != HELP)
        limit = "" if limit_s is None else f", limit {limit_s} s"
        print(f"{statement}: {median_s:.3f} s (median of {RUNS}{limit}), beyond numpy: {', '.join(foreign) or 'none'}")
    median_s = statistics.median(first_step_s() for _ in range(RUNS))
    print(f"pellucid train, until its first step: {median_s:.3f} s (median of {RUNS}, limit {TRAIN_LIMIT_S} s)")
    return 0 if good and median_s <= TRAIN_LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
