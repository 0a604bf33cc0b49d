"""Run folders from strangers, for `scripts/fuzz.py folder` and `resume`: a small run, changed, and every command on it.

What is changed, and which commands follow, is decided by a seed alone. A finding is an AssertionError that says what a
command did: ended otherwise than with 0 or 1 and a few lines, or changed something outside the run. Who calls sees to
time and memory.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from fuzz_changes import changed, described, description_of

from pellucid.cli import main
from pellucid.train import stepping
from pellucid.train.checkpoints import Checkpoints

SMALL = "--limit 16 --test-limit 8 --epochs 1 -q --out"
TRAIN = f"train --set filter_num=2 --set hidden_size=4 --batch-size 8 {SMALL}".split()
RESUME = "train --resume RUN --epochs 2 -q".split()  # noqa: SIM905
COMMANDS = [
    RESUME,
    *(f"{command} RUN".split() for command in ("evaluate", "report", "summary")),
    *(f"show {command} RUN".split() for command in ("curves", "filters", "mistakes", "confusion", "calibration")),
    ["show", "histograms", "RUN", "--kind", "weights", "--over-time"],
    *(f"predict RUN PICTURE {option}".split() for option in ("", "--json")),
    ["train", "--weights", "RUN", "--limit", "16", "--test-limit", "8", "--epochs", "1", "-q", "--out", "NEW"],
]
CHECKPOINT_OPTIONS = inspect.unwrap(Checkpoints.__init__).__kwdefaults__
"""When checkpoints are written, for whoever wants to have more of them."""

MAX_LINES = (40, 4)
"""Of standard error, where it went well (mistakes are listed there) and where not (checkpoints are passed over)."""


class Folders:
    """A folder with a finished and an interrupted run, files of others, and a place for copies."""

    def __init__(self, root: Path) -> None:
        self.root, self.copy, self.outside = root, root / "copy", root / "outside"
        self.picture = self.outside / "picture.png"
        self.copy.mkdir(parents=True)
        self.runs = [root / "finished", root / "interrupted"]
        assert main([*TRAIN, str(self.runs[0])]) == 0
        interrupted_run(self.runs[1])
        shutil.copytree(self.runs[0], self.outside)
        (self.outside / "secret").write_bytes(b"not yours\n")
        (self.outside / ".pellucid-0.tmp").write_bytes(b"not yours\n")
        from PIL import Image

        Image.new("L", (28, 28), 80).save(self.picture)

    @contextlib.contextmanager
    def changed_copy(self, rng: random.Random) -> Iterator[tuple[Path, list[str]]]:
        """A run with one to three changes, and what they are."""
        folder = self.copy / "run"
        shutil.copytree(rng.choice(self.runs), folder)
        try:
            yield folder, [change(folder, self, rng) for _ in range(rng.choice((1, 1, 2, 3)))]
        finally:
            _remove(self.copy)

    def tried(self, seed: object, commands: int) -> tuple[list[int], list[str]]:
        """The exit statuses of so many commands on a changed copy, and its changes."""
        rng = random.Random(repr(seed))
        with self.changed_copy(rng) as (folder, changes):
            chosen = [RESUME, *rng.sample(COMMANDS[1:], commands - 1)]
            rng.shuffle(chosen)
            return [self.run(command, folder, changes) for command in chosen], changes

    def resumed(self, facts: bytes) -> int:
        """How a run goes on whose newest checkpoint has this description."""
        folder = self.copy / "run"
        shutil.copytree(self.runs[1], folder)
        try:
            newest = sorted((folder / "checkpoints").glob("*.safetensors"))[-1]
            newest.write_bytes(described(facts, newest.read_bytes()))
            for older in set((folder / "checkpoints").glob("*.safetensors")) - {newest}:
                older.unlink()
            return self.run(RESUME, folder, ["facts"])
        finally:
            _remove(self.copy)

    def facts(self) -> bytes:
        """Those of the interrupted run, to begin with."""
        return description_of(sorted((self.runs[1] / "checkpoints").glob("*.safetensors"))[-1].read_bytes())

    def run(self, command: list[str], folder: Path, changes: list[str]) -> int:
        named = {"RUN": folder, "PICTURE": self.picture, "NEW": self.copy / "new"}
        words = [str(named.get(word, word)) for word in command]
        before, out, err = seen(self.outside), io.StringIO(), io.StringIO()
        where = f"{' '.join(command)} after {changes}"
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(self.root):
            try:
                status = main(words)
            except BaseException as error:
                raise AssertionError(f"{where}: {error!r}") from error
        shutil.rmtree(self.copy / "new", ignore_errors=True)
        lines = err.getvalue().splitlines()
        assert status in (0, 1) and len(lines) <= MAX_LINES[status], f"{where}: status {status}, {lines}"
        assert (status == 0) or lines, f"{where}: failed without a word"
        assert "Traceback" not in err.getvalue() and max(map(len, lines), default=0) < 4000, f"{where}: {lines}"
        assert seen(self.outside) == before, f"{where}: changed what is outside"
        assert set(os.listdir(self.root)) == {"copy", "outside", "finished", "interrupted"}, f"{where}: wrote beside"
        return status


def interrupted_run(folder: Path) -> None:
    """A run whose process was killed amid an epoch, right after a checkpoint."""
    write = Checkpoints.write

    def writing(self: Checkpoints, tensors: object, facts: object, *, epochs: int, steps: int) -> None:
        write(self, tensors, facts, epochs=epochs, steps=steps)  # type: ignore[arg-type]
        if steps:
            raise KeyboardInterrupt

    with (
        mock.patch.object(Checkpoints, "write", writing),
        mock.patch.object(stepping, "STRETCH_S", 0.0),
        mock.patch.dict(CHECKPOINT_OPTIONS, {"every_s": 0.0, "share": float("inf")}),
    ):
        assert main([*TRAIN, str(folder)]) == 130
    assert list((folder / "checkpoints").glob("*-step-*"))


def seen(folder: Path) -> dict[str, object]:
    """What is in a folder: kinds, modes, times of change and contents."""
    found: dict[str, object] = {}
    for path in [folder, *sorted(folder.rglob("*"))]:
        about = path.lstat()
        found[str(path)] = about.st_mode, about.st_mtime_ns, path.read_bytes() if path.is_file() else b""
    return found


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path)


# Changes. Each takes a place that is there, and the folder outside.
Change = Callable[[Path, Folders, random.Random], None]


def change(folder: Path, folders: Folders, rng: random.Random) -> str:
    """Do one, and say which."""
    places = [path for path in sorted(folder.rglob("*")) if not path.is_symlink()]
    if rng.random() < 0.3:
        name, changed_file = rng.choice(list(TEXTS.items()))
        path = {"log": folder / "log.jsonl", "record": folder / "run.json"}.get(name.partition(" ")[0])
        path = path or rng.choice(sorted(folder.glob("checkpoints/epoch*")) or [folder / "last.safetensors"])
        if not stat.S_ISREG(path.lstat().st_mode if os.path.lexists(path) else 0):
            return f"{name}: none"
        path.write_bytes(changed_file(path.read_bytes(), rng))
        return f"{name} of {path.name}"
    name, put = rng.choice(list(PLACES.items()))
    if not places:
        return "nothing left"
    place = rng.choice(places)
    if rng.random() < 0.1:
        place = place.with_name(rng.choice(("report.html", "snapshots", "curves.png", "epoch-009.safetensors", "lock")))
        if place.is_dir():
            return "nothing"
    put(place, folders, rng)
    return f"{name} for {place.relative_to(folder)}"


def cleared(place: Path) -> Path:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    elif os.path.lexists(place):
        place.unlink()
    return place


def _link(place: Path, folders: Folders, rng: random.Random) -> None:
    inside = folders.outside / place.relative_to(folders.copy / "run")
    target = inside if inside.exists() and rng.random() < 0.7 else folders.outside / "secret"
    cleared(place).symlink_to(target if rng.random() < 0.5 else os.path.relpath(target, place.parent))


def _nothing(place: Path, folders: Folders, rng: random.Random) -> None:
    cleared(place)


def _hard_link(place: Path, folders: Folders, rng: random.Random) -> None:
    """Another name of a file of ours outside; the commands leave what it holds."""
    inside = folders.outside / place.relative_to(folders.copy / "run")
    os.link(inside if inside.is_file() else folders.outside / "secret", cleared(place))


def _other_run(place: Path, folders: Folders, rng: random.Random) -> None:
    files = [path for path in sorted(rng.choice(folders.runs).rglob("*")) if path.is_file()]
    shutil.copy(rng.choice(files), cleared(place))


def _on_bytes(edit: Callable[[bytes, random.Random], bytes]) -> Change:
    def put(place: Path, folders: Folders, rng: random.Random) -> None:
        held = place.read_bytes() if stat.S_ISREG(place.lstat().st_mode if os.path.lexists(place) else 0) else b""
        cleared(place).write_bytes(edit(held, rng))

    return put


def _flipped(data: bytes, rng: random.Random) -> bytes:
    new = bytearray(data)
    for _ in range(rng.choice((1, 1, 8, 100)) if new else 0):
        new[rng.randrange(len(new))] ^= 1 << rng.randrange(8)
    return bytes(new)


def _sparse(place: Path, folders: Folders, rng: random.Random) -> None:
    if place.is_dir():
        cleared(place)
    elif not os.path.lexists(place):
        place.touch()
    if place.is_file():
        os.truncate(place, rng.choice((65 << 20, 3 << 30, 20 << 30, 1 << 40)))


def _odd_name(place: Path, folders: Folders, rng: random.Random) -> None:
    if os.path.lexists(place):
        names = (
            b"\xff\xfe\x1b[2J\n",
            b"epoch-\xff.safetensors",
            b"epoch-99999999999.safetensors",
            b"epoch-002.npz",
            b"-q",
        )
        cleared_name = place.with_name(os.fsdecode(rng.choice(names)))
        place.rename(cleared(cleared_name))


PLACES: dict[str, Change] = {
    "link": _link,
    "dangling link": lambda place, folders, rng: cleared(place).symlink_to(folders.outside / "new"),
    "loop": lambda place, folders, rng: cleared(place).symlink_to(place.name),
    "link to a device": lambda place, folders, rng: cleared(place).symlink_to(rng.choice(("/dev/zero", "/dev/full"))),
    "link within": lambda place, folders, rng: cleared(place).symlink_to(rng.choice(("run.json", "checkpoints", ".."))),
    "hard link": _hard_link,
    "pipe": lambda place, folders, rng: os.mkfifo(cleared(place)),
    "folder": lambda place, folders, rng: cleared(place).mkdir(),
    "nothing": _nothing,
    "empty file": _on_bytes(lambda data, rng: b""),
    "cut file": _on_bytes(lambda data, rng: data[: rng.randrange(len(data) + 1)]),
    "flipped bytes": _on_bytes(_flipped),
    "file of another run": _other_run,
    "sparse file": _sparse,
    "no rights": lambda place, folders, rng: place.chmod(0) if os.path.lexists(place) else None,
    "odd name": _odd_name,
}


def _tree(data: bytes, rng: random.Random) -> bytes:
    try:
        return json.dumps(changed(json.loads(data), rng)).encode()
    except (ValueError, RecursionError):
        return data


def _description(data: bytes, rng: random.Random) -> bytes:
    try:
        return described(_tree(description_of(data), rng), data)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError):
        return data


def _lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.split(b"\n")
    place = rng.randrange(len(lines))
    kind = rng.randrange(6)
    if kind == 0:
        lines.insert(place, rng.choice(lines))
    elif kind == 1:
        del lines[place]
    elif kind == 2:
        lines[place] = lines[place] * rng.choice((2, 1000)) + b"[" * rng.choice((0, 100_000))
    elif kind == 3:
        lines[place] = lines[place].replace(b"0.", rng.choice((b"NaN", b"-Infinity", b"1e999", b'"\xff"')), 1)
    elif kind == 4:
        rng.shuffle(lines)
    else:
        lines[place] = _tree(lines[place], rng)
    return b"\n".join(lines)


TEXTS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "record field": _tree,
    "log lines": _lines,
    "facts": _description,
}
