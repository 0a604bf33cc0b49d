"""Makes the pictures of the lab's page, in the folder that is current, with Playwright and Chromium.

Run: python docs/make_lab_pictures.py [lab.png ...]

Without names, all of them: in docs/images, those of docs/lab.md.
"""

from __future__ import annotations

import argparse
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

import pellucid
from pellucid.lab.session import Command

STEPS = 300
"""Of training, before anything is looked at."""

COLOURS = 128
"""Of a picture, which is kept with the program."""


@dataclass(frozen=True)
class Scene:
    """A state of the page. address: behind its #; shows: what is waited for; act: what is done then."""

    address: str
    shows: str
    size: tuple[int, int] = (1280, 900)
    act: Callable[[Any], object] = lambda page: None


def _new_layer(page: Any) -> None:
    """A dropout layer behind the flattening, and a form that is open."""
    page.select_option("#add-kind", "Dropout")
    page.select_option("#add-place", "2")
    page.click("#add-layer")
    page.click(".layer-row:first-child .layer-head")
    page.wait_for_selector(".layer-row:first-child .layer-form label")


SCENES = {
    "lab.png": Scene("layer=conv1&position=3,4,2", "#arithmetic-body [data-terms=products] td", (1280, 900)),
    "lab-dark.png": Scene(
        "lang=ko&theme=dark&layer=conv1&position=3,4,2",
        "#arithmetic-body [data-terms=products] td",
        (1280, 900),
        lambda page: page.locator("#arithmetic").scroll_into_view_if_needed(),
    ),
    "lab-network.png": Scene("area=network", ".layer-row .facts", (1280, 860), _new_layer),
    "lab-filters.png": Scene(
        "area=filters&bench=halves/-1,1;-1,1:1:valid:1:linear/0.25,0.25;0.25,0.25:1:valid:1:linear/pool:2:2:valid",
        "#bench canvas[data-low]",
        (1280, 1010),
    ),
    "lab-lesson.png": Scene("lesson=backward.3", "#lesson-title:not(:empty)", (1600, 900)),
}
SCENES |= {
    name.replace(".png", ".ko.png"): replace(scene, address=f"lang=ko&{scene.address}")
    for name, scene in SCENES.items()
    if "lang=ko" not in scene.address
}


def make(names: list[str]) -> None:
    """Train for a moment, and write the pictures of these scenes."""
    from playwright.sync_api import sync_playwright

    lab = pellucid.lab.show(lang="en")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        lab.session.obey(Command("start"))
        with browser.new_page() as page:
            page.goto(lab.url)
            while lab.session.snapshot["step"] < STEPS:
                page.wait_for_timeout(20)
        lab.session.obey(Command("pause"))
        for name in names:
            scene = SCENES[name]
            width, height = scene.size
            page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
            page.goto(f"{lab.url}#{scene.address}")
            page.wait_for_selector(scene.shows)
            scene.act(page)
            page.wait_for_timeout(1500)  # until all frames of what was chosen last are there
            with Image.open(io.BytesIO(page.screenshot())) as drawn:
                few = drawn.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            few.save(name, optimize=True)
            page.close()
        browser.close()
    lab.close()


def main() -> None:
    """Make what is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*SCENES, []], metavar="NAME", help=", ".join(SCENES))
    make(parser.parse_args().names or list(SCENES))


if __name__ == "__main__":
    main()
