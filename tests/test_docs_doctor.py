"""docs/doctor.md and its Korean twin list every rule, with every sentence as it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pellucid.train.doctor import RULES, chart, course_rules, data_rules, looks, network_rules
from pellucid.train.doctor.sentences import LANGUAGES, SENTENCES

DOCS = Path(__file__).parent.parent / "docs"
PAGES = dict(zip(LANGUAGES, ("doctor.md", "doctor.ko.md"), strict=True))


def sections(lang: str) -> dict[str, str]:
    """The text of each rule's section, by its name."""
    text = (DOCS / PAGES[lang]).read_text("utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_rule_and_every_sentence_is_there(lang: str) -> None:
    told = sections(lang)
    assert sorted(told) == sorted(rule.name for rule in RULES)
    for name, text in told.items():
        quoted = re.findall(r"^> (.*)$", text, re.MULTILINE)
        own = [pair[LANGUAGES.index(lang)] for key, pair in SENTENCES.items() if key.partition(".")[0] == name]
        assert sorted(quoted) == sorted(own), name
        assert text.count("**") == 6, f"{name}: why, what to do, when"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_thresholds_are_those_of_the_code(lang: str) -> None:
    told = sections(lang)
    for name, numbers in {
        "pictures-not-scaled": (data_rules.LARGE, data_rules.SMALL),
        "class-imbalance": (data_rules.IMBALANCE,),
        "overlap": (100 * data_rules.SHARED,),
        "small-batch": (network_rules.MIN_BATCH,),
        "dead-relu": (100 * network_rules.DEAD,),
        "saturated": (looks.SATURATED, 100 * network_rules.STUCK_UNITS),
        "learning-rate-high": (course_rules.EXPLODED,),
        "learning-rate-low": (
            course_rules.MIN_STEPS,
            100 * course_rules.MOVED,
            100 * course_rules.FALLEN,
            course_rules.CLIPPED,
        ),
        "stuck": (
            course_rules.STUCK_STEPS,
            course_rules.SLOW_STUCK_STEPS,
            course_rules.FEW_STEPS,
            course_rules.SLOW_FEW_STEPS,
            100 * course_rules.SHRUNK,
            100 * course_rules.SLOW,
            100 * course_rules.VANISHED,
            course_rules.FAR,
        ),
        "weights-large": (course_rules.HEAVY,),
        "held-out-classes": (100 * data_rules.OTHER_SHARES, 100 * data_rules.SHARED, data_rules.MIN_COMPARED),
        "targets-out-of-reach": (100 * data_rules.SHARED,),
        "not-shuffled": (100 * data_rules.IN_ORDER,),
        "overfitting": (chart.RECENT, 100 * course_rules.WORSE, 100 * course_rules.FALLEN),
        "held-out-scale": (data_rules.LARGE, chart.NUM_JUDGED, 100 * data_rules.APART, data_rules.MIN_COMPARED),
        "dropout-high": (network_rules.DROPOUT_NOISE,),
        "batch-norm-behind": (chart.NUM_JUDGED, 100 * course_rules.BEHIND, 100 * course_rules.UNFINISHED),
    }.items():
        found = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", told[name])]
        assert {round(float(number), 6) for number in numbers} <= set(found), name
