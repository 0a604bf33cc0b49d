"""Networks in JSON: TensorFlow.js's model.json, with its weights beside it, and ConvNetJS's, with its weights in it."""

from __future__ import annotations

from pathlib import Path

from pellucid.convert import architecture, convnetjs
from pellucid.convert.keras_model import model_of
from pellucid.convert.network import Read, take_pixels
from pellucid.convert.tfjs import TfjsFile
from pellucid.errors import CheckpointError

MAX_BYTES = 64 << 20


def fits(path: Path, start: bytes) -> bool:
    """Whether it is JSON, by its name and its first bytes."""
    return path.suffix.lower() == ".json" and start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def read(path: Path) -> Read:
    """The network in a JSON file. Errors: CheckpointError for one of neither program."""
    content = architecture.parsed(path, MAX_BYTES)
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
    if architecture.fits(content):
        whose = " of Keras's" if "class_name" in content else ""
        raise CheckpointError(
            f"{path}: describes a network{whose} without weights; give the file that has them, and this as its "
            f"network: pellucid import FILE --as {path}"
        )
    raise CheckpointError(
        f"{path}: is no network of TensorFlow.js (modelTopology) or ConvNetJS (layers with layer_type)"
    )
