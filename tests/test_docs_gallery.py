"""docs/gallery.md: every picture is there and small, has a command that exists, and both languages show the same."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import typer
from PIL import Image

from pellucid.cli.app import app

DOCS = Path(__file__).parent.parent / "docs"
WHOLE = 3_000_000


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", DOCS / "make_pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_pictures"] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_every_picture_is_there_and_together_they_are_small(maker: ModuleType) -> None:
    pictures = maker.gallery()
    text = (DOCS / "gallery.md").read_text("utf-8")
    assert len(pictures) == text.count("![") >= 20 and len({p.link for p in pictures}) == len(pictures)
    files = [DOCS / picture.link for picture in pictures]
    assert sum(file.stat().st_size for file in files) < WHOLE
    for file in files:
        if file.suffix != ".svg":
            with Image.open(file) as image:
                assert image.width >= 400 and np.ptp(np.asarray(image.convert("L"))) > 100, file.name
    assert {file.name for file in (DOCS / "images" / "gallery").iterdir()} <= {file.name for file in files}


def test_every_command_exists_with_its_options(maker: ModuleType) -> None:
    show = typer.main.get_command(app).commands["show"].commands  # type: ignore[attr-defined]
    shown = set()
    for picture in maker.gallery():
        program, *words = picture.words
        if program != "pellucid":
            assert (DOCS.parent / words[0]).is_file()
            continue
        assert words[0] == "show" and words[words.index("--out") + 1] == picture.written
        shown.add(words[1])
        known = {option for parameter in show[words[1]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known
    assert shown == set(show), "one of each picture"


def test_both_languages_show_the_same_pictures_with_the_same_commands(maker: ModuleType) -> None:
    english, korean = ((DOCS / name).read_text("utf-8") for name in ("gallery.md", "gallery.ko.md"))
    found = [maker.SHOWN.findall(text) for text in (english, korean)]
    assert found[0] == found[1] and english.count("\n## ") == korean.count("\n## ")
    assert re.search("[가-힣]", korean)


def test_a_command_writes_its_picture_into_its_place(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(maker, "DOCS", tmp_path / "docs")
    words = ("pellucid", "show", "filters", "simple-convnet", "--out", "f.png")
    maker.make(maker.Picture("images/gallery/f.png", words))
    with Image.open(tmp_path / "docs" / "images" / "gallery" / "f.png") as drawn:
        assert drawn.mode == "P"
    maker.make(maker.Picture("images/gallery/f.jpg", words))
    with Image.open(tmp_path / "docs" / "images" / "gallery" / "f.jpg") as drawn:
        assert drawn.format == "JPEG"
    with pytest.raises(SystemExit, match="failed"):
        maker.make(maker.Picture("images/f.png", ("pellucid", "show", "filters", "nothing", "--out", "f.png")))


def test_a_picture_is_left_as_it_is_where_its_weights_are_not_here(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked = [picture for picture in maker.gallery() if "imagenet" in picture.words]
    assert len(asked) >= 4 and maker.without_weights(maker.gallery()) in ([], asked)  # [] with the package installed
    monkeypatch.setattr(maker, "here", lambda name: False)
    monkeypatch.setattr(maker, "make", lambda picture: pytest.fail(picture.name))
    Image.new("RGB", (40, 30)).save(tmp_path / "cat.png")
    words = ["make_pictures.py", "--photo", str(tmp_path / "cat.png"), "--only", asked[0].name]
    monkeypatch.setattr(sys, "argv", words)
    maker.run()
    assert (
        capsys.readouterr().out == f"{asked[0].name} is left as it is: run pellucid weights fetch mobilenet-v2 first\n"
    )
