"""Folders as people have them: which sub-folders are classes, which are parts, and what is said of the rest."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from pathlib import Path

import pytest
from picture_files import write

from pellucid import datasets
from pellucid.datasets.listing import list_folder, list_pictures
from pellucid.datasets.parts import part_of
from pellucid.errors import DataError

_TRAIN = "train training train_set training_set Train_Data seg_train train2017 TRAIN trainset 1.Training 학습데이터"
_VALIDATION = "val valid validation val_set valid_set val2017 dev Validation DEV-SET 검증"
_TEST = "test testing test_set seg_test test_data eval holdout hold-out TestImages 테스트"
TRAIN, VALIDATION, TEST = _TRAIN.split(), _VALIDATION.split(), _TEST.split()
RUBBISH = (".DS_Store", "__MACOSX/pred/._0.png", "Thumbs.db", "@eaDir/0.png", "pred/.hidden.png", "pred/Thumbs.db")


pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    return write(tmp_path_factory.mktemp("one") / "0.png", size=(4, 4)).read_bytes()


class Builder:
    """Makes folders of copies of one small picture."""

    def __init__(self, root: Path, picture: bytes) -> None:
        self.root, self.picture = root, picture

    def put(self, *names: str, count: int = 2) -> None:
        for name in names:
            folder = self.root / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                (folder / f"{number}.png").write_bytes(self.picture)

    def file(self, name: str, content: bytes | None = None) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.picture if content is None else content)


@pytest.fixture
def tree(tmp_path, picture):
    return Builder(tmp_path / "photos", picture)


def classes(root):
    listing = list_folder(root)
    return {part or "train": names for part, names in listing.classes.items()}


# parts and wrappers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "in a folder of its own"])
@pytest.mark.parametrize("above", ["", "dataset/", "a/b/"])
def test_parts_are_known_by_the_words_in_their_names(tree, above, wrapped):
    names = itertools.zip_longest(TRAIN, VALIDATION, TEST)
    for train, validation, test in ((a, b or "val", c or "test") for a, b, c in names):
        for part in (train, validation, test):
            tree.put(*(f"{above}{part}/{f'{part}/' if wrapped else ''}{name}" for name in "01"))
        tree.put(f"{above}pred", count=1)
        for rubbish in RUBBISH:
            tree.file(above + rubbish, b"rubbish")
        found = list_folder(tree.root)
        assert list(found.classes) == ["train", "validation", "test"], (train, validation, test)
        assert list(found.classes.values()) == [["0", "1"]] * 3, (train, validation, test)
        assert len(found.entries) == 12 and not found.skipped
        assert [(path.name, count) for path, count in found.unlabelled] == [("pred", 1)]
        shutil.rmtree(tree.root)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title, lambda name: f"{name} ", lambda name: f"{name} (1)"])
def test_a_name_in_any_case_and_with_any_end(case):
    for names, part in ((TRAIN, "train"), (VALIDATION, "validation"), (TEST, "test")):
        for separator in ("_", "-", " ", ".", ""):
            assert {part_of(case(name.replace("_", separator))) for name in names} == {part}
    for name in ("cat", "invalid", "contest", "rest", "latest", "trainer", "validated", "developer", "evil", "detest"):
        assert part_of(case(name)) is None, name


def test_names_of_parts_that_are_classes(tree):
    tree.put("train", "plane", "bus")  # vehicles
    assert classes(tree.root) == {"train": ["bus", "plane", "train"]}
    other = Builder(tree.root.parent / "checks", tree.picture)
    other.put("valid", "invalid")
    assert classes(other.root) == {"train": ["invalid", "valid"]}


def test_a_data_sets_own_name_in_every_part(tree):
    tree.put(*(f"alphabet_{part}/alphabet_{part}/{name}" for part in ("train", "val") for name in "AB"))
    tree.put("alphabet_test/alphabet_test")
    found = list_folder(tree.root)
    assert found.classes == {"train": ["A", "B"], "validation": ["A", "B"]} and len(found.unlabelled) == 1


def test_same_sub_folders_are_no_classes(tree):
    tree.put("left/0", "left/1", "right/0", "right/1", "right/2")
    with pytest.raises(DataError, match=r"'left', 'right' hold the same sub-folders \(0, 1\).*name them train/.*left"):
        list_folder(tree.root)
    trees = Builder(tree.root.parent / "trees", tree.picture)
    trees.put("cat/images", "dog/images")
    assert classes(trees.root) == {"train": ["cat", "dog"]}


def test_train_without_classes_is_an_error(tree):
    tree.put("train/train", "test")
    with pytest.raises(DataError, match=r"train: .*loose pictures and no class's folder.*train/CLASS/"):
        list_folder(tree.root)


@pytest.mark.parametrize("test", ["test", "test/test", "test/images", "test/unknown", "Test1"])
def test_loose_test_pictures_have_no_label(tree, test):
    tree.put("train/cat", "train/dog", count=5)
    tree.put(test, count=3)
    data = datasets.load(tree.root, size=8)
    assert (len(data.train), len(data.test), data.validation is data.test) == (8, 2, True)
    assert data.unlabelled == [(str(tree.root / test.partition("/")[0]), 3)] and not data.skipped
    assert data.facts[0] == "2 classes: cat (5), dog (5)"
    top = test.partition("/")[0]
    assert data.facts[1] == (
        f"training: 8 pictures (train/); validation and test: 2 held out of them; no labels: 3 ({top}/)"
    )


RUN = ("runs/first/run.json", "runs/first/log.jsonl", "runs/first/curves.png")
REAL = {
    "cat dog": (["cat", "dog"], RUN, {"runs": "holds no pictures"}),
    "daisy rose flowers/daisy flowers/rose": (
        ["daisy", "rose"],
        (),
        {"flowers": "holds the other classes' folders again"},
    ),
    "Sample001 Sample002": (["Sample001", "Sample002"], (), {}),
    "mask no_mask": (["mask", "no_mask"], (), {}),
    "part_1 part_2": (["part_1", "part_2"], (), {}),
    "cat/persian cat/siamese dog/beagle": (["cat", "dog"], (), {}),
    "pets/cat pets/dog __MACOSX/pets/cat": (["cat", "dog"], ("pets/.DS_Store", "pets/cat/._0.png"), {}),
    "Pet/Cat Pet/Dog Pet/Dog/.ipynb_checkpoints": (["Cat", "Dog"], ("Pet/Cat/Thumbs.db",), {}),
    "a/X a/Y": (["X", "Y"], ("a/notes.md",), {"a/notes.md": "lies in no class's folder"}),
    "고양이 \u1100\u1162": (["개", "고양이"], (), {}),
    "10 9 1": (["1", "10", "9"], (), {}),
}
PARTED = {
    "Training/0 Training/1 PublicTest/0 PublicTest/1 PrivateTest/0 PrivateTest/1": ["train", "test"],
    "訓練/犬 訓練/猫 検証/犬 検証/猫 テスト/犬 テスト/猫": ["train", "validation", "test"],
    "训练集/狗 训练集/猫 验证集/狗 验证集/猫 测试集/狗 测试集/猫": ["train", "validation", "test"],
    "Trainingsdaten/a Trainingsdaten/b Validierung/a Validierung/b": ["train", "validation"],
    "entrenamiento/a entrenamiento/b validación/a validación/b": ["train", "validation"],
    "Train/a Train/b Meta Test": ["train"],
    "fruits/Training/a fruits/Training/b fruits/Test/a fruits/Test/b fruits/papers": ["train", "test"],
}
WRONG = {
    "images_001/images images_002/images": "pieces of one set",
    "ham_part_images_1 ham_part_images_2": "pieces of one set",
    "images masks": r"masks/0\.png: cannot be decoded \(it holds colours; a mask holds class numbers",
    "train_images train_masks test_images": "pictures and their masks",
    "raw/train/a raw/train/b processed/train/a processed/train/b": "raw|processed: holds folders of its own",
    "Dataset/0 Dataset/1 Example": r"Dataset: holds folders of its own \(0, 1\)",
    "cat/train cat/test dog/train dog/test": "belong above the classes: train/cat, train/dog",
    "trainA trainB testA testB": "loose pictures and no class's folder",
    "train/a train/b test/b test/c": "photos: unknown classes 'c'; the training part has 'a', 'b'",
}


@pytest.mark.parametrize("layout", REAL)
def test_layouts_of_classes(tree, layout):
    names, files, said = REAL[layout]
    tree.put(*layout.split())
    for file in files:
        tree.file(file)
    found = list_folder(tree.root)
    assert found.classes == {"": names} and dict(found.skipped) == said
    assert len(found.entries) == 2 * sum(not re.search("flowers|runs|__MACOSX|/[.]", put) for put in layout.split())


@pytest.mark.parametrize("layout", PARTED)
def test_layouts_of_parts(tree, layout):
    tree.put(*layout.split())
    found = list_folder(tree.root)
    assert list(found.classes) == PARTED[layout]
    assert len({tuple(names) for names in found.classes.values()}) == 1 and len(found.classes["train"]) == 2


@pytest.mark.parametrize("layout", WRONG)
def test_layouts_that_would_be_learned_wrong(tree, layout):
    tree.put(*layout.split())
    with pytest.raises(DataError, match=WRONG[layout]):
        datasets.load(tree.root, size=8)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ("train/{}.{}.png", "begin with 'cat', 'dog'"),
        ("images/{}_{}.png", "begin with 'cat', 'dog'"),
        ("{}{}.png", "begin with 'cat', 'dog'"),
        ("images/{1}{0}.png", r"if labels\.csv beside them has their labels: --labels "),
    ],
)
def test_loose_pictures_name_what_may_be_their_classes(tree, names, hint):
    for number in range(2):
        for name in ("cat", "dog"):
            tree.file(names.format(name, number))
    tree.file("labels.csv", b"id,label")
    with pytest.raises(DataError, match=f"4 loose pictures and no class's folder.*{hint}"):
        datasets.load(tree.root, size=8)


# links --------------------------------------------------------------------------------------------------------------


def test_links_are_followed_once_and_never_round(tree):
    away = Builder(tree.root.parent / "away", tree.picture)
    away.put("dogs", "dogs/more", "cats")
    tree.put("cat")
    os.symlink(away.root / "dogs", tree.root / "dog")
    os.symlink(away.root / "cats", tree.root / "cat/linked")
    os.symlink(tree.root / "cat", away.root / "dogs/back")
    os.symlink(away.root / "dogs", away.root / "dogs/more/again")
    os.symlink(tree.root.parent, tree.root / "cat/above")
    os.symlink(away.root / "gone", tree.root / "cat/gone.png")
    os.symlink("self.png", tree.root / "cat/self.png")
    os.symlink(away.root / "cats/0.png", tree.root / "cat/file.png")
    found = list_folder(tree.root)
    count = {name: sum(entry.class_name == name for entry in found.entries) for name in ("cat", "dog")}
    assert count == {"cat": 5, "dog": 4}
    said = dict(found.skipped)
    assert set(said) == {"cat/above", "cat/gone.png", "cat/self.png", "dog/back", "dog/more/again"}
    assert all("link" in reason for reason in said.values())
    pictures, skipped = list_pictures([tree.root])
    assert len(pictures) == len(found.entries) and len(skipped) == 5


# files that are passed over -----------------------------------------------------------------------------------------


def test_annotations_are_no_class_and_an_empty_folder_is_named(tree):
    tree.put("cat", "dog")
    for name in ("annotations/0.xml", "labels.csv", "cat/notes.txt"):
        tree.file(name, b"text")
    data = datasets.load(tree.root, size=8)
    assert data.class_names == ("cat", "dog")
    assert [name for name, _ in data.skipped] == ["annotations", "cat/notes.txt", "labels.csv"]
    (tree.root / "fish").mkdir()
    with pytest.raises(DataError, match="no pictures to learn from in 'fish'"):
        datasets.load(tree.root, size=8)


@pytest.mark.parametrize("name", ["a.jfif", "a.JPE", "a.JpEg", "a.jpg_large", "no ending", "a.download", "b.dat"])
def test_predict_and_training_see_the_same_files(tree, name):
    tree.put("cat", "dog")
    write(tree.root / "cat/a.jpg").rename(tree.root / "cat" / name)
    assert f"cat/{name}" in [entry.name for entry in list_folder(tree.root).entries]
    assert tree.root / "cat" / name in list_pictures([tree.root])[0]


# lines --------------------------------------------------------------------------------------------------------------


def test_classes_of_almost_one_name_and_of_one_picture(tree):
    tree.put("Cat", "cat", "cat ", "dog")
    tree.put("eel", count=1)
    first, second, *_ = datasets.load(tree.root, size=8).warnings
    assert first.startswith("3 classes have almost the same name, 'Cat', 'cat', 'cat '")
    assert second == "one picture alone in 'eel': it is learned and never judged; add some"


def test_a_mistyped_folder_names_its_neighbours(tree):
    tree.put("cat", "dog")
    with pytest.raises(DataError, match=r"phots: no such folder; did you mean .*photos\?"):
        datasets.load(tree.root.parent / "phots")
    with pytest.raises(DataError, match=r"no such file or folder; did you mean .*0\.png"):
        list_pictures([tree.root / "cat/0.pgn"])


def test_copies_in_two_classes_and_leaks_are_named(tree):
    for part, count in (("train", 4), ("val", 2)):
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                write(tree.root / part / name / f"{number}.png", seed=100 * label + number + 10 * len(part))
    shutil.copy(tree.root / "train/cat/1.png", tree.root / "train/dog/copy.png")
    shutil.copy(tree.root / "train/dog/2.png", tree.root / "val/dog/leak.png")
    for _ in range(2):  # decoded, then from the cache
        assert datasets.load(tree.root).warnings == [
            "1 picture lies in two classes, train/cat/1.png = train/dog/copy.png: keep the right one of each",
            "1 of 5 validation pictures are learned from too, val/dog/leak.png = train/dog/2.png: the result flatters; "
            "take the copies out",
        ]
