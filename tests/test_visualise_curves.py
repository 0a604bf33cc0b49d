"""Curves of one run and of several, and Korean words in figures."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from pellucid.errors import ConfigError, DataError
from pellucid.train import History
from pellucid.visualise import Log, accuracy_figure, curves_figure, write_figure
from pellucid.visualise.drawing import fonts
from pellucid.visualise.drawing.figure import figure_bytes, new_figure

FIRST = Log(
    [1, 2, 3],
    {
        "loss": [2.0, 1.0, 0.5],
        "val_loss": [2.5, 1.5, 1.25],
        "accuracy": [0.5, 0.75, 0.8],
        "learning_rate": [0.1, 0.05, 0.01],
        "images_per_s": [100.0, 110.0, 120.0],
    },
)
SECOND = Log([1, 2], {"loss": [3.0, 2.0], "accuracy": [0.4, 0.5]})


def test_each_panel_draws_its_series_in_its_unit() -> None:
    figure = curves_figure(FIRST, ["speed", "learning-rate", "accuracy"])
    labels = {ax.get_ylabel(): ax for ax in figure.axes}
    assert list(labels) == ["pictures a second", "learning rate", "accuracy (%)"]
    assert list(labels["pictures a second"].lines[0].get_ydata()) == [100, 110, 120]
    assert list(labels["accuracy (%)"].lines[0].get_ydata()) == pytest.approx([50, 75, 80])
    assert labels["learning rate"].get_legend() is None, "a legend for one line that the axis names"


def test_what_fit_returned_is_drawn_too(tmp_path: Path) -> None:
    history = History()
    for epoch in range(3):
        history.append(epoch, {name: FIRST.series[name][epoch] for name in ("loss", "val_loss")}, improved=True)
    for ours, logs in zip(curves_figure(history).axes, curves_figure(FIRST, ["loss"]).axes, strict=True):
        assert [line.get_xydata().tolist() for line in ours.lines] == [
            line.get_xydata().tolist() for line in logs.lines
        ]
    assert len(curves_figure({"first": history, "second": SECOND}, ["loss"]).axes[0].lines) == 3
    write_figure(curves_figure(history), str(tmp_path / "curves.png"))  # a name as text
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_four_panels_stand_in_two_rows() -> None:
    figure = curves_figure(FIRST, ["loss", "accuracy", "learning-rate", "speed"])
    places = {(ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in figure.axes}  # type: ignore[union-attr]
    assert places == {(0, 0), (0, 1), (1, 0), (1, 1)}


def test_runs_are_compared_under_their_names() -> None:
    figure = curves_figure({"first": FIRST, "second": SECOND}, ["loss"])
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["first", "second"]  # type: ignore[union-attr]
    drawn = {line.get_label(): line for line in ax.lines}
    assert list(drawn["first"].get_ydata()) == [2.5, 1.5, 1.25], "the validation is what is compared"
    assert list(drawn["second"].get_ydata()) == [3.0, 2.0]
    thin = [line for line in ax.lines if str(line.get_label()).startswith("_")]
    assert [list(line.get_ydata()) for line in thin] == [[2.0, 1.0, 0.5]]
    assert thin[0].get_linewidth() < drawn["first"].get_linewidth()
    assert thin[0].get_color() == drawn["first"].get_color()
    assert "thick" in figure.get_supxlabel()


def test_six_runs_keep_apart_without_colour() -> None:
    runs = {f"run {number}": SECOND for number in range(12)}
    (ax,) = curves_figure(runs, ["loss"]).axes
    looks = {(line.get_linestyle(), line.get_marker(), str(line._dash_pattern)) for line in ax.lines}  # type: ignore[attr-defined]
    assert len(looks) == len(runs)


def test_what_no_run_has_is_said() -> None:
    with pytest.raises(DataError, match="no run's log has speed; there are loss, accuracy"):
        curves_figure(SECOND, ["speed"])
    with pytest.raises(ConfigError, match="did you mean 'learning-rate'"):
        curves_figure(FIRST, ["learning-rat"])
    with pytest.raises(ConfigError, match="at least one run"):
        curves_figure({})


def test_the_pages_accuracy_plot() -> None:
    figure = accuracy_figure([0.1, 0.9], [0.2, 0.8], title="MNIST")
    (ax,) = figure.axes
    train, test = ax.lines
    assert list(train.get_xdata()) == [1, 2] and list(train.get_ydata()) == [0.1, 0.9]
    assert list(test.get_ydata()) == [0.2, 0.8] and (train.get_marker(), test.get_marker()) == ("o", "s")
    assert ax.get_ylim() == (0, 1) and [line.get_label() for line in ax.lines] == ["train", "test"]
    assert accuracy_figure([1], [1], axes=ax) is figure
    with pytest.raises(DataError, match="got 2 and 1"):
        accuracy_figure([0.1, 0.9], [0.2])


# Korean words


def korean_figure() -> matplotlib.figure.Figure:
    figure = new_figure(4, 3)
    ax = figure.subplots()
    ax.barh([0, 1], [1, 2])
    ax.set_yticks([0, 1], labels=["고양이", "dog"])
    ax.set_title("개 and 고양이 (99 %)")
    return figure


@pytest.fixture
def no_korean_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "korean_font", lambda: None)
    monkeypatch.setitem(fonts._state, "warned", False)


def test_an_installed_korean_font_is_taken(tmp_path: Path) -> None:
    if fonts.korean_font() is None:
        pytest.skip("no Korean font is installed")
    figure = korean_figure()
    write_figure(figure, tmp_path / "a.png")  # a missing letter would be a warning, so an error
    (ax,) = figure.axes
    assert fonts.korean_font() in ax.title.get_fontfamily()
    assert ax.get_title() == "개 and 고양이 (99 %)" and ax.get_yticklabels()[0].get_text() == "고양이"


@pytest.mark.usefixtures("no_korean_font")
def test_without_a_font_numbers_are_written_and_said_once() -> None:
    figure = korean_figure()
    with pytest.warns(RuntimeWarning, match=r"#1 is 고양이.*#2 is 개") as told:
        figure_bytes(figure, "png")
    assert len(told) == 1
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["#1", "dog"]
    assert ax.get_title() == "#2 and #1 (99 %)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure_bytes(korean_figure(), "png")


@pytest.mark.usefixtures("no_korean_font")
def test_svg_keeps_the_words_and_warns_of_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_figure(korean_figure(), tmp_path / "a.svg")
    root = ET.parse(tmp_path / "a.svg").getroot()
    words = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "고양이" in words and "개 and 고양이 (99 %)" in words


def test_a_figure_without_korean_words_is_left_alone() -> None:
    figure = curves_figure(FIRST)
    before = [text.get_fontfamily() for text in figure.findobj(matplotlib.text.Text)]
    figure_bytes(figure, "png")
    assert [text.get_fontfamily() for text in figure.findobj(matplotlib.text.Text)][: len(before)] == before


def test_the_korean_letters_of_unicode_are_known() -> None:
    assert all(fonts.HANGUL.search(letter) for letter in "가힣ㄱㅎᄀ") and not fonts.HANGUL.search("ABC 漢字 カナ é")
    assert np.array(["한글"]).dtype.kind == "U"
