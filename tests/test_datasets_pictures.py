"""Picture files: what their pixels become, and the cache that keeps them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from picture_files import write
from PIL import Image

from pellucid import datasets
from pellucid.datasets import cache, folder
from pellucid.datasets.pictures import Probe, fit_array, fitting, probe
from pellucid.datasets.sizes import fitting_of, size_line
from pellucid.errors import ConfigError, DataError

pytestmark = pytest.mark.usefixtures("own_cache")


# pixels -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(tmp_path, orientation, kind):
    upright = np.zeros((32, 48, 3), np.uint8)
    upright[:16, :24] = (255, 0, 0)
    upright[:16, 24:] = (0, 255, 0)
    undo = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{kind}"
    Image.fromarray(np.ascontiguousarray(undo[orientation])).save(path, exif=exif, quality=95)
    got = folder.read_picture(path, (32, 48), 3).astype(int)
    assert np.abs(got - upright).mean() < 12
    if kind != "png":
        assert probe(path).size == (32, 48)


def test_grey_only_where_every_picture_is(tmp_path):
    for name in "ab":
        for number, mode in enumerate(("L", "1", "LA")):
            write(tmp_path / "d" / name / f"{number}.png", mode=mode)
        write(tmp_path / "d" / name / "palette.png", mode="L")
        Image.open(tmp_path / "d" / name / "palette.png").convert("P").save(tmp_path / "d" / name / "palette.png")
    assert datasets.load(tmp_path / "d", size=8).image_shape == (8, 8, 1)
    assert datasets.load(tmp_path / "d", size=8, channels=3).image_shape == (8, 8, 3)
    write(tmp_path / "d" / "a" / "colour.png")
    assert datasets.load(tmp_path / "d", size=8).image_shape == (8, 8, 3)


def test_colour_modes_become_rgb(tmp_path):
    for mode, suffix in (
        ("RGB", "png"),
        ("P", "gif"),
        ("CMYK", "jpg"),
        ("RGBA", "png"),
        ("RGB", "bmp"),
        ("RGB", "webp"),
    ):
        path = write(tmp_path / f"{mode}.{suffix}", colour=(255, 0, 0), mode=mode)
        assert np.abs(folder.read_picture(path, 8, 3).astype(int) - (255, 0, 0)).max() <= 3, mode
    deep = tmp_path / "deep.png"
    Image.fromarray(np.full((9, 9), 0x8040, np.uint16)).save(deep)
    assert np.unique(folder.read_picture(deep, 8, 1)).tolist() == [0x80]
    Image.new("RGBA", (9, 9), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert np.unique(folder.read_picture(tmp_path / "clear.png", 8, 3)).tolist() == [255]


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tif"])
def test_grey_numbers_are_scaled_by_the_bits_they_use(tmp_path, kind, bits):
    values = np.linspace(0, 2**bits - 1, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(values).save(tmp_path / f"a.{kind}")
    got = folder.read_picture(tmp_path / f"a.{kind}", 8, 1)[..., 0]
    assert got.tolist() == (values >> (bits - 8)).tolist()


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (-3, 5), (0, 4000), (2, 2)])
def test_floating_point_numbers_are_scaled_by_their_range(tmp_path, low, high):
    values = np.linspace(low, high, 64).astype(np.float32).reshape(8, 8)
    values[0, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    got = folder.read_picture(tmp_path / "a.tif", 8, 1)[..., 0]
    assert got[0, 3] == 0 and (high == 2 or (got[0, 0], got[7, 7]) == (0, 255))


def test_what_was_done_to_deep_and_small_pictures_is_said(tmp_path):
    for name in "ab":
        for number in range(3):
            path = write(tmp_path / "d" / name / f"{number}.png", size=(28, 28), mode="L")
            if number:
                Image.fromarray(np.asarray(Image.open(path)).astype(np.uint16) * 16 + 15).save(path)
    for _ in range(2):  # decoded, then from the cache
        data = datasets.load(tmp_path / "d")
        assert data.facts[2:] == [
            "pictures 28 x 28 are taken at 32 x 32, in grey",
            "4 pictures hold numbers of 12 bits",
        ]


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([(8, 8)], (32, 32)),
        ([(28, 28)], (32, 32)),
        ([(20, 10)], (64, 32)),
        ([(33, 40)], (33, 40)),
        ([(9, 9), (12, 20), (16, 11)], (32, 32)),
        ([(50, 60), (70, 41), (200, 90)], (56, 56)),
        ([(600, 400)], (128, 128)),
        ([(600, 400), (1000, 500)], (128, 128)),
        ([(256, 256)], (256, 256)),
        ([(8, 64)], (32, 256)),
        ([(8, 65)], (32, 256)),
        ([(100, 10)], (256, 32)),
        ([(20, 300)], (32, 256)),
    ],
)
def test_the_size_follows_the_pictures(sizes, wanted):
    assert fitting_of([Probe(size, False) for size in sizes], None, "crop", None).size == wanted


@pytest.mark.parametrize(
    ("sizes", "end"),
    [
        ([(20, 400)], "cropped to 40 % of what they show"),
        ([(8, 64), (64, 8)], "cropped to 12 % of what they show"),
        ([(20, 300)], "in colour"),
        ([(600, 400)], "in colour"),
    ],
)
def test_a_crop_of_less_than_half_is_said(sizes, end):
    probes = [Probe(size, False) for size in sizes]
    line = size_line(probes, fitting_of(probes, None, "crop", None))
    assert line.endswith(end)


def test_pictures_too_narrow_to_enlarge(tmp_path):
    for name in "ab":
        write(tmp_path / "d" / name / "0.png", size=(200, 1))
    with pytest.raises(DataError, match=r"1 x 200 are too narrow .* size=32 with resize=.stretch"):
        datasets.load(tmp_path / "d")


def stripes():
    """60 x 20: a red, a green and a blue square."""
    return np.repeat(np.eye(3, dtype=np.uint8)[None] * 255, 20, axis=0).repeat(20, axis=1)


def test_resize_rules():
    wide = stripes()[None]
    crop = fit_array(wide, fitting(10, 3, "crop"))[0]
    assert np.all(crop[:, 1:-1] == (0, 255, 0)) and np.all(crop[..., 1] > 200)
    pad = fit_array(wide, fitting(12, 3, "pad"))[0]
    assert not pad[:4].any() and not pad[8:].any() and pad[5, 0].tolist() == [255, 0, 0] and pad[5, 11, 2] == 255
    stretch = fit_array(wide, fitting((20, 9), 3, "stretch"))[0]
    assert stretch.shape == (20, 9, 3) and stretch[0, 1].tolist() == [255, 0, 0] and stretch[19, 7, 2] == 255
    tall = fit_array(wide.transpose(0, 2, 1, 3), fitting(10, 3, "crop"))[0]
    assert np.array_equal(tall.transpose(1, 0, 2), crop)


def test_the_centre_is_cut_out_in_whole_pixels():
    """256 x 384 to 224: torchvision's CenterCrop takes rows 16 to 240 and columns 80 to 304, untouched."""
    picture = np.random.default_rng(0).integers(0, 256, (256, 384, 3)).astype(np.uint8)
    cut = fit_array(picture[None], fitting(224, 3, "center"))[0]
    assert np.array_equal(cut, picture[16:240, 80:304])
    for height, width in ((1000, 1501), (333, 384), (17, 16)):
        tall = np.random.default_rng(1).integers(0, 256, (height, width, 3)).astype(np.uint8)
        short = min(height, width)
        size = (int(256 * width / short), int(256 * height / short))
        resized = np.asarray(Image.fromarray(tall).resize(size, Image.Resampling.BILINEAR))
        top, left = round((size[1] - 224) / 2), round((size[0] - 224) / 2)
        expected = resized[top : top + 224, left : left + 224]
        assert np.array_equal(fit_array(tall[None], fitting(224, 3, "center"))[0], expected)
    assert fit_array(picture[None], fitting((5, 31), 1, "center")).shape == (1, 5, 31, 1)


