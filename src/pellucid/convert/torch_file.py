"""PyTorch's own files: .pth or .pt in the zip form, TorchScript's too, and in the form before it.

A .pth is a pickle that names storages, and the storages' bytes. The pickle is read by `safe_pickle`, which calls
nothing: the few names a state dict needs (`torch._utils._rebuild_tensor_v2`, the storages' types, `OrderedDict`) stand
for themselves. A TorchScript archive holds a program as well, which is not read: its objects stand in the same kind of
pickle, and their attributes that are tensors have the names of a state dict. Where each tensor lies is checked against
its storage, and its storage against the file, before memory is taken; then only what a tensor covers is read.

Source: the layouts that torch.save writes, pytorch/torch/serialization.py.
"""

from __future__ import annotations

import io
import math
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from pellucid.convert.source import Stored, as_float32
from pellucid.convert.torch import TorchSource
from pellucid.errors import DataError
from pellucid.files import safe_pickle, safe_zip
from pellucid.files.reading import fill
from pellucid.ops.geometry import Array, Shape

MAX_PICKLE_BYTES = 16 << 20
"""A state dict's pickle holds names and sizes only: some kilobytes."""
MAX_DIMS = 8
MAX_SPREAD = 4
"""A tensor may lie over at most this many times its own numbers in its storage, or repeat it this many times."""
MAX_UNPACKED, SPARE_BYTES = 16, 1 << 20
"""Storages may be this many times as long as the file, and so many bytes more; PyTorch itself does not compress."""

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_VERSION = 1001
LEGACY_START = b"\x80\x02\x8a\x0a" + _LEGACY_MAGIC.to_bytes(10, "little")
"""What a file of torch.save before version 1.6 begins with: its magic number, pickled."""

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights", "params")
"""Where training programs keep the state dict in a checkpoint."""

_RESAVE = "save the weights alone in PyTorch: torch.save(model.state_dict(), 'weights.pth')"


@dataclass(frozen=True)
class _StorageType:
    """A storage's numbers: NumPy's name for them, bytes each, and what they are called."""

    code: str
    size: int
    dtype: str


_TYPES = {
    "FloatStorage": _StorageType("<f4", 4, "float32"),
    "DoubleStorage": _StorageType("<f8", 8, "float64"),
    "HalfStorage": _StorageType("<f2", 2, "float16"),
    "BFloat16Storage": _StorageType("<u2", 2, "bfloat16"),
    "LongStorage": _StorageType("<i8", 8, "int64"),
    "IntStorage": _StorageType("<i4", 4, "int32"),
    "ShortStorage": _StorageType("<i2", 2, "int16"),
    "CharStorage": _StorageType("i1", 1, "int8"),
    "ByteStorage": _StorageType("u1", 1, "uint8"),
    "BoolStorage": _StorageType("u1", 1, "bool"),
}


