"""Loading a data set by name, or a folder of pictures by path."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._progress import work_bar
from pellucid.datasets import cifar, digits, idx, listing
from pellucid.datasets.archive import unpack
from pellucid.datasets.dataset import Dataset, Split
from pellucid.datasets.download import Progress, alone, copy, data_folders, fetch, offline
from pellucid.datasets.labels import matched_labels
from pellucid.datasets.sources import IDX_FILES, KNOWN, Known, canonical, known
from pellucid.datasets.tables import held_table, read_table
from pellucid.errors import ConfigError, DataError, shown, unknown_name

Size = int | tuple[int, int]

FITTED_BYTES = 1 << 30
"""What a named set may take at another size to be fitted once and kept in memory."""


def load(
    data: str | os.PathLike[str],
    *,
    size: Size | None = None,
    resize: str = "crop",
    channels: int | None = None,
    validation: Any = None,
    seed: int = 0,
    class_names: Sequence[str] | None = None,
    files: Mapping[str, Sequence[str]] | None = None,
    whole: bool = False,
    labels: Any = None,
    columns: Mapping[str, Any] | None = None,
    several: bool = False,
    mapped: bool = False,
    progress: Progress | None = None,
) -> Dataset:
    """A data set: "digits", "mnist", "fashion-mnist", "cifar10", "cifar100", or a folder with one sub-folder a class,
    or with images/ and masks/, files of class numbers with the pictures' names.

    size: fit every picture to this. None keeps a named set as it is; a folder's pictures keep a common size, the
    shorter side at least 32, or become square by the median of their shorter sides, 32 to 128.
    resize: "crop" (shorter side to size, centre kept), "center" (the middle seven eighths of that), "pad" or "stretch".
    channels: 1 or 3 to force grey or colour.
    validation: what to watch while training: a fraction of the training pictures, a folder, or a table as `labels` are,
    of pictures in this folder or beside the table. A folder without splits holds out this fraction (0.2 where it is
    None) as both validation and test.
    class_names: label by these names, as a trained network has them. files: the lists a run stored (Dataset.files),
    instead of a new split of a folder. whole: a folder to judge on, every picture in `test`; a named set has its own.
    labels: a table of a folder's labels, a CSV file or a DataFrame with a row a picture (file, label, split), or
    several tables of which the others correct the first; several labels stand in one cell with | between them, or have
    a column each of 0 and 1. columns: what its columns are called where that is not to be guessed, such as
    {"file": "image_id", "label": "breed"}. several: a picture may have several labels, also where none has.
    mapped: hold no named set in memory: its pictures lie decoded in the cache, in files, read only, that the processes
    of a machine map together.
    progress: called as progress(done, total, what) while pictures are read or files come in; by default a bar shows
    that on a terminal, where it takes longer than a second.
    Errors: ConfigError for an unknown name or argument; DataError for data that is missing or cannot be used.
    """
    from pellucid.datasets import folder

    with _telling(progress) as tell:
        name = canonical(data) if isinstance(data, str) else None
        if name is None:
            place, given = _as_folder(data), labels if isinstance(labels, list | tuple) else [labels]
            tables = [read_table(one, columns) for one in given if one is not None]
            tables = [replace(table, several=table.several or several) for table in tables]
            held = _held(validation, columns)
            request = folder.Request(size, resize, channels, held, seed, class_names, files, whole, tables)
            return folder.load_folder(place, request, tell)
        if labels is not None:
            raise ConfigError(f"labels are for folders of pictures; {name!r} has its own")
        if files is not None:
            raise ConfigError(f"files are for folders of pictures; {name!r} has its own split")
        dataset = load_named(name, mapped=mapped, progress=tell)
        if Path(data).is_dir():
            told = f"{data} is the data set of that name; the folder would be ./{data}"
            dataset = replace(dataset, warnings=[*dataset.warnings, told])
        if class_names is not None:
            dataset = _relabelled(dataset, class_names)
        if size is not None or channels is not None:
            dataset = _fitted(dataset, size, resize, channels, tell)
        if isinstance(validation, (int, float)):
            return dataset.with_validation(float(validation), seed=seed)
        if validation is not None:
            raise ConfigError(f"validation for {name!r} must be a fraction such as 0.1, got {shown(validation)}")
        return dataset


def load_named(name: str, *, mapped: bool = False, progress: Progress | None = None) -> Dataset:
    """A named set from where it lies, or else from the network. mapped: as of `load`."""
    info = known(name)
    if info.name == "digits":
        return digits.load()
    with _telling(progress) as tell:
        place = locate(name) or _download(info, data_folders()[-1], tell)
    train, test = _mapped(info, place) if mapped else _read(info, place)
    for what, part, count in (("training", train, info.num_train), ("test", test, info.num_test)):
        if len(part) != count:
            raise DataError(f"{place}: expected {count} {what} pictures of {info.name}, got {len(part)}")
    return Dataset(name=info.name, train=train, test=test, class_names=info.class_names, source=info.source)


def locate(name: str) -> Path | None:
    """Where a named set's files lie: looked for in PELLUCID_DATA, then the user's cache, then system folders."""
    info = known(name)
    places = [root / folder for root in data_folders() for folder in info.folders]
    return _complete(info, [*places, *info.system_folders])


def fetch_named(
    name: str, *, into: str | os.PathLike[str] | None = None, progress: Progress | None = None
) -> Path | None:
    """Make sure a named set is on this machine, and say where; None for the one in the package.

    into: a folder to take along, such as a stick's: the set is copied or downloaded there.
    """
    info = known(name)
    if info.name == "digits":
        return None
    found = locate(name)
    if into is None:
        return found or _download(info, data_folders()[-1], progress)
    root = Path(into).expanduser()
    there = _complete(info, [root / folder for folder in info.folders])
    if there is None and found is not None:
        files = next(filter(None, (_files(found, layout) for layout in info.layouts)))
        return copy(files, root / info.folders[0], info.name, progress)
    return there or _download(info, root, progress)


def _complete(info: Known, places: Sequence[Path]) -> Path | None:
    """The first of these folders that holds all files of one of a set's layouts."""
    return next((place for place in places if any(_files(place, layout) for layout in info.layouts)), None)


