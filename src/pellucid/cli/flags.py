"""Advice in the command line's own words: what a message calls by an argument of Python, by its flag."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence

_ARGUMENT = re.compile(r"""(?<![\w.*'"{-])(?<!--set )([a-z][a-z_]+)=("[^"]*"|'[^']*'|\[[^\]]*\]|\w+(?:[.-]\w+)*)""")
_RENAMED = {"learning_rate": "lr"}


def in_flags(text: str, words: Sequence[str]) -> str:
    """A message as `as_flags` has it, where the command line's words are of `train`; programs speak Python."""
    if "train" not in words[:1]:
        return text
    from pellucid.cli.train import train

    text = text.replace("or a larger picture", "or larger pictures (--size N)")
    return as_flags(text, [f"--{name.replace('_', '-')}" for name in inspect.signature(train).parameters])


def as_flags(text: str, options: Iterable[str]) -> str:
    """A message with `name=value` written as a flag: one of `options`, else an argument of a layer, else of the rest.

    >>> as_flags('say size=32 with resize="stretch"', ["--size", "--resize"])
    'say --size 32 with --resize stretch'
    >>> as_flags('use class_weight="balanced" (--class-weight balanced)', ["--class-weight"])
    'use --class-weight balanced'
    >>> as_flags('use padding="same", a smaller kernel (clipnorm=1)', [])
    'use --set LAYER.padding=same, a smaller kernel (--set clipnorm=1)'
    """
    known = set(options)

    def flag(found: re.Match[str]) -> str:
        name, value = found[1], found[2].strip("\"'")
        option = f"--{_RENAMED.get(name, name).replace('_', '-')}"
        if option in known:
            return f"{option} {value}"
        return f"--set {'LAYER.' if name in _of_layers() else ''}{name}={value}"

    reworded = _ARGUMENT.sub(flag, text)
    return re.sub(r"(--[a-z-]+ [^\s()]+) ?\(\1\)", r"\1", reworded)


def _of_layers() -> set[str]:
    from pellucid.layers import BatchNorm, Conv2D, Dense, MaxPool2D

    return {name for layer in (BatchNorm(), Conv2D(1, 1), Dense(1), MaxPool2D()) for name in layer.config()}