@dataclass(frozen=True)
class _Storage:
    """A run of numbers in the file, by its key."""

    kind: _StorageType
    key: str
    count: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage, checked to lie within it. Units: offset and strides in numbers."""

    storage: _Storage
    offset: int
    shape: Shape
    strides: tuple[int, ...]

    @property
    def extent(self) -> int:
        """How many numbers of the storage it reaches over."""
        if 0 in self.shape:
            return 0
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))


def _whole(values: Any, what: str) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > MAX_DIMS:
        raise ValueError(f"{what} {values!r}")
    for value in values:
        if type(value) is not int or not 0 <= value < 2**48:
            raise ValueError(f"{what} {values!r}")
    return tuple(values)


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> _Tensor:
    """What `_rebuild_tensor_v2(storage, offset, shape, strides, ...)` describes."""
    if not isinstance(storage, _Storage):
        raise ValueError(f"a tensor on a storage of type {type(storage).__name__}")
    (start,) = _whole((offset,), "a tensor's offset")
    sizes, steps = _whole(shape, "a tensor's shape"), _whole(strides, "a tensor's strides")
    if len(sizes) != len(steps):
        raise ValueError(f"a tensor of shape {sizes} with strides {steps}")
    tensor = _Tensor(storage, start, sizes, steps)
    if start + tensor.extent > storage.count:
        raise ValueError(
            f"a tensor of shape {sizes}, strides {steps} and offset {start}, which reaches beyond its storage of "
            f"{storage.count} numbers"
        )
    if tensor.extent > MAX_SPREAD * max(math.prod(sizes), 1):
        raise ValueError(f"a tensor of shape {sizes} spread over {tensor.extent} numbers")
    if math.prod(sizes) > MAX_SPREAD * storage.count:
        raise ValueError(f"a tensor of shape {sizes} made of the {storage.count} numbers of its storage")
    return tensor


def _parameter(data: Any, *rest: Any) -> _Tensor:
    if not isinstance(data, _Tensor):
        raise ValueError("a parameter that is no tensor")
    return data


def _ordered(pairs: Any = ()) -> dict[str, Any]:
    found = {}
    for key, value in pairs:
        if not isinstance(key, str):
            raise ValueError(f"a name of type {type(key).__name__}")
        found[key] = value
    return found


def _storage(identity: Any) -> _Storage:
    """What a persistent id says: ("storage", type, key, device, count), and once a view, which nobody writes now."""
    if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
        raise ValueError(f"a persistent id {identity!r:.60}")
    _, kind, key, _, count = identity[:5]
    if len(identity) == 6 and identity[5] is not None:
        raise ValueError("a storage that is a view of another; " + _RESAVE)
    if not isinstance(kind, _StorageType) or not isinstance(key, str):
        raise ValueError(f"a storage of type {kind!r:.60}")
    return _Storage(kind, key, _whole((count,), "a storage's length")[0])


_CALLS: dict[str, Callable[..., Any]] = {
    "torch._utils _rebuild_tensor_v2": _tensor,
    "torch._utils _rebuild_tensor": _tensor,
    "torch._utils _rebuild_parameter": _parameter,
    "torch Size": tuple,
    "collections OrderedDict": _ordered,
}
_SCRIPT_CALLS = {f"torch.jit._pickle build_{kind}list": list for kind in ("int", "double", "bool", "tensor")}
_SCRIPT_CLASSES = "__torch__"
MAX_MODULES, MAX_PATH = 20_000, 1_000
"""Of a TorchScript program: its modules, and the letters of one's path."""
_VALUES = {f"torch {name}": kind for name, kind in _TYPES.items()}


