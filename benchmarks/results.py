"""Writes benchmarks/RESULTS.md from what the benchmarks left in benchmarks/results.

    python benchmarks/results.py

There is a folder of results for each instruction set, measured on a machine of its own; the widest becomes RESULTS.md,
another one RESULTS-avx2.md. What a measurement means stands in the file itself; hand-written remarks (what bounds a
row, what was tried) are taken from notes.md in the folder where there is one.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import machine
from growth import CURVES
from peers import ROWS, least_memory

ISAS = {"avx512": "AVX-512", "avx2": "AVX2", "baseline": "the baseline of x86-64"}
SHARES = ("cost", "cost_of_process", "python_keeps")
GAIN_FLOOR, BUSY_CEILING = 0.9, 0.1
NAMES = {
    "pellucid": "Pellucid",
    "torch-eager": "PyTorch",
    "torch-channels_last": "PyTorch channels_last",
    "torch-compile": "torch.compile",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO f32",
    "openvino-default": "OpenVINO as it comes",
    "keras-tensorflow": "Keras, TensorFlow",
    "keras-tensorflow-xla": "Keras, TensorFlow XLA",
    "keras-jax": "Keras, JAX",
}
WORKS = {"train": "training step", "infer": "inference"}

ROUNDS_TOLD = """\
Medians and quartiles over interleaved rounds with two threads; the ratio is the fastest peer's median over ours. Only
peers that compute in float32 count. A contender's turn in which a multiply-add loop, timed before and after it, is
below 80 % of its best is thrown away; "turns kept" are those of the contender that has fewest.
"""
EVERYBODY_TOLD = """\
Medians of everybody, training step, in ms. Keras is measured for the record, in fewer rounds of its own.
"""
MEMORY_TOLD = """\
Peak resident memory of a step in its stride, over what was resident before the network was built and after the library
was loaded and used once (engines for inference: loaded). glibc as it comes, but for torch.compile, where it keeps its
memory.
"""
MNIST_TOLD = """\
MNIST, batch 100, Adam: `pellucid train` beside `benchmarks/mnist_torch.py`, wall time of whole processes.
"""
ACCURACY_TOLD = """\
The same training with the cost model's choice of algorithms (Winograd's where it is cheaper) and with direct
convolution everywhere: test pictures right after the last epoch, `benchmarks/accuracy.py`. In `simple-convnet`
the algorithm runs forward only, along rows.
"""
SCRATCH_TOLD = """\
The page's run of 20 epochs, by steps and judgements of 500 pictures timed in turn in processes of their own
(`benchmarks/scratch.py`): the page's own code on NumPy; the page's class with only its imports changed; and
`SimpleConvNet` of `pellucid.scratch`. 20 epochs are 12,000 steps and 100 judgements.
"""
BUSY_TOLD = """\
SimpleConvNet's training step while a Python thread of the same process loops. With a kernel thread for every core that
thread takes a share of one; with one kernel thread less there is a core for it. The same loop in another process costs
what the machine loses, without the interpreter's part.
"""


def load(folder: Path, name: str) -> dict[str, Any]:
    """A file of results; empty where there is none."""
    path = folder / f"{name}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 2) -> str:
    """A table in Markdown; columns from `left` on are flush right."""
    rule = ["---" if i < left else "---:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, rule, *rows]) + "\n"


def number(value: float | None) -> str:
    """Three digits."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(values: Sequence[float] | None) -> str:
    """A median with its quartiles."""
    return f"{number(values[1])} ({number(values[0])} to {number(values[2])})" if values else "-"


