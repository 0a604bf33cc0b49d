"""From a file of weights to a model: opened, matched, read, written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._arguments import plain
from pellucid.convert.book import PICKLE_START, BookFile
from pellucid.convert.keras_file import ZIP_START, opened
from pellucid.convert.keras_published import KERAS_PUBLISHED
from pellucid.convert.match import SHOWN, match
from pellucid.convert.published import PUBLISHED, choose, imagenet_names
from pellucid.convert.source import Source, digests
from pellucid.convert.torch import SafetensorsFile
from pellucid.convert.torch_file import LEGACY_START, LegacyTorchFile, ZipTorchFile
from pellucid.datasets.download import Progress
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError, ConfigError
from pellucid.model import Model
from pellucid.ops.geometry import Array

KNOWN = ".pth and .pt (PyTorch), .safetensors, .h5, .weights.h5 and .keras (Keras), .pkl (Deep Learning from Scratch)"
WHOSE = "pellucid import FILE --as NETWORK, a name of the zoo's, a run, a model file, or a .json that describes one"
"""How weights alone are brought in."""

_NO_WEIGHTS = (
    (b"<", "is a web page, not a file of weights; the download went wrong"),
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"),
    (b"\x1f\x8b", "is packed with gzip; unpack it first"),
)


TORCH_EPSILON = 1e-5
"""Of batch norm in PyTorch, where nothing is said."""


@dataclass(frozen=True)
class Imported:
    """What was taken from a file, and what was not.

    fresh: layers that keep the weights they had, because the file has none for them. checked: against which published
    hash the file was compared, None where its name is no published one. by_order: modules of the file that were found
    by their shapes and order, because it has other names, and our layer that each is. guessed: nobody said how pictures
    are scaled, nor did the file.
    """

    file: str
    form: str
    sha256: str
    checked: str | None
    arrays: int
    numbers: int
    fresh: tuple[str, ...]
    scaling: str
    notes: tuple[str, ...]
    by_order: Mapping[str, str] = field(default_factory=dict)
    guessed: bool = False

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return dict(plain(asdict(self)))


def open_weights(path: str | Path) -> Source:
    """The file, indexed; use it as a context manager.

    Errors: CheckpointError for a file that is none of the known kinds, or is damaged.
    """
    file = Path(path)
    try:
        if not file.is_file():
            raise CheckpointError(f"{file}: " + ("is no file" if file.exists() else "no such file of weights"))
        with open(file, "rb") as content:
            start = content.read(32)
    except OSError as error:
        raise CheckpointError(f"{file}: cannot be read: {error.strerror or error}") from error
    keras = opened(file, start)
    if keras is not None:
        return keras
    if start.startswith(ZIP_START):
        return ZipTorchFile(file)
    if start.startswith(LEGACY_START):
        return LegacyTorchFile(file)
    if start[8:9] == b"{":  # behind the header's length, which may begin like a pickle
        return SafetensorsFile(file)
    if start.startswith(PICKLE_START):
        return BookFile(file)
    for beginning, what in _NO_WEIGHTS:
        if start.startswith(beginning):
            raise CheckpointError(f"{file}: {what}")
    raise CheckpointError(f"{file}: is no file of weights that is known here; expected {KNOWN}")


def import_weights(
    model: Model,
    path: str | Path,
    *,
    no_top: bool = False,
    scaling: str | Preprocessing | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Fill a model with the weights in a file of PyTorch's or Keras's, and give it their scaling of pictures.

    The kind of file is known by its content. no_top: leave the layers behind the flattening as they are; the last dense
    layer is left in any case where the file's was made for another number of classes, and all of them where the file
    has none: `fresh` names them. scaling: a name of `SCALINGS`, or a Preprocessing with mean and
    deviation of your own; None: as published for such a network, which is a guess, and `guessed` says so.
    Errors: CheckpointError for a file that cannot be read, and one whose arrays do not fit;
    ConfigError where a library is missing. The model is changed only once everything was read.
    """
    with open_weights(path) as source:
        return fill_from(source, model, no_top=no_top, scaling=scaling, progress=progress)


