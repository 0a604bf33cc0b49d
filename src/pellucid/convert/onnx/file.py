"""An ONNX file: its message, under limits, and its arrays. Nothing that it says is run."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.convert.onnx.needed import needed
from pellucid.errors import CheckpointError, PellucidError, shown
from pellucid.files.inside import Inside, read_bytes, reading
from pellucid.ops.geometry import MAX_WEIGHTS, Array

MAX_BYTES = 2 << 30
MAX_NODES, MAX_OPSET = 20_000, 28


class File:
    """A message, and the arrays in it and beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.onnx = needed()
        data = read_bytes(path, MAX_BYTES)
        self.proto = self.onnx.ModelProto()
        try:
            self.proto.ParseFromString(data)
        except Exception as error:  # protobuf's own, whose class is none of its public names in every version
            raise self.fault("is no ONNX model, or is cut off") from error
        self.graph = self.proto.graph
        if not self.graph.node:
            raise self.fault("has no nodes: it is no ONNX model, or is cut off")
        if len(self.graph.node) > MAX_NODES:
            raise self.fault(f"has {len(self.graph.node)} nodes, at most {MAX_NODES} are read")
        versions = {each.domain: each.version for each in self.proto.opset_import}
        self.opset = int(versions.get("", versions.get("ai.onnx", 1)))
        if not 7 <= self.opset <= MAX_OPSET:
            raise self.fault(
                f"is of opset {self.opset}, 7 to {MAX_OPSET} are read; onnx.version_converter makes another"
            )

    def fault(self, what: str) -> CheckpointError:
        """The error for this file."""
        return CheckpointError(f"{self.path}: {what:.2000}")

    # Arrays

    def array(self, tensor: Any) -> Array:
        """A tensor's numbers. Errors: CheckpointError where its sizes and its data do not fit each other."""
        name, shape = tensor.name, tuple(tensor.dims)
        count = math.prod(shape)
        if min(shape, default=1) < 0 or count > MAX_WEIGHTS:
            raise self.fault(f"{shown(name)} has sizes {shown(shape)}, at most {MAX_WEIGHTS:,} numbers can be")
        external = tensor.data_location == self.onnx.TensorProto.EXTERNAL
        try:
            kind = self.onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
            if external:
                return np.frombuffer(self._beside(tensor, count * kind.itemsize), kind).reshape(shape)
            if tensor.raw_data and len(tensor.raw_data) != count * kind.itemsize:
                raise self.fault(f"{shown(name)} has {len(tensor.raw_data)} bytes for sizes {shape}")
            if not tensor.raw_data and not self._fields(tensor) and count:
                raise self.fault(f"{shown(name)} has no numbers for sizes {shape}")
            return np.asarray(self.onnx.numpy_helper.to_array(tensor))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, PellucidError):
                raise
            raise self.fault(f"{shown(name)}: its numbers cannot be read: {error}") from error

    @staticmethod
    def _fields(tensor: Any) -> int:
        fields = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
        return sum(len(getattr(tensor, field)) for field in fields)

    def _beside(self, tensor: Any, size: int) -> bytes:
        """Bytes of a file in the same folder. Errors: CheckpointError for any other place, and for too few bytes."""
        where = {entry.key: entry.value for entry in tensor.external_data}
        location = where.get("location", "")
        parts = location.split("/")
        if not location or "\\" in location or any(part in ("", ".", "..") for part in parts):
            raise self.fault(f"{shown(tensor.name)} lies in {shown(location)}; only files in its own folder are read")
        try:
            offset, length = int(where.get("offset", 0)), int(where.get("length", size))
        except ValueError:
            raise self.fault(f"{shown(tensor.name)}: its place in {shown(location)} is no number") from None
        if offset < 0 or length != size:
            raise self.fault(f"{shown(tensor.name)} takes {size} bytes, {shown(location)} has {length} for it")
        try:
            with reading(Inside(self.path.parent, *parts)) as file:
                file.seek(offset)
                data = file.read(size)
        except CheckpointError as error:
            raise self.fault(f"{shown(tensor.name)} lies in {shown(location)}: {error}") from error
        if len(data) != size:
            raise self.fault(f"{shown(tensor.name)} takes {size} bytes, {shown(location)} has {len(data)} for it")
        return data
