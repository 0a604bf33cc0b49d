"""Gradients taken apart: the terms add up to what the layer's backward gave, whatever the layer."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from test_visualise_dissect import LAYERS, MERGES, SERIES, merging, model_of

from pellucid import Model, Sequential, losses, optimizers, schedules, zoo
from pellucid import layers as L
from pellucid._numbers import number
from pellucid.errors import ConfigError
from pellucid.model.tracing import LayerTrace, trace
from pellucid.visualise import GradientDissection, UpdateDissection, dissect_gradient, dissect_update, dissect_weight
from pellucid.visualise.dissection.backward import as_window, draw_gradient
from pellucid.visualise.dissection.gradient import dissect_gradient_step, readers
from pellucid.visualise.dissection.records import as_data
from pellucid.visualise.dissection.values import signed
from pellucid.visualise.dissection.weight import dissect_weight_step

BATCH = np.random.default_rng(2).normal(size=(3, 9, 7, 4)).astype(np.float32)
KINDS: dict[str, list[L.Layer]] = {**LAYERS, **SERIES, "frozen batch norm": [L.BatchNorm(trainable=False)]}

OTHERWISE = [name for name, layers in KINDS.items() if layers[-1].role in ("batch norm", "dropout", "noise")]
"""What computes otherwise in training, or is frozen and does not."""


def traced(model: Model, batch: np.ndarray, training: bool = False) -> LayerTrace:
    """The last layer's step, with a drawn gradient arriving."""
    seen = trace(model, batch, training=training)
    dy = np.random.default_rng(3).normal(size=seen[-1].output.shape)
    step: LayerTrace = seen.back(dy, seen.names[-1])[-1]
    return step


def positions(shape: tuple[int, ...], count: int, seed: int = 5) -> list[tuple[int, ...]]:
    rng = np.random.default_rng(seed)
    corners = [(0,) * len(shape), tuple(size - 1 for size in shape)]
    return [*corners, *[tuple(int(rng.integers(size)) for size in shape) for _ in range(count)]]


def adds_up(found: GradientDissection, computed: float) -> None:
    """Each product is of its own numbers, and their sum is what the layer computed."""
    slopes = 1.0 if found.slopes is None else found.slopes
    np.testing.assert_array_equal(found.products, found.arriving * found.factors * slopes)
    assert (np.diff(np.abs(found.products)) <= 0).all()
    assert len({len(found.products), len(found.places), len(found.examples), len(found.factors)}) == 1
    assert found.products.sum() + found.rest == pytest.approx(found.total, rel=1e-12, abs=1e-12)
    scale = float(np.abs(found.products).sum()) + abs(found.rest)
    assert found.computed == computed == pytest.approx(found.total, rel=1e-5, abs=2e-6 * scale + 1e-9)
    if found.count == 1:
        assert found.total == pytest.approx(computed, rel=3e-7)


@pytest.mark.parametrize(
    ("name", "training"), [*[(name, False) for name in KINDS], *[(name, True) for name in OTHERWISE]]
)
def test_the_terms_of_a_gradient_add_up_to_what_the_layer_gave(name: str, training: bool) -> None:
    batch = BATCH if name not in SERIES else BATCH[:, :, :, 0]
    step = traced(model_of(KINDS[name], batch.shape[1:]), batch, training)
    assert step.d_input is not None
    for count, position in enumerate(positions(step.input.shape[1:], 6)):
        example = count % len(batch)
        found = dissect_gradient_step(step, position, example=example)
        adds_up(found, float(step.d_input[(example, *position)]))
        assert found.value == step.input[(example, *position)] and (found.examples == example).all()
        how = step.layer.nonlinearity
        if not found.words and (step.layer.role == "activation" or how is None or how.kind != "softmax"):
            arrived = np.asarray(step.d_output)[(example, *tuple(found.places.T))]
            np.testing.assert_array_equal(found.arriving, arrived)


