"""The exercises on the page: which there are, one of them, and what is wrong with an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pellucid._language import LANGUAGES
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.exercises import by_part, find
from pellucid.exercises.words import both
from pellucid.lab.looking import Look, Seen, view
from pellucid.lab.protocol import Request


@view(once=True)
def exercises(look: Look, request: Request) -> Seen:
    """All of them by what they are about."""
    parts = [
        {
            "part": part,
            "title": both(f"part.{part}"),
            "exercises": [{"name": each.name, "title": each.title} for each in several],
        }
        for part, several in by_part().items()
    ]
    return Seen({"parts": parts})


@view(once=True)
def exercise(look: Look, request: Request) -> Seen:
    """One task of an exercise, by name and seed."""
    given = _given(request, "name", "seed")
    return Seen(find(given.get("name")).describe(given.get("seed", 0)))


@view(once=True)
def verdict(look: Look, request: Request) -> Seen:
    """Whether an answer is right, and why, in all languages."""
    given = _given(request, "name", "seed", "answer")
    found, seed = find(given.get("name")), given.get("seed", 0)
    said = {lang: found.check(given.get("answer", {}), seed, lang=lang) for lang in LANGUAGES}
    return Seen({"passed": all(said.values()), "message": {lang: each.message for lang, each in said.items()}})


@view(once=True)
def solution(look: Look, request: Request) -> Seen:
    """One right answer, by the names of the fields."""
    given = _given(request, "name", "seed")
    right = find(given.get("name")).task(given.get("seed", 0)).solution
    return Seen({"answer": {name: np.asarray(value).tolist() for name, value in right.items()}})


def _given(request: Request, *known: str) -> dict[str, Any]:
    given = request.details
    if not isinstance(given, Mapping):
        raise ConfigError(f"{request.view}: given must be an object, got {shown(given)}")
    for name in given:
        expect_known(f"part of {request.view}", name, known)
    return dict(given)