def _files(place: Path, layout: Sequence[str]) -> list[Path]:
    """Where each file of a layout lies in a folder; nothing if one of them does not."""
    found = [_variant(place, file) for file in layout]
    return [path for path in found if path is not None] if None not in found else []


def names() -> tuple[str, ...]:
    """The sets that have a name."""
    return tuple(KNOWN)


def _held(validation: Any, columns: Mapping[str, Any] | None) -> Any:
    """What a folder is to be judged by: a fraction, a folder, or a table that has been read."""
    if hasattr(validation, "columns"):
        return held_table(validation, columns)
    if not isinstance(validation, str | os.PathLike):
        return validation
    path = Path(validation).expanduser()
    return held_table(path, columns) if path.is_file() else path


def _as_folder(data: str | os.PathLike[str]) -> Path:
    path = Path(data).expanduser()
    if path.is_dir():
        return path
    what = f"data is a name ({', '.join(KNOWN)}) or a folder with one sub-folder a class"
    if path.exists():
        raise DataError(f"{path} is a file; {what}")
    text = os.fspath(data)
    beside = listing.missing(path, hint=what)
    is_a_name = isinstance(data, str) and not any(mark in text for mark in ("/", "\\", ".", "~"))
    unknown = unknown_name("data set", data, KNOWN)
    raise unknown if is_a_name and "did you mean" in str(unknown) and "did you mean" not in str(beside) else beside


def _variant(place: Path, file: str) -> Path | None:
    """The file under one of the spellings in use: gzipped or not, "-idx3-ubyte" or ".idx3-ubyte"."""
    for name in (file, f"{file}.gz", file.replace("-idx", ".idx")):
        if (place / name).is_file():
            return place / name
    return None


def _download(info: Known, root: Path, progress: Progress | None) -> Path:
    target = root / info.folders[0]
    if offline() and not all((target / remote.name).is_file() for remote in info.remotes):
        searched = ", ".join(str(place) for place in [*data_folders(), *info.system_folders])
        layouts = " or ".join(", ".join(layout) for layout in info.layouts)
        raise DataError(
            f"{info.name} is not on this machine (searched {searched}) and PELLUCID_OFFLINE forbids a download. "
            f"Put the files {layouts} into {target}, or into the folder {info.folders[0]} of PELLUCID_DATA; "
            f"they come from {info.remotes[0].mirrors[0]}"
        )

    def waiting() -> None:
        if progress is not None:
            progress(0, 1, f"waiting for another download of {info.name}")

    try:
        with alone(target.with_name(f".{target.name}.lock"), waiting):
            if _complete(info, [target]) is not None:  # another process has just brought it
                return target
            for remote in info.remotes:
                path = fetch(remote, target, progress=progress)
                if path.name.endswith(".tar.gz"):
                    most = 2 * (info.num_train + info.num_test) * (1 + math.prod(info.shape))
                    unpack(path, info.layouts[0], target, max_bytes=most, progress=progress)
                    path.unlink()
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error})") from error
    return target


