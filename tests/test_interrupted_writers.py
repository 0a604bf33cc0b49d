"""Ctrl-C while a file is written: what stood there is still there, whole, and nothing half-written lies beside it."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_model import small

from pellucid import datasets, visualise
from pellucid.cli import main
from pellucid.datasets.archive import unpack
from pellucid.runs.folder import write_record
from pellucid.scratch import SimpleConvNet
from pellucid.train import TrainingStarted
from pellucid.train.snapshots import Snapshots


class HalfWritten:
    """A file whose first write gets half of its bytes out before the interrupt comes."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, data: Any) -> int:
        self._file.write(memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2])
        raise KeyboardInterrupt

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> HalfWritten:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, moment: str) -> Iterator[list[str]]:
    """The interrupt comes in the middle of the first write, before the flush, or between the flush and the rename."""
    came: list[str] = []

    def interrupt(*arguments: Any, **options: Any) -> None:
        came.append(moment)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment == "write":
            own = os.fdopen

            def opened(handle: int, *arguments: Any, **options: Any) -> Any:
                came.append(moment)
                return HalfWritten(own(handle, *arguments, **options))

            patch.setattr(os, "fdopen", opened)
        else:
            patch.setattr(os, {"flush": "fsync", "rename": "replace"}[moment], interrupt)
        yield came


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


Writer = Callable[[Path, Path], None]


def command(*words: object) -> None:
    """A command line, which answers an interrupt by its exit status."""
    if main([str(word) for word in words]) == 130:
        raise KeyboardInterrupt


def save_model(folder: Path, run: Path) -> None:
    small().save(folder / "model.safetensors")


def write_figure(folder: Path, run: Path) -> None:
    figure = visualise.filters_figure(np.zeros((3, 3, 1, 2), np.float32))
    visualise.write_figure(figure, folder / "filters.png")


def write_svg(folder: Path, run: Path) -> None:
    command("show", "architecture", run, "--out", folder / "network.svg")


def write_gif(folder: Path, run: Path) -> None:
    command("show", "slide", run, "--frames", 2, "--out", folder / "slide.gif")


def write_answers(folder: Path, run: Path) -> None:
    picture = folder.parent / "picture.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    command("predict", run, picture, "--out", folder / "answers.csv")


def write_run_json(folder: Path, run: Path) -> None:
    write_record(folder, {"model": {"name": "x"}})


def write_snapshot(folder: Path, run: Path) -> None:
    model = small()
    Snapshots(folder, model, np.zeros((2, 6, 5, 2), np.float32))(TrainingStarted(0, 1, 1, 1, 0, 1, model))


def write_import(folder: Path, run: Path) -> None:
    source = folder.parent / "params.pkl"
    SimpleConvNet().save_params(source)
    command("import", source, "--as", "simple-convnet", "--out", folder / "imported.safetensors")


def save_params(folder: Path, run: Path) -> None:
    SimpleConvNet().save_params(folder / "params.pkl")


WRITERS: dict[str, tuple[Writer, str]] = {
    "model": (save_model, "model.safetensors"),
    "figure": (write_figure, "filters.png"),
    "svg": (write_svg, "network.svg"),
    "moving picture": (write_gif, "slide.gif"),
    "answers": (write_answers, "answers.csv"),
    "run.json": (write_run_json, "run.json"),
    "snapshot": (write_snapshot, "epoch-000.npz"),
    "the book's parameters": (save_params, "params.pkl"),
    "import": (write_import, "imported.safetensors"),
}
OLD = b"what stood there"


@pytest.mark.parametrize("moment", ["write", "flush", "rename"])
@pytest.mark.parametrize("name", WRITERS)
def test_what_stood_there_is_whole_and_nothing_lies_beside_it(
    name: str, moment: str, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, target = WRITERS[name]
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / target).write_bytes(OLD)
    if name == "import":
        monkeypatch.setattr(SimpleConvNet, "save_params", copy_of(tmp_path))
    with interrupted(monkeypatch, moment) as came, pytest.raises(KeyboardInterrupt):
        write(folder, run_folder)
    assert came == [moment]
    assert contents(folder) == {target: OLD}
    write(folder, run_folder)  # and the next time it is written
    assert list(contents(folder)) == [target] and contents(folder)[target] != OLD


def copy_of(folder: Path) -> Callable[[SimpleConvNet, Path], None]:
    """The book's parameters, written before anything interrupts."""
    made = folder / "made.pkl"
    SimpleConvNet().save_params(made)
    return lambda network, file: file.write_bytes(made.read_bytes()) and None


def test_the_report_too(run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "report.html"
    page.write_bytes(OLD)
    monkeypatch.setattr("pellucid.report.make_report", lambda *arguments, **options: "a page")
    with interrupted(monkeypatch, "rename") as came, pytest.raises(KeyboardInterrupt):
        command("report", run_folder, "--out", page)
    assert came and contents(tmp_path) == {page.name: OLD}


@pytest.mark.parametrize("which", [1, 2])
def test_the_cache_of_pictures(which: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its raw file is renamed first, then its index; without the index it is not used, and made again."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("pellucid.datasets.cache.cache_folder", lambda: cache)
    for name in ("cat", "dog"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(3):
            pixels = np.full((9, 8, 3), 40 * number, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number}.png")
    own, calls = os.replace, [0]

    def interrupt(*names: Any, **folders: Any) -> None:
        calls[0] += 1
        if calls[0] == which:
            raise KeyboardInterrupt
        own(*names, **folders)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            datasets.load(tmp_path / "data", size=8)
    assert calls == [which]
    assert all(path.suffix == ".u8" for path in (cache / "pictures").iterdir()) and which - 1 == len(
        list((cache / "pictures").iterdir())
    )
    again = datasets.load(tmp_path / "data", size=8)
    assert len(again.train) + len(again.test) == 6
    assert sorted(path.suffix for path in (cache / "pictures").iterdir()) == [".json", ".u8"]


def test_an_archive_that_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("folder/one.bin")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"four"))
    out = tmp_path / "out"
    with interrupted(monkeypatch, "rename") as came, pytest.raises(KeyboardInterrupt):
        unpack(archive, ["one.bin"], out, max_bytes=100_000)
    assert came and contents(out) == {}


def test_an_interrupt_as_the_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.open

    def interrupt(path: Any, *arguments: Any) -> int:
        os.close(own(path, *arguments))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", interrupt)
        with pytest.raises(KeyboardInterrupt):
            small().save(tmp_path / "model.safetensors")
    assert contents(tmp_path) == {}