@pytest.mark.parametrize("name", MERGES)
def test_each_value_that_is_merged_has_its_terms(name: str) -> None:
    step = traced(merging(name), BATCH)
    assert step.d_input is not None
    for source, dx in enumerate(step.d_input):
        for position in positions(dx.shape[1:], 4):
            found = dissect_gradient_step(step, position, source=source, example=1)
            adds_up(found, float(dx[(1, *position)]))
            assert found.count == (step.output[0, :, :, 0].size if dx.ndim == 2 else 1)


WEIGHTS = {name: layers for name, layers in KINDS.items() if model_of(layers, BATCH.shape[1:] if name not in SERIES
           else BATCH.shape[1:3]).layers[-1].params}  # fmt: skip


@pytest.mark.parametrize(("name", "training"), [*[(name, False) for name in WEIGHTS], ("batch norm", True)])
def test_the_terms_of_a_weight_add_up_over_places_and_pictures(name: str, training: bool) -> None:
    batch = BATCH if name not in SERIES else BATCH[:, :, :, 0]
    step = traced(model_of(KINDS[name], batch.shape[1:]), batch, training)
    for parameter, gradients in step.d_weights.items():
        for index in positions(gradients.shape, 3):
            found = dissect_weight_step(step, parameter, index, most=20)
            adds_up(found, float(gradients[index]))
            assert found.value == step.layer.params[parameter][index]
            assert len(found.products) == min(20, found.count) and (found.factors != 0).all()


@pytest.mark.parametrize("name", ["lenet5-published", "simple-convnet", "resnet20"])
def test_the_gradients_of_whole_networks_add_up(name: str) -> None:
    model = zoo.build(name)
    images = np.random.default_rng(1).integers(0, 256, (2, *model.input_shape), np.uint8)
    for step in trace(model, images, [3, 1], training=True):
        for source, dx in enumerate(step.d_input if step.layer.merges else [step.d_input]):
            found = dissect_gradient_step(step, source=source, example=1)
            assert abs(found.computed) == np.abs(dx[1]).max()  # the default is the largest
            adds_up(found, float(dx[1][found.position]))
        for parameter, gradients in step.d_weights.items():
            weight = dissect_weight_step(step, parameter)
            adds_up(weight, float(gradients[weight.position]))


def net(seed: int = 1, **conv: Any) -> Sequential:
    layers = [L.Conv2D(3, 3, name="conv", input_shape=(6, 5, 2), **conv), L.ReLU(), L.MaxPool2D(2), L.Flatten(),
              L.Dense(4, activation="softmax", name="out")]  # fmt: skip
    return Sequential(layers, seed=seed)


PICTURES = np.random.default_rng(7).normal(size=(5, 6, 5, 2)).astype(np.float32)
LABELS = np.array([0, 3, 1, 2, 3])

