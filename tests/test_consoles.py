"""Consoles and names as people have them: nothing that prints or writes may lose the work that is done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from:UserWarning")  # no font has a cat
NAME = os.fsdecode(b"k\xff\xc3\xa9-") + "고🐈\u202e\x1b[2J"
"""Not UTF-8, and not in any other encoding either, with what would steer a terminal."""


def command(*words: str | Path, stdout: object = subprocess.PIPE, **environment: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "pellucid", *map(str, words)],
        env={**os.environ, "PELLUCID_NUM_THREADS": "1", **environment},
        stdout=stdout,  # type: ignore[call-overload]
        stderr=subprocess.PIPE,
        timeout=100,
    )
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    return done.returncode, (done.stdout or b"").decode(encoding), done.stderr.decode(encoding)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes and a broken picture, all under such names, in a folder of such a name."""
    root = tmp_path_factory.mktemp("names") / NAME
    rng = np.random.default_rng(0)
    for label in (NAME, "$x^$ $"):
        (root / label).mkdir(parents=True)
        for number in range(6):
            pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
            Image.fromarray(pixels).save(root / label / f"{number}{NAME}.png")
    (root / NAME / f"broken{NAME}.png").write_bytes(b"no picture")
    return root


def here(monkeypatch: pytest.MonkeyPatch, folder: Path, console: str, *words: str | Path) -> tuple[int, str, str]:
    """The same in this process: on standard streams of that encoding, as PYTHONIOENCODING makes them."""
    files = [folder / "stdout", folder / "stderr"]
    with monkeypatch.context() as patch:
        for file in files:
            patch.setattr(sys, file.name, open(file, "w", encoding=console))  # noqa: SIM115  # closed below
        status = main([str(word) for word in words])
        sys.stdout.close()
        sys.stderr.close()
    out, err = (file.read_bytes().decode(console) for file in files)
    return status, out, err


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    train = ["train", "simple-convnet", "--data", photos, "--size", "12", "--epochs", "1", "--out", folder / NAME]
    with pytest.MonkeyPatch.context() as patch:
        status, out, err = here(patch, folder, "ascii", *train)
    assert status == 0 and shows(out) and shows(err), err
    return folder / NAME


