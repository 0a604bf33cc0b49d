"""Writes steps of every kernel, and what they give here, for the program that runs them without Python.

    python scripts/record_steps.py FILE

The steps are those of tests/steps.py, which every kernel stands in; native/replay.cpp reads them and says how they
are written. Run by scripts/windows.
"""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from steps import BATCH, BATCHED, FLAT, Arrays, Build

from pellucid.ops import _native, native

Fields = dict[str, Any]


def words(*numbers: int | float) -> bytes:
    """Words of 8 bytes."""
    return b"".join(struct.pack("<d" if isinstance(number, float) else "<q", number) for number in numbers)


def text(data: bytes) -> bytes:
    """A length and so many bytes, filled up to whole words."""
    return words(len(data)) + data + bytes(-len(data) % 8)


class Memories:
    """The memory of a step's arrays, each piece once, in their order: arrays may be the same, or parts of one."""

    def __init__(self, fields: Fields) -> None:
        arrays = [value for value in fields.values() if isinstance(value, np.ndarray)]
        self.pieces: list[tuple[int, int]] = []
        for start, end in sorted((at := _address(array), at + array.nbytes) for array in arrays):
            if self.pieces and start < self.pieces[-1][1]:
                self.pieces[-1] = self.pieces[-1][0], max(end, self.pieces[-1][1])
            else:
                self.pieces.append((start, end))
        self.pieces.sort(key=lambda piece: next(i for i, each in enumerate(arrays) if _within(each, piece)))
        self._owners = arrays

    def place(self, array: np.ndarray[Any, Any]) -> tuple[int, int]:
        """The piece's number, from 1, and where the array begins in it."""
        number = next(i for i, piece in enumerate(self.pieces) if _within(array, piece))
        return number + 1, _address(array) - self.pieces[number][0]

    def contents(self) -> list[bytes]:
        """The bytes of each piece, as they are now."""
        whole = []
        for piece in self.pieces:
            data = bytearray(piece[1] - piece[0])
            for array in self._owners:
                if _within(array, piece):
                    at = _address(array) - piece[0]
                    data[at : at + array.nbytes] = array.tobytes()
            whole.append(bytes(data))
        return whole


def _within(array: np.ndarray[Any, Any], piece: tuple[int, int]) -> bool:
    return piece[0] <= _address(array) and _address(array) + array.nbytes <= piece[1]


def _address(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


def built(build: Build) -> tuple[Any, str, Fields]:
    """A step, its kernel and its fields."""
    given: list[tuple[str, Fields]] = []
    made = native.runtime.Step

    def step(kernel: str, fields: Fields) -> Any:
        given.append((kernel, fields))
        return made(kernel, fields)

    native.runtime.Step = step
    try:
        found, _ = build(Arrays(BATCH))
    finally:
        native.runtime.Step = made
    return found, *given[-1]


def record(build: Build) -> bytes:
    """One step, with what every instruction set of this machine gives."""
    results, before = b"", b""
    for isa in native.instruction_sets():
        _native.use_instruction_set(isa)
        step, kernel, fields = built(build)
        memories = Memories(fields)
        before = b"".join(map(text, memories.contents()))
        native.run(step)
        results += text(isa.encode()) + words(zlib.crc32(b"".join(memories.contents())))
    parts = [text(kernel.encode()), words(len(memories.pieces)), before]
    for name, kind, *_ in native.runtime.kernel_fields()[kernel]:
        value = fields[name]
        if kind != "array":
            parts.append(words(float(value) if kind == "real" else int(value)))
        else:
            parts.append(words(0, 0, 0) if value is None else words(*memories.place(value), value.size))
    return b"".join([*parts, words(len(native.instruction_sets())), results])


if __name__ == "__main__":
    steps = [record(build) for build in (*BATCHED, *FLAT)]
    Path(sys.argv[1]).write_bytes(words(len(steps)) + b"".join(steps))
    print(f"{len(steps)} steps, {', '.join(native.instruction_sets())}")
