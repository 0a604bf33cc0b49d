"""`pellucid evaluate` and `pellucid predict`: a trained network on pictures."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar, working
from pellucid.cli import labels as labels_of
from pellucid.cli import masks
from pellucid.cli.labels import Columns, LabelFiles, columns_of
from pellucid.cli.output import CsvFile, JsonFlag, check_table_name, note, percent, print_json, print_table, write_table
from pellucid.errors import ConfigError, DataError
from pellucid.files.inside import Inside, Place
from pellucid.model.background import looks_inverted
from pellucid.runs.console import tell_left_out
from pellucid.runs.folder import find_folder, find_model, is_network, read_record
from pellucid.train.gloo import each_by_itself, join
from pellucid.train.history import NAMES, SHARES
from pellucid.train.joined import agree_on_call, first_on_each_machine

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Model

EVALUATE_EXAMPLES = (
    "The pictures that the run held out:\n   pellucid evaluate runs/simple-convnet-digits-001\n\n"
    "Other pictures; folders are matched with the network's classes by name:\n"
    "   pellucid evaluate RUN --data new-photos/"
)
PREDICT_EXAMPLES = (
    "Example:\n   pellucid predict runs/photo-net-pets-001 cat.jpg holiday/ --top 3\n"
    "   pellucid predict RUN scans/ --out answers.csv\n\n"
    "What ImageNet's 1,000 classes say of it, by published weights (pellucid weights list):\n"
    "   pellucid predict resnet18 cat.jpg --top 5\n\n"
    "Dark ink on white paper, for a network that learned white on black (MNIST):\n"
    "   pellucid predict RUN scan.png --invert"
)
app = typer.Typer()
CHUNK = 64
"""Pictures that are decoded before they are judged: few enough to hold at any size."""

JUDGED = ("recall", "precision")
HEADS = {"iou": "IoU", "f1": "F1"}

Run = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="A run folder, a model file (.onnx and .keras too), or a network that has published weights.",
    ),
]


def trained(run: Path | Inside, *, quiet: bool = False) -> Model:
    """The network that RUN names: of a run, of a model file, ours or another program's, or of the zoo, as published.

    Errors: CheckpointError for a path that is neither; as `zoo.pretrained.fill` for weights that cannot be had.
    """
    from pellucid import zoo
    from pellucid.convert import load

    if is_network(run):
        return zoo.build(str(run), weights="imagenet")
    with working(f"reading {run}", quiet=quiet):
        return load(find_model(run))


@app.command("evaluate", epilog=EVALUATE_EXAMPLES)
def evaluate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Option(metavar="NAME|FOLDER", help="Default: the pictures that the run held out from its own data."),
    ] = None,
    labels: LabelFiles = None,
    columns: Columns = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a trained network: loss and accuracy, of masks the mean IoU, on pictures that it has not learned from.

    Where a picture may have several labels, accuracy is the share of labels that are right.
    """

    processes = join()
    quiet = as_json or processes.rank > 0
    model = trained(run, quiet=quiet)
    with working(f"reading {run}", quiet=quiet) as bar, first_on_each_machine(processes):
        dataset = held_out_data(run, model, data, bar, labels=labels, columns=columns_of(columns))
    if not processes.rank:
        tell_left_out(dataset.skipped, known=data is None)
    guesses: list[Any] = []
    several = dataset.test.several
    pixels = masks.Counts(dataset.test.labels, model.graph.output_shape[-1]) if dataset.test.per_pixel else None
    if model.compiled_config() is None:  # another program's network, whose file says nothing of a loss
        ends = model.flat_layers[-1].nonlinearity
        model.compile(loss="binary_crossentropy" if ends is not None and ends.kind == "sigmoid" else None)

    def note_outputs(outputs: Any) -> None:
        if pixels is None:
            guesses.append(labels_of.given(model, outputs) if several else guessed(model, outputs))
        else:
            pixels.add(outputs)

    with WorkBar(quiet=quiet) as bar:
        result = model.evaluate(dataset.test.images, dataset.test.labels, verbose=0, progress=bar, outputs=note_outputs)
    if processes.rank:
        return
    if pixels is not None:
        per_class = pixels.of_classes(dataset.class_names)
    else:
        per_class = labels_of.judged(dataset, guesses) if several else judged_classes(model, dataset, guesses)
    numbers = {name: result[name] for name in result.keys()}  # noqa: SIM118  # iterates over numbers, not names
    if as_json:
        print_json({"run": str(run), "data": dataset.name, "pictures": len(dataset.test), **numbers, **per_class})
        return
    rows = [["pictures", f"{len(dataset.test):,}"]]
    rows += [[NAMES.get(name, name), percent(x) if name in SHARES else f"{x:.4f}"] for name, x in numbers.items()]
    if "exact_match" in per_class:
        rows.append(["all labels right", percent(per_class["exact_match"])])
    if "largest_class" in per_class:
        share = per_class["largest_class"]
        rows.append([f"always {share['class']!r}", percent(share["share"])])
    print_table([f"{run} on {dataset.name}", ""], rows, right=[1])
    if per_class:
        heads = list(per_class["classes"][0])
        table = [
            [name, f"{count:,}", *("-" if share is None else percent(share) for share in shares)]
            for name, count, *shares in (row.values() for row in per_class["classes"])
        ]
        print_table([HEADS.get(head, head) for head in heads], table, right=range(1, len(heads)), whole=[0])


