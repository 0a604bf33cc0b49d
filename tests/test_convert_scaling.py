"""How pictures are scaled for imported weights: asked for, tried on pictures, and said where it is a guess."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import layers as L
from pellucid.convert import compare_scalings, import_weights
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError
from pellucid.export import write
from pellucid.model import Sequential


def model() -> Sequential:
    """Two classes by brightness, which changes between 100 and 150 of 255, where pixels are scaled to -1 to 1."""
    made = Sequential([L.Input((8, 8, 3)), L.GlobalAvgPool2D(name="pool"), L.Dense(2, activation="softmax", name="fc")])
    made.get_layer("fc").set_weights([np.array([[-20.0, 20.0]] * 3), np.zeros(2)])
    return made


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label, values in (("dark", (20, 60, 110)), ("light", (140, 190, 240))):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for value in values:
            Image.new("RGB", (8, 8), (value, value, value)).save(tmp_path / "photos" / label / f"{value}.png")
    return tmp_path / "photos"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write(model(), tmp_path / "net.py")
    return tmp_path / "net.safetensors"


def test_mean_and_deviation_of_ones_own_are_taken_and_a_guess_is_known(weights: Path) -> None:
    own = model()
    report = import_weights(own, weights, scaling=Preprocessing(mean=(0.5,), std=(0.25,)))
    assert (own.preprocessing.mean, own.preprocessing.std, own.preprocessing.size) == ((0.5,), (0.25,), (8, 8))
    assert report.scaling == "own" and not report.guessed
    assert import_weights(own, weights).guessed and not import_weights(own, weights, scaling="raw").guessed
    assert own.preprocessing.scale == 1
    with pytest.raises(ConfigError, match=r"takes pictures of 3 channels.*one number, or one a channel"):
        import_weights(own, weights, scaling=Preprocessing(mean=(0.5, 0.5)))


def test_the_scaling_that_fits_is_found(photos: Path) -> None:
    found = compare_scalings(own := model(), photos)
    before = {one.scaling: one for one in found}
    assert found[0].scaling == "inception" or found[0].accuracy == before["inception"].accuracy == 1
    assert before["raw"].accuracy == before["plain"].accuracy == 0.5 and own.preprocessing == Preprocessing()
    assert [one.accuracy for one in found] == sorted((one.accuracy for one in found), reverse=True)


def test_the_command_asks_tries_and_warns(command: Command, weights: Path, photos: Path, tmp_path: Path) -> None:
    model().save(tmp_path / "m.safetensors")
    given = ("import", weights, "--as", tmp_path / "m.safetensors", "--out", tmp_path / "out.safetensors")
    status, _, err = command(*given)
    assert status == 0 and "is a guess (plain)" in err and "--check FOLDER" in err
    status, _, err = command(*given, "--mean", "0.5,0.4,0.3", "--std", "0.2")
    assert status == 0 and "guess" not in err
    assert pellucid.load(tmp_path / "out.safetensors").preprocessing.mean == (0.5, 0.4, 0.3)
    status, out, err = command(*given, "--check", photos)
    assert status == 0 and "accuracy" in out and "100" in out and "guess" not in err
    status, out, _ = command(*given, "--check", photos, "--json")
    rows = json.loads(out)["check"]
    assert rows[0]["accuracy"] == 1 and json.loads(out)["scaling"] == rows[0]["scaling"]
    other = Sequential([L.Input((8, 8, 3)), L.Flatten(), L.Dense(3, name="x"), L.Dense(2, name="y")])
    other.save(tmp_path / "m.safetensors")
    status, out, err = command(*given, "--json")
    assert status == 1 and len(json.loads(out)["missing"]) == 4 and "does not fit" in err
    for wrong, message in (
        (("--mean", "a"), "expected numbers"),
        (("--mean", "123"), "say --scaling raw too"),
        (("--mean", "0.5", "--scaling", "caffe"), "has its own mean and std"),
    ):
        status, _, err = command(*given, *wrong)
        assert status == 1 and message in err, err
