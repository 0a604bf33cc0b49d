"""The command line on a folder of pictures and masks: train, resume, evaluate, predict, show, report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Command
from drawn_masks import squares_and_discs, write_masks
from PIL import Image

import pellucid
from pellucid import datasets, metrics
from pellucid.cli import main

WORDS = ("--set", "filters=8", "--set", "depth=1", "--lr", "0.01", "--batch-size", "4", "--augment", "none", "-q")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("masks") / "shapes"
    write_masks(root / "train", 48)
    write_masks(root / "test", 12, seed=1)
    (root / "classes.txt").write_text("ground\nsquare\ndisc\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    out = folder.parent / "run"
    assert main(["train", "--data", str(folder), *WORDS, "--epochs", "6", "--out", str(out)]) == 0
    return out


def test_evaluate_agrees_with_counting(command: Command, run: Path, folder: Path) -> None:
    status, out, _ = command("evaluate", run, "--json")
    told = json.loads(out)
    test = datasets.load(folder).test
    scores = pellucid.load(run).predict(test.images[:])
    assert status == 0 and told["pictures"] == 12
    assert told["mean_iou"] == pytest.approx(metrics.mean_iou(test.labels, scores)) and told["mean_iou"] > 0.85
    assert told["accuracy"] == pytest.approx(metrics.pixel_accuracy(test.labels, scores))
    rows = told["classes"]
    assert [row["class"] for row in rows] == ["ground", "square", "disc"]
    np.testing.assert_allclose([row["iou"] for row in rows], metrics.iou(test.labels, scores), atol=1e-6)
    assert [row["pixels"] for row in rows] == np.bincount(test.labels.reshape(-1)).tolist()
    _, table, _ = command("evaluate", run, "--data", folder)
    assert "mean IoU" in table and "always 'ground'" in table and "IoU" in table.splitlines()[-6]


def test_the_best_epoch_is_that_of_the_best_iou(run: Path) -> None:
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    epochs = [event for event in events if event["event"] == "epoch"]
    best = max(range(len(epochs)), key=lambda number: epochs[number]["val_mean_iou"])
    assert events[-1]["best_epoch"] == best + 1
    assert all(0 <= epoch[name] <= 1 for epoch in epochs for name in ("mean_iou", "accuracy", "val_accuracy"))


def test_a_resumed_run_has_the_same_bits(folder: Path, tmp_path: Path) -> None:
    words = ["train", "unet", "--data", str(folder), *WORDS, "--augment", "flip,rotate,border=constant", "--limit", "4"]
    assert main([*words, "--epochs", "2", "--out", str(tmp_path / "whole")]) == 0
    assert main([*words, "--epochs", "1", "--out", str(tmp_path / "parts")]) == 0
    assert main(["train", "--resume", str(tmp_path / "parts"), "--epochs", "2", "-q"]) == 0
    one, other = (pellucid.load(tmp_path / name / "last.safetensors") for name in ("whole", "parts"))
    np.testing.assert_array_equal(one.parameters.vector, other.parameters.vector)


def test_predict_writes_masks_and_overlays(command: Command, run: Path, tmp_path: Path) -> None:
    images, _ = squares_and_discs(2, seed=5)
    for place, image in zip(("a/one", "b/one"), images, strict=True):
        (tmp_path / place).parent.mkdir()
        Image.fromarray(image[..., 0]).save(tmp_path / f"{place}.png")
    status, out, _ = command("predict", run, tmp_path / "a", tmp_path / "b", "--json")
    answers = json.loads(out)
    assert status == 0 and [Path(answer["mask"]).name for answer in answers] == ["one-mask.png", "one-2-mask.png"]
    wanted = pellucid.load(run).predict(images).argmax(axis=-1)
    for answer, mask, image in zip(answers, wanted, images, strict=True):
        with Image.open(answer["mask"]) as written:
            assert written.mode == "P"
            np.testing.assert_array_equal(np.asarray(written), mask)
        with Image.open(answer["overlay"]) as shown:
            shown = np.asarray(shown)
        np.testing.assert_array_equal(shown[mask == 0], np.broadcast_to(image, (32, 32, 3))[mask == 0])
        shares = {one["class"]: one["share"] for one in answer["classes"]}
        assert shares["square"] == pytest.approx((mask == 1).mean(), abs=1e-6)
        assert sum(shares.values()) == pytest.approx(1, abs=1e-5)
    _, table, _ = command("predict", run, tmp_path / "a" / "one.png", "--csv", tmp_path / "t.csv")
    assert "ground" in table and "one-mask.png" in table
    assert (tmp_path / "t.csv").read_text().startswith("picture,class,share,mask\n")


def test_a_mask_is_as_large_as_its_picture(command: Command, run: Path, tmp_path: Path) -> None:
    image = squares_and_discs(1, side=48)[0][0, :40, :, 0]
    Image.fromarray(image).save(tmp_path / "large.png")
    (answer,) = json.loads(command("predict", run, tmp_path / "large.png", "--json")[1])
    for name in ("mask", "overlay"):
        with Image.open(answer[name]) as written:
            assert written.size == (48, 40)
    with Image.open(answer["mask"]) as written:
        outside = np.asarray(written) == 255
    assert outside[:, :3].all() and not outside[:, 5:43].any()  # the middle 40 of 48 columns were seen


def test_other_classes_from_its_weights(command: Command, run: Path, tmp_path: Path) -> None:
    write_masks(tmp_path / "two", 12, levels=(0, 255, 0))
    words = ("--class-weight", "balanced", "--validation", 0.2, "--epochs", 1, "--augment", "none")
    status, out, err = command("train", "--data", tmp_path / "two", "--weights", run, *words, "--out", tmp_path / "out")
    assert status == 0, err
    assert "classes starts anew: 2 classes here, 3 there" in out and "test mean IoU" in out
    assert pellucid.load(tmp_path / "out").class_names == ("background", "object")


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_pictures_of_it(command: Command, run: Path, folder: Path, tmp_path: Path, lang: str) -> None:
    picture = folder / "test" / "images" / "0.png"
    for words in (("--worst", "--count", 2), ("--image", picture)):
        out = tmp_path / "masks.png"
        assert command("show", "masks", run, *words, "--lang", lang, "--out", out)[0] == 0
        assert out.stat().st_size > 10_000
    for what in ("confusion", "calibration", "mistakes", "precision-recall", "attribution"):
        status, said, err = command("show", what, run, "--lang", lang)
        assert (status, said) == (0, "") and len(err.splitlines()) == 1 and "pellucid show masks" in err


def test_the_report_has_masks(command: Command, run: Path, tmp_path: Path) -> None:
    assert command("report", run, "--lang", "ko", "--out", tmp_path / "r.html")[0] == 0
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "평균 IoU" in page and "square" in page


@pytest.mark.parametrize("what", ["features", "filters", "curves", "augment"])
def test_pictures_of_any_network(command: Command, run: Path, tmp_path: Path, what: str) -> None:
    status, _, err = command("show", what, run, "--out", tmp_path / "p.png")
    assert status == 0, err


def test_networks_and_data_that_do_not_fit(command: Command, run: Path, folder: Path, pets: Path) -> None:
    status, _, err = command("train", "photo-net", "--data", folder, "-q")
    assert status == 1 and "photo-net gives one answer a picture, and shapes has masks" in err
    status, _, err = command("train", "unet", "--data", pets, "--size", 32, "-q")
    assert status == 1 and "unet gives a class for each pixel, and pets has one class a picture" in err
    status, _, err = command("train", "unet", "--data", folder, "--size", 36, "-q")
    assert status == 1 and "cannot be halved 3 times" in err
    status, _, err = command("train", "--data", folder, "--augment", "mixup", *WORDS[:-3], "-q")
    assert status == 1 and "mixup would mix masks" in err
    status, _, err = command("show", "masks", "simple-convnet")
    assert status == 0 and "gives one answer a picture" in err


def test_info(command: Command, folder: Path) -> None:
    _, out, _ = command("data", "info", folder, "--json")
    told = json.loads(out)
    assert (told["train"], told["test"]) == (48, 12)
    assert told["classes"][1]["train"] == int((squares_and_discs(48)[1] == 1).sum())
    assert "train (pixels)" in command("data", "info", folder)[1]
