"""What programs of their own steps write for TensorBoard, by TensorFlow's names (extra `tensorboard`)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from pellucid._modules import optional
from pellucid.errors import ConfigError

__all__ = ["create_file_writer", "histogram", "image", "scalar", "text"]


class Writer:
    """Writes into a folder. Errors: ConfigError where tensorboardX is not installed."""

    def __init__(self, logdir: Any) -> None:
        self._file = optional("tensorboardX", "tensorboard", "tf.summary").SummaryWriter(os.fspath(logdir))

    @contextmanager
    def as_default(self, step: Any = None) -> Iterator[Writer]:
        """A block in which `scalar` and its like write here; step: where they do not say one."""
        token = _current.set((self, step))
        try:
            yield self
        finally:
            _current.reset(token)
            self.flush()

    def set_as_default(self, step: Any = None) -> None:
        """From now on they write here."""
        _current.set((self, step))

    def flush(self) -> None:
        """Bring what is written to the disk."""
        self._file.flush()

    def close(self) -> None:
        """No more is written."""
        self._file.close()

    def write(self, what: str, name: str, data: Any, step: Any, **more: Any) -> None:
        """One value of a kind that tensorboardX knows."""
        getattr(self._file, f"add_{what}")(name, data, global_step=int(step), **more)


_current: ContextVar[tuple[Writer, Any] | None] = ContextVar("_current", default=None)


def create_file_writer(logdir: Any, *_: Any, **__: Any) -> Writer:
    """What writes into a folder; how much is kept before it is written changes nothing."""
    return Writer(logdir)


def _write(what: str, name: str, data: Any, step: Any, **more: Any) -> bool:
    current = _current.get()
    if current is None:
        return False
    at = current[1] if step is None else step
    if at is None:
        raise ConfigError(f"tf.summary.{what}: say step=, or as_default(step=...)")
    current[0].write(what, name, data, np.asarray(at), **more)
    return True


def scalar(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """A number. False where no writer is the default."""
    return _write("scalar", name, float(np.asarray(data)), step)


def histogram(name: str, data: Any, step: Any = None, buckets: int | None = None, description: Any = None) -> bool:
    """How numbers are distributed."""
    return _write("histogram", name, np.asarray(data).reshape(-1), step, max_bins=buckets)


def image(name: str, data: Any, step: Any = None, max_outputs: int = 3, description: Any = None) -> bool:
    """Pictures: bytes, or floats from 0 to 1. Shapes: (N,H,W,C)."""
    return _write("images", name, np.asarray(data)[:max_outputs], step, dataformats="NHWC")


def text(name: str, data: Any, step: Any = None, description: Any = None) -> bool:
    """Words, or a list of such."""
    return _write("text", name, "\n\n".join(map(str, np.atleast_1d(np.asarray(data)))), step)
