"""Keras's files: .h5 and .weights.h5, and the .keras archive around one.

An HDF5 file is opened by h5py in a process of its own (hdf5_reader.py), under limits; this module asks it for the
index, and for arrays by name, and trusts neither.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.convert.keras import KerasWeights, version_of
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.files.reading import PIECE, fill
from pellucid.files.safe_zip import ZIP_ERRORS, is_plain, open_zip, read_member
from pellucid.ops.geometry import Array

ZIP_START = b"PK\x03\x04"
HDF5_START = b"\x89HDF\r\n\x1a\n"
ANSWER_S = 300
"""How long the reading process may take over one answer."""
MAX_INDEX_BYTES = 32 << 20
MAX_CONFIG_BYTES = 8 << 20
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MAX_UNPACKED, SPARE_BYTES = 16, 1 << 20
"""Weights may take this many times their bytes in the archive, and so many more."""

_READER = Path(__file__).with_name("hdf5_reader.py")


class KerasFile(KerasWeights):
    """An .h5, of weights or of a whole model. hdf5: where its HDF5 lies, if not at `path`.

    Errors: ConfigError where h5py is not installed; CheckpointError for what the reading process refuses.
    """

    def __init__(self, path: Path, hdf5: Path | None = None) -> None:
        super().__init__(path)
        if importlib.util.find_spec("h5py") is None:
            raise ConfigError(f"{path}: Keras's files need h5py, which is not installed; pip install 'pellucid[h5]'")
        environment = {
            **os.environ,
            "HDF5_PLUGIN_PRELOAD": "::",  # no filters from outside the library
            "HDF5_USE_FILE_LOCKING": "FALSE",  # a stick may be read-only
            "OPENBLAS_NUM_THREADS": "1",  # its threads would take the memory that is allowed
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_READER), str(hdf5 or path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            self.take_index(self._answer())
            self.form = f"Keras weights ({'.weights.h5' if self.style == 'keras3' else '.h5'})"
        except BaseException:
            self.close()
            raise

    def read(self, name: str) -> Array:
        expected = math.prod(self.tensors[name].shape) * 4
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(name).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            self.refuse(f"{name}: the process that reads it has ended", error)
        answer = self._answer()
        if answer.get("bytes") != expected:
            self.refuse(f"{name}: expected {expected} bytes, its reader has {answer.get('bytes')!r}")
        numbers = np.empty(self.tensors[name].shape, np.dtype("<f4"))
        with _deadline(self._process):
            done = fill(self._process.stdout, numbers.reshape(-1).view(np.uint8).data)
        if done < expected:
            self.refuse(f"{name}: ended after {done} of {expected} bytes; use another copy of the file")
        return numbers

    def _answer(self) -> dict[str, Any]:
        """One line of the process's, or its refusal."""
        assert self._process.stdout is not None
        with _deadline(self._process):
            line = self._process.stdout.readline(MAX_INDEX_BYTES)
        try:
            answer = json.loads(line)
        except ValueError as error:
            self.refuse("could not be read within the limits of memory and time; is it whole?", error)
        if not isinstance(answer, dict) or "error" in answer:
            self.refuse(str(answer.get("error") if isinstance(answer, dict) else answer))
        return answer

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def _deadline(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends a process that has not answered in time."""
    timer = threading.Timer(ANSWER_S, process.kill)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class KerasArchive(KerasFile):
    """A .keras: a zip archive of config.json, metadata.json and model.weights.h5, which is unpacked into a folder that
    goes with it.

    Errors: CheckpointError for an archive without these, and for weights that unpack to far more than they take.
    """

    def __init__(self, path: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pellucid-")
        try:
            unpacked = Path(self._folder.name) / WEIGHTS
            config, metadata = _unpacked(path, unpacked)
            super().__init__(path, unpacked)
        except BaseException:
            self._folder.cleanup()
            raise
        self.config, self.form = config, "Keras weights (.keras)"
        self.version = version_of(str(metadata.get("keras_version")))
        self.own = metadata.get("pellucid")

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


def opened(path: Path, start: bytes) -> KerasFile | None:
    """The file of Keras's whose first bytes these are; None for any other. Errors: CheckpointError as its class."""
    if start.startswith(HDF5_START):
        return KerasFile(path)
    return KerasArchive(path) if is_archive(path, start) else None


def is_archive(path: Path, start: bytes) -> bool:
    """Whether a file with these first bytes is a .keras."""
    try:
        with contextlib.ExitStack() as stack:
            return start.startswith(ZIP_START) and CONFIG in stack.enter_context(open_zip(path)).namelist()
    except DataError:  # whoever reads it says what is wrong
        return path.suffix.lower() == ".keras"


def _unpacked(path: Path, target: Path) -> tuple[str, dict[str, Any]]:
    """The config and the metadata; the weights are written to `target`."""
    try:
        with open_zip(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
            missing = [name for name in (CONFIG, METADATA, WEIGHTS) if name not in members]
            if missing:
                raise CheckpointError(f"{path}: has no {' and no '.join(missing)}; save it with model.save(path)")
            config, metadata = (read_member(archive, members[name], MAX_CONFIG_BYTES) for name in (CONFIG, METADATA))
            info = members[WEIGHTS]
            if not is_plain(info) or info.file_size > MAX_UNPACKED * info.compress_size + SPARE_BYTES:
                raise CheckpointError(
                    f"{path}: {WEIGHTS} takes {info.compress_size} bytes and would unpack to {info.file_size}"
                )
            try:
                with archive.open(info) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, PIECE)  # no more than the directory says
            except ZIP_ERRORS as error:
                raise CheckpointError(f"{path}: {WEIGHTS} cannot be unpacked ({error!s:.200})") from error
        return config.decode("utf-8"), dict(json.loads(metadata))
    except DataError as error:
        raise CheckpointError(str(error)) from error
    except CheckpointError:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path}: {METADATA} is no JSON object of Keras's ({error!s:.100})") from error
