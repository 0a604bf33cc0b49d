"""A class for each pixel: loss, metrics, training and augmentation, beside PyTorch, scikit-learn and formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from drawn_masks import squares_and_discs

from pellucid import Sequential, losses, metrics, ops
from pellucid import layers as L
from pellucid.datasets.augmentation import Augmentation
from pellucid.errors import ConfigError, DataError
from pellucid.ops import IGNORED, Array, native
from pellucid.ops.reference.augment import augment_masks
from pellucid.ops.reference.loss import count_classes

RNG = np.random.default_rng(0)
SHAPE, CLASSES = (3, 5, 6), 4


def logits_and_masks() -> tuple[Array, Array]:
    """Of three pictures; the second has pixels that are not counted, the last no others."""
    masks = RNG.integers(0, CLASSES, SHAPE).astype(np.uint8)
    masks[1, :2] = masks[2] = IGNORED
    return RNG.normal(0, 2, (*SHAPE, CLASSES)).astype(np.float32), masks


def test_the_loss_is_pytorchs_picture_by_picture() -> None:
    torch = pytest.importorskip("torch")
    logits, masks = logits_and_masks()
    table, weights = np.array([0.5, 1, 2, 3], np.float32), np.array([1, 0.5, 2], np.float32)
    z = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    each = torch.nn.functional.cross_entropy(
        z.permute(0, 3, 1, 2),
        torch.tensor(masks.astype(np.int64)),
        torch.tensor(table, dtype=torch.float64),
        ignore_index=IGNORED,
        reduction="none",
    )
    counted = torch.tensor((masks != IGNORED).sum(axis=(1, 2))).clamp(min=1)
    wanted = each.sum((1, 2)) / counted
    (wanted * torch.tensor(weights)).mean().backward()
    loss = losses.CategoricalCrossentropy()
    targets = loss.prepare_targets(masks, (*SHAPE[1:], CLASSES), examples=3)
    got, gradient = loss.value_and_gradient(targets, logits, weights, table)
    np.testing.assert_allclose(got, wanted.detach().numpy(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradient, z.grad.numpy(), rtol=1e-4, atol=1e-8)
    assert got[2] == 0 and not gradient[2].any()


def test_one_pixel_is_a_row() -> None:
    """The same bits as for a class a picture."""
    logits, labels = RNG.normal(0, 2, (7, 5)).astype(np.float32), RNG.integers(0, 5, 7)
    rows = ops.softmax_cross_entropy(labels, logits, label_smoothing=0.1)
    pixels = ops.softmax_cross_entropy(labels[:, None], logits[:, None], label_smoothing=0.1, ignored=IGNORED)
    np.testing.assert_array_equal(pixels[0], rows[0])
    np.testing.assert_array_equal(pixels[1][:, 0], rows[1])


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_pixels_together_are_judged_as_each_alone(smoothing: float) -> None:
    """Also where logits are no numbers, which must not reach another pixel."""
    logits, labels = RNG.normal(0, 3, (67, 6)).astype(np.float32), RNG.integers(0, 6, 67)
    logits[3, 2] = logits[20, 4:] = np.nan
    logits[30, 1], logits[40, 1], logits[50, 1:] = np.inf, -np.inf, 4
    logits[60], labels[60:62] = np.nan, IGNORED
    labels[30], labels[40] = 1, 1
    options = {"label_smoothing": smoothing, "ignored": IGNORED}
    table = RNG.random(6).astype(np.float32)
    alone = ops.softmax_cross_entropy(labels[:, None], logits[:, None], class_weights=table, **options)
    together = ops.softmax_cross_entropy(labels[None], logits[None], class_weights=table, **options)
    assert np.isnan(together[0]).all() and np.isinf(alone[0][40])
    np.testing.assert_allclose(together[1][0], alone[1][:, 0] * 67 / 65, rtol=1e-5, atol=1e-9)
    plain = np.isfinite(alone[0])
    losses = ops.softmax_cross_entropy(labels[None, plain], logits[None, plain], class_weights=table, **options)[0]
    np.testing.assert_allclose(losses, alone[0][plain].sum() / (plain.sum() - 2), rtol=1e-6)
    for count in (len(labels), 16, 17, 5):
        given = logits[None, :count], labels[None, :count].astype(np.int32), None
        results = [np.zeros((1,), np.float32), np.zeros((1,), np.float32), None, None, np.zeros((1, count), np.int32)]
        native.run(native.softmax_cross_entropy(*given, *results, ignored=IGNORED))
        said = logits[:count].argmax(axis=-1)
        np.testing.assert_array_equal(results[4][0], said)
        np.testing.assert_allclose(results[1], (said == labels[:count]).sum() / (labels[:count] != IGNORED).sum())


def test_masks_in_any_form() -> None:
    loss, shape = losses.CategoricalCrossentropy(), (*SHAPE[1:], CLASSES)
    masks = RNG.integers(0, CLASSES, SHAPE)
    forms = (masks, masks[..., None], masks.astype(np.float64), np.eye(CLASSES)[masks])
    for form in forms:
        prepared = loss.prepare_targets(form, shape)
        assert prepared.dtype == np.uint8
        np.testing.assert_array_equal(prepared, masks)
    shares = np.full((*SHAPE, CLASSES), 0.25, np.float32)
    np.testing.assert_array_equal(loss.prepare_targets(shares, shape), shares)
    masks[2, 4, 5] = 4
    for labels, message in (
        (masks, "label 4 in row 4, column 5 of mask 2 is not one of the 4 classes 0 to 3, nor 255"),
        (masks[:, :3], r"labels must be masks \(N, 5, 6\).*got shape \(3, 3, 6\)"),
        (np.arange(3), r"got shape \(3,\); for one class a picture"),
        (np.full(SHAPE, 255), "every pixel of the masks is 255"),
        (shares * 2, "labels of picture 0 are neither one-hot nor probabilities"),
    ):
        with pytest.raises(DataError, match=message):
            loss.prepare_targets(labels, shape)
    with pytest.raises(ConfigError, match="300 scores a pixel: at most 255"):
        loss.prepare_targets(masks, (5, 6, 300))


def test_metrics_are_scikit_learns() -> None:
    judged = pytest.importorskip("sklearn.metrics")
    logits, masks = logits_and_masks()
    answers, counted = logits.argmax(axis=-1), masks != IGNORED
    wanted = judged.jaccard_score(masks[counted], answers[counted], average=None)
    np.testing.assert_allclose(metrics.iou(masks, logits), wanted)
    assert metrics.mean_iou(masks, answers) == pytest.approx(wanted.mean())
    assert metrics.pixel_accuracy(masks, logits) == pytest.approx((masks == answers)[counted].mean())
    assert np.isnan(metrics.iou(masks, answers, 6)[4:]).all()
    assert metrics.mean_iou(masks, answers, 6) == pytest.approx(wanted.mean())
    for call, message in (
        (lambda: metrics.iou(masks, answers[:2]), "must have one number for each pixel"),
        (lambda: metrics.iou(masks[2], answers[2]), "no pixel to judge"),
        (lambda: metrics.iou(masks, answers, 2), "class numbers run from 0 to 3"),
    ):
        with pytest.raises(DataError, match=message):
            call()


def network(seed: int = 0) -> Sequential:
    return Sequential(
        [
            L.Conv2D(8, 3, padding="same", activation="relu", input_shape=(16, 16, 1)),
            L.Conv2D(3, 3, padding="same", activation="softmax"),
        ],
        seed=seed,
    )


def compiled(**options: Any) -> Sequential:
    model = network(**options)
    model.compile("adam", "categorical_crossentropy")
    return model


def test_training_counts_what_predictions_count() -> None:
    """Accuracy and mean IoU of an epoch's end, and of evaluate, are those of `predict`."""
    x, y = squares_and_discs(24, 16)
    y[3, :4] = IGNORED
    model = compiled()
    history = model.fit(x, y, batch_size=10, epochs=3, verbose=0, validation_data=(x[:8], y[:8]), doctor=True)
    assert list(history.history) == [
        "loss", "accuracy", "mean_iou", "val_loss", "val_accuracy", "val_mean_iou", "learning_rate",
    ]  # fmt: skip
    scores = model.predict(x[:8])
    assert history["val_mean_iou"][-1] == pytest.approx(metrics.mean_iou(y[:8], scores, 3))
    result = model.evaluate(x[:8], y[:8], batch_size=3, verbose=0)
    assert result["mean_iou"] == pytest.approx(metrics.mean_iou(y[:8], scores, 3))
    assert result["accuracy"] == pytest.approx(metrics.pixel_accuracy(y[:8], scores))
    wanted = losses.CategoricalCrossentropy()(y[:8], scores)
    assert result["loss"] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("augment", [None, "flip,rotate=20,border=constant"])
