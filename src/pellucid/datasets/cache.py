"""Fitted pictures on disk: decoded once into one raw file, read piece by piece, never held whole.

A cache is two files in the user's cache folder: KEY.u8, the pictures one after the other, and KEY.json, which says what
they are. KEY is a hash of the file list (names, sizes, times) and the fitting, so a changed folder gets a new cache.
Both are written beside and renamed; the caches used longest ago go when PELLUCID_CACHE_BYTES (20 GB) would be passed.
The raw file is read, not mapped, so that its pages don't count as this process's memory; see also `mapped`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pellucid._locks import ForkLock
from pellucid.datasets.dataset import Rows
from pellucid.datasets.download import Progress, cache_folder
from pellucid.datasets.pictures import Fitting, decode, decode_with_numbers, fit_array
from pellucid.errors import ConfigError, DataError
from pellucid.files.reading import fill, in_order
from pellucid.files.sharing import rename

FORMAT = 3
DEFAULT_LIMIT_BYTES = 20_000_000_000
SPARE_BYTES = 256 << 20
STALE_PART_S = 24 * 3600


class FileStore:
    """Pictures in a raw file. Any thread may read."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self._lock = ForkLock()
        self._file = path.open("rb", buffering=0)
        self._close = weakref.finalize(self, self._file.close)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        record = math.prod(self.shape[1:])
        for row, target in zip(rows.tolist(), out, strict=True):
            with self._lock:
                self._file.seek(row * record)
                if fill(self._file, memoryview(target.reshape(-1))) < record:
                    raise DataError(f"{self._file.name}: shorter than expected; delete it and start again")
        return out


class DecodingStore:
    """Pictures decoded anew each time, for want of room on the disk."""

    def __init__(self, paths: Sequence[Path], rule: Fitting) -> None:
        self.shape = (len(paths), *rule.shape)
        self._paths = paths
        self._rule = rule

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        out = np.empty((len(rows), *self.shape[1:]), dtype=np.uint8)
        paths = [self._paths[row] for row in rows.tolist()]
        pictures = in_order(lambda path: decode(path, self._rule), paths)
        for target, picture in zip(out, pictures, strict=True):
            target[...] = picture
        return out


class FittingStore:
    """Pictures in memory fitted anew each time: at their new size, all of them would take too much."""

    def __init__(self, images: NDArray[np.uint8], rule: Fitting) -> None:
        self.shape = (len(images), *rule.shape)
        self._images = images
        self._rule = rule

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        return fit_array(self._images[rows], self._rule)


Store = FileStore | DecodingStore | FittingStore
"""Pictures by number, wherever they are."""


class StoredPictures:
    """Some of a store's pictures, indexed like an array; only what is asked for is read."""

    def __init__(self, store: Store, rows: NDArray[np.int64], names: Sequence[str] | None = None) -> None:
        self._store = store
        self._rows = rows
        self._names = names

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._rows), *self._store.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.uint8)

    @property
    def cached(self) -> bool:
        """Whether they are only read, and not decoded or fitted anew each time."""
        return isinstance(self._store, FileStore)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> NDArray[np.uint8]:
        if isinstance(rows, int | np.integer):
            picture: NDArray[np.uint8] = self._store.read(self._rows[rows : rows + 1 or None])[0]
            return picture
        return self._store.read(self._rows[rows])

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return (self[row] for row in range(len(self)))

    def select(self, rows: NDArray[np.int64]) -> StoredPictures:
        return StoredPictures(self._store, self._rows[rows], self._names)

    def name(self, row: int) -> str:
        """What a picture's file is called, else its number."""
        return str(row) if self._names is None else self._names[self._rows[row]]


@dataclass(frozen=True)
class Built:
    """A store of the pictures that could be decoded: its row i is entry kept[i]; `failures` says why others are not."""

    store: Store
    rule: Fitting
    kept: list[int]
    failures: dict[int, str]
    facts: list[str]
    """Lines that say what was done to them."""
    hashes: list[str]
    """One for each of `kept`: alike where pictures are, as they are taken, to the last bit."""


def key(entries: Iterable[tuple[str, int, int]], request: Mapping[str, Any]) -> str:
    """A name for what comes of these files, (name, size in bytes, time in ns) each, under this request."""
    text = json.dumps([FORMAT, sorted(request.items()), list(entries)])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def find(name: str, num_entries: int) -> Built | None:
    """The cache of this key, if it is there and whole. Finding it counts as use."""
    folder = cache_folder() / "pictures"
    try:
        index = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        rule = Fitting(tuple(index["size"]), index["channels"], index["resize"], bool(index.get("mask")))
        failures = {int(row): str(reason) for row, reason in index["failures"].items()}
        facts = [str(line) for line in index["facts"]]
        hashes = [str(one) for one in index["hashes"]]
        kept = [row for row in range(num_entries) if row not in failures]
        shape = (len(kept), *rule.shape)
        if index["entries"] != num_entries or (folder / f"{name}.u8").stat().st_size != math.prod(shape):
            return None
        if len(hashes) != len(kept):
            return None
        store = FileStore(folder / f"{name}.u8", shape)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / f"{name}.json")
    return Built(store, rule, kept, failures, facts, hashes)


