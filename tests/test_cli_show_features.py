"""`pellucid show features | number | histograms` on a small run: what is written, what is said, how it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from PIL import Image

import pellucid
from pellucid import datasets, zoo
from pellucid.visualise import dissect, dissect_gradient, dissect_weight


@pytest.mark.parametrize(
    "words",
    [
        ["features"],
        ["features", "--layer", "conv1", "--channels", "4", "--scale", "common"],
        ["arithmetic"],
        ["arithmetic", "--layer", "affine2", "--at", "3"],
        ["histograms"],
        ["histograms", "--kind", "gradients"],
        ["histograms", "--over-time"],
        ["histograms", "--kind", "weights", "--over-time", "--layer", "conv1"],
    ],
)
def test_each_writes_a_picture_and_says_where(
    command: Command, run_folder: Path, tmp_path: Path, words: list[str]
) -> None:
    out = tmp_path / "picture.svg"
    status, told, err = command("show", words[0], run_folder, *words[1:], "--out", out)
    assert (status, told, err) == (0, f"{out}\n", "")
    assert out.read_text("utf-8").startswith("<?xml") and out.stat().st_size > 5000


def test_a_picture_with_the_other_background_is_noticed_and_swapped(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    paper = np.full((8, 8), 255, np.uint8)
    paper[2:6, 3:5] = 0
    Image.fromarray(paper).save(tmp_path / "paper.png")
    Image.fromarray(255 - paper).save(tmp_path / "night.png")
    out = tmp_path / "out.png"
    look = ("show", "features", run_folder, "--out", out, "--image")
    assert command(*look, tmp_path / "paper.png", "--lang", "en")[2].endswith("so it will guess; try --invert\n")
    assert command(*look, tmp_path / "night.png", "--lang", "ko", "--invert")[2].endswith("--invert를 빼십시오\n")
    assert command(*look, tmp_path / "night.png")[2] == ""
    expected = out.read_bytes()
    (tmp_path / "swapped").mkdir()
    (tmp_path / "paper.png").rename(tmp_path / "swapped" / "night.png")  # its name is in the picture
    assert command(*look, tmp_path / "swapped" / "night.png", "--invert")[2] == "" and out.read_bytes() == expected
    status, _, err = command("show", "features", run_folder, "--invert")
    assert status == 1 and "name it with --image" in err


def test_without_out_pictures_go_into_the_run_or_beside_a_model_file(
    command: Command, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = zoo.build("simple-convnet", input_shape=(8, 8, 1), classes=10)
    model.save(tmp_path / "new.safetensors")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("black.png")
    status, out, err = command("show", "features", "new.safetensors", "--image", "black.png")
    assert (status, out, err) == (0, "new-features.png\n", "") and Path("new-features.png").stat().st_size > 5000
    status, _, err = command("show", "features", "new.safetensors")
    assert status == 1 and "new.safetensors: nothing says which data" in err and "--image" in err
    status, _, err = command("show", "histograms", "new.safetensors")
    assert status == 1 and "--data" in err
    status, out, err = command("show", "histograms", "new.safetensors", "--data", "digits", "--out", "h.png")
    assert (status, out, err) == (0, "h.png\n", "")


def test_a_network_that_was_never_trained_is_drawn_by_its_name(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((28, 28), 200, np.uint8)).save("grey.png")
    assert command("show", "features", "simple-convnet", "--image", "grey.png", "--out", "a.svg")[0] == 0
    assert "not trained" in Path("a.svg").read_text("utf-8")
    status, _, err = command("show", "features", "simple-convnt", "--image", "grey.png")
    assert status == 1 and "did you mean 'simple-convnet'" in err
    status, _, err = command("show", "features", "runs/none", "--image", "grey.png")
    assert status == 1 and "no such run" in err


def test_standard_output_gets_a_png_and_nothing_else(run_folder: Path) -> None:
    arguments = [sys.executable, "-m", "pellucid", "show", "arithmetic", str(run_folder), "--out", "-"]
    done = subprocess.run(arguments, capture_output=True, check=True)
    with Image.open(io.BytesIO(done.stdout)) as picture:
        assert picture.format == "PNG" and picture.size[0] > 400
    assert done.stdout.rstrip().endswith(b"IEND\xaeB`\x82")


def test_a_number_as_data_is_what_python_says(command: Command, run_folder: Path, pictures: Path) -> None:
    status, out, _ = command(
        "show", "arithmetic", run_folder, "--image", pictures / "3.png", "--layer", "conv1", "--at", "0,1,2", "--json"
    )
    assert status == 0
    told = json.loads(out)
    with Image.open(pictures / "3.png") as file:
        found = dissect(pellucid.load(run_folder), np.asarray(file), "conv1", (0, 1, 2))
    assert told["position"] == [0, 1, 2] and told["rows"] == list(found.rows)
    np.testing.assert_allclose(told["products"], np.asarray(found.products))
    assert np.sum(told["products"]) + told["bias"] == pytest.approx(told["before"], rel=1e-5)
    assert told["computed"] == pytest.approx(told["result"], rel=1e-5, abs=1e-6)


def test_a_gradient_as_data_is_what_python_says(command: Command, run_folder: Path, pictures: Path) -> None:
    image = ["--image", pictures / "3.png", "--class", "7", "--layer", "conv1", "--json"]
    status, out, _ = command("show", "arithmetic", run_folder, *image, "--at", "1,2,0", "--backward")
    told, model = json.loads(out), pellucid.load(run_folder)
    with Image.open(pictures / "3.png") as file:
        pixels = np.asarray(file)
    found = dissect_gradient(model, pixels, 7, "conv1", (1, 2, 0))
    assert status == 0 and told["position"] == [1, 2, 0] and told["count"] == len(told["terms"]) == found.count
    np.testing.assert_allclose([term["product"] for term in told["terms"]], found.products)
    status, out, _ = command("show", "arithmetic", run_folder, *image, "--weight", "kernel,0,1,0,2")
    told, weight = json.loads(out), dissect_weight(model, pixels[None], [7], "conv1", index=(0, 1, 0, 2))
    assert status == 0 and told["computed"] == weight.computed and told["of"] == "kernel"
    assert told["update"]["gradient"] == weight.computed and told["update"]["step"] == 1


def test_a_gradient_is_of_the_true_class_or_else_of_the_answer(
    command: Command, run_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    model, first = pellucid.load(run_folder), datasets.load("digits").test
    for words, pixels, label in (
        ([], first.images[0], int(first.labels[0])),
        (["--image", pictures / "3.png"], None, None),
    ):
        status, out, _ = command("show", "arithmetic", run_folder, *words, "--layer", "conv1", "--backward", "--json")
        if pixels is None:
            with Image.open(pictures / "3.png") as file:
                pixels = np.asarray(file)
            label = int(model.predict(pixels[None], verbose=0).argmax())
        assert status == 0 and json.loads(out)["computed"] == dissect_gradient(model, pixels, label, "conv1").computed
    out_file = tmp_path / "g.png"
    assert command("show", "arithmetic", run_folder, "--weight", "bias", "--out", out_file)[0] == 0
    with Image.open(out_file) as picture:
        assert picture.size[0] > 400


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--class", "7"], "--class says whose loss goes back; add --backward or --weight"),
        (["--weight", "kernel", "--at", "0,0,0"], "--weight is of a weight"),
        (["--weight", "kernel,a"], "--weight takes a name and whole numbers"),
        (["--backward", "--class", "eleven"], "unknown class 'eleven'"),
        (["--backward", "--at", "0,x"], "--at takes whole numbers"),
    ],
)
def test_wrong_questions_about_gradients(command: Command, run_folder: Path, words: list[str], said: str) -> None:
    status, _, err = command("show", "arithmetic", run_folder, *words)
    assert status == 1 and said in " ".join(err.split())


def test_padding_under_a_pooling_is_null_in_json(command: Command, tmp_path: Path) -> None:
    model = pellucid.Sequential([pellucid.MaxPool2D(2, 2, "same", input_shape=(3, 3, 1))])
    model.save(tmp_path / "pool.safetensors")
    Image.fromarray(np.full((3, 3), 9, np.uint8)).save(tmp_path / "nine.png")
    run, image = tmp_path / "pool.safetensors", tmp_path / "nine.png"
    status, out, _ = command("show", "arithmetic", run, "--image", image, "--at", "1,1,0", "--json")
    assert status == 0 and json.loads(out)["patch"] == [[[pytest.approx(9 / 255)], [None]], [[None], [None]]]


def test_a_picture_of_another_size_is_fitted_and_that_is_said(
    command: Command, run_folder: Path, tmp_path: Path
) -> None:
    digit = np.asarray(datasets.load("digits").test.images)[0, :, :, 0]
    Image.fromarray(digit).resize((40, 30)).save(tmp_path / "large.png")
    out = tmp_path / "a.png"
    status, told, err = command("show", "features", run_folder, "--image", tmp_path / "large.png", "--out", out)
    assert status == 0 and told == f"{out}\n"
    assert re.search(r"large\.png: 30x40, fitted to 8x8 \(crop\) as at training", err)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["features", "--layer", "conv11"], ["'conv11'", "did you mean 'conv1'", "affine2"]),
        (["features", "--scale", "own"], ["'own'", "common, each"]),
        (["features", "--image", "nowhere.png"], ["nowhere.png"]),
        (["arithmetic", "--layer", "conv9"], ["'conv9'", "conv1"]),
        (["arithmetic", "--at", "1,x"], ["ROW,COL,CHANNEL", "'1,x'"]),
        (["arithmetic", "--at", "99,0,0"], ["(row, column, channel)", "(99, 0, 0)"]),
        (["arithmetic", "--out", "a.bmp"], [".png, .svg, .pdf"]),
        (["histograms", "--kind", "weight"], ["did you mean 'weights'"]),
        (["histograms", "--kind", "weights", "--over-time", "--layer", "pool1"], ["'pool1'", "conv1"]),
    ],
)
def test_what_cannot_be_done_is_one_line(
    command: Command, run_folder: Path, words: list[str], wanted: list[str]
) -> None:
    status, out, err = command("show", words[0], run_folder, *words[1:])
    assert (status, out) == (1, "") and err.startswith("pellucid: ") and err.count("\n") == 1
    assert all(word in err for word in wanted), err


def test_histograms_over_time_need_a_run(command: Command, run_folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "model.safetensors"
    alone.write_bytes((run_folder / "model.safetensors").read_bytes())
    status, _, err = command("show", "histograms", alone, "--over-time")
    assert status == 1 and "needs a run folder" in err
    status, out, _ = command("show", "histograms", alone, "--kind", "weights", "--out", tmp_path / "w.png")
    assert status == 0 and out == f"{tmp_path / 'w.png'}\n"


@pytest.mark.parametrize("what", ["features", "arithmetic", "attribution", "slide", "shift"])
def test_an_image_that_is_not_there_is_named(
    what: str, command: Command, run_folder: Path, pictures: Path, tmp_path: Path
) -> None:
    for image, words in (
        (pictures / "77.png", "no such"),
        (pictures, "is a folder"),
        (tmp_path / "no" / "x.png", "no such"),
    ):
        status, out, err = command("show", what, run_folder, "--image", image)
        assert (status, out) == (1, "") and words in err and str(image) in err, err
        assert "Errno" not in err and "decoded" not in err and len(err.splitlines()) == 1
