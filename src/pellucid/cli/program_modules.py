"""How a program's imports find modules of ours: a finder for the names of a table, and for no others.

The table has the book's modules, `scratch/book.py`, and Keras's and TensorFlow's, which are those of `pellucid.keras`.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

from pellucid._keras_modules import DATASETS, OLDER, again

Table = Mapping[str, Sequence[str]]
"""For each module's name, the modules of ours whose public names it has; "numpy as np" is one name, for a module or for
what is in one ("collections:OrderedDict as OrderedDict")."""

INNER = (
    "composed", "ctc", "ends", "functions", "hearing", "image_ops", "model", "networks", "networks.application",
    "networks.parts", "networks.residual", "networks.scaling", "networks.torchvision", "networks.vgg", "older",
    "older_layers", "operation", "refused", "registered", "seeds", "sequential", "steps", "tensor",
    "tensorflow.colours", "tensorflow.convolution", "tensorflow.edges", "tensorflow.module", "tensorflow.resizing",
    "tensorflow.sessions", "weights",
)  # fmt: skip
"""Modules of `pellucid.keras` that are none of Keras's."""


def table() -> dict[str, Sequence[str]]:
    """Of the book, of Keras and of TensorFlow; nothing of ours is imported for it but the book's table."""
    from pellucid.scratch.book import MODULES

    folder = Path(__file__).parents[1] / "keras"
    found: dict[str, Sequence[str]] = dict(MODULES)
    for path in sorted(folder.rglob("*.py")):
        *above, last = path.relative_to(folder).with_suffix("").parts
        name = ".".join(above if last == "__init__" else [*above, last])
        if name in INNER:
            continue
        ours = f"pellucid.keras.{name}".rstrip(".")
        sources = (ours, *_BESIDE.get(name, ()))
        if name.partition(".")[0] == "tensorflow":
            found[name] = sources
        else:
            found.update(dict.fromkeys(_paths(name), sources))
    for name in DATASETS:
        found.update(dict.fromkeys(_paths(f"datasets.{name}"), (f"pellucid.datasets.{name}",)))
    for older, today in OLDER.items():
        found.update(dict.fromkeys(_paths(older), (f"pellucid.keras.{today}",)))
    return found


def _paths(name: str) -> tuple[str, ...]:
    alone = [f"keras_{name}"] if name.startswith("preprocessing") else []  # a package of its own, before Keras 3
    return *again(name), f"tf_keras.{name}".rstrip("."), *alone


_BESIDE: Mapping[str, Sequence[str]] = {
    "": ("pellucid.keras:__version__ as __version__",),
    "tensorflow.compat.v1": ("pellucid.keras.tensorflow:__version__ as __version__",),
    "tensorflow": ("pellucid.keras.tensorflow:__version__ as __version__", "pellucid.keras as keras"),
}
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
        self.chapter = chapter
        self._table = {**{name: table[full] for name, full in plain.items()}, **table}
        self._packages = {name.rpartition(".")[0] for name in table if "." in name}
        self.names = {*self._table, *self._packages}
        """All that it finds."""
        self.made: list[str] = []
        """The modules that came from here so far, by the names the program knows."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _installed, (self.chapter,)

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

    def ours(self, name: str) -> bool:
        """Whether a module of this name comes from here, and not from beside the program."""
        spec = self.find_spec(name)
        return spec is not None and spec.loader is self

    def module(self, name: str) -> ModuleType:
        """What would be imported under this name; it stands nowhere."""
        module = ModuleType(name)
        self.exec_module(module)
        self.made = [made for made in self.made if made != name]
        return module

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
        sources = [source for source in self._table.get(module.__name__, ()) if " as " not in source]
        vars(module)["__getattr__"] = functools.partial(_asked, module.__name__, sources)
        if module.__name__ in self._table and module.__name__ not in self.made:
            self.made.append(module.__name__)


def _asked(name: str, sources: Sequence[str], attribute: str) -> Any:
    """A name that is not public in any of a module's sources, or that a source refuses where it is used.

    Errors: AttributeError, saying what to write instead where that is known.
    """
    wrong = AttributeError(f"module {name!r} has no attribute {attribute!r}", name=attribute)
    for source in () if attribute.startswith("__") else sources:
        try:
            return getattr(resolve_name(source), attribute)
        except AttributeError as error:
            wrong = error
    raise wrong


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
    finder = ProgramModules(table(), chapter)
    sys.meta_path.insert(0, finder)
    return finder
