"""Make a folder of photographs as people have them: mixed sizes and formats, one sub-folder a class.

    python scripts/make_photo_folder.py FOLDER --source images.tar.gz --classes cat ship --count 500

The source is CIFAR-10 as a tar of JPEG files `…/SPLIT/CLASS/NUMBER.jpg`. Each picture is enlarged to a random size of
48 to 400 pixels a side, some as PNG, some turned and marked so in their EXIF data; one file a class is cut short.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

EXIF_ORIENTATION = 0x0112
TURNED_LEFT = 6
"""EXIF's number for a picture that must be turned a quarter clockwise to stand upright."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--classes", nargs="+", default=["cat", "ship"])
    parser.add_argument("--count", type=int, default=500, help="pictures a class")
    parser.add_argument("--split", default="train")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    left = dict.fromkeys(options.classes, options.count)
    with tarfile.open(options.source, "r|gz") as tar:
        for member in tar:
            parts = member.name.split("/")
            if not member.name.endswith(".jpg") or parts[-3] != options.split or left.get(parts[-2], 0) == 0:
                continue
            file = tar.extractfile(member)
            if file is None:
                continue
            write(Image.open(io.BytesIO(file.read())).convert("RGB"), options.folder / parts[-2], left[parts[-2]], rng)
            left[parts[-2]] -= 1
            if not any(left.values()):
                break
    for name in options.classes:
        whole = next((options.folder / name).glob("*.jpg"))
        (options.folder / name / "cut-short.jpg").write_bytes(whole.read_bytes()[:200])


def write(picture: Image.Image, folder: Path, number: int, rng: np.random.Generator) -> None:
    """Enlarge and save one picture."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = (int(length) for length in rng.integers(48, 400, 2))
    width, height = max(width, height * 2 // 3), max(height, width * 2 // 3)
    picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    if number % 7 == 0:
        picture.save(folder / f"{number:04d}.png")
    elif number % 5 == 0:
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = TURNED_LEFT
        picture.transpose(Image.Transpose.ROTATE_90).save(folder / f"{number:04d}.jpg", exif=exif, quality=90)
    else:
        picture.save(folder / f"{number:04d}.jpg", quality=90)


if __name__ == "__main__":
    main()
