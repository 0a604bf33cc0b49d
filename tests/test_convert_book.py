"""The book's pickles become models: the same answers as pellucid.scratch gives with the same parameters."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import datasets, scratch, zoo
from pellucid.convert import import_weights
from pellucid.errors import CheckpointError, ConfigError
from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, Input, MaxPool2D, Softmax
from pellucid.model import Sequential
from pellucid.zoo import import_model

SIZES = {"filter_num": 4, "filter_size": 3, "pad": 1, "stride": 1}


def network(seed: int = 0, **sizes: Any) -> scratch.SimpleConvNet:
    np.random.seed(seed)
    settings = {"input_dim": (2, 9, 7), "conv_param": SIZES, "hidden_size": 6, "output_size": 5, "weight_init_std": 0.3}
    return scratch.SimpleConvNet(**{**settings, **sizes})


def model(**changes: Any) -> Sequential:
    options = {"input_shape": (9, 7, 2), "classes": 5, "hidden_size": 6, "seed": 3, **SIZES, **changes}
    return zoo.simple_convnet(**options)


def saved(tmp_path: Path, params: Any, protocol: int | None = None) -> Path:
    path = tmp_path / "params.pkl"
    path.write_bytes(pickle.dumps(params, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_pickle_of_scratch_becomes_a_model_with_the_same_answers(tmp_path: Path, protocol: int) -> None:
    book, ours = network(), model()
    for key in ("b1", "b2", "b3"):
        book.params[key] += np.random.default_rng(1).normal(size=book.params[key].shape)
    report = import_weights(ours, saved(tmp_path, book.params, protocol))
    assert report.arrays == 6 and report.fresh == () and report.scaling == "plain"
    x = np.random.default_rng(2).random((3, 2, 9, 7)).astype(np.float32)
    wanted = scratch.softmax(book.predict(x.astype(np.float64)))
    found = ours.predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-7)


def test_the_books_own_parameters_get_9890_of_10000_right() -> None:
    path = Path(os.environ.get("PELLUCID_DATA", ""), "book", "params.pkl")
    if not path.is_file() or datasets.locate("mnist") is None:
        pytest.skip("params.pkl or mnist is not on this machine")
    ours, report = import_model(path, "simple-convnet")
    assert ours.input_shape == (28, 28, 1) and report.numbers == 433_890
    test = datasets.load("mnist").test
    answers = ours.predict(np.asarray(test.images)).argmax(axis=1)
    assert int((answers == test.labels).sum()) == 9890


def test_deeper_networks_count_their_layers_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    layers = [Conv2D(3, 3, activation="relu", input_shape=(8, 8, 1)), Conv2D(2, 3), MaxPool2D(2), Flatten(), Dense(4)]
    ours = Sequential(layers)
    shapes = {"W1": (3, 1, 3, 3), "b1": (3,), "W2": (2, 3, 3, 3), "b2": (2,), "W3": (8, 4), "b3": (4,)}
    params = {key: rng.normal(size=shape) for key, shape in shapes.items()}
    import_weights(ours, saved(tmp_path, params))
    chain = [
        scratch.Convolution(params["W1"], params["b1"]),
        scratch.Relu(),
        scratch.Convolution(params["W2"], params["b2"]),
        scratch.Pooling(2, 2, 2),
        scratch.Affine(params["W3"], params["b3"]),
    ]
    x = rng.random((2, 1, 8, 8))
    y = x
    for layer in chain:
        y = layer.forward(y)
    np.testing.assert_allclose(ours.predict(x.transpose(0, 2, 3, 1).astype(np.float32)), y, rtol=1e-4, atol=1e-5)


def deep() -> list[Any]:
    """The book's DeepConvNet for pictures of 1x8x8, with its dropout; the last is its own, behind the scores."""
    convs = [Conv2D(2, 3, padding=1, activation="relu") for _ in range(2)]
    return [Input((8, 8, 1)), *convs, MaxPool2D(2), Flatten(), Dense(6, activation="relu"), Dropout(0.5), Dense(4)]