def test_shrinking_averages():
    checks = np.indices((64, 64)).sum(axis=0)[None, ..., None] % 2 * 255
    small = fit_array(checks.astype(np.uint8), fitting(8, 1))
    assert np.abs(small.astype(int) - 127).max() <= 3  # without antialiasing it would be all 0 or all 255


def test_draft_decoding_changes_little(tmp_path):
    photo = Path(os.environ.get("PELLUCID_DATA", ""), "photos", "flower.jpg")
    if not photo.is_file():
        pytest.skip("the photographs are not on this machine")
    full = np.asarray(Image.open(photo).convert("RGB"))[None]
    got = folder.read_picture(photo, 64, 3).astype(int)
    assert np.abs(got - fit_array(full, fitting(64, 3))[0]).mean() < 2


@pytest.mark.parametrize(
    ("size", "channels", "resize"),
    [(0, 3, "crop"), (0.5, 3, "crop"), ((8,), 3, "crop"), (8, 2, "crop"), (8, 3, "squash")],
)
def test_wrong_fittings(pets, size, channels, resize):
    with pytest.raises(ConfigError, match=r"size must be|channels must be|unknown resize rule"):
        datasets.load(pets, size=size, channels=channels, resize=resize)


def test_default_size(pets):
    assert datasets.load(pets).image_shape == (32, 43, 3)
    write(pets / "cat" / "large.png", size=(60, 60))
    assert datasets.load(pets).image_shape == (32, 32, 3)


def test_list_pictures(pets, tmp_path):
    (pets / "cat" / "notes.txt").write_bytes(b"")
    found, skipped = folder.list_pictures([pets / "dog" / "03.png", pets / "cat"])
    assert [path.name for path in found[:3]] == ["03.png", "00.png", "01.png"] and len(found) == 11
    assert [Path(name).name for name, _ in skipped] == ["notes.txt"]
    with pytest.raises(DataError, match="no such file"):
        folder.list_pictures([tmp_path / "absent.png"])


# the cache ----------------------------------------------------------------------------------------------------------


