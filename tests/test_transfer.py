"""Weights taken from another network, layers that stay as they are, and heads that are exchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from small_model import fit

import pellucid
from pellucid import layers as L
from pellucid import zoo
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, ShapeError
from pellucid.model import Sequential
from pellucid.transfer import features_depth, freeze, frozen, like, matching, take_weights

RNG = np.random.default_rng(2)
PICTURES = RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
LABELS = np.arange(20) % 3


def vgg(classes: int = 5, seed: int = 0, name: str = "vgg11", **options: object) -> Sequential:
    return zoo.build(name, input_shape=(32, 32, 3), classes=classes, seed=seed, options={"dense_units": 8, **options})


def test_a_head_is_exchanged_and_the_rest_keeps_its_weights(tmp_path: Path) -> None:
    """What a practitioner does in Python, from a file to a file."""
    source = vgg()
    source.class_names = ("a", "b", "c", "d", "e")
    source.save(tmp_path / "source.safetensors")
    model = pellucid.load(tmp_path / "source.safetensors")
    for _ in range(5):
        model.pop()
    assert model.layers[-1].name == "flatten" and model.class_names is None
    model.add(L.Dense(6, activation="relu", name="hidden"))
    model.add(L.Dense(3, activation="softmax", name="classes"))
    freeze(model, "features")
    model.class_names = ("x", "y", "z")
    model.compile("adam", "sparse_categorical_crossentropy")
    before = model.get_layer("hidden").get_weights()[0]
    fit(model, PICTURES, LABELS, epochs=2)
    for layer in source.layers[:14]:
        for theirs, own in zip(layer.weights, model.get_layer(layer.name).weights, strict=True):
            np.testing.assert_array_equal(own, theirs)
    assert np.any(model.get_layer("hidden").get_weights()[0] != before)
    model.save(tmp_path / "model.safetensors")
    again = pellucid.load(tmp_path / "model.safetensors")
    assert again.class_names == ("x", "y", "z") and not again.get_layer("conv1_1").trainable
    np.testing.assert_array_equal(again.predict(PICTURES), model.predict(PICTURES))


def test_the_same_network_takes_everything() -> None:
    source, model = vgg(), vgg(seed=1)
    taken = take_weights(model, source)
    assert str(taken) == "11 of 11 layers" and not taken.unused
    np.testing.assert_array_equal(model.predict(PICTURES), source.predict(PICTURES))


def test_other_classes_start_anew_and_the_rest_is_taken() -> None:
    source, model = vgg(5), vgg(3, seed=1)
    start = model.get_layer("fc8").get_weights()[0]
    taken = take_weights(model, source)
    assert str(taken) == "10 of 11 layers; fc8 starts anew: 3 classes here, 5 there"
    np.testing.assert_array_equal(model.get_layer("fc8").get_weights()[0], start)
    np.testing.assert_array_equal(model.get_layer("fc7").get_weights()[0], source.get_layer("fc7").get_weights()[0])


def test_as_many_classes_of_other_names_start_anew_too() -> None:
    source, model = vgg(3), vgg(3, seed=1)
    source.class_names, model.class_names = ("cat", "dog", "owl"), ("cat", "dog", "owl")
    assert not take_weights(model, source).fresh
    model.class_names = ("bus", "car", "van")
    assert str(take_weights(model, source)) == "10 of 11 layers; fc8 starts anew: other classes there"


def test_another_head_starts_anew_whole() -> None:
    """A head behind a layer that starts anew would read what it never learned to read."""
    taken = take_weights(vgg(5, dense_units=7), vgg(5))
    assert taken.fresh == ("fc6", "fc7", "fc8") and len(taken.taken) == 8
    assert taken.reason == "fc6 kernel (512, 7) here, (512, 8) there"
    headless = like(vgg(5))
    for _ in range(5):
        headless.pop()
    assert take_weights(vgg(5), headless).reason == "fc6 only here"
    headless.add(L.Dense(3, name="classes"))
    assert take_weights(headless, vgg(5)).unused == ("fc6", "fc7", "fc8")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (lambda: vgg(name="vgg13"), ["'vgg13'", "conv1_2 only there", "conv2_2 only there"]),
        (lambda: vgg(batch_norm=True), ["norm1_1 only there", "norm5_2 only there"]),
        (
            lambda: zoo.build("cifar-net"),
            ["conv1_1 only here", "conv5_2 only here", "conv1 only there", "conv3 only there"],
        ),
        (
            lambda: zoo.build("vgg11", input_shape=(32, 32, 1), classes=5, options={"dense_units": 8}),
            ["conv1_1 kernel (3, 3, 3, 64) here, (3, 3, 1, 64) there"],
        ),
    ],
)
def test_weights_of_another_network_are_one_error_that_lists_all(source: object, words: list[str]) -> None:
    model = vgg(5)
    before = model.get_weights()
    with pytest.raises(ShapeError, match="take weights of the same network") as caught:
        take_weights(model, source())  # type: ignore[operator]
    assert all(word in str(caught.value) for word in words), caught.value
    for now, then in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_batch_norms_running_statistics_are_taken() -> None:
    source = zoo.photo_net((16, 16, 3), 2, filters=(4, 8))
    norm = source.get_layer("norm2")
    norm.set_weights([*norm.get_weights()[:2], np.full(8, 0.5), np.full(8, 2.0)])
    model = zoo.photo_net((16, 16, 3), 2, filters=(4, 8), seed=3)
    take_weights(model, source)
    np.testing.assert_array_equal(model.get_layer("norm2").state["variance"], 2.0)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("features", ["conv1_1", "conv2_1", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1", "conv5_2"]),
        ("conv3*", ["conv3_1", "conv3_2"]),
        (["conv1_1", "fc?"], ["conv1_1", "fc6", "fc7", "fc8"]),
        ("conv[1-2]*", ["conv1_1", "conv2_1"]),
    ],
)
def test_layers_are_frozen_by_name_pattern_or_part(names: str | list[str], expected: list[str]) -> None:
    model = vgg(5)
    told = freeze(model, names)
    assert (
        list(told.frozen) == expected == [layer.name for layer in model.layers if layer.params and not layer.trainable]
    )
    assert told.frozen_parameters + told.trained_parameters == model.count_params()
    assert told.trained_parameters == model.outline().trainable_parameters
    assert frozen(model) == told


def test_features_end_with_global_pooling_and_hold_batch_norm() -> None:
    model = zoo.photo_net((16, 16, 3), 2, filters=(4, 8))
    assert freeze(model, "features").trained == ("classes",)
    assert features_depth(model) == [layer.name for layer in model.layers].index("average") + 1
    assert features_depth(Sequential([L.Dense(2, input_shape=(3,))])) is None


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("conv6*", ["'conv6*'", "conv1_1", "fc8", "features"]),
        ("conv1-1", ["'conv1-1'", "did you mean 'conv1_1'"]),
        ("pool1", ["layer with weights", "'pool1'"]),
        ("*", ["every layer", "leave out 'fc8'"]),
        (["features", "fc*"], ["every layer"]),
    ],
)
def test_what_cannot_be_frozen_is_said_and_freezes_nothing(names: str | list[str], words: list[str]) -> None:
    model = vgg(5)
    with pytest.raises(ConfigError) as caught:
        freeze(model, names)
    assert all(word in str(caught.value) for word in words), caught.value
    assert not frozen(model).frozen


def test_a_network_without_flatten_has_no_features() -> None:
    model = Sequential([L.Dense(2, input_shape=(3,), name="a"), L.Dense(2, name="b")])
    with pytest.raises(ConfigError, match=r"no flatten or global pooling.*a, b"):
        matching(model, "features")


def test_a_network_like_another_is_new() -> None:
    source = vgg(5)
    source.preprocessing = Preprocessing(mean=(0.5,))
    freeze(source, "features")
    model = like(source, input_shape=(64, 48, 3), classes=2, seed=4)
    assert model.input_shape == (64, 48, 3) and model.output_shape == (2,) and model.name == "vgg11"
    assert not frozen(model).frozen
    assert np.any(model.get_weights()[0] != source.get_weights()[0])
    assert [layer.name for layer in model.layers] == [layer.name for layer in source.layers]
    with pytest.raises(ConfigError, match="ends in BatchNorm, not in a layer of classes"):
        like(Sequential([L.Conv2D(2, 3, input_shape=(8, 8, 1)), L.BatchNorm(), L.GlobalAvgPool2D()]), classes=3)


def test_maps_of_the_classes_are_the_head() -> None:
    """As in SqueezeNet: a convolution makes a map for each class, which is averaged."""
    source = zoo.squeezenet1_1((48, 48, 3), 5)
    model = like(source, classes=3, seed=1)
    assert model.output_shape == (3,) and model.get_layer("conv10").get_weights()[0].shape[-1] == 3
    assert str(take_weights(model, source)) == "25 of 26 layers; conv10 starts anew: 3 classes here, 5 there"
    assert freeze(model, "features").trained == ("conv10",)
