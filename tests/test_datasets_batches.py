"""Batches, splits, weights and scaling, each against an independent truth."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pellucid.datasets import batches as batching
from pellucid.datasets.batches import Batches, epoch_order
from pellucid.datasets.labels import balanced_class_weights, class_labels, stratified_split
from pellucid.datasets.transforms import Preprocessing, Standardize
from pellucid.errors import ConfigError, DataError
from pellucid.train import Examples


def pictures(count, height=5, width=7, channels=3, seed=0):
    return np.random.default_rng(seed).integers(1, 256, (count, height, width, channels), dtype=np.uint8)


def mirrored(images, rng):
    """About half of them."""
    return np.where((rng.random(len(images)) < 0.5)[:, None, None, None], images[:, :, ::-1], images)


class Slow:
    """Pictures on a disk: counts reads, notes the thread, and fails at one row if asked to."""

    def __init__(self, array, fail_at=None):
        self.array, self.fail_at = array, fail_at
        self.reads, self.threads = [], set()
        self.shape, self.dtype = array.shape, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.reads.append(rows)
        self.threads.add(threading.current_thread().name)
        if self.fail_at in rows:
            raise DataError("row 11 cannot be decoded")
        return self.array[rows]


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("pellucid-read-ahead")]


# order --------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 300), st.integers(0, 2**31), st.integers(0, 10**6))
def test_epoch_order_visits_each_once(count, seed, epoch):
    order = epoch_order(count, seed=seed, epoch=epoch)
    assert order.dtype == np.int64 and np.array_equal(np.sort(order), np.arange(count))
    assert np.array_equal(order, epoch_order(count, seed=seed, epoch=epoch))


def test_epoch_order_depends_on_seed_and_epoch():
    orders = [epoch_order(100, seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)]
    assert len({order.tobytes() for order in orders}) == 4
    assert np.array_equal(epoch_order(4, seed=3, epoch=2, shuffle=False), [0, 1, 2, 3])


@pytest.mark.parametrize("make", [lambda x: x, Slow], ids=["memory", "disk"])
@pytest.mark.parametrize("augment", [None, mirrored])
def test_an_epoch_holds_every_picture_once(make, augment):
    images = pictures(23)
    loader = Batches(make(images), 5, seed=1, augment=augment)
    got = list(loader.epoch(4))
    assert [len(batch) for batch in got] == [5, 5, 5, 5, 3] and len(loader) == 5
    order = epoch_order(23, seed=1, epoch=4)
    assert np.array_equal(loader.order(4), order)
    for number, batch in enumerate(got):
        plain = images[order[5 * number : 5 * number + 5]]
        if augment is None:
            assert np.array_equal(batch, plain)
        else:
            for one, before, turned in zip(batch, plain, plain[:, :, ::-1], strict=True):
                assert np.array_equal(one, before) or np.array_equal(one, turned)
    assert not readers()


def test_pictures_in_memory_are_taken_from_where_they_lie_unless_augmented():
    images = pictures(10)
    assert Batches(images, 4).in_memory and not Batches(Slow(images), 4).in_memory
    assert not Batches(images, 4, augment=mirrored).in_memory


@pytest.mark.parametrize("make", [lambda x: x, Slow], ids=["memory", "disk"])
def test_an_epoch_can_go_on_in_the_middle(make):
    loader = Batches(make(pictures(23)), 5, seed=9, augment=mirrored)
    whole, rest = list(loader.epoch(2)), list(loader.epoch(2, first=3))
    assert len(rest) == 2
    for one, other in zip(whole[3:], rest, strict=True):
        assert np.array_equal(one, other)
    assert list(loader.epoch(2, first=5)) == []


def test_one_batch_is_read_ahead_on_one_thread():
    source = Slow(pictures(40))
    epoch = Batches(source, 4, shuffle=False).epoch(0)
    for number in range(3):
        next(epoch)
        while len(source.reads) < number + 2:
            pass
        assert len(source.reads) == number + 2 and len(readers()) == 1
    assert len(source.threads) == 1 and threading.current_thread().name not in source.threads
    epoch.close()
    assert not readers()


def test_the_reader_ends_on_break_and_on_exception():
    for batch in Batches(Slow(pictures(40)), 4).epoch(0):
        assert len(batch) == 4
        break
    assert not readers()
    with pytest.raises(DataError, match="row 11"):
        list(Batches(Slow(pictures(40), fail_at=11), 4).epoch(0))
    assert not readers()


def test_wrong_batches():
    with pytest.raises(ConfigError, match="batch_size must be at least 1, got 0"):
        Batches(pictures(3), 0)
    with pytest.raises(DataError, match="3 pictures but 2 labels"):
        Examples(pictures(3), np.arange(2))
    with pytest.raises(DataError, match="no pictures"):
        Batches(pictures(0), 1)


# labels -------------------------------------------------------------------------------------------------------------


@settings(max_examples=100)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=300), st.floats(0.05, 0.6), st.integers(0, 99))
def test_stratified_split_keeps_proportions(labels, fraction, seed):
    labels = np.array(labels)
    kept, held = stratified_split(labels, fraction, seed)
    assert np.array_equal(np.sort(np.concatenate([kept, held])), np.arange(len(labels)))
    for label in np.unique(labels):
        total, count = np.sum(labels == label), np.sum(labels[held] == label)
        assert abs(count - fraction * total) <= 1 or count == 1
        assert count < total and (count >= 1 or total == 1)


def test_stratified_split_holds_out_what_was_asked():
    labels = np.arange(1000) % 7
    assert len(stratified_split(labels, 0.15, 0)[1]) == 150
    first, second = stratified_split(labels, 0.15, 0)[1], stratified_split(labels, 0.15, 1)[1]
    assert np.array_equal(first, stratified_split(labels[:, None], 0.15, 0)[1]) and not np.array_equal(first, second)
    for fraction in (0, 1, -0.1, 5000):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            stratified_split(labels, fraction, 0)


def test_class_labels_take_every_usual_shape():
    wanted = np.array([2, 0, 1])
    for given_labels in (wanted, wanted[:, None], np.eye(3)[wanted], wanted.astype(np.float32), [2, 0, 1]):
        assert np.array_equal(class_labels(given_labels), wanted)
    for wrong in ([0.5, 1.0], [-1, 0], np.zeros((2, 2, 2))):
        with pytest.raises(DataError, match="labels must be whole numbers from 0"):
            class_labels(np.asarray(wrong))


def test_balanced_weights_are_scikit_learns():
    weights = pytest.importorskip("sklearn.utils.class_weight")
    labels = np.random.default_rng(0).choice(4, 500, p=[0.6, 0.2, 0.15, 0.05])
    wanted = weights.compute_class_weight("balanced", classes=np.arange(4), y=labels)
    assert np.allclose(balanced_class_weights(labels, 4), wanted)
    assert np.allclose(balanced_class_weights(labels, 5), [*wanted, 0.0])
    with pytest.raises(DataError, match="label 3 is out of range: 3 classes"):
        balanced_class_weights(labels, 3)


# transforms ---------------------------------------------------------------------------------------------------------


def test_scale_and_offset_are_the_formula():
    prep = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    scale, offset = prep.scale_offset(3)
    assert scale.dtype == offset.dtype == np.float32
    images = pictures(4)
    assert np.allclose(images * scale + offset, (images / 255 - np.array(prep.mean)) / np.array(prep.std), atol=1e-5)
    scale, offset = Preprocessing().scale_offset(1)
    assert scale.tolist() == [np.float32(1 / 255)] and offset.tolist() == [0]


def test_preprocessing_survives_a_file():
    import json

    prep = Preprocessing(mean=(0.5,), std=(0.25,), size=(32, 48), resize="pad", channels=1)
    assert Preprocessing.from_config(json.loads(json.dumps(prep.to_config()))) == prep


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"scale": 0}, "scale must be a positive"),
        ({"std": [0.0]}, "std must be positive"),
        ({"mean": [float("nan")]}, "mean must be finite"),
        ({"resize": "squash"}, "unknown resize rule 'squash'"),
        ({"size": [0, 3]}, "size must be"),
        ({"scale": "1"}, "scale must hold numbers"),
        ({"colour": 1}, r"unknown entries \['colour'\]"),
    ],
)
def test_wrong_preprocessing(config, message):
    with pytest.raises(ConfigError, match=message):
        Preprocessing.from_config(config)


def test_preprocessing_for_the_wrong_number_of_channels():
    with pytest.raises(ConfigError, match="mean has 3 numbers, but the pictures have 1 channels"):
        Preprocessing(mean=(0.1, 0.2, 0.3)).scale_offset(1)


def test_standardize_is_numpys_mean_and_deviation():
    images = pictures(30)
    images[..., 1] = 51
    fitted = Standardize.fit(images, chunk=7)
    assert np.allclose(fitted.mean, images.mean(axis=(0, 1, 2)) / 255)
    assert np.allclose(fitted.std, [images[..., 0].std() / 255, 1.0, images[..., 2].std() / 255])
    with pytest.raises(DataError, match="needs uint8"):
        Standardize.fit(images.astype(np.float32))


def test_changed_epochs_differ_but_repeat():
    loader = Batches(pictures(8), 8, shuffle=False, augment=mirrored)
    first, second, again = (next(iter(loader.epoch(epoch))) for epoch in (0, 1, 0))
    assert np.array_equal(first, again) and not np.array_equal(first, second)


def test_public_names_of_batches():
    assert all(hasattr(batching, name) for name in batching.__all__)
