"""Makes the pictures of the README, the gallery and the tutorials, by running what stands on these pages.

Run: python docs/make_pictures.py --photo cat.png --photos FOLDER
     python docs/make_pictures.py --tutorials          theirs alone, in both languages

It trains what it needs first, on two cores a minute for MNIST, an hour for CIFAR-10, minutes for digits on clutter (the
sets are downloaded unless PELLUCID_DATA has them); --mnist RUN and so on take runs that are there. Pictures of a
network with published weights are left as they are where those are not on this machine, which is said. --only NAME
makes one picture again.
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
from pellucid.zoo.pretrained import IMAGENET, here

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "scripts"))  # where page_blocks lies
from page_blocks import chapters, run_page  # noqa: E402

TRAIN = {
    "mnist": "train simple-convnet --data mnist --epochs 5 --batch-size 100",
    "cifar": "train cifar-net --data cifar10 --augment standard --epochs 30",
    "digits-on-clutter": "train --data digits-on-clutter --augment none --epochs 10",
}
DRAWN = ("scripts/make_masks_folder.py", "digits-on-clutter", "--train", "3000")
"""The script, and what it is given, that draws the pictures of runs/digits-on-clutter."""
WIDTHS = {".png": 1300, ".jpg": 1000}
"""Of a picture in the gallery, in pixels at most; a PNG has few colours: the pictures are kept with the program."""
QUALITY = 70
"""Of photographs and textures, which a PNG of few colours shows badly."""
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

    @property
    def written(self) -> str:
        """What the command writes: a photograph's JPEG is made of a PNG."""
        return self.name.replace(".jpg", ".png").replace(".ko.", ".")

    @property
    def korean(self) -> Picture:
        """The same in Korean."""
        path = Path(self.link)
        return Picture(str(path.with_suffix(f".ko{path.suffix}")), (*self.words, "--lang", "ko"))


def gallery() -> list[Picture]:
    """The pictures of gallery.md, in order."""
    found = SHOWN.finditer((DOCS / "gallery.md").read_text("utf-8"))
    return [Picture(match["link"], tuple(shlex.split(match["command"]))) for match in found]


def with_korean(pictures: list[Picture]) -> list[Picture]:
    """These, and what Korean pages have of them in Korean."""
    found = [each for picture in pictures for each in (picture, picture.korean)]
    return [each for each in found if each in pictures or (DOCS / each.link).exists()]


def without_weights(pictures: list[Picture]) -> list[Picture]:
    """Those of networks whose published weights are not on this machine."""
    return [picture for picture in pictures if IMAGENET in picture.words and not here(picture.words[3])]


def make(picture: Picture) -> None:
    """Run a picture's command in the folder that is current, and put what it wrote into its place."""
    program, *words = picture.words
    if program == "pellucid":
        if main(words) != 0:
            raise SystemExit(f"{shlex.join(picture.words)} failed; see above")
    else:
        run_script(*words)
    keep(Path(picture.written), DOCS / picture.link)


def keep(written: Path, target: Path) -> None:
    """Put a picture into its place, small."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix not in WIDTHS:
        shutil.copyfile(written, target)
        return
    width = WIDTHS[target.suffix]
    with Image.open(written) as drawn:
        few, shown = drawn.mode == "P", drawn.convert("RGB")
    if few:  # as it is to be kept
        shutil.copyfile(written, target)
        return
    if shown.width > width:
        height = round(shown.height * width / shown.width)
        shown = shown.resize((width, height), Image.Resampling.LANCZOS)
    if target.suffix == ".jpg":
        shown.save(target, quality=QUALITY, optimize=True, progressive=True)
        return
    few_colours = shown.quantize(palette=palette_of(np.asarray(shown)), dither=Image.Dither.NONE)
    if target.name == "masks.png":  # small areas of many colours, each of which says something
        few_colours = shown.quantize(method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few_colours.save(target, optimize=True)


def make_tutorials() -> None:
    """Run the tutorials, English and Korean, and keep the pictures that their pages show."""
    for lang, locale in ((".md", "C.UTF-8"), (".ko.md", "ko_KR.UTF-8")):
        os.environ["LC_ALL"] = locale
        for reader in sorted(path for path in (DOCS / "tutorial").iterdir()):
            with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
                for page in chapters(reader):
                    run_page(page, compare=lang == ".md")
                    text = page.with_suffix(lang).read_text("utf-8")
                    for link in re.findall(r"\]\((\.\./\.\./images/tutorial/[^)]+)\)", text):
                        keep(Path(Path(link).name.replace(".ko.", ".")), (page.parent / link).resolve())


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


def prepare(place: Path, runs: dict[str, Path | None], photo: Path, photos: Path | None) -> None:
    """What the commands name: runs/mnist and the others, cat.png and photos."""
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
    if photos is not None:
        shutil.copytree(photos, place / "photos")


def run() -> None:
    """Make all pictures, or the one named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tutorials", action="store_true", help="the pictures of the tutorials, and no others")
    parser.add_argument("--photo", type=Path, help="a photograph, cat.png in the commands")
    parser.add_argument("--photos", type=Path, metavar="FOLDER", help="photographs that are searched, photos there")
    for name in TRAIN:
        parser.add_argument(f"--{name}", type=Path, metavar="RUN", help="a run that is there already")
    parser.add_argument("--only", metavar="NAME", help="part of the name of the pictures to make")
    given = parser.parse_args()
    if given.tutorials:
        make_tutorials()
        return
    if given.photo is None:
        parser.error("say which photograph is cat.png, with --photo FILE")
    wanted = [picture for picture in with_korean(gallery()) if not given.only or given.only in picture.name]
    for picture in without_weights(wanted):
        print(f"{picture.name} is left as it is: run pellucid weights fetch {picture.words[3]} first")
        wanted.remove(picture)
    if given.photos is None and any("photos" in picture.words for picture in wanted):
        parser.error("say where photographs to search lie, with --photos FOLDER")
    runs = {
        name: getattr(given, name.replace("-", "_")) for name in TRAIN if any(f"runs/{name}" in p.words for p in wanted)
    }
    runs = {name: run.resolve() if run else None for name, run in runs.items()}
    photo, photos = given.photo.resolve(), given.photos and given.photos.resolve()
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            prepare(Path(folder), runs, photo, photos)
            for picture in wanted:
                make(picture)
        finally:
            os.chdir(before)


if __name__ == "__main__":
    run()
