"""What each kind of augmentation makes of a picture in the first epochs, and drawn: a row a kind."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from pellucid import datasets, ops
from pellucid._text import few
from pellucid.datasets.augmentation import KINDS, Augmentation
from pellucid.datasets.pictures import probe, read_picture
from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import Array
from pellucid.visualise.drawing.figure import INK, new_figure
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.drawing.panels import as_shown, bare, side_by_side
from pellucid.visualise.registry import Argument, ImageFile, Option, Picture, Shown, Source

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STANDARD = "strong"
"""What is drawn of all kinds at once, where nothing is said."""
SIDE = 224
"""Of a picture from a file, at most."""
NAMED = 6
"""Kinds that are named over the row of all of them."""


def augmented(given: Any, picture: Array, partner: Array | None = None, *, epochs: int = 4, seed: int = 0) -> Array:
    """A picture as the first epochs have it, the first of its data set.

    given: as `Augmentation.of` takes it. partner: what it is mixed with; None: itself, upside down.
    Shapes: picture, partner (H,W,C) uint8 -> (epochs,H,W,C) uint8.
    Errors: ConfigError for an unknown augmentation; ShapeError for a partner of another shape.
    """
    other = picture[::-1] if partner is None else partner
    if other.shape != picture.shape:
        raise ShapeError(f"a picture {picture.shape} cannot be mixed with one of shape {other.shape}; make them alike")
    both, pair = np.stack([picture, other]), np.arange(2)
    found = Augmentation.of(given)
    if found is None:
        return np.stack([picture] * epochs)
    one, none = np.ones(picture.shape[-1], np.float32), np.zeros(picture.shape[-1], np.float32)
    drawn = (found.draw(pair, picture.shape, seed=seed, epoch=epoch) for epoch in range(epochs))
    made = [ops.augment(both, pair, draws, scale=one, offset=none, border=found.border)[0] for draws in drawn]
    return np.round(np.stack(made)).astype(np.uint8)


# Drawing


def augmentation_figure(
    given: Any,
    picture: Array,
    partner: Array | None = None,
    *,
    count: int = 4,
    seed: int = 0,
    title: str = "",
    lang: str | None = None,
) -> Figure:
    """The picture, all kinds that are given at once, and a row for each: for every kind there is where none is given.

    given: as `Augmentation.of` takes it; None: every kind with its usual amount, at once `STANDARD`. Other arguments as
    `augmented` has them.
    Shapes: picture, partner (H,W,C) uint8.
    """
    say, together = Labels(lang), Augmentation.of(given or STANDARD)
    border, amounts = (together.border, together.amounts) if together else (Augmentation.border, {})
    kinds = dict(amounts) if given else {name: amounts.get(name, kind.usual) for name, kind in KINDS.items()}
    other = picture[::-1] if partner is None else partner
    made = partial(augmented, picture=picture, partner=other, epochs=count, seed=seed)
    both = "mixup" in kinds
    rows: list[tuple[str, Any]] = [
        (say("the picture, and what it is mixed with" if both else "the picture"), [picture, other][: 1 + both]),
        (say("all of it: {kinds}", kinds=few(list(amounts), NAMED) or "-"), made(together or "none")),
    ]
    for name, amount in kinds.items():
        words = f"{name}={amount:g}: {KINDS[name].in_words(amount, say)}"
        rows.append((words, made({name: amount, "border": border})))
    down, (height, width) = -(-len(rows) // 2), picture.shape[:2]
    figure = new_figure(11, 0.6 + down * (0.34 + 5.3 / count * height / width))
    panels = figure.subplots(down, 2, squeeze=False, gridspec_kw={"wspace": 0.06}).ravel()
    gap = max(1, width // 24)
    for panel, (words, shown) in zip(panels, rows, strict=False):
        cells = [as_shown(one).astype(np.float32) for one in shown]
        cells += [np.full_like(cells[0], np.nan)] * (count - len(cells))
        grid = side_by_side(cells[:count], count, gap)
        panel.imshow(np.where(np.isnan(grid), 1, grid), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        panel.set_title(words, fontsize=9, color=INK, loc="left")
        bare(panel, spines=False)
    for panel in panels[len(rows) :]:
        panel.set_visible(False)
    figure.suptitle(title or say("one picture in {count} epochs", count=count), fontsize=11, color=INK)
    return figure


TAKES = Argument("[RUN|MODEL]", "Whose pictures; none for those of --data or --image.", optional=True)

EXAMPLES = """A photograph, each kind with its usual amount:
   pellucid show augment --image cat.jpg

