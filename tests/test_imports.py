"""Imports point one way, and `import pellucid` brings in nothing but NumPy."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy
import pytest
from groups import grouped
from page_blocks import blocks

import pellucid
from pellucid import layers
from pellucid.train import events

SOURCE = Path(pellucid.__file__).parent

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"


def told(kind: str) -> list[str]:
    """The lines of a block on the page about the architecture."""
    (found,) = blocks(PAGE, kind)
    return found.splitlines()


# who comes later may import who comes earlier; those of one row may not import each other in a circle
ORDER = [line.split() for line in told("imports")]
RANK = {name: rank for rank, row in enumerate(ORDER) for name in row}
# these stand beside layers: they import no more than this, and only what comes after layers imports them
BESIDE = {name: set(others.split()) for name, _, others in (line.partition(": ") for line in told("beside"))}


def test_the_page_names_what_there_is() -> None:
    parts = {part_of(dotted(path)) for path in FILES}
    assert {*RANK, *BESIDE} == parts


def test_the_files_that_the_page_names_exist() -> None:
    """In backquotes, below src/pellucid/ or beside it."""
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z0-9_]+\.(?:py|cpp|hpp)|[a-z_]+\.py)`", text))
    assert len(named) > 15
    beside = {path.name for path in SOURCE.rglob("*.py")}
    assert not [name for name in named - beside if not (SOURCE / name).exists() and not (ROOT / name).exists()]


def part_of(module: str) -> str:
    """The part a dotted name belongs to: pellucid.ops.api.conv is of ops."""
    name = module.split(".")[1] if "." in module else ""
    return {"__main__": "cli"}.get(name, name)


def dotted(path: Path) -> str:
    parts = ("pellucid", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "pellucid")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "pellucid":
                yield from (f"pellucid.{alias.name}" for alias in node.names if not alias.name.startswith("__"))
            elif node.module and node.module.split(".")[0] == "pellucid":
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


@functools.cache
def imported(path: Path) -> tuple[str, ...]:
    """Every name of the package that a file imports, wherever in the file."""
    return tuple(imports_of(path))


FILES = sorted(path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py")


@grouped("path", FILES, by=lambda path: part_of(dotted(path)))
def test_imports_point_one_way(path: Path) -> None:
    own = part_of(dotted(path))
    assert own in RANK or own in BESIDE, f"{own} has no place in the order"
    for name in imported(path):
        other = part_of(name)
        if other == own:
            continue
        if own in BESIDE:
            assert other in BESIDE[own], f"{own} may import only {sorted(BESIDE[own])}, not {name}"
        elif other in BESIDE:
            assert RANK[own] > RANK["layers"], f"{own} may not import {name}"
        else:
            assert other in RANK and RANK[other] <= RANK[own], f"{own} may not import {name}"


@grouped("path", FILES, by=lambda path: part_of(dotted(path)))
def test_only_ops_and_what_makes_programs_of_kernels_know_the_backends(path: Path) -> None:
    own = dotted(path)
    if part_of(own) in ("ops", "plan", "engines", "bench") or own.startswith(
        ("pellucid.scratch.program", "pellucid.export.html")
    ):
        return
    wrong = [name for name in imported(path) if name.startswith(("pellucid.ops.native", "pellucid.ops.reference"))]
    assert not wrong, "call pellucid.ops instead"


def test_parts_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        own = part_of(dotted(path))
        graph.setdefault(own, set()).update(part_of(name) for name in imported(path))
    left = {own: others - {own} for own, others in graph.items()}
    while free := [own for own, others in left.items() if not others & left.keys()]:
        for own in free:
            del left[own]
    assert not left, f"a circle among {sorted(left)}"


def modules_after(statement: str) -> set[str]:
    """The modules that are loaded after a statement, in a new process."""
    code = f"import sys\n{statement}\nprint('\\n', *sys.modules)"
    found = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.rsplit("\n", 2)[1].split())


def foreign(modules: set[str]) -> set[str]:
    """Their top-level modules from outside the standard library."""
    return {name.split(".")[0] for name in modules} - sys.stdlib_module_names


@pytest.fixture(scope="module")
def bare() -> set[str]:
    """What NumPy and the interpreter's site hooks bring along by themselves."""
    return foreign(modules_after("import numpy.random"))


