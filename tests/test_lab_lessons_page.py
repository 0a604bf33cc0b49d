"""The lab's filter bench, exercises and lessons in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_browser import Pages, in_browser, until

from pellucid import ops
from pellucid.exercises import two_halves
from pellucid.lab.launch import Lab, make_lab
from pellucid.lab.prepare import prepare


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = make_lab(prepare, port=0, host="127.0.0.1", lang="en", folder=lambda _: None)
    made.start()
    yield made
    made.close()


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
