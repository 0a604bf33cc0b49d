"""Examples in docstrings are run, in every module of the installed package."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

from groups import grouped

import pellucid

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pellucid.__path__, "pellucid.")
    if not module.name.endswith(("_native", "__main__"))
)


@grouped("name", MODULES, by=lambda name: name.split(".")[1])
def test_the_examples_of_a_module_are_true(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    examples = [test for name in MODULES for test in finder.find(importlib.import_module(name)) if test.examples]
    assert len(examples) >= 5
