"""`pellucid exercises`: which there are, one of them, and what is wrong with an answer."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from pellucid._text import say
from pellucid.cli.drawing import Lang
from pellucid.cli.output import JsonFlag, print_json, print_table
from pellucid.errors import ConfigError

if TYPE_CHECKING:
    from pellucid.exercises import Given, Task

EXAMPLES = (
    "All of them:\n   pellucid exercises\n\n"
    "One, and an answer to it, number by number, row by row:\n   pellucid exercises softmax\n"
    "   pellucid exercises softmax 0.67 0.09 0.24\n\n"
    "The right answer, for who sets the task:\n   pellucid exercises softmax --seed 3 --solution\n\n"
    "Another task of the same kind, in Korean:\n   pellucid exercises convolution --seed 7 --lang ko"
)
app = typer.Typer()


@app.command("exercises", epilog=EXAMPLES, context_settings={"ignore_unknown_options": True})  # numbers below 0
def exercises(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An exercise. Default: all are listed.")] = None,
    answer: Annotated[
        list[str] | None,
        typer.Argument(metavar="ANSWER", help="Numbers row by row, or choices, in the order of the fields."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Another one gives another task.")] = 0,
    solution: Annotated[bool, typer.Option("--solution", help="Print a right answer, as it would be typed.")] = False,
    lang: Lang = None,
    as_json: JsonFlag = False,
) -> None:
    """Solve an exercise: what is asked, and why an answer is wrong."""
    from pellucid._language import language
    from pellucid.exercises import EXERCISES, find

    spoken = language(lang)
    if name is None:
        if as_json:
            print_json([{"name": each.name, "part": each.part, "title": each.title} for each in EXERCISES.values()])
            return
        _list(spoken)
        return
    found = find(name)
    task = found.task(seed)
    if solution:
        say(_typed(task))
        return
    verdict = None if not answer else found.check(_answer(task, answer), seed, lang=spoken)
    if as_json:
        said = None if verdict is None else {"passed": verdict.passed, "message": verdict.message}
        print_json(found.describe(seed) | {"verdict": said})
    elif verdict is not None:
        say(verdict.message, prose=True)
    else:
        say(f"{found.title[spoken]}\n", prose=True)
        say(found.question(task)[spoken], prose=True)
        for given in task.given:
            _show(given, spoken)
        for each in found.describe(seed)["fields"]:
            size = "x".join(map(str, each["shape"]))
            offered = " | ".join(option["value"] for option in each["options"])
            say(f"{each['label'][spoken]}: {offered or size or '1'}", prose=True)


def _typed(task: Task) -> str:
    """A right answer as it is given on the command line, what `_answer` reads."""
    parts = [part for each in task.fields for part in np.ravel(task.solution[each.name]).tolist()]
    return shlex.join(part if isinstance(part, str) else f"{part:.7g}" for part in parts)


def _list(lang: str) -> None:
    from pellucid.exercises import MESSAGES, by_part

    rows = [
        [each.name, each.title[lang], MESSAGES[lang][f"part.{part}"]]
        for part, several in by_part().items()
        for each in several
    ]
    print_table([MESSAGES[lang][f"list.{head}"] for head in ("name", "exercise", "about")], rows, whole=[0])


def _show(given: Given, lang: str) -> None:
    """Print what is to be looked at."""
    from pellucid.exercises.words import MESSAGES

    words = MESSAGES[lang]
    if given.kind == "picture":
        say(f"\n{words[given.label]} ({'x'.join(map(str, given.values.shape))})\n", prose=True)
    elif given.kind == "text":
        say("\n" + "\n".join(f"  {line}" for line in given.values) + "\n")
    elif given.kind == "curves":
        rows = [[str(i + 1), *(f"{value:.3f}" for value in row)] for i, row in enumerate(given.values.T)]
        print_table([words[name] for name in (given.axis, *given.names)], rows, right=range(3))
    else:
        rows = [[f"{value:g}" for value in row] for row in given.values]
        width = max(len(cell) for row in rows for cell in row)
        lines = ["  ".join(cell.rjust(width) for cell in row) for row in rows]
        say(f"\n{words[given.label]}\n" + "\n".join(f"  {line}" for line in lines) + "\n")


def _answer(task: Task, given: list[str]) -> dict[str, Any]:
    """The words of the command line by field. Errors: ConfigError for another count of them."""
    counts = [math.prod(each.shape) for each in task.fields]
    if len(given) != sum(counts):
        fields = ", ".join(f"{each.name}: {count}" for each, count in zip(task.fields, counts, strict=True))
        raise ConfigError(f"the answer has {sum(counts)} parts ({fields}), got {len(given)}")
    answer, rest = dict[str, Any](), list(given)
    for each, count in zip(task.fields, counts, strict=True):
        own, rest = rest[:count], rest[count:]
        rows = [own] if len(each.shape) < 2 else [own[i : i + each.shape[-1]] for i in range(0, count, each.shape[-1])]
        answer[each.name] = rows if len(each.shape) == 2 else own if each.shape else own[0]
    return answer