class _TorchFile(TorchSource):
    """What the two forms of .pth share: tensors as views of storages."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._storages: dict[str, _Storage] = {}

    def _take(self, content: Any) -> None:
        """Find the state dict in what the pickle holds, and index it."""
        try:
            script = isinstance(content, safe_pickle.Attributes)
            found, where = (_attributes(content), "") if script else _find_state_dict(content)
        except ValueError as error:
            self.refuse(f"{error}; {_RESAVE}", error)
        if not found:
            self.refuse(f"holds no state dict; {_RESAVE}")
        if where:
            self.notes.append(f"the state dict was found under {where!r}")
        self._views = found
        self._index({name: Stored(tensor.shape, tensor.storage.kind.dtype) for name, tensor in found.items()})

    def _parse(self, data: bytes | io.BytesIO, *, script: bool = False) -> Any:
        words = safe_pickle.Vocabulary(_CALLS, _VALUES, self._storage)
        if script:
            words = replace(words, calls=_CALLS | _SCRIPT_CALLS, classes=_SCRIPT_CLASSES)
        try:
            return safe_pickle.loads(data, name=str(self.path), vocabulary=words)
        except DataError as error:
            self.refuse(f"{str(error).removeprefix(f'{self.path}: ')}; {_RESAVE}", error)

    def _storage(self, identity: Any) -> _Storage:
        found = _storage(identity)
        if self._storages.setdefault(found.key, found) != found:
            raise ValueError(f"two storages with the key {found.key!r}")
        return found

    def read(self, name: str) -> Array:
        tensor = self._views[self._in_file[name]]
        kind = tensor.storage.kind
        raw = np.empty(tensor.extent * kind.size, np.uint8)
        try:
            with self._opened(tensor.storage) as file:
                file.seek(tensor.offset * kind.size, os.SEEK_CUR)
                done = fill(file, raw.data)
            if done < len(raw):
                raise EOFError(f"{done} of {len(raw)} bytes before the file ended")
        except safe_zip.ZIP_ERRORS as error:
            self.refuse(f"the numbers of {name!r} cannot be read ({error}); use another copy of the file", error)
        numbers: Array = raw.view(kind.code)
        if kind.dtype == "bfloat16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        steps = tuple(stride * numbers.itemsize for stride in tensor.strides)
        return as_float32(np.lib.stride_tricks.as_strided(numbers, tensor.shape, steps, writeable=False))

    def _opened(self, storage: _Storage) -> IO[bytes]:
        """A file that stands at the beginning of a storage."""
        raise NotImplementedError


class ZipTorchFile(_TorchFile):
    """A .pth of PyTorch 1.6 or newer: a zip archive with one pickle, and one member for each storage."""

    form = "PyTorch state dict"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._archive = safe_zip.open_zip(path)
        except DataError as error:
            self.refuse(str(error).removeprefix(f"{path}: "), error)
        try:
            self._read_directory()
        except BaseException:
            self.close()
            raise

    def _read_directory(self) -> None:
        members = {info.filename: info for info in self._archive.infolist()}
        pickles = [name for name in members if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(pickles) != 1:
            self.refuse("is a zip archive without a PyTorch state dict; " + _RESAVE)
        prefix = pickles[0].removesuffix("data.pkl")
        script = prefix + "constants.pkl" in members
        if script:
            self.form = "weights of a TorchScript program"
        order = members.get(prefix + "byteorder")
        if order is not None and self._small(order, 16).strip() != b"little":
            self.refuse("was written on a big-endian machine; save it again on this one")
        self._members = {
            name.removeprefix(prefix + "data/"): info
            for name, info in members.items()
            if name.startswith(prefix + "data/")
        }
        self._take(self._parse(self._small(members[pickles[0]], MAX_PICKLE_BYTES), script=script))
        for tensor in self._views.values():
            self._check_storage(tensor.storage)
        total = sum(storage.count * storage.kind.size for storage in self._storages.values())
        if total > MAX_UNPACKED * self.path.stat().st_size + SPARE_BYTES:
            self.refuse(f"unpacks to {total} bytes, far more than weights do; {_RESAVE}")

    def _small(self, info: zipfile.ZipInfo, limit: int) -> bytes:
        """A member that is held whole, up to a limit."""
        try:
            return safe_zip.read_member(self._archive, info, limit)
        except DataError as error:
            self.refuse(f"{str(error).removeprefix(f'{self.path}: ')}; {_RESAVE}", error)

    def _check_storage(self, storage: _Storage) -> None:
        info = self._members.get(storage.key)
        expected = storage.count * storage.kind.size
        if info is None or info.file_size != expected:
            found = "is missing" if info is None else f"has {info.file_size} bytes"
            self.refuse(f"storage {storage.key!r} {found}, expected {expected} bytes; use another copy of the file")
        if not safe_zip.is_plain(info):
            self.refuse(f"storage {storage.key!r} is encrypted or packed in a way PyTorch does not use; {_RESAVE}")

    def _opened(self, storage: _Storage) -> IO[bytes]:
        return self._archive.open(self._members[storage.key])

    def close(self) -> None:
        self._archive.close()


class LegacyTorchFile(_TorchFile):
    """A .pth from before PyTorch 1.6, as torchvision's older files are: five pickles, then the storages."""

    form = "PyTorch state dict (the form before version 1.6)"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            self._size = path.stat().st_size
            with open(path, "rb") as file:
                head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
                magic, version, system = (self._parse(head) for _ in range(3))
                if magic != _LEGACY_MAGIC or version != _LEGACY_VERSION:
                    self.refuse(f"expected a file of torch.save, version {_LEGACY_VERSION}, got {version!r:.40}")
                if not isinstance(system, dict) or system.get("little_endian") is not True:
                    self.refuse("was written on a big-endian machine; save it again on this one")
                self._take(self._parse(head))
                self._places = self._find_storages(file, self._parse(head), head.tell())
        except OSError as error:
            self.refuse(f"cannot be read: {error.strerror or error}", error)

    def _find_storages(self, file: IO[bytes], keys: Any, position: int) -> dict[str, int]:
        """Where the numbers of each storage begin: each follows a count, eight bytes long."""
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            self.refuse("its list of storages is damaged; use another copy of the file")
        missing = sorted(self._storages.keys() - set(keys))
        places: dict[str, int] = {}
        for key in keys:
            storage = self._storages.get(key)
            if storage is None:
                self.refuse(f"holds a storage {key!r} that nothing in it uses; use another copy of the file")
            file.seek(position)
            count = int.from_bytes(file.read(8), "little")
            if position + 8 + storage.count * storage.kind.size > self._size:
                self.refuse(
                    f"ends within storage {key!r}, of {storage.count} numbers; a download that was cut short? Use "
                    "another copy of the file"
                )
            if count != storage.count:
                self.refuse(
                    f"storage {key!r} should hold {storage.count} numbers, the file has {count}; use another copy of "
                    "the file"
                )
            places[key] = position + 8
            position += 8 + count * storage.kind.size
        if missing:
            self.refuse(f"storages {missing[:3]} are missing; use another copy of the file")
        return places

    def _opened(self, storage: _Storage) -> IO[bytes]:
        file = open(self.path, "rb")  # noqa: SIM115  # the caller closes it
        file.seek(self._places[storage.key])
        return file

    def close(self) -> None:
        pass