def shows(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("console", ["ascii", "latin-1", "cp949", "utf-8"])
def test_what_every_command_says(
    console: str, run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (
        ["predict", run, photos],
        ["predict", run, photos, "--json"],
        ["predict", run, photos, "--out", tmp_path / "p.csv"],
        ["data", "info", photos],
        ["data", "info", photos, "--json"],
        ["evaluate", run],
        ["summary", run],
        ["train", "--resume", run],
        *([["report", run], ["show", "confusion", run], ["show", "mistakes", run]] if console == "cp949" else []),
    ):
        status, out, err = here(monkeypatch, tmp_path, console, *words)
        assert status == 0 and shows(out) and shows(err), (words, ascii(out), ascii(err))
        if "--json" in words:
            told = json.loads(out)
            names = [Path(each["picture"]) for each in told] if words[0] == "predict" else [photos]
            assert all(name.exists() for name in names)  # JSON gives every name back
    (tmp_path / "p.csv").read_text("utf-8-sig")
    if console == "cp949":
        assert shows((run / "report.html").read_text("utf-8"))


def test_a_pipe_that_nobody_reads_loses_no_training(tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["train", "--limit", "64", "--test-limit", "16", "--epochs", "2", "--out", str(run)]
    reader, writer = os.pipe()
    os.close(reader)
    status, _, err = command(*small, stdout=writer)
    os.close(writer)
    assert status == 0 and "Traceback" not in err and "Broken" not in err
    assert (run / "curves.png").is_file() and (run / "last.safetensors").is_file()
    assert command("train", "--resume", run, "--epochs", "3", "-q")[0] == 0


def test_a_full_disk_behind_standard_output_is_said_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with open("/dev/full", "wb") as full:
        small = ["train", "--limit", "64", "--test-limit", "16", "--epochs", "1", "-q", "--out", str(run)]
        status, _, err = command(*small, stdout=full)
        assert status == 1 and (run / "last.safetensors").is_file()
        assert err.splitlines()[-1].startswith("pellucid: standard output cannot be written: No space left on device")
        for words in (["summary", "lenet5"], ["train", "--help"]):
            status, _, err = command(*words, stdout=full)
            assert status == 1 and "No space left" in err and "Traceback" not in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("place", ["full", "gone"])
def test_no_result_is_lost_in_silence(
    place: str, run: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is an error in one line; a reader that has what it wanted (`| head -1`) is none."""
    picture = next(photos.glob("*/0*.png"))
    for words in (
        ["predict", run, picture],
        ["predict", run, picture, "--json"],
        ["evaluate", run],
        ["evaluate", run, "--json"],
        ["summary", run],
        ["show", "architecture", run],
        ["data", "list"],
        ["--version"],
        ["data", "info", photos, "--json"],
    ):
        reader, writer = os.pipe()
        os.close(reader)
        with monkeypatch.context() as patch, open("/dev/full" if place == "full" else writer, "w") as out:
            with open(tmp_path / "stderr", "w", encoding="utf-8") as err:
                patch.setattr(sys, "stdout", out)
                patch.setattr(sys, "stderr", err)
                status = main([str(word) for word in words])
            (os.close(writer) if place == "full" else os.dup2(os.open(os.devnull, os.O_WRONLY), writer))
        said = (tmp_path / "stderr").read_text("utf-8")
        assert status == (1 if place == "full" else 0), (words, said)
        assert ("No space left" in said.splitlines()[-1]) if place == "full" else "roken" not in said, (words, said)


@pytest.mark.parametrize("name", ["n" * 5000, "d/" * 3000])
def test_no_path_is_too_long_to_be_refused_in_a_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for words in (["evaluate", name], ["train", "--data", name], ["report", name], ["predict", name, name]):
        status, _, err = here(monkeypatch, tmp_path, "utf-8", *words)
        assert status == 1 and "Traceback" not in err and len(err.splitlines()) == 1, err


def test_python_programs_print_on_a_poor_console() -> None:
    code = (
        "import numpy as np, pellucid\nfrom pellucid import Dense, Flatten, Input, Sequential\n"
        "model = Sequential([Input((4, 4, 1)), Flatten(), Dense(2, 'softmax', name='층🐈')], name='망')\n"
        "model.compile('sgd', 'categorical_crossentropy')\nmodel.summary()\n"
        "model.fit(np.zeros((8, 4, 4, 1), np.float32), np.arange(8) % 2, epochs=2)\nprint('end')"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert b"\\uce35\\U0001f408" in done.stdout and done.stdout.endswith(b"end\n")


@pytest.mark.parametrize("console", ["open('/dev/full', 'w')", "closed", "None"])
def test_python_programs_train_without_a_console(console: str, tmp_path: Path) -> None:
    code = (
        "import os, sys, numpy as np, pellucid\nfrom pellucid import Dense, Flatten, Input, Sequential\n"
        "closed = open(os.devnull, 'w')\nclosed.close()\n"
        f"sys.stdout = sys.stderr = {console}\n"
        "model = Sequential([Input((4, 4, 1)), Flatten(), Dense(2, 'softmax')])\n"
        "model.compile('sgd', 'categorical_crossentropy', metrics=['accuracy'])\nmodel.summary()\n"
        "x, t = np.zeros((8, 4, 4, 1), np.float32), np.arange(8) % 2\n"
        "model.fit(x, t, epochs=2, validation_split=0.5)\nmodel.evaluate(x, t)\nmodel.predict(x, verbose=1)\n"
        f"model.save({str(tmp_path / 'm.safetensors')!r})\nos._exit(7)"
    )
    done = subprocess.run([sys.executable, "-c", code], stderr=subprocess.PIPE, timeout=100)
    assert done.returncode == 7 and (tmp_path / "m.safetensors").is_file(), done.stderr
