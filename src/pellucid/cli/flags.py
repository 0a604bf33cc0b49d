"""Advice in the command line's own words: what a message calls by an argument of Python, by its flag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import typer

_ARGUMENT = re.compile(
    r"""(?<![\w.*'"{-])(?<!\w\()(?<!--set )([a-z][a-z_]+)=("[^"]*"|'[^']*'|\[[^\]]*\]|\w+(?:[.-]\w+)*)"""
)
_RENAMED = {"learning_rate": "lr"}


def in_flags(text: str, words: Sequence[str]) -> str:
    """A message as `as_flags` has it, by the options of the command that these words call."""
    from pellucid.cli.app import app

    command: Any = typer.main.get_command(app)
    for word in words:
        command = getattr(command, "commands", {}).get(word, command)
    options = [option for parameter in command.params for option in parameter.opts]
    if "--size" in options:
        text = text.replace("or a larger picture", "or larger pictures (--size N)")
    return as_flags(text, options)


def as_flags(text: str, options: Iterable[str]) -> str:
    """A message with `name=value` written as a flag: one of `options`, else by --set where that is one of them.

    >>> as_flags('standardize=True: leave it out, or resume_run("runs/a")', ["--standardize", "--resume"])
    '--standardize: leave it out, or --resume runs/a'

    >>> as_flags('say size=32 with resize="stretch"', ["--size", "--resize"])
    'say --size 32 with --resize stretch'
    >>> as_flags('use class_weight="balanced" (--class-weight balanced)', ["--class-weight"])
    'use --class-weight balanced'
    >>> as_flags('use padding="same", a smaller kernel (clipnorm=1)', ["--set"])
    'use --set LAYER.padding=same, a smaller kernel (--set clipnorm=1)'
    >>> as_flags("BatchNorm(momentum=0.9) is Python's", ["--set"])
    "BatchNorm(momentum=0.9) is Python's"
    """
    known = set(options)

    def flag(found: re.Match[str]) -> str:
        name, value = found[1], found[2].strip("\"'")
        option = f"--{_RENAMED.get(name, name).replace('_', '-')}"
        if option in known:
            return option if value == "True" else f"{option} {value}"
        if "--set" not in known:
            return found[0]
        return f"--set {'LAYER.' if name in _of_layers() else ''}{name}={value}"

    reworded = re.sub(r'resume_run\("([^"]*)"\)', r"--resume \1", _ARGUMENT.sub(flag, text))
    return re.sub(r"(--[a-z-]+ [^\s()]+) ?\(\1\)", r"\1", reworded)


def _of_layers() -> set[str]:
    import inspect  # only where something is wrong

    from pellucid.layers import LAYERS

    return {name for cls in LAYERS.values() for name in inspect.signature(cls).parameters}