@pytest.mark.parametrize("end", [(Dropout(0.2),), (Dropout(0.2), Softmax()), ()])
def test_dropout_of_the_books_answers_as_in_the_book(end: tuple[Any, ...], tmp_path: Path) -> None:
    """It multiplies by 1 - ratio in a test; ours lets all pass, with that factor in the weights."""
    rng = np.random.default_rng(0)
    shapes = {"W1": (2, 1, 3, 3), "W2": (2, 2, 3, 3), "W3": (32, 6), "W4": (6, 4)}
    params = {key: rng.normal(size=shape) for key, shape in shapes.items()}
    params |= {f"b{n}": rng.normal(size=size) for n, size in enumerate((2, 2, 6, 4), start=1)}
    chain = [
        *(scratch.Convolution(params["W1"], params["b1"], 1, 1), scratch.Relu()),
        *(scratch.Convolution(params["W2"], params["b2"], 1, 1), scratch.Relu(), scratch.Pooling(2, 2, 2)),
        *(scratch.Affine(params["W3"], params["b3"]), scratch.Relu(), scratch.Dropout(0.5)),
        *(scratch.Affine(params["W4"], params["b4"]), *([scratch.Dropout(0.2)] if end else [])),
    ]
    y = x = rng.random((3, 1, 8, 8))
    for layer in chain:
        y = layer.forward(y, train_flg=False) if isinstance(layer, scratch.Dropout) else layer.forward(y)
    model = Sequential([*deep(), *end])
    report = import_weights(model, saved(tmp_path, params))
    wanted = scratch.softmax(y) if len(end) == 2 else y
    np.testing.assert_allclose(model.predict(x.transpose(0, 2, 3, 1).astype(np.float32)), wanted, rtol=1e-4, atol=1e-5)
    assert f"kernel of dense_1 by {0.4 if end else 0.5}" in report.notes[0]
    assert ("bias of dense_1 by 0.8" in report.notes[0]) == bool(end)


def test_dropout_whose_factor_nothing_can_take_is_refused(tmp_path: Path) -> None:
    model = Sequential([Input((8, 8, 1)), Flatten(), Dense(4, activation="sigmoid"), Dropout(0.5)])
    with pytest.raises(ConfigError, match=r"layer 2 'dropout' \(Dropout 0\.5\): the book scales here in use"):
        import_weights(model, saved(tmp_path, {"W1": np.zeros((64, 4)), "b1": np.zeros(4)}))


def test_another_number_of_classes_leaves_the_last_layer_fresh(tmp_path: Path) -> None:
    ours = model(classes=3)
    before = ours.get_layer("affine2").get_weights()
    report = import_weights(ours, saved(tmp_path, network().params))
    assert report.fresh == ("affine2",) and report.arrays == 4
    for kept, now in zip(before, ours.get_layer("affine2").get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)
    assert import_weights(ours, tmp_path / "params.pkl", no_top=True).fresh == ("affine1", "affine2")


def test_everything_that_does_not_fit_is_listed(tmp_path: Path) -> None:
    params = {**network().params, "W1": np.zeros((4, 2, 5, 5)), "gamma": np.zeros(2)}
    del params["b2"]
    with pytest.raises(CheckpointError, match=r"missing: b2 \(6,\).*W1 \(4, 2, 5, 5\).*\(4, 2, 3, 3\).*gamma \(2,\)"):
        import_weights(model(), saved(tmp_path, params))


class Planted:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return open, (str(self.canary), "w")


def test_a_planted_pickle_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    ours, canary = model(), tmp_path / "canary"
    before = ours.get_weights()
    with pytest.raises(CheckpointError, match=r"params\.pkl: refused"):
        import_weights(ours, saved(tmp_path, {**network().params, "W1": Planted(canary)}))
    assert not canary.exists()
    for kept, now in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(kept, now)


@pytest.mark.parametrize(
    ("params", "words"),
    [([np.zeros(2)], "holds a list; expected a dict"), ({"W1": [1.0], "b1": np.zeros(1)}, "under 'W1' is no array")],
)
def test_other_pickles_are_refused(tmp_path: Path, params: Any, words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        import_weights(model(), saved(tmp_path, params))


def test_a_layer_the_book_does_not_have_is_refused(tmp_path: Path) -> None:
    ours = Sequential([Conv2D(4, 3, input_shape=(9, 7, 2), name="conv1"), BatchNorm(name="norm"), Flatten(), Dense(5)])
    with pytest.raises(ConfigError, match=r"'norm'.*plain convolutions and dense layers"):
        import_weights(ours, saved(tmp_path, network().params))
