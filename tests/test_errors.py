"""Wrong input: each error names the place, what was expected, what was given, and what to change."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from small_model import fit, pictures, small

import pellucid
from pellucid import layers as L
from pellucid import losses, optimizers, schedules, zoo
from pellucid.errors import ConfigError, DataError, DivergedError, PellucidError, ShapeError, unknown_name
from pellucid.model import Sequential


def model_of(*layers: L.Layer, shape: tuple[int, ...] = (12, 12, 1)) -> Sequential:
    return Sequential([L.Input(shape), *layers])


def compiled(loss: str = "categorical_crossentropy") -> Sequential:
    model = small()
    model.compile("sgd", loss)
    return model


X, Y = pictures()

CASES: dict[str, tuple[Callable[[], object], type[PellucidError], str]] = {
    # kernels and windows: layers count from 0, as in model.layers
    "kernel larger than its input": (
        lambda: model_of(
            L.Conv2D(4, 5, name="conv1"), L.ReLU(), L.MaxPool2D(2, name="pool1"), L.Conv2D(8, 5, name="conv2")
        ),
        ShapeError,
        "layer 3 'conv2' (Conv2D 5x5, valid) needs at least 5x5 input, got 4x4 from 'pool1'; "
        'use padding="same", a smaller kernel, or a larger picture',
    ),
    "dilated kernel": (
        lambda: model_of(L.Conv2D(4, (2, 3), dilation_rate=(2, 6))),
        ShapeError,
        "layer 0 'conv2d' (Conv2D 2x3, valid, dilation 2x6) needs at least 3x13 input, got 12x12; use padding=",
    ),
    "window larger than its input": (
        lambda: model_of(L.MaxPool2D((2, 13), name="wide")),
        ShapeError,
        "layer 0 'wide' (MaxPool2D 2x13, valid) needs at least 2x13 input, got 12x12; ",
    ),
    "kernel larger than a called picture": (
        lambda: L.Conv2D(1, 3, name="alone")(np.zeros((1, 2, 5, 1))),
        ShapeError,
        "'alone' (Conv2D 3x3, valid) needs at least 3x3 input, got 2x5; ",
    ),
    "late build": (
        lambda: Sequential([L.Conv2D(2, 3, name="a"), L.Conv2D(2, 9, name="b")]).build((10, 10, 1)),
        ShapeError,
        "layer 1 'b' (Conv2D 9x9, valid) needs at least 9x9 input, got 8x8 from 'a'; ",
    ),
    # channels and axes
    "wrong channel count": (
        lambda: model_of(L.Conv2D(2, 3, name="c"))(np.zeros((1, 12, 12, 3))),
        ShapeError,
        "layer 0 'c' (Conv2D 3x3, valid) was built for 1 input channels, got 3; give pictures with as many channels",
    ),
    "wrong channel count in predict": (
        lambda: small().predict(np.zeros((1, 6, 5, 3))),
        ShapeError,
        "sequential takes pictures (N, 6, 5, 2), got (1, 6, 5, 3); convert them to 2 channels",
    ),
    "groups": (
        lambda: model_of(L.Conv2D(4, 3, name="a"), L.Conv2D(3, 1, groups=3, name="b")),
        ShapeError,
        "layer 1 'b' (Conv2D 1x1, valid, groups 3) cannot split 4 input channels from 'a' into 3 groups; choose",
    ),
    "RBF on maps": (
        lambda: model_of(L.Conv2D(4, 3, name="a"), L.RBF(3, name="d")),
        ShapeError,
        "layer 1 'd' (RBF 3) needs input (N, inputs), got (N, 10, 10, 4) from 'a'; put Flatten()",
    ),
    "a reflected border": (
        lambda: model_of(L.Conv2D(4, 3, name="a"), L.Padding2D(10, "reflect", name="b")),
        ShapeError,
        "layer 1 'b' (Padding2D padding 10, reflect): its output needs a border narrower than the picture",
    ),
    "nothing left": (
        lambda: model_of(L.Cropping2D((6, 6), name="c")),
        ShapeError,
        "layer 0 'c' (Cropping2D 6,6 6,6) cuts ((6, 6), (6, 6)) off pictures of 12x12, which leaves nothing",
    ),
    "reshape": (
        lambda: model_of(L.Reshape((5, -1), name="r")),
        ShapeError,
        "layer 0 'r' (Reshape 5x?) cannot make 5x-1 of 12x12x",
    ),
    "pooling after flatten": (
        lambda: model_of(L.Flatten(), L.MaxPool2D()),
        ShapeError,
        "layer 1 'max_pool2d' (MaxPool2D 2x2, valid) needs input (N, H, W, C), got (N, 144) from 'flatten'",
    ),
    "another picture size in a dense net": (
        lambda: small()(np.zeros((1, 8, 8, 2))),
        ShapeError,
        "layer 3 'hidden' (Dense 7, tanh) was built for 16 inputs, got 36 from 'flat'; give pictures of the size",
    ),
    # labels
    "label out of range": (
        lambda: fit(compiled(), X, np.where(np.arange(24) == 5, 3, Y)),
        DataError,
        "label 3 of picture 5 is not one of the 3 classes 0 to 2; the last layer needs one unit a class",
    ),
    "labels count from 1": (
        lambda: fit(compiled(), X, Y + 1),
        DataError,
        "these labels count from 1: subtract 1",
    ),
    "negative label in evaluate": (
        lambda: compiled().evaluate(X, Y - 1, verbose=0),
        DataError,
        "label -1 of picture 0 is not one of the 3 classes 0 to 2",
    ),
    "half a class": (lambda: fit(compiled(), X, Y + 0.5), DataError, "label 0.5 of picture 0 is not a class number"),
    "fewer labels than pictures": (
        lambda: fit(compiled(), X, Y[:-2]),
        DataError,
        "24 pictures but 22 labels; each picture needs exactly one",
    ),
    "more held-out labels than pictures": (
        lambda: fit(compiled(), X, Y, validation_data=(X[:3], Y)),
        DataError,
        "3 pictures but 24 labels",
    ),
    "one-hot of another width": (
        lambda: fit(compiled(), X, np.eye(4)[Y]),
        DataError,
        "labels must be integers (N,) or rows of 3 (N, 3), got shape (24, 4)",
    ),
    "rows that sum to two": (
        lambda: fit(compiled(), X, np.ones((24, 3))),
        DataError,
        "labels of picture 0 are neither one-hot nor probabilities: [1. 1. 1.]; each row must be 0 or more",
    ),
    "words for labels": (
        lambda: fit(compiled(), X, ["cat"] * 24),
        DataError,
        "words of 1 classes, ['cat'], the last layer is for 3",
    ),
    "binary labels of 2": (
        lambda: fit(compiled("binary_crossentropy"), X, np.full((24, 3), 2.0)),
        DataError,
        "label 2 of picture 0 is outside 0 to 1",
    ),
    "one unit under cross-entropy": (
        lambda: fit(one_unit("categorical_crossentropy"), X, Y),
        ConfigError,
        "needs at least 2 units, the network has 1",
    ),
    # names
    "optimizer": (lambda: small().compile("adan"), ConfigError, "unknown optimizer 'adan'; did you mean 'adam'?"),
    "loss": (
        lambda: small().compile("sgd", "categorial_crossentropy"),
        ConfigError,
        "unknown loss 'categorial_crossentropy'; did you mean 'categorical_crossentropy'?",
    ),
    "activation": (lambda: L.Dense(2, "rleu"), ConfigError, "unknown activation 'rleu'; did you mean 'relu'?"),
    "initializer": (
        lambda: L.Conv2D(2, 2, kernel_initializer="he_norml"),
        ConfigError,
        "'he_norml'; did you mean 'he_normal'?",
    ),
    "layer": (lambda: L.from_config({"type": "Conv2d"}), ConfigError, "unknown layer 'Conv2d'; did you mean 'Conv2D'?"),
    "layer of a model": (lambda: small().get_layer("pol"), ConfigError, "did you mean 'pool'?"),
    "network": (lambda: zoo.build("simple-covnet"), ConfigError, "did you mean 'simple-convnet'?"),
    "data set": (lambda: pellucid.datasets.load("minst"), PellucidError, "did you mean 'mnist'?"),
    "schedule": (lambda: schedules.get({"type": "Cosin"}), ConfigError, "did you mean 'Cosine'?"),
    "padding": (lambda: L.Conv2D(2, 2, padding="samee"), ConfigError, "'samee'"),
    # arguments, where they are given
    "filters": (lambda: L.Conv2D(0, 3), ConfigError, "filters must be a whole number of at least 1, got 0"),
    "rate": (lambda: L.Dropout(1.0), ConfigError, "got 1.0"),
    "learning rate": (lambda: optimizers.SGD(-0.1), ConfigError, "-0.1"),
    "smoothing": (lambda: losses.CategoricalCrossentropy(label_smoothing=2), ConfigError, "got 2"),
}


def one_unit(loss: str) -> Sequential:
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(1)])
    model.compile("sgd", loss)
    return model


@pytest.mark.parametrize("name", CASES)
def test_wrong_input_is_explained(name: str) -> None:
    call, kind, message = CASES[name]
    with pytest.raises(kind, match=re.escape(message)) as caught:
        call()
    assert "\n" not in str(caught.value)  # the command line prints it on one line


def test_positions_count_from_0_as_model_layers_does() -> None:
    model = small()
    assert [layer.position for layer in model.layers] == list(range(5))
    for i, layer in enumerate(model.layers):
        assert layer.place().startswith(f"layer {i} {layer.name!r}") and model.get_layer(index=i) is layer
    last = model.pop()
    assert last.place().startswith("'out' (Dense 3, softmax)")


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # of the reference
def test_a_loss_that_is_no_number_names_its_step() -> None:
    model, x = compiled(), X.copy()
    x[9] = np.inf
    with pytest.raises(DivergedError) as caught:
        fit(model, x, Y, batch_size=8, shuffle=False)
    message = str(caught.value)
    for part in ("step 2 (epoch 1, batch 2)", "learning rate 0.01", "are kept", "smaller learning rate", "clipnorm"):
        assert part in message


@pytest.mark.parametrize("kind", ["ShapeError", "ConfigError", "DataError", "CheckpointError"])
def test_bad_input_is_a_value_error_too(kind: str) -> None:
    error = getattr(pellucid, kind)
    assert issubclass(error, PellucidError) and issubclass(error, ValueError)


def test_a_name_far_from_all_others_is_not_guessed() -> None:
    message = str(unknown_name("colour", "quartz", ["red", "green"]))
    assert message == "unknown colour 'quartz'; known: green, red"