What a run was trained with, or would be with other amounts:
   pellucid show augment runs/photo-net-pets-001
   pellucid show augment --data cifar10 --augment strong,rotate=30"""

WORDS = {
    "the picture, and what it is mixed with": "이미지와, 섞이는 다른 이미지",
    "all of it: {kinds}": "모두 함께: {kinds}",
    "one picture in {count} epochs": "한 이미지의 {count}개 에포크",
    "{name}, in {count} epochs": "{name}, {count}개 에포크",
    KINDS["crop"].words: "픽셀 단위로 이동, 짧은 변의 {amount}까지",
    KINDS["flip"].words: "좌우 반전, {amount}의 확률로",
    KINDS["flip_vertical"].words: "상하 반전, {amount}의 확률로",
    KINDS["resized_crop"].words: "넓이의 {amount}까지 잘라 내고 나머지를 확대",
    KINDS["rotate"].words: "양쪽으로 {amount}까지 회전",
    KINDS["zoom"].words: "{amount}까지 확대 또는 축소",
    KINDS["shift"].words: "각 변의 {amount}까지 이동",
    KINDS["brightness"].words: "{amount}까지 밝게 또는 어둡게",
    KINDS["contrast"].words: "대비를 {amount}까지 높게 또는 낮게",
    KINDS["saturation"].words: "채도를 {amount}까지 높게 또는 낮게",
    KINDS["hue"].words: "색상환에서 {amount}까지 회전",
    KINDS["cutout"].words: "짧은 변의 {amount}인 정사각형을 회색으로",
    KINDS["mixup"].words: "다른 이미지와 레이블까지 섞음, 비율은 베타({amount}, {amount})",
}
"""Korean by English."""


@Picture("augment", EXAMPLES, takes=TAKES, words=WORDS)
def show_augment(
    source: Source,
    image: ImageFile = None,
    data: Annotated[
        str | None, Option("--data", "NAME|FOLDER", "Whose first picture. Default: the run's, or digits.")
    ] = None,
    augment: Annotated[
        str | None, Option("--augment", "KINDS", "As `pellucid train` takes it. Default: the run's, or every kind.")
    ] = None,
    count: Annotated[int, Option("--count", "N", "Epochs.", 2, 8)] = 4,
    seed: Annotated[int, Option("--seed", "N", "Of what is drawn.", 0, 2**32 - 1)] = 0,
) -> Shown:
    """Draw what each kind of augmentation makes of a picture: of those asked for, or of all there are.

    A row a kind with its amount, or else the usual one; in training all that are asked for come together.
    """
    recorded = source.record().get("training", {}).get("augment", "none") if source.what else "none"
    given = augment or (None if recorded == "none" else recorded)
    Augmentation.of(given or STANDARD)  # what is wrong with it is said before pictures are read
    picture, partner, name = _pictures(source, image, data)
    title = source.say("{name}, in {count} epochs", name=name, count=count)
    return Shown(
        lambda: augmentation_figure(given, picture, partner, count=count, seed=seed, title=title, lang=source.lang),
        "augment" if source.what else Path("augment.png"),
    )


def _pictures(source: Source, image: Path | None, data: str | None) -> tuple[Array, Array | None, str]:
    """The picture, one of another class of the same data where there are any, and the first one's name."""
    if image is not None:
        if data is not None:
            raise ConfigError(f"--image {image} and --data {data}: name one of them")
        if source.what:
            picture, name = source.picture(image)
            return picture, None, name
        height, width = probe(image).size
        smaller = min(1, SIDE / max(height, width))
        size = max(1, round(height * smaller)), max(1, round(width * smaller))
        return read_picture(image, size, 3, "stretch"), None, image.name
    test = (source.held_out(data) if source.what else datasets.load(data or "digits")).test
    others = np.flatnonzero((test.labels != test.labels[0]).reshape(len(test), -1).any(axis=1))
    chosen = test.select(np.array([0, others[0] if len(others) else 0])).images[:]
    return chosen[0], chosen[1], "digits" if data is None and not source.what else data or source.title
