"""A run's folder whose run.json, log or snapshots are damaged: one line of error from every command, or an answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from commands import Command

DEEP = "[" * 100_000


@pytest.fixture
def run(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def changed(run: Path, **parts: object) -> str:
    return json.dumps({**json.loads((run / "run.json").read_text()), **parts})


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ({"model": None}, "model: expected an object, got None"),
        ({"data": "x"}, "data: expected an object, got 'x'"),
        ({"data": {}}, "data.name: expected a text, got None"),
        ({"model": {"name": 5}}, "model.name: expected a text, got 5"),
        ({"data": {"name": "d", "load": ["d"]}}, "data.load: expected a text"),
        ({"data": {"name": "d", "load": "d", "held_out": {}}}, "data.held_out: expected a text"),
        ({"data": {"name": "d", "load": "d", "folder": True}}, "data.files: expected an object, got None"),
        ({"data": {"name": "d", "load": "d", "folder": True, "files": {}}}, "data.files.test: expected a list"),
        ({"data": {"name": "d", "load": "d", "files": {"train": [1]}}}, "data.files.train: expected names of files"),
    ],
)
def test_a_damaged_record_is_named_by_its_field(
    command: Command, run: Path, parts: dict[str, object], field: str
) -> None:
    (run / "run.json").write_text(changed(run, **parts))
    for words in (["evaluate"], ["show", "curves", "--out", run / "c.png"]):
        status, _, err = command(*words, run)
        assert status == 1 and err.count("\n") == 1 and f"run.json: {field}" in err, err


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", DEEP, "\0", "NaN"])
def test_what_is_no_record_is_refused(command: Command, run: Path, text: str) -> None:
    (run / "run.json").write_text(text)
    status, _, err = command("evaluate", run)
    assert status == 1 and err.startswith("pellucid: ") and "run.json" in err and err.count("\n") == 1


def test_a_log_nested_too_deeply_is_no_trouble(command: Command, run: Path) -> None:
    """Found by trying: the line is passed over where the last epoch is looked for."""
    with (run / "log.jsonl").open("a") as log:
        log.write(DEEP + "\n")
    status, _, err = command("show", "curves", run, "--out", run / "c.png")
    assert status == 1 and "log.jsonl: line" in err
    assert command("train", "--resume", run, "--quiet")[0] in (0, 1)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04" + bytes(60), b"\x93NUMPY\1\0"])
def test_a_damaged_snapshot_is_named(command: Command, run: Path, content: bytes) -> None:
    (run / "snapshots" / "epoch-000.npz").write_bytes(content)
    status, _, err = command("show", "filters", run, "--out", run / "f.png")
    assert status == 1 and "epoch-000.npz: cannot be read" in err and err.count("\n") == 1


def test_a_strangers_texts_do_not_steer_the_terminal(command: Command, run: Path, tmp_path: Path) -> None:
    import numpy as np
    from PIL import Image

    import pellucid

    model = pellucid.load(run)
    model.class_names = tuple(f"\x1b[2J{digit}" for digit in range(10))
    model.save(run / "model.safetensors")
    picture = tmp_path / "a\x1b]0;owned\x07.png"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(picture)
    (tmp_path / "b\x1b[1m.png").write_bytes(b"")
    _, out, err = command("predict", run, picture, tmp_path / "b\x1b[1m.png")
    assert "\x1b" not in out + err and "\\x1b[2J" in out and "b\\x1b[1m.png" in err
