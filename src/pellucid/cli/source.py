"""What a picture is drawn of, on the command line: a run, a model file or the name of a network."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._progress import WorkBar, working
from pellucid._text import clip
from pellucid.cli.drawing import NO_WEIGHTS, network
from pellucid.cli.judge import held_out_data
from pellucid.cli.output import note
from pellucid.datasets import Dataset
from pellucid.datasets.listing import list_pictures
from pellucid.datasets.pictures import probe
from pellucid.datasets.sources import is_folder
from pellucid.errors import ConfigError, DataError
from pellucid.files.inside import Inside
from pellucid.model import Model
from pellucid.model.background import looks_inverted
from pellucid.ops import Array
from pellucid.runs.console import tell_left_out
from pellucid.runs.folder import (
    LOG_FILE,
    RUN_FILE,
    SNAPSHOTS,
    find_folder,
    first_snapshot,
    read_record,
    title_of,
)
from pellucid.visualise.answers import class_label
from pellucid.visualise.architecture.data import times
from pellucid.visualise.curves import Log, read_log
from pellucid.visualise.histograms.data import Snapshots, read_snapshots
from pellucid.visualise.registry import Judged, Source

FILE_NAME = 40
"""Columns of a picture's name in a title."""


@dataclass(frozen=True)
class FittedFiles:
    """Pictures of files, each read when it is asked for. Shapes: (N, H, W, C) uint8, by slices."""

    files: tuple[Path, ...]
    read: Callable[[Path], Array]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, rows: slice) -> Array:
        return np.stack([self.read(file) for file in self.files[rows]])


class RunSource(Source):
    """Reads what RUN|MODEL names, with a bar for what takes long. log: of the folder, or the file named itself.

    weights: of a network by name, as `network` takes them.
    """

    def __init__(
        self,
        what: str | Path | Inside | None,
        lang: str | None = None,
        weights: str | None = NO_WEIGHTS,
        *,
        invert: bool = False,
    ) -> None:
        super().__init__("" if what is None else str(what), lang, invert=invert)
        self._named, self._weights = what, weights

    @cached_property
    def model(self) -> Model:
        return network(self._named or "", self._weights)

    @property
    def place(self) -> Inside:
        path = Path(self.what)
        return Inside(path if os.path.isdir(path) else path.parent)

    @property
    def folder(self) -> Inside | None:
        return find_folder(self._named if isinstance(self._named, Inside) else Path(self.what))

    @property
    def title(self) -> str:
        return title_of(self.place, self.lang)

    def record(self) -> Mapping[str, Any]:
        return read_record(self.place) if (self.place / RUN_FILE).check().is_file() else {}

    def log(self) -> Log:
        return read_log(self.place / LOG_FILE if os.path.isdir(self.what) else Path(self.what))

    def before_training(self) -> Array | None:
        return None if self.folder is None else first_snapshot(self.folder)

    def snapshots(self) -> Snapshots:
        folder = self.place / SNAPSHOTS
        with self.working(f"reading {folder}"):
            return read_snapshots(folder)

    @contextmanager
    def working(self, what: str = "") -> Iterator[WorkBar]:
        with working(what) if what else WorkBar() as bar:
            yield bar

    def note(self, text: str) -> None:
        note(text)

    def held_out(self, data: str | None = None) -> Dataset:
        with WorkBar() as bar:
            return held_out_data(Path(self.what), self.model, data, bar)

    def judged(self, data: str | None = None) -> Judged:
        """The network's answers, what was left out said. Errors: DataError where any is NaN."""
        seen = super().judged(data)
        tell_left_out(seen.data.skipped, known=data is None)
        lost = int(np.isnan(seen.answers).any(axis=1).sum())
        if lost:
            raise DataError(
                f"{self.what}: the network answers NaN for {lost:,} of {len(seen.answers):,} pictures, so nothing can "
                "be judged; train again with a smaller --lr, or take an earlier checkpoint"
            )
        return seen

    def picture(self, image: Path | None = None) -> tuple[Array, str]:
        """One picture at the network's size, and what it is called: a file's name, or "test picture 0 of mnist".

        A file of another size is fitted as at training, which a note says.
        Shapes: (H, W, C) uint8.
        Errors: DataError for a file that is no picture, or data that cannot be loaded; ConfigError without any data.
        """
        if image is not None:
            return self._from_file(image), clip(image.name, FILE_NAME)
        if self.folder is None and not self.model.trained_on.get("data"):
            raise ConfigError(f"{self.what}: nothing says which data belong to it; name a picture with --image FILE")
        dataset = self.held_out()
        if not len(dataset.test):
            raise DataError(f"{self.what}: its data hold no test picture; name one with --image")
        first: Any = dataset.test.images[:1]
        if dataset.test.several or dataset.test.per_pixel:
            return first[0], self.say("test picture {index} of {data}", index=0, data=dataset.name)
        truth = class_label(self.model, int(dataset.test.labels[0]))
        words = "test picture {index} of {data}, {answer!r}"
        return first[0], self.say(words, index=0, data=dataset.name, answer=truth)

    def pictures(self, data: str | None = None) -> Any:
        """As Source's; those of a folder without classes are read as they are asked for."""
        folder = None if data is None else Path(data)
        if data is None or folder is None or not is_folder(data):
            return super().pictures(data)
        files, skipped = list_pictures([folder])
        if any(file.parent != folder for file in files):
            return super().pictures(data)
        tell_left_out(skipped)
        return FittedFiles(tuple(files), self._read)

    def _read(self, image: Path) -> Array:
        return self.read(image, self._size(), self.model.graph.input_shape[2], self.model.preprocessing.resize)

    def _size(self) -> tuple[int, int]:
        return self.model.preprocessing.size or (self.model.graph.input_shape[0], self.model.graph.input_shape[1])

    def _from_file(self, image: Path) -> Array:
        fit, wanted = self.model.preprocessing, self._size()
        size = probe(image).size
        if size != wanted:
            fitted = "{file}: {size}, fitted to {wanted} ({fit}) as at training"
            note(self.say(fitted, file=image, size=times(size), wanted=times(wanted), fit=fit.resize))
        pixels = self._read(image)
        if looks_inverted(pixels, self.model.trained_on.get("background")):
            fix = self.say("leave out --invert" if self.invert else "try --invert")
            note(
                self.say(
                    "{file}: not the background that it learned from, so it will guess; {fix}", file=image, fix=fix
                )
            )
        return pixels
