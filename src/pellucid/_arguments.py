"""Arguments that are no arrays, checked where users give them; each error names the argument and what it got."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pellucid.errors import ConfigError, PellucidError, shown, unknown_name

Made = TypeVar("Made")

MAX_PATH = 4096
"""Bytes of a path, at which systems begin to refuse it."""


def flag(value: Any, what: str) -> bool:
    """True or False; 0, 1 and NumPy's are taken. Errors: ConfigError for anything else, words too."""
    if isinstance(value, bool | np.bool_) or (isinstance(value, int | np.integer) and value in (0, 1)):
        return bool(value)
    raise ConfigError(f"{what} must be True or False, got {shown(value)}")


def verbosity(value: Any) -> int | str:
    """How much is printed. Errors: ConfigError for anything but 0, 1, 2 and "auto"."""
    if isinstance(value, str) and value == "auto":
        return value
    if isinstance(value, int | np.integer) and value in (0, 1, 2):
        return int(value)
    raise ConfigError(f'verbose must be 0, 1, 2 or "auto", got {shown(value)}')


def path_of(value: Any, what: str) -> Path:
    """A path from text or a path. Errors: ConfigError for anything else, and for what no system has as a name."""
    if isinstance(value, str | os.PathLike):
        with contextlib.suppress(TypeError, ValueError):  # what is no path, and lone surrogates
            path = os.fsdecode(value)
            if 0 < len(os.fsencode(path)) < MAX_PATH and "\0" not in path:
                return Path(path)
    raise ConfigError(f"{what} must be a path, got {shown(value)}")


def word(value: Any, what: str) -> str:
    """A name: text that is not empty and that a file can hold. Errors: ConfigError for anything else."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{what} must be a word, got {shown(value)}")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigError(f"{what} must be text that a file can hold, got {value!a}")
    return value


def made(cls: Callable[..., Made], arguments: dict[str, Any], what: str) -> Made:
    """What a stored config describes. Errors: ConfigError for arguments that there are not, or that are missing."""
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ConfigError(f"{what}: these arguments do not make it: {' '.join(str(error).split()):.200}") from error


def described(kind: str, config: Mapping[str, Any], classes: Mapping[str, type[Made]]) -> Made:
    """What a stored config, {"type": the name of its class, ...}, describes. Errors: ConfigError where it does not."""
    arguments = dict(config)
    cls = classes.get(str(arguments.pop("type", None)))
    if cls is None:
        raise unknown_name(kind, config.get("type"), classes)
    return made(cls, arguments, cls.__name__)


def within(what: str, make: Callable[[Any], Made], given: Any) -> Made:
    """What `make` makes of an argument. Errors: its own, naming the argument."""
    try:
        return make(given)
    except PellucidError as error:
        raise type(error)(f"{what}: {error}") from None


def plain(value: Any) -> Any:
    """The value as JSON has it. Errors: ConfigError for anything but numbers, text, lists and dictionaries."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    raise ConfigError(f"a {type(value).__name__} is nothing that a file can hold")


def record(value: Any, what: str) -> dict[str, Any]:
    """A dictionary. Errors: ConfigError for anything else."""
    if not isinstance(value, dict):
        raise ConfigError(f"{what} must be a dictionary, got {shown(value)}")
    return value


def several(value: Any, what: str) -> list[Any]:
    """The items of a list, a tuple or the like. Errors: ConfigError for one thing, a word among them."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict):
        return list(value)
    raise ConfigError(f"{what} must be a list, got {shown(value)}")
