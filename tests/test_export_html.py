"""`pellucid export --to html`: the page answers, and learns, as Python does."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from lab_browser import in_browser
from lab_firefox import FIREFOX, firefox
from PIL import Image
from shaking import shaken
from steps import BUILDS, Arrays

import pellucid
from pellucid import layers as L
from pellucid import zoo
from pellucid.datasets.pictures import decode, fitting
from pellucid.datasets.transforms import RESIZE_RULES, Preprocessing
from pellucid.errors import ConfigError
from pellucid.export import html, write
from pellucid.export.html import compiled
from pellucid.export.html.programs import BATCH_SIZE
from pellucid.model import Model, Sequential
from pellucid.plan.description import describe
from pellucid.plan.work import WorkSequence
from pellucid.visualise.answers import as_probabilities

needs_kernels = pytest.mark.skipif(
    not compiled.at_hand() and importlib.util.find_spec("ziglang") is None,
    reason="no kernels for browsers, and no ziglang to compile them",
)
RNG = np.random.default_rng(5)


def pictures(model: Model, count: int, seed: int = 0) -> np.ndarray:
    """Noise around a colour, another one each: plain noise would be all the same to a network."""
    rng = np.random.default_rng(seed)
    colours = rng.integers(0, 200, (count, 1, 1, model.input_shape[-1]))
    return (colours + rng.integers(0, 56, (count, *model.input_shape))).astype(np.uint8)


def network(activation: str | None = "softmax") -> Sequential:
    """Every kind of layer that a page must be able to train."""
    layers = [
        *(L.Input((12, 14, 3)), L.Conv2D(8, 3, activation="relu"), L.BatchNorm(), L.Conv2D(16, 3, padding="same")),
        *(L.ReLU(), L.MaxPool2D(2), L.Dropout(0.25), L.Flatten(), L.Dense(24, activation="tanh")),
        *(L.Dropout(0.5), L.Dense(4, activation=activation)),
    ]
    model = Sequential(layers, name="taught", seed=3)
    model.class_names = ("cat", "dog", "새", "<b>")
    model.preprocessing = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.3,))
    return model


def described_in(page: str) -> dict[str, Any]:
    found = re.search(r'id="network">(.*?)</script>', page)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


OPENED = "pellucid.open().then(network => globalThis.network = network).then(() => true)"


def asked(picture: np.ndarray) -> str:
    """What a page is asked for a picture."""
    return f"JSON.stringify(network.answer(Uint8Array.from({picture.ravel().tolist()})))"


def answers(evaluate: Callable[[str], Any], given: np.ndarray) -> np.ndarray:
    return np.array([json.loads(evaluate(asked(picture))) for picture in given])


def expected(model: Model, given: np.ndarray) -> np.ndarray:
    return as_probabilities(model, model.predict(given, verbose=0))


def opened(browser: Any, model: Model, folder: Path, *, trainable: bool = False) -> Any:
    write(model, folder / "net.html", trainable=trainable)
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto((folder / "net.html").as_uri())
    page.evaluate(OPENED)
    return page


NETWORKS: dict[str, dict[str, Any]] = {
    "simple-convnet": {},
    "lenet5": {},
    "cifar-net": {},
    "photo-net": {},
    "resnet20": {},
    "mobilenet-v2": {"input_shape": (64, 48, 3), "classes": 7},
    "efficientnet-lite0": {"input_shape": (64, 48, 3), "classes": 7},
    "densenet121": {"input_shape": (32, 64, 3), "classes": 7},
}


@needs_kernels
@in_browser
@pytest.mark.parametrize("name", NETWORKS)
def test_a_page_answers_as_python(name: str, browser: Any, tmp_path: Path) -> None:
    model = shaken(zoo.build(name, **NETWORKS[name]))
    given = pictures(model, 2)
    page = opened(browser, model, tmp_path)
    wanted = expected(model, given)
    assert np.ptp(wanted) > 1e-3, "outputs that hardly differ would agree with anything"
    np.testing.assert_allclose(answers(page.evaluate, given), wanted, atol=1e-5)
    page.close()


@needs_kernels
@in_browser
@pytest.mark.parametrize(("units", "loss"), [(1, "binary_crossentropy"), (3, "binary_crossentropy")])
def test_scores_become_probabilities_as_in_python(units: int, loss: str, browser: Any, tmp_path: Path) -> None:
    model = Sequential([L.Input((8, 8, 1)), L.Conv2D(4, 3), L.Flatten(), L.Dense(units)])
    model.trained_on = {"several_labels": units > 1}
    page, given = opened(browser, model, tmp_path), pictures(model, 2)
    np.testing.assert_allclose(answers(page.evaluate, given), expected(model, given), atol=1e-6)
    page.close()


@needs_kernels
@in_browser
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_ten_steps_in_a_page_are_those_of_python(optimizer: str, browser: Any, tmp_path: Path) -> None:
    """On these pictures; on some, Adam makes 1e-3 of a rounding within ten steps, here between instruction sets too."""
    model = network()
    chosen = pellucid.optimizers.get(optimizer)
    chosen.learning_rate = 0.05 if optimizer == "sgd" else 0.003
    model.compile(chosen)
    page = opened(browser, model, tmp_path, trainable=True)
    count = 10 * BATCH_SIZE - 5  # the last batch is not full
    given, labels = pictures(model, count, 1), np.random.default_rng(1).integers(0, 4, count)
    before = answers(page.evaluate, given[:3])
    losses = []
    for start in range(0, count, BATCH_SIZE):
        batch = zip(given[start:][:BATCH_SIZE], labels[start:], strict=False)
        examples = [{"pixels": one.ravel().tolist(), "label": int(label)} for one, label in batch]
        losses.append(page.evaluate("examples => network.learn(examples)", examples))
    assert [each["step"] for each in losses] == list(range(1, 11))
    history = model.fit(given, labels, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
    mean = np.average([each["loss"] for each in losses], weights=[BATCH_SIZE] * 9 + [BATCH_SIZE - 5])
    assert mean == pytest.approx(history.history["loss"][0], abs=1e-4)
    wanted = expected(model, given[:3])
    assert np.abs(before - wanted).max() > 1e-2, "it has learned something"
    np.testing.assert_allclose(answers(page.evaluate, given[:3]), wanted, atol=1e-4)
    page.close()


def files(folder: Path) -> dict[str, Path]:
    """Picture files in colour, grey and partly clear, of odd sizes, smaller and larger than what is wanted."""
    shapes = {"colour": (61, 47, 3), "wide": (9, 90, 3), "grey": (30, 33), "small": (5, 7, 3), "fits": (24, 20, 3)}
    made = {}
    for name, shape in shapes.items():
        made[name] = folder / f"{name}.png"
        Image.fromarray(RNG.integers(0, 256, shape).astype(np.uint8)).save(made[name])
    clear = RNG.integers(0, 256, (40, 31, 4)).astype(np.uint8)
    clear[..., 3] = np.where(clear[..., 3] < 128, 0, 255)  # between these a canvas rounds
    made["clear"] = folder / "clear.png"
    Image.fromarray(clear).save(made["clear"])
    turned = Image.fromarray(np.repeat(np.repeat(RNG.integers(0, 256, (6, 5), np.uint8), 8, 0), 8, 1)).convert("RGB")
    exif = turned.getexif()
    exif[0x0112] = 6
    made["turned"] = folder / "turned.png"
    turned.save(made["turned"], exif=exif)
    return made


@needs_kernels
@in_browser
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_are_brought_to_size_to_the_bit(channels: int, browser: Any, tmp_path: Path) -> None:
    found = files(tmp_path)
    for rule in RESIZE_RULES:
        model = Sequential([L.Input((24, 20, channels)), L.Flatten(), L.Dense(2)])
        model.preprocessing = Preprocessing(resize=rule)
        page = opened(browser, model, tmp_path)
        for name, path in found.items():
            data = base64.b64encode(path.read_bytes()).decode()
            blob = f"new Blob([Uint8Array.from(atob('{data}'), one => one.charCodeAt(0))])"
            pixels = page.evaluate(f"pellucid.read({blob}).then(pixels => [...pixels])")
            wanted = decode(path, fitting((24, 20), channels, rule))
            np.testing.assert_array_equal(np.reshape(pixels, wanted.shape), wanted, f"{name}, {rule}")
        page.close()


@needs_kernels
@in_browser
def test_every_kernel_computes_in_a_page_what_it_does_here(browser: Any, tmp_path: Path) -> None:
    """At sizes that cut vectors, tiles and tasks."""
    sequences, results, kept = {}, {}, []
    for name, build in BUILDS.items():
        step, written = build(Arrays(2))
        sequences[name] = WorkSequence([step])
        results |= {f"{name} {i}": array for i, array in enumerate(written)}
        kept += written
    description = describe(sequences, given={}, read=results, kept=kept)
    parts = {"kernels": compiled.kernels(), "contents": description.contents}
    blocks = [f'<p hidden id="{name}">{base64.b64encode(data).decode()}</p>' for name, data in parts.items()]
    engine = html.as_script(html.text("export/html/page", "engine.js"))
    (tmp_path / "page.html").write_text(f"{''.join(blocks)}<script>{engine}</script>", encoding="utf-8")
    page = browser.new_page()
    page.set_default_timeout(120_000)
    page.goto((tmp_path / "page.html").as_uri())
    found = page.evaluate(
        """async (head) => {
            const bytes = (name) => {
                const text = atob(document.getElementById(name).textContent), all = new Uint8Array(text.length);
                for (let i = 0; i < all.length; i += 1) all[i] = text.charCodeAt(i);
                return all;
            };
            const text = (array) => new Promise((done) => {
                const reader = Object.assign(new FileReader(), { onload: () => done(reader.result.split(",")[1]) });
                reader.readAsDataURL(new Blob([array]));
            });
            const runs = await engine(bytes("kernels"), head, bytes("contents"));
            for (const name of Object.keys(head.programs)) runs.run(name, 2);
            return Promise.all(Object.keys(head.places).map((name) => text(runs.at(name))));
        }""",
        description.head,
    )
    for sequence in sequences.values():
        sequence.run(2)
    for (name, array), data in zip(results.items(), found, strict=True):
        given = np.frombuffer(base64.b64decode(data), array.dtype).reshape(array.shape).astype(float)
        wanted = array.astype(float)
        scale = np.nanmax(np.abs(wanted), initial=1e-30)
        np.testing.assert_allclose(given / scale, wanted / scale, atol=1e-4, err_msg=name)
    page.close()


@needs_kernels
@pytest.mark.skipif(FIREFOX is None, reason="there is no Firefox on this machine")
def test_firefox_answers_and_learns_alike(tmp_path: Path) -> None:
    pytest.importorskip("websockets", reason="Firefox is driven by a WebSocket")
    model = network()
    model.compile(pellucid.optimizers.SGD(0.05))
    write(model, tmp_path / "net.html", trainable=True)
    given, labels = pictures(model, 8), np.arange(8) % 4
    examples = [{"pixels": one.ravel().tolist(), "label": int(label)} for one, label in zip(given, labels, strict=True)]
    (tmp_path / "profile").mkdir()
    with firefox(tmp_path / "profile") as page:
        page.open((tmp_path / "net.html").as_uri())
        page.evaluate(OPENED)
        np.testing.assert_allclose(answers(page.evaluate, given), expected(model, given), atol=1e-5)
        page.evaluate(f"network.learn({json.dumps(examples)}).loss")
        model.fit(given, labels, batch_size=8, shuffle=False, verbose=0)
        np.testing.assert_allclose(answers(page.evaluate, given), expected(model, given), atol=1e-4)
        assert not page.complaints


@needs_kernels
@in_browser
def test_the_page_is_used_as_people_do(browser: Any, tmp_path: Path) -> None:
    model = Sequential([L.Input((28, 28, 1)), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(3)], name="<i>")
    write(model, tmp_path / "net.html", trainable=True)
    asked_for, complaints = list[str](), list[str]()
    path = files(tmp_path)["colour"]
    (tmp_path / "none.png").write_bytes(b"no picture")
    for lang, wrong in (("en", "no picture that"), ("ko", "읽을 수 없는 이미지")):
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("request", lambda request: asked_for.append(request.url))
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{(tmp_path / 'net.html').as_uri()}?lang={lang}")
        box = page.locator("#drawing canvas").bounding_box()
        page.mouse.move(box["x"] + 80, box["y"] + 30)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 130, steps=4)
        page.mouse.up()
        assert page.locator("#drawing .class").count() == 3 and page.inner_text("h1") == "<i>"
        page.select_option("#drawing select", "2")
        page.click("#drawing .teach button")
        page.set_input_files("#files", [str(tmp_path / "none.png"), str(path)])
        page.wait_for_selector("#problem:not([hidden])")
        assert wrong in page.inner_text("#problem")
        assert page.locator("#answers .class").count() == 3
        first = page.inner_text("#drawing .class >> nth=0")
        page.click("#learning button.main")
        page.wait_for_selector("#learning button.main:enabled")
        page.wait_for_selector("#learning output:not(:empty)")
        assert page.inner_text("#drawing .class >> nth=0").split()[0] == "2"
        page.click("#learning button:not(.main)")
        page.wait_for_selector("#learning button:not(.main):disabled")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it is no wider than a phone"
        assert page.inner_text("#drawing .class >> nth=0") == first and not complaints
        page.close()
    assert {address.partition(":")[0] for address in asked_for} <= {"file", "data", "blob"}, "nothing leaves the page"


@needs_kernels
def test_a_page_takes_less_than_a_megabyte_beside_its_weights(tmp_path: Path) -> None:
    model = zoo.build("simple-convnet")
    (place,) = write(model, tmp_path / "net.html", trainable=True)
    weights = len(html.packed(model.parameters.vector.tobytes()))
    assert 0 < place.stat().st_size - weights < 1_000_000
    told = described_in(place.read_text(encoding="utf-8"))
    assert told["program"]["programs"].keys() == {"answer", "train"} and told["classes"] == [str(i) for i in range(10)]


class Twice(L.ReLU):
    def forward(self, x: Any, **more: Any) -> Any:
        return super().forward(2 * x, **more)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([L.Input((8, 8, 1)), Twice(name="mine"), L.Flatten(), L.Dense(2)], "'mine' (Twice)"),
        ([L.Input((8, 8, 1)), L.Conv2D(2, 1)], "a class for each pixel"),
        ([L.Input((8, 8, 2)), L.Flatten(), L.Dense(2)], "no pictures in grey or colours"),
        ([L.Input((8,)), L.Dense(2)], "no pictures in grey or colours"),
    ],
)
def test_what_no_page_can_is_refused(layers: list[Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        write(Sequential(layers), tmp_path / "net.html")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: model.compile(loss="mse"), "cross-entropy"),
        (lambda model: [setattr(layer, "trainable", False) for layer in model.layers], "nothing to train"),
        (lambda model: model.layers[0].__setattr__("kernel_constraint", "non_neg"), "constraint"),
    ],
)
def test_what_no_page_can_train_is_refused(change: Callable[[Model], object], said: str, tmp_path: Path) -> None:
    layers = [L.Input((8, 8, 1)), L.Conv2D(2, 3, kernel_constraint="non_neg" if said == "constraint" else None)]
    model = Sequential([*layers, L.Flatten(), L.Dense(2)])
    if said != "constraint":
        change(model)
    with pytest.raises(ConfigError, match=said):
        write(model, tmp_path / "net.html", trainable=True)


def test_other_formats_learn_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="trainable is of html"):
        write(network(), tmp_path / "net.onnx", trainable=True)


def test_without_a_compiler_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copy(compiled.sources() / "instruction_sets.txt", tmp_path)
    monkeypatch.setattr(compiled, "PACKAGE", tmp_path)
    monkeypatch.setattr(compiled, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(compiled, "sources", lambda: tmp_path)
    monkeypatch.setattr(compiled.importlib.util, "find_spec", lambda name: None)
    compiled.fingerprint.cache_clear()
    try:
        with pytest.raises(ConfigError, match=re.escape("pip install 'pellucid[html]'")):
            compiled.kernels()
    finally:
        compiled.fingerprint.cache_clear()


@needs_kernels
def test_the_command_writes_it(command: Command, tmp_path: Path) -> None:
    network().save(tmp_path / "m.safetensors")
    made = tmp_path / "m.html"
    status, said, err = command("export", tmp_path / "m.safetensors", "--out", made, "--trainable")
    assert status == 0 and "m.html" in said, err
    page = made.read_text(encoding="utf-8")
    assert described_in(page)["learning"]["batch"] == BATCH_SIZE and "새" in page and "<b>" not in page
