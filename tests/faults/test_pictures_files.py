"""Pictures from strangers: too large, cut short, of a kind that runs programs, or no pictures at all."""

from __future__ import annotations

import contextlib
import os
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from limits import needs_limits, read_within
from PIL import Image

from pellucid import datasets
from pellucid.datasets.folder import read_picture
from pellucid.datasets.pictures import probe
from pellucid.errors import DataError

Cases = Callable[[int], None]


def noise(height: int, width: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


KINDS = {
    "jpg": {"quality": 90},
    "png": {},
    "bmp": {},
    "gif": {},
    "webp": {},
    "tif": {},
    "ppm": {},
}


def saved(folder: Path, kind: str, height: int = 24, width: int = 30) -> Path:
    path = folder / f"picture.{kind}"
    noise(height, width).save(path, **KINDS[kind])
    return path


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def claiming(folder: Path, side: int) -> list[Path]:
    """Small files, each of which says that it is `side` x `side` pixels."""
    contents = {"a.png": png(side, side, bytes(10_000)), "a.ppm": f"P6 {side} {side} 255\n".encode() + bytes(10_000)}
    bmp = saved(folder, "bmp").read_bytes()
    contents["a.bmp"] = bmp[:18] + struct.pack("<2i", side, side) + bmp[26:]
    gif = saved(folder, "gif").read_bytes()
    descriptor = gif.index(b",\0\0\0\0")
    size = struct.pack("<2H", side, side)
    contents["a.gif"] = gif[:6] + size + gif[10 : descriptor + 5] + size + gif[descriptor + 9 :]
    jpg = saved(folder, "jpg").read_bytes()
    frame = jpg.index(b"\xff\xc0")
    contents["a.jpg"] = jpg[: frame + 5] + struct.pack(">2H", side, side) + jpg[frame + 9 :]
    tif = saved(folder, "tif").read_bytes()
    for tag in (256, 257):
        place = next(
            i for i in range(len(tif)) if tif[i : i + 4] in (struct.pack("<2H", tag, 3), struct.pack("<2H", tag, 4))
        )
        tif = tif[:place] + struct.pack("<2H2I", tag, 4, 1, side) + tif[place + 12 :]
    contents["a.tif"] = tif
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


@needs_limits
@pytest.mark.parametrize("side", [12_000, 20_000, 60_000])
def test_large_pictures_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int, cases: Cases
) -> None:
    """With 150 MB: 20,000 x 20,000 in colour would take 1,200."""
    paths = claiming(tmp_path, side)
    sizes = []
    for path in paths:
        with (
            contextlib.suppress(Image.DecompressionBombError, Image.DecompressionBombWarning),
            Image.open(path) as image,
        ):
            sizes.append(image.size)
    assert set(sizes) <= {(side, side)}, "the claims are those of the files"
    good = tmp_path / "good.png"
    noise(40, 30).save(good)
    reader = "lambda path: (probe(path), read_picture(path, 32, 3))"
    imports = "from pellucid.datasets.pictures import probe, read_picture"
    told = read_within(150, imports, reader, paths, warm=good)
    for path, text in zip(paths, told, strict=True):
        assert text.startswith(f"DataError {path}: cannot be decoded (its ") and "more than 128 million" in text, text
    cases(len(paths))


def test_a_telephones_picture_of_108_million_is_not_too_large(tmp_path: Path) -> None:
    """And Pillow's own doubts about its size are no warning of ours."""
    (tmp_path / "a.png").write_bytes(png(12_000, 9_000))
    assert probe(tmp_path / "a.png").size == (9_000, 12_000)


