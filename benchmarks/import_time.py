"""How long `import pellucid` takes, and what it imports: medians of five fresh interpreters.

Names are loaded on first use, so the second line measures the import together with the first use of `Sequential`,
which loads layers, kernels and the trainer; NumPy alone stands beside it. The limit is on the first line.
Run: python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 5
LIMIT_S = 0.3
STATEMENTS = ("import pellucid", "import pellucid; pellucid.Sequential", "import numpy")

PROGRAM = """
import sys, time
start = time.perf_counter()
{statement}
elapsed_s = time.perf_counter() - start
foreign = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"pellucid", "numpy"}}
print(elapsed_s, *sorted(name for name in foreign if not name.startswith("_")))
"""


def measure(statement: str) -> tuple[float, list[str]]:
    """(seconds, third-party modules other than numpy) of one fresh interpreter."""
    program = PROGRAM.format(statement=statement)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    elapsed_s, *foreign = done.stdout.split()
    return float(elapsed_s), [name for name in foreign if name != "cython_runtime"]  # a name that NumPy brings


def main() -> int:
    """Print the medians; exit status 1 if it is above the limit or something foreign was imported."""
    good = True
    for statement in STATEMENTS:
        runs = [measure(statement) for _ in range(RUNS)]
        median_s = statistics.median(elapsed_s for elapsed_s, _ in runs)
        foreign = runs[0][1]
        limited = statement == STATEMENTS[0]
        limit = f", limit {LIMIT_S} s" if limited else ""
        beyond = ", ".join(foreign) or "none"
        print(f"{statement}: {median_s:.3f} s (median of {RUNS}{limit}), imports beyond numpy: {beyond}")
        good = good and not foreign and (median_s <= LIMIT_S or not limited)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