def build(
    name: str,
    paths: Sequence[Path],
    failures: dict[int, str],
    rule: Fitting,
    facts: Sequence[str],
    progress: Progress | None,
) -> Built:
    """Decode every picture that has not failed yet, into a cache where there is room.

    Where there is none the pictures are only checked, and decoded again whenever they are read.
    """
    candidates = [row for row in range(len(paths)) if row not in failures]
    failures, depths, hashes = dict(failures), Counter[str](), list[str]()
    folder = cache_folder() / "pictures"
    part = folder / f"{name}.{os.getpid()}.{threading.get_ident()}.part"
    pictures = in_order(lambda row: _decoded(paths[row], rule), candidates)
    with contextlib.ExitStack() as stack:
        stack.callback(pictures.close)
        stack.callback(remove, part)
        file = None
        if make_room(folder, len(candidates) * math.prod(rule.shape)):
            with contextlib.suppress(OSError):
                file = stack.enter_context(part.open("wb"))
        for done, (row, picture) in enumerate(zip(candidates, pictures, strict=True), 1):
            if progress is not None:
                progress(done, len(candidates), "reading pictures")
            if isinstance(picture, str):
                failures[row] = picture
                continue
            pixels, depth = picture
            hashes.append(hashlib.blake2b(pixels.data, digest_size=12).hexdigest())
            if depth is not None:
                depths[depth] += 1
            if file is not None:
                try:
                    file.write(pixels.data)
                except OSError:  # the disk is full: go on without
                    file.close()
                    file = None
        facts = [*facts, *(f"{count:,} pictures hold {depth}" for depth, count in depths.most_common())]
        if file is not None and len(failures) < len(paths):
            index = {"format": FORMAT, "entries": len(paths), **asdict(rule)}
            index |= {"failures": failures, "facts": facts, "hashes": hashes}
            built = _finish(folder, name, part, file, index)
            if built is not None:
                return built
    kept = [row for row in candidates if row not in failures]
    return Built(DecodingStore([paths[row] for row in kept], rule), rule, kept, failures, list(facts), hashes)


def limit_bytes() -> int:
    """Errors: ConfigError if PELLUCID_CACHE_BYTES is not a whole number."""
    text = os.environ.get("PELLUCID_CACHE_BYTES", str(DEFAULT_LIMIT_BYTES))
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f"PELLUCID_CACHE_BYTES must be a whole number of bytes, got {text!r}") from None


def _decoded(path: Path, rule: Fitting) -> tuple[NDArray[np.uint8], str | None] | str:
    try:
        pixels, depth = decode_with_numbers(path, rule)
        return np.ascontiguousarray(pixels), depth
    except DataError as error:
        return str(error).removeprefix(f"{path}: ")


def _finish(folder: Path, name: str, part: Path, file: Any, index: Mapping[str, Any]) -> Built | None:
    """Give the raw file its name, then write the index; None if the disk refuses."""
    index_part = part.with_suffix(".json.part")
    try:
        file.close()
        rename(part, folder / f"{name}.u8")
        index_part.write_text(json.dumps(index), encoding="utf-8")
        rename(index_part, folder / f"{name}.json")
    except OSError:
        return None
    finally:
        remove(index_part)
    return find(name, index["entries"])


def make_room(folder: Path, needed: int) -> bool:
    """Remove caches, longest unused first, until `needed` more bytes stay under the limit; False if they cannot."""
    limit = limit_bytes()
    if needed > limit:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in folder.glob("*.part"):
            if time.time() - part.stat().st_mtime > STALE_PART_S:
                remove(part)
        caches = [(_last_used(raw), raw, raw.stat().st_size) for raw in folder.glob("*.u8")]
        total = sum(size for *_, size in caches)
        for _, raw, size in sorted(caches):
            if total + needed <= limit:
                break
            remove(raw)
            remove(raw.with_suffix(".json"))
            total -= size
        return total + needed <= limit and shutil.disk_usage(folder).free >= needed + SPARE_BYTES
    except OSError:
        return False


def _last_used(raw: Path) -> float:
    index = raw.with_suffix(".json")
    return (index if index.exists() else raw).stat().st_mtime


def remove(path: Path) -> None:
    """A file, if it is there and may go."""
    with contextlib.suppress(OSError):
        path.unlink()
