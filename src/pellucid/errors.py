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
from collections.abc import Iterable


class PellucidError(Exception):
    """The root: catch this to catch everything Pellucid raises on purpose."""


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


def unknown_name(kind: str, given: object, known: Iterable[str]) -> ConfigError:
    """The error for a name that is not in a table; suggests the nearest right one.

    >>> print(unknown_name("optimizer", "adan", ["sgd", "adam"]))
    unknown optimizer 'adan'; did you mean 'adam'? Known: adam, sgd
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(str(given).lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    hint = next((name for name in names if nearest and name.lower() == nearest[0]), None)
    suggestion = f"did you mean {hint!r}? Known" if hint else "known"
    return ConfigError(f"unknown {kind} {given!r}; {suggestion}: {', '.join(names)}")
