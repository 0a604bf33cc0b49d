"""`pellucid import`: weights that PyTorch or Keras trained become a model file."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pellucid._progress import WorkBar, working
from pellucid.cli.output import JsonFlag, note, percent, print_json, print_table
from pellucid.cli.settings import parse
from pellucid.errors import ConfigError, DataError
from pellucid.runs.folder import find_model, place_to_write

if TYPE_CHECKING:
    from pellucid.convert import Imported, Tried
    from pellucid.datasets.transforms import Preprocessing
    from pellucid.model import Model

EXAMPLES = (
    "torchvision's VGG-16 (from where: pellucid weights list):\n"
    "   pellucid import vgg16-397923af.pth --as vgg16 --out vgg16.safetensors\n"
    "   pellucid predict vgg16.safetensors cat.jpg --top 5\n\n"
    "Only what it sees, without what it concludes, for classes of your own:\n"
    "   pellucid import vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 \\\n"
    "      --as vgg16 --classes 3 --size 160 --out start.safetensors"
)
app = typer.Typer()
MAX_CLASSES_BYTES = 8 << 20


@app.command("import", epilog=EXAMPLES)
def import_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A network: Keras's .keras or .h5, .onnx, TensorFlow.js's or ConvNetJS's .json. "
            "Weights: PyTorch's .pth, .pt or .safetensors, Keras's .h5, the book's .pkl.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The model file to write, a .safetensors.")],
    name: Annotated[
        str | None,
        typer.Option(
            "--as",
            metavar="MODEL",
            help="Whose weights: vgg16, ..., a run or model file of yours, or a .json that describes a network.",
        ),
    ] = None,
    classes: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="So many classes: the last layer starts anew.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Side of the pictures; a new one needs --no-top.")
    ] = None,
    no_top: Annotated[bool, typer.Option("--no-top", help="The dense layers start anew, from --seed.")] = False,
    classes_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Names of the classes, one a line, or as Keras's JSON.")
    ] = None,
    scaling: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Of the pictures: raw, plain (by 255), torch, caffe, ... Default: as published."
        ),
    ] = None,
    mean: Annotated[
        str | None, typer.Option(metavar="N,N,N", help="A scaling of your own, of 0 to 1; of 0 to 255 with raw.")
    ] = None,
    std: Annotated[str | None, typer.Option(metavar="N,N,N", help="Its deviation, likewise.")] = None,
    check: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Try the usual scalings on pictures in folders by class; take the best."),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An argument of the network. Repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="For layers that start anew.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Turn a network, or weights, of another program into a model file. Nothing that the file says is run."""
    from pellucid.convert import SCALINGS, DoesNotFit, compare_scalings, empty, import_network, import_weights
    from pellucid.zoo import import_model

    names = None if classes_file is None else read_classes(classes_file)
    if not out.parent.is_dir():
        raise ConfigError(f"--out {out}: the folder {out.parent} is not there; make it first")
    if out.exists() and file.exists() and out.samefile(file):
        raise ConfigError(f"--out {out}: is the file to be imported; choose another name")
    if name is None and (classes or size or no_top or settings):
        raise ConfigError("--classes, --size, --no-top and --set change a network that --as MODEL names; name it")
    asked = own_scaling(scaling, mean, std)

    def made(scaling: str | Preprocessing | None) -> tuple[Model, Imported]:
        if name is None:
            return import_network(file, scaling=scaling, progress=bar)
        if os.path.lexists(name) or Path(name).suffix in (".json", ".safetensors") or Path(name).name != name:
            if classes or size or settings:
                raise ConfigError(f"--classes, --size and --set do not change {name}, which is a model already")
            model = empty(find_model(Path(name)), seed)
            return model, import_weights(model, file, no_top=no_top, scaling=scaling, progress=bar)
        return import_model(
            file,
            name,
            classes=classes,
            size=size,
            options=parse(settings or []),
            seed=seed,
            no_top=no_top,
            scaling=scaling,
            progress=bar,
        )

    def named(model: Model) -> Model:
        if names is not None:
            if len(names) != model.graph.output_shape[-1]:
                raise ConfigError(f"{classes_file}: has {len(names)} names for {model.graph.output_shape[-1]} classes")
            model.class_names = names
        return model

    tried: list[Tried] = []
    with WorkBar(quiet=as_json) as bar:
        try:
            model, report = made(asked)
        except DoesNotFit as error:
            if as_json:
                print_json({"error": str(error), **error.faults})
            raise
        named(model)
        if check is not None:
            blue = report.scaling in SCALINGS and SCALINGS[report.scaling].blue_first
            tried = compare_scalings(model, check, blue_first=blue, progress=bar)
            if asked is None:
                model, report = made(tried[0].scaling)
                named(model)
    with working(f"writing {out}", quiet=as_json):
        model.save(place_to_write(out))
    if as_json:
        checked = {"check": [asdict(one) for one in tried]} if tried else {}
        print_json({**report.to_json(), **facts(model), **checked, "out": str(out)})
        return
    print_table(["import", ""], report_rows(report, model, out))
    if tried:
        rows = [[one.scaling, percent(one.accuracy), percent(one.confidence)] for one in tried]
        print_table([f"on {check}", "accuracy", "confidence"], rows, right=[1, 2])
    if report.guessed:
        note(
            f"how pictures are scaled is a guess ({report.scaling}): --scaling, or --mean and --std, says it, and "
            "--check FOLDER tries the usual ones"
        )
    if report.fresh:
        note(f"{', '.join(report.fresh)}: not from the file; train before you trust an answer")
    elif model.class_names is None:
        note("the classes have numbers for names; --classes-file gives them names")