def test_without_kernels_the_same_is_learned(augment: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = squares_and_discs(12, 16)
    y[:, :2] = IGNORED

    def learned() -> tuple[Any, ...]:
        model = compiled()
        history = model.fit(x, y, batch_size=5, epochs=2, verbose=0, class_weight={1: 3.0}, augment=augment)
        return history["loss"], history["mean_iou"], model.get_weights()[0]

    with_kernels = learned()
    monkeypatch.setattr("pellucid.ops.native.available", False)
    monkeypatch.setattr("pellucid.ops.dispatch._announce_missing_native", lambda: None)
    for got, wanted in zip(learned(), with_kernels, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-3, atol=2e-4)


def test_class_weights_weigh_pixels() -> None:
    x, y = squares_and_discs(16, 16)
    only = compiled()
    history = only.fit(x, y, epochs=1, batch_size=16, verbose=0, class_weight={0: 0, 1: 0, 2: 1.0}, shuffle=False)
    start = compiled().predict(x)
    expected = -(np.log(start[..., 2]) * (y == 2)).mean()
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    balanced = compiled().fit(x, y, epochs=1, batch_size=16, verbose=0, class_weight="balanced", shuffle=False)
    counts = np.bincount(y.reshape(-1))
    table = y.size / (3 * counts)
    expected = -(np.log(np.take_along_axis(start, y[..., None].astype(int), -1)[..., 0]) * table[y]).mean()
    assert balanced["loss"][0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "given", ["flip=1", "flip_vertical=1,crop=0.3,border=constant", "crop=0.3,border=edge", "crop=0.2"]
)
def test_a_mask_moves_with_its_picture(given: str) -> None:
    """By whole pixels the picture itself says what its mask must be."""
    _, masks = squares_and_discs(6, 17)
    found = Augmentation.of(given)
    assert found is not None
    draws = found.draw(np.arange(6), (17, 17, 1), seed=1, epoch=2)
    one, none = np.ones(1, np.float32), np.zeros(1, np.float32)
    moved = ops.augment(masks[..., None] + 1, np.arange(6), draws, scale=one, offset=none, border=found.border)[..., 0]
    out = np.empty(masks.shape, np.int32)
    native.run(native.augment_masks(masks, np.arange(6), draws, out, border=found.border))
    np.testing.assert_array_equal(out, np.where(moved == 0, IGNORED, moved - 1))
    assert (out == IGNORED).any() == ("constant" in given)


@pytest.mark.parametrize("border", ops.BORDERS)
def test_masks_by_every_kind_are_the_twins(border: str) -> None:
    _, masks = squares_and_discs(8, 19)
    found = Augmentation.of(f"resized_crop,rotate=90,zoom=1,shift=0.5,cutout=0.4,brightness,border={border}")
    assert found is not None
    draws = found.draw(np.arange(8), (19, 19, 3), seed=0, epoch=0)
    got, wanted = (np.empty(masks.shape, np.int32) for _ in range(2))
    native.run(native.augment_masks(masks, np.arange(8), draws, got, border=border))
    augment_masks(masks, np.arange(8), draws, wanted, border=border)
    np.testing.assert_array_equal(got, wanted)
    tops = draws[:, 16:20].astype(int)
    for mask, (top, left, bottom, right) in zip(got, tops, strict=True):
        assert (mask[top:bottom, left:right] == IGNORED).all()


def test_what_cannot_be_done_with_masks_is_said() -> None:
    x, y = squares_and_discs(6, 16)
    with pytest.raises(ConfigError, match="mixup would mix masks"):
        compiled().fit(x, y, verbose=0, augment="mixup")
    with pytest.raises(ConfigError, match="at most 255"):
        losses.CategoricalCrossentropy().prepare_targets(y, (16, 16, 256))
    mse = network()
    mse.compile("adam", "mse")
    with pytest.raises(ConfigError, match="class_weight needs one class a picture"):
        mse.fit(x, np.eye(3, dtype=np.float32)[y], verbose=0, class_weight="balanced")


def test_counts_add_up() -> None:
    labels = np.array([[0, 1, 2, IGNORED]], np.int32)
    answers = np.array([[0, 2, 2, 1]], np.int32)
    for run in (count_classes, lambda *arrays, **options: native.run(native.count_classes(*arrays, **options))):
        counts = np.ones((3, 3))
        run(labels, answers, counts, ignored=IGNORED)
        np.testing.assert_array_equal(counts, [[2, 1, 2], [2, 2, 2], [2, 1, 3]])
