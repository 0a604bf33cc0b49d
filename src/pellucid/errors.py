"""Every error Pellucid raises on purpose.

    PellucidError
    ├── ShapeError        arrays or pictures whose sizes do not fit together
    ├── ConfigError       an argument, a name or a combination that makes no sense
    ├── DataError         a data set, picture or label that cannot be used
    ├── CheckpointError   a model file that cannot be read or written
    ├── DivergedError     training whose loss is no longer a number
    └── BackendError      the compiled kernels are missing or refuse

Each message names the place, what was expected, what was given, and what to change.
"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Collection, Iterable
from typing import TypeVar

from pellucid._text import printable

__all__ = [
    "BackendError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "PellucidError",
    "ShapeError",
    "expect_known",
    "shown",
    "unknown_name",
]


Name = TypeVar("Name")


class PellucidError(Exception):
    """The root: catch this to catch everything Pellucid raises on purpose.

    A message may quote a stranger's file: what would steer a terminal is spelled out.
    """

    def __str__(self) -> str:
        return printable(super().__str__())


class ShapeError(PellucidError, ValueError):
    """Arrays or pictures whose sizes do not fit together."""


class ConfigError(PellucidError, ValueError):
    """An argument, a name or a combination of them that makes no sense."""


class DataError(PellucidError, ValueError):
    """A data set, picture or label that cannot be used."""


class CheckpointError(PellucidError, ValueError):
    """A model file or checkpoint that cannot be read or written."""


class DivergedError(PellucidError, ArithmeticError):
    """Training stopped because the loss is no longer a finite number."""


class BackendError(PellucidError, RuntimeError):
    """The compiled kernels are missing, or refuse what was asked."""


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, 80, 80

    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if x.bit_length() <= 128 else f"a whole number of {x.bit_length()} bits"


def shown(value: object) -> str:
    """A value that was refused, as an error prints it: on one line, and short, however long, deep or odd it is.

    >>> shown([[[[[1]]]]]), shown(10**5000), shown("same"), shown(list(range(100)))
    ('[[[[[...]]]]]', 'a whole number of 16610 bits', "'same'", '[0, 1, 2, 3, 4, 5, ...]')
    """
    try:
        return " ".join(_Short().repr(value).split())
    except Exception:  # whatever a stranger's __repr__ makes of it
        return f"a {type(value).__name__}"


MOST_NAMES = 20
"""That an error lists."""


def unknown_name(kind: str, given: object, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a table; suggests the nearest right one.

    >>> print(unknown_name("optimizer", "adan", ["sgd", "adam"]))
    unknown optimizer 'adan'; did you mean 'adam'? Known: adam, sgd
    """
    names = sorted(known)
    word = given.lower() if isinstance(given, str) and len(given) < 100 else ""
    nearest = difflib.get_close_matches(word, [name.lower() for name in names], n=1, cutoff=0.5)
    hint = next((name for name in names if nearest and name.lower() == nearest[0]), None)
    suggestion = f"did you mean {hint!r}? Known" if hint else "known"
    return ConfigError(f"unknown {kind} {shown(given)}; {suggestion}: {_listed(names, word) or 'none'}")


def _listed(names: list[str], word: str) -> str:
    """The names, or of many those nearest to the word."""
    if len(names) <= MOST_NAMES:
        return ", ".join(names)
    near = difflib.get_close_matches(word, names, n=MOST_NAMES, cutoff=0.0)
    return f"{', '.join(sorted(near))} and {len(names) - len(near)} more"


def expect_known(kind: str, given: Name, known: Collection[str]) -> Name:
    """The name, if it is one of the known. Errors: ConfigError as `unknown_name` makes it.

    >>> expect_known("optimizer", "adam", ["sgd", "adam"])
    'adam'
    """
    if not isinstance(given, str) or given not in known:
        raise unknown_name(kind, given, known)
    return given
