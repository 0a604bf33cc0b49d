"""`pellucid bench`: how fast the seed networks run on this machine, and how near each kernel is to its limit."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from pellucid.cli.output import JsonFlag, note, print_json, print_table

EXAMPLES = (
    "The small networks, in about a minute:\n\n   pellucid bench --quick\n\n"
    "All of them, with AlexNet and VGG-16:\n\n   pellucid bench"
)
MOST_KERNELS = 6
"""Kernels shown under a network; the rest is short."""


def bench(
    quick: Annotated[bool, typer.Option("--quick", help="The small networks only.")] = False,
    network: Annotated[str | None, typer.Option(metavar="MODEL", help="One network only.")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Default: every core this process may use.")] = None,
    json: JsonFlag = False,
) -> None:
    """Measure training and inference of the seed networks, and each kernel beside the machine's limits."""
    from pellucid import bench as measuring
    from pellucid import zoo

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
        print(
            f"{each.network}, {each.work}: kernels one by one; "
            f"limits here {each.limits.gflops:.0f} GFLOP/s, {each.limits.gbytes:.0f} GB/s"
        )
        rows = [
            (time.kernel, str(time.count), f"{time.ms:.2f}", f"{time.gflops:.0f}", f"{time.gbytes:.1f}")
            for time in each.kernels[:MOST_KERNELS]
        ]
        print_table(("kernel", "runs", "ms", "GFLOP/s", "GB/s"), rows, right=(1, 2, 3, 4))
