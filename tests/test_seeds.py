"""The Keras and TensorFlow programs of the pages, after the table of replacements: they run, and their numbers are
those of SciPy, of PyTorch, and of arithmetic by hand."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

from pellucid import datasets
from pellucid.datasets import cifar10

ROOT = Path(__file__).parent.parent
PROGRAMS = Path(__file__).parent / "seeds"
Program = Callable[[str], dict[str, Any]]


def replacements() -> list[tuple[str, str]]:
    """The table of docs/seeds.md, text by text: what stands on the page, and what stands here instead."""
    page = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
    table = page.partition("<!-- the table of replacements -->\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|nothing) \|$", table, re.MULTILINE)
    assert len(rows) == len(table.splitlines()) - 2, "every row below the head is read"
    return rows


def replaced(text: str) -> str:
    """A program after the table of replacements; a text that is a whole word there is one here."""
    for old, new in replacements():
        text = re.sub(rf"(?<![\w.]){re.escape(old)}" if old[0].isalpha() else re.escape(old), new, text)
    return text


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Runs a page's program after the replacements, figures drawn and not shown; its variables when it has ended."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: plt.gcf().canvas.draw())

    def run_one(name: str) -> dict[str, Any]:
        np.random.seed(0)  # the pages draw their noise without one
        names: dict[str, Any] = {"__name__": name}
        text = replaced((PROGRAMS / f"{name}.txt").read_text(encoding="utf-8"))
        exec(compile(text, f"{name}.txt", "exec"), names)
        return names

    yield run_one
    plt.close("all")


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("seed_00[1-9]*.txt")), ids=lambda path: path.stem)
def test_a_program_needs_nothing_but_the_replacements(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    before, after = ast.parse(text), ast.parse(replaced(text))

    def modules(tree: ast.AST) -> set[str]:
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {str(node.module) for node in imports if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in imports if isinstance(node, ast.Import) for alias in node.names}
        return {name.split(".")[0] for name in names}

    standard = modules(after) - {"numpy", "matplotlib", "pellucid"}
    assert standard <= sys.stdlib_module_names and "pellucid" in modules(after) - modules(before)
    changed = [b for a, b in zip(text.splitlines(), replaced(text).splitlines(), strict=True) if a != b]
    assert not any(word in line for line in changed for word in ("tf.", "keras", "tensorflow"))


# 002 ----------------------------------------------------------------------------------------------------------------


def test_seed_002_one_convolution_looked_at_closely(run: Program) -> None:
    found = run("seed_002")
    picture, conv = found["XXX"][0, :, :, 0], found["conv"]
    assert found["num_weights_at_first"] == 0 and [array.shape for array in conv.weights] == [(2, 2, 1, 2), (2,)]
    for channel, kernel in ((0, found["w0"]), (1, found["w1"])):
        answer = found[f"XXX{channel}"]
        assert answer.shape == (1, 49, 49)
        np.testing.assert_allclose(answer[0], correlate2d(picture, kernel, mode="valid"), atol=1e-5)
    edge = found["XXX1"][0, :, 24]
    assert edge.mean() == pytest.approx(-20, abs=0.6) and edge.max() < 0, "a ReLU would leave nothing of it"
    flipped = convolve2d(picture, found["w1"], mode="valid")  # convolution as mathematics has it
    assert flipped[:, 24].mean() == pytest.approx(20, abs=0.6)


def test_seed_002_averaging_halves_the_noise_and_the_edge_kernel_doubles_it(run: Program) -> None:
    found = run("seed_002")
    flat = slice(27, None)  # right of the edge, where there is nothing but noise
    noise = found["XXX"][0, :, flat, 0].std()
    assert found["XXX0"][0, :, flat].std() / noise == pytest.approx(0.5, rel=0.08)
    assert found["XXX1"][0, :, flat].std() / noise == pytest.approx(2.0, rel=0.08)


def test_seed_002_the_middle_two_of_the_chained_maps_are_identical(run: Program) -> None:
    found = run("seed_002")
    conv, picture = found["conv"], found["XXX"][0, :, :, 0]
    chains = {
        (first, second): conv(found[f"XXX{first}"].reshape(1, 49, 49, 1))[0, :, :, second]
        for first in (0, 1)
        for second in (0, 1)
    }
    np.testing.assert_allclose(chains[0, 1], chains[1, 0], atol=1e-4)
    for (first, second), answer in chains.items():  # two kernels after each other are one, 3x3
        kernels = (np.array(found["w0"]), np.array(found["w1"]))
        joined = convolve2d(kernels[first], kernels[second])
        np.testing.assert_allclose(answer, correlate2d(picture, joined, mode="valid"), atol=1e-4)


# 003 ----------------------------------------------------------------------------------------------------------------


def made_cifar() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Ten classes told apart by colour, in the shapes and types that Keras's module gives."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (10, 3))

    def pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count, dtype=np.uint8)[:, None] % 10
        noise = rng.normal(0, 20, (count, 32, 32, 3))
        return np.clip(colours[labels[:, 0]][:, None, None] + noise, 0, 255).astype(np.uint8), labels

    return pictures(320), pictures(60)


@pytest.fixture(params=["made", "real"])
def few_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A few hundred pictures instead of CIFAR-10's 60,000: made ones everywhere, real ones where they are."""
    if request.param == "real":
        if datasets.locate("cifar10") is None:
            pytest.skip("cifar10 is not on this machine")
        (x_train, y_train), (x_test, y_test) = cifar10.load_data()
        few = (x_train[:320], y_train[:320]), (x_test[:60], y_test[:60])
    else:
        few = made_cifar()
    monkeypatch.setattr(cifar10, "load_data", lambda: few)
    return str(request.param)


