"""Keras's ways to bring pictures to a network: folders, generators, rows of elements; values beside Keras's own."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pellucid.errors import ConfigError, DataError
from pellucid.keras import utils
from pellucid.keras.data import Dataset
from pellucid.keras.fetching import _unpack
from pellucid.keras.moving import moved
from pellucid.keras.pictures import resized
from pellucid.keras.preprocessing.image import ImageDataGenerator

RNG = np.random.default_rng(6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pictures")
    for kind, count in (("ape", 6), ("bee", 4)):
        (place / kind).mkdir()
        for number in range(count):
            Image.fromarray(RNG.integers(0, 256, (9, 7, 3), np.uint8)).save(place / kind / f"{number}.png")
    (place / "ape" / "notes.txt").write_text("no picture")
    return place


def test_a_row_of_elements_is_batched_shuffled_and_mapped() -> None:
    x, y = np.arange(10, dtype=np.float32)[:, None], np.arange(10)
    pairs = Dataset.from_tensor_slices((x, y))
    assert len(pairs) == 10 and pairs.cardinality().numpy() == 10
    batches = pairs.map(lambda a, b: (a * 2, b)).shuffle(4, seed=1).batch(4)
    first, second = ([b.numpy().tolist() for _, b in batches] for _ in range(2))
    assert [len(b) for b in first] == [4, 4, 2] and first != second
    assert sorted(n for b in first for n in b) == list(range(10))
    for a, b in batches:
        np.testing.assert_array_equal(a[:, 0].numpy(), 2 * b)
    kept = pairs.batch(3, drop_remainder=True).cache()
    assert len(kept) == 3 == len(list(kept)) == len(list(kept))
    assert [int(b) for _, b in pairs.skip(2).take(3)] == [2, 3, 4]
    assert (
        len(list(pairs.repeat(2))) == 20 == len(pairs.concatenate(pairs)) and len(list(pairs.batch(4).unbatch())) == 10
    )
    assert [int(n) for n in Dataset.range(5).filter(lambda n: n % 2 == 1)] == [1, 3]
    with pytest.raises(DataError, match=r"lengths \[3, 10\]"):
        Dataset.from_tensor_slices((x, y[:3]))


def test_pictures_of_a_folder_come_in_batches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = utils.image_dataset_from_directory(folder, image_size=(9, 7), batch_size=4, shuffle=False)
    assert (
        whole.class_names == ["ape", "bee"] and len(whole) == 3 and "10 files belonging to 2" in capsys.readouterr().out
    )
    images, labels = next(iter(whole))
    np.testing.assert_array_equal(images[1].numpy(), np.asarray(Image.open(whole.file_paths[1]), np.float32))
    assert images.dtype == np.float32 and labels.dtype == np.int32
    options: dict[str, Any] = {
        "validation_split": 0.3,
        "seed": 4,
        "image_size": (5, 5),
        "batch_size": 3,
        "verbose": False,
    }
    parts = [utils.image_dataset_from_directory(folder, **options, subset=part) for part in ("training", "validation")]
    both = utils.image_dataset_from_directory(folder, **options, subset="both")
    assert [part.file_paths for part in parts] == [part.file_paths for part in both]
    assert len(parts[0].file_paths) == 7 and not set(parts[0].file_paths) & set(parts[1].file_paths)
    rows = utils.image_dataset_from_directory(
        folder, label_mode="categorical", image_size=(5, 5), color_mode="grayscale"
    )
    images, labels = next(iter(rows.prefetch(-1)))
    assert images.shape == (10, 5, 5, 1) and labels.shape == (10, 2) and rows.prefetch(-1).class_names == ["ape", "bee"]
    assert next(iter(utils.image_dataset_from_directory(folder, labels=None, image_size=(5, 5)))).shape == (10, 5, 5, 3)
    for wrong, message in (
        ({"subset": "training"}, "belong together"),
        ({"validation_split": 0.2, "subset": "training"}, "give a seed"),
        ({"label_mode": "words"}, "label_mode"),
    ):
        with pytest.raises(ConfigError, match=message):
            utils.image_dataset_from_directory(folder, **wrong)


def test_pictures_are_resized_as_torch_and_tensorflow_do() -> None:
    torch = pytest.importorskip("torch")
    image = RNG.random((9, 7, 3)).astype(np.float32)
    for size in ((4, 5), (18, 11)):
        theirs = torch.nn.functional.interpolate(
            torch.tensor(image.transpose(2, 0, 1)[None]), size=size, mode="bilinear", align_corners=False
        )
        np.testing.assert_allclose(resized(image, size), theirs[0].numpy().transpose(1, 2, 0), rtol=1e-5, atol=1e-6)


def test_a_generator_changes_pictures_as_scipy_would() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    picture = RNG.random((8, 6, 2)).astype(np.float32)
    modes = {"nearest": "nearest", "reflect": "reflect", "constant": "constant"}
    for ours, theirs in modes.items():
        expected = np.stack([ndimage.shift(picture[..., c], (1.25, -0.5), order=1, mode=theirs) for c in range(2)], -1)
        made = moved(picture, 0.0, 0.0, (-1.25, 0.5), (1, 1), ours, 0.0)
        inner = (slice(2, -2), slice(1, -2)) if ours == "constant" else (slice(None),) * 2
        np.testing.assert_allclose(made[inner], expected[inner], rtol=1e-4, atol=1e-5)
    turned = moved(picture[:6], np.pi / 2, 0.0, (0, 0), (1, 1), "nearest", 0.0)
    np.testing.assert_allclose(turned, np.rot90(picture[:6], -1), atol=1e-4)


def test_batches_of_a_generator(folder: Path) -> None:
    x, y = RNG.random((10, 4, 4, 1)).astype(np.float32), np.arange(10)
    plain = ImageDataGenerator(rescale=0.5, validation_split=0.3)
    batch, labels = plain.flow(x, y, batch_size=4, shuffle=False)[0]
    np.testing.assert_allclose(batch, x[:4] * 0.5)
    assert labels.tolist() == [0, 1, 2, 3] and len(plain.flow(x, y, subset="validation", batch_size=1)) == 3
    changing = ImageDataGenerator(horizontal_flip=True, vertical_flip=True).flow(x, batch_size=10, seed=3)
    assert not np.array_equal(next(changing), next(changing))
    same = (ImageDataGenerator(rotation_range=30, zoom_range=0.2).flow(x, batch_size=5, seed=3)[0] for _ in range(2))
    np.testing.assert_array_equal(next(same), next(same))
    centred = ImageDataGenerator(featurewise_center=True, featurewise_std_normalization=True)
    with pytest.raises(ConfigError, match=r"generator\.fit\(x\)"):
        centred.flow(x)[0]
    centred.fit(x)
    assert abs(centred.flow(x, batch_size=10)[0].mean()) < 1e-5
    files = plain.flow_from_directory(
        folder, (4, 4), class_mode="sparse", batch_size=4, shuffle=False, subset="training"
    )
    assert files.class_indices == {"ape": 0, "bee": 1} and files.classes == [0] * 5 + [1] * 3 and len(files) == 2
    assert files[0][0].shape == (4, 4, 4, 3) and files.image_shape == (4, 4, 3)
    assert files.filenames[0].startswith("ape")


def test_small_helpers() -> None:
    assert utils.to_categorical([0, 2], 3).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert utils.to_categorical(np.array([[1], [0]])).shape == (2, 2)
    with pytest.raises(DataError, match="0 to 1"):
        utils.to_categorical([3], 2)
    np.testing.assert_allclose(utils.normalize([[3.0, 4.0], [0.0, 0.0]]), [[0.6, 0.8], [0, 0]])
    picture = RNG.integers(0, 256, (3, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(utils.img_to_array(utils.array_to_img(picture, scale=False)), picture)


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            member.size = 2 if member.isreg() else 0
            tar.addfile(member, io.BytesIO(b"ok") if member.isreg() else None)
    return path


def test_archives_give_nothing_outside_and_no_links(tmp_path: Path) -> None:
    _unpack(_tar(tmp_path / "good.tar.gz", tarfile.TarInfo("in/file")), tmp_path / "out")
    assert (tmp_path / "out" / "in" / "file").read_bytes() == b"ok"
    link = tarfile.TarInfo("in/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    for number, member in enumerate((tarfile.TarInfo("../up"), tarfile.TarInfo("/abs"), link)):
        with pytest.raises(DataError, match=r"outside|links"):
            _unpack(_tar(tmp_path / f"{number}.tar.gz", member), tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("a/../../up", "x")
    with pytest.raises(DataError, match="outside"):
        _unpack(tmp_path / "bad.zip", tmp_path / "out")
    (tmp_path / "no.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        _unpack(tmp_path / "no.tar.gz", tmp_path / "out")


def test_a_file_is_fetched_only_where_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    place = tmp_path / "datasets" / "data.txt"
    place.parent.mkdir()
    place.write_bytes(b"abc")
    digest = "900150983cd24fb0d6963f7d28e17f72"
    assert utils.get_file("data.txt", "https://example.org/data.txt", md5_hash=digest, cache_dir=tmp_path) == str(place)
    with pytest.raises(DataError, match="PELLUCID_OFFLINE"):
        utils.get_file("data.txt", "https://example.org/data.txt", md5_hash="0" * 32, cache_dir=tmp_path)
    with pytest.raises(ConfigError, match="http"):
        utils.get_file("x", "file:///etc/passwd", cache_dir=tmp_path)
