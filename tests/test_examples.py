"""Every program in examples/ runs with its quick setting, makes its figures, and prints the numbers it is there for."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import re
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pellucid import zoo

EXAMPLES = Path(__file__).parent.parent / "examples"
SHARED = {"drawing.py"}
"""Imported by the programs, not programs themselves."""


@dataclass(frozen=True)
class Expected:
    """Figures in the folder --out, and patterns that must be found in what is printed."""

    figures: tuple[str, ...]
    printed: tuple[str, ...] = ()


EXPECTED = {
    "alexnet_in_two": Expected(
        ("alexnet_in_two.png",),
        (
            r"^417,738 parameters, 208,869 in each process$",
            r"^2,688 numbers of a picture go from each process to the other",
            r"^after 5 steps that moved weights by up to 0\.0[1-9] the halves are the whole's, to \de-(0[7-9]|1\d)$",
        ),
    ),
    "cifar_net": Expected(
        ("cifar_net.png",),
        (r"^1,451,314 parameters, 2,304 numbers flattened$", r"^162,946 parameters trained, [89]\d\.\d% of the test"),
    ),
    "diagrams": Expected(
        ("diagrams.png",),
        (
            r"^convolution of width 3, 8 -> 6: 18 connections, 3 weights$",
            r"^fully connected, 8 -> 6: 48 connections, 48 weights$",
            r"^24x24x30 -> 12x12x30 -> 4320 -> 100 -> 10$",
        ),
    ),
    "edge_and_average": Expected(
        ("edge_and_average.png", "edge_and_average_chained.png"),
        (
            r"^noise: picture 0\.9\d+, averaged 0\.5\d+, edge kernel (1\.9|2\.0)\d+$",
            r"answers -20\.\d+ on average; after a ReLU 0\.00$",
            r"differ by at most \d\.\de-0[6-9]$",
        ),
    ),
    "edge_exercise": Expected(
        ("edge_exercise.png",),
        (
            r"^the answer .*: Right\. .* \+20 at the edge",
            r"^its negative .*: Right\. .* ReLU",
            r"^the old edge kernel .*: Not yet\. The kernel answers 0 along this edge",
            r"^averaging .*: Not yet\. This kernel averages",
        ),
    ),
    "filters_before_after": Expected(
        ("filters_before_after.png",),
        (
            r"^before training: weights of \+-0\.010, neighbours agree by [+-]0\.0\d$",
            r"^after training: +weights of \+-0\.0[3-9]\d, neighbours agree by \+0\.[5-9]\d$",
        ),
    ),
    "im2col_memory": Expected(
        ("im2col_memory.png",),
        (
            r"^ 5x5 +5\.5 MiB +12\.\d MiB .* 6\.[67] MiB",
            r"^at 5x5 the columns take 18\.4 times the memory of the pictures",
        ),
    ),
    "scratch_simple_convnet": Expected(
        ("scratch_simple_convnet.png",),
        (
            r"^1,437 pictures, 150 steps, loss 0\.\d+$",
            r"^after 10 epochs (8[89]|9\d)\.\d\d% of the 360 test pictures are right$",
        ),
    ),
    "features_by_depth": Expected(
        ("features_by_depth.png", "features_by_depth_patches.png"),
        (
            r"^conv1: 12 maps of 32x32, one value sees 3x3 pixels",
            r"^conv2: 24 maps of 16x16, one value sees 8x8 pixels",
            r"^conv3: 48 maps of 8x8, one value sees 18x18 pixels",
        ),
    ),
    "layer_by_layer": Expected(
        ("layer_by_layer.png",),
        (
            r"^kernel \(3, 3, 1, 3\), bias \(3,\)$",
            r"^Conv2D\S* .*2,352 values from -\d",
            r"^ReLU\(\) .*2,352 values from 0\.00",
            r"^Flatten\(\) +\(1, 588\) +588 values",
            r"^flattened straight after the convolution: 2,352 values$",
        ),
    ),
    "linear_layers": Expected(
        ("linear_layers.png",),
        (
            r"^1 linear layer: [45]\d\.\d% right",
            r"^3 linear layers: [45]\d\.\d% right; learning moved its kernels by up to 0\.0[1-9], 0\.0[1-9], 0\.\d+$",
            r"^three linear layers and the one they collapse into differ by \de-0[678]$",
            r"^3 layers with ReLU: (100\.0|99\.\d)% right",
        ),
    ),
    "max_and_average_pooling": Expected(
        ("max_and_average_pooling.png",),
        (
            r"^bright on dark, max    : contrast 1\.00 -> 1\.00 -> 1\.00 -> \d\.\d\d$",
            r"^dark on bright, max    : contrast .* -> 0\.\d\d$",
            r"^parameters of both poolings together: 0$",
        ),
    ),
    "moving_digit": Expected(("moving_digit.png",), (r"^maps changed by +0 px", r"^  max pooling, augmented +100\.0%")),
    "one_by_one": Expected(
        ("one_by_one.png",),
        (
            r"^kernel \(1, 1, 3, 2\), 8 parameters",
            r"mean of the channels: the digit stands 0\.\d standard deviations apart$",
            r"red minus green: the digit stands [5-9]\.\d standard deviations apart$",
        ),
    ),
    "parameter_counting": Expected(
        ("parameter_counting.png",),
        (
            r"^fully connected: 1,800 weights, 1,850 with biases$",
            r"^convolution: 8 weights, 10 with biases$",
            r"^entries that are not zero: 200, of them different: 8$",
            r"^both compute the same, to (0e\+00|\de-0[678])$",
        ),
    ),
    "shuffled_pixels": Expected(
        ("shuffled_pixels.png",),
        (
            r"^fully connected, 15,910 parameters, as they are: ",
            r"^convolutional, 11,386 parameters, pixels shuffled: ",
        ),
    ),
    "strides_and_padding": Expected(
        ("strides_and_padding.png",),
        (r"^0 +24 +12 +8$", r"^2 +28 +14 +10$", r"^4 +32 +16 +11$"),
    ),
    "time_series": Expected(
        ("time_series.png",),
        (r"^steepest rise, \d\.\d\d, at sample \d+$", r"^538 parameters tell the two kinds apart: (9\d|100)\.\d%"),
    ),
}


def run(name: str, out: Path, *arguments: str) -> str:
    """What `python examples/NAME.py --quick --out OUT` prints, run in this process."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(sys, "argv", [f"{name}.py", "--quick", "--out", str(out), *arguments])
        patch.syspath_prepend(str(EXAMPLES))
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    return printed.getvalue()


