"""The lab's page in a real browser: it trains, shows what is computed, and can be used by everybody."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_browser import Pages, drawn, in_browser, number_in, numbers_in, until

import pellucid
from pellucid._web import page_files
from pellucid.lab.launch import Lab, make_lab
from pellucid.lab.prepare import prepare

MINUS = "\N{MINUS SIGN}"


@in_browser
def test_learns_the_digits_while_the_learning_rate_is_changed(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url)
    page.click("#do-start")
    until(page, "document.querySelector('[data-of=\"count.step\"] dd').textContent !== '0'")
    page.focus("#set-learning_rate")
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    until(page, "parseFloat(document.querySelector('[data-of=\"test.accuracy\"] dd').textContent) >= 95")
    rate = pytest.approx(10**-2.8, rel=1e-2)
    until(page, "document.querySelector('label:has(#set-learning_rate) output').textContent === '0.00158'")
    until(page, lambda: lab.session.snapshot["settings"]["learning_rate"] == rate)
    assert lab.session.model.optimizer.learning_rate == rate
    page.click("#do-start")
    until(page, "document.querySelector('#do-start .text').textContent === 'Start'")
    assert lab.session.snapshot["logs"]["val_accuracy"] >= 0.95
    page.click("#do-restart")
    until(page, "document.querySelector('[data-of=\"count.step\"] dd').textContent === '0'")


@in_browser
def test_clicked_numbers_add_up(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#picture=3")
    seen = pellucid.trace(lab.session.model, lab.session.dataset.test.images[3:4])
    for layer in seen.names:
        page.select_option("#layer-name", layer)
        until(page, f"document.querySelector('canvas.maps').getAttribute('aria-label')?.includes('{layer}')")
        page.click("canvas.maps", position={"x": 12, "y": 9})
        until(page, "location.hash.includes('position=')")
        place = tuple(
            map(int, re.findall(r"\d+", page.evaluate("location.hash").split("position=")[1].replace("%2C", ",")))
        )
        output = float(seen[layer].output[0][place])
        until(page, f"document.querySelector('#arithmetic-tools').textContent.startsWith('{layer}, ')")
        until(page, f"Math.abs(document.querySelector('[data-of=result] dd').dataset.value - {output}) < 1e-4")
        if seen[layer].layer.role == "pooling":
            assert max(numbers_in(page, "[data-terms=values] td")) == pytest.approx(output)
        if "kernel" not in seen[layer].weights:
            continue
        products = numbers_in(page, "[data-terms=products] td, [data-terms=products] li")
        total, bias, before = (number_in(page, f"[data-of={name}] dd") for name in ("sum", "bias", "before"))
        assert sum(products) == pytest.approx(total, abs=1e-9)
        assert total + bias == pytest.approx(before, abs=1e-9)
        if layer == "conv1":  # what is written in the cells adds up too, as far as it is rounded
            written = page.locator("[data-terms=products] td").all_text_contents()
            assert sum(float(text.replace(MINUS, "-")) for text in written) == pytest.approx(total, abs=0.0005 * 25)
            assert number_in(page, "[data-of=result] dd") == pytest.approx(max(before, 0))


@in_browser
def test_gradients_and_weights_are_taken_apart_too(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#layer=conv1&picture=3&show=map_gradients")
    for tab, wanted in (("map_gradients", 3), ("weights", 4)):
        page.click(f"#tab-{tab}")
        until(page, f"location.hash.includes('show={tab}') && !document.querySelector('canvas.maps').hidden")
        page.click("canvas.maps", position={"x": 12, "y": 9})
        until(page, "new URLSearchParams(location.hash.slice(1)).has('position')")
        place = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('position')").split(",")
        assert len(place) == wanted
        until(page, f"document.querySelector('#arithmetic-body').innerText.includes('[{', '.join(place)}]')")
        products = numbers_in(page, "[data-terms=gradient] li")
        assert sum(products) == pytest.approx(number_in(page, "[data-of=gradient-sum] dd"), abs=1e-9)
    weight, change, updated = (number_in(page, f"[data-of={name}] dd") for name in ("before-step", "change", "updated"))
    assert weight == pytest.approx(float(lab.session.model.layers[0].params["kernel"][tuple(map(int, place))]))
    assert weight + change == pytest.approx(updated)


@in_browser
def test_everything_is_said_in_korean(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url, locale="ko-KR")
    assert page.evaluate("document.documentElement.lang") == "ko"
    assert page.inner_text("#do-start") == "시작"
    texts = page.locator("h2, label span, dt, .tab, button .text").all_inner_texts()
    assert not [text for text in texts if re.search("[a-zA-Z]", text.replace("ReLU", ""))]  # which has no other name
    page.select_option("#lang", "en")
    until(page, "document.querySelector('#do-start .text').textContent === 'Start'")


@in_browser
def test_nothing_sticks_out_at_any_width(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#lang=ko")
    for theme in ("light", "dark", "projector"):
        page.select_option("#theme", theme)
        until(page, f"document.documentElement.dataset.theme === '{theme}'")
        for width in (360, 768, 3840):
            page.set_viewport_size({"width": width, "height": 740})
            drawn(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, theme
            for name in ("start", "step", "picture", "restart"):
                box = page.locator(f"#do-{name}").bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 30


@in_browser
def test_by_keyboard_alone(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url, reduced_motion="reduce")
    wanted = {
        "theme",
        "do-start",
        "do-step",
        "set-learning_rate",
        "set-optimizer",
        "block",
        "tab-maps",
        "maps",
        "answer",
    }
    for _ in range(100):
        page.keyboard.press("Tab")
        name, visible = page.evaluate(
            "() => { const e = document.activeElement; return [e.id || e.classList[0], "
            "getComputedStyle(e).outlineStyle !== 'none'] }"
        )
        assert visible, f"{name} does not show that it has the focus"
        if name == "do-step":
            page.keyboard.press("Enter")
        wanted.discard(name)
        if not wanted:
            break
    assert not wanted
    until(page, "Number(document.querySelector('[data-of=\"count.step\"] dd').textContent) >= 1")
    page.focus("#tab-maps")
    page.keyboard.press("ArrowRight")
    until(page, "document.querySelector('canvas.maps').getAttribute('aria-label').startsWith('Gradients')")
    page.keyboard.press("ArrowLeft")
    until(page, "document.querySelector('canvas.maps').getAttribute('aria-label').startsWith('Maps,')")
    page.focus("canvas.maps")
    for key in ("Enter", "ArrowDown", "PageDown"):
        page.keyboard.press(key)
    until(page, "location.hash.includes('position=5%2C4%2C1')")


@in_browser
def test_the_address_holds_the_state(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#layer=pool1&show=histograms&picture=7&theme=dark")
    page.wait_for_selector(".histogram")
    page.reload()
    page.wait_for_selector(".histogram")
    assert page.input_value("#picture-number") == "7" and page.input_value("#layer-name") == "pool1"
    page.evaluate("location.hash = '#layer=affine2&picture=-5&show=%3Cb%3E&position=1,x'")
    until(page, "document.querySelector('#layer-name').value === 'affine2'")
    assert page.input_value("#picture-number") == "0"


@in_browser
def test_an_address_followed_on_an_open_page_leaves_its_language_and_theme(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#lang=ko&theme=dark")
    page.goto(f"{lab.url}#layer=pool1")
    until(page, "document.querySelector('#layer-name').value === 'pool1'")
    assert page.input_value("#lang") == "ko" and page.input_value("#theme") == "dark"
    assert page.get_attribute("html", "lang") == "ko"


@in_browser
def test_a_viewer_sees_and_does_not_steer(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.viewer_url)
    assert page.locator("#buttons button:enabled, #settings-body :enabled").count() == 0
    assert page.inner_text("#link") == "looking only"


@in_browser
def test_names_with_markup_stay_text(pages: Pages) -> None:
    name = '<img src=x onerror="document.title=1">'
    rng = np.random.default_rng(0)
    start = prepare()
    images = rng.integers(0, 255, (40, 8, 8, 1), np.uint8)
    data = replace(prepare(start.model, (images, np.arange(40) % 10)).dataset, name=name)
    start.model.class_names = tuple(f"{name}{i}" for i in range(10))
    made = make_lab(lambda: prepare(start.model, data), port=0, host="127.0.0.1", lang="en", folder=lambda _: None)
    made.start()
    try:
        page = pages.open(made.url)
        assert name in page.inner_text("#subject")
        assert page.locator("img, main script").count() == 0
        assert "Pellucid lab" in page.title()
    finally:
        made.close()


@in_browser
def test_everything_that_can_be_used_has_a_name(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#show=histograms")
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, [role=img], [tabindex=\"0\"]')].filter(e => "
        "!e.hidden && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))"
        ".map(e => e.outerHTML)"
    )
    assert nameless == []
    ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def luminance(colour: str) -> float:
    """Source: WCAG 2.2, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize(("theme", "least"), [("light", 4.5), ("dark", 4.5), ("projector", 7.0)])