def test_seed_003_has_the_parameters_counted_by_hand_and_trains(run: Program, few_pictures: str) -> None:
    found = run("seed_003")
    model, history = found["model"], found["history"]
    convolutions = (3 * 3 * 3 + 1) * 36, (3 * 3 * 36 + 1) * 72, (3 * 3 * 72 + 1) * 144
    dense = (4 * 4 * 144 + 1) * 576, (576 + 1) * 10
    counts = [layer.count_params() for layer in model.layers if layer.params]
    assert counts == [*convolutions, *dense] and sum(counts) == model.count_params() == 1_451_314
    shapes = [row.output_shape for row in model.outline().rows if row.type in ("Conv2D", "MaxPool2D", "Flatten")]
    assert shapes == [(32, 32, 36), (16, 16, 36), (16, 16, 72), (8, 8, 72), (8, 8, 144), (4, 4, 144), (2304,)]
    assert history["loss"][-1] < history["loss"][0]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(history.history)


def test_seed_003_without_padding_in_the_third_convolution_is_neither_2024_nor_2304() -> None:
    """As typed, the third convolution is "valid": 6x6 maps, pooled to 3x3, and 1,296 numbers to flatten."""
    from pellucid.layers import Conv2D, MaxPool2D

    maps = np.zeros((1, 8, 8, 72), np.float32)
    assert MaxPool2D((2, 2))(Conv2D(144, (3, 3))(maps)).size == 3 * 3 * 144 == 1296
    assert MaxPool2D((2, 2))(Conv2D(144, (3, 3), padding="same")(maps)).size == 4 * 4 * 144 == 2304


def test_seed_003_predicts_as_the_same_network_in_torch(run: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    few = made_cifar()
    monkeypatch.setattr(cifar10, "load_data", lambda: few)
    model = run("seed_003")["model"]
    nn = torch.nn
    twin = nn.Sequential(
        *(
            module
            for channels, filters in ((3, 36), (36, 72), (72, 144))
            for module in (nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        )
    )
    head = nn.Sequential(nn.Linear(2304, 576), nn.ReLU(), nn.Linear(576, 10), nn.Softmax(dim=1))
    weights = iter(model.get_weights())
    with torch.no_grad():
        for module in (*twin, *head):
            if hasattr(module, "weight"):
                kernel = next(weights)
                module.weight.copy_(torch.tensor(kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else kernel.T))
                module.bias.copy_(torch.tensor(next(weights)))
        pictures = few[1][0][:8]
        maps = twin(torch.tensor(pictures / 255, dtype=torch.float32).permute(0, 3, 1, 2))
        expected = head(maps.permute(0, 2, 3, 1).reshape(8, -1)).numpy()
    np.testing.assert_allclose(model.predict(pictures), expected, atol=1e-5)


# 004 ----------------------------------------------------------------------------------------------------------------


def test_seed_004_layer_by_layer(run: Program) -> None:
    if datasets.locate("mnist") is None:
        pytest.skip("mnist is not on this machine")
    found = run("seed_004")
    image, (kernel, bias) = found["image"], found["weight"]
    assert image.shape == (1, 28, 28, 1) and image.dtype == np.float32 and (image.min(), image.max()) == (0, 255)
    assert found["train_y"][0] == 5 and kernel.shape == (3, 3, 1, 3) and bias.shape == (3,)
    maps = np.stack([correlate2d(image[0, :, :, 0], kernel[:, :, 0, o], mode="same") for o in range(3)], axis=-1)
    np.testing.assert_allclose(found["act_output"][0], np.maximum(maps, 0), atol=1e-3)
    pooled = np.maximum(maps, 0).reshape(14, 2, 14, 2, 3).max(axis=(1, 3))
    np.testing.assert_allclose(found["pool_output"][0], pooled, atol=1e-3)
    answers = found["act_output"][found["act_output"] > 0]
    assert (answers > 2).mean() > 0.9, "the page's histogram ends at 2"
    assert found["flatten_of_the_page"].shape == (1, 2352) and found["flatten_of_the_page"].min() < 0
    assert found["flatten"].shape == (1, 588) and found["output"].shape == (1, 32)
    np.testing.assert_array_equal(found["flatten"], found["pool_output"].reshape(1, 588))


def test_seed_004_draws_its_three_figures(run: Program) -> None:
    if datasets.locate("mnist") is None:
        pytest.skip("mnist is not on this machine")
    import matplotlib.pyplot as plt

    run("seed_004")
    middle = plt.figure(2)
    histogram, weights, maps, bar = middle.axes
    assert histogram.get_xlim()[0] < -1.9 and histogram.get_ylim() == (0, 100)
    assert max(column.get_height() for column in histogram.patches) > 1000, "the background's zeros, cut off"
    assert (weights.get_title(), maps.get_title()) == ("(3, 3, 1, 3)", "(1, 28, 28, 3)") and bar.get_label()
    assert plt.figure(3).axes[1].get_title() == "(1, 14, 14, 3)"
