"""How fast it is here.

networks.py measures whole steps of well-known networks; kernels.py every registered kernel at one typical size;
limits.py what the machine can do, which both stand beside. Each measures in a fresh process: process.py.
"""

from __future__ import annotations

from pellucid.bench.kernels import KernelRate as KernelRate
from pellucid.bench.kernels import measure_kernels as measure_kernels
from pellucid.bench.limits import Limits as Limits
from pellucid.bench.limits import probe_limits as probe_limits
from pellucid.bench.networks import FULL as FULL
from pellucid.bench.networks import QUICK as QUICK
from pellucid.bench.networks import Job as Job
from pellucid.bench.networks import KernelTime as KernelTime
from pellucid.bench.networks import Measurement as Measurement
from pellucid.bench.networks import kernel_times as kernel_times
from pellucid.bench.networks import measure as measure
from pellucid.bench.networks import run as run
