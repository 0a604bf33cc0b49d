"""Random weights in the place of published ones, so that nothing is downloaded."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch_networks import scramble

from pellucid.convert import PUBLISHED


def write_weights(path: Path, module: Any) -> Path:
    """The module's weights, made random, as PyTorch writes them."""
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(scramble(module).eval().state_dict(), path)
    return path


def publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a file be what is published under its name, whatever it holds."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(PUBLISHED, path.name, replace(PUBLISHED[path.name], digest=digest))


def only_data(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this folder, with its folder `weights`, be all the data that there is, and the network be out of reach."""
    monkeypatch.setenv("PELLUCID_DATA", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
