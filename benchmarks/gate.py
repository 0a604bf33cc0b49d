"""Has any row become slower since it was recorded? All rows of peers.py in one sitting, beside those in its results.

    python benchmarks/gate.py [--rounds 7] [--only lenet5,cifar-net] [--work train] [--compile] [--record]

What is compared is the ratio to the fastest peer, measured in the same minutes, and our memory. A row has fallen where
it lost more than FALL of its recorded ratio, has grown where it takes as much more memory, and is below where the ratio
is less than its floor. Rows of another processor are compared too: their commit and machine are named. Ends with status
1 where anything fell, grew or is below. --record keeps what was measured as the new record (peers.py --write draws it).
A row that fell deserves before.py, which runs two trees in turn.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import peers

FALL = 0.05


def verdicts(now: dict[str, Any], before: dict[str, Any] | None) -> Iterator[str]:
    """What is wrong with a row, in words."""
    if now["ratio"] is None:
        yield f"no ratio: {now['rounds_kept']} of {now['rounds']} rounds were quiet"
        return
    if now["ratio"] < now["floor"]:
        yield f"below its floor: {now['ratio']:.2f} of {now['floor']:g}"
    if before is None or before["ratio"] is None:
        return
    if now["ratio"] < (1 - FALL) * before["ratio"]:
        share = now["ratio"] / before["ratio"] - 1
        yield f"fell: {now['ratio']:.2f}, was {before['ratio']:.2f} at {before['measured']['commit']} ({share:+.0%})"
    held, was = now["memory_mb"].get("pellucid"), before["memory_mb"].get("pellucid")
    if held and was and held > (1 + FALL) * was:
        yield f"grew: {held:,.0f} MB, was {was:,.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="rounds to keep (default 7)")
    parser.add_argument("--only", default="", help="networks, with commas between")
    parser.add_argument("--work", default="", choices=("", "train", "infer"))
    parser.add_argument("--compile", action="store_true", help="measure torch.compile too, which is slow to start")
    parser.add_argument("--record", action="store_true", help="keep what was measured as the new record")
    options = parser.parse_args()
    recorded = json.loads(peers.RESULTS.read_text()) if peers.RESULTS.exists() else {"rows": {}, "about": {}}
    about = machine.describe()
    if recorded["about"].get("processor") not in (None, about["processor"]):
        print(f"the record is of another processor: {recorded['about']['processor']['family']}")
    wrong = 0
    contenders = peers.find_peers(compile_too=options.compile, keras_python=sys.executable, record=False)
    with tempfile.TemporaryDirectory() as folder:
        stored = machine.Stored(peers.RESULTS if options.record else Path(folder) / "peers.json", about)
        for row in peers.chosen_rows(options.only, options.work):
            now = peers.compare(row, contenders, options.rounds, stored.largest("probe_best"))
            stored.put(row.key, now)
            print(peers.line(now), flush=True)
            before = recorded["rows"].get(row.key)
            said = list(verdicts(now, before and {"measured": recorded["about"], **before}))
            wrong += len(said)
            print(*(f"    {each}\n" for each in said), sep="", end="", flush=True)
    print(f"{wrong} of these are wrong" if wrong else "nothing fell, grew or is below its floor")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
