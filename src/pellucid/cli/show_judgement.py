"""`pellucid show confusion | calibration | mistakes`: a classifier judged on pictures it has not learned from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pellucid._progress import WorkBar
from pellucid.cli.data_notes import tell_left_out
from pellucid.cli.drawing import Drawn, Lang, Out, default_file, network, write
from pellucid.cli.output import CsvFile, Instead, check_table_name, note, percent, told_as_table
from pellucid.errors import DataError

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Model
    from pellucid.ops import Array
    from pellucid.visualise.drawing.labels import Labels

CONFUSION_EXAMPLES = (
    "Example:\n   pellucid show confusion runs/simple-convnet-digits-001\n\n"
    "Each row in percent, on other pictures:\n"
    "   pellucid show confusion RUN --data new-photos/ --rows --out confusion.pdf"
)
CALIBRATION_EXAMPLES = "Example:\n   pellucid show calibration runs/simple-convnet-digits-001 --bins 10"
MISTAKES_EXAMPLES = "Example:\n   pellucid show mistakes runs/simple-convnet-digits-001 --count 12"

Data = Annotated[
    str | None,
    typer.Option("--data", metavar="NAME|FOLDER", help="Default: the pictures that the run held out."),
]

MISTAKE = ("picture", "is", "said", "probability")


@dataclass(frozen=True)
class Judged:
    """A network's answers for the pictures it is judged on, and what the figure is called."""

    model: Model
    data: Dataset
    answers: Array
    title: str
    say: Labels


def register(app: typer.Typer) -> None:
    """Put these commands beside the others that show."""
    app.command("confusion", epilog=CONFUSION_EXAMPLES)(confusion)
    app.command("calibration", epilog=CALIBRATION_EXAMPLES)(calibration)
    app.command("mistakes", epilog=MISTAKES_EXAMPLES)(mistakes)


def confusion(
    run: Drawn,
    data: Data = None,
    rows: Annotated[bool, typer.Option("--rows", help="Percent of each row instead of counts.")] = False,
    lang: Lang = None,
    csv: CsvFile = None,
    as_json: Instead = False,
    out: Out = None,
) -> None:
    """Draw what is taken for what, with precision and recall of each class."""
    from pellucid.metrics import confusion_matrix
    from pellucid.visualise import confusion_figure

    if csv is not None:
        check_table_name(csv, "--csv")
    seen = _judged(run, data, lang)
    matrix = confusion_matrix(seen.data.test.labels, seen.answers, seen.answers.shape[1])
    names = seen.model.class_names or tuple(map(str, range(len(matrix))))
    table = [[name, *map(int, counts)] for name, counts in zip(names, matrix, strict=True)]
    records = {"classes": list(names), "pictures": matrix.tolist()}
    written = seen.say("{count} classes: {file}", count=len(table), file=csv)
    if told_as_table(["is / taken for", *names], table, csv, as_json, written, records):
        return
    figure = confusion_figure(matrix, seen.model.class_names, normalise=rows, title=seen.title, lang=lang)
    write(figure, out, default_file(Path(run), "confusion"))


def calibration(
    run: Drawn,
    data: Data = None,
    bins: Annotated[int, typer.Option("--bins", metavar="N", min=1, max=100, help="Bins of confidence.")] = 15,
    lang: Lang = None,
    csv: CsvFile = None,
    as_json: Instead = False,
    out: Out = None,
) -> None:
    """Draw how often answers are right at each confidence, with the expected calibration error."""
    from pellucid import metrics
    from pellucid.visualise import reliability_figure

    if csv is not None:
        check_table_name(csv, "--csv")
    seen = _judged(run, data, lang)
    found = metrics.calibration(seen.data.test.labels, seen.answers, bins)
    columns = (found.edges[:-1], found.edges[1:], found.counts, found.accuracy, found.confidence)
    rows = [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    written = seen.say("{count} bins of confidence: {file}", count=len(rows), file=csv)
    if told_as_table(("from", "to", "pictures", "accuracy", "confidence"), rows, csv, as_json, written):
        return
    figure = reliability_figure(found, title=seen.title, lang=lang)
    write(figure, out, default_file(Path(run), "calibration"))


def mistakes(
    run: Drawn,
    data: Data = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, max=120, help="At most so many.")] = 24,
    lang: Lang = None,
    csv: CsvFile = None,
    as_json: Instead = False,
    out: Out = None,
) -> None:
    """Draw the pictures that were most confidently taken for the wrong class, and name them.

    --csv and --json list all mistakes: by file, or in data sets with a name by the number of the test picture from 0.
    """
    import numpy as np

    from pellucid.metrics import confident_mistakes
    from pellucid.visualise import mistakes_figure

    if csv is not None:
        check_table_name(csv, "--csv")
    seen = _judged(run, data, lang)
    test = seen.data.test
    wrong = int(np.sum(seen.answers.argmax(axis=1) != test.labels))
    listed = [_mistake(seen, int(row)) for row in confident_mistakes(test.labels, seen.answers, len(test))]
    if told_as_table(MISTAKE, listed, csv, as_json, seen.say("{count} mistakes: {file}", count=wrong, file=csv)):
        return
    if not wrong:
        nothing = "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw"
        note(seen.say(nothing, run=run, all=len(test), data=seen.data.name))
        return
    picks = confident_mistakes(test.labels, seen.answers, count)
    called = [name if test.files is not None else f"#{name}" for name, *_ in listed[:count]]
    for name, (_, is_, said, share) in zip(called, listed, strict=False):
        told = seen.say("said {said} ({share})", said=said, share=percent(share, 0))
        note(f"{name}: {seen.say('is {truth}', truth=is_)}, {told}")
    chosen = test.select(picks)
    figure = mistakes_figure(
        chosen.images[:],
        chosen.labels,
        seen.answers[picks],
        seen.model.class_names,
        title=seen.title
        + seen.say(
            ": the {shown} most confident of {count:,} mistakes in {all:,} pictures"
            if wrong > 1
            else ": the one mistake in {all:,} pictures",
            shown=len(picks),
            count=wrong,
            all=len(test),
        ),
        names=called,
        lang=lang,
    )
    write(figure, out, default_file(Path(run), "mistakes"))


def _mistake(seen: Judged, row: int) -> tuple[str, str, str, float]:
    """A line of MISTAKE for one picture."""
    test, answer = seen.data.test, seen.answers[row]
    names = seen.model.class_names or tuple(map(str, range(len(answer))))
    said = int(answer.argmax())
    picture = str(row) if test.files is None else test.files[row]
    return picture, names[int(test.labels[row])], names[said], round(float(answer[said]), 6)


def _judged(run: str, data: str | None, lang: str | None) -> Judged:
    import numpy as np

    from pellucid.cli.judge import held_out_data
    from pellucid.visualise.answers import probabilities, trained_note
    from pellucid.visualise.drawing.labels import Labels

    say = Labels(lang)
    model = network(run)
    with WorkBar() as bar:
        dataset = held_out_data(Path(run), model, data, bar)
        answers = probabilities(model, dataset.test.images, progress=bar)
    tell_left_out(dataset.skipped)
    lost = int(np.isnan(answers).any(axis=1).sum())
    if lost:
        raise DataError(
            f"{run}: the network answers NaN for {lost:,} of {len(answers):,} pictures, so nothing can be judged; "
            "train again with a smaller --lr, or take an earlier checkpoint"
        )
    title = say("{model} on {data}", model=model.name, data=dataset.name) + trained_note(model, say)
    return Judged(model, dataset, answers, title, say)
