"""Pictures of one's own in the lab, and changes to what is looked at: against what `visualise` says of the same."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from httpx2 import Response
from lab_client import HOST, OWN, Page, Served, serving
from PIL import Image

import pellucid
from pellucid.datasets.dataset import Dataset, Split
from pellucid.datasets.pictures import read_picture
from pellucid.errors import ConfigError
from pellucid.lab import probing
from pellucid.lab.board import Board
from pellucid.lab.change import NONE, Change, grid_of
from pellucid.lab.pictures import MAX_OWN, NumberedPictures
from pellucid.lab.prepare import prepare
from pellucid.lab.protocol import Request, parse
from pellucid.lab.security import Role
from pellucid.visualise.shifting import moved

SEVEN = [[200, 150, 500, 500, 140, 500, 800, 150, 500, 640, 450, 500, 450, 900, 500]]
BYTES = (0.0, 255.0)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as made:
        made.session.model.fit(*_train(made), epochs=4, verbose=0)
        yield made


def _train(served: Served) -> tuple[np.ndarray, np.ndarray]:
    train = served.session.dataset.train
    return train.images, train.labels


def send(served: Served, content: bytes, role: Role = Role.OWNER, **headers: str) -> Response:
    said = {"origin": OWN, "host": HOST, **headers}
    return served.client.post(served.path("picture", role), content=content, headers=said)


def as_file(picture: np.ndarray, kind: str = "PNG") -> bytes:
    to = io.BytesIO()
    Image.fromarray(picture).save(to, kind)
    return to.getvalue()


# Changes


def test_a_moved_picture_is_the_one_that_shift_moves() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (7, 9, 3), np.uint8)
    for offset in ((0, 0), (2, -3), (-1, 4)):
        made = Change(down=offset[0], right=offset[1]).of_picture(picture, BYTES)
        np.testing.assert_array_equal(made, moved(picture, offset))
        assert made.dtype == np.uint8


def test_a_picture_turns_to_the_right_and_grows() -> None:
    picture = np.zeros((9, 9, 1), np.float32)
    picture[0:3, 3:6] = 1.0  # at the top
    right = Change(turn=90).of_picture(picture, (0.0, 1.0))
    np.testing.assert_allclose(right, np.rot90(picture, -1), atol=1e-5)
    np.testing.assert_allclose(Change(turn=-90).of_picture(picture, (0.0, 1.0)), np.rot90(picture), atol=1e-5)
    middle = np.zeros((9, 9, 1), np.float32)
    middle[3:6, 3:6] = 1
    assert Change(size=200).of_picture(middle, (0.0, 1.0)).sum() == pytest.approx(4 * 9)
    np.testing.assert_allclose(Change(size=50).of_picture(right, (0.0, 1.0))[2:7, 2:7], right[::2, ::2], atol=1e-5)


def test_noise_is_as_strong_as_it_says_and_the_same_each_time() -> None:
    picture = np.full((64, 64, 1), 0.5, np.float32)
    noisy = Change(noise=10).of_picture(picture, (0.0, 1.0))
    assert noisy.std() == pytest.approx(0.1, rel=0.05)
    np.testing.assert_array_equal(noisy, Change(noise=10).of_picture(picture, (0.0, 1.0)))
    np.testing.assert_allclose(Change(invert=1).of_picture(noisy, (0.0, 1.0)), 1 - noisy, atol=1e-6)


def test_covered_cells_get_the_mean_colour() -> None:
    picture = np.random.default_rng(2).integers(0, 255, (8, 8, 3), np.uint8)
    covered = Change(cover="8001").of_picture(picture, BYTES)  # the first cell, and the last of the second row
    mean = np.rint(picture.mean(axis=(0, 1)))
    changed = (covered != picture).any(axis=2)
    assert set(zip(*np.nonzero(changed), strict=True)) <= {(0, 0), (1, 7)}
    np.testing.assert_array_equal(covered[[0, 1], [0, 7]], [mean, mean])
    large = np.arange(64 * 96, dtype=np.float32).reshape(64, 96, 1)
    assert grid_of(large.shape) == (32, 32)
    assert (Change(cover="8").of_picture(large, (0.0, 6143.0)) != large).sum() == 2 * 3


@pytest.mark.parametrize(
    "given",
    [
        [], 5, {"down": 1.5}, {"down": True}, {"turn": 181}, {"size": 0}, {"noise": -1}, {"cover": "xyz"},
        {"cover": "0" * 257}, {"cover": 7}, {"depth": 1}, {"invert": 2}, {"down": 10**6}, {"turn": None},
    ],
    ids=str,
)  # fmt: skip
def test_other_changes_get_a_sentence(given: object) -> None:
    with pytest.raises(ConfigError):
        Change.of(given)


def test_a_change_is_part_of_what_is_asked_for() -> None:
    asked = parse('{"type":"ask","id":1,"view":"maps","change":{"right":2,"size":100}}').request  # type: ignore[union-attr]
    assert asked == Request("maps", change=Change(right=2)) and asked.to_json()["change"] == {"right": 2}
    assert parse('{"type":"ask","id":1,"view":"maps"}').request.change == NONE  # type: ignore[union-attr]


def test_all_views_look_at_the_changed_picture(served: Served) -> None:
    model, test = served.session.model, served.session.dataset.test
    change = {"down": 1, "turn": 20}
    image = Change(**change).of_picture(test.images[3], BYTES)
    seen = pellucid.trace(model, image[None], test.labels[3:4])
    with served.socket() as page:
        head, _ = page.frame(view="network", picture=3, change=change)
        np.testing.assert_allclose(head["scores"], seen.outputs[0], rtol=1e-5)
        head, (looked,) = page.frame(view="looked", picture=3, change=change)
        np.testing.assert_array_equal(looked, image[..., 0])
        assert head["label"] == test.labels[3]
        found = page.ask(view="arithmetic", layer="conv1", picture=3, change=change, position=[2, 3, 1])
        assert found["result"] == pytest.approx(float(seen["conv1"].output[0, 2, 3, 1]), abs=1e-6)
        gradient = page.ask(view="picture_gradient", picture=3, change=change, position=[2, 3, 0])
        assert gradient["parts"][0]["sum"] == pytest.approx(float(seen["conv1"].d_input[0, 2, 3, 0]), rel=1e-4)


def test_stability_is_what_shift_says(served: Served) -> None:
    model, test = served.session.model, served.session.dataset.test
    with served.socket() as page:
        head, (maps,) = page.frame(view="stability", picture=2, change={"right": 1})
    changed = {each["name"]: each["changed"] for each in head["layers"]}
    for layer in ("conv1", "pool1"):
        (frame,) = pellucid.visualise.shift(model, test.images[2], layer, offsets=[(0, 1)])
        assert changed[layer] == pytest.approx(frame.changed, rel=1e-5)
    assert head["maps"] == "pool1" and maps.shape[0] == 12 and changed["input"] > 0


# One's own


def drawn(page: Page, strokes: object) -> int:
    number: int = page.ask(view="drawn", given=strokes)["picture"]
    return number


def test_a_drawn_seven_is_read(served: Served) -> None:
    with served.socket(Role.VIEWER) as page:
        number = drawn(page, SEVEN)
        assert number >= len(served.session.dataset.test)
        head, (picture,) = page.frame(view="looked", picture=number)
        assert int(np.argmax(head["scores"])) == 7 and head["label"] is None
        assert picture.shape == (8, 8) and picture.max() > 200 and picture[0].any() and picture[-1].any()
        # gradients of a picture whose class nobody knows are of the loss of the network's own answer
        seen = pellucid.trace(served.session.model, picture[None, ..., None], np.array([7]))
        found = page.ask(view="gradient", layer="conv1", picture=number)["parts"][0]
        assert found["sum"] == pytest.approx(float(seen["conv1"].d_output[0][tuple(found["position"])]), rel=1e-4)
        for name in ("maps", "map_gradients", "weight_gradients", "weights"):
            assert "problem" not in page.frame(view=name, layer="conv1", picture=number)[0]


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_a_drawing_becomes_as_large_and_thick_as_mnists_digits(scale: float) -> None:
    images = np.zeros((4, 28, 28, 1), np.uint8)
    images[:, 4:24, 12:15] = 255  # 20 pixels long, 3 thick
    data = prepare(None, (images.repeat(3, axis=0), np.arange(12) % 2)).dataset
    board = Board.of(NumberedPictures(pellucid.zoo.simple_convnet((28, 28, 1), 2), data))
    assert (board.light, board.length) == (False, 20.0)
    strokes = [[round(scale * value) if i % 3 < 2 else value for i, value in enumerate(SEVEN[0])]]
    made = board.picture(strokes)[..., 0].astype(float)
    rows = np.flatnonzero((made > 32).any(axis=1))
    assert 19 <= np.ptp(rows) + 1 <= 21
    places = [float((made.sum(axis=1 - axis) @ np.arange(28)) / made.sum()) for axis in (0, 1)]
    np.testing.assert_allclose(places, 13.5, atol=0.5)  # the centre of mass


def test_on_a_light_ground_is_drawn_dark() -> None:
    images = np.full((10, 16, 16, 3), 255, np.uint8)
    images[:, 3:13, 8] = 0
    data = prepare(None, (images, np.arange(10) % 2)).dataset
    pictures = NumberedPictures(pellucid.zoo.simple_convnet((16, 16, 3), 2), data)
    made = Board.of(pictures).picture(SEVEN)
    assert made.shape == (16, 16, 3) and made[0, 0].min() == 255 and made.min() < 60


@pytest.mark.parametrize(
    "strokes", [None, [], [[]], [[1, 2]], [[1, 2, 2000]], [[1, 2, -1]], [[1.5, 2, 3]], "x", [["a", 1, 1]], [[0] * 9999]]
)
def test_what_is_no_drawing_gets_a_sentence(served: Served, strokes: object) -> None:
    with served.socket() as page:
        page.say(type="ask", id=1, view="drawn", given=strokes)
        assert "stroke" in page.until("error")["text"]


def test_a_sent_file_is_read_as_at_training(served: Served, tmp_path: Path) -> None:
    picture = np.random.default_rng(3).integers(0, 255, (40, 60, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(as_file(picture, "JPEG"))
    for role in Role:
        answer = send(served, (tmp_path / "a.jpg").read_bytes(), role)
        assert answer.status_code == 200, answer.text
        with served.socket() as page:
            _, (shown,) = page.frame(view="looked", picture=answer.json()["picture"])
        np.testing.assert_array_equal(shown, read_picture(tmp_path / "a.jpg", (8, 8), 1)[..., 0])
    light = send(served, as_file(np.full((9, 9), 250, np.uint8))).json()
    assert light["swapped"] is True


def test_steps_along_the_slope_raise_the_class(served: Served) -> None:
    test = served.session.dataset.test
    number = int(np.flatnonzero(test.labels == 3)[0])
    with served.socket() as page:
        before = page.frame(view="looked", picture=number)[0]["scores"][8]
        stepped = number
        for _ in range(5):
            stepped = page.ask(view="stepped", picture=stepped, given={"class": 8, "step": 10})["picture"]
        head, _ = page.frame(view="looked", picture=stepped)
        assert head["scores"][8] > before + 0.1 and head["label"] == 3
        back = page.ask(view="stepped", picture=stepped, given={"class": 8, "step": -10})["picture"]
        assert page.frame(view="looked", picture=back)[0]["scores"][8] < head["scores"][8]
        for given in ({"class": 10}, {"class": -1}, {"class": "8"}, {"step": 90}, {"more": 1}, [1]):
            page.say(type="ask", id=1, view="stepped", given=given)
            assert page.until("error")["text"]


def test_attention_is_that_of_visualise(served: Served) -> None:
    model, image = served.session.model, served.session.dataset.test.images[4]
    with served.socket() as page:
        head, (cam,) = page.frame(view="grad_cam", picture=4, given={"class": 2})
        found = pellucid.visualise.grad_cam(model, image, classes=2)[0]
        assert head["parts"][0]["limit"] == pytest.approx(float(found.max()), rel=1e-5) and head["layer"] == "conv1"
        np.testing.assert_allclose(cam[0] / 255, found / max(found.max(), 1e-9), atol=0.01)
        head, _ = page.frame(view="saliency", picture=4, given={"class": 2})
        slope = pellucid.visualise.input_gradient(model, image[None], 2)
        assert head["parts"][0]["limit"] == pytest.approx(float(np.abs(slope).max()), rel=1e-5)
        head, _ = page.frame(view="occlusion", picture=4, given={"class": 2})
        lost = pellucid.visualise.occlusion(model, image, 2, 1, classes=2)
        assert head["parts"][0]["limit"] == pytest.approx(float(np.abs(lost).max()), rel=1e-4) and head["square"] == [
            2,
            2,
        ]


def test_a_network_that_is_too_large_is_not_covered_place_by_place(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "OCCLUSION_MACS", 1000)
    with served.socket() as page:
        head, _ = page.frame(view="occlusion", picture=5)
        assert "use Grad-CAM" in head["problem"] and "Grad-CAM" in head["problem_ko"]


def test_the_longest_unseen_pictures_are_forgotten(served: Served) -> None:
    pictures = NumberedPictures(served.session.model, served.session.dataset)
    first = pictures.add(np.zeros((8, 8, 1), np.uint8))
    second = pictures.add(np.zeros((8, 8, 1), np.uint8))
    for _ in range(MAX_OWN - 1):
        pictures.get(first)
        pictures.add(np.zeros((8, 8, 1), np.uint8))
    pictures.get(first)
    with pytest.raises(ConfigError, match="not kept"):
        pictures.get(second)


def test_pictures_of_floats_keep_the_range_of_the_data() -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (20, 8, 8, 1)).astype(np.float32)
    with serving(prepare(pellucid.zoo.simple_convnet((8, 8, 1), 2, pad=2), (images, np.arange(20) % 2))) as served:
        pictures = served.hub._look.pictures
        number = pictures.add_levels(np.full((8, 8, 1), 255, np.uint8))
        assert pictures.get(number).image.max() == pytest.approx(1, abs=0.01)
        with served.socket() as page:
            assert "problem" not in page.frame(view="looked", picture=drawn(page, SEVEN), change={"noise": 20})[0]


def test_a_network_of_pixels_looks_at_ones_own_too() -> None:
    rng = np.random.default_rng(1)
    split = Split(rng.integers(0, 255, (8, 16, 16, 3), np.uint8), rng.integers(0, 2, (8, 16, 16)).astype(np.uint8))
    data = Dataset("masks", split, split, ("sky", "ground"), "made")
    with serving(prepare("unet", data)) as served, served.socket() as page:
        number = drawn(page, SEVEN)
        layer = page.hello["network"]["layers"][0]["name"]
        for view in ("looked", "stability", "network"):
            assert "problem" not in page.frame(view=view, picture=number, change={"right": 2})[0]
        assert "problem" not in page.frame(view="map_gradients", layer=layer, picture=number)[0]
        assert "no row of scores" in page.frame(view="grad_cam", picture=number)[0]["problem"]
        page.say(type="watch", views=[{"view": "scatter"}])
        assert "each pixel" in page.until("error")["text"]