def rows_in_order(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows measured, in the order of the table of floors."""
    return [found["rows"][row.key] for row in ROWS if row.key in found.get("rows", {})]


def about(files: Sequence[dict[str, Any]]) -> str:
    """Each machine, the versions there, and when what was run on it."""
    machines: dict[str, list[str]] = {}
    for each in files:
        told, cpu = each["about"], each["about"]["processor"]
        caches = ", ".join(f"{level} {size}" for level, size in cpu["caches"].items())
        machine_told = (
            f"- Processor: {cpu['name']} ({cpu['family'] or 'family unknown'}), {cpu['cores']} cores; {caches}; "
            + ", ".join(cpu["instruction_sets"])
            + f"\n- Memory {told['memory_gb']:.0f} GB; {told['system']}; Python {told['python']}"
        )
        versions = "- " + ", ".join(f"{name} {version}" for name, version in told["versions"].items())
        runs = [row.get("measured", told) for row in each.get("rows", {"": each}).values()]
        machines.setdefault(machine_told, [versions]).extend(
            f"- `{run['command']}` on {run['date']}, commit {run['commit']}" for run in runs
        )
    return "\n".join(
        "\n".join([machine_told, *dict.fromkeys(lines)]) + "\n" for machine_told, lines in machines.items()
    )


def comparison(found: dict[str, Any]) -> str:
    """Ours and the fastest peer, with the floor."""
    rows = []
    for row in rows_in_order(found):
        ours, theirs = (row["quartiles_ms"].get(name) for name in ("pellucid", row["fastest_peer"]))
        ratio = f"{row['ratio']:.2f}" if row["ratio"] else "too few quiet rounds"
        cells = [row["network"], WORKS[row["work"]], str(row["batch"]), spread(ours)]
        cells += [f"{spread(theirs)} {NAMES.get(row['fastest_peer'], '')}", ratio, f"{row['floor']:g}"]
        rows.append([*cells, f"{row['rounds_kept']} of {row['rounds']}"])
    header = ("network", "work", "batch", "ours ms", "fastest peer ms", "ratio", "at least", "turns kept")
    return table(header, rows)


def everybody(found: dict[str, Any], work: str) -> str:
    """Medians of all contenders; Keras for the record."""
    rows = [row for row in rows_in_order(found) if row["work"] == work]
    names = [name for name in NAMES if any(name in row["quartiles_ms"] or name in row["recorded"] for row in rows)]

    def median(row: dict[str, Any], name: str) -> float | None:
        values = row["quartiles_ms"].get(name) or row["recorded"].get(name, {}).get("ms")
        return values[1] if values else None

    cells = [[row["network"], str(row["batch"]), *(number(median(row, name)) for name in names)] for row in rows]
    return table(("network", "batch", *(NAMES[name] for name in names)), cells, left=1)


def memory(found: dict[str, Any]) -> str:
    """Peak memory of a step, and ours over the least of the peers'."""
    rows = []
    for row in rows_in_order(found):
        ours, least = row["memory_mb"].get("pellucid"), least_memory(row)
        peers = {name: mb for name, mb in row["memory_mb"].items() if mb is not None and name != "pellucid"}
        whose = NAMES[min(peers, key=peers.__getitem__)] if peers else ""
        share = f"{ours / least:.2f}" if ours and least else "-"
        rows.append(
            [row["network"], WORKS[row["work"]], str(row["batch"]), number(ours), f"{number(least)} {whose}", share]
        )
    return table(("network", "work", "batch", "ours MB", "least of the peers MB", "ours / least"), rows)


def thread_gains(found: dict[str, Any]) -> str:
    """What all cores make of a training step over what each makes alone, beside the loop's; quartiles in brackets."""
    gains = [row for key, row in found["rows"].items() if key.startswith("gain/") and row["gain"]]
    cells = [
        [row["network"], str(row["threads"]),
         *(f"{row[name]:.2f} ({' to '.join(f'{edge:.2f}' for edge in row[f'{name}_quartiles'][::2])})"
           for name in ("gain", "probe_gain")),
         f"{row['gain'] / row['probe_gain']:.0%}", f"{row['rounds_kept']} of {row['rounds']}"]
        for row in gains
    ]  # fmt: skip
    header = ("network", "threads", "gain", "gain of the multiply-add loop", "share", "rounds kept")
    return table(header, cells, left=1)


def busy_costs(found: dict[str, Any]) -> str:
    """Training beside a busy Python thread."""
    rows = [row for key, row in found["rows"].items() if key.startswith("busy/")]
    cells = [
        [str(row["threads"]), number(row["alone_ms"]), number(row["beside_ms"]), *(f"{row[k]:.0%}" for k in SHARES)]
        for row in rows
    ]
    return table(
        ("kernel threads", "alone ms", "beside it ms", "cost", "cost of a process", "the loop keeps"), cells, left=0
    )


def mnist_runs(found: dict[str, Any]) -> str:
    """Whole runs."""
    cells = []
    for row in found["rows"].values():
        ours, theirs = statistics.median(row["ours_s"]), statistics.median(row["theirs_s"])
        accuracies = f"{row['ours_accuracy']:.2%} and {row['theirs_accuracy']:.2%}"
        machine_told = "quiet" if row["quiet"] else f"loaded: probe down to {row['slowest_probe']:.0%}"
        times = [number(ours), number(theirs), f"{theirs / ours:.2f}", f"{row['floor']:g}"]
        cells.append([str(row["epochs"]), *times, accuracies, machine_told])
    header = ("epochs", "ours s", "PyTorch s", "ratio", "at least", "test accuracy, ours and theirs", "the machine")
    return table(header, cells, left=0)


def scratch_runs(found: dict[str, Any]) -> str:
    """The page's run on NumPy and on our kernels."""
    row = found["rows"]["steps"]
    cells = []
    for name, times in row["quartiles_ms"].items():
        ratio = row["ratio"].get(name)
        least = f"{row['floor']:g}" if name == "ours" else ""
        works = [spread(times[work]) for work in ("step", "judgement")]
        cells.append([name, *works, number(row["run_s"][name]), f"{ratio:.1f}" if ratio else "", least])
    text = table(("code", "step ms", "judgement ms", "20 epochs s", "ratio", "at least"), cells, left=1)
    text += f"\n{row['rounds_kept']} of {row['rounds']} turns kept.\n"
    whole = found["rows"].get("whole")
    if whole:
        text += (
            f"Ours by the clock, loading included: {whole['elapsed_s']:.0f} s, {whole['right']:,} of 10,000 test "
            "pictures right.\n"
        )
    return text


def accuracies(found: dict[str, Any]) -> str:
    """Accuracy with and without Winograd's algorithm."""
    cells = []
    for row in found["rows"].values():
        values = [
            f"{row['mean'][name]:.2f} % ({', '.join(f'{value:.2f}' for value in row['accuracy'][name])})"
            for name in ("chosen", "direct")
        ]
        error = f" ± {row['error']:.2f}" if row["error"] is not None else ""
        cells.append([row["run"], str(row["epochs"]), *values, f"{row['difference']:+.2f}{error}"])
    header = ("run", "epochs", "as chosen: mean (each seed)", "direct: mean (each seed)", "difference, points")
    return table(header, cells, left=1)


def shortcomings(
    peers: dict[str, Any],
    threads: dict[str, Any],
    mnist: dict[str, Any],
    accuracy: dict[str, Any],
    scratch: dict[str, Any],
) -> list[str]:
    """Every figure that is not where it should be, from the numbers alone."""
    found = []
    for row in rows_in_order(peers):
        name = f"{row['network']}, {WORKS[row['work']]}, batch {row['batch']}"
        if row["ratio"] is None:
            found.append(f"{name}: no ratio, {row['rounds_kept']} of {row['rounds']} rounds were quiet for all")
        elif row["ratio"] < row["floor"]:
            found.append(
                f"{name}: {row['ratio']:.2f} times as fast as {NAMES[row['fastest_peer']]}, not {row['floor']:g}"
            )
        ours, least = row["memory_mb"].get("pellucid"), least_memory(row)
        if ours and least and ours > least:
            found.append(f"{name}: takes {number(ours)} MB, the least of the peers {number(least)} MB")
    for key, row in threads.get("rows", {}).items():
        if key.startswith("gain/") and row["gain"] and row["gain"] < GAIN_FLOOR * row["probe_gain"]:
            share = row["gain"] / row["probe_gain"]
            found.append(
                f"{row['network']}: {row['threads']} threads gain {share:.0%} of what the loop gains, not 90 %"
            )
        if key.startswith("busy/") and row["cost"] > BUSY_CEILING:
            found.append(f"a busy Python thread beside {row['threads']} kernel threads costs {row['cost']:.0%}")
    for row in mnist.get("rows", {}).values():
        ratio = statistics.median(row["theirs_s"]) / statistics.median(row["ours_s"])
        if ratio < row["floor"]:
            found.append(f"MNIST, {row['epochs']} epochs: {ratio:.2f} times as fast as PyTorch, not {row['floor']:g}")
    for row in accuracy.get("rows", {}).values():
        if abs(row["difference"]) > row["target"]:
            found.append(f"{row['run']}: Winograd's algorithm moves accuracy by {row['difference']:+.2f} points")
    if steps := scratch.get("rows", {}).get("steps"):
        ratio = steps["ratio"].get("ours")
        if ratio is None:
            found.append("pellucid.scratch, 20 epochs: no ratio, too few rounds were quiet")
        elif ratio < steps["floor"]:
            found.append(f"pellucid.scratch, 20 epochs: {ratio:.1f} times as fast as the page, not {steps['floor']:g}")
    return found


def growth_curves(found: dict[str, Any], isa: str) -> str:
    """The curves there are."""
    drawn = [curve for curve in CURVES if curve.name in found["rows"]]
    pictures = (
        f"![{curve.title}, by {curve.label}](../docs/images/growth-{curve.name}-{isa}.svg)\n" for curve in drawn
    )
    return "\n".join([f"Numbers: [growth.json](results/{isa}/growth.json).\n", *pictures])


def settings_told(peers: dict[str, Any]) -> str:
    """What inference engines say of themselves."""
    told = {f"{NAMES[name]}: {note}" for row in rows_in_order(peers) for name, note in row["notes"].items()}
    notes = [row["notes"] for row in rows_in_order(peers) if "openvino" in row["notes"]]
    same = bool(notes) and all(each["openvino"] == each.get("openvino-default") for each in notes)
    told |= {"OpenVINO's two modes coincide on this processor"} if same else set()
    return "; ".join(sorted(told))


def compose(folder: Path, others: Sequence[str] = ()) -> str:
    """The whole file of one instruction set's results. others: where those of the others are."""
    peers, threads, growth, mnist, accuracy, scratch = (
        load(folder, name) for name in ("peers", "threads", "growth", "mnist_run", "accuracy", "scratch")
    )
    present = [each for each in (peers, threads, growth, mnist, accuracy, scratch) if each]
    if not present:
        raise SystemExit(f"there are no results in {folder.name}; run benchmarks/peers.py first")
    isa = f" with {ISAS[folder.name]}" if folder.name in ISAS else ""
    told = "Written by `benchmarks/results.py`; how to measure stands in [README.md](README.md)."
    elsewhere = f" On another machine, {', '.join(others)}." if others else ""
    parts = [f"# Results{isa}\n", f"{told}{elsewhere}\n"]
    parts += ["## The machine\n", about(present)]
    if peers:
        parts += [
            "## Beside the peers\n",
            ROUNDS_TOLD,
            comparison(peers),
            EVERYBODY_TOLD,
            everybody(peers, "train"),
            "Inference, in ms.\n",
            everybody(peers, "infer"),
        ]
        if told := settings_told(peers):
            parts.append(f"Settings the engines report: {told}.\n")
        parts += [
            "## Memory\n",
            MEMORY_TOLD,
            memory(peers),
        ]
    if mnist:
        parts += [
            "## A whole run\n",
            MNIST_TOLD,
            mnist_runs(mnist),
        ]
    if scratch:
        parts += ["## The book's own code\n", SCRATCH_TOLD, scratch_runs(scratch)]
    if threads:
        parts += [
            "## Threads\n",
            thread_gains(threads),
            BUSY_TOLD,
            busy_costs(threads),
        ]
    if growth:
        parts += ["## How cost grows\n", growth_curves(growth, folder.name)]
    if accuracy:
        parts += ["## Accuracy with Winograd's algorithm\n", ACCURACY_TOLD, accuracies(accuracy)]
    weak = shortcomings(peers, threads, mnist, accuracy, scratch)
    parts += [
        "## What is weak\n",
        "".join(f"- {each}\n" for each in weak) or "Nothing measured here is below its floor.\n",
    ]
    notes = folder / "notes.md"
    return "\n".join([*parts, *([notes.read_text()] if notes.exists() else [])])


def pages(folder: Path) -> dict[str, str]:
    """The file of each instruction set that was measured, the widest first."""
    found = [isa for isa in ISAS if (folder / isa).is_dir()]
    return {isa: f"RESULTS-{isa}.md" if i else "RESULTS.md" for i, isa in enumerate(found)}


def write(folder: Path = machine.HERE) -> None:
    """Make the files anew."""
    named = pages(folder / "results")
    for isa, page in named.items():
        others = [f"with {ISAS[other]}: [{name}]({name})" for other, name in named.items() if other != isa]
        (folder / page).write_text(compose(folder / "results" / isa, others), encoding="utf-8")
        print(f"wrote {page}")


if __name__ == "__main__":
    write()
