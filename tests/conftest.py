"""What several tests of the command line share: running a command, a finished run, some pictures."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from commands import Command
from lab_browser import CHROMIUM, Pages
from picture_files import write_pets
from PIL import Image
from screen import Screen

from pellucid import _progress as progress
from pellucid import datasets
from pellucid.cli import main
from pellucid.layers.numbering import start_anew

if TYPE_CHECKING:
    from lab_client import Served

    from pellucid.lab.launch import Lab

os.environ["LC_ALL"] = "C.UTF-8"  # figures and reports speak the locale's language
os.environ.setdefault("KERAS_BACKEND", "torch")  # Keras asks before it is imported


@pytest.fixture(autouse=True)
def names_from_the_first_on() -> None:
    """Layers of pellucid.keras that have no name are numbered in the process."""
    start_anew()


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs one command line in this process: (exit status, standard output, standard error)."""
    monkeypatch.setattr(progress, "LINE_S", 1e6)  # a slow machine has no more to say than a quick one

    def run(*arguments: object) -> tuple[int, str, str]:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capfd.readouterr()

    return run


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has learned the digits well enough to be asked."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    assert main(["train", "--epochs", "6", "--batch-size", "32", "--quiet", "--out", str(folder)]) == 0
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten test digits as PNG files, named by their class."""
    folder = tmp_path_factory.mktemp("pictures")
    test = datasets.load("digits").test
    for digit in range(10):
        index = int(np.flatnonzero(test.labels == digit)[0])
        Image.fromarray(np.asarray(test.images)[index, :, :, 0]).save(folder / f"{digit}.png")
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings that end leave no pictures, and judge no more: which takes as long as to train a small network."""
    for name in ("draw", "report"):
        monkeypatch.setattr(f"pellucid.runs.run.{name}", lambda *_: None)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where decoded pictures are kept, for one test alone."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pellucid" / "pictures"


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder of two classes."""
    return write_pets(tmp_path / "pets")


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What long work draws on, instead of standard error."""
    file = Screen()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=file))  # pytest sets sys.stderr again before the test
    monkeypatch.setattr(progress, "BUSY_S", 0.02)
    for name, value in (("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    return file


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, for the tests of one file: its loop must not run beside those of others."""
    from playwright import sync_api as api

    with api.sync_playwright() as started:
        launched = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--use-fake-device-for-media-stream"]
        )
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A lab on the digits in the package, at a port of its own."""
    from pellucid.lab.launch import make_lab
    from pellucid.lab.prepare import prepare

    made = make_lab(prepare, port=0, host="127.0.0.1", lang=None, folder=lambda _: None)
    made.start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """The same behind a test client, without a port."""
    from lab_client import serving

    with serving() as made:
        yield made


@pytest.fixture
def pages(browser: Any) -> Iterator[Pages]:
    """Opens pages of the lab, which must not complain of anything."""
    made = Pages(browser)
    yield made
    for context in browser.contexts:
        context.close()
    assert not made.complaints