@pytest.mark.parametrize("kind", KINDS)
def test_cut_at_any_place_it_is_an_error_or_a_picture(tmp_path: Path, kind: str, cases: Cases) -> None:
    whole = saved(tmp_path, kind).read_bytes()
    path = tmp_path / f"cut.{kind}"
    lengths = [*range(0, 64), *range(64, len(whole), max(1, len(whole) // 60))]
    refused = 0
    for length in lengths:
        path.write_bytes(whole[:length])
        try:
            assert read_picture(path, 8, 3).shape == (8, 8, 3)
        except DataError as error:
            refused += 1
            assert str(error).startswith(f"{path}: cannot be decoded (")
            assert "\n" not in str(error)
    assert refused > 64 - 10 * (kind == "ppm")
    cases(len(lengths))


@pytest.mark.filterwarnings("ignore")  # what Pillow thinks of damaged pictures
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_in_any_place_it_is_an_error_or_a_picture(tmp_path: Path, kind: str, cases: Cases) -> None:
    whole = saved(tmp_path, kind).read_bytes()
    path = tmp_path / f"damaged.{kind}"
    rng = np.random.default_rng(5)
    for _ in range(150):
        content = bytearray(whole)
        reach = len(whole) if rng.random() < 0.5 else min(200, len(whole))  # headers are where the harm is
        for place in rng.integers(0, reach, rng.integers(1, 5)).tolist():
            content[place] = int(rng.integers(0, 256))
        path.write_bytes(content)
        for reader in (probe, lambda file: read_picture(file, 8, 3)):
            with contextlib.suppress(DataError):
                reader(path)
    cases(150)


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 40 30
%%EndComments
(w) file
%%EOF
"""


@pytest.mark.skipif(sys.platform == "win32", reason="plants a program for a Unix shell")
@pytest.mark.parametrize("name", ["a.eps", "a.png", "a.jpg"])
def test_postscript_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Pillow hands EPS, whatever its name, to Ghostscript: here a program that leaves a canary."""
    canary = tmp_path / "canary"
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "gs").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (programs / "gs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)  # not looked for yet
    (tmp_path / name).write_bytes(EPS)
    for reader in (probe, lambda path: read_picture(path, 8, 3)):
        with pytest.raises(DataError, match="no picture of a known type"):
            reader(tmp_path / name)
    assert not canary.exists()
    with contextlib.suppress(Exception), Image.open(tmp_path / name) as image:
        image.load()
    assert canary.exists(), "Pillow alone would have started it"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"<!DOCTYPE html><html><body>403 Forbidden</body></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>",
        b"%PDF-1.7\n",
        b"\x80\x04\x95cos\nsystem\n",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"II*\0\xff\xff\xff\xff",
        b"P6 -1 5 255\n",
        b"P6 0 0 255\n",
        b"BM" + b"\xff" * 60,
        b"8BPS\0\1" + bytes(60),
        b"PK\x03\x04" + bytes(60),
    ],
)
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for reader in (probe, lambda file: read_picture(file, 8, 3)):
        with pytest.raises(DataError, match=r"a\.png: cannot be decoded \(.+\)$"):
            reader(path)


def test_pipes_and_devices_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name in ("pipe.png", "zero.png", "loop.png", "absent.png"):
        with pytest.raises(DataError, match=rf"{name}: cannot be decoded"):
            read_picture(tmp_path / name, 8, 3)


def test_a_folder_with_one_of_each_goes_on_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("cat", "dog"):
        (tmp_path / "d" / name).mkdir(parents=True)
        for number in range(3):
            noise(20, 20, seed=number).save(tmp_path / "d" / name / f"{number}.png")
    bad = tmp_path / "d" / "cat"
    (bad / "zero.png").write_bytes(b"")
    (bad / "bomb.png").write_bytes(png(20_000, 20_000))
    (bad / "script.jpg").write_bytes(EPS)
    (bad / "cut.png").write_bytes((bad / "0.png").read_bytes()[:300])
    os.mkfifo(bad / "pipe.png")
    (bad / "broken.png").symlink_to("nowhere")
    data = datasets.load(tmp_path / "d", size=8)
    assert len(data.train) + len(data.test) == 6
    names = {Path(name).name for name, _ in data.skipped}
    assert names == {"zero.png", "bomb.png", "script.jpg", "cut.png", "pipe.png", "broken.png"}


# Unusual, and read -------------------------------------------------------------------------------------------------


def test_of_an_animation_the_first_frame_is_read(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (9, 7), (255, 0, 0)), Image.new("RGB", (9, 7), (0, 0, 255))
    for kind in ("gif", "png", "webp", "tif"):
        path = tmp_path / f"a.{kind}"
        options = {"lossless": True} if kind == "webp" else {}
        red.save(path, save_all=True, append_images=[blue, red] * 20, **options)
        with Image.open(path) as image:
            assert image.n_frames == 41
        assert np.unique(read_picture(path, 4, 3).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_palettes_inks_and_deep_pixels_are_what_they_look_like(tmp_path: Path) -> None:
    orange = Image.new("RGB", (9, 7), (255, 128, 0))
    for name, image in (
        ("palette.png", orange.convert("P")),
        ("palette.gif", orange.convert("P", palette=Image.Palette.ADAPTIVE)),
        ("ink.jpg", orange.convert("CMYK")),
        ("ink.tif", orange.convert("CMYK")),
    ):
        image.save(tmp_path / name)
        assert np.abs(read_picture(tmp_path / name, 4, 3).astype(int) - (255, 128, 0)).max() <= 4, name
    half = np.full((7, 9), 0x8040, np.uint16)
    for name in ("deep.png", "deep.tif", "deep.pgm"):
        Image.fromarray(half).save(tmp_path / name)
        assert np.unique(read_picture(tmp_path / name, 4, 1)).tolist() == [0x80], name


def test_one_pixel_and_one_row_are_pictures(tmp_path: Path) -> None:
    for size in ((1, 1), (1, 4000), (4000, 1)):
        Image.new("RGB", size, (10, 20, 30)).save(tmp_path / "a.png")
        for rule in ("crop", "center", "pad", "stretch"):
            assert read_picture(tmp_path / "a.png", 16, 3, rule).shape == (16, 16, 3)
