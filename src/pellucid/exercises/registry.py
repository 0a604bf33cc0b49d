"""How an exercise is registered: once, beside its checker.

`@exercise(NAME, title=..., ask=...)` stands over a function that makes a Task of a seed: what is given, what is to be
answered, one right answer, and the checker. Lists, the lab's page and `pellucid exercises` are made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pellucid._language import language
from pellucid.errors import expect_known
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, both, enter
from pellucid.ops.geometry import whole

MAX_SEED = 2**32 - 1

PARTS = ("kernels", "sizes", "forward", "backward", "networks")
"""What exercises are about, in the order in which one learns it."""

enter({
    "part.kernels": ("Kernels", "커널"),
    "part.sizes": ("Sizes", "크기"),
    "part.forward": ("Forward", "순전파"),
    "part.backward": ("Backward", "역전파"),
    "part.networks": ("Networks", "신경망"),
    "list.name": ("name", "이름"),
    "list.exercise": ("exercise", "문제"),
    "list.about": ("about", "내용"),
})  # fmt: skip

Text = Mapping[str, str]
"""By language."""


@dataclass(frozen=True)
class Field:
    """A part of the answer: numbers of that shape, or one of the options. label: a word of `words`.

    begins: what stands there at first, of an option.
    """

    name: str
    label: str
    shape: tuple[int, ...] = ()
    options: tuple[str, ...] = ()
    begins: str = ""


@dataclass(frozen=True)
class Given:
    """What is to be looked at: a table of numbers, a picture, lines of text, or curves, a row each, over `axis`."""

    label: str
    values: Any
    kind: Literal["table", "picture", "text", "curves"] = "table"
    names: tuple[str, ...] = ()
    axis: str = ""


@dataclass(frozen=True)
class Task:
    """One of the tasks of an exercise. check: of the answer's fields and a language; never raises for an answer.

    places: what stands in the places of the exercise's question.
    """

    check: Callable[[Mapping[str, Any], str], Verdict]
    solution: Mapping[str, Any]
    fields: tuple[Field, ...]
    given: tuple[Given, ...] = ()
    places: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Exercise:
    """An exercise: `task(seed)` is one task of it, another seed another one."""

    name: str
    part: str
    make: Callable[[np.random.Generator], Task]

    @property
    def title(self) -> Text:
        """What it is called."""
        return both(f"{self.name}.title")

    def task(self, seed: int = 0) -> Task:
        """The task of this seed. Errors: ConfigError for what is no seed."""
        return self.make(np.random.default_rng(whole(seed, "seed", MAX_SEED, least=0)))

    def question(self, task: Task) -> Text:
        """What is asked."""
        return both(f"{self.name}.ask", **task.places)

    def check(self, answer: Mapping[str, Any], seed: int = 0, *, lang: str | None = None) -> Verdict:
        """Is this answer right? By the names of the fields; what is missing counts as None.

        Errors: ConfigError for a language or a seed; an answer of any kind gets a verdict.
        """
        task, say = self.task(seed), MESSAGES[language(lang)]
        given = answer if isinstance(answer, Mapping) else {}
        parts = {each.name: given.get(each.name) for each in task.fields}
        if any(map(_lacks, parts.values())):
            return Verdict(False, say["empty"])
        return task.check(parts, language(lang))

    def describe(self, seed: int = 0) -> dict[str, Any]:
        """The task as plain data in all languages: title, question, what is given, fields."""
        task = self.task(seed)
        return {
            "name": self.name,
            "seed": seed,
            "title": self.title,
            "ask": self.question(task),
            "given": [
                {
                    "label": both(each.label),
                    "kind": each.kind,
                    "values": each.values.tolist() if isinstance(each.values, np.ndarray) else each.values,
                    "names": [both(name) for name in each.names],
                    "axis": both(each.axis) if each.axis else None,
                }
                for each in task.given
            ],
            "fields": [
                {
                    "name": each.name,
                    "label": both(each.label),
                    "shape": list(each.shape),
                    "options": [{"value": option, "label": _option(option)} for option in each.options],
                    "begins": each.begins,
                }
                for each in task.fields
            ],
        }


EXERCISES: dict[str, Exercise] = {}
"""All of them, by name."""


def by_part() -> dict[str, list[Exercise]]:
    """All of them by their part, in the order of PARTS."""
    return {part: [each for each in EXERCISES.values() if each.part == part] for part in PARTS}


Maker = Callable[[np.random.Generator], Task]


def exercise(name: str, *, part: str, title: tuple[str, str], ask: tuple[str, str]) -> Callable[[Maker], Maker]:
    """Enter a function that makes tasks, under this name. part: one of PARTS. title, ask: in English and Korean."""

    def register(make: Maker) -> Maker:
        enter({f"{name}.title": title, f"{name}.ask": ask})
        EXERCISES[name] = Exercise(name, part, make)
        return make

    return register


def find(name: object) -> Exercise:
    """An exercise by name. Errors: ConfigError for one that there is not, with the nearest that there is."""
    return EXERCISES[expect_known("exercise", name, EXERCISES)]  # type: ignore[index]


def _lacks(value: Any) -> bool:
    """Whether there is nothing, or a table with an empty cell."""
    rows = value if isinstance(value, list) else [value]
    return any(cell is None for row in rows for cell in (row if isinstance(row, list) else [row]))


def _option(option: str) -> Text:
    """The words for an option; where there are none it speaks for itself."""
    try:
        return both(f"option.{option}")
    except KeyError:
        return {"en": option, "ko": option}
