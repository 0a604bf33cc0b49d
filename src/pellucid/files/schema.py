"""What a record in a file holds, described once: the description is read by people and checked by `check`.

A description is a `Kind`; a dict of them, for an object (a key that ends in "?" may be missing, others that it has no
word for may be there); a list of one, for a list; `Maybe(...)`, for null too; `Values(...)`, for an object of any keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pellucid.errors import shown


class Misfit(ValueError):
    """A field that is not as the description says: which, what was expected, what is there."""


@dataclass(frozen=True)
class Kind:
    """Values of one kind, and the words for it."""

    words: str
    fits: Callable[[Any], bool]


@dataclass(frozen=True)
class Maybe:
    """What the description says, or null."""

    of: Any


@dataclass(frozen=True)
class Values:
    """An object whose values are all as described."""

    of: Any


TEXT = Kind("a text", lambda value: isinstance(value, str))
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
INTEGER = Kind("a whole number", lambda value: type(value) is int)
LIST = Kind("a list", lambda value: isinstance(value, list))
OBJECT = Kind("an object", lambda value: isinstance(value, dict))
NAMES = Kind("names of files", lambda value: isinstance(value, list) and all(isinstance(name, str) for name in value))


def whole(least: int = 0, most: int = 2**62) -> Kind:
    """Whole numbers in a range."""
    return Kind(f"a whole number from {least} to {most}", lambda value: type(value) is int and least <= value <= most)


def number(least: float = -1e300, most: float = 1e300) -> Kind:
    """Finite numbers in a range."""

    def fits(value: object) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most

    return Kind(f"a number of at least {least:g}" if math.copysign(1, least) > 0 else "a number", fits)


def either(*kinds: Kind) -> Kind:
    """Any of several kinds."""
    return Kind(" or ".join(kind.words for kind in kinds), lambda value: any(kind.fits(value) for kind in kinds))


def check(spec: Any, value: Any, field: str = "") -> None:
    """Errors: Misfit, naming the first field of `value` that is not as `spec` describes it."""
    if isinstance(spec, Maybe):
        if value is not None:
            check(spec.of, value, field)
    elif isinstance(spec, Kind):
        _require(spec.fits(value), field, spec.words, value)
    elif isinstance(spec, list):
        _require(isinstance(value, list), field, "a list", value)
        for place, item in enumerate(value):
            check(spec[0], item, f"{field}[{place}]")
    elif isinstance(spec, Values):
        _require(isinstance(value, dict), field, "an object", value)
        for key, item in value.items():
            check(spec.of, item, _join(field, key))
    else:
        _require(isinstance(value, dict), field, "an object", value)
        for key, inner in spec.items():
            name = key.removesuffix("?")
            if name == key and isinstance(inner, Maybe):
                _require(name in value, _join(field, name), "an entry, null too", None)
            if name in value or name == key:
                check(inner, value.get(name), _join(field, name))


def within(record: Mapping[str, Any], spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record, if it is as described. Errors: Misfit."""
    check(spec, record)
    return record


def _join(field: str, name: object) -> str:
    key = name if isinstance(name, str) and len(name) <= 80 else shown(name)
    return f"{field}.{key}" if field else key


def _require(right: bool, field: str, words: str, value: object) -> None:
    if not right:
        raise Misfit(f"{field or 'the record'}: expected {words}, got {shown(value)}")
