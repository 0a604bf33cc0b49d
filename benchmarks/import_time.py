"""How long `import pellucid` takes, and what it imports: the median of five fresh interpreters.

Run: python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 5
LIMIT_S = 0.3

PROGRAM = """
import sys, time
start = time.perf_counter()
import pellucid
elapsed_s = time.perf_counter() - start
foreign = {name.partition(".")[0] for name in sys.modules} - set(sys.stdlib_module_names) - {"pellucid", "numpy"}
print(elapsed_s, *sorted(name for name in foreign if not name.startswith("_")))
"""


def measure() -> tuple[float, list[str]]:
    """(seconds, third-party modules other than numpy) of one fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    elapsed_s, *foreign = done.stdout.split()
    return float(elapsed_s), foreign


def main() -> int:
    """Print the median; exit status 1 if it is above the limit or something foreign was imported."""
    runs = [measure() for _ in range(RUNS)]
    median_s = statistics.median(elapsed_s for elapsed_s, _ in runs)
    foreign = runs[0][1]
    print(f"import pellucid: median of {RUNS}: {median_s:.3f} s (limit {LIMIT_S} s)")
    print(f"imports beyond numpy and its own modules: {', '.join(foreign) or 'none'}")
    return int(median_s > LIMIT_S or bool(foreign))


if __name__ == "__main__":
    sys.exit(main())
