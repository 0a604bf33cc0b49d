"""Names in figures: dollars are no formulas, control characters draw nothing, whatever shows the figure."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

import pellucid
from pellucid import Dense, Flatten, Input, Sequential
from pellucid.cli import main
from pellucid.visualise.drawing.figure import figure_bytes, new_figure

NAMES = ("$x^$ $", "a\x1b[2J\x9b", "b\u202e\udcff", r"$\frac{$")


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_any_text_can_be_drawn(kind: str) -> None:
    figure = new_figure(3, 3)
    axes = figure.subplots()
    axes.bar(range(len(NAMES)), [1, 2, 3, 4], label=NAMES[0])
    axes.set_xticks(range(len(NAMES)), labels=NAMES)
    axes.set(xlabel=NAMES[1], ylabel=NAMES[2], title=NAMES[3], yscale="log")
    axes.legend(title=NAMES[0])
    figure.suptitle("\n".join(NAMES))
    drawn = figure_bytes(figure, kind)
    if kind == "svg":
        assert "$x^$ $" in drawn.decode() and "\\x1b[2J\\x9b" in drawn.decode()
    for text in figure.findobj(Text):
        assert all(c.isprintable() or c == "\n" for c in text.get_text())  # type: ignore[attr-defined]


def test_a_figure_that_somebody_else_shows_is_plain_too() -> None:
    figure = new_figure(2, 2)
    figure.subplots().set_title(NAMES[3])
    figure.savefig(io.BytesIO(), bbox_inches="tight")  # as notebooks do


def test_powers_of_ten_stay_formulas() -> None:
    figure = new_figure(2, 2)
    axes = figure.subplots()
    axes.plot([1, 1000])
    axes.set_yscale("log")
    figure_bytes(figure, "png")
    assert any(label.get_parse_math() for label in axes.yaxis.get_ticklabels())


def test_names_of_a_strangers_model_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = Sequential(
        [Input((4, 4, 1)), Flatten(), Dense(2, "softmax", name="a\x1b[2J\x9b\u2028b")], name="m\x1b]0;x\x07"
    )
    model.class_names = ("c\x1b[2J", "d\x9b")
    model.save(tmp_path / "m.safetensors")
    np.random.default_rng(0)
    picture = tmp_path / "p\x1b[2J.png"
    from PIL import Image

    Image.fromarray(np.zeros((4, 4), np.uint8)).save(picture)
    run = str(tmp_path / "m.safetensors")
    for command in (
        ["summary", run],
        ["summary", run, "--json"],
        ["predict", run, str(picture), "--top", "2"],
        ["predict", run, str(picture), "--json"],
        ["show", "architecture", run, "--style", "text"],
        ["show", "architecture", run, "--out", str(tmp_path / "a.svg")],
    ):
        assert main(command) == 0
        said = capsys.readouterr()
        assert all(c.isprintable() or c == "\n" for c in said.out + said.err), (command, ascii(said.out))
        if "--json" in command:
            json.loads(said.out)
    pellucid.load(run).summary()
    assert all(c.isprintable() or c == "\n" for c in capsys.readouterr().out)