def guessed(model: Model, outputs: Any) -> Any:
    """The class that each picture is taken for, from outputs as `Sequential.evaluate` hands them on, counted as its
    accuracy counts: of a single output, the second of two classes above a half."""
    from pellucid.metrics import THRESHOLD

    if outputs.shape[1:] == (1,):
        return (outputs[:, 0] > (0 if model.loss.joint_activation == "sigmoid" else THRESHOLD)).astype(int)
    return outputs.argmax(axis=-1)


def judged_classes(model: Model, dataset: Dataset, guesses: list[Any]) -> dict[str, Any]:
    """Recall and precision of each class, None where there is nothing to take a share of, and the largest class.

    guesses: class numbers, batch by batch. Empty for a network that is no classifier of these classes.
    """
    import numpy as np

    from pellucid import metrics

    labels, names = dataset.test.labels, dataset.class_names
    if model.graph.output_shape != (len(names),) and (model.graph.output_shape, len(names)) != ((1,), 2):
        return {}
    counts = np.bincount(labels, minlength=len(names))
    answers = np.concatenate(guesses)
    shares = {name: getattr(metrics, name)(labels, answers, len(names)) for name in JUDGED}
    rows = masks.rows_of_classes(names, "pictures", counts, shares)
    most = int(counts.argmax())
    return {"classes": rows, "largest_class": {"class": names[most], "share": float(counts[most] / counts.sum())}}


def held_out_data(
    run: Path | Inside, model: Model, data: str | None, bar: WorkBar, *, labels: Any = None, columns: Any = None
) -> Dataset:
    """What a network is judged on: `data`, with labels from a table where one is given, or else the test part of what
    its run was given.

    Errors: ConfigError if the model file does not say what it was trained on; DataError as datasets.load.
    """
    from pellucid import datasets
    from pellucid.datasets.sources import is_folder
    from pellucid.visualise.answers import several_labels

    bar.busy("reading pictures")
    fit = model.preprocessing
    size, channels = fit.size, fit.channels
    if "data" not in model.trained_on:  # none of its own, whose size it has: any are fitted to it
        size, channels = (
            size or (model.graph.input_shape[0], model.graph.input_shape[1]),
            channels or model.graph.input_shape[-1],
        )
    shape: dict[str, Any] = {"size": size, "resize": fit.resize, "channels": channels, "progress": bar}
    shape["mapped"] = join().world > 1
    folder = find_folder(run)
    if labels:
        shape |= {"labels": labels, "columns": columns, "several": several_labels(model)}
        data = data or str(Path(labels[0]).parent)
    if data is not None:
        if is_folder(data):
            return datasets.load(data, class_names=model.class_names, whole=True, **shape)
        return datasets.load(data, **shape)
    if folder is None:
        name = model.trained_on.get("data")
        if not isinstance(name, str) or name not in datasets.names():
            raise ConfigError(f"{run}: no run folder says which data belong to it; say what to judge it on with --data")
        return datasets.load(name, **shape)
    kept = read_record(folder)["data"]
    loading = kept.get("loading", {})
    tabled = {"columns": loading.get("columns"), "several": several_labels(model)}
    if kept.get("held_out"):
        place = Path(kept["held_out"])
        if not place.is_file():
            return datasets.load(place, class_names=model.class_names, whole=True, **shape)
        names = [Path(file).relative_to(place.parent).as_posix() for file in kept["files"]["test"]]
        shape |= {"labels": place, "files": {"test": names}, **tabled}
        return datasets.load(place.parent, class_names=model.class_names, **shape)
    if kept.get("folder"):
        held = {"test": kept["files"]["test"]}
        table = loading.get("validation")
        table = table if table is not None and Path(table).is_file() else None
        shape |= {"labels": loading.get("labels"), "validation": table, **tabled}
        return datasets.load(kept["load"], class_names=model.class_names, files=held, **shape)
    return datasets.load(kept["load"], **shape)


