"""What notebooks show: the HTML is parsed, its numbers compared with the objects', and names cannot break it."""

from __future__ import annotations

import base64
import io
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from pellucid import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool2D, Sequential, zoo
from pellucid._notebook import html
from pellucid.train import EpochEnded, Evaluation, History

EVIL = "<b onclick='x'>&\"</td><script>"
VOID = {"img", "br", "rect"}


class Page(HTMLParser):
    """Tags with their attributes, the cells of each table row, and a complaint if a tag is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def shown(thing: object) -> Page:
    text = thing._repr_html_()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    page = Page(text)
    assert not [tag for tag, _ in page.tags if tag in ("script", "b onclick", "link", "style")]
    assert not [attributes for _, attributes in page.tags if any(name.startswith("on") for name in attributes)]
    return page


def small(name: str = "conv") -> Sequential:
    layers = [Conv2D(4, 3, input_shape=(8, 8, 1), name=name), MaxPool2D(), Flatten(), Dense(3, activation="softmax")]
    return Sequential(layers, name="small")


def test_a_model_is_its_drawing_and_its_table() -> None:
    model = small()
    page = shown(model)
    assert ("svg" in [tag for tag, _ in page.tags]) and page.rows[0][:3] == ["layer", "type", "output"]
    rows = {row[0]: row for row in page.rows[1:]}
    assert rows["conv"][1:5] == ["Conv2D", "6x6x4", "3x3, valid", "40"]
    assert rows["input"][2] == "8x8x1" and rows["total"][4] == f"{model.count_params():,}"
    assert f"{model.count_params():,} parameters" in " ".join(page.words)


def test_a_models_svg_stands_alone() -> None:
    root = ET.fromstring(small()._repr_svg_() or "")
    assert root.tag.endswith("svg") and small("a")._repr_svg_() != small("b")._repr_svg_()


def test_names_are_escaped_everywhere() -> None:
    model = small(EVIL)
    model.name = EVIL
    page = shown(model)
    assert EVIL in [row[0] for row in page.rows] and EVIL in page.words
    ET.fromstring(model._repr_svg_() or "")
    assert EVIL in " ".join(shown(model.layers[0]).words)
    assert EVIL in " ".join(shown(model.outline()).words)
    history = History()
    history.append(1, {EVIL: 0.5}, improved=True)
    assert EVIL in shown(history).rows[0]
    assert shown(Evaluation({EVIL: 1.0})).rows[1] == [EVIL, "1.0000"]


def test_a_model_that_is_not_built_says_so() -> None:
    model = Sequential([Conv2D(4, 3, name="conv"), Flatten()])
    page = shown(model)
    assert "not built" in " ".join(page.words) and page.rows[1] == ["conv", "Conv2D", "3x3, valid"]
    assert model._repr_svg_() is None
    assert "no layers yet" in " ".join(shown(Sequential()).words)


def test_a_layer_shows_its_weights() -> None:
    layer = Conv2D(5, (3, 2))
    assert "not built" in " ".join(shown(layer).words)
    layer(np.zeros((1, 6, 6, 1)))
    layer.set_weights([np.arange(30).reshape(3, 2, 1, 5), np.full(5, -2)])
    rows = {row[0]: row[1:] for row in shown(layer).rows}
    assert rows["kernel"] == ["3x2x1x5", "30", "0", "14.5", "29"] and rows["bias"] == ["5", "5", "-2", "-2", "-2"]
    norm = BatchNorm()
    norm(np.zeros((1, 4, 4, 2)))
    assert {row[0] for row in shown(norm).rows} == {"weights", "gamma", "beta", "mean", "variance"}


def picture_in(page: Page) -> np.ndarray:
    (source,) = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    head, data = str(source).split(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_first_convolution_shows_its_filters(channels: int) -> None:
    layer = Conv2D(2, 2)
    layer(np.zeros((1, 4, 4, channels)))
    kernel = np.zeros((2, 2, channels, 2))
    kernel[0, 0, :, 0], kernel[1, 1, :, 1] = 1, -1
    layer.set_weights([kernel, np.zeros(2)])
    drawn = picture_in(shown(layer))
    assert drawn.ndim == (2 if channels == 1 else 3)
    plane = drawn if channels == 1 else drawn[:, :, 2]
    assert plane[0, 0] == 255 and plane[0, 47] == 128 and plane[47, 49 + 47] == 0
    layer.set_weights([-kernel, np.zeros(2)])
    assert (picture_in(shown(layer)) != drawn).any()


def test_deeper_convolutions_show_no_picture() -> None:
    layer = Conv2D(2, 2)
    layer(np.zeros((1, 4, 4, 7)))
    assert "img" not in [tag for tag, _ in shown(layer).tags]


def test_a_history_is_curves_and_a_table() -> None:
    history = History()
    assert "no epoch yet" in " ".join(shown(history).words)
    for epoch in range(1, 41):
        history.append(epoch - 1, {"loss": 1 / epoch, "val_loss": 2 / epoch, "accuracy": 0.5}, improved=epoch == 20)
    page = shown(history)
    assert page.rows[0] == ["epoch", "loss", "val_loss", "accuracy"]
    assert page.rows[1] == ["1", "1", "2", "0.5"] and page.rows[-1][0] == "40"
    assert ["20 (best)", "0.05", "0.1", "0.5"] in page.rows and len(page.rows) < 20
    assert "40 epochs, the best was 20" in " ".join(page.words)
    curves = [attributes["points"] for tag, attributes in page.tags if tag == "polyline"]
    heights = [float(pair.split(",")[1]) for pair in str(curves[1]).split()]
    assert len(heights) == 40 and heights == sorted(heights)  # a falling loss goes down the page
    assert [tag for tag, _ in page.tags].count("svg") == 2


def test_a_history_with_holes_is_shown() -> None:
    history = History()
    history.append(0, {"loss": float("nan")}, improved=False)
    assert shown(history).rows[1] == ["1", "nan"]
    history.append(1, {"loss": 0.5}, improved=True)
    assert shown(history).rows[2] == ["2 (best)", "0.5"]


def test_an_evaluation_is_a_table() -> None:
    assert shown(Evaluation({"loss": 0.25, "accuracy": 0.5})).rows[1:] == [["loss", "0.2500"], ["accuracy", "0.5000"]]


def test_training_gives_what_is_shown() -> None:
    model = small()
    model.compile("sgd", "categorical_crossentropy")
    x, y = np.zeros((8, 8, 8, 1), np.float32), np.zeros(8, int)
    history = model.fit(x, y, epochs=2, verbose=0)
    assert [row[0].split(" ")[0] for row in shown(history).rows[1:]] == ["1", "2"]
    assert shown(model.evaluate(x, y, verbose=0)).rows[1][0] == "loss"


class Own(Layer):
    """A layer that knows nothing of notebooks."""

    def forward(self, x: np.ndarray, *, training: bool = False, key: object = None) -> tuple[np.ndarray, object]:
        return x, None


def test_a_layer_of_ones_own_is_shown_too() -> None:
    assert "Own" in " ".join(shown(Own(name="mine")).words)
    assert "Own" in " ".join(shown(Sequential([Own(input_shape=(4, 4, 1))])).words)


def test_other_objects_are_left_to_others() -> None:
    assert html(3) is None and Dense(2)._repr_svg_() is None


def test_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys, pellucid; before = 'pellucid._notebook' in sys.modules;"
        "m = pellucid.Sequential([pellucid.Conv2D(2, 3, input_shape=(8, 8, 1))]); m._repr_html_();"
        "print(before, [n for n in ('matplotlib', 'PIL', 'rich', 'IPython') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["False", "[]\n"]


def test_a_large_network_stays_a_small_fragment() -> None:
    assert len(zoo.vgg11(dense_units=16)._repr_html_() or "") < 100_000


class Shell:
    """A notebook's, as far as it is asked for: what is displayed is kept."""

    kernel = object()

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, bundle: dict[str, str], *, raw: bool, display_id: bool = False) -> Shell:
        self.shown.append(bundle)
        return self

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        self.shown.append(bundle)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    display = pytest.importorskip("IPython.display", reason="needs IPython")
    made = Shell()
    monkeypatch.setattr("IPython.get_ipython", lambda: made)
    monkeypatch.setattr(display, "display", made.display)
    return made


def fit(*, epochs: int, **more: object) -> History:
    model = Sequential([Flatten(input_shape=(2, 2, 1)), Dense(3, activation="softmax")])
    model.compile("sgd")
    x = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 2, 2, 1)
    return model.fit(x, np.array([0, 1, 2] * 2), epochs=epochs, validation_data=(x, np.array([0, 1, 2] * 2)), **more)


def test_a_training_in_a_notebook_is_one_picture_that_changes(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    fit(epochs=3)
    assert capsys.readouterr().out == ""  # no bar besides
    assert shell.shown[-1]["text/plain"].startswith("3 epochs in ")
    page = Page(shell.shown[-1]["text/html"])
    assert sum(tag == "svg" for tag, _ in page.tags) == 2  # loss and accuracy
    fit(epochs=1, verbose=2)
    assert "val loss" in capsys.readouterr().out


def test_an_interrupt_in_a_notebook_keeps_the_model(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupt(event: object) -> None:
        if isinstance(event, EpochEnded) and event.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    history = fit(epochs=50, callbacks=interrupt)
    assert len(history.epoch) == 2 and "interrupted: the model keeps" in shell.shown[-1]["text/plain"]
    assert signal.getsignal(signal.SIGINT) is before
