"""The lab in a real browser: pictures drawn, moved, covered and changed step by step; windows on their way; a plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_browser import Pages, drawn, in_browser, number_in, numbers_in, until
from PIL import Image

import pellucid
from pellucid.lab.launch import Lab, make_lab
from pellucid.lab.prepare import prepare
from pellucid.layers import AvgPool2D, Conv2D, Dense, Flatten

DRAW = "#area=draw"
ANSWER = "#probe-answer .guess"
SEVEN = ((0.2, 0.15), (0.5, 0.14), (0.8, 0.15), (0.64, 0.45), (0.45, 0.9))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    made = make_lab(prepare, port=0, host="127.0.0.1", lang="en", folder=lambda _: None)
    train = made.session.dataset.train
    made.session.model.fit(train.images, train.labels, epochs=4, verbose=0)
    made.start()
    yield made
    made.close()


def draw(page: Any, places: tuple[tuple[float, float], ...]) -> None:
    box = page.locator(".board").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def share_of(page: Any, label: str) -> float:
    """How probable the page says that a class is, among the three that it shows; else 0."""
    shares: dict[str, str] = dict(
        page.eval_on_selector_all(ANSWER, "all => all.map(e => [e.dataset.class, e.lastChild.textContent])")
    )
    return float(shares.get(label, "0").split()[0].rstrip("%"))


def changes(page: Any) -> list[float]:
    found: list[str] = page.eval_on_selector_all(".changes li", "all => all.map(e => e.dataset.changed)")
    return [float(each) for each in found]


@in_browser
def test_a_drawn_seven_is_read_moved_and_looked_into(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url + DRAW, shows=ANSWER)
    draw(page, SEVEN)
    until(page, "document.querySelector('#probe-answer .guess').dataset.class === '7'")
    until(page, "Number(new URLSearchParams(location.hash.slice(1)).get('picture')) >= 360")
    until(page, "[...document.querySelectorAll('.changes li')].every(e => Number(e.dataset.changed) === 0)")
    page.focus("canvas.probe")
    page.keyboard.press("ArrowRight")
    until(page, "location.hash.includes('change=0%2C0%2C1')")
    until(page, "Number(document.querySelector('.changes li').dataset.changed) > 0.1")
    assert min(changes(page)) > 0
    page.click("[data-key=ArrowLeft]")
    until(page, "!location.hash.includes('change=')")
    page.click("#area-tab-train")  # the whole page looks at this picture
    until(page, "!document.querySelector('#blocks canvas').hidden")
    assert page.inner_text("label[for=picture-number]") == "Picture of your own"
    page.click("#area-tab-draw")
    page.click("#board-clear")


@in_browser
def test_steps_make_a_class_more_probable_and_lead_back(pages: Pages, lab: Lab) -> None:
    test = lab.session.dataset.test
    number = int(np.flatnonzero(test.labels == 3)[0])
    page = pages.open(f"{lab.url}{DRAW}&picture={number}&overlay=saliency", shows=ANSWER)
    until(page, "document.querySelector('#probe-answer .guess').dataset.class === '3'")
    sure = share_of(page, "3")
    page.select_option("#probe-class", "8")
    for taken in range(1, 6):
        page.click("#step-towards")
        until(page, f"document.querySelector('#probe-body').innerText.includes('{taken} steps so far')")
    until(page, "[...document.querySelectorAll('#probe-answer .guess')].some(e => e.dataset.class === '8')")
    until(page, lambda: share_of(page, "8") > 5 and share_of(page, "3") < sure)
    page.select_option("#probe-overlay", "difference")
    for _ in range(5):
        page.click("text=Step back")
    until(page, f"new URLSearchParams(location.hash.slice(1)).get('picture') === '{number}'")


@in_browser
def test_a_dropped_picture_is_looked_at_and_swapped(pages: Pages, lab: Lab, tmp_path: Path) -> None:
    paper = np.full((60, 40), 250, np.uint8)
    paper[8:52, 17:23] = 10  # a one, black on white
    Image.fromarray(paper).save(tmp_path / "one.png")
    page = pages.open(lab.url + DRAW, shows=ANSWER)
    page.set_input_files("#board-file", tmp_path / "one.png")
    page.click("#board button:has-text('Swap black and white')")
    until(page, "location.hash.includes('change=1')")
    until(page, "document.querySelector('#probe-answer .guess').dataset.class === '1'")
    content = (tmp_path / "one.png").read_bytes()
    before = page.evaluate("location.hash")
    page.evaluate(
        "bytes => { const given = new DataTransfer(); given.items.add(new File([new Uint8Array(bytes)], 'one.png')); "
        "document.querySelector('#area-draw').dispatchEvent(new DragEvent('drop', {dataTransfer: given})) }",
        list(content),
    )
    until(page, f"location.hash !== {before!r} && !location.hash.includes('change')")
    page.set_input_files("#board-file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    until(page, "document.querySelector('#board-body').innerText.includes('no picture of a known type')")
    page.select_option("#lang", "ko")
    page.set_input_files("#board-file", {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"})
    until(page, "document.querySelector('#board-body').innerText.includes('읽을 수 없습니다')")
    pages.complaints.clear()  # the browser's own of the answer 400


@in_browser
def test_a_covered_picture_by_brush_and_by_keys(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}{DRAW}&picture=3&overlay=grad_cam", shows=ANSWER)
    page.select_option("#probe-tool", "brush")
    box = page.locator("canvas.probe").bounding_box()
    page.mouse.click(box["x"] + 5, box["y"] + 5)
    until(page, "new URLSearchParams(location.hash.slice(1)).get('cover') === 'c08'")  # three cells at the corner
    until(page, "Number(document.querySelector('.changes li').dataset.changed) > 0")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('cover') !== 'c08'")
    page.click("#probe-tools button:has-text('As it was')")
    until(page, "!location.hash.includes('cover')")


@in_browser
def test_drawn_by_keys_alone_and_by_a_viewer(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.viewer_url}{DRAW}&lang=ko", width=360, shows=ANSWER)
    page.focus("canvas.board")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Space")
    for _ in range(8):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    until(page, "Number(new URLSearchParams(location.hash.slice(1)).get('picture')) >= 360")
    page.select_option("#theme", "projector")
    for width in (360, 900, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        drawn(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(
            "[...document.querySelectorAll('#area-draw .card')].every(card => [...card.querySelectorAll('*')].every("
            "e => !e.getClientRects().length || e.classList.contains('unseen') || e.closest('.scroll') || "
            "e.getBoundingClientRect().right <= card.getBoundingClientRect().right))"
        ), width
    texts = page.locator("#area-draw h2, #area-draw h3, #area-draw label span, #area-draw button").all_inner_texts()
    assert not [text for text in texts if len(text) > 3 and not any("가" <= letter <= "힣" for letter in text)]


@in_browser
def test_a_window_goes_forward_by_itself_and_by_steps(pages: Pages, lab: Lab) -> None:
    page = pages.open(f"{lab.url}#picture=3", shows="#slide-forward")
    page.click("#slide-forward")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('position')?.startsWith('0,0,')")
    page.select_option("#slide-speed", "20")
    page.click("#slide-play")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('position')?.startsWith('1,')")
    page.click("#slide-play")
    page.focus("#slide-place")
    page.keyboard.press("Home")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('position')?.startsWith('0,0,')")
    page.click("#slide-on")
    until(page, "new URLSearchParams(location.hash.slice(1)).get('position')?.startsWith('0,1,')")
    place = page.evaluate("new URLSearchParams(location.hash.slice(1)).get('position')")
    at = tuple(map(int, place.split(",")))
    seen = pellucid.trace(lab.session.model, lab.session.dataset.test.images[3:4])
    number = float(seen["conv1"].output[0][at])
    until(page, f"Math.abs(document.querySelector('[data-of=result] dd').dataset.value - {number}) < 1e-5")


@in_browser
def test_a_window_goes_back_to_each_number_that_it_read(pages: Pages, lab: Lab) -> None:
    test = lab.session.dataset.test
    seen = pellucid.trace(lab.session.model, test.images[3:4], test.labels[3:4])
    page = pages.open(f"{lab.url}#picture=3&slide=backward", shows="#slide-on", reduced_motion="reduce")
    assert page.is_disabled("#slide-play")
    for layer in ("conv1", "pool1"):
        page.select_option("#layer-name", layer)
        until(page, f"document.querySelector('[data-of=output] figcaption').textContent.includes('{layer}')")
        for _ in range(3):
            page.click("#slide-on")
        until(page, "document.querySelector('#slide-place').value === '3'")
        caption = page.inner_text("[data-of=input] figcaption")
        channel = int(caption.rpartition(" ")[2])
        wanted = float(seen[layer].d_input[0, 0, 3, channel])
        shown = "document.querySelector('#sliding-body [data-of=gradient-sum] dd').dataset.value"
        until(page, f"Math.abs({shown} - {wanted}) < 1e-6 + 1e-3 * {abs(wanted)}")
        assert sum(numbers_in(page, "#sliding-body [data-terms] li")) == pytest.approx(
            number_in(page, "#sliding-body [data-of=gradient-sum] dd"), abs=1e-9
        )


@in_browser
def test_points_of_the_plane_name_pictures(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url, shows="canvas.scatter")
    page.focus("canvas.scatter")
    until(page, "document.querySelector('#scatter-body .note').textContent.startsWith('Test picture ')")
    first = page.inner_text("#scatter-body .note")
    page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('#scatter-body .note').textContent !== {first!r}")
    number, label = page.evaluate("document.querySelector('#scatter-body .note').textContent.match(/\\d+/g)")[:2]
    assert int(label) == lab.session.dataset.test.labels[int(number)]
    page.keyboard.press("Enter")
    until(page, f"document.querySelector('#picture-number').value === '{number}'")
    assert page.locator("#scatter-body .key-name").count() == 10


@in_browser
def test_the_camera_is_asked_takes_a_picture_and_is_switched_off(pages: Pages, lab: Lab) -> None:
    page = pages.open(lab.url + DRAW, shows=ANSWER)
    page.click("#board button:has-text('Camera')")
    until(page, "document.querySelector('#board-body').innerText.includes('no camera')")
    page.context.grant_permissions(["camera"])
    page.click("#board button:has-text('Camera')")
    until(page, "document.querySelector('video').videoWidth > 0")
    page.click("#board button:has-text('Take the picture')")
    until(page, "Number(new URLSearchParams(location.hash.slice(1)).get('picture')) >= 360")
    assert page.evaluate("document.querySelector('video').srcObject === null")
    assert not page.is_visible("video")


@in_browser
def test_a_picture_of_ones_own_outlives_the_page_but_not_the_server(pages: Pages, lab: Lab) -> None:
    known = lab._hub._look.pictures.add(lab.session.dataset.test.images[5])
    page = pages.open(f"{lab.url}{DRAW}&picture={known}", shows=ANSWER)
    assert page.inner_text("label[for=probe-number]") == "Picture of your own"
    page.evaluate("location.hash = '#area=draw&picture=5000'")
    page.reload()
    page.wait_for_selector(ANSWER)
    until(page, "document.querySelector('#probe-number').value === '0'")


@in_browser
def test_strides_dilation_and_padding_are_gone_back_through_and_skips_are_arcs(pages: Pages) -> None:
    """The outputs that the page finds for a number are those whose terms its gradient is the sum of."""
    inputs = pellucid.Input((9, 8, 2))
    x = Conv2D(4, (3, 2), strides=(2, 1), padding="same", name="strided")(inputs)
    y = Conv2D(4, 3, dilation_rate=2, padding="same", name="dilated")(x)
    y = AvgPool2D((2, 3), strides=2, padding="same", name="pool")(x + y)
    model = pellucid.Model(inputs, Dense(2, activation="softmax")(Flatten()(y)))
    images = np.random.default_rng(0).integers(0, 255, (20, 9, 8, 2), np.uint8)
    made = make_lab(
        lambda: prepare(model, (images, np.arange(20) % 2)), port=0, host="127.0.0.1", lang="en",
        folder=lambda _: None,
    )  # fmt: skip
    made.start()
    test = made.session.dataset.test
    seen = pellucid.trace(model, test.images[:1], test.labels[:1])
    page = pages.open(f"{made.url}#slide=backward")
    until(page, "document.querySelectorAll('.skips g.on').length === 1")
    source, target = (
        page.locator(f".block:has(.name:text-is('{name}'))").bounding_box() for name in ("strided", "dilated")
    )
    line = page.locator(".skips g path").bounding_box()
    assert source["x"] < line["x"] < source["x"] + source["width"]
    assert target["x"] < line["x"] + line["width"] < target["x"] + target["width"]
    assert line["y"] + line["height"] <= source["y"] + 4
    for layer, filters, places in (("strided", 4, (0, 13, 71)), ("dilated", 4, (0, 19, 39)), ("pool", 1, (0, 18, 39))):
        page.select_option("#layer-name", layer)
        until(page, f"document.querySelector('[data-of=output] figcaption').textContent.includes('{layer}')")
        for place in places:
            page.evaluate(
                "at => { const e = document.querySelector('#slide-place'); e.value = at; "
                "e.dispatchEvent(new Event('input')) }",
                place,
            )
            at = divmod(place, seen[layer].input.shape[2])
            until(page, f"document.querySelector('#sliding-body').textContent.includes('number [{at[0]}, {at[1]}]: ')")
            channel = int(page.inner_text("[data-of=input] figcaption").rpartition(" ")[2])
            found = pellucid.visualise.dissect_gradient(
                model, test.images[0], int(test.labels[0]), layer, (*at, channel)
            )
            said = page.inner_text("#sliding-body > .note")
            assert int(said.split("]: ")[1].split(".")[0]) * filters == found.count, (layer, place)
    page.close()
    made.close()
