"""Networks in PyTorch and ours for the same pictures, and the forms of file that PyTorch writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch_networks as networks

from pellucid import zoo
from pellucid.model import Sequential

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

SIDES = {"vgg": ((32, 64), (1, 2)), "ale": ((95, 127), (2, 3))}
"""Pictures, and the maps they leave before the dense layers: not square, so that their order matters."""


def small(name: str, seed: int = 0) -> tuple[Any, Sequential]:
    """A network with few dense units in PyTorch, and ours for the same pictures."""
    side, maps = SIDES[name[:3]]
    module = networks.scramble(networks.network(name, maps=maps, units=24, classes=7), seed)
    options: dict[str, object] = {"dense_units": 24}
    if name.endswith("_bn"):
        options["batch_norm"] = True
    model = zoo.build(name.removesuffix("_bn"), input_shape=(*side, 3), classes=7, options=options)
    return module, model


def safetensors(module: Any, path: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in module.state_dict().items()}, path)


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "w.pth": lambda module, path: torch.save(module.state_dict(), path),
    "legacy.pth": lambda module, path: torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False),
    "w.safetensors": safetensors,
}
