"""The doctor's rules about layers and what they give: each speaks where it must and is silent where it must be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from doctor_cases import bars, network, rules, said

from pellucid import layers as L
from pellucid import optimizers, zoo
from pellucid.model import Sequential

X, Y = bars()
SHAPE = (6, 5, 2)


def stack(*layers: L.Layer) -> Sequential:
    return Sequential([L.Input(SHAPE), L.Flatten(), *layers])


@pytest.mark.parametrize(("size", "expected"), [(4, ["small-batch"]), (8, []), (96, [])])
def test_batch_too_small_for_batch_norm(size: int, expected: list[str]) -> None:
    model = stack(L.Dense(8), L.BatchNorm(name="norm"), L.ReLU(), L.Dense(3, activation="softmax"))
    told = said(model, X, Y, batch_size=size)
    assert rules(told) == expected
    assert all("'norm'" in one.text and "4 pictures" in one.text for one in told)


def test_batch_norm_of_few_pictures_or_frozen() -> None:
    model = stack(L.BatchNorm(), L.Dense(3, activation="softmax"))
    assert rules(said(model, X[:6], Y[:6], batch_size=100)) == ["small-batch"]
    model = stack(L.BatchNorm(trainable=False), L.Dense(3, activation="softmax"))
    assert said(model, X, Y, batch_size=2) == []
    assert said(network(), X, Y, batch_size=2) == []


@pytest.mark.parametrize(
    ("last", "loss", "expected"),
    [
        ([L.Dense(3, activation="softmax"), L.Softmax()], "categorical_crossentropy", "twice"),
        ([L.Dense(3, activation="softmax"), L.Activation("softmax")], "categorical_crossentropy", "twice"),
        ([L.Dense(3), L.Softmax(), L.Activation("softmax")], "categorical_crossentropy", "twice"),
        ([L.Dense(3, activation="softmax"), L.Softmax()], "mse", "twice"),
        ([L.Dense(3, activation="softmax"), L.Dropout(0.1)], "categorical_crossentropy", "twice"),
        ([L.Dense(3, activation="sigmoid")], "categorical_crossentropy", ""),
        ([L.Dense(3, activation="tanh"), L.Softmax()], "categorical_crossentropy", ""),
        ([L.Dense(3, activation="softmax")], "binary_crossentropy", ""),
        ([L.Dense(3, activation="softmax")], "categorical_crossentropy", None),
        ([L.Dense(3), L.Softmax()], "categorical_crossentropy", None),
        ([L.Dense(3)], "categorical_crossentropy", None),
        ([L.Dense(3, activation="sigmoid")], "binary_crossentropy", None),
        ([L.Dense(3, activation="softmax")], "mse", None),
        ([L.Dense(8, activation="softmax"), L.Dense(3, activation="softmax")], "categorical_crossentropy", None),
    ],
    ids=lambda given: "-".join(layer.detail() or layer.name for layer in given) if isinstance(given, list) else given,
)
def test_scores_squashed_before_the_loss(last: list[L.Layer], loss: str, expected: str | None) -> None:
    y = np.eye(3, dtype=np.float32)[Y] if loss == "mse" else Y
    told = rules(said(Sequential([L.Input(SHAPE), L.Flatten(), *(clone(layer) for layer in last)]), X, y, loss=loss))
    name = None if expected is None else f"scores-squashed.{expected}".rstrip(".")
    assert told == ([] if name is None else [name])


def clone(layer: L.Layer) -> L.Layer:
    """A new layer of the same kind: a layer belongs to one model."""
    if isinstance(layer, L.Dense):
        return L.Dense(layer.units, activation=layer.activation)
    return L.Dropout(0.1) if isinstance(layer, L.Dropout) else type(layer)(*_arguments(layer))


def _arguments(layer: L.Layer) -> list[Any]:
    return [layer.activation] if isinstance(layer, L.Activation) else []


def test_equal_weights() -> None:
    assert rules(said(network(kernel_initializer="zeros"), X, Y)) == ["equal-weights.zero"]
    assert rules(said(network(kernel_initializer="ones"), X, Y)) == ["equal-weights"]
    same = network()
    kernel = np.repeat(np.random.default_rng(0).normal(size=(3, 3, 2, 1)), 6, axis=3)
    same.get_layer("conv").set_weights([kernel, np.zeros(6)])
    (told,) = said(same, X, Y)
    assert told.rule == "equal-weights" and "'conv'" in told.text


def test_weights_that_may_be_equal() -> None:
    answers = network()
    answers.get_layer("out").set_weights([np.zeros((8, 3)), np.zeros(3)])
    assert said(answers, X, Y) == []
    one_unit = stack(L.Dense(1, kernel_initializer="ones"), L.Dense(3, activation="softmax"))
    assert "equal-weights" not in rules(said(one_unit, X, Y))
    frozen = network(kernel_initializer="ones")
    frozen.get_layer("conv").trainable = False
    assert said(frozen, X, Y) == []


def dead(share: float, spelling: str) -> Sequential:
    """A network in which so large a share of 20 hidden units cannot rise above 0."""
    activation = [L.Dense(20, activation="relu", name="hidden")]
    if spelling != "argument":
        activation = [L.Dense(20, name="hidden"), L.ReLU() if spelling == "layer" else L.Activation("relu")]
    model = stack(*activation, L.Dense(3, activation="softmax"))
    kernel, bias = np.abs(model.get_layer("hidden").get_weights()[0]), np.zeros(20)
    bias[: round(20 * share)] = -1000
    model.get_layer("hidden").set_weights([kernel, bias])
    return model


@pytest.mark.parametrize("spelling", ["argument", "layer", "activation"])
def test_dead_relus(spelling: str) -> None:
    told = said(dead(0.9, spelling), X, Y)
    assert rules(told) == ["dead-relu"] and told[0].values["share"] == "90%"
    assert "all 8 pictures" in told[0].text and told[0].epoch == 0
    assert said(dead(0.5, spelling), X, Y) == []


def test_relus_that_die_in_training_are_seen_after_the_epoch() -> None:
    model = dead(0.5, "argument")

    def kill(event: object) -> None:
        if type(event).__name__ == "BatchEnded":
            model.get_layer("hidden").set_weights([np.zeros((60, 20)), -np.ones(20)])

    model.compile("adam")
    (line,) = model.fit(X, Y, epochs=2, batch_size=16, verbose=0, callbacks=kill).advice
    assert line.startswith("100% of the units of 'hidden' are 0")


def test_maps_of_a_convolution_are_its_units() -> None:
    model = network()
    kernel, _ = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel, [-99, -99, -99, -99, -99, 1]])
    assert rules(said(model, X, Y)) == ["dead-relu"]
    model = network()
    model.get_layer("conv").set_weights([kernel, [-99, -99, -99, 1, 1, 1]])
    assert said(model, X, Y) == []


@pytest.mark.parametrize("kind", ["sigmoid", "tanh"])
def test_sigmoids_saturated_before_the_first_step(kind: str) -> None:
    model = network(hidden=kind)
    kernel, bias = model.get_layer("hidden").get_weights()
    model.get_layer("hidden").set_weights([100 * kernel, bias])
    (told,) = said(model, X, Y)
    assert told.rule == "saturated.start" and "'hidden'" in told.text
    assert said(network(hidden=kind), X, Y) == []


@pytest.mark.parametrize(("bias", "expected"), [(50.0, ["saturated"]), (0.0, [])])
def test_sigmoids_that_saturate_in_training(bias: float, expected: list[str]) -> None:
    model = network(hidden="sigmoid")

    def push(event: object) -> None:
        if type(event).__name__ == "BatchEnded":
            kernel, _ = model.get_layer("hidden").get_weights()
            model.get_layer("hidden").set_weights([kernel, np.full(8, bias)])

    model.compile(optimizers.SGD(1e-3))
    heard: list[Any] = []
    keep = [push, lambda e: heard.append(e) if type(e).__name__ == "Diagnosed" else None]
    model.fit(X, Y, batch_size=16, verbose=0, callbacks=keep)
    assert rules(heard) == expected


def test_the_last_sigmoid_is_the_answer_and_may_be_sure() -> None:
    model = network(units=1, last="sigmoid")
    kernel, _ = model.get_layer("out").get_weights()
    model.get_layer("out").set_weights([1000 * kernel, [1000.0]])
    assert "saturated" not in str(rules(said(model, X, (Y == 0).astype(np.float32), loss="binary_crossentropy")))


class Counting(L.Layer):
    """A layer of a user's own that remembers how often it ran."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def forward(self, x: np.ndarray, *, training: bool = False, key: Any = None) -> tuple[np.ndarray, Any]:
        self.count += 1
        return x, None

    def backward(self, dy: np.ndarray, cache: Any, *, need_dx: bool = True) -> tuple[np.ndarray | None, dict[str, Any]]:
        return dy, {}