def _read(info: Known, place: Path) -> tuple[Split, Split]:
    if info.layouts[0] == IDX_FILES:
        paths = [_variant(place, file) or place / file for file in IDX_FILES]
        classes, most = len(info.class_names), 2 * info.num_train * math.prod(info.shape)
        pairs = [idx.read_pair(paths[i], paths[i + 1], classes=classes, max_bytes=most) for i in (0, 2)]
        for path, (images, _) in zip(paths[::2], pairs, strict=True):
            if images.shape[1:] != info.shape[:2]:
                raise DataError(f"{path}: sizes: expected pictures of {info.shape[:2]}, got {images.shape[1:]}")
        train, test = (Split(images[..., None], labels.astype(np.int64)) for images, labels in pairs)
        return train, test
    read = cifar.read_hundred if info.layouts[0] == cifar.HUNDRED_FILES else cifar.read_parts
    train, test = (Split(*part) for part in read(place))
    return train, test


def _mapped(info: Known, place: Path) -> tuple[Split, Split]:
    """What `_read` gives, in files that are mapped."""
    from pellucid.datasets.cache import key
    from pellucid.datasets.mapped import mapped

    paths = next(filter(None, (_files(place, layout) for layout in info.layouts)))
    facts = [(path.name, path.stat()) for path in paths]
    whole = key([(name, stat.st_size, stat.st_mtime_ns) for name, stat in facts], {"set": info.name})
    read = cache(lambda: _read(info, place))

    def split(number: int) -> Split:
        images = mapped(f"{whole}-{number}", lambda: np.asarray(read()[number].images))
        return Split(images, np.asarray(mapped(f"{whole}-{number}-labels", lambda: read()[number].labels)))

    return split(0), split(1)


def _fitted(
    dataset: Dataset, size: Size | None, resize: str, channels: int | None, progress: Progress | None
) -> Dataset:
    """A set in memory at another size or colour mode; where that is large, each picture when it is asked for."""
    from pellucid.datasets.cache import FittingStore, StoredPictures
    from pellucid.datasets.mapped import Mapped
    from pellucid.datasets.pictures import fit_array, fitting

    rule = fitting(size if size is not None else dataset.image_shape[:2], channels or dataset.image_shape[2], resize)
    if rule.shape == dataset.image_shape:
        return dataset
    total = len(dataset.train) + len(dataset.test)
    large = total * math.prod(rule.shape) > FITTED_BYTES

    def refit(split: Split, before: int) -> Split:
        def tell(done: int) -> None:
            if progress is not None:
                progress(before + done, total, f"fitting pictures to {rule.size[0]} x {rule.size[1]}")

        kept, images = split.images, np.asarray(split.images)
        if large:
            rows = np.arange(len(images), dtype=np.int64)
            return replace(split, images=StoredPictures(FittingStore(images, rule), rows))
        if isinstance(kept, Mapped):
            return replace(split, images=kept.derived(repr(rule), lambda: fit_array(images, rule, tell=tell)))
        return replace(split, images=fit_array(images, rule, tell=tell))

    return replace(dataset, train=refit(dataset.train, 0), test=refit(dataset.test, len(dataset.train)))


def _relabelled(dataset: Dataset, class_names: Sequence[str]) -> Dataset:
    """A set whose labels count in another list of names."""

    def relabel(split: Split) -> Split:
        return replace(split, labels=matched_labels(split.labels, dataset.class_names, class_names))

    train, test = relabel(dataset.train), relabel(dataset.test)
    return replace(dataset, train=train, test=test, class_names=tuple(class_names))


def _telling(progress: Progress | None) -> contextlib.AbstractContextManager[Progress]:
    """Who hears how far it is: whoever was given, else a bar on a terminal."""
    return work_bar("auto") if progress is None else contextlib.nullcontext(progress)
