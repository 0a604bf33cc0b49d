"""The commands there are. Each one's module is imported when the command is called, or its own help is asked for."""

from __future__ import annotations

import functools
import importlib.util
import inspect
from collections.abc import Iterator, Mapping
from copy import copy
from types import CodeType, FunctionType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

COMMANDS = {
    "train": "train.train",
    "evaluate": "judge.evaluate",
    "predict": "judge.predict",
    "runs": "runs.runs",
    "tune": "tune.tune_command",
    "summary": "summary.summary",
    "import": "importing.import_file",
    "export": "exporting.export_model",
    "report": "report.report",
    "lab": "lab.lab",
    "serve": "serve.serve",
    "exercises": "exercises.exercises",
    "bench": "bench.bench",
    "run": "run_program.run",
    "show": "show.show",
    "data": "data.data",
    "weights": "weights.weights",
}
"""Module and function of each, in the order of the help. The module's `app` holds the command, or is its group."""


class _Made(Mapping[str, Any]):
    """The commands by name, each made when somebody asks for it."""

    def __getitem__(self, name: str) -> Any:
        return _made(name)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The group of all commands, whose help tells what each does without importing it."""

    @property
    def commands(self) -> Any:
        """By name, in the order of the help."""
        return self._commands

    @commands.setter
    def commands(self, value: object) -> None:
        """Typer has collected none."""
        self._commands: Mapping[str, Any] = _Made()

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return list(self._commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it with commands that have a name and a docstring, and nothing else."""
        shown = copy(self)
        shown._commands = {name: TyperCommand(name, help=_docstring(name)) for name in COMMANDS}
        TyperGroup.format_help(shown, ctx, formatter)


def _place(name: str) -> tuple[str, str]:
    module, function = COMMANDS[name].split(".")
    return f"pellucid.cli.{module}", function


@functools.cache
def _made(name: str) -> Any:
    module, _ = _place(name)
    app = importlib.import_module(module).app
    group: Any = typer.main.get_group(app)
    return group if app.registered_callback else group.commands[name]


def _docstring(name: str) -> str:
    """A command's docstring, from its module's code, which is not run."""
    module, function = _place(name)
    loader: Any = importlib.util.find_spec(module).loader  # type: ignore[union-attr]
    for code in loader.get_code(module).co_consts:
        if isinstance(code, CodeType) and code.co_name == function:
            return inspect.cleandoc(FunctionType(code, {}).__doc__ or "")
    raise LookupError(f"{module} has no function {function}")
