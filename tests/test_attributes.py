"""Attributes that people set, as they do in Keras: each has its effect, or is refused with what to do instead."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import BatchNorm, Conv2D, Dense, Dropout, Flatten, Input, MaxPool2D, Sequential, losses, ops, optimizers
from pellucid._modules import INSTEAD
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, PellucidError, ShapeError

X = np.random.default_rng(0).integers(0, 256, (16, 6, 6, 1), np.uint8)
Y = np.arange(16) % 3


def network() -> Sequential:
    model = Sequential(
        [Input((6, 6, 1)), Conv2D(3, 3, name="conv"), BatchNorm(name="norm"), MaxPool2D(), Flatten(), Dropout(0.2),
         Dense(3, "softmax", name="out")]
    )  # fmt: skip
    model.compile(optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy")
    return model


def fitted(model: Sequential) -> list[np.ndarray]:
    model.fit(X, Y, epochs=2, verbose=0, doctor=False)
    return model.get_weights()


def test_a_frozen_model_learns_nothing_and_a_thawed_one_does(tmp_path: Path) -> None:
    model = network()
    before = fitted(model)  # moments are there
    model.trainable = False
    assert model.trainable is False and not any(layer.trainable for layer in model.layers)
    with pytest.raises(ConfigError, match="nothing to train: every layer is frozen"):
        fitted(model)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    assert model.outline().trainable_parameters == 0 and model.parameters.gradients.size == 0
    model.save(tmp_path / "m.safetensors")
    assert pellucid.load(tmp_path / "m.safetensors").trainable is False
    model.get_layer("out").trainable = True
    assert model.trainable is True  # one layer of it
    after = fitted(model)
    assert [bool((now == then).all()) for now, then in zip(after, before, strict=True)] == [True] * 6 + [False] * 2
    model.trainable = True
    assert not any((now == then).all() for now, then in zip(fitted(model), after, strict=True))


def test_a_learning_rate_set_later_counts() -> None:
    model, other = network(), network()
    model.optimizer.learning_rate = 0.0
    before = model.layers[0].get_weights()
    np.testing.assert_array_equal(fitted(model)[0], before[0])
    model.optimizer.lr = 0.1
    fitted(other)
    assert (fitted(model)[0] != before[0]).any()


@pytest.mark.parametrize("when", ["before", "laid out", "trained"])
def test_what_is_assigned_to_params_and_state_is_used_and_saved(when: str, tmp_path: Path) -> None:
    model, other = network(), network()
    if when != "before":
        model.predict(X)
    if when == "trained":
        fitted(model)
    rng = np.random.default_rng(1)
    new = [rng.random(array.shape) for array in model.get_weights()]
    other.set_weights(new)
    given = iter(new)
    for layer in model.layers:
        for name in layer.params:
            layer.params[name] = next(given)
        for name in layer.state:
            layer.state[name] = next(given).tolist()
    expected = other.predict(X)
    np.testing.assert_array_equal(model.predict(X), expected)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(pellucid.load(tmp_path / "m.safetensors").predict(X), expected)
    layer = model.get_layer("out")
    layer.params = {"kernel": np.zeros((12, 3)), "bias": [1, 2, 3]}
    assert np.allclose(model.predict(X), np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())
    with pytest.raises(ShapeError, match=r"kernel must have shape \(12, 3\), got \(3, 12\)"):
        layer.params["kernel"] = np.zeros((3, 12))
    for wrong in (lambda: layer.params.update(gamma=1), lambda: layer.params.pop("bias"), layer.params.clear):
        with pytest.raises(ConfigError, match="built with the arrays kernel, bias"):
            wrong()
    with pytest.raises(ConfigError, match="has the arrays kernel, bias, got kernel"):
        layer.params = {"kernel": np.zeros((12, 3))}
    with pytest.raises(ValueError, match="read-only"):
        layer.params["kernel"][...] = 0
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0][...] = 0


def test_an_activation_changes_at_once_in_plan_training_and_file(tmp_path: Path) -> None:
    model = network()
    other = Sequential([Input((6, 6, 1)), Conv2D(3, 3), BatchNorm(), MaxPool2D(), Flatten(), Dropout(0.2), Dense(3)])
    other.build()
    other.set_weights(model.get_weights())
    assert not np.allclose(model.predict(X), other.predict(X))
    model.get_layer("out").activation = None
    expected = other.predict(X)
    np.testing.assert_array_equal(model.predict(X), expected)
    np.testing.assert_array_equal(model(X), other(X))
    for one in (model, other):  # the steps of training, too
        one.compile("sgd", "mse")
        one.fit(X, np.ones((16, 3)), epochs=1, verbose=0, doctor=False)
    np.testing.assert_array_equal(model.predict(X), other.predict(X))
    expected = other.predict(X)
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(pellucid.load(tmp_path / "m.safetensors").predict(X), expected)
    model.get_layer("out").activation = "ReLU"
    np.testing.assert_array_equal(model.predict(X), np.maximum(expected, 0))


REFUSED: dict[str, tuple[Callable[[Sequential], object], str]] = {
    "rate": (lambda m: setattr(m.layers[4], "rate", 0.5), "'rate' is said when the Dropout is made"),
    "strides": (lambda m: setattr(m.layers[0], "strides", 2), "'strides' is said when"),
    "activation": (lambda m: setattr(m.layers[0], "activation", "reluu"), "unknown activation 'reluu'.*'relu'"),
    "a function for a name": (lambda m: setattr(m.layers[0], "activation", abs), "a layer of its own behind"),
    "units": (lambda m: setattr(m.layers[-1], "units", 4), "'units' is said when"),
    "misspelt": (lambda m: setattr(m.layers[0], "stride", 2), "'stride' is no attribute of it.*'strides'"),
    "kernel": (lambda m: setattr(m.layers[0], "kernel", 0), r"'kernel' is params\[\"kernel\"\]"),
    "layer's weights": (lambda m: setattr(m.layers[0], "weights", []), r"set_weights\("),
    "trainable": (lambda m: setattr(m.layers[0], "trainable", "no"), "trainable must be True or False, got 'no'"),
    "model trainable": (lambda m: setattr(m, "trainable", None), "trainable must be True or False, got None"),
    "a name twice": (lambda m: setattr(m.layers[0], "name", "out"), "has a layer 'out' already"),
    "no name": (lambda m: setattr(m.layers[0], "name", 5), "name must be a word, got 5"),
    "delete": (lambda m: delattr(m.layers[0], "strides"), "'strides' is said when"),
    "a layer": (lambda m: m.layers.__setitem__(0, Dense(3)), r"model\.add\(layer\) and model\.pop\(\)"),
    "append": (lambda m: m.layers.append(Dense(3)), r"model\.add"),
    "pop": (lambda m: m.layers.pop(), r"model\.pop"),
    "layers": (lambda m: setattr(m, "layers", []), "changed by add"),
    "model weights": (lambda m: setattr(m, "weights", []), "set_weights"),
    "loss": (lambda m: setattr(m, "loss", "mse"), "chosen by compile"),
    "optimizer": (lambda m: setattr(m, "optimizer", "adam"), "chosen by compile"),
    "metrics": (lambda m: setattr(m, "metrics", ["acc"]), "chosen by compile"),
    "model rate": (lambda m: setattr(m, "learning_rate", 1), r"model\.optimizer\.learning_rate"),
    "input shape": (lambda m: setattr(m, "input_shape", (8, 8, 1)), "'input_shape' is said when"),
    "method": (lambda m: setattr(m, "fit", None), "'fit' is said when"),
    "model typo": (lambda m: setattr(m, "class_name", ("a",)), "no attribute of it.*'class_names'"),
    "momentum": (lambda m: setattr(m.optimizer, "momentum", 0.5), "'momentum' is said when the SGD is made"),
    "decay": (lambda m: setattr(m.optimizer, "decay", 0.5), "'decay' is no attribute"),
    "rate of the wrong kind": (lambda m: setattr(m.optimizer, "learning_rate", "fast"), "learning rate|schedule"),
    "smoothing": (lambda m: setattr(m.loss, "label_smoothing", 0.1), "'label_smoothing' is said when"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_ignored_is_refused(name: str) -> None:
    change, message = REFUSED[name]
    model = network()
    expected = fitted(network())
    with pytest.raises(PellucidError, match=message):
        change(model)
    for now, then in zip(fitted(model), expected, strict=True):
        np.testing.assert_array_equal(now, then)


def test_every_argument_of_every_layer_is_guarded_once_it_is_made() -> None:
    made: list[Any] = [*network().layers, losses.BinaryCrossentropy(), optimizers.Adam(), optimizers.RMSprop()]
    for thing in made:
        arguments = [name for name in thing.config() if name not in ("type", "name", "trainable", "learning_rate")]
        for name in [*arguments, "no_such_thing"]:
            if name != "no_decay":
                with pytest.raises(ConfigError, match=name):
                    setattr(thing, name, 1)


def test_help_shows_the_arguments() -> None:
    assert list(inspect.signature(Dropout).parameters) == ["rate", "name", "input_shape", "trainable"]
    assert list(inspect.signature(optimizers.SGD).parameters)[:2] == ["learning_rate", "momentum"]


def test_signatures_of_operations_name_every_option() -> None:
    functions = {name: inspect.signature(one) for name, one in vars(ops).items() if inspect.isfunction(one)}
    unnamed = {name for name, one in functions.items() if any(p.kind is p.VAR_KEYWORD for p in one.parameters.values())}
    assert unnamed == {"optimizer_update"}
    assert list(functions["conv2d"].parameters)[2:] == ["bias", "strides", "padding", "dilation", "groups", "out"]
    assert functions["conv2d_max_pool2d"].parameters["activation"].default == "linear"


def test_a_layer_of_ones_own_sets_what_it_likes() -> None:
    class Own(Dense):
        pass

    layer = Own(2)
    layer.note = "mine"
    layer(np.zeros((1, 3)))
    layer.seen = 3
    assert layer.note == "mine" and layer.params["kernel"].shape == (3, 2)


def test_a_layer_renamed_in_a_model_keeps_its_weights() -> None:
    model = network()
    expected = fitted(model)
    answers = model.predict(X)
    model.layers[0].name = "first"
    np.testing.assert_array_equal(model.predict(X), answers)
    assert model.get_layer("first") is model.layers[0]
    for now, then in zip(model.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("twin_of", [copy.copy, copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copied_layer_owns_its_arrays(twin_of: Callable[[Any], Any]) -> None:
    model = network()
    fitted(model)
    for layer in model.layers:
        twin = twin_of(layer)
        assert twin.owner is None and twin.config() == layer.config()
        for ours, theirs in zip(twin.get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    twin.params["kernel"] = np.zeros((12, 3))
    assert model.get_layer("out").params["kernel"].any() and not twin.params["kernel"].any()


WRONG_VALUES: dict[str, tuple[object, ...]] = {
    "name": (5, "", None, b"net", "\ud800"),
    "seed": ("x", -1, 2**32, 1.5, None, True),
    "class_names": (5, "abc", ["a"] * 3, ["a", "b"], list("abcd"), ["a", "b", 3], ["a", "b", ""], {"a": 1}),
    "preprocessing": (5, None, "crop", {"scale": 1}, Preprocessing(mean=(0.1, 0.2))),
    "trained_on": (5, None, "mnist", []),
    "optimizer_state.slots": (5, None, []),
    "optimizer_state.step": (-1, 2**63, "x", 0.5),
    "optimizer_state.num_epochs": (-1, 2**63, "x", None),
    "exact_convolution": (5, "yes", None),
    "trainable": (5, "yes", None),
    "stop_training": (5, "yes", None),
    "labels_in_rows": (5, "yes", None),
}


def test_what_is_set_on_a_model_is_checked_when_it_is_set() -> None:
    model = network()
    for name, values in WRONG_VALUES.items():
        within, _, last = name.rpartition(".")
        owner = getattr(model, within) if within else model
        before = getattr(owner, last)
        for value in values:
            with pytest.raises(ConfigError, match=last.removesuffix("s")):
                setattr(owner, last, value)
        assert getattr(owner, last) is before, name
    model.class_names, model.seed = ["a", "b", "c"], np.int64(3)  # type: ignore[assignment]
    assert (model.class_names, model.seed) == (("a", "b", "c"), 3)
    one = Sequential([Dense(1, input_shape=(4,))])
    for names in (("b",), ("a", "b"), None):
        one.class_names = names
    unbuilt = Sequential([Dense(2)])
    unbuilt.class_names = ("a", "b", "c")  # its outputs are not known to be wrong
    assert {*WRONG_VALUES} >= Sequential.assignable


@pytest.mark.parametrize("cls", [Dense, Conv2D, MaxPool2D, BatchNorm, Flatten, optimizers.Adam, optimizers.SGD])
def test_arguments_that_there_are_not_are_refused_by_name(cls: Callable[..., object]) -> None:
    for call in (lambda: cls(no_such=1), lambda: cls(*[1] * 40)):
        with pytest.raises(ConfigError, match=r"no_such|too many positional|missing a required"):
            call()


@pytest.mark.parametrize(
    ("owner", "name", "told"),
    [
        (pellucid, "callbacks", "pellucid.train"),
        (pellucid, "Functional", "pellucid.Model"),
        (pellucid, "load_model", "pellucid.load(path)"),
        (pellucid.train, "ModelCheckpoint", "pellucid.train.callbacks"),
        (pellucid.Sequential([pellucid.Dense(3)]), "save_weights", "save(path)"),
        (pellucid.Sequential([pellucid.Dense(3)]), "trainable_weights", "each layer"),
    ],
)
def test_a_name_of_kerass_that_is_not_here_says_what_to_write(owner: Any, name: str, told: str) -> None:
    with pytest.raises(AttributeError, match=rf"^[^\n]*has no attribute '{name}'; [^\n]*{re.escape(told)}[^\n]*$"):
        getattr(owner, name)
    with pytest.raises(AttributeError, match=r"has no attribute '_nothing'$"):
        _ = owner._nothing
    assert not hasattr(owner, "nothing")


def test_what_a_missing_name_is_told_instead_exists() -> None:
    for place in (text for told in INSTEAD.values() for text in re.findall(r"pellucid\.([a-z.]+[A-Za-z]+)", told)):
        found: Any = pellucid
        for part in place.split("."):
            found = getattr(found, part)
    for name in INSTEAD:
        assert name not in {*dir(pellucid), *dir(pellucid.layers), *dir(pellucid.Sequential)}, name
