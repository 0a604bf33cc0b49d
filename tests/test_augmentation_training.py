"""Augmentation in training: what is fed of files and of memory, what is drawn of it, and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from picture_files import write
from test_augmentation import SHAPE, levels, of, pictures, smooth

from pellucid import Sequential, ops
from pellucid import layers as L
from pellucid.datasets.augmentation import KINDS, Augmentation
from pellucid.errors import ConfigError, ShapeError
from pellucid.model.inputs import make_examples
from pellucid.ops import Array
from pellucid.plan.feed import Feed
from pellucid.train import TrainConfig, Trainer
from pellucid.train.feeding import Feeder
from pellucid.visualise.augmentation import augmentation_figure, augmented

# In training


class OnDisk:
    """Pictures that are read when they are asked for."""

    def __init__(self, array: Array) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: Any) -> Array:
        return self.array[rows]

    def select(self, rows: Array) -> OnDisk:
        return OnDisk(self.array[rows])


def network(loss: str = "categorical_crossentropy", units: int = 4, last: str = "softmax") -> Sequential:
    model = Sequential([L.Conv2D(3, 3, input_shape=(9, 8, 3)), L.Flatten(), L.Dense(units, activation=last)])
    model.compile("sgd", loss)
    return model


def fed(images: Any, labels: Array, given: str, model: Sequential) -> list[tuple[Array, Array]]:
    """Inputs and targets of each batch of an epoch, as the plan's buffers have them."""
    examples, _ = make_examples(model, images, labels, None, None)
    feeder = Feeder(examples, 4, seed=2, shuffle=True, augment=Augmentation.of(given))
    feed = feeder.make_feed(model)
    found = []
    for n in feeder.batches(feed):
        for work in feed.work():
            work(n) if callable(work) else ops.native.run(work)  # type: ignore[attr-defined]
        found.append((feed.inputs[:n].copy(), feed.targets[:n].copy()))
    return found


@pytest.mark.parametrize("given", ["strong", "strong,mixup=1"])
def test_pictures_of_files_and_of_memory_are_changed_alike(given: str) -> None:
    x, y = pictures(12, (9, 8, 3)), np.arange(12) % 4
    memory, disk = fed(x, y, given, network()), fed(OnDisk(x), y, given, network())
    assert len(memory) == 3
    for one, other in zip(memory, disk, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_without_kernels_the_same_is_fed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = pictures(12, (9, 8, 3)), np.arange(12) % 4
    quick = fed(x, y, "strong,mixup=1", network())
    monkeypatch.setattr("pellucid.ops.native.available", False)
    monkeypatch.setattr("pellucid.ops.dispatch._announce_missing_native", lambda: None)
    for one, other in zip(quick, fed(x, y, "strong,mixup=1", network()), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("one_hot", [False, True])
def test_targets_are_mixed_as_pictures_are(one_hot: bool) -> None:
    """Pictures that show their class alone: what is mixed of them says what must be mixed of the targets."""
    labels = np.arange(12) % 4
    x = np.zeros((12, 9, 8, 3), np.uint8)
    x[labels > 0, :, :, 0], x[labels > 1, :, :, 1], x[labels > 2, :, :, 2] = 255, 255, 255
    loss = "mse" if one_hot else "categorical_crossentropy"
    y = np.eye(4, dtype=np.float32)[labels] * np.float32(0.9) if one_hot else labels
    for inputs, targets in fed(x, y, "mixup=1", network(loss)):
        above = np.cumsum(targets[:, ::-1], axis=1)[:, ::-1][:, 1:]
        whole = 0.9 if one_hot else 1
        np.testing.assert_allclose(inputs[:, 4, 4] * whole, above, atol=1e-5)
        np.testing.assert_allclose(targets.sum(axis=1), whole, atol=1e-5)


def test_mixup_where_targets_are_no_shares() -> None:
    x, y = pictures(6, (9, 8, 3)), np.arange(6) % 4
    model = network("mse", 4, "linear")
    model.fit(x, y, augment="mixup", verbose=0)  # class numbers become one-hot
    with pytest.raises(ConfigError, match="augmentation takes pictures"):
        flat = Sequential([L.Dense(2, input_shape=(3,), activation="softmax")])
        flat.compile("sgd", "categorical_crossentropy")
        flat.fit(np.ones((4, 3), np.float32), np.arange(4) % 2, augment="rotate", verbose=0)


def test_fit_takes_names_amounts_and_functions() -> None:
    x, y = pictures(20, (9, 8, 3)), np.arange(20) % 4

    def weights(augment: Any) -> bytes:
        model = network()
        model.fit(x, y, batch_size=8, epochs=2, verbose=0, augment=augment)
        return np.concatenate([w.ravel() for w in model.get_weights()]).tobytes()

    plain = weights(None)
    assert plain == weights("none") != weights("flip=0.5,rotate=15")
    assert weights({"rotate": 15, "flip": 0.5}) == weights("flip=0.5,rotate=15") == weights(of("rotate,flip"))
    assert weights(lambda images, rng: images) == plain != weights(lambda images, rng: images[:, :, ::-1])
    with pytest.raises(ConfigError, match="did you mean 'rotate'"):
        weights("rotat")


def test_all_steps_of_an_epoch_run_in_one_call() -> None:
    """As without augmentation: the draws of an epoch stand ready."""
    x, y = pictures(20, (9, 8, 3)), np.arange(20) % 4
    examples, _ = make_examples(network(), x, y, None, None)
    model = network()
    model.prepare_slots()
    trainer = Trainer(model, examples, TrainConfig(1, 4), augment=of("strong,mixup"))
    plan = trainer._staging.make_plan()
    if ops.backend().name == "native":
        assert plan.runs_alone and isinstance(plan.feed, Feed)


# Drawn


@pytest.mark.parametrize("given", [None, "rotate=20,mixup"])
def test_the_figure_has_a_row_a_kind_and_the_same_pictures_as_training(given: Any) -> None:
    image, other = smooth(2)
    figure = augmentation_figure(given, image, other, count=3, lang="en")
    names = [title.partition("=")[0] for panel in figure.axes if (title := panel.get_title(loc="left"))]
    assert names[2:] == (list(KINDS) if given is None else ["rotate", "mixup"])
    assert names[0].startswith("the picture, and what") and names[1].startswith("all of it: ")
    shown = augmented(given or "flip", image, other, epochs=3)
    draws = of(given or "flip").draw(np.arange(2), SHAPE, seed=0, epoch=2)
    np.testing.assert_array_equal(shown[2], np.round(levels(np.stack([image, other]), draws)[0]))
    with pytest.raises(ShapeError, match="cannot be mixed"):
        augmented("mixup", image, other[:5])


def test_the_command_draws(command: Command, tmp_path: Path) -> None:
    status, _, err = command("show", "augment", "--augment", "flip,rotate", "--out", tmp_path / "a.png")
    assert status == 0 and (tmp_path / "a.png").stat().st_size > 5000, err
    photo = tmp_path / "photo.png"
    write(photo, size=(300, 200))
    status, _, err = command("show", "augment", "--image", photo, "--augment", "zoom", "--out", tmp_path / "b.png")
    assert status == 0 and (tmp_path / "b.png").is_file(), err
    status, _, err = command("show", "augment", "--image", photo, "--augment", "spin")
    assert status == 1 and "unknown augmentation 'spin'" in err
    status, _, err = command("show", "augment", "--image", photo, "--data", "digits")
    assert status == 1 and "name one of them" in err
