"""A model as one file and back: which tensors and which facts go into the checkpoint format."""

from __future__ import annotations

import importlib
import os
import reprlib
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import layers, losses, optimizers
from pellucid._arguments import flag, path_of
from pellucid._progress import work_bar
from pellucid._text import printable
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, ConfigError, shown
from pellucid.files import tensor_file
from pellucid.files.inside import Inside, Place, reading
from pellucid.files.schema import FLAG, INTEGER, OBJECT, TEXT, Kind, Maybe, check, number, whole
from pellucid.layers import Layer
from pellucid.layers.graph import INPUT
from pellucid.layers.parameters import MAX_LISTED, fill, tensors_of
from pellucid.losses import Loss
from pellucid.model.blank import FAULTS, Blank, drawing
from pellucid.model.inputs import names_fit
from pellucid.ops.geometry import Array, Shape
from pellucid.optimizers import Optimizer
from pellucid.train.resume import TRAINING

if TYPE_CHECKING:
    from pellucid.model import Model

MODEL_FILE = "model.safetensors"
MAX_LAYERS = 1000
MAX_GROWTH, SPARE_WEIGHTS = 16, 1 << 16
"""Layers may ask for so many times the numbers in the file, and so many more: what is missing is listed, not built."""

_PAIR = Kind(
    "[least, largest]", lambda v: isinstance(v, list) and len(v) == 2 and all(map(number().fits, v)) and v[0] <= v[1]
)
FACTS = {
    "name": TEXT,
    "seed": INTEGER,
    "input_shape": [whole(1)],
    "layers": [OBJECT],
    "preprocessing": {
        "scale?": number(0),
        "mean?": Maybe([number(-1e30, 1e30)]),
        "std?": Maybe([number(0, 1e30)]),
        "size?": Maybe([whole(1)]),
        "resize?": TEXT,
        "channels?": Maybe(whole(1)),
    },
    "class_names": Maybe([TEXT]),
    "trained_on": {"data?": TEXT, "pictures?": whole(), "range?": Maybe(_PAIR), "background?": Maybe(number())},
    "compiled": Maybe({"optimizer": OBJECT, "loss": OBJECT}),
    "exact_convolution?": FLAG,
    "reads?": [[whole(INPUT)]],
    "outputs?": [whole()],
    "input_name?": TEXT,
    "nested?": {
        "models": [{"name": TEXT, "kind": TEXT, "inputs": [TEXT]}],
        "calls": [{"model": whole(), "inputs": [whole(INPUT)], "outputs": [whole(INPUT)]}],
        "within": [[whole()]],
        "names": [TEXT],
    },
}
"""All of a model but its tensors and its kind, as `facts_of` gives it. reads: of each layer, the numbers of those it
reads, -1 for the pictures; without it each reads the one before. outputs: the numbers of those that answer, where it is
not the last alone. nested: models called in it, each call with the numbers that go in and come out; of each layer the
calls it is within, outermost first, and its name in the innermost."""

KINDS = ("model", "checkpoint")
"""What a model can be read from: a checkpoint holds one, and a training beside it."""


FOREIGN = {
    **dict.fromkeys((".keras", ".h5", ".hdf5"), "Keras's format"),
    **dict.fromkeys((".pt", ".pth", ".ckpt"), "PyTorch's format"),
    ".onnx": "ONNX",
    **dict.fromkeys((".pkl", ".pickle", ".joblib"), "a pickle"),
    ".npz": "NumPy's format",
    ".tflite": "TensorFlow's format",
}
"""Endings by which other programs know their files."""

