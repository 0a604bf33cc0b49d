"""Networks with published weights: how they are asked for, what they get, and what is said where they cannot be had."""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch_branches as branches
from commands import Command
from PIL import Image
from published_files import only_data, publish, write_weights

from pellucid import zoo
from pellucid.convert import PUBLISHED, SCALINGS, imagenet_names, locate, published
from pellucid.datasets.pictures import read_picture
from pellucid.errors import CheckpointError, ConfigError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

FILE = "squeezenet1_1-b8a52dc0.pth"


@pytest.fixture(scope="module")
def module() -> Any:
    return branches.squeezenet(64, 3, (3, 5), 1000)


@pytest.fixture
def stand_in(module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Random weights in the place of SqueezeNet's published ones."""
    only_data(tmp_path, tmp_path / "cache", monkeypatch)
    path = write_weights(tmp_path / "weights" / FILE, module)
    publish(path, monkeypatch)
    return path


def test_a_builder_takes_weights_and_the_model_gets_names_and_scaling(stand_in: Path, module: Any) -> None:
    model = zoo.squeezenet1_1((96, 96, 3), weights="imagenet")
    assert model.class_names == imagenet_names() and model.preprocessing.resize == "center"
    assert model.trained_on["weights"]["file"] == FILE
    kernel = module.state_dict()["features.3.expand3x3.weight"].permute(2, 3, 1, 0).numpy()
    np.testing.assert_array_equal(model.get_layer("fire2_expand3x3").params["kernel"], kernel)
    other = zoo.build("squeezenet1_1", input_shape=(64, 64, 3), classes=3, weights="imagenet")
    assert other.output_shape == (3,) and other.class_names is None
    np.testing.assert_array_equal(other.get_layer("fire2_expand3x3").params["kernel"], kernel)
    changed = zoo.build("squeezenet1_1", weights="imagenet", options={"dropout.rate": 0.1})
    np.testing.assert_array_equal(changed.get_layer("fire2_expand3x3").params["kernel"], kernel)
    from_file = zoo.squeezenet1_1((96, 96, 3), weights=stand_in)
    np.testing.assert_array_equal(from_file.weights[0], model.weights[0])


def test_what_cannot_be_had_is_said(stand_in: Path) -> None:
    with pytest.raises(ConfigError, match="'lenet5' has no published weights; there are those of efficientnet-lite0"):
        zoo.lenet5(weights="imagenet")
    with pytest.raises(CheckpointError, match="no such file of weights"):
        zoo.lenet5(weights="imagenet2")
    stand_in.write_bytes(stand_in.read_bytes() + b"?")
    with pytest.raises(CheckpointError, match=r"whose SHA256 begins with .*; fetch it again|damaged zip"):
        zoo.squeezenet1_1(weights="imagenet")


def test_published_weights_are_those_of_a_network_or_a_file() -> None:
    assert published("vgg16").file.endswith("397923af.pth") and published("VGG16_BN").network == "vgg16_bn"
    assert published("squeezenet1-1") is published(FILE) is PUBLISHED[FILE]
    for one in PUBLISHED.values():
        assert one.licence and one.scaling in SCALINGS and one.model in zoo.NAMES


def test_the_classes_of_imagenet() -> None:
    names = imagenet_names()
    assert len(names) == len(set(names)) == 1000 and all(names)
    assert (names[0], names[281], names[967], names[999]) == ("tench", "tabby", "espresso", "toilet tissue")


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_builder_takes_weights(name: str) -> None:
    assert inspect.signature(zoo.BUILDERS[name]).parameters["weights"].default is None
    assert "weights" not in zoo.options_of(name)


def test_the_command_lists_and_fetches(command: Command, stand_in: Path, tmp_path: Path) -> None:
    status, told, _ = command("weights", "list", "--json")
    facts = {row["file"]: row for row in json.loads(told)}
    assert status == 0 and facts.keys() == PUBLISHED.keys() and facts[FILE]["where"] == str(stand_in)
    status, told, _ = command("weights", "list")
    assert status == 0 and all(one.network in told for one in PUBLISHED.values()) and str(stand_in.parent) in told
    status, told, _ = command("weights", "fetch", "squeezenet1_1", "--into", tmp_path / "stick")
    assert status == 0 and (tmp_path / "stick" / "weights" / FILE).read_bytes() == stand_in.read_bytes()
    status, told, err = command("weights", "fetch", FILE, "resnet18")
    assert status == 1 and str(stand_in) in told and err.count("\n") == 1
    assert "resnet18-f37072fd.pth is not on this machine" in err and "Put it into" in err
    assert command("weights", "fetch", "resnet20")[0] == 1


def test_the_command_predicts_with_published_weights(command: Command, stand_in: Path, tmp_path: Path) -> None:
    Image.new("RGB", (300, 280), (200, 120, 40)).save(tmp_path / "orange.png")
    status, told, err = command("predict", "SqueezeNet1-1", tmp_path / "orange.png", "--top", "5", "--json")
    assert status == 0, err
    answers = json.loads(told)[0]["predictions"]
    assert len(answers) == 5 and all(answer["class"] in imagenet_names() for answer in answers)
    status, _, err = command("predict", "resnet18", tmp_path / "orange.png")
    assert status == 1 and "resnet18-f37072fd.pth is not on this machine" in err
    status, _, err = command("predict", "resnet20", tmp_path / "orange.png")
    assert status == 1 and "'resnet20' has no published weights" in err
    assert command("predict", "resnet21", tmp_path / "orange.png")[0] == 1


def test_pictures_of_a_network_by_name_are_of_its_published_weights(
    command: Command, stand_in: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn: list[Any] = []
    monkeypatch.setattr("pellucid.visualise.write_figure", lambda figure, path: drawn.append(figure))
    for given in ([], ["--weights", "imagenet"], ["--weights", stand_in]):
        status, _, err = command("show", "filters", "squeezenet1-1", *given)
        assert (status, err) == (0, "") and "not trained" not in drawn[-1].get_suptitle()
    assert command("show", "filters", "squeezenet1_1", "--weights", "none")[::2] == (0, "")
    assert "not trained" in drawn[-1].get_suptitle()
    status, _, err = command("show", "filters", "resnet18")
    assert status == 0 and "resnet18 is drawn before training" in err and "--weights imagenet fetches them" in err
    assert "not trained" in drawn[-1].get_suptitle()
    status, _, err = command("show", "filters", "resnet18", "--weights", "imagenet")
    assert status == 1 and "resnet18-f37072fd.pth is not on this machine" in err
    assert command("show", "filters", "resnet20")[::2] == (0, ""), "nobody has published any"
    zoo.lenet5().save("own.safetensors")
    status, _, err = command("show", "filters", "own.safetensors", "--weights", "imagenet")
    assert status == 1 and "own.safetensors has its own" in err


REAL = {
    "mobilenet-v2": lambda: branches.mobilenet_v2(branches.MOBILE, 1000),
    **{name: lambda form=form: branches.efficientnet_lite(*form, 1000) for name, form in branches.LITES.items()},
}


@pytest.mark.parametrize("name", REAL)
def test_the_published_weights_see_what_is_in_photographs(name: str) -> None:
    """Logits as PyTorch's to 1e-4 and the same first five; the cat is a cat, the coffee an espresso."""
    file, photos = locate(published(name)), Path(os.environ.get("PELLUCID_DATA", ""), "photos")
    if file is None or not photos.is_dir():
        pytest.skip(f"the published weights of {name}, or the photographs, are not on this machine")
    module = REAL[name]()
    module.load_state_dict(torch.load(file, weights_only=True))
    model = zoo.build(name, weights="imagenet")
    side = model.input_shape[0]
    seen = {}
    for photo in sorted(photos.iterdir()):
        pixels = read_picture(photo, (side, side), 3, model.preprocessing.resize)[None]
        with torch.no_grad():
            logits = module.eval()(torch.from_numpy(model.scaled(pixels)).permute(0, 3, 1, 2))
        wanted, found = torch.log_softmax(logits.double(), 1)[0].numpy(), np.log(model.predict(pixels)[0])
        np.testing.assert_allclose(found, wanted, atol=1e-4)
        assert (np.argsort(-found)[:5] == np.argsort(-wanted)[:5]).all()
        seen[photo.stem] = imagenet_names()[int(found.argmax())]
    assert "cat" in seen["chelsea"].split() and seen["coffee"] == "espresso"
