"""Networks with weights that others trained: the published ones by name, and any in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from pellucid import zoo
from pellucid._progress import work_bar
from pellucid.convert import (
    PUBLISHED,
    Imported,
    Source,
    bring,
    fill_from,
    import_weights,
    locate,
    open_weights,
    published,
)
from pellucid.datasets.download import Progress
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import CheckpointError
from pellucid.model import Model

IMAGENET = "imagenet"

MAX_CLASSES = 1 << 16
"""A file says how many classes the network is built for, before it is seen whether its weights fit."""


def fill(model: Model, weights: str | PathLike[str]) -> Imported:
    """Fill a network of the zoo with published weights, "imagenet", or with those in a file.

    Published ones are looked for under PELLUCID_DATA, in the cache, in an installed package, and then downloaded; the
    model gets their classes' names and their scaling of pictures. With another number of classes the last layer keeps
    its random start.
    Errors: ConfigError where nobody has published weights of this network; DataError where they cannot be had; and as
    `convert.import_weights`.
    """
    if weights != IMAGENET:
        path = Path(weights).expanduser()
        if nearly_imagenet(path):
            raise CheckpointError(f'{path}: no such file of weights; did you mean weights="{IMAGENET}"?')
        return import_weights(model, path)
    normed = f"{model.name}_bn"
    known = any(one.network == normed for one in PUBLISHED.values())
    has_norm = any(layer.role == "batch norm" for layer in model.flat_layers)
    one = published(normed if known and has_norm else model.name)
    with work_bar("auto") as bar:
        return import_weights(model, bring(one, progress=bar))


def nearly_imagenet(path: Path) -> bool:
    """Whether this is no file, but the word for published weights, or almost.

    >>> nearly_imagenet(Path("imagnet")), nearly_imagenet(Path("runs/first"))
    (True, False)
    """
    return bool(difflib.get_close_matches(str(path).lower(), [IMAGENET])) and not path.exists()


def here(name: str) -> bool | None:
    """Whether the published weights of a network lie on this machine; None where nobody has published any."""
    files = [locate(one) for one in PUBLISHED.values() if (one.network, one.framework) == (name, "torch")]
    return files[0] is not None if files else None


def import_model(
    path: str | Path,
    name: str,
    *,
    classes: int | None = None,
    size: int | None = None,
    options: Mapping[str, Any] | None = None,
    seed: int = 0,
    no_top: bool = False,
    scaling: str | Preprocessing | None = None,
    progress: Progress | None = None,
) -> tuple[Model, Imported]:
    """The zoo's network of this name with the weights in a file; `import_weights` explains the rest.

    classes: None for as many as the file's last layer has. size: None for the size the network was published with.
    Batch normalisation is put in where the file has it ("vgg16_bn" says so too).
    Errors: ConfigError for an unknown name, and otherwise as import_weights.
    """
    plain, chosen = _standard(name, dict(options or {}))
    with open_weights(path) as source:
        if "batch_norm" in zoo.options_of(plain) and source.has_batch_norm():
            chosen.setdefault("batch_norm", True)
        chosen = {**_of_small_residual(plain, source), **chosen}
        if classes is None and not no_top:
            classes = source.num_classes()
            if classes is not None and classes > MAX_CLASSES:
                source.refuse(f"tells {classes} classes apart, at most {MAX_CLASSES} are made without --classes")
        shape = None if size is None else (size, size, zoo.channels_of(plain))
        model = zoo.build(plain, input_shape=shape, classes=classes, seed=seed, options=chosen)
        report = fill_from(source, model, no_top=no_top, scaling=scaling, progress=progress)
    model.compile("adam", "categorical_crossentropy")
    return model, report


def _of_small_residual(name: str, source: Source) -> dict[str, Any]:
    """What a file of PyTorch's says of a residual network for small pictures: its paddings are PyTorch's, and how many
    convolutions there are tells whether shortcuts have weights. None of a file that was written here."""
    written_here = any(module.startswith("block1_1_") for module in source.tensors)
    if source.framework != "torch" or written_here or not {"padding", "shortcuts"} <= zoo.options_of(name).keys():
        return {}
    convolutions = sum(len(stored.shape) == 4 for stored in source.tensors.values())
    shortcuts = {"shortcuts": "padding"} if convolutions % 6 == 1 else {}
    source.notes.append(f"its convolutions are padded as PyTorch pads them{', shortcuts with zeros' * bool(shortcuts)}")
    return {"padding": "pytorch", **shortcuts}


def _standard(name: str, options: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """A zoo name and its options; torchvision says vgg16_bn where ours is vgg16 with batch_norm."""
    plain = name.lower().replace("_", "-")
    base = plain.removesuffix("-bn")
    if plain not in zoo.NAMES and base in zoo.NAMES and "batch_norm" in zoo.options_of(base):
        return base, {"batch_norm": True, **options}
    return zoo.standard_name(name), options
