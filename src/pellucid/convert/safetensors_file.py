"""State dicts as .safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pellucid.convert.source import Stored, as_float32
from pellucid.convert.torch import TorchSource
from pellucid.ops.geometry import Array


class SafetensorsFile(TorchSource):
    """A state dict as .safetensors, as the safetensors library writes it; the library checks its header."""

    form = "state dict in safetensors"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import safetensors

        opened: Any = safetensors.safe_open  # which has no types

        try:
            self._file: Any = opened(path, framework="np")
            metadata: Mapping[str, str] = self._file.metadata() or {}
            slices = {name: self._file.get_slice(name) for name in self._file.keys()}  # noqa: SIM118  # no dict
            stored = {name: Stored(tuple(s.get_shape()), _spoken(s.get_dtype())) for name, s in slices.items()}
        except (safetensors.SafetensorError, OSError) as error:
            self.refuse(f"is no whole safetensors file ({error}); use another copy of the file", error)
        if "pellucid" in metadata:
            self.refuse("is a Pellucid model file already; use it as it is")
        self._names = self._index(stored)

    def read(self, name: str) -> Array:
        if self.tensors[name].dtype == "bfloat16":
            self.refuse(f"{name!r} holds bfloat16, which NumPy does not know; save it as float32")
        return as_float32(self._file.get_tensor(self._names[name]))

    def close(self) -> None:
        del self._file


def _spoken(code: str) -> str:
    """NumPy's word for safetensors' code: F32 is float32."""
    for letter, word in (("BF", "bfloat"), ("F", "float"), ("I", "int"), ("U", "uint")):
        if code.startswith(letter):
            return word + code.removeprefix(letter)
    return code.lower()
