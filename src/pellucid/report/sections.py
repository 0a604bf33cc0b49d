"""What a report says, section by section."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from pellucid._numbers import percent
from pellucid.datasets import Dataset
from pellucid.datasets.download import Progress
from pellucid.errors import PellucidError
from pellucid.files.inside import Place, reading
from pellucid.metrics import precision, recall
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.report.page import Page
from pellucid.report.words import Words
from pellucid.train import Diagnosed
from pellucid.train.doctor import in_language
from pellucid.visualise import Log, curves_figure, filters_figure
from pellucid.visualise.answers import class_label, per_pixel, probabilities
from pellucid.visualise.architecture.figure import architecture_svg
from pellucid.visualise.curves import held_name
from pellucid.visualise.drawing.figure import new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import show_picture
from pellucid.visualise.features.figure import features_figure
from pellucid.visualise.histograms.data import Snapshots
from pellucid.visualise.histograms.figure import ridges_figure
from pellucid.visualise.masks import masks_of
from pellucid.visualise.mistakes import mistaken, mistakes_figure
from pellucid.visualise.pictures import PICTURES
from pellucid.visualise.registry import Judged, Picture

SAMPLED_CLASSES, SAMPLES = 12, 6
MISTAKES = 18
FOLLOWED = 2
"""Pictures that are followed through the network."""

LISTED_CLASSES = 100
MOST_RIDGES = 6
"""Layers whose weights are drawn over the epochs."""


@dataclass(frozen=True)
class Run:
    """A finished run, read: its best epoch, what made it, its log, the pictures it is judged on.

    record: run.json. before: the first convolution's kernel before training. end: the
    log's last event. snapshots: histograms over the epochs, where the run kept some. advice: what the doctor said.
    """

    title: str
    model: Model
    model_file: Place
    record: Mapping[str, Any]
    log: Log
    end: Mapping[str, Any]
    dataset: Dataset
    before: Array | None
    snapshots: Snapshots | None
    advice: Sequence[Diagnosed] = ()


def make_report(run: Run, *, lang: str | None = None, progress: Progress | None = None) -> str:
    """The page.

    lang: "en" or "ko", None for the locale's, of the page and of what is written in its pictures; these are English
    where no Korean font is.
    Errors: ConfigError for another language; DataError or ShapeError where the pictures do not fit the network.
    """
    words = Words(lang)
    page = Page(run.title, lang=words.lang)
    images = run.dataset.test.images
    parts: Sequence[Callable[[Page, Words, Run, Array], None]] = CLASSES
    if per_pixel(run.model):
        from pellucid.report.masks import PARTS as parts  # which imports this

        table = masks_of(run.model, images, progress=progress)
    elif run.dataset.test.several:
        from pellucid.report.labels import PARTS as parts

        table = probabilities(run.model, images, progress=progress)
    else:
        table = probabilities(run.model, images, progress=progress)
    for number, part in enumerate(parts):
        if progress is not None:
            progress(number, len(parts), "writing the page")
        part(page, words, run, table)
    return page.text()


def _lead(page: Page, words: Words, run: Run, table: Array) -> None:
    right = float(np.mean(table.argmax(axis=1) == run.dataset.test.labels))
    lead_line(page, words, run, "lead", accuracy=percent(right))


def lead_line(page: Page, words: Words, run: Run, sentence: str, **values: str) -> None:
    """The line under the title: how good it is, and what that took."""
    seconds = float(np.nansum(run.log.series.get("elapsed_s", [0.0])))
    backend = run.record.get("backend", {})
    page.lead(
        words.say(
            sentence,
            **values,
            count=len(run.dataset.test),
            epochs=len(run.log.epochs),
            time=_duration(words, seconds),
            machine=words.say(
                "machine", threads=backend.get("threads", "?"), isa=backend.get("instruction_set") or "NumPy"
            ),
        )
    )


def data_line(page: Page, words: Words, run: Run) -> None:
    """What the pictures are, and how they come to the network."""
    dataset, model = run.dataset, run.model
    height, width, channels = model.graph.input_shape
    counts = run.record.get("data", {}).get("pictures", {})
    page.heading(words.say("data"))
    page.paragraph(
        words.say(
            "data and scaling",
            name=dataset.name,
            parts=", ".join(f"{count:,} {words.say(part)}" for part, count in counts.items()),
            height=height,
            width=width,
            colour=words.say("grey" if channels == 1 else "colour"),
            scaling=model.preprocessing.in_words(words.say),
        )
    )


def _data(page: Page, words: Words, run: Run, table: Array) -> None:
    dataset, model = run.dataset, run.model
    data_line(page, words, run)
    rows = [np.flatnonzero(dataset.test.labels == k)[:SAMPLES] for k in range(len(dataset.class_names))]
    rows = [row for row in rows if row.size][:SAMPLED_CLASSES]
    figure = new_figure(1.0 * len(rows) + 0.2, 0.95 * SAMPLES + 0.35)
    cells = figure.subplots(SAMPLES, len(rows), squeeze=False)
    for column, picks in enumerate(rows):
        pictures = dataset.test.images[np.asarray(picks)]
        for place in range(SAMPLES):
            axes = cells[place, column]
            if place < len(picks):
                name = class_label(model, int(dataset.test.labels[picks[0]])) if place == 0 else ""
                show_picture(axes, pictures[place], name[:12], fontsize=8)
            else:
                axes.set_axis_off()
    page.figure(figure, words.say("samples"))


def network(page: Page, words: Words, run: Run, table: Array) -> None:
    outline, labels = run.model.outline(), Labels(words.lang)
    page.heading(words.say("network"))
    page.drawing(
        architecture_svg(run.model, lang=words.lang),
        words.say("total", parameters=outline.parameters, macs=outline.macs),
    )
    heads = [words.say(key) for key in ("layer", "output", "kernel", "parameters", "macs", "field")]
    cells = [
        (
            row.name,
            " x ".join(map(str, row.output_shape)),
            labels.layer(row.kernel),
            f"{row.parameters:,}" if row.parameters else "",
            f"{row.macs:,}" if row.macs else "",
            "" if row.receptive_field is None else " x ".join(map(str, row.receptive_field)),
        )
        for row in outline.rows
    ]
    page.table(heads, cells, right=(3, 4), whole=(1, 5))


def training(page: Page, words: Words, run: Run, table: Array) -> None:
    training, series = run.record.get("training", {}), run.log.series
    page.heading(words.say("training"))
    held = held_name(run.record)
    best = run.end.get("best_epoch") or "?"  # counted from 1; a run that was cut off names none
    figure = curves_figure(run.log, held=held, lang=words.in_pictures)
    page.figure(figure, words.say("curves", held=words.say(held), best=best))
    optimizer = training.get("optimizer", {})
    speeds = [value for value in series.get("images_per_s", []) if value == value]
    times = [value for value in series.get("elapsed_s", []) if value == value]
    rows: list[tuple[str, object]] = [
        (words.say("epochs"), f"{len(run.log.epochs)} / {training.get('epochs', '?')}"),
        (words.say("batch"), training.get("batch_size", "?")),
        (words.say("optimizer"), optimizer.get("type", "?")),
        (words.say("rate"), _rate(optimizer.get("learning_rate"))),
        (words.say("loss"), training.get("loss", "?")),
        (words.say("augment"), training.get("augment", "?")),
        (words.say("seed"), training.get("seed", "?")),
        (words.say("ended"), words.ending(run.end.get("reason", "?"))),
    ]
    if speeds:
        rows.append((words.say("speed"), f"{median(speeds):,.0f}"))
    if times:
        rows.append((words.say("epoch time"), _duration(words, median(times))))
    tuned_from, held_out = training.get("fine_tune_from"), series.get("val_accuracy", [])
    if tuned_from is not None:
        rows.append((words.say("fine-tuning"), words.say("from epoch", epoch=tuned_from + 1)))
    weights = run.record.get("start", {}).get("weights")
    page.table((words.say("setting"), words.say("value")), rows)
    if weights:
        page.paragraph(words.say("started from", weights=weights))
    if tuned_from is not None and 0 < tuned_from < len(held_out):
        best = [percent(max(part)) for part in (held_out[:tuned_from], held_out[tuned_from:])]
        page.paragraph(words.say("stages", head=best[0], tuned=best[1]))
    if run.advice:
        advice = [(said.epoch, in_language(said, words.lang)) for said in run.advice]
        page.table((words.say("after epoch"), words.say("doctor")), advice, right=(0,))


def _rate(rate: Any) -> str:
    """A learning rate, or the types and the numbers of a schedule."""
    if not isinstance(rate, dict):
        return str(rate)
    rates = [_rate(value) for name, value in rate.items() if name in ("value", "initial", "first", "after")]
    return ", ".join([str(rate.get("type")), *rates])


def _judgement(page: Page, words: Words, run: Run, table: Array) -> None:
    labels, names = run.dataset.test.labels, list(run.dataset.class_names)
    said = table.argmax(axis=1)
    page.heading(words.say("judgement"))
    if run.dataset.held_out is run.dataset.test:
        last = run.log.series.get("val_accuracy", [float("nan")])[-1]
        page.paragraph(words.say("flattered", last=percent(last)))
    first, *others = judged_pictures()
    draw(page, words, run, table, first)
    per_class = zip(
        names,
        np.bincount(labels, minlength=len(names)),
        precision(labels, said, len(names)),
        recall(labels, said, len(names)),
        strict=True,
    )
    rows = [
        (name, f"{count:,}", percent(float(right), 1), percent(float(found), 1))
        for name, count, right, found in per_class
    ]
    page.table(
        [words.say(key) for key in ("class", "pictures", "precision", "recall")], rows[:LISTED_CLASSES], right=(1, 2, 3)
    )
    page.paragraph(words.say("judged"))
    for picture in others:
        draw(page, words, run, table, picture)


def judged_pictures(*, several: bool = False) -> list[Picture]:
    """The registered pictures of answers that a report has. several: those where a picture may have several labels."""
    return [picture for picture in PICTURES if picture.caption is not None and (picture.several or not several)]


def draw(page: Page, words: Words, run: Run, table: Array, picture: Picture) -> None:
    """A registered picture of the answers, with its caption."""
    shown = picture.make(Judged(run.model, run.dataset, table, lang=words.in_pictures))
    if shown.draw is not None:
        page.figure(shown.draw(), words.pick(picture.caption or ("", "")))


def mistakes(page: Page, words: Words, run: Run, table: Array) -> None:
    labels = run.dataset.test.labels
    wrong = mistaken(labels, table)
    page.heading(words.say("mistakes"))
    if not len(wrong):
        page.paragraph(words.say("none wrong"))
        return
    picks, names = wrong[:MISTAKES], run.dataset.class_names
    figure = mistakes_figure(run.dataset.test.images[picks], labels[picks], table[picks], names, lang=words.in_pictures)
    page.figure(figure, words.say("surest mistakes", count=len(picks), all=len(wrong)))


def inside(page: Page, words: Words, run: Run, table: Array) -> None:
    model = run.model
    page.heading(words.say("inside"))
    kernels = ((layer.name, layer.params["kernel"]) for layer in model.flat_layers if "kernel" in layer.params)
    first = next(((name, kernel) for name, kernel in kernels if kernel.ndim == 4), None)
    if first is not None:
        name, kernel = first
        before = words.say("before and after") if run.before is not None else ""
        figure = filters_figure(kernel, before=run.before, name=name, lang=words.in_pictures)
        page.figure(figure, words.say("filters", layer=name, before=before))
    labels = run.dataset.test.labels
    for number in range(min(FOLLOWED, len(labels))):
        truth = (
            ""
            if run.dataset.test.several or run.dataset.test.per_pixel
            else f" ({run.dataset.class_names[int(labels[number])]})"
        )
        try:
            figure = features_figure(model, run.dataset.test.images[number : number + 1][0], lang=words.in_pictures)
        except PellucidError as error:  # a network whose maps cannot be drawn has a report all the same
            page.paragraph(words.say("left out", why=str(error)))
            break
        page.figure(figure, words.say("features", number=number, truth=truth), dpi=90)
    if run.snapshots is not None and run.snapshots.series.get("weights"):
        weighted = [key.split("/")[0] for key in run.snapshots.series["weights"] if key.endswith("/kernel")]
        layers = weighted[:MOST_RIDGES]
        figure = ridges_figure(run.snapshots, "weights", layers, lang=words.in_pictures)
        page.figure(figure, words.say("histograms"))


def again(page: Page, words: Words, run: Run, table: Array) -> None:
    versions, backend = run.record.get("versions", {}), run.record.get("backend", {})
    page.heading(words.say("again"))
    page.code("pellucid " + shlex.join(str(word) for word in run.record.get("command", [])))
    page.paragraph(words.say("same numbers"))
    rows = [*versions.items(), *((words.say(name), value) for name, value in backend.items())]
    page.table(("", ""), [*rows, (words.say("model file"), _digest(run.model_file))])


def _duration(words: Words, seconds: float) -> str:
    """Seconds in words: 12.3 s, 4 min 05 s, 2 h 03 min."""
    if seconds < 60:
        return words.say("seconds", seconds=f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.1g}")
    whole = int(seconds)
    if whole < 3600:
        return words.say("minutes", minutes=whole // 60, seconds=whole % 60)
    return words.say("hours", hours=whole // 3600, minutes=whole % 3600 // 60)


def _digest(file: Place) -> str:
    with reading(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()  # type: ignore[arg-type]  # IO[bytes] is a BufferedReader


CLASSES = (_lead, _data, network, training, _judgement, mistakes, inside, again)
"""The sections for a network that gives a class for each picture."""