@pytest.mark.parametrize(
    "statement",
    ["import pellucid.ops", "import pellucid.layers", "import pellucid; pellucid.Sequential"],
)
def test_nothing_but_numpy_is_loaded(statement: str, bare: set[str]) -> None:
    assert foreign(modules_after(statement)) - bare == {"pellucid"}


LEAST = {"pellucid", "pellucid._modules"}
ENTRY = {f"pellucid.{name}" for name in ("_text", "errors", "cli", "cli.app", "cli.commands", "cli.console")}


@pytest.mark.parametrize(
    ("statement", "own"),
    [
        ("import pellucid", LEAST),
        ("from pellucid.cli import main; main(['--help'])", LEAST | ENTRY),
        ("from pellucid.cli import main; main(['nothing'])", LEAST | ENTRY),
    ],
)
def test_starting_loads_next_to_nothing(statement: str, own: set[str]) -> None:
    """Neither NumPy nor a command: a command is loaded when it is called, or its own help is asked for."""
    loaded = modules_after(statement)
    assert {name for name in loaded if name.split(".")[0] == "pellucid"} == own
    assert "numpy" not in loaded


def test_every_public_name_is_there() -> None:
    assert not [name for name in pellucid.__all__ if getattr(pellucid, name) is None]
    assert set(pellucid.__all__) <= set(dir(pellucid))


@pytest.mark.parametrize(("file", "owner"), [("__init__.pyi", pellucid), ("layers/__init__.py", layers)])
def test_type_checkers_see_the_same_names(file: str, owner: ModuleType) -> None:
    """Of what a file imports they take for public what it imports "as" itself, or all of a module."""
    seen: set[str] = set()
    for path in (SOURCE / file, SOURCE / "layers" / "names.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                assert [alias.name for alias in node.names] != ["*"] or node.module == "pellucid.layers.names"
                seen |= {alias.name for alias in node.names if alias.asname == alias.name}
            elif isinstance(node, ast.FunctionDef):
                seen.add(node.name)
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                seen |= {str(one.id) for one in getattr(node, "targets", None) or [node.target]}
    assert sorted(seen - {"NAMES"}) == sorted(owner.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Conv2E"):
        _ = pellucid.Conv2E


def public_modules() -> dict[str, ModuleType]:
    """Every module that a public name leads to: those of `pellucid`, and theirs."""
    found = {name: value for name in pellucid.__all__ if isinstance(value := getattr(pellucid, name), ModuleType)}
    below = [getattr(module, name) for module in found.values() for name in module.__all__]
    found |= {value.__name__: value for value in below if isinstance(value, ModuleType) and value is not numpy}
    return {module.__name__: module for module in [*found.values(), events, pellucid]}


@pytest.mark.parametrize("name", public_modules())
def test_a_public_module_lists_its_own_names_and_no_others(name: str) -> None:
    module = public_modules()[name]
    listed = set(module.__all__)
    assert set(dir(module)) == listed - ({"np"} if name == "pellucid.scratch" else set())
    for word in dir(module):
        value = getattr(module, word)
        assert not isinstance(value, ModuleType) or value.__name__.startswith("pellucid."), f"{name} lists {word}"
        assert not word.startswith("_") or word == "__version__"
    for word in ("np", "Any", "annotations", "Mapping", "dataclass"):
        assert word not in dir(module)
    if not hasattr(module, "__path__"):  # a module of its own, not a package: nothing it makes is forgotten
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        made = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
        assert {word for word in made if not word.startswith("_")} <= listed


def test_nobody_but_the_graph_walks_along_a_network() -> None:
    walked = re.compile(r"\bshape = \w+\.output_shape\(shape\)")
    found = [path.name for path in FILES if walked.search(path.read_text("utf-8"))]
    assert not found, "use model.graph.walk()"
