"""A module of PyTorch's that `pellucid export --to torch` wrote, run beside the model that it was written from."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Model
from pellucid.export import write

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def shaken(model: Model, seed: int = 0) -> Model:
    """The model with other numbers than those that a new one has in its norms and biases."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        for name, array in {**layer.params, **layer.state}.items():
            if name in ("variance", "gamma", "alpha"):
                layer.write(name, rng.uniform(0.5, 1.5, array.shape))
            elif name in ("mean", "beta", "bias"):
                layer.write(name, rng.normal(0, 0.2, array.shape))
    return model


def exported(model: Model, folder: Path) -> Any:
    """The program that was written for a model, imported."""
    write(model, folder / "net.py")
    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    assert spec is not None and spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def answers(program: Any, x: np.ndarray, *, scaled: bool) -> list[np.ndarray]:
    """What the module gives for a batch of ours; each output with its channels last."""
    given = torch.from_numpy(np.moveaxis(x, -1, 1).copy() if x.ndim > 2 else x)
    with torch.no_grad():
        found = program.load()(program.scaled(given) if scaled else given)
    several = found if isinstance(found, tuple) else (found,)
    return [np.moveaxis(one.numpy(), 1, -1) if one.ndim > 2 else one.numpy() for one in several]
