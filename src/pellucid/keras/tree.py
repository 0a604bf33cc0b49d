"""Keras's `tree`: lists, tuples and dicts of values, gone through in order; those of a dict by their sorted keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pellucid.errors import ConfigError

__all__ = [
    "MAP_TO_NONE", "assert_same_paths", "assert_same_structure", "flatten", "flatten_with_path", "is_nested",
    "lists_to_tuples", "map_shape_structure", "map_structure", "map_structure_up_to", "pack_sequence_as", "traverse",
]  # fmt: skip


class MAP_TO_NONE:
    """What a function of `traverse` gives for None; None is for what it leaves as it is."""


def is_nested(structure: Any) -> bool:
    """Whether it is a list, a tuple or a dict."""
    return isinstance(structure, list | Mapping) or type(structure) is tuple or hasattr(structure, "_fields")


def _children(structure: Any) -> list[tuple[Any, Any]]:
    if isinstance(structure, Mapping):
        return [(key, structure[key]) for key in sorted(structure)]
    return list(enumerate(structure))


def _like(structure: Any, children: Sequence[Any]) -> Any:
    """The same kind of structure, of other values."""
    if isinstance(structure, Mapping):
        made = dict(zip(sorted(structure), children, strict=True))
        return type(structure)({key: made[key] for key in structure})  # type: ignore[call-arg]
    return type(structure)(*children) if hasattr(structure, "_fields") else type(structure)(children)


def _paths(structure: Any, before: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if not is_nested(structure):
        yield before, structure
        return
    for key, child in _children(structure):
        yield from _paths(child, (*before, key))


def flatten_with_path(structure: Any) -> list[tuple[tuple[Any, ...], Any]]:
    """All values, each behind where it stands."""
    return list(_paths(structure))


def flatten(structure: Any) -> list[Any]:
    """All values."""
    return [value for _, value in _paths(structure)]


def map_structure(func: Callable[..., Any], *structures: Any, none_is_leaf: bool = True) -> Any:
    """The same structure of what a function gives for the values in each place.

    Errors: ConfigError for structures that differ.
    """
    first, *others = structures
    for other in others:
        assert_same_structure(first, other)
    return _mapped(func, structures, none_is_leaf)


def _mapped(func: Callable[..., Any], structures: Sequence[Any], none_is_leaf: bool) -> Any:
    if not is_nested(structures[0]):
        return func(*structures) if none_is_leaf or structures[0] is not None else None
    rows = zip(*([child for _, child in _children(each)] for each in structures), strict=True)
    return _like(structures[0], [_mapped(func, row, none_is_leaf) for row in rows])


def map_structure_up_to(shallow_structure: Any, func: Callable[..., Any], *structures: Any) -> Any:
    """The same down to where the first structure has its values."""
    if not is_nested(shallow_structure):
        return func(*structures)
    rows = zip(*([child for _, child in _children(each)] for each in (shallow_structure, *structures)), strict=True)
    return _like(shallow_structure, [map_structure_up_to(first, func, *row) for first, *row in rows])


def pack_sequence_as(structure: Any, flat_sequence: Sequence[Any]) -> Any:
    """A structure of other values. Errors: ConfigError for another number of them."""
    if len(flat_sequence) != len(flatten(structure)):
        raise ConfigError(f"pack_sequence_as: {len(flatten(structure))} values expected, got {len(flat_sequence)}")
    values = iter(flat_sequence)
    return map_structure(lambda _: next(values), structure)


def traverse(func: Callable[[Any], Any], structure: Any, top_down: bool = True) -> Any:
    """The structure with what a function gives in place of each part of it, where that is not None."""
    if top_down and (found := func(structure)) is not None:
        return None if found is MAP_TO_NONE else found
    if is_nested(structure):
        structure = _like(structure, [traverse(func, child, top_down) for _, child in _children(structure)])
    if not top_down and (found := func(structure)) is not None:
        return None if found is MAP_TO_NONE else found
    return structure


def lists_to_tuples(structure: Any) -> Any:
    """The same with tuples for lists."""
    return traverse(lambda each: tuple(each) if isinstance(each, list) else None, structure, top_down=False)


def map_shape_structure(func: Callable[[Any], Any], structure: Any) -> Any:
    """`map_structure` of shapes, which are tuples or lists of sizes and None."""

    def is_shape(given: Any) -> bool:
        return isinstance(given, list | tuple) and all(size is None or isinstance(size, int) for size in given)

    return traverse(lambda each: func(each) if is_shape(each) else None, structure)


def assert_same_paths(a: Any, b: Any) -> None:
    """Errors: ConfigError where their values stand in other places."""
    if (ours := [path for path, _ in _paths(a)]) != (theirs := [path for path, _ in _paths(b)]):
        raise ConfigError(f"the structures differ: {ours} and {theirs}")


def assert_same_structure(a: Any, b: Any, check_types: Any = None) -> None:
    """Errors: ConfigError where their values stand in other places, or in other kinds of lists."""
    assert_same_paths(a, b)
    if _kinds(a) != _kinds(b):
        raise ConfigError(f"the structures differ: {_kinds(a)} and {_kinds(b)}")


def _kinds(structure: Any) -> Any:
    """The kinds of lists in it, as a list."""
    below = [_kinds(child) for _, child in _children(structure)] if is_nested(structure) else []
    return [type(structure).__name__, *below] if is_nested(structure) else []
