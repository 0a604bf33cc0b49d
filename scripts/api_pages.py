"""The pages of the API: every public module, and on its page every public name, for mkdocstrings to fill in."""

from __future__ import annotations

import importlib
import inspect
import json
from functools import cache
from types import ModuleType
from typing import Any

import pellucid

MODULES = (
    "pellucid",
    *(f"pellucid.{name}" for name in pellucid.__all__ if isinstance(getattr(pellucid, name), ModuleType)),
    "pellucid.train.callbacks",
    "pellucid.sklearn",
    "pellucid.serve",
)
"""Those that people import."""


def public(module: str) -> dict[str, Any]:
    """The public names of a module, and what they are."""
    found = importlib.import_module(module)
    return {name: getattr(found, name) for name in found.__all__ if not name.startswith("__")}


def home(module: str, name: str, value: Any) -> str:
    """The full name under which the source of a value is found."""
    if (inspect.isclass(value) or inspect.isroutine(value)) and str(value.__module__).startswith("pellucid"):
        return f"{value.__module__}.{value.__qualname__}"
    return f"{module}.{name}"


@cache
def _described() -> dict[str, list[str]]:
    """The modules, the root apart, whose page describes what has this home."""
    found: dict[str, list[str]] = {}
    for module in MODULES[1:]:
        for name, value in public(module).items():
            found.setdefault(home(module, name, value), []).append(module)
    return found


@cache
def _spoken() -> dict[str, str]:
    """The docstring that each public class and function has when it is imported, by its home."""
    values = {home(module, name, value): value for module in MODULES for name, value in public(module).items()}
    return {
        place: inspect.cleandoc(value.__doc__) for place, value in values.items() if callable(value) and value.__doc__
    }


def spoken(place: str) -> str | None:
    """The docstring of a public class or function, given its home."""
    return _spoken().get(place)


def taken_over(value: Any) -> list[str]:
    """The methods that a class has from classes that no page describes."""
    bases = [base for base in inspect.getmro(value)[1:] if base is not object] if inspect.isclass(value) else []
    known = [base for base in bases if f"{base.__module__}.{base.__qualname__}" in _described()]
    unseen = [base for base in bases if not any(issubclass(one, base) for one in known)]
    unseen = [base for base in unseen if base.__module__.startswith("pellucid")]
    return sorted({name for base in unseen for name in vars(base) if not name.startswith("_")})


def first_line(value: Any) -> str:
    """The first line of what a module says of itself."""
    return (inspect.getdoc(value) or "").split("\n\n")[0].replace("\n", " ")


def named(module: str) -> tuple[dict[str, list[str]], dict[str, str], dict[str, Any]]:
    """(what is described here, by its home, with all its names; what other modules describe; modules)."""
    here: dict[str, list[str]] = {}
    elsewhere: dict[str, str] = {}
    modules: dict[str, Any] = {}
    for name, value in public(module).items():
        if inspect.ismodule(value):
            modules[name] = value
            continue
        place = home(module, name, value)
        others = _described().get(place, []) if module == "pellucid" else []
        if others:
            elsewhere[name] = others[0]
        else:
            here.setdefault(place, []).append(name)
    return here, elsewhere, modules


def api_page(module: str | None) -> str:
    """The Markdown of a module's page, or of the page that lists them."""
    if module is None:
        rows = [f"| [`{one}`]({one}.md) | {first_line(importlib.import_module(one))} |" for one in MODULES]
        return "\n\n".join(["# API", _table("module", rows)]) + "\n"

    def anchor(name: str) -> str:
        return f'<a id="{module}.{name}"></a>'

    here, elsewhere, modules = named(module)
    parts = [f"# {module}", first_line(importlib.import_module(module))]
    if modules:
        linked = {name: value.__name__ for name, value in modules.items()}
        shown = {name: f"[`{name}`]({full}.md)" if full in MODULES else f"`{name}`" for name, full in linked.items()}
        rows = [f"| {anchor(name)}{shown[name]} | {first_line(value)} |" for name, value in modules.items()]
        parts.append(_table("module", rows))
    if elsewhere:
        rows = [
            f"| {anchor(name)}[`{name}`]({there}.md#{there}.{name}) | `{there}` |" for name, there in elsewhere.items()
        ]
        parts.append(_table("name", rows, "described in"))
    for place, names in here.items():
        shown_name = min(names, key=lambda name: (name != place.rpartition(".")[2], name))
        others = [f"`{name}`" for name in names if name != shown_name]
        parts.append("".join(anchor(name) for name in names))
        options = [f"heading: {shown_name}", f"toc_label: {shown_name}"]
        if inherited := taken_over(public(module)[shown_name]):
            options.append(f"inherited_members: {json.dumps(inherited)}")
        parts.append("\n      ".join([f"::: {place}\n    options:", *options]))
        parts += [f"The same under other names: {', '.join(others)}."] if others else []
    return "\n\n".join(parts) + "\n"


def _table(what: str, rows: list[str], of: str = "of") -> str:
    return "\n".join([f"| {what} | {of} |", "| --- | --- |", *rows])