Ran = Callable[[str], tuple[str, Path]]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """What an example printed, and the folder of its figures; each is run once."""

    @functools.cache
    def run_once(name: str) -> tuple[str, Path]:
        folder = tmp_path_factory.mktemp(name) / "figures"
        kept = (
            ["--model", str(run_once("cifar_net")[1] / "cifar-net.safetensors")] if name == "features_by_depth" else []
        )
        return run(name, folder, *kept), folder

    return run_once


def test_every_program_is_expected_and_every_expected_program_is_there() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py") if path.name not in SHARED} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_makes_its_figures_and_prints_its_numbers(name: str, ran: Ran) -> None:
    printed, folder = ran(name)
    for pattern in EXPECTED[name].printed:
        assert re.search(pattern, printed, re.MULTILINE), f"{pattern}\nin\n{printed}"
    assert {path.name for path in folder.glob("*.png")} == set(EXPECTED[name].figures)
    for figure in EXPECTED[name].figures:
        with Image.open(folder / figure) as picture:
            pixels = np.asarray(picture.convert("L"))
        assert min(pixels.shape) >= 400 and pixels.std() > 10, "a figure that is not blank"


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_says_what_it_shows_and_how_it_is_run(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
    words = ast.get_docstring(ast.parse(text))
    assert words is not None and len(words.split()) >= 20
    assert "    main()\n" in text and "parse_args()" in text


def test_the_moving_digit_needs_augmentation_more_than_pooling(ran: Ran) -> None:
    """What the page claims (with pooling no augmentation is needed) against what is measured at 4 pixels."""
    accuracy = ran("moving_digit")[0].partition("\naccuracy")[2]
    at_four = {line[:30].strip(): float(line.split("%")[4]) for line in accuracy.splitlines() if "%" in line}
    assert at_four["max pooling, augmented"] > at_four["max pooling"] + 30
    assert at_four["no pooling, augmented"] > at_four["max pooling"] + 20


def test_shuffled_pixels_cost_the_convolution_and_not_the_dense_layers(ran: Ran) -> None:
    lines = re.findall(r"^(\w+).* parameters, (.+): (\S+)% right", ran("shuffled_pixels")[0], re.MULTILINE)
    right = {(network, how): float(percent) for network, how, percent in lines}
    assert right["convolutional", "as they are"] > right["convolutional", "pixels shuffled"] + 1
    lost = {name: right[name, "as they are"] - right[name, "pixels shuffled"] for name in ("fully", "convolutional")}
    assert abs(lost["fully"]) < 2.5 and lost["convolutional"] > lost["fully"] + 2


def test_a_kernel_of_ones_own_gets_a_verdict_in_korean(tmp_path: Path) -> None:
    assert "맞습니다" in run("edge_exercise", tmp_path, "--kernel", "2", "2", "-2", "-2", "--lang", "ko")


def test_features_without_a_model_are_those_of_one_trained_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AskedError(Exception):
        """Training is asked for; it has its own test."""

    def train(quick: bool, epochs: int) -> None:
        raise AskedError(quick, epochs)

    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setattr(importlib.import_module("cifar_net"), "train", train)
    with pytest.raises(AskedError) as asked:
        run("features_by_depth", tmp_path)
    assert asked.value.args == (True, 2)


def test_a_patch_holds_all_that_its_answer_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrambling every pixel outside the patch leaves the largest answer as it is; scrambling the patch does not."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    names = runpy.run_path(str(EXAMPLES / "features_by_depth.py"))
    model = zoo.cifar_net(n_filter=4, seed=3)
    rng = np.random.default_rng(0)
    picture, other = (rng.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8) for _ in range(2))
    for name, (maps, sees) in names["maps_of"](model, picture).items():
        channel = int(maps.std(axis=(0, 1, 2)).argmax())
        (patch,) = names["exciting"](maps, channel, sees, picture)
        windows = np.lib.stride_tricks.sliding_window_view(picture[0], (sees, sees), (0, 1))
        found = np.argwhere((windows == patch.transpose(2, 0, 1)).all(axis=(2, 3, 4)))
        top, left = found[0].tolist()
        there = (slice(None), slice(top, top + sees), slice(left, left + sees))
        inside, outside = picture.copy(), other.copy()
        inside[there], outside[there] = other[there], patch
        at = tuple((start + (sees - 1) // 2) * maps.shape[1] // 32 for start in (top, left))
        answers = [names["maps_of"](model, each)[name][0][0, *at, channel] for each in (picture, outside, inside)]
        assert answers[0] > 0 and answers[1] == pytest.approx(answers[0], rel=1e-5), name
        assert answers[2] != pytest.approx(answers[0], rel=1e-2), name
