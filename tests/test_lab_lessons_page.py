"""The lab's filter bench, exercises and lessons in a real browser."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_browser import Pages, in_browser, until

from pellucid import ops
from pellucid._web import page_files
from pellucid.exercises import EXERCISES, two_halves
from pellucid.lab.launch import Lab
from pellucid.lab.prepare import prepare

LESSONS = json.loads(page_files("pellucid.lab")["lessons.json"][0])
SHOWN = """look => [
  new URLSearchParams(location.hash.slice(1)).get('lesson'),
  document.querySelector('#lesson-title').textContent,
  document.querySelector('#lesson-count').textContent,
  document.querySelector('#lesson .lesson-task').checkVisibility(),
  Boolean(document.querySelector(`#${look}.pointed`)?.checkVisibility()),
].join('|')"""
"""Lesson and step in the address, title, count, whether there is an exercise, whether the card is shown."""
AREAS = ("train", "draw", "network", "filters", "lessons")


@in_browser
def test_a_filter_is_edited_and_an_exercise_failed_and_solved(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#area=filters", shows="#bench canvas[data-low]")
    page.select_option("#bench-picture", "turned")
    page.wait_for_selector("#bench-task-body [data-field=kernel] input")
    page.click("#take-kernel")
    page.click("#bench-task-body button[type=submit]")
    until(page, "document.querySelector('#bench-task .verdict').textContent.includes('left with right')")
    cells = page.locator("#bench .cell")
    for cell, weight in zip(range(4), (2, 2, -2, -2), strict=True):
        cells.nth(cell).fill(str(weight))
    kernel = np.array([[2, 2], [-2, -2]], np.float32)[:, :, None, None]
    batch = np.ascontiguousarray(two_halves().T)[None, :, :, None]
    answer = ops.conv2d(batch, kernel, strides=(1, 1), padding=((0, 0), (0, 0)))[0, :, :, 0]
    shown = "document.querySelectorAll('#bench canvas')[1].dataset"
    until(page, f"Math.abs({shown}.high - {answer.max()}) < 1e-3 && Math.abs({shown}.low - {answer.min()}) < 1e-3")
    page.locator("#bench canvas").nth(1).click(position={"x": 3, "y": 3})
    until(
        page,
        f"Math.abs(document.querySelector('#bench-number [data-of=result] dd')?.dataset.value - {answer[0, 0]}) < 1e-4",
    )
    page.fill("#filter1-dilation", "8")
    page.fill("#filter1-rows", "8")
    until(page, "document.querySelector('.problem').textContent.includes('needs at least 57x9 input, got 50x50')")
    page.click("#take-kernel")
    page.reload()
    page.wait_for_selector("#bench .problem:not(:empty)")
    assert page.locator("#bench .cell").count() == 16, "the address keeps the kernel"
    page.fill("#filter1-dilation", "1")
    page.fill("#filter1-rows", "2")
    until(page, "document.querySelectorAll('#bench .cell').length === 4")
    page.click("#take-kernel")
    page.select_option("#lang", "ko")
    page.click("#bench-task-body button[type=submit]")
    until(page, "document.querySelector('#bench-task .verdict').textContent.startsWith('맞습니다')")


@in_browser
def test_every_step_of_every_lesson_shows_what_it_speaks_of(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#area=lessons&lang=ko", shows=".lesson-entry")
    for lesson in LESSONS:
        page.click(f"[data-lesson={lesson['name']}]")
        for number, step in enumerate(lesson["steps"], 1):
            task = "true" if "exercise" in step else "false"
            count = f"{number} / {len(lesson['steps'])}"
            wanted = f"{lesson['name']}.{number}|{step['title']['ko']}|{count}|{task}|true"
            until(page, f"({SHOWN})('{step['look']}') === '{wanted}'")
            page.keyboard.press("ArrowRight")
        assert page.evaluate("document.querySelector('#said').textContent") == ""
        page.click("#lesson-end")


@in_browser
def test_a_link_opens_a_lesson_at_its_step_and_what_else_it_says_goes_first(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#lesson=closely.6", width=360, height=740, shows="#lesson:not([hidden])")
    page.wait_for_selector("#bench canvas[data-low]")
    until(page, "document.querySelectorAll('#bench .cell')[2].value === '1'")
    assert page.is_checked("#filter1-relu")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.click("#lesson summary")
    page.wait_for_selector("#lesson [data-field=kernel] input")
    page.click("#lesson-back")
    until(page, "document.querySelectorAll('#bench .cell')[2].value === '-1'")
    page.evaluate("location.hash = '#lesson=backward.3&layer=pool1'")
    until(page, "document.querySelector('#layer-name').value === 'pool1'")
    assert page.get_attribute("#tab-map_gradients", "aria-selected") == "true"


@in_browser
def test_an_exercise_is_chosen_from_the_list_and_kept_in_the_address(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#area=lessons", shows=".exercise-entry")
    page.click("[data-exercise=pooling]")
    page.wait_for_selector("#exercise-body [data-field=average] input")
    page.click("#exercise-body .buttons button:nth-of-type(2)")
    until(page, "location.hash.includes('exercise=pooling.1')")
    page.click("#exercise-body .buttons button:nth-of-type(3)")
    until(page, "document.querySelector('#exercise-body [data-field=max] input').value !== ''")
    solution = EXERCISES["pooling"].task(1).solution["max"]
    shown = page.eval_on_selector_all("#exercise-body [data-field=max] input", "all => all.map(e => Number(e.value))")
    np.testing.assert_array_equal(shown, np.ravel(solution))
    page.locator("#exercise-body [data-field=max] input").first.fill("")
    page.click("#exercise-body button[type=submit]")
    page.wait_for_selector("#exercise-body .verdict.wrong")
    page.locator("#exercise-body [data-field=max] input").first.fill(str(shown[0]))
    page.click("#exercise-body button[type=submit]")
    page.wait_for_selector("#exercise-body .verdict.right")


def test_lessons_speak_of_what_there_is() -> None:
    page = {name: content.decode() for name, (content, _) in page_files("pellucid.lab").items()}
    keys = set(re.findall(r"^  (\w+): ", page["store.js"].split("IN_ADDRESS = {")[1].split("};")[0], re.MULTILINE))
    ids = set(re.findall(r'\bid(?:=|: )"([\w-]+)"', page["index.html"] + page["filters.js"]))
    layers = {type(layer).__name__ for layer in prepare().model.layers}
    assert len(LESSONS) == 7 and len({lesson["name"] for lesson in LESSONS}) == 7
    for lesson in LESSONS:
        assert 5 <= len(lesson["steps"]) <= 8
        for step in lesson["steps"]:
            assert set(step["state"]) <= keys and step["look"] in ids and step["state"]["area"] in AREAS
            assert step.get("exercise", "softmax") in EXERCISES
            assert step["state"].get("layer", "first Conv2D").split()[1] in layers
            for text in (step["title"], step["text"], step["try"], lesson["title"], lesson["about"]):
                assert re.search("[가-힣]", text["ko"]) and not re.search("[가-힣]", text["en"])
    used = {step["exercise"] for lesson in LESSONS for step in lesson["steps"] if "exercise" in step}
    assert used | {"edge-kernel"} == set(EXERCISES), "every exercise stands in a lesson, the edge beside the bench"
