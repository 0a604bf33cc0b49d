"""A process of its own for what is measured: its memory, threads and libraries are nobody else's."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pellucid import ops
from pellucid.errors import BackendError
from pellucid.ops import native

Found = TypeVar("Found")


def in_fresh_process(what: str, threads: int | None, work: Callable[..., Found], *args: Any) -> Found:
    """What work(*args) gives there, on so many threads (None: as many as there are).

    Errors: those of `work`; BackendError where there are no compiled kernels, or the process died (of too little
    memory, most likely).
    """
    if not native.available:
        raise BackendError(f"there are no compiled kernels to measure: {native.reason}")
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, threads, work, args))
    if sys.platform == "win32":
        process.start()
    else:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the child's mask too: Ctrl-C is for us
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    try:
        found, error = ours.recv()
    except EOFError:
        raise BackendError(f"measuring {what} ended without a result; is there enough memory?") from None
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
    if error is not None:
        raise error
    return found  # type: ignore[no-any-return]


def _work(pipe: Any, threads: int | None, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        if threads is not None:
            ops.set_num_threads(threads)
        pipe.send((work(*args), None))
    except Exception as error:  # for the caller, who raises it
        pipe.send((None, error))
