"""Functions called one after the other, row by row or while something is true: of arrays, each at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pellucid import _modules
from pellucid.errors import ConfigError
from pellucid.keras import tree
from pellucid.keras.tensor import tensor


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What one of two functions gives."""
    return true_fn() if bool(pred) else false_fn()


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What the function of this number gives, the first or last for one beyond."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """What body_fun(number, value) makes of a value, number by number."""
    for number in range(int(lower), int(upper)):
        init_val = body_fun(number, init_val)
    return init_val


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """What body makes of values while cond is true of them."""
    several = isinstance(loop_vars, list | tuple)
    values, turns = tuple(loop_vars) if several else (loop_vars,), 0
    while (maximum_iterations is None or turns < maximum_iterations) and bool(cond(*values)):
        found = body(*values)
        values, turns = tuple(found) if isinstance(found, list | tuple) else (found,), turns + 1
    return type(loop_vars)(values) if several else values[0]


def _stacked(rows: Sequence[Any]) -> Any:
    return tree.map_structure(lambda *parts: np.stack([tensor(part) for part in parts]), *rows)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """What a function makes of each row."""
    count = len(tree.flatten(xs)[0])
    return _stacked([f(tree.map_structure(lambda x: tensor(x)[i], xs)) for i in range(count)])  # noqa: B023


vectorized_map = map


def scan(f: Callable[[Any, Any], Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False,
         unroll: Any = 1) -> Any:  # fmt: skip
    """(the last value, what each turn gave): f(value, row) gives (the next value, what it gives), row by row."""
    if xs is None and length is None:
        raise ConfigError("scan: give xs, the rows, or length, how many turns")
    count = len(tree.flatten(xs)[0]) if length is None else int(length)
    given = []
    for i in range(count)[:: -1 if reverse else 1]:
        row = None if xs is None else tree.map_structure(lambda x: tensor(x)[i], xs)  # noqa: B023
        init, y = f(init, row)
        given.append(np.zeros_like(init) if y is None else y)
    return init, _stacked(given[:: -1 if reverse else 1])


def associative_scan(f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """Each row, with f of it and what came of those before it."""
    rows = tree.map_structure(lambda x: np.moveaxis(tensor(x), axis, 0), elems)
    count = len(tree.flatten(rows)[0])
    found: list[Any] = []
    for i in range(count)[:: -1 if reverse else 1]:
        row = tree.map_structure(lambda x: x[i], rows)  # noqa: B023
        found.append(f(found[-1], row) if found else row)
    return tree.map_structure(lambda x: np.moveaxis(x, 0, axis), _stacked(found[:: -1 if reverse else 1]))


__all__ = _modules.written(globals())
