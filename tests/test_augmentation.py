"""Augmentation: what is drawn, by its statistics; what becomes of pictures and targets, by SciPy and by formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import ops
from pellucid.datasets.augmentation import KINDS, PRESETS, Augmentation, text_of
from pellucid.errors import ConfigError
from pellucid.ops import Array

SHAPE = (32, 40, 3)
BRIGHTNESS = np.array([0.299, 0.587, 0.114])


def pictures(count: int, shape: tuple[int, ...] = (5, 7, 3), seed: int = 0) -> Array:
    return np.random.default_rng(seed).integers(1, 256, (count, *shape), dtype=np.uint8)


def smooth(count: int, shape: tuple[int, ...] = SHAPE) -> Array:
    """Levels from 60 to 190: none is cut off when they are made a little brighter."""
    i, j, c = np.meshgrid(*map(np.arange, shape), indexing="ij")
    waves = [125 + 65 * np.sin(0.2 * i + 0.1 * n) * np.cos(0.15 * j + c) for n in range(count)]
    return np.round(waves).astype(np.uint8)


def of(given: Any, **options: Any) -> Augmentation:
    found = Augmentation.of(given, **options)
    assert found is not None
    return found


def levels(images: Array, draws: Array, border: str = "reflect") -> Array:
    """What becomes of the pictures, in their own levels."""
    ones, zeros = (np.full(images.shape[-1], value, np.float32) for value in (1, 0))
    return ops.augment(images, np.arange(len(images)), draws, scale=ones, offset=zeros, border=border)


def changed(images: Array, given: Any, epoch: int = 0) -> Array:
    found = of(given)
    return levels(images, found.draw(np.arange(len(images)), images.shape[1:], seed=0, epoch=epoch), found.border)


# What is asked for


def test_a_text_a_mapping_and_presets() -> None:
    assert of("rotate=20,flip").amounts == of({"flip": None, "rotate": 20}).amounts == {"flip": 0.5, "rotate": 20}
    assert list(of("rotate=20,flip").amounts) == ["flip", "rotate"]  # as they are applied
    assert Augmentation.of("none") is Augmentation.of("") is Augmentation.of("rotate=0") is None
    assert of("standard") == Augmentation({"crop": 0.125, "flip": 0.5}, "constant")
    assert of("standard", mirror=False).amounts == {"crop": 0.125}
    assert of("standard,flip", mirror=False).amounts == {"crop": 0.125, "flip": 0.5}
    assert of("strong,hue=0,border=edge").border == "edge" and "hue" not in of("strong,hue=0").amounts
    for text in (*(name for name in PRESETS if name != "none"), ",".join(KINDS), "zoom=0.123456789"):
        assert of(str(of(text))) == of(text)
    assert text_of(None) == text_of({}) == text_of("none") == "none" and text_of("strong") == "strong"
    assert text_of({"zoom": 0.5}) == "zoom=0.5,border=reflect" and text_of(np.flip) == "function flip"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("standart", "unknown augmentation 'standart'; did you mean 'standard'"),
        ("rotate=200", "augmentation rotate must be a number from 0 to 180, got '200'"),
        ({"zoom": float("nan")}, "augmentation zoom must be a number from 0 to 3, got nan"),
        ("border=wrap", "unknown border 'wrap'"),
        ("standard=3", "unknown augmentation 'standard'"),
        (7, "augment must be a text such as 'standard,rotate=15,zoom'"),
    ],
)
def test_what_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Augmentation.of(given)


def test_each_kind_says_what_it_does() -> None:
    for kind in KINDS.values():
        assert "{" not in kind.in_words(kind.usual) and f"{kind.usual:.4g}" in kind.in_words(kind.usual).replace(
            f"{100 * kind.usual:.4g} %", f"{kind.usual:.4g}"
        )


# What is drawn


def test_a_picture_draws_by_seed_epoch_and_its_number_alone() -> None:
    every = of(",".join(KINDS))
    rows = np.random.default_rng(0).permutation(9000)
    whole = every.draw(rows, SHAPE, seed=3, epoch=5)
    assert whole.shape == (9000, 21) and whole.dtype == np.float32
    part = every.draw(rows[4000:4100], SHAPE, seed=3, epoch=5)
    np.testing.assert_allclose(part, whole[4000:4100], rtol=1e-6)
    for other in (every.draw(rows[:9], SHAPE, seed=4, epoch=5), every.draw(rows[:9], SHAPE, seed=3, epoch=6)):
        assert not (other == whole[:9]).all(axis=1).any()
    assert len(np.unique(whole, axis=0)) == 9000
    alone = of("rotate").draw(rows[:9], SHAPE, seed=3, epoch=5)
    beside = of("rotate,cutout,brightness").draw(rows[:9], SHAPE, seed=3, epoch=5)
    np.testing.assert_array_equal(alone[:, :6], beside[:, :6])


def drawn(given: str, count: int = 10_000) -> Array:
    return of(given).draw(np.arange(count), SHAPE, seed=1, epoch=2).astype(np.float64)


def uniform_between(values: Array, low: float, high: float) -> bool:
    from scipy import stats

    inside = (values >= low - 1e-5).all() and (values <= high + 1e-5).all()
    return bool(inside and stats.kstest(values, "uniform", (low, high - low)).pvalue > 1e-3)


def test_how_often_and_how_far() -> None:
    from scipy import stats

    height, width, _ = SHAPE
    assert abs((drawn("flip=0.3")[:, 0] == -1).mean() - 0.3) < 0.015
    assert abs((drawn("flip_vertical=0.3")[:, 4] == -1).mean() - 0.3) < 0.015
    crops = drawn("crop=0.125")
    for column in (2, 5):
        moved, counts = np.unique(crops[:, column], return_counts=True)
        assert moved.tolist() == list(range(-4, 5)) and stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(crops[:, 2], crops[:, 5])[0, 1]) < 0.04
    turned = drawn("rotate=40")
    assert uniform_between(np.rad2deg(np.arctan2(turned[:, 1], turned[:, 0])), -40, 40)
    assert uniform_between(np.log(drawn("zoom=0.5")[:, 0]), -np.log(1.5), np.log(1.5))
    shifts = drawn("shift=0.2")
    assert uniform_between(shifts[:, 2], -0.2 * width, 0.2 * width)
    assert uniform_between(shifts[:, 5], -0.2 * height, 0.2 * height)
    for kind in ("brightness", "contrast"):
        assert uniform_between(drawn(f"{kind}=0.4")[:, 6], 0.6, 1.4)
    boxes = drawn("cutout=0.5")[:, 16:20]
    assert (boxes[:, 2] - boxes[:, 0] <= 16).all() and (boxes[:, 0] < height).all() and (boxes[:, 2] > 0).all()
    assert (boxes[:, 3] - boxes[:, 1] <= 16).all() and (boxes[:, 1] < width).all() and (boxes[:, 3] > 0).all()
    for alpha in (0.2, 1.0, 2.0):
        shares, ends = drawn(f"mixup={alpha}")[:, 20], np.array([0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
        expected = stats.beta(alpha, alpha).cdf(ends)
        found = (shares[:, None] <= ends).mean(axis=0)
        assert (np.abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / len(shares)) + 1e-6).all()


def test_a_resized_crop_lies_inside_and_has_its_area() -> None:
    height, width, _ = SHAPE
    draws = drawn("resized_crop=0.6")
    across, down = draws[:, 0] * width, draws[:, 4] * height
    left, top = draws[:, 2] + 0.5 - draws[:, 0] / 2, draws[:, 5] + 0.5 - draws[:, 4] / 2
    assert (left > -1e-3).all() and (top > -1e-3).all()
    assert (left + across < width + 1e-3).all() and (top + down < height + 1e-3).all()
    uncapped = (across < width - 1e-3) & (down < height - 1e-3)
    area, ratio = draws[uncapped, 0] * draws[uncapped, 4], draws[uncapped, 0] / draws[uncapped, 4]
    assert 0.4 - 1e-5 <= area.min() < 0.41 and ratio.min() > 3 / 4 - 1e-5 and ratio.max() < 4 / 3 + 1e-5


# What becomes of pictures


@pytest.mark.parametrize(
    ("border", "mode"), [("reflect", "reflect"), ("edge", "nearest"), ("constant", "grid-constant")]
)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_places_are_scipys(border: str, mode: str, channels: int, dtype: type) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    images = pictures(8, (13, 17, channels)).astype(dtype)
    moves = of("flip,flip_vertical,resized_crop,rotate=60,zoom=0.5,shift=0.3")
    draws = moves.draw(np.arange(8), images.shape[1:], seed=0, epoch=0)
    got = levels(images, draws, border)
    for image, one, draw in zip(images, got, draws.astype(np.float64), strict=True):
        a, b, c, d, e, f = draw[:6]
        for channel in range(channels):
            truth = ndimage.affine_transform(
                image[..., channel].astype(float), [[e, d], [b, a]], (f, c), order=1, mode=mode
            )
            np.testing.assert_allclose(one[..., channel], truth, atol=0.02)


def test_one_map_does_what_its_kinds_do_one_after_the_other() -> None:
    """In the middle of smooth pictures, where interpolating twice is nearly interpolating once."""
    images = smooth(6)
    together = changed(images, "zoom=0.3,rotate=30,flip,shift=0.05")
    steps = images.astype(np.float32)
    for kind in ("flip", "rotate=30", "zoom=0.3", "shift=0.05"):
        steps = changed(steps, kind)
    assert np.abs(together - steps)[:, 8:-8, 8:-8].max() < 4 < np.abs(together - images)[:, 8:-8, 8:-8].max()


@pytest.mark.parametrize("size", [1, 3, 9])
def test_a_crop_is_that_of_a_padded_picture(size: int) -> None:
    images = pictures(40, (9, 11, 3))
    got = changed(images, f"crop={size / 9},border=constant")
    padded = np.pad(images, ((0, 0), (size, size), (size, size), (0, 0)))
    places = set()
    for one, wide in zip(got, padded, strict=True):
        found = [
            (top, left)
            for top in range(2 * size + 1)
            for left in range(2 * size + 1)
            if np.array_equal(wide[top : top + 9, left : left + 11], one)
        ]
        assert found
        places.add(found[0])
    assert len(places) > 5


def test_standard_shifts_by_an_eighth_and_mirrors_half() -> None:
    images = pictures(400, (16, 16, 1))
    got = changed(images, "standard")
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    mirrored = 0
    for one, wide in zip(got, padded, strict=True):
        views = [wide[i : i + 16, j : j + 16] for i in range(5) for j in range(5)]
        plain, turned = (any(np.array_equal(view[:, ::way], one) for view in views) for way in (1, -1))
        assert plain != turned
        mirrored += turned
    assert 160 < mirrored < 240
    np.testing.assert_array_equal(changed(images, "flip=1"), images[:, :, ::-1])
    np.testing.assert_array_equal(changed(images, "flip_vertical=1"), images[:, ::-1])


def test_colours_are_torchvisions() -> None:
    """Factors and blends as `adjust_brightness`, `adjust_contrast` and `adjust_saturation` have them."""
    images = smooth(5)
    numbers = images.astype(np.float64)
    grey = (numbers @ BRIGHTNESS)[..., None]
    for kind, towards in (
        ("brightness", 0.0),
        ("contrast", grey.mean(axis=(1, 2, 3), keepdims=True)),
        ("saturation", grey),
    ):
        draws = of(f"{kind}=0.3").draw(np.arange(5), SHAPE, seed=0, epoch=0).astype(np.float64)
        matrix = draws[:, 6:15].reshape(5, 3, 3)
        factor = (matrix[:, 0, 0] - matrix[:, 1, 0])[:, None, None, None] if kind == "saturation" else None
        factor = matrix[:, 0, 0][:, None, None, None] if factor is None else factor
        np.testing.assert_allclose(
            levels(images, draws.astype(np.float32)), factor * numbers + (1 - factor) * towards, atol=2e-3
        )
        assert np.abs(factor - 1).max() > 0.1


def test_contrast_of_a_brightened_picture_is_about_its_new_mean() -> None:
    images = smooth(5)
    draws = of("brightness=0.2,contrast=0.3").draw(np.arange(5), SHAPE, seed=0, epoch=0)
    bright, both = (
        of(kinds).draw(np.arange(5), SHAPE, seed=0, epoch=0) for kinds in ("brightness=0.2", "contrast=0.3")
    )
    steps = levels(levels(images, bright), both)
    np.testing.assert_allclose(levels(images, draws), steps, atol=2e-3)


def test_a_hue_keeps_brightness_and_greys() -> None:
    images = smooth(5)
    got = changed(images, "hue=60")
    np.testing.assert_allclose(got @ BRIGHTNESS, images @ BRIGHTNESS, atol=0.2)
    assert np.abs(got - images).max() > 20
    greys = np.repeat(images[..., :1], 3, axis=3)
    np.testing.assert_allclose(changed(greys, "hue=60,saturation"), greys, atol=0.2)
    np.testing.assert_array_equal(changed(images[..., :1], "hue,saturation=1"), images[..., :1])


def test_bytes_stay_within_their_range_and_floats_do_not() -> None:
    images = pictures(5)
    got = changed(images, "brightness=1,contrast=1,saturation=1,hue=180")
    assert got.min() == 0 and got.max() == 255
    assert changed(images / np.float32(255), "brightness=1").max() > 1.3


def test_a_cutout_is_a_grey_square() -> None:
    images = pictures(50, (16, 20, 3))
    got = changed(images, "cutout=0.5")
    for one, image in zip(got, images, strict=True):
        cut = (one != image).any(axis=2)
        rows, columns = np.flatnonzero(cut.any(axis=1)), np.flatnonzero(cut.any(axis=0))
        assert 4 <= len(rows) <= 8 and 4 <= len(columns) <= 8
        assert (one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 127.5).all()


def test_mixed_pictures_are_sums_of_two_augmented_ones() -> None:
    images = pictures(7)
    mixing = of("rotate,cutout,mixup=1")
    draws = mixing.draw(np.arange(7), images.shape[1:], seed=0, epoch=0)
    alone = draws.copy()
    alone[:, 20] = 1
    plain, share = levels(images, alone), draws[:, 20][:, None, None, None]
    np.testing.assert_allclose(levels(images, draws), share * plain + (1 - share) * plain[::-1], atol=1e-3)
    assert 0 < share.min() < share.max() < 1


def test_the_same_bits_for_any_number_of_threads() -> None:
    images, threads = pictures(16, (45, 31, 3)), ops.num_threads()
    draws = of(",".join(KINDS)).draw(np.arange(16), images.shape[1:], seed=0, epoch=0)
    try:
        found = []
        for count in (1, 2, 5):
            ops.set_num_threads(count)
            found.append(levels(images, draws).tobytes())
    finally:
        ops.set_num_threads(threads)
    assert found[0] == found[1] == found[2]
