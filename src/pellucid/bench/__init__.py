"""How fast it is here.

networks.py measures whole steps of well-known networks; kernels.py every registered kernel at one typical size;
limits.py what the machine can do, which both stand beside.
"""

from __future__ import annotations

from pellucid.bench.kernels import KernelRate, kernel_names, measure_kernels
from pellucid.bench.limits import Limits, probe_limits
from pellucid.bench.networks import FULL, QUICK, Job, KernelTime, Measurement, kernel_times, measure, run

__all__ = [
    "FULL",
    "QUICK",
    "Job",
    "KernelRate",
    "KernelTime",
    "Limits",
    "Measurement",
    "kernel_names",
    "kernel_times",
    "measure",
    "measure_kernels",
    "probe_limits",
    "run",
]
