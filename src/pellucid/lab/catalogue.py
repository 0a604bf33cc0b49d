"""The layers that a network can be edited with, and the form of each, read from the signatures of their classes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pellucid import initializers, ops
from pellucid.errors import ConfigError, ShapeError
from pellucid.layers import LAYERS, Input, Layer, from_config
from pellucid.ops import Shape

SHARED = ("name", "input_shape", "trainable")
"""Arguments that every layer has: no field of a form."""

CHOICES: dict[str, Sequence[str]] = {
    "activation": tuple(ops.ACTIVATIONS),
    "padding": ("valid", "same"),
    "mode": ops.BORDERS,
    "interpolation": ops.INTERPOLATIONS,
}
"""The words that arguments of these names take, where their type has words at all."""

FIRST = {"filters": 16, "kernel_size": 3, "units": 32, "rate": 0.25, "stddev": 0.1, "activation": "relu"}
"""What a new layer has where its class leaves the argument to its user."""


@dataclass(frozen=True)
class Field:
    """An argument of a layer. kind: "whole", "number", "flag", "word", "initializer" or "sizes", which are one number,
    several, pairs of them, or one of the words in `choices`. optional: it may be None. required: it has no default."""

    name: str
    kind: str
    optional: bool
    required: bool
    choices: tuple[str, ...]


_KINDS = {
    "int": "whole",
    "float": "number",
    "bool": "flag",
    "str": "word",
    "str | Callable[[Any], Any]": "word",
    "InitializerLike": "initializer",
    "int | Sequence[int]": "sizes",
    "Sequence[int]": "sizes",
    "int | Sequence[Any]": "sizes",
    "str | int | Sequence[Any]": "sizes",
}
"""What is asked for an argument of this type. Others are no field of a form."""


def fields_of(kind: type[Layer]) -> list[Field]:
    """The arguments of a layer that a form can ask for."""
    found = []
    for name, parameter in inspect.signature(kind).parameters.items():
        written = str(parameter.annotation)
        asked = _KINDS.get(written.removesuffix(" | None"))
        if name in SHARED or asked is None:
            continue
        words = CHOICES.get(name, ()) if "str" in written else ()
        if asked == "initializer":
            words = initializers.NAMES
        required = parameter.default is parameter.empty
        found.append(Field(name, asked, written.endswith(" | None"), required, tuple(words)))
    return found


def catalogue(input_shape: Shape) -> list[dict[str, Any]]:
    """Every layer that a row of them on such pictures can have: {type, fields, config of a new one}."""
    found = []
    for name, kind in LAYERS.items():
        fields = fields_of(kind)
        given = {field.name: FIRST[field.name] for field in fields if field.required and field.name in FIRST}
        needed = {n for n, p in inspect.signature(kind).parameters.items() if p.default is p.empty}
        if kind.merges or kind is Input or not needed <= {field.name for field in fields}:
            continue
        try:
            new = from_config({"type": name, **given})
        except ConfigError:  # an argument that only its user can choose
            config: dict[str, Any] = {"type": name, **given}
        else:
            if not any(_fits(new, shape) for shape in (input_shape, (64,))):
                continue
            config = {key: value for key, value in new.config().items() if key not in SHARED}
        found.append({"type": name, "fields": [asdict(field) for field in fields], "config": config})
    return found


def _fits(layer: Layer, shape: Shape) -> bool:
    try:
        layer.output_of([shape])
    except ShapeError:  # of another kind of pictures, or only too large
        return False
    return True
