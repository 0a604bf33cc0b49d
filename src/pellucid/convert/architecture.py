"""A network that a JSON file describes without weights, in our words or in Keras's: weights from elsewhere fill it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pellucid import layers
from pellucid.convert.keras import version_of
from pellucid.convert.keras_graph import ConfigReader
from pellucid.errors import CheckpointError
from pellucid.files.inside import inside, read_bytes
from pellucid.files.schema import OBJECT, TEXT, check, whole
from pellucid.layers.graph import INPUT
from pellucid.model import Model, assemble
from pellucid.model.blank import FAULTS, Blank, drawing
from pellucid.model.file import MAX_LAYERS, expect_graph
from pellucid.ops.geometry import Shape

MAX_BYTES = 8 << 20
MAX_NUMBERS = 1 << 28
"""Weights that a description may ask for: 1 GiB of float32."""

_OURS = {
    "input_shape": [whole(1)],
    "layers": [OBJECT],
    "name?": TEXT,
    "reads?": [[whole(INPUT)]],
    "outputs?": [whole()],
}
"""As a model file has it: layers by type and arguments; reads and outputs where they are not in a row."""


def parsed(path: Path, limit: int = MAX_BYTES) -> dict[str, Any]:
    """The object in a JSON file. Errors: CheckpointError for anything else."""
    try:
        content: Any = json.loads(read_bytes(inside(path), limit))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no JSON that can be followed ({error!s:.100})") from error
    return content if isinstance(content, dict) else {}


def fits(content: dict[str, Any]) -> bool:
    """Whether this describes a network and holds no weights."""
    layered = content.get("layers")
    ours = isinstance(layered, list) and "input_shape" in content
    return ours or ("class_name" in content and "config" in content)


def described(path: Path, seed: int = 0) -> Model:
    """The network with weights drawn anew.

    Errors: CheckpointError for a file that describes none, and for layers that there are not, or too large ones.
    """
    content = parsed(path)
    if not fits(content):
        raise CheckpointError(
            f'{path}: describes no network; expected {{"input_shape": [28, 28, 1], "layers": [{{"type": "Conv2D", '
            '"filters": 8, "kernel_size": 3}, ...]}, or what to_json() of Keras gives'
        )
    config = content.get("config")
    if isinstance(config, dict) and "input_shape" in config:  # to_json() of pellucid.keras
        content = config
    try:
        _made(path, content, seed, Blank(MAX_NUMBERS, _refused))  # no number is drawn before all are counted
        return _made(path, content, seed, None)
    except CheckpointError:
        raise
    except FAULTS as error:
        raise CheckpointError(
            f"{path}: its network cannot be followed: {str(error) or type(error).__name__}"
        ) from error


def _made(path: Path, content: dict[str, Any], seed: int, blank: Blank | None) -> Model:
    if "layers" not in content:
        reader = ConfigReader(path, content, version_of(content.get("keras_version") or "3.0"))
        return reader.draft.made(reader.name, blank, seed)
    check(_OURS, content)
    count = len(content["layers"])
    if count > MAX_LAYERS:
        raise CheckpointError(f"{path}: has {count} layers, at most {MAX_LAYERS} are read")
    if "reads" in content:
        expect_graph(content["reads"], content.get("outputs") or [count - 1], count)
    made = [layers.from_config(each) for each in content["layers"]]
    name = content.get("name") or path.stem
    with nullcontext() if blank is None else drawing(made, blank):
        model = assemble(
            content["input_shape"], made, content.get("reads"), name, outputs=content.get("outputs", ()), seed=seed
        )
        model.build()
    return model


def _refused(shape: Shape) -> CheckpointError:
    return CheckpointError(f"a layer has weights of shape {shape}; a network described has {MAX_NUMBERS:,} at most")
