"""Many small cases in one test of pytest's: for a thousand of them its own work costs more than what they compute."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import pytest

Test = Callable[..., None]
Value = TypeVar("Value")


def grouped(argument: str, values: Iterable[Value], by: Callable[[Value], str]) -> Callable[[Test], Test]:
    """As `pytest.mark.parametrize` with one test for all values of which `by` gives the same name.

    Errors: an ExceptionGroup of all values that fail, each error with its value as a note.
    """
    groups: dict[str, list[Value]] = {}
    for value in values:
        groups.setdefault(by(value), []).append(value)

    def decorate(test: Test) -> Test:
        @pytest.mark.parametrize(argument, groups.values(), ids=groups)
        @functools.wraps(test)
        def run(**arguments: Any) -> None:
            failed = []
            for value in arguments.pop(argument):
                try:
                    test(**{argument: value}, **arguments)
                except Exception as error:
                    error.add_note(f"{argument}: {value}")
                    failed.append(error)
            if failed:
                raise ExceptionGroup(f"{len(failed)} fail", failed)

        return run

    return decorate
