"""The compiled kernels: `native.dense(...)`, and so for every row of `ops.table`, makes a `Step`, bound to its arrays.

It takes the arguments of its twin in `reference`, the arrays for the results given; convolutions also take `algorithm`,
a word of arguments.hpp. `run(step)` runs one; `Program(steps)` runs many in one call with the GIL released once. Arrays
are float32 and C-contiguous unless arguments.hpp says otherwise. Whoever calls, no step can be made whose arrays do not
fit each other, or whose sizes exceed its arrays or the kernels' limits: BackendError.

`PELLUCID_ISA` forces an instruction set (baseline, avx2, avx512), `PELLUCID_NUM_THREADS` the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.ops import reference  # noqa: F401 (fills the table)
from pellucid.ops.native.algorithm import (
    choose_direct_convolution,
    conv2d_algorithm,
    convolves_directly,
    direct_convolution,
)
from pellucid.ops.native.conv import conv2d_choice, conv2d_pool_map_pays
from pellucid.ops.native.cost import Cost, cost
from pellucid.ops.native.runtime import (
    MAX_THREADS,
    Program,
    Step,
    available,
    instruction_set,
    instruction_sets,
    num_threads,
    reason,
    recomputed,
    run,
    set_num_threads,
)
from pellucid.ops.native.signature import choices, signatures
from pellucid.ops.native.steps import step, step_maker

__all__ = [
    "MAX_THREADS",
    "Cost",
    "Program",
    "Step",
    "available",
    "choices",
    "choose_direct_convolution",
    "conv2d_algorithm",
    "conv2d_choice",
    "conv2d_pool_map_pays",
    "convolves_directly",
    "cost",
    "direct_convolution",
    "instruction_set",
    "instruction_sets",
    "num_threads",
    "reason",
    "recomputed",
    "run",
    "set_num_threads",
    "signatures",
    "step",
    "step_maker",
]


def __getattr__(name: str) -> Callable[..., Step]:
    """What makes steps of the operation of that name."""
    try:
        return step_maker(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
