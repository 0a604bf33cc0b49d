"""What the lab's server sends is what the network computes: against `pellucid.trace` and `predict`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from commands import Command as CommandLine
from lab_client import Served, serving
from websockets.typing import Origin

import pellucid
from pellucid.datasets.dataset import Dataset, Split
from pellucid.errors import ConfigError
from pellucid.lab import protocol
from pellucid.lab.looking import VIEWS
from pellucid.lab.painter import FRAMES_PER_S, MESSAGES_PER_S, WAITED_REST, Painter
from pellucid.lab.prepare import prepare
from pellucid.lab.protocol import Ask, Part, Request, Watch, finite, parse, read_bundle, read_frame, to_bundle, to_frame
from pellucid.lab.security import Role
from pellucid.lab.session import Command
from pellucid.visualise.features.data import feature_grid


def test_hello_describes_the_network(served: Served) -> None:
    with served.socket() as page:
        network = page.hello["network"]
    assert [block["name"] for block in network["blocks"]] == ["input", "conv1", "pool1", "affine1", "affine2"]
    assert network["blocks"][1]["words"]["ko"][0].startswith("합성곱")
    assert network["blocks"][2]["layers"] == ["pool1", "flatten"] or network["blocks"][2]["layers"][0] == "pool1"
    assert network["parameters"] == served.session.model.count_params()
    assert set(network["views"]) == set(VIEWS)


def test_maps_are_the_traced_ones(served: Served) -> None:
    seen = pellucid.trace(served.session.model, served.session.dataset.test.images[3:4])
    with served.socket() as page:
        head, (maps,) = page.frame(view="maps", layer="conv1", picture=3)
    output = seen["conv1"].output[0]
    assert maps.shape == (30, 8, 8) and head["parts"][0]["limit"] == pytest.approx(float(output.max()))
    np.testing.assert_array_equal(maps[4], np.rint(255 * feature_grid(output, channels=[4])).astype(np.uint8))


def test_every_view_of_every_layer_can_be_watched(served: Served) -> None:
    with served.socket() as page:
        for name, kind in VIEWS.items():
            if kind.once:
                continue
            layers = page.hello["network"]["layers"] if kind.layer else [None]
            for layer in layers:
                of = {} if layer is None else {"layer": layer["name"]}
                head, _ = page.frame(view=name, **of)
                assert "problem" not in head


def test_weight_decay_s_part_is_half_the_decay_times_the_squares() -> None:
    with serving() as served, served.socket() as page:
        page.say(type="command", do="set", name="weight_decay", value=0.1)
        page.say(type="command", do="start")
        page.say(type="watch", views=[{"view": "costs"}, {"view": "predictions"}])
        assert next(head for head, _ in page.hear() if head.get("backward_ms") is not None)["forward_ms"] > 0
        page.say(type="command", do="pause")
        step = page.until("state", running=False)["step"]
        page.say(type="watch", views=[{"view": "costs"}])
        head = next(head for head, _ in page.hear() if head.get("view") == "costs" and head["step"] == step)
        squares = sum(float(np.square(values).sum()) for values in served.session.model.get_weights())
    assert head["decay"] == pytest.approx(0.1 / 2 * squares, rel=1e-4)


def test_answers_are_those_of_predict(served: Served) -> None:
    test = served.session.dataset.test
    answers = served.session.model.predict(test.images, verbose=0)
    with served.socket() as page:
        head, (pictures,) = page.frame(view="predictions")
        assert pictures.shape[0] == len(head["rows"])
        for row in head["rows"]:
            best = np.argsort(-answers[row["picture"]])[:3]
            assert [each for each, _ in row["top"]] == best.tolist()
            np.testing.assert_allclose([p for _, p in row["top"]], answers[row["picture"]][best], rtol=1e-5)
        right = [row["top"][0][0] == row["label"] for row in head["rows"]]
        assert right == sorted(right)  # the wrong ones first
        head, _ = page.frame(view="confusion")
    matrix = np.array(head["matrix"])
    assert matrix.sum() == head["count"] and matrix.trace() / matrix.sum() == pytest.approx(head["accuracy"])


def test_arithmetic_adds_up_to_the_layers_number(served: Served) -> None:
    test = served.session.dataset.test
    seen = pellucid.trace(served.session.model, test.images[2:3])
    with served.socket() as page:
        for step in seen:
            place = tuple(size // 2 for size in step.output[0].shape)
            found = page.ask(view="arithmetic", layer=step.name, picture=2, position=list(place))
            assert found["position"] == list(place)
            assert found["result"] == pytest.approx(float(step.output[0][place]), rel=1e-4, abs=1e-6)
            if found.get("products"):
                total = sum(found["products"])
                assert total == pytest.approx(found["sum"], rel=1e-9, abs=1e-9)
                assert total + (found["bias"] or 0) == pytest.approx(found["before"], rel=1e-9, abs=1e-9)
        page.say(type="ask", id=1, view="arithmetic", layer="conv1", position=[99, 0, 0])
        assert "position" in page.until("error")["text"]


def test_gradients_and_updates_are_those_of_the_trace(served: Served) -> None:
    model, test = served.session.model, served.session.dataset.test
    seen = pellucid.trace(model, test.images[2:3], test.labels[2:3])
    with served.socket() as page:
        for layer in ("conv1", "pool1", "affine1"):
            arriving = seen[layer].d_output[0]
            place = np.unravel_index(np.abs(arriving).argmax(), arriving.shape)
            (part,) = page.ask(view="gradient", layer=layer, picture=2, position=[int(i) for i in place])["parts"]
            assert part["sum"] == pytest.approx(float(arriving[place]), rel=1e-4)
            assert sum(term["product"] for term in part["terms"]) + part["rest"] == pytest.approx(part["sum"])
        assert page.ask(view="gradient", layer="affine2", picture=2) == {"parts": []}
        for layer in ("conv1", "affine2"):
            found = page.ask(view="update", layer=layer, picture=2)
            at = tuple(found["gradient"]["position"])
            assert found["gradient"]["sum"] == pytest.approx(float(seen[layer].d_weights["kernel"][at]), rel=1e-4)
            assert found["update"]["weight"] == pytest.approx(float(seen[layer].weights["kernel"][at]))
            assert found["update"]["lines"][-1]["value"] == found["update"]["updated"]
        assert page.ask(view="update", layer="pool1") == {}


def test_the_owner_steers_and_viewers_look(served: Served) -> None:
    with served.socket() as owner, served.socket(Role.VIEWER) as viewer:
        viewer.say(type="command", do="start")
        assert "looking" in viewer.until("error")["text"]
        owner.say(type="command", do="step")
        assert viewer.until("state", step=1)["running"] is False
        owner.say(type="command", do="set", name="learning_rate", value="high")
        assert "learning_rate" in owner.until("error")["text"]
        owner.say(type="command", do="restart")
        assert viewer.until("state", step=0)["generation"] == 1
    assert owner.hello["role"] == "owner" and viewer.hello["role"] == "viewer"


def test_viewers_hear_what_the_owner_shows_and_so_does_who_comes_late(served: Served) -> None:
    with served.socket() as owner, served.socket(Role.VIEWER) as viewer:
        owner.say(type="present", state="area=network&layer=conv1")
        assert viewer.until("present")["state"] == "area=network&layer=conv1"
        with served.socket(Role.VIEWER) as late:
            assert late.until("present")["state"] == "area=network&layer=conv1"
            assert owner.until("state", viewers=3)
        viewer.say(type="present", state="layer=pool1")
        assert "looking" in viewer.until("error")["text"]
        owner.say(type="present", state="x" * (protocol.MAX_STATE + 1))
        assert "state" in owner.until("error")["text"]


def test_two_who_ask_the_same_get_the_same_bytes(served: Served) -> None:
    with served.socket() as one, served.socket(Role.VIEWER) as other:
        mine, (a,) = one.frame(view="weights", layer="conv1")
        theirs, (b,) = other.frame(view="weights", layer="conv1")
        assert mine == theirs
        np.testing.assert_array_equal(a, b)


def test_training_has_its_time_and_what_is_asked_anew_comes_sooner() -> None:
    look: Any = SimpleNamespace(session=SimpleNamespace(changed=None), held_s=2.0)
    painter, running = Painter(look), {"running": True}
    painter._ended_s = 100.0
    rested = 100 + WAITED_REST * look.held_s
    assert not painter._may_paint(rested - 1, running) and painter._may_paint(rested, running)
    assert painter._may_paint(100.1, {"running": False})
    painter.paint({Request("network"): True}, num_owners=1, num_viewers=100)
    assert painter._may_paint(102.0, running) and not painter._may_paint(101.0, running)
    assert (painter._every_s, painter._shared_every_s) == (1 / FRAMES_PER_S, 100 / MESSAGES_PER_S)


def test_frames_read_back_as_they_were() -> None:
    parts = [Part(np.arange(7, dtype=np.uint8), {"layer": "한"}), Part(np.float32([[1.5, -2]]))]
    head, (first, second) = read_frame(to_frame({"view": "maps", "x": float("nan")}, parts))
    assert head["x"] is None and head["parts"][0]["layer"] == "한" and head["parts"][1]["offset"] == 8
    np.testing.assert_array_equal(first, np.arange(7))
    np.testing.assert_array_equal(second, [[1.5, -2]])
    assert [head.get("x", "none") for head, _ in read_bundle(to_bundle([to_frame({"x": 1}, parts), to_frame({})]))] == [
        1,
        "none",
    ]
    with pytest.raises(ConfigError, match="dtype"):
        to_frame({}, [Part(np.zeros(2))])
    assert finite({"a": np.float32(2), "b": (np.inf, 1), "c": np.int64(3)}) == {"a": 2.0, "b": [None, 1], "c": 3}


def test_messages_are_read() -> None:
    assert parse('{"type":"command","do":"set","name":"seed","value":3}') == Command("set", "seed", 3)
    assert parse('{"type":"watch","views":[{"view":"maps","layer":"a"},{"layer":"a","view":"maps"}]}') == Watch(
        (Request("maps", "a"),)
    )
    assert parse('{"type":"ask","id":1,"view":"arithmetic","layer":"a","position":[0,2]}') == Ask(
        1, Request("arithmetic", "a", position=(0, 2))
    )
    asked = parse('{"type":"ask","id":1,"view":"draft","given":{"b":[1],"a":null}}')
    assert isinstance(asked, Ask) and asked.request.details == {"a": None, "b": [1]}
    assert asked.request == parse('{"type":"ask","id":1,"view":"draft","given":{"a":null,"b":[1]}}').request


@pytest.mark.parametrize(
    "text",
    [
        "", "nothing", "[]", "{}", '{"type":[]}', '{"type":"command"}', '{"type":"command","do":"start","more":1}',
        '{"type":"command","do":"set","name":5}', '{"type":"watch"}', '{"type":"watch","views":[3]}',
        '{"type":"watch","views":[{"view":"maps","layer":7}]}', '{"type":"ask","view":"maps"}',
        '{"type":"ask","id":-1,"view":"maps"}', '{"type":"ask","id":true,"view":"maps"}',
        '{"type":"ask","id":1,"view":"maps","picture":1e999}',
        '{"type":"ask","id":1,"view":"maps","position":[1,2,3,4,5]}',
        '{"type":"ask","id":1,"view":"maps","given":1e999}',
        '{"type":"present"}', '{"type":"present","state":3}', '{"type":"present","state":"","more":1}',
        '{"type":"ask","id":NaN,"view":"maps"}', "[" * 9000, f'{{"type":"watch","views":[{",".join(["{}"] * 99)}]}}',
        "x" * (protocol.MAX_MESSAGE + 1),
    ],
)  # fmt: skip
def test_any_other_message_gets_a_sentence(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_importing_pellucid_brings_in_no_server() -> None:
    program = "import sys, pellucid; pellucid.lab.show; print(sorted({'starlette', 'uvicorn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_the_extra_one_line_says_what_to_install(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, out, err = command("lab", "--no-browser")
    assert (status, out) == (1, "") and err.count("\n") == 1 and "pip install 'pellucid[lab]'" in err


def test_a_taken_port_is_said(command: CommandLine) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = command("lab", "--no-browser", "--port", port)
    assert status == 1 and str(port) in err


def test_the_command_serves_and_keeps_what_was_learned(tmp_path: Path) -> None:
    """From its address to Ctrl-C, while a page is open."""
    from websockets.sync.client import connect

    command = [sys.executable, "-m", "pellucid", "lab", "--no-browser", "--port", "0", "--out", "kept"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        origin, _, token = address.rstrip("/").rpartition("/")
        with connect(f"{origin.replace('http', 'ws')}/{token}/socket", origin=Origin(origin)) as page:
            assert json.loads(page.recv())["type"] == "hello"
            page.send(json.dumps({"type": "command", "do": "step"}))
            while not any(head.get("step") == 1 for head, _ in read_bundle(page.recv())):
                pass
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=30)
    assert process.returncode == 0 and "Traceback" not in err
    assert f"kept in {Path('kept', 'last.safetensors')}" in err
    assert pellucid.load(tmp_path / "kept" / "last.safetensors").count_params() == 49_890


def test_a_network_of_pixels_has_no_answers_for_pictures() -> None:
    rng = np.random.default_rng(1)
    split = Split(rng.integers(0, 255, (8, 16, 16, 3), np.uint8), rng.integers(0, 2, (8, 16, 16)).astype(np.uint8))
    data = Dataset("masks", split, split, ("sky", "ground"), "made")
    with serving(prepare("unet", data)) as served, served.socket() as page:
        assert not {"predictions", "confusion"} & set(page.hello["network"]["views"])
        head, _ = page.frame(view="network")
        assert "problem" not in head and head["label"] is None
        page.say(type="watch", views=[{"view": "predictions"}])
        assert "each pixel" in page.until("error")["text"]
        page.say(type="command", do="step")
        assert page.until("state", step=1)["logs"]["loss"] > 0
