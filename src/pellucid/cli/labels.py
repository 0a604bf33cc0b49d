"""`--labels` and `--columns`; `pellucid evaluate` and `pellucid predict` where a picture may have several labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid.cli import masks
from pellucid.cli.output import note, percent, print_json, print_table, write_table
from pellucid.datasets.tables import BETWEEN
from pellucid.errors import ConfigError, shown
from pellucid.files.inside import Place

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Model

LabelFiles = Annotated[
    list[Path] | None, typer.Option("--labels", metavar="FILE.csv", help="The folder's labels: file, label, split.")
]
Columns = Annotated[
    str | None, typer.Option("--columns", metavar="ROLE=NAME,...", help="Its columns: file=id,label=breed,split=set.")
]


def columns_of(given: str | None) -> dict[str, str] | None:
    """--columns as `datasets.load` takes it.

    >>> columns_of("file=image_id,label=breed")
    {'file': 'image_id', 'label': 'breed'}

    Errors: ConfigError for anything else.
    """
    if given is None:
        return None
    pairs = [part.partition("=") for part in given.split(",")]
    if not all(equals and role.strip() and name.strip() for role, equals, name in pairs):
        raise ConfigError(f"--columns takes ROLE=NAME,..., got {shown(given)}; for example file=image_id,label=breed")
    return {role.strip(): name.strip() for role, _, name in pairs}


def given(model: Model, outputs: Any) -> Any:
    """1 for each label that a picture is given, else 0, from outputs as `Sequential.evaluate` hands them on."""
    from pellucid.metrics import THRESHOLD

    return (outputs > (0 if model.loss.joint_activation == "sigmoid" else THRESHOLD)).astype(int)


def judged(dataset: Dataset, answers: list[Any]) -> dict[str, Any]:
    """Recall, precision and F1 of each label, None where there is nothing to take a share of, and exact matches.

    answers: rows of 0 and 1, batch by batch.
    """
    import numpy as np

    from pellucid import metrics

    rows = np.concatenate(answers)
    both, truth, said = counts = metrics.label_counts(dataset.test.labels, rows)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = {"recall": both / truth, "precision": both / said, "f1": metrics.f1_of(counts)}
    classes = masks.rows_of_classes(dataset.class_names, "pictures", truth, shares)
    return {"classes": classes, "exact_match": metrics.exact_match(dataset.test.labels, rows)}


def deliver(answers: list[dict[str, Any]], out: Place | None, as_json: bool) -> None:
    """As `judge.deliver`, a row a picture with all its labels, as tables of labels have them."""
    if out is not None:
        rows = [[a["picture"], BETWEEN.join(p["class"] for p in a["predictions"])] for a in answers]
        write_table(out, ["picture", "labels"], rows, answers)
        note(f"{len(answers)} pictures: {out}")
    elif as_json:
        print_json(answers)
    else:
        said = [", ".join(f"{p['class']} {percent(p['probability'])}" for p in a["predictions"]) for a in answers]
        print_table(["picture", "labels"], [[a["picture"], s or "-"] for a, s in zip(answers, said, strict=True)])
