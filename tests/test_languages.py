"""Figures and reports speak one language: Korean ones hold no English word, and none is chosen but by one function."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from english_words import ENGLISH_WORD, NAMES, english

import pellucid
from pellucid import layers as L
from pellucid import visualise as V
from pellucid._language import language
from pellucid.errors import ConfigError
from pellucid.model import Sequential
from pellucid.model.tracing import trace
from pellucid.visualise.drawing.labels import KOREAN, LAYER_WORDS
from pellucid.visualise.precision_recall import precision_recall, precision_recall_figure

SOURCE = Path(pellucid.__file__).parent
PICTURE = np.random.default_rng(0).random((12, 12, 1), np.float32)
PICTURES = np.random.default_rng(1).random((8, 12, 12, 1), np.float32)
LABELS = np.arange(8) % 3


def network() -> Sequential:
    model = Sequential(
        [
            L.Conv2D(4, 3, strides=2, padding=1, activation="relu", input_shape=(12, 12, 1), name="c1"),
            L.BatchNorm(name="n1"),
            L.MaxPool2D(2, name="p1"),
            L.LocalResponseNorm(name="r1"),
            L.Conv2D(24, 2, groups=2, dilation_rate=1, padding="same", activation="sigmoid", name="c2"),
            L.AvgPool2D(2, name="p2"),
            L.Flatten(name="f1"),
            L.Dropout(0.5, name="d1"),
            L.Dense(40, activation="tanh", name="d2"),
            L.Dense(3, activation="softmax", name="d3"),
        ],
        name="m1",
    )
    model.build()
    return model


def small() -> Sequential:
    model = Sequential(
        [L.Conv2D(2, 2, input_shape=(4, 4, 1), name="c1"), L.Flatten(), L.Dense(3, name="d1")], name="m1"
    )
    model.build()
    return model


def scores() -> Any:
    table = np.random.default_rng(2).random((8, 3), np.float32)
    return table / table.sum(axis=1, keepdims=True)


def log() -> Any:
    return V.Log([1, 2], {"loss": [2.0, 1.0], "val_loss": [2.0, 1.0], "accuracy": [0.1, 0.5], "learning_rate": [1, 1]})


def moved(model: Sequential) -> Any:
    frames = V.shift(model, PICTURE, "c1", offsets=[(0, 0), (1, -2)], channels=3)
    drawn = V.shift_animation(model, frames, "c1", lang="ko")
    drawn.draw(1)
    return drawn.figure


def slid(model: Sequential, layer: str) -> Any:
    drawn = V.slide_animation(V.slide(model, PICTURE, layer, frames=3), lang="ko")
    drawn.draw(1)
    return drawn.figure


def matrix() -> Any:
    from pellucid.metrics import confusion_matrix

    return confusion_matrix(LABELS, scores().argmax(axis=1), 3)


def calibrated() -> Any:
    from pellucid.metrics import calibration

    return calibration(LABELS, scores(), 10)


KERNEL = np.random.default_rng(3).normal(size=(3, 3, 20, 40)).astype(np.float32)

FIGURES: dict[str, Callable[[Sequential], Any]] = {
    "curves": lambda m: V.curves_figure(log(), ["loss", "accuracy", "learning-rate"], lang="ko"),
    "several curves": lambda m: V.curves_figure({"1": log(), "2": log()}, lang="ko"),
    "accuracy": lambda m: V.accuracy_figure([0.1], [0.2], lang="ko"),
    "confusion": lambda m: V.confusion_figure(matrix(), normalise=True, lang="ko"),
    "calibration": lambda m: V.reliability_figure(calibrated(), lang="ko"),
    "augmentation": lambda m: V.augmentation_figure(None, np.uint8(255 * PICTURE), lang="ko"),
    "precision and recall": lambda m: precision_recall_figure(
        precision_recall(LABELS, scores()), ["1", "2", "3"], lang="ko"
    ),
    "mistakes": lambda m: V.mistakes_figure(PICTURES, LABELS, scores(), lang="ko"),
    "filters": lambda m: V.filters_figure(KERNEL, before=KERNEL, name="c1", sort="norm", lang="ko"),
    "grey filters": lambda m: V.filters_figure(KERNEL[:, :, :1], name="c1", scale="each", lang="ko"),
    "colour filters": lambda m: V.filters_figure(KERNEL[:, :, :3], name="c1", sort="similarity", lang="ko"),
    "features": lambda m: V.features_figure(m, PICTURE, lang="ko"),
    "features, common": lambda m: V.features_figure(m, PICTURE, channels=3, scale="common", lang="ko"),
    **{
        f"arithmetic of {layer.name}": (lambda m, name=layer.name: V.dissect_figure(m, PICTURE, name, lang="ko"))
        for layer in network().layers
    },
    "activations": lambda m: V.histograms_figure(
        V.layer_histograms(trace(m, PICTURES)), V.unit_states(trace(m, PICTURES)), lang="ko"
    ),
    "depth": lambda m: V.depth_figure(m, channels=2, images=PICTURES, lang="ko"),
    "made": lambda m: V.made_figure(m, "c1", lang="ko"),
    "made for one": lambda m: V.made_figure(m, "c1", 1, lang="ko"),
    "found": lambda m: V.found_figure(m, V.top_pictures(m, PICTURES, "c1", 3), PICTURES, lang="ko"),
    "slide": lambda m: slid(m, "c1"),
    "slide over many": lambda m: slid(m, "c2"),
    "shift": moved,
    "panels": lambda m: V.small_grid(V.chained_panels(m.layers[0], PICTURE, lang="ko"), lang="ko"),
    **{
        method: (lambda m, method=method: V.attention_figure(m, PICTURE, method=method, lang="ko"))
        for method in ("grad-cam", "gradient", "occlusion")
    },
    "blocks": lambda m: V.architecture_figure(m, lang="ko"),
    "nodes": lambda m: V.architecture_figure(small(), "nodes", lang="ko"),
}  # fmt: skip


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("name", FIGURES)
def test_a_korean_figure_holds_no_english(name: str) -> None:
    figure = FIGURES[name](network())
    said = texts(figure)
    own = [f"{kind}{number}" for kind in "cnprfd" for number in range(4)] + ["flatten", "m1", "np.str_"]
    assert any(re.search("[가-힣]", text) for text in said)
    assert [(text, found) for text in said if (found := english(text, *own))] == []


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LC_ALL": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.EUC-KR"}, "ko"),
        ({"LANG": "ko"}, "ko"),
        ({"LC_MESSAGES": "ko_KR.utf8", "LANG": "en_US.UTF-8"}, "ko"),
        ({"LC_ALL": "C", "LANG": "ko_KR.UTF-8"}, "en"),
        ({"LC_ALL": "", "LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "kok_IN.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({}, "en"),
    ],
)
def test_the_language_is_the_locales(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert (
        language()
        == expected
        == V.accuracy_figure([0.1], [0.1]).axes[0].get_ylabel().replace("accuracy", "en").replace("정확도", "ko")
    )
    assert language("en") == "en"


def test_show_and_report_take_a_language_or_the_locales(
    command: Command, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    svg = tmp_path / "c.svg"
    assert command("show", "confusion", run_folder, "--lang", "ko", "--out", svg)[0] == 0
    assert "실제" in svg.read_text("utf-8")
    monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    assert command("show", "confusion", run_folder, "--out", svg)[0] == 0 and "실제" in svg.read_text("utf-8")
    assert command("show", "confusion", run_folder, "--lang", "en", "--out", svg)[0] == 0
    assert "실제" not in svg.read_text("utf-8")
    status, _, err = command("show", "confusion", run_folder, "--lang", "fr", "--out", svg)
    assert status == 1 and "fr" in err


@pytest.mark.parametrize("asked", [True, False])
def test_what_show_prints_beside_a_figure_is_in_its_language(
    asked: bool, command: Command, run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lang = ["--lang", "ko"] if asked else []
    if not asked:
        monkeypatch.setenv("LC_ALL", "ko_KR.UTF-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pellucid.visualise.histograms.figure.TRACE_BYTES", 100_000)
    from PIL import Image

    Image.new("L", (300, 200)).save("0.png")
    monkeypatch.setattr("pellucid.cli.show.write", lambda *_: None)  # drawing takes long
    shown: list[list[Any]] = [
        ["mistakes", run_folder, "--csv", "0.csv"],
        ["confusion", run_folder, "--csv", "1.csv"],
        ["features", run_folder, "--image", "0.png"],
        ["histograms", run_folder],
        ["slide", "--image", "0.png", "--frames", "2"],
        ["architecture", run_folder, "--style", "text"],
    ]
    for words in shown if asked else shown[:1]:
        status, out, err = command("show", *words, *lang)
        assert status == 0, err
        said = "\n".join(line for line in (out + err).splitlines() if not line.endswith((".png", ".gif")))
        names = {*NAMES, "png", "csv", "crop", "pad", "center", "stretch", *re.findall(r"[A-Za-z]+", str(run_folder))}
        names |= set(
            re.findall(
                "[A-Za-z]+", " ".join(["simple convnet"] + [layer.name for layer in pellucid.load(run_folder).layers])
            )
        )
        assert re.search("[가-힣]", said), (words, said)
        assert not set(ENGLISH_WORD.findall(said)) - names, (words, said)


def test_every_show_command_takes_a_language(command: Command) -> None:
    import typer

    from pellucid.cli.app import app

    shown: Any = typer.main.get_command(app)
    for name, each in shown.commands["show"].commands.items():
        assert any("--lang" in option.opts for option in each.params), name


def test_nobody_but_one_function_knows_the_languages() -> None:
    for path in SOURCE.rglob("*.py"):
        text = path.read_text("utf-8")
        if path.name == "_language.py":
            continue
        assert '"LC_ALL"' not in text and not re.search(r'lang(uage)?: str = "en"|\("en", "ko"\)', text), path


def test_every_label_has_its_korean() -> None:
    for module in pkgutil.walk_packages(V.__path__, "pellucid.visualise."):
        importlib.import_module(module.name)  # where it registers its words
    used = {
        node.args[0].value
        for path in (SOURCE / "visualise").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "say"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert used <= set(KOREAN)
    for english_words, korean in KOREAN.items():
        assert set(re.findall(r"\{(\w+)", english_words)) == set(re.findall(r"\{(\w+)", korean)), english_words
    assert all(re.search("[가-힣]", word) for word in LAYER_WORDS.values())


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="language"):
        V.accuracy_figure([0.1], [0.2], lang="kr")