@app.command("predict", epilog=PREDICT_EXAMPLES)
def predict(
    run: Run,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Pictures, or folders of pictures.")],
    top: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="The K most probable classes of each picture. Default: 1.")
    ] = None,
    invert: Annotated[bool, typer.Option("--invert", help="Swap black and white in every picture first.")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a table instead of printing it: .csv or .json.")
    ] = None,
    csv: CsvFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Say what is in pictures: the most probable class of each, and how probable it is.

    Of a network that gives a class for each pixel: which share each has, and into masks/ a mask and an overlay. Of one
    that learned pictures with several labels: all that are more probable than not.
    """
    answer(run, paths, top=top, invert=invert, out=out, csv=csv, as_json=as_json)


def answer(
    run: Path | Inside,
    paths: list[Path],
    *,
    top: int | None = None,
    invert: bool = False,
    out: Place | None = None,
    csv: Path | None = None,
    as_json: bool = False,
    model: Model | None = None,
) -> None:
    """What `predict` does; for a training that ends, of its model, into a place inside its run.

    Processes that torchrun has started read and judge a chunk of the pictures each, in turns; masks those of one
    machine, as files are written of them. Rank 0 speaks.
    """
    from pellucid.datasets import folder
    from pellucid.visualise.answers import per_pixel, several_labels

    for table, option in ((out, "--out"), (csv, "--csv")):
        if table is not None:
            check_table_name(table, option)
    processes = join()
    quiet = as_json or processes.rank > 0
    model = trained(run, quiet=quiet) if model is None else model
    files, skipped = folder.list_pictures(paths)
    of_pixels, stems = per_pixel(model), masks.stems_of(files)
    agree_on_call("predict", model.parameters, lambda: hashlib.sha256(repr(files).encode()).hexdigest()[:16], CHUNK)
    starts = range(0, len(files), CHUNK)
    own = (
        ([] if processes.rank else starts) if of_pixels and processes.far else starts[processes.rank :: processes.world]
    )
    found: dict[int, tuple[list[dict[str, Any]], list[str], int]] = {}
    with WorkBar(quiet=quiet) as bar, each_by_itself():
        for start in own:
            chunk = files[start : start + CHUNK]
            read, pictures, reasons = read_pictures(model, chunk)
            if invert:
                pictures = [255 - picture for picture in pictures]
            inverted = sum(looks_inverted(picture, model.trained_on.get("background")) for picture in pictures)
            if of_pixels:
                answers = masks.answered(model, run, {file: stems[file] for file in read}, pictures)
            else:
                answers = judged(model, read, pictures, top)
            found[start] = answers, reasons, inverted
            bar(start + len(chunk), len(files), "pictures")
    for told in processes.gather(json.dumps(list(found.items()))):
        found |= dict(json.loads(told))
    if processes.rank:
        return
    answers = [one for start in starts for one in found[start][0]]
    unread = [reason for start in starts for reason in found[start][1]]
    inverted = sum(found[start][2] for start in starts)
    if unread and len(files) == 1:
        raise DataError(unread[0])
    tell_left_out([(file, reason) for file, _, reason in (line.partition(": ") for line in unread)])
    if not answers:
        raise DataError(f"none of the {len(files)} pictures could be read")
    if len(unread) > 1:
        note(f"{len(unread)} of {len(files)} pictures could not be read")
    tell_left_out(skipped)
    if inverted:
        remedy = "leave out --invert" if invert else "try --invert"
        note(
            f"{inverted} of {len(answers)} pictures have the other background (light or dark) than those the network "
            f"learned from, so it will guess; {remedy}"
        )
    tell = masks.deliver if of_pixels else labels_of.deliver if top is None and several_labels(model) else deliver
    if csv is not None and csv != out:
        tell(answers, csv, as_json)
    tell(answers, out, as_json)


def read_pictures(model: Model, files: list[Path]) -> tuple[list[Path], list[Any], list[str]]:
    """The files that can be decoded, their pictures at the network's size, and what is wrong with the others."""
    from pellucid.datasets import folder

    fit = model.preprocessing
    height, width, channels = model.graph.input_shape
    read, pictures, reasons = [], [], []
    for file in files:
        try:
            pictures.append(folder.read_picture(file, fit.size or (height, width), channels, fit.resize))
            read.append(file)
        except DataError as error:
            reasons.append(str(error))
    return read, pictures, reasons


def judged(model: Model, files: list[Path], pictures: list[Any], top: int | None) -> list[dict[str, Any]]:
    """For each file, its `top` most probable classes, the most probable first; None: one, or where it may have several
    labels all above a half."""
    import numpy as np

    from pellucid.visualise.answers import probabilities, ranked

    if not files:
        return []
    rows = ranked(model, probabilities(model, np.stack(pictures)), top)
    return [
        {"picture": str(file), "predictions": [{"class": name, "probability": share} for name, share in row]}
        for file, row in zip(files, rows, strict=True)
    ]


def deliver(answers: list[dict[str, Any]], out: Place | None, as_json: bool) -> None:
    """Print the answers, or write them."""
    places = len(answers[0]["predictions"])
    if out is not None:
        numbers = [""] if places == 1 else [f"_{i + 1}" for i in range(places)]
        header = ["picture", *(name + number for number in numbers for name in ("class", "probability"))]
        write_table(out, header, rows_of(answers), answers)
        note(f"{len(answers)} pictures: {out}")
        return
    if as_json:
        print_json(answers)
        return
    titles = [("class", "probability") if i == 0 else (f"{i + 1}.", "") for i in range(places)]
    rows = [[cell if isinstance(cell, str) else percent(cell) for cell in row] for row in rows_of(answers)]
    print_table(
        ["picture", *(title for pair in titles for title in pair)], rows, right=[2 + 2 * i for i in range(places)]
    )


def rows_of(answers: list[dict[str, Any]]) -> list[list[Any]]:
    """For each picture its name, then class and probability for each place."""
    return [
        [a["picture"], *(cell for p in a["predictions"] for cell in (p["class"], p["probability"]))] for a in answers
    ]
