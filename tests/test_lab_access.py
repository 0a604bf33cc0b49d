"""The lab for everybody: axe-core's checks in every area and theme, by keyboard alone, on a phone, and in Firefox."""

from __future__ import annotations

import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_browser import Pages, in_browser, until
from lab_firefox import FIREFOX, WAIT_S, firefox

from pellucid.lab.launch import Lab

AXE = importlib.util.find_spec("axe_playwright_python")
"""axe-core comes with this package, which is among the extra test."""

in_firefox = pytest.mark.skipif(FIREFOX is None, reason="there is no Firefox on this machine")


def areas(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all("#areas [role=tab]", "all => all.map(e => e.id.slice(9))")
    return found


def shown(page: Any, area: str) -> None:
    """Open an area, and wait until something is in it."""
    page.click(f"#area-tab-{area}")
    until(page, f"document.querySelector('#area-{area}').innerText.length > 20")


@in_browser
@pytest.mark.skipif(AXE is None, reason="axe-playwright-python, which brings axe-core, is not installed")
def test_axe_finds_nothing_in_any_area_and_theme(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url)
    assert AXE is not None and AXE.origin is not None
    page.evaluate((Path(AXE.origin).parent / "axe.min.js").read_text("utf-8"))
    found, found_head = dict[tuple[str, str, str], list[str]](), False
    for area in areas(page):
        shown(page, area)
        if area == "network":
            page.click(".layer-row:first-child .layer-head")
            page.wait_for_selector(".layer-form input")
        for theme in ("light", "dark", "projector"):
            page.select_option("#theme", theme)
            until(page, f"document.documentElement.dataset.theme === '{theme}'")
            what = f"'#area-{area}'" if found_head else "document"
            rules = "{}" if theme == "light" else "{runOnly: ['color-contrast']}"  # a theme changes nothing else
            found_head = theme == "projector" or found_head
            violations = page.evaluate(
                f"() => axe.run({what}, {rules}).then(({{violations}}) => violations.map("
                "({id, nodes}) => [id, nodes.slice(0, 3).map(node => `${node.target}: ${node.failureSummary}`)]))"
            )
            found |= {(area, theme, rule): nodes for rule, nodes in violations}
    assert not found


@in_browser
def test_no_area_sticks_out_of_a_phone(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#lang=ko", width=360, height=740, has_touch=True)
    for area in areas(page):
        shown(page, area)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, area
        small = page.evaluate(
            "() => [...document.querySelectorAll('main button, main select, .bar button')].filter(e => {"
            "const box = e.getBoundingClientRect(); return box.width && (box.width < 24 || box.height < 24)})"
            ".map(e => e.outerHTML.slice(0, 120))"
        )
        assert small == [], area  # WCAG 2.2, target size


@in_browser
def test_by_keyboard_a_training_is_started_a_layer_chosen_and_a_pixel_moved(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url)
    page.focus("body")

    def tab_to(selector: str, most: int = 60) -> None:
        for _ in range(most):
            if page.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            page.keyboard.press("Tab")
        pytest.fail(f"Tab does not reach {selector}")

    tab_to("#do-start")
    page.keyboard.press("Enter")
    until(page, "Number(document.querySelector('[data-of=\"count.step\"] dd').textContent.replace(/\\D/g, '')) > 3")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#do-start .text').textContent === 'Start'")
    tab_to("button.block")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    until(page, "location.hash.includes('layer=affine1')")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Space")
    until(page, "location.hash.includes('layer=pool1')")
    until(page, "document.querySelector('canvas.maps').getAttribute('aria-label')?.includes('pool1')")
    tab_to("canvas.maps")
    for key in ("Enter", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    until(page, "location.hash.includes('position=3%2C3%2C0')")
    until(page, "document.querySelector('#arithmetic-tools').textContent.startsWith('pool1, row 3')")


@in_browser
def test_a_network_is_edited_by_keyboard_and_trained(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#area=network", shows=".layer-row")
    layers = [layer.name for layer in lab.session.model.layers]
    page.focus(".layer-row:first-child .layer-head")
    page.keyboard.press("Enter")
    filters = page.get_by_role("spinbutton", name="filters", exact=True)
    filters.fill("0")
    until(page, "document.querySelector('.layer-row.bad .problem')?.textContent.includes('at least 1, got 0')")
    assert page.is_disabled("#use-network")
    filters.fill("12")
    until(page, "document.querySelector('.layer-row:first-child .facts dd').textContent === '8\\u00d78\\u00d712'")
    page.select_option("#add-kind", "Dropout")
    page.focus("#add-layer")
    page.keyboard.press("Enter")
    until(page, "document.querySelector('.layer-row:nth-child(2) b').textContent === 'dropout'")
    until(page, "!document.querySelector('#use-network').disabled")
    assert page.locator(".layer-row.new b").all_inner_texts() == ["conv1", "affine1"]
    page.focus("#use-network")
    page.keyboard.press("Enter")
    until(
        page, "document.querySelector('#use-network').disabled && document.querySelectorAll('.layer-row').length === 6"
    )
    assert [layer.name for layer in lab.session.model.layers] == [layers[0], "dropout", *layers[1:]]
    page.click("#do-step")
    until(page, "document.querySelector('[data-of=loss] dd').textContent !== '\\u2013'")
    page.click("#area-tab-train")
    until(page, "[...document.querySelectorAll('.block .shape')].some(e => e.textContent === '8\\u00d78\\u00d712')")


@in_browser
def test_a_class_follows_and_looks_around(pages: Pages, lab: Lab) -> None:
    teacher = pages.open(lab.url)
    pupil = pages.open(lab.viewer_url)
    teacher.select_option("#layer-name", "pool1")
    until(pupil, "location.hash.includes('layer=pool1')")
    pupil.select_option("#theme", "dark")
    pupil.select_option("#layer-name", "flatten")
    until(pupil, "!document.querySelector('#follow').checked")
    teacher.click("#area-tab-network")
    late = pages.open(lab.viewer_url, shows=".layer-row")
    assert late.locator("#area-network button:visible:not(.layer-head):enabled").count() == 0
    assert "layer=flatten" in pupil.evaluate("location.hash")
    pupil.check("#follow")
    until(pupil, "location.hash.includes('area=network') && location.hash.includes('theme=dark')")
    assert "2" in teacher.inner_text("#link")


@in_firefox
def test_firefox_trains_and_looks_into_a_layer(lab: Lab, tmp_path: Path) -> None:
    with firefox(tmp_path) as page:

        def wait(condition: str) -> None:
            end = time.monotonic() + WAIT_S
            while not page.evaluate(condition):
                assert time.monotonic() < end, condition
                time.sleep(0.01)

        page.open(lab.url)
        wait("document.querySelector('#predictions-body .answer') !== null")
        page.press("#do-step")
        wait("document.querySelector('[data-of=loss] dd').textContent !== '\\u2013'")
        page.press("button.block:nth-of-type(3)")
        wait("location.hash.includes('layer=pool1')")
        wait("document.querySelector('canvas.maps').getAttribute('aria-label')?.includes('pool1')")
        for area in page.evaluate("[...document.querySelectorAll('#areas [role=tab]')].map(e => e.id).join()").split(
            ","
        ):
            page.press(f"#{area}")
            wait(f"document.querySelector('#{area.replace('-tab', '')}').innerText.length > 20")
        assert page.complaints == []
