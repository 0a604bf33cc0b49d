"""How a program's imports find modules of ours: a finder for the names of a table, and for no others."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

Table = Mapping[str, Sequence[str]]
"""For each module's name, the modules of ours whose public names it has; "numpy as np" is one name, for a module or for
what is in one ("collections:OrderedDict as OrderedDict")."""

_INSTALLED = ("site-packages", "dist-packages")


class ProgramModules(MetaPathFinder, Loader):
    """Finds a table's modules where the program would find them, and else makes them; stands first on sys.meta_path.

    Files of the program's own win, each for itself: where a folder `common` holds no `layers.py`, `common.layers` comes
    from here. What is merely installed does not win: packages of such names are not the program's.
    chapter: the folder of the program; a name there stands for that chapter's module, elsewhere for the last chapter's.
    """

    def __init__(self, table: Table, chapter: Path) -> None:
        plain = {name.rpartition(".")[2]: name for name in table if re.match(r"ch\d", name)}
        number = re.fullmatch(r"(?:ch|chapter)[-_ ]*0*(\d+)", chapter.name, re.IGNORECASE)
        own = f"ch{int(number[1]):02}." if number else None
        plain |= {name.rpartition(".")[2]: name for name in table if own and name.startswith(own)}
        self._chapter = chapter
        self._table = {**{name: table[full] for name, full in plain.items()}, **table}
        self._packages = {name.rpartition(".")[0] for name in table if "." in name}
        self.names = {*self._table, *self._packages}
        """All that it finds."""
        self.made: list[str] = []
        """The modules that came from here so far, by the names the program knows."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _installed, (self._chapter,)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.names:
            return None
        given = sys.path if path is None else path
        places = [place for place in given if isinstance(place, str) and Path(place).name not in _INSTALLED]
        own = PathFinder.find_spec(fullname, places)
        # A folder without code counts as a package only where one is wanted.
        if own is not None and (own.origin is not None or fullname in self._packages):
            return own
        return ModuleSpec(fullname, self, origin="pellucid", is_package=fullname in self._packages)

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        for source in self._table.get(module.__name__, ()):
            name, _, short = source.partition(" as ")
            ours = resolve_name(name)
            if short:
                setattr(module, short, ours)
                continue
            public = getattr(ours, "__all__", None) or [key for key in vars(ours) if not key.startswith("_")]
            vars(module).update((key, getattr(ours, key)) for key in public)
        if module.__name__ in self._table and module.__name__ not in self.made:
            self.made.append(module.__name__)


@contextlib.contextmanager
def in_children(finder: ProgramModules) -> Iterator[None]:
    """Meanwhile, processes that multiprocessing starts anew have such a finder, too.

    What such a process is prepared with is unpickled before it imports the program, and so is the finder among it.
    """
    from multiprocessing import spawn

    whole = spawn.get_preparation_data

    def prepared(name: str) -> dict[str, Any]:
        data: dict[str, Any] = whole(name)
        if name == "ignore":  # the server that forks the others: it needs no program, and has no finder yet
            data.pop("init_main_from_path", None)
        return {**data, "pellucid": finder}

    spawn.get_preparation_data = prepared
    try:
        yield
    finally:
        spawn.get_preparation_data = whole


def _installed(chapter: Path) -> ProgramModules:
    """Puts a finder first in this process."""
    from pellucid.scratch.book import MODULES

    finder = ProgramModules(MODULES, chapter)
    sys.meta_path.insert(0, finder)
    return finder
