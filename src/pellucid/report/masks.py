"""The sections of a report that are others for a network which gives a class for each pixel."""

from __future__ import annotations

import numpy as np

from pellucid._numbers import percent
from pellucid.metrics import iou_of, pixel_counts
from pellucid.ops import Array
from pellucid.report.page import Page
from pellucid.report.sections import LISTED_CLASSES, Run, again, data_line, inside, lead_line, network, training
from pellucid.report.words import Words
from pellucid.visualise.masks import masks_figure, rate

SHOWN = 6
"""Pictures of a row each."""


def lead(page: Page, words: Words, run: Run, answers: Array) -> None:
    counts = pixel_counts(run.dataset.test.labels, answers, len(run.dataset.class_names))
    both, truth, _ = counts
    mean = percent(float(np.nanmean(iou_of(counts))))
    lead_line(page, words, run, "lead of masks", iou=mean, accuracy=percent(float(both.sum() / truth.sum())))


def judgement(page: Page, words: Words, run: Run, answers: Array) -> None:
    names = run.dataset.class_names
    both, truth, said = counts = pixel_counts(run.dataset.test.labels, answers, len(names))
    page.heading(words.say("judgement"))
    if run.dataset.held_out is run.dataset.test:
        last = run.log.series.get("val_mean_iou", [float("nan")])[-1]
        page.paragraph(words.say("flattered", last=percent(last)))
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = zip(iou_of(counts), both / said, both / truth, strict=True)
    rows = [
        (name, f"{count:,}", *(percent(float(share), 1) for share in of))
        for name, count, of in zip(names, truth, shares, strict=True)
    ]
    heads = [words.say(key) for key in ("class", "pixels", "iou", "precision", "recall")]
    page.table(heads, rows[:LISTED_CLASSES], right=range(1, 5))
    page.paragraph(words.say("iou judged"))
    for worst, caption in ((False, "first masks"), (True, "worst masks")):
        rated = rate(run.model, run.dataset.test, SHOWN, worst=worst, answers=answers)
        page.figure(masks_figure(rated, names, lang=words.in_pictures), words.say(caption, count=len(rated)))


def data(page: Page, words: Words, run: Run, answers: Array) -> None:
    data_line(page, words, run)


PARTS = (lead, data, network, training, judgement, inside, again)
