"""Models of ours run by ONNX Runtime, and weights that a network is not born with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid.export.onnx import to_bytes
from pellucid.model import Model

onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")


def session(data: bytes) -> Any:
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 3, 1
    return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def answers(model: Model, pictures: np.ndarray, kind: str | None = None) -> list[np.ndarray]:
    """What ONNX Runtime makes of the file that is written, which onnx's checker has looked at."""
    data = to_bytes(model, kind)
    onnx.checker.check_model(data)
    return session(data).run(None, {"pictures": pictures})


def scramble(model: Model, seed: int = 0) -> None:
    """Biases, scales and running numbers as if trained: none is 0 or 1."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name, array in (*layer.params.items(), *layer.state.items()):
            if name in ("variance", "gamma"):
                layer.write(name, rng.uniform(0.5, 1.5, array.shape))
            elif name != "kernel" and not name.endswith("_kernel"):
                layer.write(name, rng.normal(0, 0.2, array.shape))


def apart(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, in parts of the largest number."""
    assert found.shape == expected.shape and found.dtype == np.float32
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-9))
