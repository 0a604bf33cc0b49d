"""The formats a model leaves in, a row each, and how their files are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pellucid._arguments import path_of
from pellucid.errors import ConfigError, expect_known
from pellucid.export import html, keras, onnx, torch
from pellucid.files.atomic import replacing
from pellucid.files.inside import Place, inside

if TYPE_CHECKING:
    from pellucid.model import Model


@dataclass(frozen=True)
class Format:
    """What it is in a few words, how its file's name ends, and what makes it.

    files: of a model and the file's name without its ending, the contents of all files by their names, the named one
    first. It raises ConfigError for what the format cannot say, with the layer's name and what to do. trainable: the
    same of a model that goes on learning there, where the format has such.
    """

    title: str
    ending: str
    files: Callable[[Model, str], dict[str, bytes]]
    trainable: Callable[[Model, str], dict[str, bytes]] | None = None


FORMATS: dict[str, Format] = {
    "keras": Format("Keras 3, architecture and weights", ".keras", keras.files),
    "h5": Format("Keras's older form, for programs that know .h5 alone", ".h5", keras.older_files),
    "onnx": Format("ONNX, for ONNX Runtime and all that reads its files", ".onnx", onnx.files),
    "torch": Format("a PyTorch module in source, and its state dict", ".py", torch.files),
    "pth": Format("PyTorch's state dict alone, as torch.save writes it", ".pth", torch.state_files),
    "html": Format("a page that reads pictures in any browser", ".html", html.files, html.trainable_files),
}
"""By what `pellucid export --to` calls them."""


def format_of(path: Place, to: str | None = None) -> str:
    """The name in FORMATS: `to`, or the one whose ending the path has.

    Errors: ConfigError for a name or an ending of none, or a path that ends as another format's.
    """
    by_ending = {row.ending: name for name, row in FORMATS.items()}
    found, known = by_ending.get(path.suffix.lower()), ", ".join(FORMATS)
    if to is None:
        if found is None:
            raise ConfigError(f"{path}: its ending is of none of {', '.join(by_ending)}; say which format: {known}")
        return found
    name = expect_known("format", to, FORMATS)
    if path.suffix.lower() != FORMATS[name].ending:
        raise ConfigError(f"{path}: a file of the format {name} ends in {FORMATS[name].ending}; name it so")
    return name


def write(model: Model, path: str | Path | Place, to: str | None = None, *, trainable: bool = False) -> list[Place]:
    """Write the model's files in a format, by default the one that the path's ending names; their places, named first.

    trainable: it goes on learning there.
    Errors: ConfigError as `format_of`, and for a model that the format cannot hold, or cannot train; CheckpointError
    for what cannot be written.
    """
    place = path if not isinstance(path, str | Path) else path_of(path, "write: path")
    name = format_of(place, to)
    row = FORMATS[name]
    make = row.trainable if trainable else row.files
    if make is None:
        able = ", ".join(one for one, each in FORMATS.items() if each.trainable)
        raise ConfigError(f"what is written as {name} learns nothing by itself; trainable is of {able}")
    contents = make(model, place.name.removesuffix(place.suffix))
    folder = inside(place).parent
    places: list[Place] = [place, *(folder / name for name in list(contents)[1:])]
    for target, data in zip(places, contents.values(), strict=True):
        with replacing(target) as file:
            file.write(data)
    return places
