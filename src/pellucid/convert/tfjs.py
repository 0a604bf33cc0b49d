"""TensorFlow.js's layers models: Keras's config in model.json, and weights in files beside it ("shards").

Source: tfjs-core/src/io/types.ts and weights_loader.ts: the shards of a group lie behind one another, and the weights
in them likewise; numbers of 8 and 16 bits are min + scale * number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.convert.keras import KerasWeights, version_of
from pellucid.convert.source import Stored
from pellucid.errors import CheckpointError
from pellucid.files.inside import Inside, inside, reading
from pellucid.files.schema import TEXT, Misfit, check, number, whole
from pellucid.ops.geometry import Array

_MANIFEST = [
    {
        "paths": [TEXT],
        "weights": [
            {
                "name": TEXT,
                "shape": [whole(0, 2**40)],
                "dtype": TEXT,
                "quantization?": {"dtype": TEXT, "scale?": number(-1e38), "min?": number(-1e38)},
            }
        ],
    }
]
STORED = {"float32": "<f4", "float16": "<f2", "uint8": "<u1", "uint16": "<u2"}
"""Kinds of numbers in shards."""
MAX_ARRAYS, MAX_DIMS, MAX_SHARDS = 10_000, 8, 1_000


class TfjsFile(KerasWeights):
    """A model.json and its shards. content: what the JSON holds.

    Errors: CheckpointError for a manifest that does not fit the shards, and for shards outside the folder, by a link,
    or on the web.
    """

    form = "TensorFlow.js layers model (model.json)"
    one_group = True

    def __init__(self, path: Path, content: Mapping[str, Any]) -> None:
        super().__init__(path)
        topology = content["modelTopology"]
        if not isinstance(topology, dict):
            self.refuse("its modelTopology is no object; save the model again with model.save of TensorFlow.js")
        model = topology.get("model_config", topology)
        self.config = json.dumps({key: value for key, value in dict(model).items() if key != "training_config"})
        training = topology.get("training_config") or content.get("trainingConfig")
        self.training = None if training is None else json.dumps(training)
        self.version = version_of(topology.get("keras_version") or "2.0")
        self._places: dict[str, tuple[int, int, Mapping[str, Any]]] = {}
        """Of each array its group, where it begins there, and its row of the manifest."""
        try:
            check(_MANIFEST, content.get("weightsManifest", []), "weightsManifest")
        except Misfit as error:
            self.refuse(str(error), error)
        self._shards = [self._group(number, group) for number, group in enumerate(content.get("weightsManifest", []))]

    def _group(self, number: int, group: Mapping[str, Any]) -> list[tuple[Inside, int]]:
        """A group's shards with their lengths, after its weights were entered."""
        if len(group["paths"]) > MAX_SHARDS or len(group["weights"]) + len(self.tensors) > MAX_ARRAYS:
            self.refuse(f"lists more than {MAX_SHARDS} shards, or more than {MAX_ARRAYS} weights")
        shards = []
        for name in group["paths"]:
            if "://" in name:
                self.refuse(f"its weights lie at {name:.200}; download them beside it, and name the files in it")
            place = Inside(inside(self.path).parent, *name.split("/"))
            with reading(place) as file:
                shards.append((place, file.seek(0, 2)))
        begin = 0
        for row in group["weights"]:
            kind = (row.get("quantization") or row)["dtype"]
            if kind not in STORED or row["name"] in self.tensors or len(row["shape"]) > MAX_DIMS:
                self.refuse(f"{row['name']:.200}: is {kind:.50} of shape {row['shape']}, or there twice")
            self.tensors[row["name"]] = Stored(tuple(row["shape"]), row["dtype"])
            self._places[row["name"]] = number, begin, row
            begin += math.prod(row["shape"]) * np.dtype(STORED[kind]).itemsize
            parent = row["name"].rpartition("/")[0]
            self.layers[parent] = (*self.layers.get(parent, ()), row["name"])
        there = sum(length for _, length in shards)
        if begin != there:
            self.refuse(f"its shards have {there} bytes, the weights in it take {begin}; use another copy of all files")
        return shards

    def read(self, name: str) -> Array:
        group, begin, row = self._places[name]
        packing = row.get("quantization") or row
        dtype = np.dtype(STORED[packing["dtype"]])
        stored = np.frombuffer(self._bytes(group, begin, math.prod(row["shape"]) * dtype.itemsize), dtype)
        numbers = stored.astype(np.float32)
        if dtype.kind == "u":
            numbers = numbers * np.float32(packing.get("scale", 1)) + np.float32(packing.get("min", 0))
        return np.ascontiguousarray(numbers, np.float32).reshape(row["shape"])

    def _bytes(self, group: int, begin: int, count: int) -> bytes:
        """A stretch of a group's shards."""
        found = b""
        for place, length in self._shards[group]:
            if begin < length and len(found) < count:
                with reading(place) as file:
                    file.seek(begin)
                    found += file.read(min(count - len(found), length - begin))
            begin = max(begin - length, 0)
        if len(found) != count:
            raise CheckpointError(f"{self.path}: its weights end early; use another copy of all files")
        return found

    def close(self) -> None:
        """Nothing is held open."""
