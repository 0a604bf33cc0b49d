"""Every kernel where no memory is to be had: run by tests/test_threads.py, in a process of its own.

Prints, as JSON, the kernels that ended in a MemoryError while the calling thread had no scratch memory (starved), and
those that did although only the other threads had none (failed). What a kernel computes afterwards, or in spite of it,
must be what it computes in plenty; anything else ends the process with status 1.
"""

from __future__ import annotations

import ctypes
import json
import resource
import sys
import threading
from collections.abc import Callable

import steps

from pellucid.ops import native

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
taken = (ctypes.c_void_p * 2**20)()


def starving(work: Callable[[], object]) -> bool:
    """Whether work raised MemoryError when no page was left to this process."""
    count = 0
    resource.setrlimit(resource.RLIMIT_AS, (2**20, resource.RLIM_INFINITY))
    try:
        for size in (2**16, 2**12, 2**10):  # what the allocator still holds
            while count < len(taken) and (place := libc.malloc(size)):
                taken[count], count = place, count + 1
        work()
        return False
    except MemoryError:
        return True
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        for i in range(count):
            libc.free(taken[i])


def results(build: steps.Build) -> list[bytes]:
    step, outputs = build(steps.Arrays(9))
    native.run(step)
    return [out.tobytes() for out in outputs]


def meet(build: steps.Build, expected: list[bytes], alone: bool, found: list[str]) -> None:
    step, outputs = build(steps.Arrays(9))
    program = native.Program([step])
    if alone:  # with threads of its own, which have no scratch yet, while this one has
        native.set_num_threads(1)
        results(build)
        native.set_num_threads(3)
        results(steps.BUILDS["fma_probe"])
    if starving(program.run):
        found.append(step.kernel)
        program.run()
    if [out.tobytes() for out in outputs] != expected:
        print(f"{step.kernel} computes something else afterwards", file=sys.stderr)
        found.append("wrong")


def sweep(alone: bool) -> list[str]:
    found: list[str] = []
    for build in steps.BATCHED + steps.FLAT:
        thread = threading.Thread(
            target=meet, args=(build, results(build), alone, found)
        )  # a thread without scratch memory
        thread.start()
        thread.join()
    return found


native.set_num_threads(1)
starved = sweep(alone=False)
native.set_num_threads(3)
starved += sweep(alone=False)
failed = sweep(alone=True)
print(json.dumps({"starved": sorted(set(starved)), "failed": failed}))
sys.exit("wrong" in starved + failed)
