"""A network is edited while it trains: what stays, what begins anew, and what is refused before it takes memory."""

from __future__ import annotations

import json
import threading
import time
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

pytest.importorskip("starlette", reason="the extra lab is not installed")

from lab_client import Served, serving
from lab_sessions import Watched

import pellucid
from pellucid.errors import ConfigError, PellucidError
from pellucid.lab.catalogue import catalogue
from pellucid.lab.editing import MAX_LAYERS, architecture, drafted, exchange
from pellucid.lab.looking import VIEWS
from pellucid.lab.prepare import prepare
from pellucid.lab.security import Role
from pellucid.layers import LAYERS, Layer, from_config
from pellucid.model import Model

SIZE = 100


@pytest.fixture
def model() -> Model:
    return prepare().model


def edited(model: Model, change: Any) -> dict[str, Any]:
    """A network's architecture after `change` has worked on a copy of it."""
    given = deepcopy(architecture(model))
    change(given["layers"])
    return given


def test_a_draft_weighs_what_the_summary_of_the_built_network_says(model: Model) -> None:
    given = edited(model, lambda layers: layers.insert(1, {"type": "Conv2D", "filters": 8, "kernel_size": 3}))
    draft = drafted(model, given, batch_size=SIZE)
    assert draft.problem is None and draft.kept == ("conv1", "affine2")
    rows = draft.to_json()["rows"]
    exchange(model, given, batch_size=SIZE)
    summary = model.summary_data(SIZE)
    assert [{name: row[name] for name in row if name != "kept"} for row in rows] == summary["layers"]
    assert draft.memory_bytes == summary["memory"]["training"]["total"]


