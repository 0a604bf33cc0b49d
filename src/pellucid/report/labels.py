"""The sections of a report that are others where a picture may have several labels."""

from __future__ import annotations

import numpy as np

from pellucid._numbers import percent
from pellucid.metrics import exact_match, f1_of, label_counts
from pellucid.ops import Array
from pellucid.report.page import Page
from pellucid.report.sections import (
    LISTED_CLASSES,
    Run,
    again,
    data_line,
    draw,
    inside,
    judged_pictures,
    lead_line,
    mistakes,
    network,
    training,
)
from pellucid.report.words import Words


def lead(page: Page, words: Words, run: Run, answers: Array) -> None:
    labels = run.dataset.test.labels
    right = float(((answers > 0.5) == (labels > 0)).mean())
    both = {"exact": percent(exact_match(labels, answers)), "accuracy": percent(right)}
    lead_line(page, words, run, "lead of labels", **both)


def judgement(page: Page, words: Words, run: Run, answers: Array) -> None:
    names = run.dataset.class_names
    both, truth, said = counts = label_counts(run.dataset.test.labels, answers)
    page.heading(words.say("judgement"))
    if run.dataset.held_out is run.dataset.test:
        last = run.log.series.get("val_accuracy", [float("nan")])[-1]
        page.paragraph(words.say("flattered", last=percent(last)))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = zip(both / said, both / truth, f1_of(counts), strict=True)
    rows = [
        (name, f"{count:,}", *(percent(float(share), 1) for share in of))
        for name, count, of in zip(names, truth, shares, strict=True)
    ]
    heads = [words.say(key) for key in ("class", "pictures", "precision", "recall", "f1")]
    page.table(heads, rows[:LISTED_CLASSES], right=range(1, 5))
    page.paragraph(words.say("labels judged"))
    for picture in judged_pictures(several=True):
        draw(page, words, run, answers, picture)


def data(page: Page, words: Words, run: Run, answers: Array) -> None:
    data_line(page, words, run)


PARTS = (lead, data, network, training, judgement, mistakes, inside, again)
