"""Reading data files: opened as what they are, into memory that was taken beforehand, and a few ahead on threads."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from pellucid.errors import DataError

T = TypeVar("T")
R = TypeVar("R")

PIECE = 1 << 20
"""Bytes asked for at once: packed files unpack so much beside what they fill."""
MAX_THREADS = 16


@contextlib.contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file for reading. Errors: DataError if it cannot be read, or is no file: opening a pipe would wait."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is no file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def fill(file: Any, view: memoryview) -> int:
    """Read bytes until `view` is full or the file ends; how many they are.

    file: anything with `readinto`. view: of bytes.
    """
    done = 0
    while done < len(view):
        count = file.readinto(view[done : done + PIECE])
        if not count:
            break
        done += count
    return done


def in_order(
    work: Callable[[T], R], items: Sequence[T], *, ahead: int | None = None, name: str = "pellucid-decode"
) -> Generator[R, None, None]:
    """work(item) for each item on a few threads, in order; `ahead` items before they are asked for and no more.

    ahead: None for three on each thread. The threads, of this name, end with the last item, on an error, or when the
    generator is closed.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = min(cores, MAX_THREADS, ahead or MAX_THREADS)
    with ThreadPoolExecutor(threads, thread_name_prefix=name) as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > (ahead or 3 * threads):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
