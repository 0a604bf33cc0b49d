"""What a run leaves and says: its record, its pictures, and how good it became."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._modules import installed_version
from pellucid._numbers import percent
from pellucid.files.inside import Inside, Place
from pellucid.runs.console import Console
from pellucid.runs.folder import (
    LAST_FILE,
    LOG_FILE,
    MODEL_FILE,
    PICTURES,
    find_model,
    first_snapshot,
    read_record,
    title_of,
)
from pellucid.runs.together import load_for_all
from pellucid.train.distributed import Processes
from pellucid.train.history import NAMES, SHARES

if TYPE_CHECKING:
    from pellucid.datasets import Dataset
    from pellucid.model import Model
    from pellucid.ops import Array
    from pellucid.train import History, TrainConfig


def record(
    name: str,
    settings: dict[str, Any],
    network: Model,
    dataset: Dataset,
    loading: dict[str, Any],
    start: dict[str, Any],
    training: dict[str, Any],
) -> dict[str, Any]:
    """What made this run, as it goes into run.json. start: the weights it began with, and what was frozen.

    `held_out` names the folder or table that --validation gave, where its pictures are the test part too and lie
    elsewhere.
    """
    import platform
    from importlib.metadata import version

    import numpy as np

    from pellucid import ops
    from pellucid.datasets.sources import is_folder

    backend = ops.backend()
    parts = {"train": dataset.train, "test": dataset.test}
    if dataset.validation is not None and dataset.validation is not dataset.test:
        parts["validation"] = dataset.validation
    validation = loading["validation"]
    outside = any(Path(file).is_absolute() for file in dataset.test.files or [])
    elsewhere = validation is not None and outside and dataset.validation is dataset.test
    return {
        "model": {"name": name, "settings": settings, "input_shape": list(network.graph.input_shape)},
        "data": {
            "name": dataset.name,
            "load": loading["data"],
            "folder": is_folder(loading["data"]),
            "resize": loading["resize"],
            "loading": loading,
            "class_names": list(dataset.class_names),
            "pictures": {part: len(split) for part, split in parts.items()},
            "files": {part: split.files for part, split in parts.items() if split.files is not None},
            "held_out": validation if elsewhere else None,
        },
        "start": start,
        "training": training,
        "versions": {"pellucid": installed_version(), "python": platform.python_version(), "numpy": np.__version__}
        | ({"torch": version("torch")} if training["engine"] == "torch" else {}),
        "backend": {"name": backend.name, "instruction_set": backend.instruction_set, "threads": backend.threads},
    }


def draw(folder: Inside, console: Console) -> None:
    """The run's two pictures, as far as there is something to draw."""
    from pellucid.errors import PellucidError
    from pellucid.model.file import load
    from pellucid.visualise import curves_figure, held_name, read_log, write_figure
    from pellucid.visualise.filters import show_filters
    from pellucid.visualise.registry import Source

    class Kept(Source):
        @property
        def model(self) -> Model:
            return load(find_model(folder))

        def before_training(self) -> Array | None:
            return first_snapshot(folder)

    try:
        with console.bar() as bar:
            bar.busy("drawing curves and filters")
            held = held_name(read_record(folder))
            title = title_of(folder, console.lang)
            curves = curves_figure(read_log(folder / LOG_FILE), title=title, held=held, lang=console.lang)
            write_figure(curves, folder / PICTURES[0])
            write_figure(show_filters.figure(Kept(str(folder), console.lang)), folder / PICTURES[1])
    except PellucidError as error:  # a run that was stopped in its first epoch is still a run
        console.note(f"no picture drawn: {error}")


def stages(history: History, config: TrainConfig) -> str | None:
    """How good the head became and how good fine-tuning, each in its best epoch; None where there were not both."""
    first, held = config.fine_tune_from, history.history.get("val_accuracy", [])
    if first is None or not 0 < first < len(held):
        return None
    return f"held-out accuracy: {percent(max(held[:first]))} with the new head, {percent(max(held[first:]))} fine-tuned"


def report(
    folder: Inside, dataset: Dataset, history: History, config: TrainConfig, console: Console, processes: Processes
) -> None:
    """Judge the epoch kept on the test pictures, and say where everything is.

    Where that epoch was chosen on the test pictures themselves its result flatters, so the last epoch's is said too.
    """
    if (both := stages(history, config)) is not None:
        console.say(both)
    console.say(f"test {judge(folder / MODEL_FILE, dataset, console, processes)} on {len(dataset.test):,} pictures")
    if dataset.held_out is dataset.test and history.epoch:
        console.say(f"last {judge(folder / LAST_FILE, dataset, console, processes)} after the last epoch")
        console.note("(the epoch kept is the best on these same pictures; validation=0.1 chooses it on others)")
    console.say(f"run {folder}")


def judge(file: Place, dataset: Dataset, console: Console, processes: Processes) -> str:
    """A model file's result on the test pictures, in words. All processes judge what rank 0 has written."""
    with console.bar() as bar:
        bar.busy(f"reading {file}")
        model = load_for_all(processes, file)
        result = model.evaluate(dataset.test.images, dataset.test.labels, verbose=0, progress=bar)
    loss = f"loss {result['loss']:.4f}"
    shares = [f"{NAMES.get(name, name)} {percent(result[name])}" for name in reversed(SHARES) if name in result]
    return ", ".join([*shares, loss])