def test_words_can_be_read_in_every_theme(theme: str, least: float) -> None:
    style = page_files("pellucid.lab")["style.css"][0].decode()
    colours: dict[str, str] = {}
    for name in ("", f'[data-theme="{theme}"]'):
        block = re.search(rf"^:root{re.escape(name)} \{{(.*?)^\}}", style, re.MULTILINE | re.DOTALL)
        colours |= dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block[1])) if block else {}
    pairs = [(ink, on) for ink in ("ink", "soft", "right", "wrong") for on in ("card", "ground")]
    pairs += [(f"class-{i}", on) for i in range(8) for on in ("card", "sunk")]
    for ink, on in [*pairs, ("ink", "sunk"), ("soft", "sunk"), ("accent", "card"), ("on-accent", "accent")]:
        light, dark = sorted((luminance(colours[ink]), luminance(colours[on])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= least, f"{ink} on {on}"


def test_every_word_is_known_in_both_languages() -> None:
    files = {name: content.decode() for name, (content, _) in page_files("pellucid.lab").items()}
    words = dict(re.findall(r'^  "?([\w. ]+)"?: \[("[^\n]*")\],$', files["words.js"], re.MULTILINE))
    assert len(words) > 60
    for name, texts in words.items():
        english, korean = re.findall(r'"((?:[^"\\]|\\.)*)"', texts)
        assert re.search("[가-힣]", korean) and not re.search("[가-힣]", english), name
        assert set(re.findall(r"\{\w+\}", english)) == set(re.findall(r"\{\w+\}", korean)), name
    said = {name for text in files.values() for name in re.findall(r'word\("([\w.]+)"', text)}
    said |= set(re.findall(r'data-word(?:-label)?="([\w.]+)"', files["index.html"]))
    assert said <= set(words)
