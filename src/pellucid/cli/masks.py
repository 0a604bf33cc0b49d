"""`pellucid evaluate` and `pellucid predict` of a network that gives a class for each pixel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import metrics
from pellucid.cli.output import note, percent, print_json, print_table, write_table
from pellucid.files.atomic import replacing
from pellucid.files.inside import Inside, Place
from pellucid.ops import IGNORED
from pellucid.runs.folder import find_folder

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.ops import Array

FOLDER = "masks"
"""In a run, what its answers are written to."""
LISTED = 3
"""Classes of a picture that are printed; a table that is written has all."""


class Counts:
    """What was counted of each class, batch by batch, in the order of the masks."""

    def __init__(self, masks: Array, classes: int) -> None:
        self._masks, self._done = masks, 0
        self.counts = np.zeros((3, classes), np.int64)

    def add(self, scores: Array) -> None:
        """Take in a batch. Shapes: scores (n,H,W,classes)."""
        masks = self._masks[self._done : self._done + len(scores)]
        self._done += len(scores)
        if (masks != IGNORED).any():
            self.counts += metrics.pixel_counts(masks, scores)

    def of_classes(self, names: tuple[str, ...]) -> dict[str, Any]:
        """IoU, recall and precision of each class, None where there is nothing to take a share of, and the largest."""
        both, truth, said = self.counts
        shares = {"iou": metrics.iou_of(self.counts)}
        with np.errstate(invalid="ignore", divide="ignore"):
            shares |= {"recall": both / truth, "precision": both / said}
        rows = rows_of_classes(names, "pixels", truth, shares)
        most = int(truth.argmax())
        return {"classes": rows, "largest_class": {"class": names[most], "share": float(truth[most] / truth.sum())}}


def rows_of_classes(
    names: Sequence[str], unit: str, counts: Array, shares: Mapping[str, Array]
) -> list[dict[str, Any]]:
    """Of each class its count and its shares, None where there is nothing to take a share of."""
    return [
        {
            "class": name,
            unit: int(counts[row]),
            **{what: None if np.isnan(of[row]) else round(float(of[row]), 6) for what, of in shares.items()},
        }
        for row, name in enumerate(names)
    ]


def folder_of(run: Path | Inside) -> Place:
    """Where masks go: into the run, or beside a model file under its name."""
    found = find_folder(run)
    return Path(f"{Path(str(run)).stem}-{FOLDER}") if found is None else found / FOLDER


def stems_of(files: list[Path]) -> dict[Path, str]:
    """What each file's mask is called: as the file, with a number behind it where another is called so.

    >>> list(stems_of([Path("a/1.jpg"), Path("b/1.jpg")]).values())
    ['1', '1-2']
    """
    seen: dict[str, int] = {}
    found = {}
    for file in files:
        seen[file.stem] = number = seen.get(file.stem, 0) + 1
        found[file] = file.stem if number == 1 else f"{file.stem}-{number}"
    return found


def answered(model: Model, run: Path | Inside, files: dict[Path, str], pictures: list[Any]) -> list[dict[str, Any]]:
    """For each file its classes with their shares of the pixels, and where its mask and its overlay are.

    These are as large as the picture; IGNORED, and not counted, is what was cut off to fit it. files: with what their
    masks are called.
    """
    from PIL import Image

    from pellucid.datasets.pictures import fitting, probe, read_picture, unfitted
    from pellucid.files.atomic import make_folder
    from pellucid.visualise.answers import class_names
    from pellucid.visualise.masks import masks_of, overlay, palette

    if not files:
        return []
    folder, names = folder_of(run), class_names(model, max(model.graph.output_shape[-1], 2))
    make_folder(folder)
    height, width, channels = model.graph.input_shape
    rule = fitting(model.preprocessing.size or (height, width), channels, model.preprocessing.resize)
    found = []
    for (file, stem), fitted, answer in zip(files.items(), pictures, masks_of(model, np.stack(pictures)), strict=True):
        size = probe(file).size
        alike = size == rule.size
        mask = answer if alike else unfitted(answer, size, rule)
        picture = fitted if alike else read_picture(file, size, channels, "stretch")
        coloured = Image.fromarray(mask)
        coloured.putpalette(palette().tobytes())
        places = {}
        for kind, image in (("mask", coloured), ("overlay", Image.fromarray(overlay(picture, mask)))):
            places[kind] = folder / f"{stem}-{kind}.png"
            with replacing(places[kind]) as opened:
                image.save(opened, "PNG")
        counts = np.bincount(answer.reshape(-1), minlength=len(names))
        order = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]
        shares = [{"class": names[k], "share": round(float(counts[k] / answer.size), 6)} for k in order]
        found.append({"picture": str(file), "classes": shares, **{kind: str(place) for kind, place in places.items()}})
    return found


def deliver(answers: list[dict[str, Any]], out: Place | None, as_json: bool) -> None:
    """Print the answers, or write them: a row for each class of each picture."""
    if out is not None:
        rows = [[a["picture"], c["class"], c["share"], a["mask"]] for a in answers for c in a["classes"]]
        write_table(out, ["picture", "class", "share", "mask"], rows, answers)
        note(f"{len(answers)} pictures: {out}")
    elif as_json:
        print_json(answers)
    else:
        print_table(["picture", "of its pixels", "mask"], [_row(a) for a in answers], whole=[0, 2])
        if answers:
            note(f"masks, and overlays beside them, are in {Path(answers[0]['mask']).parent}")


def _row(answer: dict[str, Any]) -> list[str]:
    shares = [f"{one['class']} {percent(one['share'])}" for one in answer["classes"]]
    more = "" if len(shares) <= LISTED else f", {len(shares) - LISTED} more"
    return [answer["picture"], ", ".join(shares[:LISTED]) + more, Path(answer["mask"]).name]
