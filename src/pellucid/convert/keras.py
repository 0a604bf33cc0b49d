"""Keras's files: weights as .h5 (attributes list the layers) and as .weights.h5 (Keras 3), and their arrays' names.

The file is opened by h5py in a process of its own (hdf5_reader.py), under limits; this module asks it for the index,
and for arrays by name, and trusts neither.

Layouts are ours: kernels (KH, KW, C/G, O), dense (inputs, units), pictures flattened in order (H, W, C). Keras's VGG
was trained on blue, green, red: where pictures are to be red, green, blue the first kernel's channels are turned round.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.convert.source import Source, Stored, in_numbers
from pellucid.errors import ConfigError
from pellucid.files.reading import fill
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.ops.geometry import Array

HDF5_START = b"\x89HDF\r\n\x1a\n"
ANSWER_S = 300
"""How long the reading process may take over one answer."""
MAX_INDEX_BYTES = 16 << 20

_READER = Path(__file__).with_name("hdf5_reader.py")
_VGG_HEAD = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}
_CLASS_NAMES = {
    "Conv2D": "conv2d",
    "DepthwiseConv2D": "depthwise_conv2d",
    "SeparableConv2D": "separable_conv2d",
    "Conv2DTranspose": "conv2d_transpose",
    "Dense": "dense",
    "BatchNorm": "batch_normalization",
    "LayerNorm": "layer_normalization",
    "GroupNorm": "group_normalization",
    "PReLU": "p_re_lu",
}


class KerasFile(Source):
    """A Keras weights file, or a whole model saved as .h5, of which the weights are read.

    Errors: ConfigError where h5py is not installed; CheckpointError for what the reading process refuses.
    """

    framework = "keras"

    def __init__(self, path: Path) -> None:
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
            [sys.executable, "-P", str(_READER), str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        try:
            self.style, self.layers = self._index(self._answer())
            self.form = f"Keras weights ({'.weights.h5' if self.style == 'keras3' else '.h5'})"
        except BaseException:
            self.close()
            raise

    def _index(self, index: dict[str, Any]) -> tuple[str, dict[str, tuple[str, ...]]]:
        """The layout, and for each layer with weights its name and those of its arrays, in order."""
        layers = {}
        try:
            for layer in index["layers"]:
                for array in layer["arrays"]:
                    shape = tuple(int(size) for size in array["shape"])
                    self.tensors[str(array["path"])] = Stored(shape, str(array["dtype"]))
                layers[str(layer["name"])] = tuple(str(array["path"]) for array in layer["arrays"])
            return str(index["style"]), layers
        except (KeyError, TypeError, ValueError) as error:
            self.refuse(f"its reader gave an index that makes no sense ({error})", error)

    def is_spare(self, name: str, *, no_top: bool) -> bool:
        own = next((arrays for arrays in self.layers.values() if name in arrays), None)
        return no_top and own is not None and len(self.tensors[own[0]].shape) == 2

    def num_classes(self) -> int | None:
        # Keras 3 lists layers by the alphabet, so conv2d_10 before conv2d_2
        names = sorted(self.layers, key=in_numbers) if self.style == "keras3" else list(self.layers)
        kernels = [self.tensors[self.layers[name][0]].shape for name in names]
        return next((shape[-1] for shape in reversed(kernels) if len(shape) == 2), None)

    def has_batch_norm(self) -> bool:
        return any("moving_mean" in name or "batch_normalization" in name for name in self.tensors)

    def _names(self, model: Model) -> Iterator[Mapping[str, str]]:
        """Layers are found by the names that Keras gives its VGG; in .weights.h5 by their kind and number; and else by
        their order."""
        twins = iter(_twins([layer for layer in model.layers if layer.weights], self))
        for layer in model.layers:
            twin, arrays = next(twins) if layer.weights else ("", ())
            names = [*layer.params, *layer.state]
            missing = [f"{twin}/{name}" for name in names[len(arrays) :]]
            yield dict(zip(names, (*arrays, *missing), strict=False))

    def _expect_known(self, layer: Layer) -> None:
        kind = type(layer).__name__
        if kind not in _CLASS_NAMES:
            raise ConfigError(f"{layer.place()}: weights of a {kind} cannot be read from Keras's files")

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
            self.refuse("could not be read within the limits of memory and time; is it damaged?", error)
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


def _twins(own: list[Layer], source: KerasFile) -> list[tuple[str, tuple[str, ...]]]:
    """The file's layer for each of ours: its name and its arrays, none where it is missing."""
    if source.style == "keras3":
        counts: Counter[str] = Counter()
        names = []
        for layer in own:
            kind = _CLASS_NAMES[type(layer).__name__]
            names.append(f"{kind}_{counts[kind]}" if counts[kind] else kind)
            counts[kind] += 1
    else:
        names = [_vgg_name(layer.name) for layer in own]
        if not any(name in source.layers and name != layer.name for name, layer in zip(names, own, strict=True)):
            in_file = list(source.layers)
            names = [*in_file[: len(own)], *(layer.name for layer in own[len(in_file) :])]
    return [(name, source.layers.get(name, ())) for name in names]


def _vgg_name(name: str) -> str:
    """Keras's name for a layer of VGG.

    >>> _vgg_name("conv3_1"), _vgg_name("fc8")
    ('block3_conv1', 'predictions')
    """
    return _VGG_HEAD.get(name) or re.sub(r"^conv(\d+)_(\d+)$", r"block\1_conv\2", name)
