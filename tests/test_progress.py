"""Long work that a program calls shows itself on a terminal, and nowhere else."""

from __future__ import annotations

import gzip
import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from screen import Screen, appears
from small_model import compiled, pictures

import pellucid
from pellucid import _progress as progress
from pellucid import datasets
from pellucid._progress import WorkBar
from pellucid.datasets.archive import unpack
from pellucid.errors import ConfigError
from pellucid.files import tensor_file
from pellucid.model import Sequential
from pellucid.train import BatchEnded, EpochEnded, Event


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if everything took longer than a second."""
    monkeypatch.setattr(progress, "LONG_S", 0.0)


def used(verbose: int | str) -> Sequential:
    model, (x, y) = compiled(), pictures()
    model.predict(x, batch_size=4, verbose=verbose)
    model.evaluate(x, y, batch_size=4, verbose=verbose)
    return model


@pytest.mark.parametrize("verbose", ["auto", 1, 2])
def test_a_bar_on_a_terminal_that_goes(screen: Screen, at_once: None, verbose: int | str) -> None:
    used(verbose)
    assert "answering for pictures" in screen.seen and "judging pictures" in screen.seen and "%" in screen.seen
    assert WorkBar._outermost is None and "\x1b[2K" in screen.getvalue().rpartition("%")[2], "it is wiped away"


def test_work_that_is_soon_done_shows_nothing(screen: Screen) -> None:
    used("auto")
    assert screen.getvalue() == ""


def test_quiet_where_it_was_asked_or_nobody_looks(screen: Screen, at_once: None) -> None:
    used(0)
    thread = threading.Thread(target=used, args=("auto",))
    thread.start()
    thread.join()
    assert screen.getvalue() == ""


def test_no_terminal_hears_of_it_only_if_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    used("auto")
    assert file.getvalue() == ""
    used(1)
    assert "answering for pictures: 50%\n" in file.getvalue() and "judging pictures: 100%\n" in file.getvalue()
    monkeypatch.setattr("sys.stderr", None)  # a program without a console
    used("auto")


def test_fit_has_the_line_to_itself(screen: Screen, at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", screen)
    model, (x, y) = compiled(), pictures()

    def ask(event: Event) -> None:
        if isinstance(event, BatchEnded | EpochEnded):
            model.predict(x, batch_size=4)

    model.fit(x, y, batch_size=4, epochs=2, callbacks=ask)
    assert "epoch 2/2" in screen.seen and "answering" not in screen.seen
    model.predict(x, batch_size=4)
    assert appears(screen, "answering"), "afterwards it is free again"


def test_another_verbose_is_refused() -> None:
    model, (x, y) = compiled(), pictures()
    for verbose in ("loud", 3, ""):
        for ask in (model.predict, lambda x, verbose: model.evaluate(x, y, verbose=verbose)):
            with pytest.raises(ConfigError, match=rf'verbose must be 0, 1, 2 or "auto", got {verbose!r}'):
                ask(x, verbose=verbose)


def test_unpacking_and_fitting_tell_how_far_they_are(tmp_path: Path) -> None:
    archive = tmp_path / "a.tar.gz"
    rng = np.random.default_rng(0)
    with gzip.open(archive, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
        for name in ("one.bin", "two.bin"):
            info = tarfile.TarInfo(name)
            info.size = 300_000
            tar.addfile(info, io.BytesIO(rng.bytes(info.size)))
    told: list[tuple[int, int, str]] = []
    unpack(archive, ["one.bin", "two.bin"], tmp_path, max_bytes=1 << 20, progress=lambda *how: told.append(how))
    size = archive.stat().st_size
    done = [now for now, total, what in told if (total, what) == (size, "unpacking a.tar.gz")]
    assert len(done) == len(told) and done == sorted(done) and done[0] < size / 2 < size * 0.99 < done[-1] <= size
    told.clear()
    datasets.load("digits", size=12, progress=lambda *how: told.append(how))
    assert [how[:2] for how in told] == [(now, 1797) for now in (256, 512, 768, 1024, 1280, 1437 + 256)]
    assert {how[2] for how in told} == {"fitting pictures to 12 x 12"}


def test_files_that_take_long_show_themselves(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tensor_file.write, tensor_file.read

    def slow(call: Callable[..., Any], what: str) -> Callable[..., Any]:
        def wait(*arguments: Any) -> Any:
            assert appears(screen, what)
            return call(*arguments)

        return wait

    for name, call, what in zip(("write", "read"), own, ("writing", "reading"), strict=True):
        monkeypatch.setattr(tensor_file, name, slow(call, f"{what} {tmp_path}"[:40]))
    compiled().save(tmp_path / "m.safetensors")
    pellucid.load(tmp_path / "m.safetensors")


def test_loading_shows_itself(screen: Screen, at_once: None) -> None:
    datasets.load("digits", size=12)
    assert "fitting pictures to 12 x 12" in screen.seen and WorkBar._outermost is None
