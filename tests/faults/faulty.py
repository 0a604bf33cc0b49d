"""The system calls of `pellucid.atomic.replacing`, one of which goes wrong."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from pellucid import atomic


@dataclass
class Fault:
    """What goes wrong at call number `at`, counted from 1 over all calls (`only`: over those of this name).

    kind: "die" is kill -9 before the call; "tear" the same after half of what was to be written; "error" the call's
    failure with `errno`; "tell" no more than a byte to `handle`, where somebody waits to kill it from outside.
    at=0: nothing, but `calls` tells what was called.
    """

    kind: str = "die"
    at: int = 0
    errno: int = 0
    only: str = ""
    handle: int = -1
    calls: list[str] = field(default_factory=list)

    def come(self, name: str, half: Callable[[], object] | None = None) -> None:
        if self.only not in ("", name):
            return
        self.calls.append(name)
        if len(self.calls) != self.at:
            return
        if self.kind == "tell":
            os.write(self.handle, b".")
        elif self.kind == "error":
            raise OSError(self.errno, os.strerror(self.errno))
        else:
            if self.kind == "tear" and half is not None:
                half()
            os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Let it come in this process, from now on."""
        atomic.os = _Os(self)  # type: ignore[assignment]


class _Os:
    """The module `os`, with the calls that make, fill, flush, rename and remove files."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, *arguments: Any) -> int:
        self._fault.come("open")
        return os.open(*arguments)

    def fdopen(self, handle: int, mode: str) -> _File:
        return _File(os.fdopen(handle, mode), self._fault)

    def fsync(self, handle: int) -> None:
        self._fault.come("fsync")
        os.fsync(handle)

    def replace(self, *paths: Any) -> None:
        self._fault.come("replace")
        os.replace(*paths)

    def unlink(self, path: Any) -> None:
        self._fault.come("unlink")
        os.unlink(path)


class _File:
    def __init__(self, file: IO[bytes], fault: Fault) -> None:
        self._file, self._fault = file, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        self._fault.come("write", lambda: (self._file.write(view[: len(view) // 2]), self._file.flush()))
        return self._file.write(data)

    def flush(self) -> None:
        self._fault.come("flush")
        self._file.flush()
