"""This tree beside an earlier one, every row of the table: has anything become slower?

    git worktree add ../earlier COMMIT && (cd ../earlier && scripts/build)
    python benchmarks/before.py ../earlier [--rounds 9] [--starts 3] [--only lenet5,cifar-net] [--work train]

Each start is a process of each tree, run by that tree's own contenders.py; their turns alternate, and rounds are kept
as workers.py says. Given are the median of both, the ratio (below 1: this tree is faster), the ratio of the quickest
turns, and the ratio of each start. These differ with where a process's memory happens to lie, by 8 % and more; the
ratio is their median: in a start both trees meet the same minutes of the machine, over all starts they do not.
"""

from __future__ import annotations

import argparse
import os
import statistics
from pathlib import Path

from peers import ROWS, THREADS, Row, close
from workers import HERE, Rounds, Worker, launch, launch_probe, quartiles

TREES = ("earlier", "here")


def start(tree: Path, name: str, row: Row) -> Worker:
    """A worker of this tree, with its own code."""
    os.environ["PYTHONPATH"] = str(tree / "src")
    script = str(tree / "benchmarks" / "contenders.py")
    return launch(name, [script, "pellucid", row.network, row.work, str(row.batch), str(THREADS)], THREADS)


def compare(row: Row, earlier: Path, rounds: int, starts: int) -> str:
    """A line: medians in ms, and ratios."""
    times: dict[str, list[float]] = {name: [] for name in TREES}
    ratios: list[float] = []
    for _ in range(starts):
        trees = zip(TREES, (earlier, HERE.parent), strict=True)
        workers = [start(tree, name, row) for name, tree in trees]
        if not all(worker.ready() for worker in workers):
            close(workers)
            return f"{row.key:25} does not run in both"
        probe, timing = launch_probe(THREADS), Rounds()
        timing.run(probe, workers, row.steps, rounds)
        kept = [timing.kept(worker) for worker in workers]
        close([probe, *workers])
        for name, turns in zip(TREES, kept, strict=True):
            times[name] += turns
        before, here = (quartiles(turns)[1] for turns in kept)
        ratios.append(here / before)
    before, here = (quartiles(times[name])[1] for name in TREES)
    least = min(times["here"]) / min(times["earlier"])
    each = " ".join(f"{ratio:.3f}" for ratio in ratios)
    return f"{row.key:25}{before:10.3f}{here:10.3f}{statistics.median(ratios):8.3f}{least:8.3f}   {each}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("earlier", type=Path, help="another tree of the project, with its extension built")
    parser.add_argument("--rounds", type=int, default=9, help="turns to keep of each start (default 9)")
    parser.add_argument("--starts", type=int, default=3, help="how often both processes are started (default 3)")
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--work", default="", choices=("", "train", "infer"))
    options = parser.parse_args()
    print(f"{'row':25}{'before ms':>10}{'here ms':>10}{'ratio':>8}{'least':>8}   each start", flush=True)
    for row in ROWS:
        if (not options.only or row.network in options.only.split(",")) and options.work in ("", row.work):
            print(compare(row, options.earlier.resolve(), options.rounds, options.starts), flush=True)


if __name__ == "__main__":
    main()
