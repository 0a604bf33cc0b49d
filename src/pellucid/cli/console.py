"""Standard output and error of a command, such that nothing they do ends its work.

What the console's encoding lacks is spelled out. What cannot be written, to a pipe that nobody reads any more or to a
full disk, is dropped, and said at the end.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import sys
import warnings
from collections.abc import Callable, Iterator

from pellucid._text import note


class RunAfterwards(Exception):
    """Ends the command line; the work is done, and gives the exit status, when nothing of it stands around any more."""

    def __init__(self, work: Callable[[], int]) -> None:
        super().__init__(work)
        self.work = work


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


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Every warning within, Python's and what libraries log, is one line, without the place where it arose."""
    handler = _Warned(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".* encountered in ", RuntimeWarning)  # NumPy's, of NaN and infinity
            warnings.showwarning = lambda message, *_, **__: _warn(str(message))
            yield
    finally:
        logging.getLogger().removeHandler(handler)


class _Warned(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _warn(record.getMessage())


def _warn(text: str) -> None:
    note(f"warning: {' '.join(text.split())}")