def test_pictures_are_decoded_once(pets, own_cache, monkeypatch):
    seen = []
    first = datasets.load(pets, size=8, progress=lambda done, total, what: seen.append((done, total, what)))
    assert seen[0] == (1, 30, "looking at pictures") and seen[-1] == (30, 30, "reading pictures")
    assert sorted(path.suffix for path in own_cache.iterdir()) == [".json", ".u8"]
    for name in ("decode", "decode_with_numbers"):
        monkeypatch.setattr(cache, name, None)
    again = datasets.load(pets, size=8)
    assert np.array_equal(first.train.images[:], again.train.images[:])


def test_a_changed_folder_is_read_anew(pets):
    datasets.load(pets, size=8)
    write(pets / "cat" / "00.png", colour=(77, 77, 77))
    os.utime(pets / "cat" / "00.png", ns=(1, 1))
    data = datasets.load(pets, size=8, files={"test": ["cat/00.png"]}, class_names=["cat", "dog"])
    assert np.unique(data.test.images[0]).tolist() == [77]


def test_a_damaged_cache_is_built_anew(pets, own_cache):
    wanted = datasets.load(pets, size=8).test.images[:]
    next(own_cache.glob("*.u8")).write_bytes(b"short")
    assert np.array_equal(datasets.load(pets, size=8).test.images[:], wanted)
    next(own_cache.glob("*.json")).write_text("{")
    assert np.array_equal(datasets.load(pets, size=8).test.images[:], wanted)


def test_without_room_pictures_are_decoded_on_the_fly(pets, own_cache, monkeypatch):
    wanted = datasets.load(pets, size=8)
    monkeypatch.setenv("PELLUCID_CACHE_BYTES", "100")
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_cache / "elsewhere"))
    got = datasets.load(pets, size=8)
    assert not list((own_cache / "elsewhere").rglob("*.u8"))
    assert np.array_equal(got.train.images[:], wanted.train.images[:])
    assert np.array_equal(got.train.images[np.array([3, 1])], wanted.train.images[np.array([3, 1])])
    monkeypatch.setenv("PELLUCID_CACHE_BYTES", "plenty")
    with pytest.raises(ConfigError, match="whole number of bytes, got 'plenty'"):
        datasets.load(pets, size=8)


def test_a_cache_that_cannot_be_written_is_no_error(pets, monkeypatch, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert len(datasets.load(pets, size=8).train) == 24


def test_longest_unused_caches_go_first(pets, own_cache, monkeypatch):
    one = 30 * 8 * 8 * 3
    monkeypatch.setenv("PELLUCID_CACHE_BYTES", str(2 * one + one // 2))
    for age, rule in ((300, "crop"), (200, "pad")):
        before = set(own_cache.glob("*.json")) if own_cache.exists() else set()
        datasets.load(pets, size=8, resize=rule)
        (new,) = set(own_cache.glob("*.json")) - before
        os.utime(new, (new.stat().st_mtime - age,) * 2)
    datasets.load(pets, size=8, resize="crop")  # used: now "pad" is the oldest
    datasets.load(pets, size=8, resize="stretch")
    rules = sorted(json.loads(path.read_text())["resize"] for path in own_cache.glob("*.json"))
    assert rules == ["crop", "stretch"] and len(list(own_cache.glob("*.u8"))) == 2


def test_stored_pictures_index_like_an_array(pets):
    images = datasets.load(pets, size=8).train.images
    whole = images[:]
    assert images.shape == whole.shape == (24, 8, 8, 3) and images.dtype == np.uint8 and len(images) == 24
    for rows in (0, -1, np.int64(5), slice(3, 9, 2), np.array([7, 7, 0]), slice(0, 0)):
        assert np.array_equal(images[rows], whole[rows])
    with pytest.raises(IndexError):
        images[24]
    chosen = images.select(np.array([5, 2]))
    assert np.array_equal(chosen[:], whole[[5, 2]]) and np.array_equal(np.array(list(chosen)), whole[[5, 2]])


MEMORY_SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from pellucid import datasets
from pellucid.datasets.batches import Batches

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024

datasets.load(sys.argv[2], size=8)  # a small folder first: everything is imported, every pool has run
before = peak()
data = datasets.load(sys.argv[1], size=224)
total = 0
for batch in Batches(data.train.images, 32).epoch(0):
    total += int(batch.sum())
print(peak() - before, len(data.train) * 224 * 224 * 3)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own account of memory")
def test_memory_does_not_grow_with_the_folder(tmp_path, pets):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8))
    for name in "ab":
        (tmp_path / "d" / name).mkdir(parents=True)
        for number in range(450):
            path = tmp_path / "d" / name / f"{number}.jpg"
            if number == 0:
                photo.save(path, quality=50)
            else:
                os.link(tmp_path / "d" / name / "0.jpg", path)
    command = [sys.executable, "-c", MEMORY_SCRIPT, str(tmp_path / "d"), str(pets)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    grown, held = map(int, done.stdout.split())
    assert held > 100e6
    assert grown < 45e6, f"{grown / 1e6:.0f} MB for pictures of {held / 1e6:.0f} MB"