OPTIMIZERS: dict[str, optimizers.Optimizer] = {
    "sgd": optimizers.SGD(0.1),
    "momentum": optimizers.SGD(0.1, 0.9, weight_decay=0.01),
    "nesterov": optimizers.Nesterov(0.1),
    "adagrad": optimizers.Adagrad(0.05, clipvalue=0.01),
    "rmsprop": optimizers.RMSprop(0.01),
    "rmsprop, all moments": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "adadelta": optimizers.Adadelta(0.5, clipnorm=0.01),
    "adam": optimizers.Adam(schedules.Step(0.01, 2, 0.5), global_clipnorm=0.1),
    "adam with decay": optimizers.Adam(0.01, weight_decay=0.1),
    "adamw": optimizers.AdamW(0.01, 0.1),
    "adam, the largest v": optimizers.Adam(0.01, amsgrad=True),
    "adamax": optimizers.Adamax(0.01),
    "nadam": optimizers.Nadam(0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "lion": optimizers.Lion(0.01),
    "ftrl": optimizers.Ftrl(0.1, l2_shrinkage_regularization_strength=0.1, beta=0.5),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_update_is_what_the_next_step_does(name: str) -> None:
    model = net(kernel_regularizer=L.L1L2(0.01, 0.02))
    model.compile(OPTIMIZERS[name], "categorical_crossentropy")
    model.fit(PICTURES, LABELS, batch_size=5, epochs=3, verbose=0)  # three steps, so that the moments are something
    seen = trace(model, PICTURES, LABELS, training=True)
    asked = [
        ("conv", "kernel", None),
        ("conv", "kernel", (0, 2, 1, 1)),
        ("conv", "bias", (1,)),
        ("out", "kernel", (3, 2)),
    ]
    found = [dissect_update(seen, *each) for each in asked]
    slots = {name: vector.copy() for name, vector in model.optimizer_state.slots.items()}
    model.fit(PICTURES, LABELS, batch_size=5, epochs=1, verbose=0)
    for each in found:
        segment = model.parameters.of(seen[each.layer].layer)[each.parameter]
        assert each.step == 4 and each.updated != each.weight
        assert each.updated == pytest.approx(float(model.parameters.view(segment)[each.index]), rel=1e-5, abs=1e-7)
        assert set(each.moments) == set(each.updated_moments) == set(slots)
        for moment, vector in slots.items():
            assert each.moments[moment] == model.parameters.slot(vector, segment)[each.index]
            after = model.parameters.slot(model.optimizer_state.slots[moment], segment)[each.index]
            assert each.updated_moments[moment] == pytest.approx(float(after), rel=1e-4, abs=1e-8)
        in_numbers(each)
        many = {name: np.full(40, value, np.float32) for name, value in each.moments.items()}
        weights, rate = np.full(40, each.weight, np.float32), OPTIMIZERS[name].weight_decay_of("")
        given: Any = {"learning_rate": each.learning_rate, "step": each.step, "weight_decay": rate}
        OPTIMIZERS[name].update(weights, np.full(40, each.clipped, np.float32), many, **given)
        assert (weights == each.updated).all()
        assert all((many[name] == value).all() for name, value in each.updated_moments.items())


def in_numbers(found: UpdateDissection) -> None:
    """What the lines say is so, as far as their four digits go."""
    for line in found.lines:
        expression = (
            line.expression.replace("·", "*").replace("²", "**2").replace("^", "**").replace("sqrt", "math.sqrt")
        )
        value = eval(expression, {"math": math})
        assert value == pytest.approx(line.value, rel=5e-3, abs=2e-4 * max(abs(found.weight), abs(line.value), 1e-3))
    assert found.lines[-1].name == "weight" and found.lines[-1].value == found.updated


def test_an_update_in_full() -> None:
    model = net(kernel_regularizer=L.L2(0.5))
    model.compile(optimizers.SGD(0.5, clipvalue=0.25, weight_decay=0.1), "categorical_crossentropy")
    seen = trace(model, PICTURES, LABELS)
    found = dissect_update(seen, "conv", index=(1, 1, 0, 2))
    weight, gradient = (
        float(values[1, 1, 0, 2]) for values in (seen[0].weights["kernel"], seen[0].d_weights["kernel"])
    )
    clipped = min(max(gradient + weight, -0.25), 0.25)
    assert (found.gradient, found.weight, found.step, found.learning_rate) == (gradient, weight, 1, 0.5)
    assert found.penalty == pytest.approx(weight) and found.clipped == pytest.approx(clipped)
    assert found.decay == pytest.approx(0.1 * weight) and not found.decoupled
    assert found.change == pytest.approx(-0.5 * (clipped + 0.1 * weight)) and found.moments == {}
    other = dissect_update(seen, "conv", index=(1, 1, 0, 2), optimizer="adamw", moments={"m": 0.5, "v": 0.25}, step=9)
    assert other.decoupled and other.updated_moments["m"] == pytest.approx(
        0.9 * 0.5 + 0.1 * other.gradient + 0.1 * weight
    )
    assert [line.name for line in other.lines] == [
        "gradient",
        "penalty",
        "weight decay",
        "m",
        "v",
        "corrected rate",
        "weight",
    ]


@pytest.mark.parametrize("head", ["inside", "layer", "none", "smoothed", "sigmoid", "pixels"])
def test_the_loss_arrives_as_what_is_given_less_what_is_wanted(head: str) -> None:
    loss: Any = "binary_crossentropy" if head == "sigmoid" else "categorical_crossentropy"
    smoothing = 0.25 if head == "smoothed" else 0.0
    ends: dict[str, list[L.Layer]] = {"inside": [L.Dense(4, activation="softmax")], "layer": [L.Dense(4), L.Softmax()],
           "sigmoid": [L.Dense(4, activation="sigmoid")]}  # fmt: skip
    flat = [L.Flatten(), *ends.get(head, [L.Dense(4)])]
    layers = [L.Conv2D(4, 3, name="out")] if head == "pixels" else flat
    model = Sequential([L.Input((6, 5, 2)), *layers], seed=1)
    model.compile("sgd", losses.CategoricalCrossentropy(label_smoothing=smoothing) if smoothing else loss)
    labels: Any = LABELS
    if head == "pixels":
        labels = np.random.default_rng(1).integers(0, 4, (5, 4, 3)).astype(np.uint8)
        labels[1, 0] = 255
    seen = trace(model, PICTURES, labels)
    for step in seen[-2:] if head == "layer" else seen[-1:]:
        for position in positions(np.asarray(step.input).shape[1:], 4):
            found = dissect_gradient_step(step, position, example=1)
            adds_up(found, float(np.asarray(step.d_input)[(1, *position)]))
            assert found.given is not None and found.wanted is not None and found.counts is not None
            np.testing.assert_allclose((found.given - found.wanted) / found.counts, found.arriving, atol=1e-7)
            assert found.kind == ("loss" if step.layer.role == "activation" else step.layer.role)
            counts = {"sigmoid": 20, "pixels": 5 * 9}.get(head, 5)
            assert (found.counts == counts).all()
            if head not in ("sigmoid", "pixels"):
                wanted = (found.places[:, 0] == 3) * (1 - smoothing) + smoothing / 4
                np.testing.assert_allclose(found.wanted, wanted)


def test_the_score_of_a_class_goes_back_too() -> None:
    seen = trace(net(), PICTURES).back_from_class(2)
    found = dissect_gradient_step(seen["out"], (5,), example=4)
    adds_up(found, float(np.asarray(seen["out"].d_input)[4, 5]))
    assert found.given is None and found.arriving[0] == 1 and found.places[0].tolist() == [2]
    assert (found.arriving[1:] == 0).all()


def test_a_pixels_gradient_by_hand() -> None:
    model = Sequential([L.Conv2D(1, 2, activation="relu", input_shape=(2, 3, 1), name="conv"), L.Flatten(),
                        L.Dense(2, use_bias=False, activation="softmax", name="out")])  # fmt: skip
    model.set_weights([np.array([[1.0, -2.0], [3.0, 0.5]]).reshape(2, 2, 1, 1), [-4.0], [[0.0, 1.0], [2.0, 0.0]]])
    found = dissect_gradient(model, np.array([[1.0, 2.0, 0.0], [4.0, 8.0, 1.0]], np.float32), 1, "conv", (1, 1, 0))
    # before relu 1 - 4 + 12 + 4 - 4 = 9 and 2 + 24 + 0.5 - 4 = 22.5; scores 45 and 9, so p - t is 1 and -1
    assert found.places.tolist() == [[0, 1, 0], [0, 0, 0]] and found.slopes is not None
    assert found.cells is not None and found.cells.tolist() == [[1, 0], [1, 1]]
    np.testing.assert_allclose(found.arriving, [2, -1])
    assert found.factors.tolist() == [3, 0.5] and found.slopes.tolist() == [1, 1]
    np.testing.assert_allclose(found.products, [6, -0.5])
    assert found.computed == pytest.approx(5.5) and found.value == 8 and found.kind == "convolution"
    few = dissect_gradient(model, np.ones((2, 3)), 1, "conv", (1, 1, 0), most=1)
    assert few.count == 2 and len(few.products) == 1 and few.rest == few.total - few.products[0]
    weight = dissect_weight(
        model, np.array([[[1.0, 2.0, 0.0], [4.0, 8.0, 1.0]]], np.float32), [1], "conv", index=(0, 1, 0, 0)
    )
    assert weight.places.tolist() == [[0, 0, 0]] and weight.factors.tolist() == [2] and weight.count == 1
    assert weight.of == "kernel" and weight.value == -2 and weight.computed == pytest.approx(-2)


def test_a_maximum_says_which_windows_the_number_won() -> None:
    x = np.array([[1, 5, 2], [5, 4, 0], [3, 3, 6]], np.float32)[None, :, :, None]
    step = traced(Sequential([L.MaxPool2D(2, 1, input_shape=(3, 3, 1))]), x)
    found = dissect_gradient_step(step, (1, 0, 0))  # in the first window the 5 above comes first
    order = {tuple(place): word for place, word in zip(found.places.tolist(), found.words, strict=True)}
    assert order == {(0, 0, 0): "lost", (1, 0, 0): "won"} and found.count == 2
    assert sorted(found.factors.tolist()) == [0, 1]


def test_wrong_questions_are_answered_plainly() -> None:
    model = net()
    model.compile("sgd", "categorical_crossentropy")
    seen, bare = trace(model, PICTURES, LABELS), trace(model, PICTURES)
    with pytest.raises(ConfigError, match=r"no gradient in this trace; give labels"):
        dissect_gradient_step(bare["conv"])
    with pytest.raises(ConfigError, match=r"takes 6x5x2 .*\(row, column, channel\).*got \(6, 0, 0\)"):
        dissect_gradient_step(seen["conv"], (6, 0, 0))
    with pytest.raises(ConfigError, match=r"reads one value.*got source 1"):
        dissect_gradient_step(seen["conv"], source=1)
    with pytest.raises(ConfigError, match=r"5 pictures.*got example 5"):
        dissect_gradient_step(seen["conv"], example=5)
    with pytest.raises(ConfigError, match=r"most must be at least 1, got 0"):
        dissect_gradient_step(seen["conv"], most=0)
    with pytest.raises(ConfigError, match=r"unknown parameter of .*'kernels'.*did you mean 'kernel'"):
        dissect_weight_step(seen["conv"], "kernels")
    with pytest.raises(ConfigError, match=r"kernel is 3x3x2x3.*got \(0, 0, 0\)"):
        dissect_weight_step(seen["conv"], index=(0, 0, 0))
    with pytest.raises(ConfigError, match="no gradients of weights"):
        dissect_weight_step(bare.back_from_class(0, weights=False)["conv"])
    with pytest.raises(ConfigError, match="Adam has the moments m, v, got velocity"):
        dissect_update(seen, "conv", optimizer="adam", moments={"velocity": 0})
    model.layers[0].trainable = False
    with pytest.raises(ConfigError, match=r"'conv'.*is frozen"):
        dissect_update(seen, "conv")


def test_as_data_has_the_same_names_for_every_kind() -> None:
    model = net()
    model.compile("adam", "categorical_crossentropy")
    seen = trace(model, PICTURES, LABELS)
    whole = [as_data(dissect_gradient_step(seen[name], most=2)) for name in seen.names]
    whole += [as_data(dissect_weight_step(seen["conv"], "bias"))]
    assert len({(tuple(each), tuple(each["terms"][0])) for each in whole}) == 1
    for each in whole:
        assert json.loads(json.dumps(each)) == each
        assert sum(term["product"] for term in each["terms"]) + each["rest"] == pytest.approx(each["sum"])
    pooled = next(each for each in whole if each["kind"] == "max pooling")
    assert pooled["terms"][0]["word"] in ("won", "lost") and pooled["terms"][0]["slope"] is None
    assert whole[0]["terms"][0]["cell"] is not None and whole[-2]["terms"][0]["given"] is not None
    update = as_data(dissect_update(seen, "conv"))
    assert json.loads(json.dumps(update)) == update
    assert update["change"] == update["updated"] - update["weight"] and update["lines"][-1]["name"] == "weight"


def test_the_equation_names_the_largest_terms() -> None:
    seen = trace(net(), PICTURES, LABELS)
    found = dissect_gradient_step(seen["out"])
    assert found.count == 4 and found.equation.endswith(f"= {number(found.total)}")
    assert found.equation.startswith(signed(float(found.products[0])) + " + ")
    one = dissect_gradient_step(seen["relu"])
    assert one.equation == f"{signed(one.arriving[0])} · {signed(one.factors[0])} = {number(one.total)}"
    many = dissect_weight_step(seen["conv"], "bias")
    assert many.count > 4 and f"(the other {many.count - 4})" in many.equation


def test_what_several_layers_read_has_the_sum_of_their_gradients() -> None:
    first = L.Input((5, 4, 2))
    fork = L.Conv2D(3, 3, padding="same", name="fork")(first)
    joined = L.Add(name="add")([L.ReLU(name="relu")(fork), fork, fork])
    model = Model(first, L.Dense(2, name="out")(L.Flatten(name="flat")(joined)), seed=1)
    seen = trace(model, PICTURES[:, :5, :4]).back_from_class(1)
    assert readers(seen, "fork") == [("relu", 0), ("add", 1), ("add", 2)] and readers(seen, "out") == []
    assert readers(seen) == [("fork", 0)]
    parts = [dissect_gradient_step(seen[name], (2, 1, 1), source=source) for name, source in readers(seen, "fork")]
    assert sum(part.total for part in parts) == pytest.approx(float(np.asarray(seen["fork"].d_output)[0, 2, 1, 1]))


@pytest.mark.parametrize(
    "name", ["relu inside", "max pooling over padding", "batch norm", "dropout", "dense", "series"]
)
def test_gradients_have_figures_in_both_languages(name: str) -> None:
    batch = BATCH if name not in SERIES else BATCH[:, :, :, 0]
    step = traced(model_of(KINDS[name], batch.shape[1:]), batch, training=True)
    found = dissect_gradient_step(step)
    for lang in ("ko", "en"):
        figure = draw_gradient(found, title="it", lang=lang)
        assert step.name in figure.get_suptitle() and number(found.total) in figure.get_supxlabel()
    if as_window(found) is None:
        widths = [bar.get_width() for bar in figure.axes[0].patches]  # type: ignore[attr-defined]
        assert sum(widths) == pytest.approx(found.total) and widths[0] == found.products[0]
    if name in ("max pooling over padding", "dense"):  # laid out too, which takes half a second
        figure.draw_without_rendering()


def test_a_convolutions_way_back_is_drawn_as_windows() -> None:
    step = traced(model_of([L.Conv2D(6, 3, padding="same", activation="tanh")], BATCH.shape[1:]), BATCH)
    found = dissect_gradient_step(step, (4, 3, 2))
    window = as_window(found)
    assert window is not None and window.rows == (3, 4, 5) and window.columns == (2, 3, 4)
    kernel = step.layer.params["kernel"][::-1, ::-1, 2]
    np.testing.assert_array_equal(window.kernel, kernel)
    slopes = 1 - np.square(step.output[0, 3:6, 2:5].astype(np.float64))
    np.testing.assert_allclose(window.patch, np.asarray(step.d_output)[0, 3:6, 2:5] * slopes, rtol=1e-6)
    assert np.asarray(window.products).sum() == pytest.approx(found.total)
    assert as_window(dissect_gradient_step(step, (4, 3, 2), most=5)) is None


def test_an_update_is_written_below_its_gradient() -> None:
    model = net()
    model.compile("momentum", "categorical_crossentropy")
    seen = trace(model, PICTURES, LABELS)
    found, update = dissect_weight_step(seen["conv"]), dissect_update(seen, "conv")
    for lang, words in (("en", "step 1 of SGD: gradient"), ("ko", "SGD의 1번째 갱신: 기울기")):
        lines = draw_gradient(found, update=update, lang=lang).get_supxlabel().split("\n")
        assert lines[1].startswith(words) and lines[-1].endswith(f"= {number(update.updated)}")
        assert found.equation.split(" (")[0] in lines[0]
