"""`pellucid exercises`: the list, a question, and a verdict."""

from __future__ import annotations

import json
import shlex

import pytest
from commands import Command

from pellucid.exercises import EXERCISES


def test_all_are_listed(command: Command) -> None:
    status, out, _ = command("exercises", "--lang", "ko")
    assert status == 0 and all(name in out for name in EXERCISES) and "소프트맥스" not in out.split("softmax")[0]
    listed = json.loads(command("exercises", "--json")[1])
    assert [entry["name"] for entry in listed] == list(EXERCISES)


@pytest.mark.parametrize("name", EXERCISES)
def test_one_is_asked_and_its_solution_is_right(command: Command, name: str) -> None:
    status, out, _ = command("exercises", name, "--seed", "2", "--lang", "en")
    assert status == 0 and EXERCISES[name].title["en"] in out
    status, answer, _ = command("exercises", name, "--seed", "2", "--solution")
    status, out, err = command("exercises", name, *shlex.split(answer), "--seed", "2", "--lang", "ko")
    assert status == 0 and out.startswith("맞습니다"), out + err


def test_a_wrong_answer_is_explained_and_a_short_one_is_an_error(command: Command) -> None:
    status, out, _ = command("exercises", "edge-kernel", "-1", "1", "-1", "1", "--lang", "en")
    assert status == 0 and "left with right" in out
    status, _, err = command("exercises", "softmax", "1")
    assert status == 1 and "the answer has 3 parts (shares: 3), got 1" in err
    status, _, err = command("exercises", "softmaks")
    assert status == 1 and "did you mean 'softmax'" in err
    said = json.loads(command("exercises", "softmax", "1", "1", "1", "--json")[1])
    assert said["verdict"]["passed"] is False and said["name"] == "softmax"
