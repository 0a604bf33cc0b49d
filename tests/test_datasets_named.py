"""The named sets: digits, IDX, CIFAR-10, where they are looked for, and the errors on the way."""

from __future__ import annotations

import dataclasses
import gzip
import mmap
import os
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pellucid import datasets
from pellucid.datasets import cifar, idx, registry
from pellucid.errors import ConfigError, DataError


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """A machine without data or network."""
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PELLUCID_OFFLINE", "1")
    return tmp_path / "data"


def real(name):
    place = datasets.locate(name)
    if place is None:
        pytest.skip(f"{name} is not on this machine")


@pytest.fixture
def small_mnist(nowhere, monkeypatch):
    """Forty pictures to learn from and twelve to judge by."""
    (nowhere / "mnist").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", 40), ("t10k", 12)):
        images, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), np.arange(count, dtype=np.uint8) % 10
        (nowhere / "mnist" / f"{name}-images-idx3-ubyte").write_bytes(idx_bytes(images))
        (nowhere / "mnist" / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx_bytes(labels)))
    monkeypatch.setitem(
        registry.KNOWN, "mnist", dataclasses.replace(registry.KNOWN["mnist"], num_train=40, num_test=12)
    )
    return nowhere


def idx_bytes(array, *, magic=None):
    codes = {"uint8": 8, "int8": 9, "int16": 0xB, "int32": 0xC, "float32": 0xD, "float64": 0xE}
    head = magic or bytes([0, 0, codes[array.dtype.name], array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(array.dtype.newbyteorder(">")).tobytes()


# digits -------------------------------------------------------------------------------------------------------------


def test_digits_are_scikit_learns():
    bunch = pytest.importorskip("sklearn.datasets").load_digits()
    data = datasets.load("digits")
    ours = np.concatenate([np.asarray(data.train.images), np.asarray(data.test.images)])[..., 0]
    labels = np.concatenate([data.train.labels, data.test.labels])
    theirs = np.round(bunch.images * 255 / 16).astype(np.uint8)
    assert sorted(zip(map(bytes, ours), labels.tolist(), strict=True)) == sorted(
        zip(map(bytes, theirs), bunch.target.tolist(), strict=True)
    )


def test_digits_split_is_stratified_and_attributed():
    data = datasets.load("digits")
    assert (data.train.images.shape, data.test.images.shape) == ((1437, 8, 8, 1), (360, 8, 8, 1))
    assert data.train.images.dtype == np.uint8 and data.train.labels.dtype == np.int64
    total = np.bincount(np.concatenate([data.train.labels, data.test.labels]))
    assert np.all(np.abs(np.bincount(data.test.labels) - total * 360 / 1797) < 1)
    assert "Alpaydin" in data.source and "CC BY 4.0" in data.source
    assert data.held_out is data.test and data.class_names == tuple("0123456789")


def test_digits_load_data_has_keras_shapes():
    (x_train, y_train), (x_test, _) = datasets.digits.load_data()
    assert x_train.shape == (1437, 8, 8) and y_train.shape == (1437,) and x_test.shape == (360, 8, 8)


def test_validation_fraction_comes_from_training_only():
    whole, data = datasets.load("digits"), datasets.load("digits", validation=0.1, seed=3)
    assert len(data.validation) == 144 and len(data.train) == 1437 - 144 and len(data.test) == 360
    parts = np.concatenate([np.asarray(data.train.images), np.asarray(data.validation.images)])
    assert sorted(map(bytes, parts)) == sorted(map(bytes, np.asarray(whole.train.images)))
    assert data.held_out is data.validation


def test_take_gives_the_first():
    data = datasets.load("digits")
    assert np.array_equal(data.train.take(5).labels, data.train.labels[:5])
    assert data.train.take(10**6) is data.train
    with pytest.raises(ConfigError, match="at least 1, got 0"):
        data.train.take(0)


def test_named_set_at_another_size_and_colour():
    data = datasets.load("digits", size=16, channels=3)
    images = np.asarray(data.train.images)
    assert images.shape == (1437, 16, 16, 3) and data.image_shape == (16, 16, 3)
    assert np.array_equal(images[..., 0], images[..., 2])
    before = np.asarray(datasets.load("digits").train.images).mean(axis=(1, 2, 3))
    assert np.abs(images.mean(axis=(1, 2, 3)) - before).max() < 12
    same = datasets.load("digits", size=(8, 8), channels=1)
    assert np.array_equal(np.asarray(same.test.images), np.asarray(datasets.load("digits").test.images))


def test_a_large_size_is_fitted_picture_by_picture(monkeypatch):
    whole = datasets.load("digits", size=20, channels=3, validation=0.1)
    monkeypatch.setattr(registry, "FITTED_BYTES", 0)
    data = datasets.load("digits", size=20, channels=3, validation=0.1)
    rows = np.array([5, 0, 1000])
    assert data.image_shape == (20, 20, 3) and not isinstance(data.train.images, np.ndarray)
    assert np.array_equal(data.train.images[rows], np.asarray(whole.train.images)[rows])
    assert np.array_equal(data.validation.images[-3:], np.asarray(whole.validation.images)[-3:])
    assert len(data.train.take(7)) == 7 and np.array_equal(data.train.labels, whole.train.labels)


def lies_in_a_file(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, mmap.mmap)


@pytest.mark.parametrize("given", [{}, {"validation": 0.25, "seed": 2}, {"size": (9, 7), "channels": 3}])
def test_a_mapped_set_is_the_same_one_and_decoded_once(given, small_mnist, monkeypatch):
    """What is selected of it, or fitted, is mapped too; a second process finds all that."""
    whole, first = datasets.load("mnist", **given), datasets.load("mnist", mapped=True, **given)
    monkeypatch.setattr(registry, "_read", None)
    monkeypatch.setattr("pellucid.datasets.pictures.fit_array", None)
    rows = np.array([7, 2])
    for data in (first, datasets.load("mnist", mapped=True, **given)):
        for part, expected in ((data.train, whole.train), (data.test, whole.test), (data.held_out, whole.held_out)):
            assert np.array_equal(part.images, expected.images) and np.array_equal(part.labels, expected.labels)
            some = part.take(9).select(rows)
            assert np.array_equal(some.images, expected.images[rows])
            for images in (part.images, part.take(3).images, some.images):
                assert lies_in_a_file(images) and not images.flags.writeable
            assert not lies_in_a_file(part.images + 1) and np.array_equal(
                part.images[:4].select(rows[1:]), some.images[1:]
            )


def test_a_damaged_mapped_file_is_made_again_and_without_room_it_is_in_memory(small_mnist, monkeypatch):
    expected = datasets.load("mnist", mapped=True).train.images.copy()
    cache = small_mnist.parent / "cache"
    for file in cache.rglob("*.u8"):
        file.write_bytes(file.read_bytes()[:-1])
    again = datasets.load("mnist", mapped=True).train.images
    assert np.array_equal(again, expected) and lies_in_a_file(again)
    for file in cache.rglob("*.json"):
        file.write_text("[]")
    monkeypatch.setenv("PELLUCID_CACHE_BYTES", "1")
    held = datasets.load("mnist", mapped=True).train.images
    assert np.array_equal(held, expected) and not lies_in_a_file(held)


def test_labels_follow_other_class_names():
    data = datasets.load("digits", class_names=[str(digit) for digit in reversed(range(10))])
    assert np.array_equal(data.train.labels, 9 - datasets.load("digits").train.labels)
    with pytest.raises(DataError, match="unknown classes '9'"):
        datasets.load("digits", class_names=[str(digit) for digit in range(9)])


# the real files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "first"), [("mnist", [5, 0, 4, 1, 9]), ("fashion_mnist", [9, 0, 0, 3, 0])])
def test_real_idx_sets(name, first):
    real(name)
    data = datasets.load(name)
    assert data.train.images.shape == (60000, 28, 28, 1) and data.test.images.shape == (10000, 28, 28, 1)
    assert data.train.labels[:5].tolist() == first
    assert data.train.labels.dtype == np.int64 and len(data.class_names) == 10
    (x, y), _ = getattr(datasets, name).load_data()
    assert x.shape == (60000, 28, 28) and y.shape == (60000,) and np.array_equal(x[..., None], data.train.images)


def test_mnist_mean_is_the_published_one():
    real("mnist")
    from pellucid.datasets.transforms import Standardize

    fitted = Standardize.fit(datasets.load("mnist").train.images)
    assert fitted.mean[0] == pytest.approx(0.1307, abs=5e-5) and fitted.std[0] == pytest.approx(0.3081, abs=5e-5)


# IDX ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_round_trip(tmp_path, dtype, packed):
    array = (np.arange(2 * 3 * 5) - 4).reshape(2, 3, 5).astype(dtype)
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    got = idx.read_idx(path)
    assert np.array_equal(got, array) and got.dtype == np.dtype(dtype)


# CIFAR-10 -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictures():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (7, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, 7)


def test_cifar_layouts_agree(tmp_path, pictures):
    images, labels = pictures
    planes = images.transpose(0, 3, 1, 2).reshape(7, 3072)
    (tmp_path / "a.bin").write_bytes(np.concatenate([labels[:, None].astype(np.uint8), planes], axis=1).tobytes())
    batch = {b"data": planes, b"labels": labels.tolist(), b"batch_label": b"one", b"filenames": [b"a"] * 7}
    (tmp_path / "a").write_bytes(pickle.dumps(batch, 2))
    for got_images, got_labels in (cifar.read_binary(tmp_path / "a.bin"), cifar.read_python(tmp_path / "a")):
        assert np.array_equal(got_images, images) and np.array_equal(got_labels, labels)


def test_cifar100_has_fine_and_coarse_labels(nowhere, monkeypatch):
    rng = np.random.default_rng(1)
    place = nowhere / "cifar-100-python"
    place.mkdir(parents=True)
    held = {}
    for part in ("train", "test"):
        fine = rng.integers(0, 100, 6).tolist()
        images = rng.integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
        batch = {b"data": images.transpose(0, 3, 1, 2).reshape(6, 3072), b"fine_labels": fine}
        batch |= {b"coarse_labels": [label // 5 for label in fine], b"filenames": [b"a"] * 6, b"batch_label": b"one"}
        (place / part).write_bytes(pickle.dumps(batch, 2))
        held[part] = images, fine
    with pytest.raises(DataError, match="expected 50000 training pictures of cifar100, got 6"):
        datasets.load("cifar-100")
    info = dataclasses.replace(registry.KNOWN["cifar100"], num_train=6, num_test=6)
    monkeypatch.setitem(registry.KNOWN, "cifar100", info)
    assert datasets.load("cifar100").class_names[1] == "aquarium_fish"
    for mode, step in (("fine", 1), ("coarse", 5)):
        for (x, y), (images, fine) in zip(datasets.cifar100.load_data(mode), held.values(), strict=True):
            assert np.array_equal(x, images) and np.array_equal(y[:, 0], np.array(fine) // step)
    with pytest.raises(ConfigError, match="label_mode"):
        datasets.cifar100.load_data("middle")
    batch[b"fine_labels"] = [100] * 6
    (place / "test").write_bytes(pickle.dumps(batch, 2))
    with pytest.raises(DataError, match="fine_labels: expected 0 to 99, got 100"):
        datasets.load("cifar100")


def test_real_cifar():
    real("cifar10")
    data = datasets.load("cifar-10")
    assert data.train.images.shape == (50000, 32, 32, 3) and data.test.images.shape == (10000, 32, 32, 3)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    (x, y), _ = datasets.cifar10.load_data()
    assert x.shape == (50000, 32, 32, 3) and y.shape == (50000, 1)


# names and places ---------------------------------------------------------------------------------------------------


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match="unknown data set 'mnits'; did you mean 'mnist'"):
        datasets.load("mnits")


def test_missing_folder_and_file(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        datasets.load(tmp_path / "absent")
    with pytest.raises(DataError, match=r"^phots: no such folder; data is a name \(.*mnist"):
        datasets.load("phots")
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(DataError, match="is a file"):
        datasets.load(tmp_path / "a.zip")


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_offline_says_which_file_goes_where(nowhere, name):
    with pytest.raises(DataError, match="PELLUCID_OFFLINE forbids") as raised:
        datasets.load(name)
    message = str(raised.value)
    assert ("train-images-idx3-ubyte" if name == "mnist" else "data_batch_1.bin") in message
    assert str(nowhere) in message and "pellucid" in message


def test_data_folder_wins_over_cache(nowhere, monkeypatch, tmp_path):
    small = {"train": np.zeros((60000, 28, 28), np.uint8), "t10k": np.zeros((10000, 28, 28), np.uint8)}
    for root, label in ((tmp_path / "cache" / "pellucid", 1), (nowhere, 2)):
        place = root / "mnist"
        place.mkdir(parents=True)
        for part, images in small.items():
            (place / f"{part}-images.idx3-ubyte").write_bytes(idx_bytes(images))
            (place / f"{part}-labels-idx1-ubyte.gz").write_bytes(
                gzip.compress(idx_bytes(np.full(len(images), label, np.uint8)))
            )
        assert datasets.load("mnist").train.labels[0] == label
    monkeypatch.delenv("PELLUCID_DATA")
    assert datasets.load("mnist").train.labels[0] == 1


def test_too_few_pictures_are_noticed(nowhere):
    place = nowhere / "mnist"
    place.mkdir(parents=True)
    for part in ("train", "t10k"):
        (place / f"{part}-images-idx3-ubyte").write_bytes(idx_bytes(np.zeros((3, 28, 28), np.uint8)))
        (place / f"{part}-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(3, np.uint8)))
    with pytest.raises(DataError, match="expected 60000 training pictures of mnist, got 3"):
        datasets.load("mnist")


def test_listing_is_complete():
    assert datasets.names() == ("digits", "mnist", "fashion-mnist", "cifar10", "cifar100")
    for name in datasets.names():
        info = datasets.known(name)
        assert info.title and info.source and len(info.class_names) == (100 if name == "cifar100" else 10)
    assert datasets.fetch_named("digits") is None


def test_hashes_are_those_of_the_real_files():
    import hashlib

    for name in ("mnist", "fashion-mnist"):
        place = datasets.locate(name)
        if place is None or os.fspath(place).startswith("/usr"):
            pytest.skip("needs the byte-exact files")
        for remote in datasets.known(name).remotes:
            data = Path(place, remote.name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == remote.digest and len(data) == remote.num_bytes


def test_importing_needs_numpy_only():
    code = (
        "import sys, pellucid.datasets as d, pellucid.datasets.batches, pellucid.datasets.folder\n"
        "heavy = {'PIL', 'pooch', 'requests', 'platformdirs', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "d.load('digits')\n"
        "assert not heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
