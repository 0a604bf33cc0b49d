"""The page about a run: complete in itself, small, right, in two languages, and safe whatever a class is called."""

from __future__ import annotations

import html
import json
import re
import shlex
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from english_words import english
from matplotlib.text import Text
from PIL import Image

import pellucid
from pellucid import datasets
from pellucid._progress import WorkBar
from pellucid.cli.report import read_run
from pellucid.report import LANGUAGES, make_report
from pellucid.report.page import Page
from pellucid.report.words import _SENTENCES, Words
from pellucid.visualise import curves_figure, held_name
from pellucid.visualise.drawing import fonts

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Reader(HTMLParser):
    """What is in a page: how often each tag, every address, the words; tags must close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.addresses: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.addresses += [value or "" for name, value in attributes if name in ("src", "href", "xlink:href", "action")]
        assert not any(name.startswith("on") for name, _ in attributes)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1

    def handle_data(self, data: str) -> None:
        self.words.append(data)


WRITTEN: dict[str, list[str]] = {}
"""What is written in the figures of `pages`, by language."""


def texts_of(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible()]


@pytest.fixture(scope="module")
def pages(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    from pellucid.cli import main

    folder, texts, drawn = tmp_path_factory.mktemp("pages"), {}, Page.figure

    def heard(self: Page, figure: Any, caption: str, **dpi: int) -> None:
        WRITTEN.setdefault(self.lang, []).extend(texts_of(figure))
        drawn(self, figure, caption, **dpi)

    for lang in LANGUAGES:
        out = folder / f"{lang}.html"
        told: set[str] = set()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Page, "figure", heard)
            patch.setattr(WorkBar, "__call__", lambda self, done, total, what: told.add(what))  # noqa: B023
            assert main(["report", str(run_folder), "--lang", lang, "--out", str(out)]) == 0
        assert {"judging pictures", "writing the page"} <= told, "a page takes a while, and shows that it does"
        texts[lang] = out.read_text("utf-8")
    return texts


def test_a_page_needs_nothing_but_itself_and_is_small(pages: dict[str, str]) -> None:
    for text in pages.values():
        page = Reader(text)
        assert len(text.encode()) < 3_000_000
        assert page.tags["script"] == 0 and "default-src 'none'" in text
        assert all(address.startswith(("data:image/png;base64,", "#")) for address in page.addresses)
        assert page.tags["figure"] >= 8 and page.tags["svg"] >= 1


def test_both_languages_show_the_same(pages: dict[str, str]) -> None:
    english, korean = (Reader(pages[lang]) for lang in ("en", "ko"))
    assert english.tags == korean.tags
    assert '<html lang="en">' in pages["en"] and '<html lang="ko">' in pages["ko"]
    hangul = re.compile("[가-힣]")
    assert hangul.search(" ".join(korean.words)) and not hangul.search(" ".join(english.words))


def test_a_korean_page_holds_no_english(pages: dict[str, str], run_folder: Path) -> None:
    text = re.sub(r"<style>.*?</style>|<pre>.*?</pre>", "", pages["ko"], flags=re.DOTALL)
    text = re.sub(r"<title>.*?</title>|alt=\"[^\"]*\"", "", text, flags=re.DOTALL)
    told = [html.unescape(part) for part in re.findall(r">([^<>]+)<", text)]
    again = next(place for place, part in enumerate(told) if part.startswith("같은 버전"))
    own = [
        "simple-convnet-digits",
        "digits",
        "simple-convnet",
        run_folder.name,
        "simple_convnet",
        "Adam",
        "avx2",
        "avx512",
    ]
    layers = [layer.name for layer in pellucid.load(run_folder / "model.safetensors").layers]
    kinds = ["categorical_crossentropy", "none", "cross-entropy"]
    assert [(part, found) for part in told[:again] if (found := english(part, *own, *layers, *kinds))] == []


def test_its_numbers_are_those_of_evaluate(pages: dict[str, str], run_folder: Path) -> None:
    model, test = pellucid.load(run_folder / "model.safetensors"), datasets.load("digits").test
    accuracy = model.evaluate(test.images, test.labels, verbose=0)["accuracy"]
    text = " ".join(Reader(pages["en"]).words)
    assert f"{100 * accuracy:.2f} % of {len(test):,} test pictures right" in text
    assert f"{model.count_params():,} parameters" in text
    wrong = int(np.count_nonzero(model.predict(test.images).argmax(axis=1) != test.labels))
    assert f"of {wrong:,} in all" in text and "training solid, test dashed" in text
    command = json.loads((run_folder / "run.json").read_text("utf-8"))["command"]
    assert "pellucid " + shlex.join(command) in text


def test_the_epoch_kept_is_the_one_with_the_best_accuracy(pages: dict[str, str], run_folder: Path) -> None:
    epochs = [json.loads(line) for line in (run_folder / "log.jsonl").read_text("utf-8").splitlines()]
    scores = [(e["val_accuracy"], -e["val_loss"], e["epoch"]) for e in epochs if e["event"] == "epoch"]
    assert f"The epoch kept is {max(scores)[2]}." in pages["en"]


def test_a_run_that_went_well_says_nothing_of_a_doctor(pages: dict[str, str]) -> None:
    assert "training doctor" not in pages["en"] and "학습 의사" not in pages["ko"]


def test_what_the_doctor_said_is_on_the_page_and_a_class_called_like_a_tag_stays_words(
    command: Command, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for name, level, count in (("<b>many", 60, 40), ("a & few", 190, 4)):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = rng.normal(level, 10, (16, 16, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    words = ["simple-convnet", "--data", tmp_path / "data", "--size", "16", "--epochs", "1", "--out"]
    run = tmp_path / "run"
    status, _, err = command("train", *words, run)
    told = [line for line in err.splitlines() if line.startswith("doctor: ")]
    assert status == 0 and len(told) == 1 and "class '<b>many' has 32 pictures, class 'a & few' has 3" in told[0]
    status, out, _ = command("report", run, "--lang", "ko")
    assert status == 0 and out.strip() == str(run / "report.html")
    text = (run / "report.html").read_text("utf-8")
    assert "학습 의사의 조언" in text and "&#x27;&lt;b&gt;many&#x27;의 이미지는 32장" in text
    assert "<b>" not in text and "a &amp; few" in text
    Reader(text)
    assert "doctor" not in command("train", *words, tmp_path / "without", "--no-doctor")[2]
    assert "diagnosis" not in (tmp_path / "without" / "log.jsonl").read_text()


def test_what_cannot_be_reported_on_is_said(command: Command, run_folder: Path, tmp_path: Path) -> None:
    for words, said in (
        ([run_folder / "model.safetensors"], "a report needs a run folder"),
        ([tmp_path], "a report needs a run folder"),
        ([tmp_path / "nowhere"], "no such run"),
        ([run_folder, "--lang", "kr"], "did you mean 'ko'"),
    ):
        status, out, err = command("report", *words)
        assert status == 1 and said in err and err.count("\n") == 1 and not out


LATIN = re.compile(r"[A-Za-z]{3,}")


def test_korean_pictures_have_korean_labels(
    pages: dict[str, str], run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"en": WRITTEN["en"], "ko": list[str]()}

    def keep(self: Page, figure: Any, caption: str, dpi: int = 0) -> None:
        told["ko"] += texts_of(figure)

    monkeypatch.setattr(Page, "figure", keep)
    monkeypatch.setattr(fonts, "korean_font", lambda: "NanumGothic")
    with WorkBar() as bar:
        korean = make_report(read_run(run_folder, bar), lang="ko")
    svgs = [" ".join(Reader(p[p.index("<svg") : p.index("</svg>") + 6]).words) for p in (pages["en"], korean)]
    assert len(told["en"]) == len(told["ko"])
    names = {layer.name for layer in pellucid.load(run_folder).layers} | {
        "kernel",
        "bias",
        "simple",
        "convnet",
        "score",
    }
    left = [word for text in told["ko"] for word in LATIN.findall(text) if not names & {word, word + "1", word + "2"}]
    assert not left
    english = [text for text in told["en"] if LATIN.search(text)]
    assert "accuracy (%)" in english and "정확도 (%)" in told["ko"]
    assert not re.search("[가-힣]", " ".join(told["en"]) + svgs[0])
    monkeypatch.setattr(fonts, "korean_font", lambda: None)  # no boxes in place of letters
    assert Words("ko").in_pictures == Words("en").in_pictures == "en"
    assert "완전 연결" in svgs[1] and "fully connected" not in svgs[1] and "multiply" not in svgs[1]


def test_the_held_out_pictures_are_called_what_they_were(run_folder: Path) -> None:
    with WorkBar() as bar:
        run = read_run(run_folder, bar)
    assert held_name(run.record) == "test"
    assert held_name({"data": {"pictures": {"train": 3, "validation": 1}}}) == "validation"
    assert held_name({"data": {"pictures": {"train": 3}, "held_out": "folder"}}) == "validation"
    figure = curves_figure(run.log, held="test")
    assert [line.get_label() for line in figure.axes[0].lines] == ["training", "test"]


def test_every_sentence_has_the_same_places_in_every_language() -> None:
    for key, sentences in _SENTENCES.items():
        places = [sorted(re.findall(r"{(\w+)", sentence)) for sentence in sentences]
        assert len(sentences) == len(LANGUAGES) and all(each == places[0] for each in places), key
    assert Words("ko").say("data") == "데이터"


def test_shapes_stay_on_one_line(pages: dict[str, str]) -> None:
    for text in pages.values():
        assert (
            re.search(r'<td class="whole">\d+ x \d+ x \d+</td>', text) and "td.whole { white-space: nowrap; }" in text
        )