def test_weights_stay_where_shapes_do_and_moments_where_nothing_changed(model: Model) -> None:
    model.prepare_slots()
    for moment in model.optimizer_state.slots.values():
        moment[...] = 3
    model.optimizer_state.step = 7
    before = {layer.name: layer.get_weights() for layer in model.layers}
    affine1, test = model.get_layer("affine1"), prepare().dataset.test.images[:20]

    def change(layers: list[dict[str, Any]]) -> None:
        layers[0]["activation"] = "tanh"
        layers[-1] |= {"type": "Dense", "name": "scores"}
        layers.insert(3, {"type": "Dropout", "rate": 0.5})

    exchange(model, edited(model, change), batch_size=SIZE)
    assert [layer.name for layer in model.layers] == ["conv1", "pool1", "flatten", "dropout", "affine1", "scores"]
    np.testing.assert_array_equal(model.get_layer("conv1").get_weights()[0], before["conv1"][0])
    assert model.get_layer("affine1") is affine1
    assert not np.array_equal(model.get_layer("scores").get_weights()[0], before["affine2"][0])
    segments, slot = model.parameters, model.optimizer_state.slots["m"]
    kept = {name: segments.slot(slot, segments.of(model.get_layer(name))["kernel"]) for name in ("affine1", "conv1")}
    assert (kept["affine1"] == 3).all() and not kept["conv1"].any()
    assert model.optimizer_state.step == 7 and model.class_names == tuple("0123456789")
    np.testing.assert_allclose(model.predict(test, verbose=0), model(model.scaled(test)), rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_is_said_at_its_layer_and_changes_nothing(model: Model) -> None:
    weights = model.get_weights()
    cases: list[tuple[Any, int, str]] = [
        (lambda layers: layers[0].update(kernel_size=30, padding="valid"), 0, "needs at least 30x30 input, got 8x8"),
        (lambda layers: layers[1].update(pool_size=9, strides=9), 1, "'pool1'"),
        (lambda layers: layers.pop(), 3, "gives 100, and what is learned here needs 10"),
        (lambda layers: layers.insert(2, {"type": "Reshape"}), 2, "target_shape"),
        (lambda layers: layers.insert(2, {"type": "Add"}), 2, "merges two values"),
        (lambda layers: layers.insert(2, {"type": "Nonsense"}), 2, "unknown layer"),
        (lambda layers: layers.insert(2, {}), 2, "unknown layer"),
        (lambda layers: layers[0].update(activation=["relu"]), 0, "activation"),
        (lambda layers: layers[0].update(filters="<b>"), 0, "filters"),
        (lambda layers: layers[1].update(name="conv1"), 1, "has a layer 'conv1' already"),
        (lambda layers: layers.clear(), 0, "needs a layer"),
        (lambda layers: [layer.update(trainable=False) for layer in layers], 4, "nothing can be learned"),
    ]
    for change, number, text in cases:
        given = edited(model, change)
        found = drafted(model, given, batch_size=SIZE).problem
        assert found is not None and found[0] == number and text in found[1], found
        with pytest.raises(ConfigError):
            exchange(model, given, batch_size=SIZE)
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_gigabytes_are_refused_before_they_are_taken(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """No array of more than a hundred megabytes is made, not even one of zeros that nobody writes to."""
    largest = 0
    zeros = np.zeros

    def watched(shape: Any, *args: Any, **named: Any) -> Any:
        nonlocal largest
        largest = max(largest, int(np.prod(shape)))
        return zeros(shape, *args, **named)

    monkeypatch.setattr(np, "zeros", watched)
    for layer in (
        {"type": "Dense", "units": 10**9}, {"type": "Conv2D", "filters": 2**20, "kernel_size": 1},
        {"type": "UpSampling2D", "size": 3000}, {"type": "ZeroPadding2D", "padding": 10**4},
        {"type": "Conv2D", "filters": 10**30, "kernel_size": 1},
        {"type": "Conv2D", "filters": 20_000, "kernel_size": 99, "padding": "same"},
    ):  # fmt: skip
        found = drafted(model, edited(model, lambda layers, layer=layer: layers.insert(0, layer)), batch_size=SIZE)
        assert found.problem is not None and found.problem[0] == 0, layer
    slow = [{"type": "Conv2D", "filters": 512, "kernel_size": 9, "padding": "same"}] * 30
    found = drafted(model, edited(model, lambda layers: layers.__setitem__(slice(0, 0), slow)), batch_size=SIZE)
    assert found.problem is not None and (
        "multiply-accumulates" in found.problem[1] or "would take" in found.problem[1]
    )
    assert largest < 25 * 2**20


@pytest.mark.parametrize(
    "given",
    [None, [], {}, {"layers": 3}, {"layers": [3]}, {"layers": [{}] * (MAX_LAYERS + 1)}, {"layers": [], "reads": 3},
     {"layers": [{"type": "Flatten"}] * 2, "reads": [[-1], [1]]}, {"layers": [{"type": "Flatten"}], "reads": [[-2]]}],
)  # fmt: skip
def test_what_is_no_network_gets_a_sentence(model: Model, given: Any) -> None:
    with pytest.raises(PellucidError):
        drafted(model, given, batch_size=SIZE)


def test_a_graph_keeps_its_joints() -> None:
    model = pellucid.zoo.build("resnet20", input_shape=(16, 16, 3), classes=4, seed=0, options={})
    model.compile("sgd")
    given = architecture(model)
    joints = [list(read) for read in given["reads"]]
    last = next(i for i, config in enumerate(given["layers"]) if config["type"] == "Conv2D")
    given["layers"].insert(last + 1, {"type": "Dropout", "rate": 0.1})
    moved = lambda i: i + 1 if i > last else i  # noqa: E731
    given["reads"] = [[last + 1 if i == last else moved(i) for i in read] for read in joints]
    given["reads"].insert(last + 1, [last])
    weights = model.get_weights()
    exchange(model, given, batch_size=8)
    assert len(model.layers) == len(joints) + 1 and model.reads == given["reads"]
    for now, then in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)


def test_every_layer_of_the_catalogue_has_a_form_that_makes_it() -> None:
    found = {entry["type"]: entry for entry in catalogue((8, 8, 1))}
    assert {"Conv2D", "MaxPool2D", "Dense", "BatchNorm", "Dropout", "GlobalAvgPool2D"} <= set(found) <= set(LAYERS)
    assert not {"Add", "Input", "Conv1D", "TableConv2D"} & set(found)
    for name, entry in found.items():
        fields = {field["name"]: field for field in entry["fields"]}
        if all(field["name"] in entry["config"] for field in entry["fields"]):
            assert isinstance(from_config(entry["config"]), Layer), name
        assert set(fields) <= set(LAYERS[name].__init__.__annotations__) | set(entry["config"]), name
    conv = {field["name"]: field for field in found["Conv2D"]["fields"]}
    assert conv["filters"]["kind"] == "whole" and conv["padding"]["choices"] == ("valid", "same")
    assert "relu" in conv["activation"]["choices"] and conv["activation"]["optional"]
    assert json.dumps(list(found.values()))


def test_training_goes_on_with_the_edited_network() -> None:
    session = Watched(prepare())
    session.begin()
    session.do("start", lambda: session.snapshot["step"] > 20)
    given = edited(session.model, lambda layers: layers[0].update(filters=8))
    session.do("edit", lambda: session.snapshot["layout"] == 1, value=given)
    step = session.snapshot["step"]
    assert step > 20
    session.wait(lambda: session.snapshot["step"] > step + 20)
    assert session.snapshot["said"] == "" and session.model.layers[0].filters == 8
    session.do("pause", lambda: not session.snapshot["running"])
    session.do("edit", lambda: bool(session.snapshot["said"]), value={"layers": []})
    assert "needs a layer" in session.snapshot["said"]
    session.do(
        "edit",
        lambda: session.snapshot["layout"] == 2,
        value=edited(session.model, lambda layers: layers[0].update(filters=9)),
    )
    session.do("restart", lambda: session.snapshot["step"] == 0)
    expected = pellucid.transfer.like(session.model, seed=0)
    for now, then in zip(session.model.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
    session.close()


@pytest.fixture
def served() -> Any:
    with serving() as made:
        yield made


def test_all_pages_hear_of_another_network(served: Served) -> None:
    with served.socket() as owner, served.socket(Role.VIEWER) as viewer:
        asked = owner.ask(view="network_layers")
        asked["layers"].insert(1, {"type": "Dropout", "rate": 0.3})
        given = {"layers": asked["layers"], "reads": None}
        weighed = owner.ask(view="draft", given=given)
        assert weighed["problem"] is None and [row["kept"] for row in weighed["rows"]].count(True) == 3
        owner.say(type="command", do="edit", value=given)
        for page in (owner, viewer):
            hello = page.until("hello")
            assert [layer["kind"] for layer in hello["network"]["layers"]][1] == "Dropout"
        assert viewer.frame(view="maps", layer="dropout")[0]["layer"] == "dropout"
        assert served.session.settings.dropout == 0.3
        viewer.say(type="ask", id=1, view="draft", given=given)
        assert "looking" in viewer.until("error")["text"]
        viewer.say(type="command", do="edit", value=given)
        assert "looking" in viewer.until("error")["text"]


def test_every_view_shows_the_edited_network() -> None:
    with serving() as made, made.socket() as owner:
        for name, kind in VIEWS.items():  # what they keep of the old one must not stay
            if not kind.once:
                owner.say(type="watch", views=[{"view": name, **({"layer": "conv1"} if kind.layer else {})}])
        given = edited(made.session.model, lambda layers: layers[0].update(filters=7, kernel_size=3, padding="same"))
        given["layers"].insert(1, {"type": "BatchNorm"})
        owner.say(type="command", do="edit", value=given)
        layers = owner.until("hello")["network"]["layers"]
        for name, kind in VIEWS.items():
            if kind.once:
                continue
            for layer in [each["name"] for each in layers] if kind.layer else [None]:
                head, _ = owner.frame(view=name, **({} if layer is None else {"layer": layer}))
                assert "problem" not in head or "no window" in head["problem"], head


def test_it_can_be_looked_at_all_the_while() -> None:
    """Views are painted while the layers are exchanged again and again."""
    with serving() as made, made.socket() as owner:
        owner.say(type="watch", views=[{"view": "network"}, {"view": "maps", "layer": "conv1"}])
        owner.say(type="command", do="start")
        for filters in (4, 6, 8, 10):
            given = edited(made.session.model, lambda layers, filters=filters: layers[0].update(filters=filters))
            owner.say(type="command", do="edit", value=given)
            hello = owner.until("hello")
            assert hello["network"]["layers"][0]["shape"][-1] == filters
            head, _ = owner.frame(view="maps", layer="conv1")
            while head["parts"][0]["channels"] != filters:
                time.sleep(0.05)  # who asks more often than 60 times a second is sent away
                head, _ = owner.frame(view="maps", layer="conv1")
        painting = [each for each in threading.enumerate() if each.name == "pellucid lab: painter"]
        assert painting and all(each.is_alive() for each in painting)