def own_scaling(scaling: str | None, mean: str | None, std: str | None) -> str | Preprocessing | None:
    """What was asked for: a name, numbers, or nothing. Errors: ConfigError for what are no such numbers."""
    from pellucid.datasets.transforms import Preprocessing

    if mean is None and std is None:
        return scaling
    if scaling not in (None, "plain", "raw"):
        raise ConfigError(f"--scaling {scaling}: has its own mean and std; with --mean and --std say plain or raw")
    numbers: dict[str, tuple[float, ...] | None] = {}
    for option, given in (("mean", mean), ("std", std)):
        try:
            numbers[option] = None if given is None else tuple(float(one) for one in given.replace(",", " ").split())
        except ValueError:
            raise ConfigError(f"--{option} {given}: expected numbers, one or one a channel: 0.5,0.5,0.5") from None
        if scaling != "raw" and max(numbers[option] or (0.0,)) > 1:
            raise ConfigError(f"--{option} {given}: counts pixels from 0 to 255; say --scaling raw too")
    return Preprocessing(1.0 if scaling == "raw" else 1 / 255, numbers["mean"], numbers["std"])


def facts(model: Model) -> dict[str, Any]:
    """What the new model is."""
    return {
        "model": model.name,
        "parameters": model.count_params(),
        "input_shape": list(model.graph.input_shape),
        "classes": model.graph.output_shape[-1],
        "preprocessing": model.preprocessing.to_config(),
    }


def report_rows(report: Imported, model: Model, out: Path) -> list[list[str]]:
    """The report in lines."""
    shape, fit = " x ".join(map(str, model.graph.input_shape)), model.preprocessing
    rows = [
        ["from", f"{report.file}: {report.form}, {report.arrays} arrays, {report.numbers:,} numbers"],
        ["SHA-256", report.sha256],
    ]
    if report.checked is not None:
        rows.append(["checked", f"it is the published file ({report.checked})"])
    rows += [["", text] for text in report.notes]
    rows += [
        ["network", f"{model.name}, {model.count_params():,} parameters, {model.graph.output_shape[-1]} classes"],
        ["pictures", f"{shape}, {fit.resize}, {fit.in_words()} ({report.scaling})"],
        ["starts anew", ", ".join(report.fresh) or "nothing"],
        ["written", str(out)],
    ]
    return rows


def read_classes(path: Path) -> tuple[str, ...]:
    """The names of classes in a file: text with one a line, a JSON list, or Keras's {"0": ["n01440764", "tench"], ...}.

    Errors: DataError for a file that cannot be read, or holds no such thing.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_CLASSES_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error
    if len(raw) > MAX_CLASSES_BYTES:
        raise DataError(f"{path}: is longer than {MAX_CLASSES_BYTES >> 20} MB; expected a list of names")
    if not text.lstrip().startswith(("{", "[")):
        return tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        listed = json.loads(text)
        if isinstance(listed, dict):
            listed = [listed[str(number)] for number in range(len(listed))]
    except (ValueError, RecursionError, KeyError) as error:
        raise DataError(f'{path}: expected a JSON list of names, or {{"0": ["id", "name"], ...}} ({error})') from error
    names = [item[-1] if isinstance(item, list) and item else item for item in listed]
    wrong = next((name for name in names if not isinstance(name, str) or not name), None)
    if wrong is not None:
        raise DataError(f"{path}: expected names of classes, got {wrong!r:.60}")
    return tuple(names)
