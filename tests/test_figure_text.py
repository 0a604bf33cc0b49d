"""What is written in figures stays within them and apart, whatever classes and files are called; NaN is no answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import DataError
from pellucid.metrics import calibration, confusion_matrix
from pellucid.model import Sequential
from pellucid.visualise import (
    Log,
    attention_figure,
    confusion_figure,
    curves_figure,
    depth_figure,
    dissect_figure,
    features_figure,
    histograms_figure,
    layer_histograms,
    mistakes_figure,
    reliability_figure,
)
from pellucid.visualise.drawing.figure import figure_bytes
from pellucid.visualise.drawing.fonts import prepare

pytestmark = pytest.mark.filterwarnings("ignore:no Korean font")

NAMES = (
    "a class whose name has sixty characters, to tell it apart: 01",
    "a_class_whose_name_has_sixty_characters_to_tell_it_apart___02",
    "이름이아주길어서어디에도들어가지않는클래스이며글자마다두칸을차지합니다",
)
TITLE = f"test picture 0 of a folder with a name, {NAMES[0]!r}"


def small(names: tuple[str, ...] = NAMES, scale: float = 1.0) -> Sequential:
    model = Sequential(
        [
            L.Conv2D(4, 3, input_shape=(12, 12, 1), activation="relu", name="conv"),
            L.Flatten(),
            L.Dense(len(names), activation="softmax", name="out"),
        ],
        seed=0,
    )
    model.build()
    model.set_weights([np.float32(scale) * weight for weight in model.get_weights()])
    model.class_names = names
    return model


def written(figure: Any) -> list[tuple[str, Any]]:
    """Every text that a figure shows, with its place in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    prepare(figure, as_text=False)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = set()
    for ax in figure.findobj(lambda artist: hasattr(artist, "get_xaxis")):
        for axis in (ax.xaxis, ax.yaxis):
            shown = [label for tick in axis._update_ticks() if ax.axison for label in (tick.label1, tick.label2)]
            hidden |= {id(text) for text in axis.findobj(Text)} - set(
                map(id, [*shown, axis.label] if ax.axison else [])
            )
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and id(text) not in hidden
    ]


def check(figure: Any) -> None:
    shown = written(figure)
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in shown:
        assert box.x0 > -2 and box.y0 > -2 and box.x1 < width + 2 and box.y1 < height + 2, (text, box)
    for (one, a), (other, b) in itertools.combinations(shown, 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 2 or down <= 3, f"{one!r} lies on {other!r}"


PICTURE = np.random.default_rng(0).random((12, 12, 1), np.float32)
TRUTH = np.array([0, 1, 2, 0, 1])
SAID = np.eye(3, dtype=np.float32)[[1, 2, 0, 2, 0]]
FIGURES: dict[str, Callable[[str], Any]] = {
    "features": lambda lang: features_figure(small(), PICTURE, title=TITLE, lang=lang),
    "grad-cam": lambda lang: attention_figure(small(), PICTURE, name=TITLE, lang=lang),
    "arithmetic of a class": lambda lang: dissect_figure(small(), PICTURE, "out", title=TITLE, lang=lang),
    "arithmetic of a sum below 0": lambda lang: dissect_figure(small(scale=-1e6), PICTURE, "out", (1,), lang=lang),
    "arithmetic of a window": lambda lang: dissect_figure(small(), PICTURE, title=TITLE, lang=lang),
    "excite": lambda lang: depth_figure(small(), images=PICTURE[None], lang=lang),
    "mistakes": lambda lang: mistakes_figure(
        [PICTURE] * 5, TRUTH, SAID, NAMES, names=[f"{name}/picture.png" for name in (*NAMES, *NAMES[:2])],
        title="simple-convnet on a folder with a name: the 5 most confident of 5 mistakes in 7 pictures", lang=lang,
    ),
    "one mistake": lambda lang: mistakes_figure([PICTURE], TRUTH[:1], SAID[:1], NAMES, title=TITLE, lang=lang),
    "confusion": lambda lang: confusion_figure(
        confusion_matrix(TRUTH, SAID, 3), NAMES, title="cifar-net on a folder", lang=lang
    ),
    "confusion of ten": lambda lang: confusion_figure(
        np.full((10, 10), 100), [f"automobile {place}" for place in range(10)], title="cifar-net on cifar10", lang=lang
    ),
    "calibration": lambda lang: reliability_figure(calibration(TRUTH, SAID, 15), title="cifar-net on ten", lang=lang),
}  # fmt: skip


@pytest.mark.parametrize("name", ["lenet5-published", "convnetjs-cifar10", "resnet20"])
def test_networks_of_the_zoo_are_drawn_within_their_figures(name: str) -> None:
    model = zoo.build(name, options={"blocks": 1} if name == "resnet20" else {})
    picture = np.random.default_rng(0).random(model.input_shape, np.float32)
    check(features_figure(model, picture))
    check(dissect_figure(model, picture))


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("kind", FIGURES)
def test_text_stays_within_a_figure_and_apart(kind: str, lang: str) -> None:
    check(FIGURES[kind](lang))


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_a_confusion_matrix_keeps_its_title(classes: int) -> None:
    figure = confusion_figure(np.full((classes, classes), 100), title="cifar-net on cifar10")
    (box,) = [box for text, box in written(figure) if text.startswith("cifar-net on")]
    assert box.y1 <= figure.bbox.height and box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_a_loss_is_written_whole() -> None:
    figure = curves_figure(Log([1], {"loss": [1.0987], "val_loss": [1.098]}), ["loss"], lang="en")
    figure_bytes(figure, "png")
    assert not figure.axes[0].yaxis.get_offset_text().get_text()


def test_counts_have_whole_numbers_beside_their_scale() -> None:
    figure = confusion_figure(np.array([[3, 1], [0, 2]]))
    figure_bytes(figure, "png")
    ticks = [label.get_text() for label in figure.axes[-1].get_yticklabels()]
    assert ticks and all(tick.isdecimal() for tick in ticks)


def spoiled() -> Sequential:
    model = small(("no", "yes"))
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    return model


def test_a_network_of_nan_says_nothing() -> None:
    model = spoiled()
    title = features_figure(model, PICTURE)._suptitle.get_text()  # type: ignore[attr-defined]
    assert "said" not in title
    with pytest.raises(DataError, match="NaN"):
        attention_figure(model, PICTURE)
    with pytest.raises(DataError, match="no finite"):
        depth_figure(model)
    figure_bytes(dissect_figure(model, PICTURE, "conv"), "png")
    from pellucid.model.tracing import trace

    figure = histograms_figure(layer_histograms(trace(model, PICTURE[None])))
    assert "conv: no finite value" in [ax.get_title() for ax in figure.axes]
