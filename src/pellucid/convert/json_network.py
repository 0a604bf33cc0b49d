"""Networks in JSON: TensorFlow.js's model.json, with its weights beside it, and ConvNetJS's, with its weights in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pellucid.convert import convnetjs
from pellucid.convert.keras_model import model_of
from pellucid.convert.network import Read, take_pixels
from pellucid.convert.tfjs import TfjsFile
from pellucid.errors import CheckpointError
from pellucid.files.inside import inside, read_bytes

MAX_BYTES = 64 << 20


def fits(path: Path, start: bytes) -> bool:
    """Whether it is JSON, by its name and its first bytes."""
    return path.suffix.lower() == ".json" and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def read(path: Path) -> Read:
    """The network in a JSON file. Errors: CheckpointError for one of neither program."""
    try:
        content: Any = json.loads(read_bytes(inside(path), MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no JSON that can be followed ({error!s:.100})") from error
    if not isinstance(content, dict):
        content = {}
    if content.get("format") == "graph-model":
        raise CheckpointError(
            f"{path}: is a graph model of TensorFlow.js, whose operations are not read; convert the Keras model it was "
            "made of to a layers model: tensorflowjs_converter --output_format=tfjs_layers_model"
        )
    if "modelTopology" in content:
        with TfjsFile(path, content) as source:
            model, notes = model_of(source)
            return Read(model, source.form, "raw", tuple(notes))
    if convnetjs.fits(content):
        draft, left = convnetjs.draft_of(path, content["layers"])
        model = draft.network("convnetjs")
        return Read(model, "ConvNetJS network (.json)", "raw", (*left, *take_pixels(model)))
    if "class_name" in content and "config" in content:
        raise CheckpointError(f"{path}: describes a network of Keras's without weights; save it whole, as a .keras")
    raise CheckpointError(
        f"{path}: is no network of TensorFlow.js (modelTopology) or ConvNetJS (layers with layer_type)"
    )