def test_layers_of_ones_own_are_not_run_for_a_look() -> None:
    counts = []
    for doctor in (True, False):
        counting = Counting()
        model = stack(counting, L.Dense(3, activation="softmax"))
        model.compile("adam")
        model.fit(X, Y, verbose=0, doctor=doctor)
        counts.append(counting.count)
    assert counts[0] == counts[1] > 0


def test_frozen_first_layers_are_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"conv": 0, "hidden": 0}
    model = network()
    for name in counts:
        layer = model.get_layer(name)
        own = layer.forward

        def counted(x: np.ndarray, _own: Any = own, _name: str = name, **options: Any) -> Any:
            counts[_name] += 1
            return _own(x, **options)

        monkeypatch.setitem(vars(layer), "forward", counted)
    model.get_layer("conv").trainable = False
    assert said(model, X, Y, epochs=3) == []
    assert counts == {"conv": 1, "hidden": 4}


@pytest.mark.parametrize("name", ["simple-convnet", "lenet5", "lenet5-published", "cifar-net", "convnetjs-cifar10"])
def test_networks_of_the_zoo_begin_without_a_word(name: str) -> None:
    model = zoo.build(name, input_shape=(32, 32, 3) if "cifar" in name else (28, 28, 1), classes=10, seed=0)
    x = np.random.default_rng(0).integers(0, 256, (40, *model.input_shape), np.uint8)
    loss = "map_criterion" if name == "lenet5-published" else "categorical_crossentropy"
    assert said(model, x, np.arange(40) % 10, loss=loss) == []
