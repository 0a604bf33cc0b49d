"""Classes and functions of one's own by the names under which files and configs know them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

_OBJECTS: dict[str, Any] = {}


def get_custom_objects() -> dict[str, Any]:
    """What is registered; programs may add to it."""
    return _OBJECTS


def registered(custom_objects: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is registered, and behind it what a call gives."""
    return {**_OBJECTS, **(custom_objects or {})}


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[Any], Any]:
    """Above a class or a function: `load_model` and `deserialize` find it by its name, without `custom_objects`."""

    def decorator(own: Any) -> Any:
        word = name or own.__name__
        _OBJECTS[word] = _OBJECTS[f"{package}>{word}"] = own
        return own

    return decorator


def get_registered_name(obj: Any) -> str:
    """The name under which it is registered, else its own."""
    found = [name for name, own in _OBJECTS.items() if own is obj]
    return found[-1] if found else str(obj.__name__)


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What is registered under a name; None for nothing."""
    return registered(custom_objects).get(name)


@contextmanager
def custom_object_scope(*objects: Mapping[str, Any]) -> Iterator[None]:
    """A block in which these are registered, too."""
    before = dict(_OBJECTS)
    for each in objects:
        _OBJECTS.update(each)
    try:
        yield
    finally:
        _OBJECTS.clear()
        _OBJECTS.update(before)


CustomObjectScope = custom_object_scope
