"""Folders images/ and masks/: what stands for which class, parts, sizes, and what is wrong with a file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_masks import squares_and_discs, write_masks
from PIL import Image

from pellucid import datasets
from pellucid.datasets.pictures import Fitting, decode, unfitted
from pellucid.errors import DataError, PellucidError
from pellucid.ops import IGNORED, Array

pytestmark = pytest.mark.usefixtures("own_cache")


def save(array: Any, path: Path, mode: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(array))
    (image if mode is None else image.convert(mode)).save(path)
    return path


def whole(data: datasets.Dataset) -> tuple[Array, Array]:
    """Pictures and masks of all parts, by the files' numbers."""
    parts = (data.train, data.test)
    files = [int(Path(name).stem) for part in parts for name in part.files or []]
    order = np.argsort(files)
    return tuple(np.concatenate(arrays)[order] for arrays in ([p.images[:] for p in parts], [p.labels for p in parts]))  # type: ignore[return-value]


def test_pictures_and_masks_as_they_are(tmp_path: Path) -> None:
    images, masks = squares_and_discs(10)
    data = datasets.load(write_masks(tmp_path, 10))
    got = whole(data)
    np.testing.assert_array_equal(got[0], images)
    np.testing.assert_array_equal(got[1], masks)
    assert data.class_names == ("0", "1", "2") and len(data.train) == 8 and data.held_out is data.test
    assert data.facts[0].startswith("3 classes of pixels: 0 (") and not data.skipped
    assert data.train.labels.dtype == np.uint8
    again = datasets.load(tmp_path, files=data.files)
    np.testing.assert_array_equal(again.test.labels, data.test.labels)
    assert again.train.files == data.train.files


def test_a_palette_says_the_same_as_grey(tmp_path: Path) -> None:
    _, masks = squares_and_discs(6)
    write_masks(tmp_path, 6)
    for number, mask in enumerate(masks):
        image = Image.fromarray(mask)
        image.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
        assert image.mode == "P"
        image.save(tmp_path / "masks" / f"{number}.png")
    np.testing.assert_array_equal(whole(datasets.load(tmp_path))[1], masks)


def test_black_and_white_masks_are_two_classes(tmp_path: Path) -> None:
    _, masks = squares_and_discs(6)
    data = datasets.load(write_masks(tmp_path, 6, levels=(0, 255, 0)))
    np.testing.assert_array_equal(whole(data)[1], masks == 1)
    assert data.class_names == ("background", "object")
    assert "masks of 0 and 255: two classes, 255 is the second" in data.facts
    part = datasets.load(tmp_path, files={"test": (data.files["test"])}, class_names=data.class_names)
    np.testing.assert_array_equal(part.test.labels, data.test.labels)


def test_255_among_classes_is_not_counted(tmp_path: Path) -> None:
    _, masks = squares_and_discs(6)
    data = datasets.load(write_masks(tmp_path, 6, levels=(0, 1, 255)))
    np.testing.assert_array_equal(whole(data)[1], np.where(masks == 2, IGNORED, masks))
    assert data.class_names == ("0", "1") and "pixels with the label 255 are not counted" in data.facts


def test_parts_and_names(tmp_path: Path) -> None:
    write_masks(tmp_path / "Training", 6)
    write_masks(tmp_path / "test", 4, seed=1)
    (tmp_path / "classes.txt").write_text("ground\nsquare\ndisc\nnever seen\n", encoding="utf-8")
    for path in (tmp_path / "test" / "masks").iterdir():
        path.rename(path.with_stem(f"{path.stem}_mask"))
    data = datasets.load(tmp_path)
    assert (len(data.train), len(data.test)) == (6, 4)
    np.testing.assert_array_equal(data.test.labels, squares_and_discs(4, seed=1)[1])
    assert data.class_names == ("ground", "square", "disc", "never seen")
    assert data.warnings == ["no pixel to learn from of 'never seen': what they look like is never seen"]
    judged = datasets.load(tmp_path, whole=True, class_names=("disc", "square", "never seen", "ground"))
    table = np.array([3, 1, 0, 2])
    np.testing.assert_array_equal(judged.test.labels, table[data.test.labels])


def test_parts_inside_images(tmp_path: Path) -> None:
    for part, count in (("train", 5), ("val", 3)):
        made = write_masks(tmp_path / "made", count)
        for side in ("images", "masks"):
            shutil.copytree(made / side, tmp_path / "set" / side / part)
        shutil.rmtree(made)
    data = datasets.load(tmp_path / "set")
    assert (len(data.train), len(data.held_out)) == (5, 3)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch", "center"])
