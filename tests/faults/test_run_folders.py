"""The first inputs of the targets `folder` and `resume` of scripts/fuzz.py: changed run folders and checkpoints."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pellucid.runs import run as train_run

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        patch.setattr(train_run, "draw", lambda *_: None)  # a second of Matplotlib
        import fuzz_folders

        patch.setattr(fuzz_folders, "COMMANDS", fuzz_folders.COMMANDS[:4])  # those that draw nothing
        yield fuzz_folders.Folders(tmp_path_factory.mktemp("folders") / "root")


@pytest.mark.filterwarnings("ignore")
def test_changed_folders_end_in_an_answer_or_a_line(folders: Any, cases: Callable[[int], None]) -> None:
    ended = [status for seed in range(3) for status in folders.tried(seed, commands=2)[0]]
    assert {0, 1} == set(ended)
    cases(3)


@pytest.mark.filterwarnings("ignore")
def test_changed_checkpoints_are_refused_or_go_on(folders: Any, cases: Callable[[int], None]) -> None:
    changed = sys.modules["fuzz_changes"].changed
    facts, rng = json.loads(folders.facts()), random.Random(0)
    inputs = [facts | {"training": changed(facts["training"], rng)} for _ in range(8)]
    ended = [folders.resumed(json.dumps(each).encode()) for each in inputs]
    assert {1} <= set(ended) <= {0, 1} and folders.resumed(folders.facts()) == 0
    cases(8)
