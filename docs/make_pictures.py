"""Makes the pictures of the README and of the gallery, by running the commands that stand beneath them.

Run: python docs/make_pictures.py --photo cat.jpg

It trains what it needs first, on two cores a minute for MNIST, an hour for CIFAR-10, minutes for digits on clutter (the
sets are downloaded unless PELLUCID_DATA has them); --mnist RUN and so on take runs that are there. --only NAME makes
one picture again.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import runpy
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pellucid.cli import main
from pellucid.visualise.drawing.animation import palette_of

DOCS = Path(__file__).resolve().parent
TRAIN = {
    "mnist": "train simple-convnet --data mnist --epochs 5 --batch-size 100",
    "cifar": "train cifar-net --data cifar10 --augment standard --epochs 30",
    "digits-on-clutter": "train --data digits-on-clutter --augment none --epochs 10",
}
DRAWN = ("scripts/make_masks_folder.py", "digits-on-clutter", "--train", "3000")
"""The script, and what it is given, that draws the pictures of runs/digits-on-clutter."""
WIDTH = 1300
"""Of a PNG in the gallery, in pixels at most; and it has few colours: the pictures are kept with the program."""
SHOWN = re.compile(r"^!\[[^\]]*\]\((?P<link>images/[^)]+)\)\n+```sh\n(?P<command>[^\n]+)\n```$", re.MULTILINE)


@dataclass(frozen=True)
class Picture:
    """A picture of the gallery: where it lies below docs/, the command beneath it, and the file that writes."""

    link: str
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name."""
        return Path(self.link).name


def gallery() -> list[Picture]:
    """The pictures of gallery.md, in order."""
    found = SHOWN.finditer((DOCS / "gallery.md").read_text("utf-8"))
    return [Picture(match["link"], tuple(shlex.split(match["command"]))) for match in found]


def make(picture: Picture) -> None:
    """Run a picture's command in the folder that is current, and put what it wrote into its place."""
    program, *words = picture.words
    if program == "pellucid":
        if main(words) != 0:
            raise SystemExit(f"{shlex.join(picture.words)} failed; see above")
    else:
        run_script(*words)
    target = DOCS / picture.link
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".png":
        with Image.open(picture.name) as drawn:
            shown = drawn.convert("RGB")
            if shown.width > WIDTH:
                height = round(shown.height * WIDTH / shown.width)
                shown = shown.resize((WIDTH, height), Image.Resampling.LANCZOS)
            few = shown.quantize(palette=palette_of(np.asarray(shown)), dither=Image.Dither.NONE)
            if picture.name == "masks.png":  # small areas of many colours, each of which says something
                few = shown.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
            few.save(target, optimize=True)
    else:
        shutil.copyfile(picture.name, target)


def run_script(script: str, *words: str) -> None:
    """Run a program of the repository in the folder that is current."""
    with _arguments([script, *words]):
        runpy.run_path(str(DOCS.parent / script), run_name="__main__")


@contextlib.contextmanager
def _arguments(words: list[str]) -> Iterator[None]:
    """Stand on the command line, and beside the script for what it imports."""
    before, path = sys.argv, list(sys.path)
    sys.argv, sys.path = words, [str(DOCS.parent / Path(words[0]).parent), *path]
    try:
        yield
    finally:
        sys.argv, sys.path = before, path


def prepare(place: Path, runs: dict[str, Path | None], photo: Path) -> None:
    """What the commands name: runs/mnist and the others, and cat.png."""
    (place / "runs").mkdir()
    for name, run in runs.items():
        if run is not None:
            shutil.copytree(run, place / "runs" / name)
            continue
        if name == DRAWN[1]:
            run_script(*DRAWN)
        if main([*TRAIN[name].split(), "--out", str(place / "runs" / name)]) != 0:
            raise SystemExit("training failed; see above")
    with Image.open(photo) as picture:
        picture.save(place / "cat.png")


def run() -> None:
    """Make all pictures, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, required=True, help="a photograph, for VGG-16")
    for name in TRAIN:
        parser.add_argument(f"--{name}", type=Path, metavar="RUN", help="a run that is there already")
    parser.add_argument("--only", metavar="NAME", help="part of the name of the pictures to make")
    given = parser.parse_args()
    wanted = [picture for picture in gallery() if not given.only or given.only in picture.name]
    runs = {
        name: getattr(given, name.replace("-", "_")) for name in TRAIN if any(f"runs/{name}" in p.words for p in wanted)
    }
    runs = {name: run.resolve() if run else None for name, run in runs.items()}
    photo = given.photo.resolve()
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            prepare(Path(folder), runs, photo)
            for picture in wanted:
                make(picture)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    run()