def _attributes(program: safe_pickle.Attributes) -> dict[str, _Tensor]:
    """The tensors of a module and of those in it, by the names and in the order of its state dict.

    Errors: ValueError for more modules than a network has: an object may hold another twice, that one a third twice.
    """
    found: dict[str, _Tensor] = {}
    waiting, seen = [("", program)], 0
    while waiting:
        path, module = waiting.pop()
        seen += 1
        if seen > MAX_MODULES or len(path) > MAX_PATH:
            raise ValueError(f"holds more than {MAX_MODULES} modules, or one in another without end")
        found.update({f"{path}{name}": value for name, value in module.items() if isinstance(value, _Tensor)})
        inner = [
            (f"{path}{name}.", value) for name, value in module.items() if isinstance(value, safe_pickle.Attributes)
        ]
        waiting += reversed(inner)
    return found


def _find_state_dict(content: Any, depth: int = 2) -> tuple[dict[str, _Tensor], str]:
    """The tensors of a state dict and where it was found: the content itself, or a part of a checkpoint."""
    if not isinstance(content, dict):
        return {}, ""
    tensors = {str(name): value for name, value in content.items() if isinstance(value, _Tensor)}
    parts = {str(name): value for name, value in content.items() if isinstance(value, dict)} if depth else {}
    found = {name: _find_state_dict(value, depth - 1) for name, value in parts.items()}
    full = [name for name, (inner, _) in found.items() if inner]
    named = [name for name in WRAPPERS if name in full]
    if not named and (tensors or len(full) != 1):  # the content itself, or nothing, or too many to choose from
        return tensors, ""
    chosen = (named or full)[0]
    inner, where = found[chosen]
    return inner, f"{chosen}/{where}".rstrip("/")
