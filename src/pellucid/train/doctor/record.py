"""What the doctor said in a run, read back from its log."""

from __future__ import annotations

import contextlib

from pellucid.errors import CheckpointError
from pellucid.files.inside import Place
from pellucid.train.doctor.sentences import SENTENCES, sentence
from pellucid.train.events import Diagnosed
from pellucid.train.log import read_events


def read_findings(log: Place) -> list[Diagnosed]:
    """The findings in a run's log, in order; none where there is no log. Damaged lines are passed over."""
    found = []
    with contextlib.suppress(CheckpointError):
        for entry in read_events(log):
            if entry.get("event") != "diagnosis":
                continue
            values, epoch = entry.get("values"), entry.get("epoch")
            plain = {str(k): str(v) for k, v in values.items()} if isinstance(values, dict) else {}
            rule, text = str(entry.get("rule")), str(entry.get("text"))
            found.append(Diagnosed(rule, text, plain, epoch if isinstance(epoch, int) else 0))
    return found


def in_language(said: Diagnosed, lang: str) -> str:
    """What was said, in another language; as it was said, where this version does not know the sentence."""
    try:
        return sentence(said.rule, said.values, lang) if said.rule in SENTENCES else said.text
    except KeyError:  # a place in the sentence that the log has no value for
        return said.text
