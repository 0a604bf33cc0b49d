"""`pellucid serve`: pictures in, names and probabilities out, for those who may ask; counted and described."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra serve is not installed")
pytest.importorskip("python_multipart", reason="the extra serve is not installed")
pytest.importorskip("prometheus_client", reason="the extra serve is not installed")

from lab_browser import CHROMIUM, in_browser
from PIL import Image
from starlette.testclient import TestClient

import pellucid.serve
from pellucid import layers as L
from pellucid._web import Place
from pellucid.cli.judge import judged
from pellucid.datasets import folder
from pellucid.datasets.pictures import MAX_SENT_BYTES
from pellucid.errors import ConfigError
from pellucid.model import Model, Sequential
from pellucid.serve import app as serving
from pellucid.serve.answering import Answerer
from pellucid.serve.batching import MAX_WAITING, Batches, Busy
from pellucid.serve.reading import MAX_BODY, MAX_PICTURES
from pellucid.serve.wording import KOREAN

RNG = np.random.default_rng(3)
NAMES = ("cat", "dog", "새")


def network(activation: str | None = "softmax") -> Sequential:
    model = Sequential(
        [L.Input((12, 10, 3)), L.Conv2D(4, 3), L.BatchNorm(), L.ReLU(), L.Flatten(), L.Dense(3, activation=activation)],
        name="small",
    )
    model.class_names = NAMES
    return model


MODEL = network()


def picture(width: int = 30, height: int = 20, kind: str = "PNG", mode: str = "RGB") -> bytes:
    pixels = RNG.integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(pellucid.serve.make_app(MODEL), base_url="http://127.0.0.1:8000") as made:
        yield made


def expected(content: bytes, path: Path, model: Model = MODEL, top: int = 3) -> Any:
    """What `pellucid predict` says of the same file."""
    path.write_bytes(content)
    shape = model.input_shape
    pixels = folder.read_picture(path, (shape[0], shape[1]), shape[2], model.preprocessing.resize)
    return judged(model, [path], [pixels], top)[0]["predictions"]


def same(given: Any, wanted: Any) -> None:
    assert [one["class"] for one in given] == [one["class"] for one in wanted]
    shares = [one["probability"] for one in given]
    np.testing.assert_allclose(shares, [one["probability"] for one in wanted], atol=2e-6)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGB"), ("JPEG", "RGB"), ("PNG", "L"), ("WEBP", "RGBA")])
def test_a_picture_is_answered_for_as_predict_does(client: TestClient, tmp_path: Path, kind: str, mode: str) -> None:
    content = picture(kind=kind, mode=mode)
    answer = client.post("/predict", content=content, headers={"Content-Type": f"image/{kind.lower()}"})
    assert answer.status_code == 200 and answer.json()["model"] == "small"
    same(answer.json()["answers"][0]["predictions"], expected(content, tmp_path / "one"))


def test_forms_json_and_plain_bodies_are_read_alike(client: TestClient, tmp_path: Path) -> None:
    first, second = picture(), picture(kind="JPEG")
    texts = [base64.b64encode(first).decode(), "data:image/jpeg;base64," + base64.b64encode(second).decode()]
    form = client.post("/predict?top=2", files=[("a", ("a.png", first)), ("b", ("b.jpg", second))]).json()["answers"]
    listed = client.post("/predict?top=2", json={"pictures": texts}).json()["answers"]
    assert [each["picture"] for each in form] == ["a.png", "b.jpg"]
    assert [each["picture"] for each in listed] == ["0", "1"]
    for answers in (form, listed):
        for answer, content in zip(answers, (first, second), strict=True):
            same(answer["predictions"], expected(content, tmp_path / "one", top=2))
    alone = client.post("/predict?top=2", json={"picture": texts[0]}).json()["answers"]
    assert alone[0]["predictions"] == listed[0]["predictions"]
    plain = client.post("/predict?top=2", content=first).json()["answers"]
    assert plain[0]["predictions"] == listed[0]["predictions"] and "picture" not in plain[0]


def test_logits_are_answered_as_probabilities() -> None:
    with TestClient(pellucid.serve.make_app(network(None), top=3)) as client:
        predictions = client.post("/predict", content=picture()).json()["answers"][0]["predictions"]
    assert sum(each["probability"] for each in predictions) == pytest.approx(1, abs=1e-5)


def test_one_bad_picture_does_not_keep_the_others_from_their_answers(client: TestClient) -> None:
    files = [("a", ("a.png", picture())), ("b", ("b.png", b"no picture")), ("c", ("c.png", picture()[:60]))]
    answer = client.post("/predict", files=files)
    good, unknown, damaged = answer.json()["answers"]
    assert answer.status_code == 200 and len(good["predictions"]) == 3
    assert "no picture of a known type" in unknown["problem"] and "cannot be decoded" in damaged["problem"]
    answer = client.post("/predict", json={"pictures": ["?", base64.b64encode(picture()).decode()]})
    unreadable, good = answer.json()["answers"]
    assert answer.status_code == 200 and unreadable["picture"] == "0" and len(good["predictions"]) == 3
    assert unreadable["problem"] == "this is no base64 of a picture file"


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"content": b""}, 400, "there is no picture"),
        ({"content": b"x"}, 422, "this picture: cannot be decoded (it is no picture of a known type)"),
        ({"content": picture()[:80]}, 422, "cannot be decoded (image file is truncated)"),
        ({"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}, 415, "not text/xml"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
        ({"content": b"[" * 200_000, "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
        ({"json": [1]}, 400, 'send {"pictures"'),
        ({"json": {"pictures": [1]}}, 400, 'send {"pictures"'),
        ({"json": {"pictures": []}}, 400, "there is no picture"),
        ({"json": {"picture": "?"}}, 422, "no base64 of a picture file"),
        ({"json": {"pictures": ["eA=="] * (MAX_PICTURES + 1)}}, 413, f"may bring {MAX_PICTURES} pictures"),
        ({"data": {"a": "text"}, "files": {}}, 422, "no picture of a known type"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "the form cannot be read"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 400, ""),
        ({"content": bytes(MAX_SENT_BYTES + 1)}, 413, "more than 16 MB"),
        ({"json": {"picture": "A" * (MAX_BODY + 1)}}, 413, "more than 64 MB"),
        ({"content": picture(), "params": {"top": "0"}}, 400, "top must be"),
        ({"content": picture(), "params": {"top": "²"}}, 400, "top must be"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_a_sentence(
    client: TestClient, given: dict[str, Any], status: int, says: str
) -> None:
    answer = client.post("/predict", **given)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["problem"]
    assert client.post("/predict", content=picture()).status_code == 200


def test_a_picture_of_too_many_pixels_is_not_decoded(client: TestClient) -> None:
    file = io.BytesIO()
    Image.new("1", (9000, 9000)).save(file, "PNG")
    answer = client.post("/predict", content=file.getvalue())
    assert answer.status_code == 422 and "more than the 32 million" in answer.json()["problem"]


def test_another_sites_page_gets_no_answer() -> None:
    made = serving.make_app(Answerer(MODEL, top=1, batch_size=1), place=Place.of("127.0.0.1", 8000))
    with TestClient(made, base_url="http://127.0.0.1:8000") as client:
        assert client.post("/predict", content=picture()).status_code == 200
        assert client.post("/predict", content=picture(), headers={"Origin": "http://evil.example"}).status_code == 403
        assert client.post("/predict", content=picture(), headers={"Host": "evil.example:8000"}).status_code == 403
        assert client.get("/metrics", headers={"Host": "evil.example:8000"}).status_code == 403


def test_another_address_or_method_is_told_where_to_send(client: TestClient) -> None:
    answer = client.get("/predict")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert answer.json()["problem"] == "/predict is asked by POST; a picture is sent by POST to /predict, see /docs"
    for missing in ("/none", "/page/none.js"):
        assert client.get(missing).status_code == 404 and "no such page" in client.get(missing).json()["problem"]


def test_a_token_is_asked_for_everywhere_but_on_the_page() -> None:
    with TestClient(pellucid.serve.make_app(MODEL, token="키")) as client:
        refused = client.post("/predict", content=picture())
        assert refused.status_code == 403 and "Authorization: Bearer TOKEN" in refused.json()["problem"]
        assert client.post("/predict?token=x", content=picture()).status_code == 403
        assert client.post("/predict", params={"token": "키"}, content=picture()).status_code == 200
        assert client.get("/metrics").status_code == 403
        assert client.get("/health").json()["status"] == "ok" and client.get("/").status_code == 200
        described = client.get("/openapi.json").json()
        assert described["security"] == [{"token": []}]


def test_counts_are_told_in_prometheus_words() -> None:
    from prometheus_client.parser import text_string_to_metric_families

    with TestClient(pellucid.serve.make_app(MODEL)) as client:
        client.post("/predict", files=[("a", ("a.png", picture())), ("b", ("b.png", b"no picture"))])
        client.post("/predict", content=b"")
        families = text_string_to_metric_families(client.get("/metrics").text)
        values = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    assert values["pellucid_requests_total", "200"] == values["pellucid_requests_total", "400"] == 1
    assert values[("pellucid_pictures_total",)] == values[("pellucid_pictures_unread_total",)] == 1
    assert values[("pellucid_request_seconds_count",)] == 2 and values[("pellucid_pictures_waiting",)] == 0


def test_every_status_is_described(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1") and set(described["paths"]) == {"/predict", "/health", "/metrics"}
    korean = json.dumps(client.get("/openapi.json?lang=ko").json()["paths"], ensure_ascii=False)
    english = json.dumps(described["paths"])
    assert not any(text in korean for text in KOREAN if "{" not in text) and any(text in english for text in KOREAN)
    source = "".join(Path(str(module.__file__)).read_text() for module in (serving, pellucid.serve.reading))
    raised = set(re.findall(r"Refused\((\d{3})", source)) | {"200", "422"}
    assert set(described["paths"]["/predict"]["post"]["responses"]) == raised


def test_pictures_that_wait_are_computed_together_and_too_many_are_refused() -> None:
    sizes: list[int] = []
    go = threading.Event()

    def compute(pictures: Any) -> list[Any]:
        go.wait(10)
        if len(sizes) == 4:
            raise ValueError("broken")
        return [2 * each for each in pictures]

    async def run() -> None:
        batches = Batches(compute, 4, sizes.append)
        first = asyncio.create_task(batches.answer(np.float32(0)))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(batches.answer(np.float32(i))) for i in range(1, 7)]
        await asyncio.sleep(0.05)
        gone = others.pop(2)
        gone.cancel()
        go.set()
        assert [float(each) for each in await asyncio.gather(first, *others)] == [0, 2, 4, 8, 10, 12]
        with pytest.raises(ValueError, match="broken"):
            await batches.answer(np.float32(1))
        go.clear()
        waiting = [asyncio.create_task(batches.answer(np.float32(i))) for i in range(MAX_WAITING + 5)]
        await asyncio.sleep(0.05)
        go.set()
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert any(isinstance(each, Busy) for each in answers) and not isinstance(answers[0], Busy)

    asyncio.run(run())
    assert sizes[:4] == [1, 3, 2, 1]


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Sequential([L.Input((7,)), L.Dense(3)]), "no pictures in grey or colours"),
        (Sequential([L.Input((8, 8, 2)), L.Flatten(), L.Dense(3)]), "no pictures in grey or colours"),
        (Sequential([L.Input((8, 8, 3)), L.Conv2D(3, 1)]), "a class for each pixel"),
    ],
)
def test_what_answers_for_no_pictures_is_not_served(model: Model, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        pellucid.serve.make_app(model)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`pellucid serve` in a process of its own, at an address that others may come in by: so with a token."""
    file = tmp_path_factory.mktemp("served") / "small.safetensors"
    MODEL.save(file)
    command = [sys.executable, "-m", "pellucid", "serve", str(file), "--port", "0", "--host", "0.0.0.0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    address = process.stdout.readline().strip()
    if not address:
        raise AssertionError(process.stderr.read())
    with process:  # which closes its pipes
        yield address, process
        process.kill()


def ask(address: str, content: bytes | None = None) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(address, content, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_the_command_serves_many_at_once(served: tuple[str, Any], tmp_path: Path) -> None:
    address, _ = served
    root, _, token = address.partition("/?token=")
    assert token and ask(f"{root}/predict", picture())[0] == 403
    contents = [picture() for _ in range(8)]
    wanted = [expected(content, tmp_path / "one") for content in contents]
    problems: list[Any] = []

    def client(number: int) -> None:
        for k in range(8):
            status, told = ask(f"{root}/predict?token={token}", contents[(number + k) % 8])
            try:
                assert status == 200
                same(told["answers"][0]["predictions"], wanted[(number + k) % 8])
            except AssertionError as error:
                problems.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


@pytest.mark.parametrize("given", [b"GET /health HTTP/1.1\r\nHost: h\r\nX: ", b"GET /"])
def test_a_head_without_an_end_is_not_read_for_ever(served: tuple[str, Any], given: bytes) -> None:
    address, _ = served
    host, _, port = address.removeprefix("http://").partition("/")[0].partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(given)
        with pytest.raises(ConnectionError):
            for _ in range(10_000):
                connection.sendall(b"a" * 4096)


@in_browser
def test_pictures_are_dropped_on_the_page(served: tuple[str, Any], tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    address, _ = served
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "b.png").write_bytes(b"no picture")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for lang, word in (("en", "no picture of a known type"), ("ko", "읽을 수 있는 이미지가 아닙니다")):
            page = browser.new_page()
            page.goto(f"{address}&lang={lang}")
            page.set_input_files("#files", [str(tmp_path / "a.png"), str(tmp_path / "b.png")])
            page.wait_for_selector(".problem")
            assert word in page.inner_text(".problem")
            assert page.locator(".class").count() == 3 and "small" in page.inner_text("#model")
            page.click("#docs")
            page.wait_for_selector("section")
            assert "/predict" in page.inner_text("main") and "Bearer" in page.inner_text("#curl")
            assert ("Too many pictures" in page.inner_text("main")) == (lang == "en")
        browser.close()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_it_ends_by_ctrl_c_without_a_trace(served: tuple[str, subprocess.Popen[str]]) -> None:
    """The last of these: afterwards nobody answers there."""
    _, process = served
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130) and "Traceback" not in said