_STARTS = (
    (b"\x89HDF", "an HDF5 file, as Keras writes"),
    (b"PK\x03\x04", "a zip archive, as Keras (.keras), PyTorch (.pt) and NumPy (.npz) write"),
    (b"\x80", "a pickle"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"<", "a web page"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
"""How files begin that are no models of ours, and what they are."""


def save(model: Model, path: Place) -> None:
    """Write layers, parameters, state, preprocessing, classes and what `compile` chose; or another program's file,
    where the name ends as one that `pellucid.export` writes.

    Errors: CheckpointError for a name that ends in anything else; as `pellucid.export.write`.
    """
    ending = path.suffix.lower()
    if ending not in ("", ".safetensors"):
        export = importlib.import_module("pellucid.export")  # by name: the package stands above this one
        if ending in {row.ending for row in export.FORMATS.values()}:
            export.write(model, path)
            return
        stem = path.name[: -len(ending)] if ending in FOREIGN else path.name
        what = f"{ending} is {FOREIGN[ending]}, which is not written here" if ending in FOREIGN else f"got {ending!r}"
        raise CheckpointError(
            f"{path}: a model is written as a .safetensors file, {what}; say {stem}.safetensors or {stem}.keras"
        )
    model.build()
    with work_bar("auto") as bar, model.turns.taken():  # a training waits, and all weights are of one step
        bar.busy(f"writing {path}")
        tensor_file.write(path, tensors_of(model.flat_layers), {"kind": "model", **facts_of(model)})


def facts_of(model: Model) -> dict[str, Any]:
    """All of a model but its tensors, as plain data. Class names that do not fit its outputs are left out, and said."""
    names = model.class_names
    if names is not None and not names_fit(names, model.graph.output_shape[-1]):
        names = None
    if names != model.class_names:
        warnings.warn(
            f"{len(model.class_names or ())} class names do not fit {model.graph.output_shape[-1]} outputs, one each, "
            "so the file has none; set model.class_names and save again",
            stacklevel=4,
        )
    return {
        "name": model.name,
        "seed": model.seed,
        "input_shape": list(model.graph.input_shape),
        "layers": layers.configs_of(
            model.flat_layers, lambda layer: {**layer.config(), "own": True} if layer.custom else layer.config()
        ),
        "preprocessing": model.preprocessing.to_config(),
        "class_names": None if names is None else list(names),
        "trained_on": model.trained_on,
        "compiled": model.compiled_config(),
        "exact_convolution": model.exact_convolution,
        **({} if model.reads is None else {"reads": model.reads}),
        **({} if model.nested is None else {"nested": model.nested}),
        **({} if model.input_name is None else {"input_name": model.input_name}),
        **({"outputs": list(model.graph.outputs)} if len(model.graph.outputs) > 1 else {}),
    }


def load(
    path: str | Path | Inside, custom_layers: Mapping[str, type[Layer]] | None = None, *, strict: bool = False
) -> Model:
    """The model in a file, in a checkpoint, or in a run's folder. NaN or infinite weights: a warning names the layers.

    custom_layers: layers of your own, by the names of their classes. strict: such weights are refused.
    Errors: CheckpointError for a file that is not a whole Pellucid model; the message names what is wrong with it.
    """
    file = path if isinstance(path, Inside) else path_of(path, "load: path")
    _check_custom(custom_layers)
    flag(strict, "load: strict")
    if isinstance(file, Path) and os.path.isdir(file):
        file = Inside(file) / MODEL_FILE
    with work_bar("auto") as bar:
        bar.busy(f"reading {path}")
        try:
            tensors, facts = tensor_file.read(file)
        except CheckpointError as error:
            raise _foreign(file) or error from error
        return model_of(file, tensors, facts, custom_layers, strict=strict)


def _check_custom(custom: object) -> None:
    """Errors: ConfigError for anything but layer classes by their names."""
    classes = list(custom.values()) if isinstance(custom, Mapping) else [None]
    if custom is None or all(isinstance(cls, type) and issubclass(cls, Layer) for cls in classes):
        return
    raise ConfigError(f"load: custom_layers must be {{'MyLayer': MyLayer}}, got {shown(custom)}")


def _foreign(file: Place) -> CheckpointError | None:
    """The error that says whose file this is; None where that is not known."""
    try:
        with reading(file) as opened:
            start = opened.read(32)
    except CheckpointError:
        return None
    what = next((what for beginning, what in _STARTS if start.startswith(beginning)), None)
    if what is None and file.suffix.lower() in FOREIGN and start[8:9] != b"{":
        what = f"not safetensors, its name says {FOREIGN[file.suffix.lower()]}"
    if what is None:
        return None
    return CheckpointError(
        f"{file}: is {what}, no model of Pellucid; weights alone come in by pellucid import FILE --as MODEL"
    )


def to_bytes(model: Model) -> bytes:
    """What `save` writes. Errors: ConfigError for a model whose input's shape is not known yet."""
    model.build()
    with model.turns.taken():
        return tensor_file.to_bytes(tensors_of(model.flat_layers), {"kind": "model", **facts_of(model)})


def from_bytes(
    data: bytes,
    custom_layers: Mapping[str, type[Layer]] | None = None,
    cls: type[Model] | None = None,
    compiled: tuple[Optimizer, Loss] | None = None,
) -> Model:
    """The model of what `to_bytes` gave; this is what a pickled model is made of. Errors: CheckpointError as `load`.

    cls: a class of your own that derives from Model, which the model is to be of. compiled: as `model_of`.
    """
    model = model_of("a pickled model", *tensor_file.from_bytes(data), custom_layers, compiled=compiled)
    if cls is not None:
        model.__class__ = cls
        cls.as_read(model)
    return model


def model_of(
    file: Place | str,
    tensors: Mapping[str, Array],
    facts: Mapping[str, Any],
    custom_layers: Mapping[str, type[Layer]] | None = None,
    *,
    compiled: tuple[Optimizer, Loss] | None = None,
    strict: bool = False,
) -> Model:
    """The model that a file's tensors and facts are of. Errors: as `load`.

    compiled: the optimizer and loss that are of classes of one's own.
    """
    if facts.get("kind") not in KINDS:
        raise CheckpointError(f"{file} holds no Pellucid model, but {reprlib.repr(facts.get('kind'))}")
    own = {name: array for name, array in tensors.items() if not name.startswith(TRAINING)}
    try:
        model = _restore(facts, custom_layers, sum(array.size for array in own.values()))
    except FAULTS as error:
        raise CheckpointError(
            f"{file}: the description of the model cannot be followed: {str(error) or type(error).__name__:.2000}"
        ) from error
    fill(model.flat_layers, own, file)
    if compiled is not None:
        model.compile(*compiled, facts["compiled"].get("metrics"))
    elif own_of(facts):
        warnings.warn(
            f"{file}: its {own_of(facts)} needs a class of your own, of which a file keeps the name; the model is "
            "loaded without optimizer and loss, so call compile(...) before evaluate or fit",
            stacklevel=4,
        )
    for layer in model.flat_layers:
        if "variance" in layer.state and (layer.state["variance"] < 0).any():
            raise CheckpointError(f"{file}: {printable(layer.name)}/variance holds negative numbers; it was changed")
    _check_finite(file, own, strict)
    return model


def _check_finite(file: Place | str, tensors: Mapping[str, Array], strict: bool) -> None:
    broken = [name for name, array in tensors.items() if not np.isfinite(array).all()]
    if not broken:
        return
    found = f"{file}: NaN or infinite weights in {', '.join(f'{printable(name):.80}' for name in broken[:MAX_LISTED])}"
    if strict:
        raise CheckpointError(f"{found}; load it without strict to look at it, or use an earlier epoch")
    warnings.warn(f"{found}; the model's answers will be NaN too", stacklevel=4)


def _assemble(made: list[Layer], facts: Mapping[str, Any], limit: int) -> Model:
    """A network whose weights are about to be read, without drawing them first."""
    from pellucid.model import assemble

    def refuse(shape: Shape) -> CheckpointError:
        return CheckpointError(f"a layer asks for weights of shape {shape}, the file is far too short for them")

    with drawing(made, Blank(limit, refuse)):
        return assemble(
            facts["input_shape"],
            made,
            facts.get("reads"),
            facts["name"],
            outputs=facts.get("outputs", ()),
            seed=facts["seed"],
            exact_convolution=facts.get("exact_convolution", False),
            input_name=facts.get("input_name"),
        )


def own_of(facts: Mapping[str, Any]) -> str:
    """The optimizer and loss of a file that are of a user's own classes, by kind and name: "loss 'Mine'"."""
    compiled = facts["compiled"] or {}
    return " and ".join(f"{role} {given.get('type')!r}" for role, given in compiled.items() if "own" in given)


def expect_graph(reads: list[list[int]], outputs: list[int], count: int) -> None:
    """Errors: CheckpointError unless each layer reads layers before it, and all that do not answer are read, but for
    one of several inputs."""
    read = {number for inputs in reads for number in inputs} | {
        i for i, inputs in enumerate(reads) if inputs == [INPUT]
    }
    in_order = all(inputs and max(inputs) < number for number, inputs in enumerate(reads))
    in_order = in_order and all(number < count for number in outputs)
    if len(reads) != count or not in_order or not set(range(count)) <= read.union(outputs):
        raise CheckpointError("which layer reads which is not told for a network; it was changed")


def expect_nested(nested: Mapping[str, Any], count: int) -> None:
    """Errors: CheckpointError unless its numbers are of models, calls and layers that there are."""
    calls, models = nested["calls"], nested["models"]
    ends = [number for one in calls for number in (*one["inputs"], *one["outputs"])]
    inside = [number for each in nested["within"] for number in each]
    right = len(nested["within"]) == len(nested["names"]) == count and all(number < count for number in ends)
    right = right and all(number < len(calls) for number in inside)
    if not right or any(one["model"] >= len(models) or not one["inputs"] or not one["outputs"] for one in calls):
        raise CheckpointError("which layers are a model within is not told for a network; it was changed")


def _restore(facts: Mapping[str, Any], custom_layers: Mapping[str, type[Layer]] | None, num_weights: int) -> Model:
    check(FACTS, facts)
    if len(facts["layers"]) > MAX_LAYERS:
        raise CheckpointError(f"it has {len(facts['layers'])} layers, at most {MAX_LAYERS} are read")
    if "reads" in facts:
        count = len(facts["layers"])
        expect_graph(facts["reads"], facts.get("outputs") or [count - 1], count)
    for config in facts["layers"]:
        if config.get("own") and config.get("type") not in (custom_layers or {}):
            kind = config.get("type")
            raise CheckpointError(
                f"its layer {config.get('name')!r} is of a class of your own, {kind}, of which a file keeps the name: "
                f"pellucid.load(path, custom_layers={{{kind!r}: {kind}}})"
            )
    configs = [{name: value for name, value in config.items() if name != "own"} for config in facts["layers"]]
    made = layers.from_configs(configs, custom_layers)
    model = _assemble(made, facts, SPARE_WEIGHTS + MAX_GROWTH * num_weights)
    if "nested" in facts:
        expect_nested(facts["nested"], len(facts["layers"]))
        model.keep_nested(facts["nested"])
    model.preprocessing = Preprocessing.from_config(facts["preprocessing"])
    model.trained_on = dict(facts["trained_on"])
    compiled = facts["compiled"]
    if compiled is not None and not own_of(facts):
        model.compile(optimizers.get(compiled["optimizer"]), losses.get(compiled["loss"]), compiled.get("metrics"))
    model.build()
    model.class_names = facts["class_names"]
    with np.errstate(all="ignore"):  # said below
        scale, offset = model.preprocessing.scale_offset(model.graph.input_shape[-1])
    if not (np.isfinite(scale).all() and np.isfinite(offset).all()):
        raise CheckpointError("its preprocessing goes beyond what float32 can hold")
    return model