def fill_from(
    source: Source,
    model: Model,
    *,
    no_top: bool = False,
    scaling: str | Preprocessing | None = None,
    progress: Progress | None = None,
) -> Imported:
    """`import_weights` from a file that is open."""
    model.build()
    pictures = len(model.graph.input_shape) == 3
    if not pictures and scaling != "plain":  # which changes no number
        raise ConfigError(f"{model.name} takes {model.graph.input_shape}; weights are imported for pictures (H, W, C)")
    named, recipe = choose(scaling, source.framework, model.name)
    fit = recipe.fitted(model, asked=scaling is not None) if pictures else model.preprocessing
    known = PUBLISHED.get(source.path.name) or KERAS_PUBLISHED.get(source.path.name)
    hashes = digests(source.path, ("sha256",) if known is None else ("sha256", known.kind), progress)
    if known is not None and not hashes[known.kind].startswith(known.digest):
        raise CheckpointError(
            f"{source.path}: has the name of a published file, whose {known.kind.upper()} begins with "
            f"{known.digest[:8]}, but its own is {hashes[known.kind]}; fetch it again, or rename it if it is another"
        )
    taken, fresh = match(model, source, no_top=no_top, blue_first=recipe.blue_first)
    arrays: dict[tuple[str, str], Array] = {}
    broken = []
    for done, item in enumerate(taken):
        array = item.arrange(source.read(item.tensor))
        arrays[item.layer.name, item.name] = array
        if not np.isfinite(array).all():
            broken.append(item.tensor)
        if progress is not None:
            progress(done + 1, len(taken), "arrays")
    for layer in model.flat_layers:
        names = [*layer.params, *layer.state]
        if names and (layer.name, names[0]) in arrays:
            layer.set_weights([arrays[layer.name, name] for name in names])
    source.finish(model)
    model.preprocessing = fit
    if known is not None and not fresh and model.graph.output_shape == (len(imagenet_names()),):
        model.class_names = imagenet_names()
    model.trained_on = {"weights": {"file": source.path.name, "sha256": hashes["sha256"], "form": source.form}}
    notes = list(source.notes)
    if source.by_order:
        pairs = [f"{theirs} is {ours}" for theirs, ours in source.by_order.items()]
        shown = pairs if len(pairs) <= SHOWN else [*pairs[:SHOWN], "...", pairs[-1]]
        notes.append(f"names differ, so layers were found by shapes and order: {', '.join(shown)}")
    if source.framework == "torch" and known is None:
        notes += _epsilons(model, source)
    if broken:
        notes.append(f"NaN or infinite numbers are in {', '.join(broken)}: the model's answers will be too")
    return Imported(
        file=str(source.path),
        form=source.form,
        sha256=hashes["sha256"],
        checked=None if known is None else f"{known.kind.upper()} {known.digest}",
        arrays=len(arrays),
        numbers=sum(array.size for array in arrays.values()),
        fresh=fresh,
        scaling=named,
        notes=tuple(notes),
        by_order=source.by_order,
        guessed=scaling is None and known is None and source.framework != "book",
    )


def _epsilons(model: Model, source: Source) -> list[str]:
    """What is to be said of batch norms that may be others than in the file's program."""
    for layer in model.flat_layers:
        epsilon = vars(layer).get("epsilon")
        if layer.role != "batch norm" or epsilon == TORCH_EPSILON or f"{layer.name}.weight" in source.tensors:
            continue
        return [
            f"{layer.name!r} adds {epsilon:g} to the variance, a batch norm of PyTorch {TORCH_EPSILON:g} unless its "
            f"program says otherwise, which no file does; if it does not, say epsilon={TORCH_EPSILON:g} in the network"
        ]
    return []
