"""Standard output and error of a command, such that nothing they do ends its work.

What the console's encoding lacks is spelled out. What cannot be written, to a pipe that nobody reads any more or to a
full disk, is dropped, and said at the end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import sys
from collections.abc import Callable, Iterator


class _Lasting(io.RawIOBase):
    """Writes to another stream until that fails, and then to nowhere."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.failed: OSError | None = None

    def write(self, data: bytes) -> int | None:  # type: ignore[override]  # any buffer
        if self.failed is None:
            try:
                return self._raw.write(data)
            except OSError as error:
                self.failed = error
        return len(data)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def isatty(self) -> bool:
        return self._raw.isatty()


@contextlib.contextmanager
def lasting_output() -> Iterator[Callable[[], str | None]]:
    """For the block, streams that do not fail. Gives what went wrong with standard output, asked after the work.

    That nobody reads on (`pellucid data list | head -1`) is nothing wrong.
    """
    own = sys.stdout, sys.stderr
    lasting = [_replaced(name) for name in ("stdout", "stderr")]

    def failure() -> str | None:
        with contextlib.suppress(AttributeError):  # a program without a console
            sys.stdout.flush()
        failed = lasting[0].failed if lasting[0] is not None else None
        return None if failed is None or failed.errno == errno.EPIPE else failed.strerror or str(failed)

    try:
        yield failure
    finally:
        for stream, replaced in zip((sys.stdout, sys.stderr), lasting, strict=True):
            if replaced is not None:
                stream.flush()
        sys.stdout, sys.stderr = own


def _replaced(name: str) -> _Lasting | None:
    """Put a lasting stream in the place of one of the process's own; another's (a notebook's) stays as it is."""
    stream = getattr(sys, name)
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED nothing lies between
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        return None
    with contextlib.suppress(OSError):
        stream.flush()
    lasting = _Lasting(raw)
    new = io.TextIOWrapper(
        io.BufferedWriter(lasting),  # type: ignore[type-var]
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering or buffer is raw or name == "stderr",
    )
    setattr(sys, name, new)
    return lasting
