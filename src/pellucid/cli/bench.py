"""`pellucid bench`: how fast well-known networks run on this machine, and how near each kernel is to its limit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._text import say
from pellucid.cli.output import JsonFlag, note, print_json, print_table

if TYPE_CHECKING:
    from pellucid.bench import KernelRate, Limits, Measurement

EXAMPLES = (
    "The small networks, in about a minute:\n   pellucid bench --quick\n\n"
    "All of them, with AlexNet and VGG-16:\n   pellucid bench\n\n"
    "Every kernel there is, each at one typical size:\n   pellucid bench --kernels"
)
app = typer.Typer()
LEAST_SHARE = 0.01
"""Kernels that take less of a step than this are one line together, unless all are asked for."""


@app.command("bench", epilog=EXAMPLES)
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="The small networks only.")] = False,
    network: Annotated[str | None, typer.Option(metavar="MODEL", help="One network only.")] = None,
    kernels: Annotated[
        bool, typer.Option("--kernels", help="No networks: every kernel by itself, at one typical size.")
    ] = False,
    every: Annotated[bool, typer.Option("--all", help="A line for each kernel of a step, however quick.")] = False,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Default: every core this process may use.")] = None,
    json: JsonFlag = False,
) -> None:
    """Measure training and inference of well-known networks, and each kernel beside the machine's limits."""
    from pellucid import bench as measuring
    from pellucid import zoo

    if kernels:
        note("every kernel, one after the other ...")  # a bar would take time from what is measured
        show_kernels(*measuring.measure_kernels(threads), json=json)
        return
    jobs: tuple[measuring.Job, ...] = measuring.QUICK if quick else measuring.FULL
    if network is not None:
        name = zoo.standard_name(network)
        jobs = tuple(job for job in measuring.FULL if job.network == name)
        if not jobs:
            names = sorted({job.network for job in measuring.FULL})
            raise typer.BadParameter(f"{name} is not measured; choose one of {', '.join(names)}")
    found = []
    for job in jobs:
        note(f"{job.network}, {job.work}, batch {job.batch} ...")
        found.append(measuring.run(job, threads))
    if json:
        print_json([asdict(each) for each in found])
        return
    print_table(
        ("network", "work", "batch", "ms a step", "images/s", "memory", "planned"),
        [
            (
                each.network,
                each.work,
                str(each.batch),
                f"{each.ms:.2f}",
                f"{each.images_per_s:,.0f}",
                f"{each.memory_mb:,.0f} MB",
                f"{each.planned_mb:,.0f} MB",
            )
            for each in found
        ],
        right=(2, 3, 4, 5, 6),
    )
    for each in found:
        show_step(each, every=every)


def show_step(found: Measurement, *, every: bool) -> None:
    """What each kernel takes of a step, run by itself."""
    limits, total = found.limits, sum(time.ms for time in found.kernels)
    say(f"{found.network}, {found.work}: kernels one by one\n{limits_line(limits)}")
    shown = [time for time in found.kernels if every or time.ms >= LEAST_SHARE * total]
    rows = [
        (
            time.kernel,
            str(time.count),
            f"{time.ms:.2f}",
            f"{time.ms / total:.0%}",
            f"{time.gflops:.0f}",
            f"{time.gbytes:.1f}",
            f"{limits.share(time.gflops, time.gbytes):.0%}",
        )
        for time in shown
    ]
    others = found.kernels[len(shown) :]
    if others:
        name = "1 other" if len(others) == 1 else f"{len(others)} others"
        ms = sum(time.ms for time in others)
        runs = str(sum(time.count for time in others))
        rows.append((name, runs, f"{ms:.2f}", f"{ms / total:.0%}", "", "", ""))
    print_table(("kernel", "runs", "ms", "of all", "GFLOP/s", "GB/s", "of limit"), rows, right=(1, 2, 3, 4, 5, 6))


def show_kernels(limits: Limits, rates: Sequence[KernelRate], *, json: bool) -> None:
    """Every kernel at one typical size."""
    if json:
        print_json({"limits": asdict(limits), "kernels": [asdict(rate) for rate in rates]})
        return
    say(limits_line(limits))
    rows = [
        (rate.kernel, rate.size, f"{rate.ms:.3f}", f"{rate.gflops:.0f}", f"{rate.gbytes:.1f}", f"{rate.share:.0%}")
        for rate in rates
    ]
    print_table(("kernel", "size", "ms", "GFLOP/s", "GB/s", "of limit"), rows, right=(2, 3, 4, 5))


def limits_line(limits: Limits) -> str:
    """What the machine can do; kernels go by the limit they are nearest to."""
    return (
        f"limits here {limits.gflops:.0f} GFLOP/s (multiply-adds), {limits.gbytes:.0f} GB/s (adding long arrays)\n"
        "of limit: the nearer one, more than 100 % in a cache or by an algorithm that\nsaves operations"
    )
