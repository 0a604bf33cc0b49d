"""Folders of pictures: what is a class, a split or neither, and what is passed over."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from picture_files import write

from pellucid import datasets
from pellucid.datasets import folder
from pellucid.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("own_cache")


def names(split):
    return {Path(name).as_posix() for name in split.files}


# splits and classes -------------------------------------------------------------------------------------------------


def test_plain_folder_is_split_four_to_one(pets):
    data = datasets.load(pets, size=8)
    assert data.class_names == ("cat", "dog") and data.name == "pets"
    assert len(data.train) == 24 and len(data.test) == 6 and data.validation is data.test
    assert np.bincount(data.train.labels).tolist() == [8, 16] and np.bincount(data.test.labels).tolist() == [2, 4]
    assert not names(data.train) & names(data.test) and len(names(data.train) | names(data.test)) == 30
    for split in (data.train, data.test):
        for file, label, picture in zip(split.files, split.labels, split.images, strict=True):
            assert file.startswith(data.class_names[label])
            assert picture[0, 0].tolist() == [int(Path(file).stem), 100, 200 if label == 0 else 50]


def test_a_limit_keeps_every_class(pets):
    part = datasets.load(pets, size=8).train.take(6)
    assert part.labels.tolist() == [0, 0, 1, 1, 1, 1] and part.images.shape == (6, 8, 8, 3)
    assert [Path(name).parent.name for name in part.files] == ["cat"] * 2 + ["dog"] * 4


def test_nothing_to_hold_out(tmp_path):
    for name in "ab":
        write(tmp_path / "d" / name / "0.png")
    with pytest.raises(DataError, match="no class has two pictures"):
        datasets.load(tmp_path / "d", size=8)


def test_split_depends_on_the_seed_alone(pets):
    first, again, other = (datasets.load(pets, size=8, seed=seed) for seed in (0, 0, 1))
    assert first.test.files == again.test.files != other.test.files


def test_stored_lists_give_the_same_split_back(pets):
    first = datasets.load(pets, size=8, seed=5)
    stored = json.loads(json.dumps(first.files))
    write(pets / "cat" / "new.png")
    again = datasets.load(pets, size=8, seed=99, files=stored)
    assert again.files == first.files and again.validation.files == first.test.files
    held = datasets.load(pets, size=8, files={"test": stored["test"]}, class_names=first.class_names)
    assert len(held.train) == 0 and held.test.files == first.test.files
    assert np.array_equal(held.test.images[:], first.test.images[:])
    (pets / stored["test"][0]).unlink()
    with pytest.raises(DataError, match="1 of 6 files of the stored split are gone: " + stored["test"][0]):
        datasets.load(pets, size=8, files={"test": stored["test"]})


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_split_folders_are_never_classes(tmp_path, val):
    for part, count in (("train", 3), (val, 2), ("test", 1)):
        for name in ("b", "a"):
            for number in range(count):
                write(tmp_path / "d" / part / name / f"{number}.png")
    data = datasets.load(tmp_path / "d", size=8)
    assert data.class_names == ("a", "b")
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 4, 2)
    assert data.train.files[0] == "train/a/0.png" and data.files.keys() == {"train", "validation", "test"}


def test_val_alone_is_also_the_test_part(tmp_path):
    for part in ("train", "val"):
        for name in "ab":
            write(tmp_path / "d" / part / name / "0.png")
    data = datasets.load(tmp_path / "d", size=8)
    assert data.test is data.validation and data.test.files == ["val/a/0.png", "val/b/0.png"]
    with pytest.raises(ConfigError, match="has its own validation part"):
        datasets.load(tmp_path / "d", size=8, validation=0.5)


def test_test_folder_beside_classes(tmp_path, pets):
    write(pets / "test" / "dog" / "x.png")
    data = datasets.load(pets, size=8)
    assert data.class_names == ("cat", "dog") and data.validation is None
    assert len(data.train) == 30 and data.test.files == ["test/dog/x.png"] and data.test.labels.tolist() == [1]
    assert len(datasets.load(pets, size=8, validation=0.1).validation) == 3


def test_folder_beside_train_is_named(tmp_path, pets):
    for name in "ab":
        write(pets / "train" / name / "0.png")
        write(pets / "train" / name / "1.png")
    data = datasets.load(pets, size=8)
    assert data.class_names == ("a", "b")
    assert ("cat", "a folder beside train/ is no class") in data.skipped


def test_another_folder_maps_by_class_name(tmp_path, pets):
    for number in range(3):
        write(tmp_path / "other" / "dog" / f"{number}.png")
    data = datasets.load(tmp_path / "other", size=8, class_names=["cat", "dog"], whole=True)
    assert data.test.labels.tolist() == [1, 1, 1] and len(data.train) == 0
    write(tmp_path / "other" / "bird" / "0.png")
    with pytest.raises(DataError, match="unknown classes 'bird'; the network knows 'cat', 'dog'"):
        datasets.load(tmp_path / "other", size=8, class_names=["cat", "dog"], whole=True)


def test_a_class_of_almost_the_same_name_is_pointed_at(tmp_path, pets):
    write(pets / "test" / "Cat_" / "x.png")
    with pytest.raises(DataError, match=r"unknown classes 'Cat_'.*'Cat_' may be 'cat', but names must be the same"):
        datasets.load(pets, size=8)


def test_validation_folder(tmp_path, pets):
    write(tmp_path / "more" / "dog" / "d.png")
    data = datasets.load(pets, size=8, validation=tmp_path / "more")
    assert len(data.train) == 30 and data.validation.labels.tolist() == [1]
    assert Path(data.validation.files[0]).is_absolute()
    with pytest.raises(DataError, match="no such folder; validation is a fraction, a table, or a folder"):
        datasets.load(pets, size=8, validation="absent/folder")


def test_unknown_class_in_the_test_part(pets):
    write(pets / "test" / "bird" / "x.png")
    with pytest.raises(DataError, match="unknown classes 'bird'"):
        datasets.load(pets, size=8)


# what is passed over ------------------------------------------------------------------------------------------------


def test_rubbish_is_ignored_and_the_rest_is_named(pets):
    for path in (".DS_Store", "cat/.hidden.png", "__MACOSX/cat/._00.png", ".ipynb_checkpoints/x.png", "cat/Thumbs.db"):
        (pets / path).parent.mkdir(parents=True, exist_ok=True)
        (pets / path).write_bytes(b"rubbish")
    (pets / "cat/.ipynb_checkpoints").mkdir()
    write(pets / "cat/.ipynb_checkpoints/00-checkpoint.png")
    (pets / "cat/a.heic").write_bytes(b"x")
    (pets / "dog/b.HEIC").write_bytes(b"x")
    (pets / "dog/notes").write_bytes(b"x")
    (pets / "readme.txt").write_bytes(b"x")
    data = datasets.load(pets, size=8)
    assert data.class_names == ("cat", "dog") and len(data.train) + len(data.test) == 30
    assert data.skipped == [
        ("cat/a.heic", "type .heic is not supported; save it as JPEG or PNG"),
        ("dog/b.HEIC", "type .heic is not supported; save it as JPEG or PNG"),
        ("dog/notes", "type without a suffix is not supported"),
        ("readme.txt", "lies in no class's folder"),
    ]


def test_a_folder_of_pictures_that_are_not_read_says_what_they_are(tmp_path):
    for name in ("a/1.HEIC", "b/2.HEIC"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"2 files are left out, a/1.HEIC: type .heic .*save it as JPEG or PNG"):
        datasets.load(tmp_path)


def test_undecodable_pictures_are_named_and_the_others_go_on(pets):
    (pets / "cat/bad.png").write_bytes(b"no picture at all")
    whole = write(pets / "dog/cut.jpg", size=(64, 64), seed=1).read_bytes()
    (pets / "dog/cut.jpg").write_bytes(whole[: len(whole) // 2])  # a good header: found out when it is decoded
    (pets / "dog/empty.png").write_bytes(b"")
    (pets / "dog/link.png").symlink_to(pets / "absent.png")
    for _ in range(2):  # decoded, then from the cache
        data = datasets.load(pets, size=8)
        assert len(data.train) + len(data.test) == 30
        assert [name for name, _ in data.skipped] == ["cat/bad.png", "dog/cut.jpg", "dog/empty.png", "dog/link.png"]
        assert ["cannot be decoded" in reason for _, reason in data.skipped] == [True, True, True, False]
        assert data.skipped[-1][1].startswith("is a broken link, to ")
        picture = dict(zip(data.train.files, data.train.images, strict=True))
        assert all(pixels[0, 0, 0] == int(Path(file).stem) for file, pixels in picture.items())
    with pytest.raises(DataError, match=r"cut\.jpg: cannot be decoded"):
        folder.read_picture(pets / "dog/cut.jpg", 8, 3)


def test_nothing_usable(tmp_path, pets):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no classes; expected one sub-folder a class.*got 0 loose files"):
        datasets.load(tmp_path / "empty")
    write(tmp_path / "loose" / "a.png")
    with pytest.raises(DataError, match=r"1 loose pictures and no class's folder"):
        datasets.load(tmp_path / "loose")
    write(tmp_path / "one" / "only" / "a.png")
    with pytest.raises(DataError, match="only one class, 'only'"):
        datasets.load(tmp_path / "one")
    (pets / "fish").mkdir()
    with pytest.raises(DataError, match="no pictures to learn from in 'fish'"):
        datasets.load(pets, size=8)
    (tmp_path / "bare/a").mkdir(parents=True)
    (tmp_path / "bare/b").mkdir()
    with pytest.raises(DataError, match="bare: no pictures"):
        datasets.load(tmp_path / "bare")
    for name in "ab":
        (tmp_path / "bare" / name / "x.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match="none of the 2 pictures can be decoded"):
        datasets.load(tmp_path / "bare")
    write(tmp_path / "only-test" / "test" / "a" / "a.png")
    with pytest.raises(DataError, match="has test but no train/"):
        datasets.load(tmp_path / "only-test")
    with pytest.raises(DataError, match="has test but no train/"):
        datasets.load(tmp_path / "only-test", class_names=["a", "b"], validation=0.5)


def test_hangul_names_are_composed(tmp_path):
    composed, decomposed = "고양이", unicodedata.normalize("NFD", "고양이")
    write(tmp_path / "d" / decomposed / f"{decomposed}.png")
    write(tmp_path / "d" / decomposed / "1.png")
    for number in range(2):
        write(tmp_path / "d" / "개" / f"{number}.png")
    data = datasets.load(tmp_path / "d", size=8)
    assert data.class_names == ("개", composed)
    assert f"{composed}/{composed}.png" in names(data.train) | names(data.test)
    again = datasets.load(tmp_path / "d", size=8, class_names=["개", decomposed], files=data.files)
    assert again.files == data.files
