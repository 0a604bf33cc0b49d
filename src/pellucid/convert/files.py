"""Files that hold a whole network of another program's: a row each, and `load`, which reads ours and theirs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pellucid._arguments import path_of
from pellucid._progress import work_bar
from pellucid.convert import architecture, json_network, keras_model
from pellucid.convert.network import UNSAID, Read
from pellucid.convert.onnx import network as onnx
from pellucid.convert.published import choose
from pellucid.convert.source import digests
from pellucid.convert.weights import KNOWN, WHOSE, Imported
from pellucid.datasets.download import Progress
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files.inside import Inside, Place, reading
from pellucid.layers import Layer
from pellucid.model import Model
from pellucid.model import file as model_file

START_BYTES = 256


@dataclass(frozen=True)
class Kind:
    """What files of one kind are; whether a file is one, by its path and its first START_BYTES bytes; and its reader.

    read: raises CheckpointError for a file that is damaged or cannot be expressed, and runs nothing that it says.
    """

    title: str
    fits: Callable[[Path, bytes], bool]
    read: Callable[[Path], Read]


KINDS: tuple[Kind, ...] = (
    Kind("Keras's .keras and .h5", keras_model.fits, keras_model.read),
    Kind("an ONNX model", onnx.fits, onnx.read),
    Kind("TensorFlow.js's model.json, ConvNetJS's .json", json_network.fits, json_network.read),
)
"""Asked in this order."""


def kind_of(path: Path) -> Kind | None:
    """The kind of network that a file holds; None for a file of ours, of weights alone, or of nothing known here.

    Errors: CheckpointError for what cannot be read.
    """
    with reading(path) as file:
        start = file.read(START_BYTES)
    return next((kind for kind in KINDS if kind.fits(path, start)), None)


def holds_network(file: Place) -> bool:
    """Whether `load` reads a file as another program's whole network. Errors: CheckpointError as `kind_of`."""
    return not isinstance(file, Inside) and os.path.isfile(file) and kind_of(file) is not None


def import_network(
    path: str | Path, *, scaling: str | Preprocessing | None = None, progress: Progress | None = None
) -> tuple[Model, Imported]:
    """The network in another program's file, and what was read.

    scaling: a name of `SCALINGS`, or a Preprocessing; None: as the file says.
    Errors: ConfigError for an unknown scaling; CheckpointError for a file without a network, and as the kind's
    reader.
    """
    file = path_of(path, "import: path")
    kind = kind_of(file)
    if kind is None:
        titles = ", ".join(kind.title for kind in KINDS)
        raise CheckpointError(
            f"{file}: holds no network that is known here ({titles}); where it holds weights alone ({KNOWN}), say "
            f"whose: {WHOSE}"
        )
    read = kind.read(file)
    weights = read.model.weights
    if scaling is not None:
        named, recipe = choose(scaling, "", read.model.name)
        read.model.preprocessing = recipe.fitted(read.model, asked=True)
        first = next((layer for layer in read.model.flat_layers if layer.role == "convolution"), None)
        if recipe.blue_first and first is not None and first.params["kernel"].shape[2] == 3:
            first.write("kernel", first.params["kernel"][:, :, ::-1])
    return read.model, Imported(
        file=str(file),
        form=read.form,
        sha256=digests(file, ("sha256",), progress)["sha256"],
        checked=None,
        arrays=len(weights),
        numbers=sum(array.size for array in weights),
        fresh=(),
        scaling=read.scaling if scaling is None else named,
        notes=tuple(note for note in read.notes if scaling is None or note != UNSAID),
    )


def empty(path: str | Path | Inside, seed: int = 0) -> Model:
    """The network that weights from elsewhere are to fill: what a JSON file describes, or what `load` reads.

    Errors: ConfigError for a program, which is not run; CheckpointError as `architecture.described` and `load`.
    """
    file = path if isinstance(path, Inside) else path_of(path, "import: path")
    if isinstance(file, Path) and file.suffix.lower() == ".py":
        raise ConfigError(
            f"{file}: is a program, which is not run; describe its network in JSON (docs/weights.md), or save it there "
            "as a model file"
        )
    if isinstance(file, Path) and file.suffix.lower() == ".json" and architecture.fits(architecture.parsed(file)):
        return architecture.described(file, seed)
    return load(file)


def load(
    path: str | Path | Inside, custom_layers: Mapping[str, type[Layer]] | None = None, *, strict: bool = False
) -> Model:
    """The model in a file of ours, in a checkpoint or in a run's folder; or the network in another program's file.

    custom_layers: layers of your own, by the names of their classes. strict: NaN or infinite weights are refused;
    otherwise a warning names their layers.
    Errors: CheckpointError for a file that holds no whole model; the message names what is wrong with it.
    """
    file = path if isinstance(path, Inside) else path_of(path, "load: path")
    if not isinstance(file, Inside) and os.path.isfile(file):
        kind = kind_of(file)
        if kind is not None:
            with work_bar("auto") as bar:
                bar.busy(f"reading {file}")
                return kind.read(file).model
    return model_file.load(path, custom_layers, strict=strict)
