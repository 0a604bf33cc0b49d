"""The compiled kernels: `native.dense(...)`, and so for every row of `ops.table`, makes a `Step`, bound to its arrays.

It takes the arguments of its twin in `reference`, the arrays for the results given; convolutions also take `algorithm`,
a word of choices.hpp. `run(step)` runs one; `Program(steps)` runs many in one call with the GIL released once. Arrays
are float32 and C-contiguous unless arguments.hpp says otherwise. Whoever calls, no step can be made whose arrays do not
fit each other, or whose sizes exceed its arrays or the kernels' limits: BackendError.

`PELLUCID_ISA` forces an instruction set (baseline, avx2, avx512; neon on arm64), `PELLUCID_NUM_THREADS` the number of
threads.
"""

from __future__ import annotations

from collections.abc import Callable

from pellucid.ops import reference  # noqa: F401 (fills the table)
from pellucid.ops.native.algorithm import choose_direct_convolution as choose_direct_convolution
from pellucid.ops.native.algorithm import conv2d_algorithm as conv2d_algorithm
from pellucid.ops.native.algorithm import convolves_directly as convolves_directly
from pellucid.ops.native.algorithm import direct_convolution as direct_convolution
from pellucid.ops.native.conv import conv2d_choice as conv2d_choice
from pellucid.ops.native.conv import conv2d_norm_runs as conv2d_norm_runs
from pellucid.ops.native.conv import conv2d_pool_map_pays as conv2d_pool_map_pays
from pellucid.ops.native.conv import expanded_conv2d_norm_runs as expanded_conv2d_norm_runs
from pellucid.ops.native.conv import inverted_residual_runs as inverted_residual_runs
from pellucid.ops.native.cost import Cost as Cost
from pellucid.ops.native.cost import cost as cost
from pellucid.ops.native.runtime import MAX_THREADS as MAX_THREADS
from pellucid.ops.native.runtime import Program as Program
from pellucid.ops.native.runtime import Snapshot as Snapshot
from pellucid.ops.native.runtime import Step as Step
from pellucid.ops.native.runtime import available as available
from pellucid.ops.native.runtime import instruction_set as instruction_set
from pellucid.ops.native.runtime import instruction_sets as instruction_sets
from pellucid.ops.native.runtime import num_threads as num_threads
from pellucid.ops.native.runtime import reason as reason
from pellucid.ops.native.runtime import recomputed as recomputed
from pellucid.ops.native.runtime import run as run
from pellucid.ops.native.runtime import set_num_threads as set_num_threads
from pellucid.ops.native.runtime import vector_floats as vector_floats
from pellucid.ops.native.signature import choices as choices
from pellucid.ops.native.signature import signatures as signatures
from pellucid.ops.native.steps import step as step
from pellucid.ops.native.steps import step_maker as step_maker


def __getattr__(name: str) -> Callable[..., Step]:
    """What makes steps of the operation of that name."""
    try:
        return step_maker(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