def test_a_mask_is_fitted_as_its_picture(tmp_path: Path, resize: str) -> None:
    """A picture whose levels are its classes says where each class must be, but for what lies between."""
    mask = np.zeros((60, 90), np.uint8)
    mask[10:40, 20:70] = 1
    for number in range(3):
        save(mask * 200, tmp_path / "images" / f"{number}.png")
        save(mask, tmp_path / "masks" / f"{number}.png")
    data = datasets.load(tmp_path, size=(32, 48) if resize != "pad" else 48, resize=resize)
    picture, fitted = data.train.images[0][..., 0], data.train.labels[0]
    clear = (picture < 20) | (picture > 180)
    counted = fitted != IGNORED
    assert clear.mean() > 0.8
    np.testing.assert_array_equal(fitted[clear & counted], picture[clear & counted] > 100)
    assert counted.all() == (resize != "pad")
    assert set(np.unique(fitted)) <= {0, 1, IGNORED}


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch", "center"])
def test_a_fitted_mask_is_laid_back_over_its_picture(tmp_path: Path, resize: str) -> None:
    mask = np.zeros((61, 90), np.uint8)
    mask[10:40, 20:70] = 1
    rule = Fitting((48, 48), 1, resize, mask=True)
    back = unfitted(decode(save(mask, tmp_path / "m.png"), rule)[..., 0], mask.shape, rule)
    counted = back != IGNORED
    shares = {"crop": 61 / 90, "center": 61 / 90 * (7 / 8) ** 2}
    assert back.shape == mask.shape and counted.mean() == pytest.approx(shares.get(resize, 1), abs=0.02)
    assert (back == mask)[counted].mean() > 0.95


def test_sizes_are_multiples_of_16(tmp_path: Path) -> None:
    assert datasets.load(write_masks(tmp_path, 4, side=41)).image_shape == (32, 32, 1)
    assert datasets.load(tmp_path, size=41).image_shape == (41, 41, 1)


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    def broken(change: Any) -> str:
        shutil.rmtree(tmp_path, ignore_errors=True)
        write_masks(tmp_path, 4)
        change(tmp_path / "masks" / "2.png")
        with pytest.raises(PellucidError) as error:
            datasets.load(tmp_path)
        return str(error.value)

    mask = squares_and_discs(4)[1][2]
    assert "images/2.png: no mask in" in broken(Path.unlink)
    assert "masks/2.png: the mask is 16 x 32, and its picture images/2.png is 32 x 32" in broken(
        lambda p: save(mask[::2], p)
    )
    colours = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
    assert "masks/2.png: cannot be decoded (it holds colours" in broken(lambda p: save(colours, p))
    deep = mask.astype(np.int32) + 300
    assert "it holds the number 302; class numbers go from 0 to 253" in broken(
        lambda p: save(deep.astype(np.uint16), p)
    )
    assert "masks/2.png: cannot be decoded (it is empty)" in broken(lambda p: p.write_bytes(b""))

    def as_jpeg(path: Path) -> None:
        save(mask, path.with_suffix(".jpg"))
        path.unlink()

    assert "masks/2.jpg: cannot be decoded (a JPEG does not keep class numbers" in broken(as_jpeg)

    def named(path: Path) -> None:
        (path.parent.parent / "classes.txt").write_text("ground\nsquare\n")

    assert "holds the class number 2, and classes.txt knows 2 classes, 0 to 1; 255 is for" in broken(named)
    assert "a second mask for '2' beside" in broken(lambda p: save(mask, p.with_suffix(".bmp")))

    def empty(path: Path) -> None:
        for each in path.parent.iterdir():
            save(mask * 0, each)

    assert "every pixel is of class 0; there is nothing to tell apart" in broken(empty)


def test_a_mask_without_a_picture_is_left_out(tmp_path: Path) -> None:
    write_masks(tmp_path, 4)
    (tmp_path / "images" / "2.png").unlink()
    assert datasets.load(tmp_path).skipped == [("masks/2.png", "is the mask of no picture")]


def test_a_folder_of_classes_stays_one(tmp_path: Path) -> None:
    for name in ("cat", "masks"):  # of carnival, say
        for number in range(3):
            save(np.full((32, 32, 3), 80 * number, np.uint8), tmp_path / name / f"{number}.png")
    assert datasets.load(tmp_path).class_names == ("cat", "masks")


def test_masks_of_nothing_but_text_are_none(tmp_path: Path) -> None:
    write_masks(tmp_path, 3)
    for path in (tmp_path / "masks").iterdir():
        path.unlink()
        path.with_suffix(".xml").write_text("<a/>")
    with pytest.raises(DataError, match="no class"):
        datasets.load(tmp_path)
