"""Arrays in every form that people hand over: right, or one line that says what to do; never something else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pellucid
from pellucid import Conv2D, Dense, Flatten, Input, Sequential, losses, metrics
from pellucid.errors import ConfigError, DataError, PellucidError, ShapeError

RNG = np.random.default_rng(0)
LEVELS = RNG.integers(0, 256, (12, 6, 6, 1), np.uint8)
LABELS = np.arange(12) % 3
MASKED = np.ma.masked_less(LEVELS.astype(float), 9)


def network(units: int = 3, loss: str = "categorical_crossentropy", last: str | None = "softmax") -> Sequential:
    model = Sequential([Input((6, 6, 1)), Conv2D(2, 3), Flatten(), Dense(units, last)], name="net")
    model.compile("sgd", loss)
    return model


def in_use(x: Any, y: Any = LABELS) -> list[Any]:
    """What fit, evaluate, predict and trace make of these pictures."""
    model = network()
    history = model.fit(x, y, epochs=1, verbose=0, doctor=False)
    result = model.evaluate(x, y, verbose=0)
    return [history["loss"], list(result), model.predict(x).tolist(), pellucid.trace(model, x).outputs.tolist()]


AS_UINT8: dict[str, Any] = {
    **{kind: LEVELS.astype(kind) for kind in ("int16", "uint16", "int32", "int64", "uint64")},
    "nested lists": LEVELS.tolist(),
    "list of pictures": list(LEVELS),
    "list of Pillow pictures": [Image.fromarray(picture[..., 0]) for picture in LEVELS],
    "big-endian": LEVELS.astype(">i4"),
    "memoryview": memoryview(LEVELS),
    "a mask of nothing": np.ma.array(LEVELS),
    "without the channel axis": LEVELS[..., 0],
    "every second of more": np.repeat(LEVELS, 2, axis=0)[::2],
}


@pytest.mark.parametrize("form", AS_UINT8)
def test_whole_numbers_are_levels_whatever_their_type(form: str) -> None:
    """One rule, the same in fit, evaluate, predict and trace: as uint8, divided by 255."""
    assert in_use(AS_UINT8[form]) == in_use(LEVELS)


def test_tensors_and_tables_are_arrays() -> None:
    torch = pytest.importorskip("torch")
    assert in_use(torch.tensor(LEVELS), torch.tensor(LABELS)) == in_use(LEVELS)
    floats = LEVELS / np.float32(255)
    assert in_use(torch.tensor(floats)) == in_use(floats)
    with pytest.raises(DataError, match="the pictures x must be an array of numbers"):
        network().predict(torch.tensor(floats, requires_grad=True))
    pandas = pytest.importorskip("pandas")
    assert in_use(LEVELS, pandas.Series(LABELS)) == in_use(LEVELS)
    assert in_use(LEVELS, pandas.Series(["abc"[label] for label in LABELS])) == in_use(LEVELS)
    with pytest.raises(ShapeError, match=r"x\.reshape\(-1, 6, 6, 1\)"):
        network().predict(pandas.DataFrame(LEVELS.reshape(12, -1)))


def test_truth_and_floats_are_left_alone() -> None:
    ones = LEVELS > 100
    assert in_use(ones) == in_use(ones.astype(np.float32)) == in_use(ones.astype(np.float64))


REFUSED: dict[str, tuple[Any, str]] = {
    "12 bits": (LEVELS.astype(np.uint16) * 16, r"levels from 0 to 255, these pictures hold 0 to 4080.*x / 4095\.0"),
    "below 0": (LEVELS.astype(np.int8), "levels from 0 to 255, these pictures hold -"),
    "masked": (MASKED, r"masked entries.*\.filled\(0\)"),
    "a list with masks": (list(MASKED), "masked entries"),
    "a file": (
        "cat.jpg",
        r"takes pictures as arrays, got the text 'cat.jpg'.*predict RUN cat.jpg.*Image.open",
    ),
    "a path": (Path("cat.jpg"), "got the text 'cat.jpg'"),
    "files": (["cat.jpg", "dog.jpg"], "got the text 'cat.jpg'"),
    "words": (np.array(["a", "b"]), "must be real numbers, got an array of <U1"),
    "nothing": (None, "the pictures x must be an array of numbers, got None"),
    "complex": (LEVELS * 1j, "must be real numbers, got an array of complex128"),
    "objects": (np.array([object()] * 3), "must be real numbers, got an array of object"),
    "a dictionary": ({"x": LEVELS}, "must be real numbers, got"),
    "a set": ({1, 2}, "must be real numbers, got {1, 2}"),
    "ragged": ([[1, 2], [3]], "all rows of one size"),
    "pictures of two sizes": ([LEVELS[0], LEVELS[0, :3]], "all rows of one size"),
    "too large": ([[10**30]], "got an array of object"),
    "deep": (eval("[" * 80 + "]" * 80), "must be"),
    "dates": (np.array(["2026-01-01"], "datetime64[D]"), "must be real numbers"),
    "a picture": (LEVELS[0], r"add the batch axis: x\[None\]"),
    "a Pillow picture": (Image.fromarray(LEVELS[0, ..., 0]), r"add the batch axis: x\[None\]"),
    "rows": (LEVELS.reshape(12, -1), r"pictures as rows of numbers: x\.reshape\(-1, 6, 6, 1\)"),
    "one row": (LEVELS[0].reshape(-1), r"x\.reshape\(-1, 6, 6, 1\)"),
    "channels first": (LEVELS.transpose(0, 3, 1, 2), r"the channels come first; use x\.transpose\(0, 2, 3, 1\)"),
    "a number": (5, r"takes pictures \(N, 6, 6, 1\), got \(\)"),
    "empty": ([], r"takes pictures|no pictures"),
}


@pytest.mark.parametrize("form", REFUSED)
def test_other_pictures_are_refused_in_one_line(form: str) -> None:
    x, message = REFUSED[form]
    model = network()
    calls: list[Callable[[], object]] = [
        lambda: model.fit(x, LABELS, verbose=0),
        lambda: model.evaluate(x, LABELS, verbose=0),
        lambda: model.predict(x),
        lambda: pellucid.trace(model, x),
        lambda: model.fit(LEVELS, LABELS, verbose=0, validation_data=(x, LABELS)),
    ]
    for call in calls:
        with pytest.raises((DataError, ShapeError), match=message) as caught:
            call()
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


WRONG_LABELS: dict[str, Any] = {
    "masked": np.ma.masked_equal(LABELS, 2),
    "ragged": [[0], [1, 2]] * 6,
    "none": None,
    "NaN": np.where(LABELS == 1, np.nan, 0),
    "halves": LABELS + 0.5,
    "negative": LABELS - 1,
    "beyond": LABELS + 1,
    "complex": LABELS * 1j,
    "objects": [None, 1, "a"] * 4,
    "a number": 3,
    "a word": "cat",
    "too few": LABELS[:-1],
    "empty": [],
    "two axes": np.zeros((12, 2)),
    "a dictionary": dict(enumerate(LABELS)),
    "words of other classes": ["cat", "dog"] * 6,
}


@pytest.mark.parametrize("form", WRONG_LABELS)
@pytest.mark.parametrize("loss", ["categorical_crossentropy", "binary_crossentropy", "mse"])
def test_wrong_labels_are_refused_in_one_line(form: str, loss: str) -> None:
    y = WRONG_LABELS[form]
    if (loss, form) in (("mse", "negative"), ("mse", "halves")):
        y = [None]  # numbers like others
    model = network(loss=loss)
    for call in (
        lambda: model.fit(LEVELS, y, verbose=0),
        lambda: model.evaluate(LEVELS, y, verbose=0),
        lambda: model.fit(LEVELS, LABELS, verbose=0, validation_data=(LEVELS, y)),
        lambda: losses.get(loss)(y, np.full((12, 3), 0.3)),
        lambda: pellucid.trace(model, LEVELS, y) if y is not None else model.fit(LEVELS, y),
    ):
        with pytest.raises(PellucidError, match=r"label|pictures") as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("weights", ["abc", None, [1, "a"], [[1], [1, 2]], np.ma.masked_equal(LABELS, 1), -LABELS - 1])
def test_wrong_weights_are_refused(weights: Any) -> None:
    model = network()
    for call in (
        lambda: model.fit(LEVELS, LABELS, verbose=0, sample_weight=weights),
        lambda: model.evaluate(LEVELS, LABELS, verbose=0, sample_weight=weights),
    ):
        if weights is None:
            call()
            continue
        with pytest.raises(DataError, match="sample_weight"):
            call()


def test_masks_are_refused_wherever_arrays_enter() -> None:
    scores = np.ma.masked_less(np.array([[0.2, 0.8], [0.9, 0.1]]), 0.15)
    for call in (
        lambda: Dense(2)(MASKED.reshape(12, -1)),
        lambda: network()(MASKED),
        lambda: losses.MeanSquaredError()(np.zeros((2, 2)), scores),
        lambda: losses.MeanSquaredError()(scores, np.zeros((2, 2))),
        lambda: metrics.accuracy([0, 1], scores),
        lambda: metrics.accuracy(np.ma.masked_equal([0, 1], 1), [0, 1]),
        lambda: metrics.top_k([0, 1], scores, 1),
        lambda: metrics.calibration([0, 1], scores),
        lambda: network().set_weights([np.ma.masked_less(np.ones_like(w), 2) for w in network().weights]),
    ):
        with pytest.raises(PellucidError, match="masked"):
            call()


def test_words_are_labels_and_become_the_names_of_the_classes(tmp_path: Path) -> None:
    names = ["red fox", "ant", "cat"]
    words = [names[label] for label in LABELS]
    numbers = [sorted(names).index(word) for word in words]
    model, other = network(), network()
    for y in (words, np.array(words), np.array(words, object), np.array(words)[:, None], np.array(words, "S")):
        fresh = network()
        fresh.fit(LEVELS, y, verbose=0)
        assert fresh.class_names == ("ant", "cat", "red fox")
    history = model.fit(LEVELS, words, epochs=2, verbose=0, validation_data=(LEVELS[:2], words[:2]))
    assert history["loss"] == other.fit(LEVELS, numbers, epochs=2, verbose=0)["loss"]
    assert list(model.evaluate(LEVELS, words, verbose=0)) == list(other.evaluate(LEVELS, numbers, verbose=0))
    model.save(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    assert again.class_names == model.class_names
    with pytest.raises(DataError, match=r"unknown label 'dog'; the classes are \['ant', 'cat', 'red fox'\]"):
        again.compile() or again.evaluate(LEVELS[:1], ["dog"], verbose=0)
    with pytest.raises(DataError, match="no class names, so the labels must be numbers, got 'cat'"):
        network().evaluate(LEVELS[:1], ["cat"], verbose=0)
    fresh = network()
    with pytest.raises(DataError):
        fresh.fit(LEVELS, words, verbose=0, validation_data=(LEVELS[:1], ["dog"]))
    assert fresh.class_names is None  # of a training that did not begin


def test_two_words_under_one_unit(tmp_path: Path) -> None:
    model = network(1, "binary_crossentropy", "sigmoid")
    words = ["no", "yes"] * 6
    model.fit(LEVELS, words, verbose=0)
    assert model.class_names == ("no", "yes")
    model.save(tmp_path / "m.safetensors")
    assert pellucid.load(tmp_path / "m.safetensors").evaluate(LEVELS, words, verbose=0)["accuracy"] >= 0


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 40)])
def test_an_input_shape_with_the_channels_first_is_questioned(shape: tuple[int, int, int]) -> None:
    meant = (*shape[1:], shape[0])
    with pytest.raises(ShapeError, match=rf"did you mean \({meant[0]}, {meant[1]}, {meant[2]}\)\?"):
        Sequential([Conv2D(4, 5, input_shape=shape)])
    model = Sequential([Input(shape), Flatten(), Dense(2)])
    with pytest.raises(ShapeError, match="made for channels first: did you mean input_shape="):
        model.predict(np.zeros((1, *meant), np.float32))
    if shape[1] == shape[2]:  # which fits, so nothing else would ever say it
        for size in (5, 28):
            with pytest.warns(UserWarning, match=rf"did you mean \({size}, {size}, 1\)\?"):
                Sequential([Conv2D(4, 5, padding="same", input_shape=(1, size, size))])


def test_weights_of_classes_are_named_by_their_words_too() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (12, 3, 3, 1)).astype(np.float32)
    weights = []
    for weighed in ({"cat": 3.0, "owl": 0.5}, {0: 3.0, 2: 0.5}):
        model = Sequential([Flatten(input_shape=(3, 3, 1)), Dense(3, "softmax")])
        model.compile("sgd", "categorical_crossentropy")
        model.fit(x, ["cat", "dog", "owl"] * 4, class_weight=weighed, verbose=0)
        weights.append(model.get_weights())
    assert all(map(np.array_equal, *weights))
    with pytest.raises(ConfigError, match=r"names classes \['cow'\], but the classes are 0 to 2, or cat, dog, owl"):
        model.fit(x, ["cat", "dog", "owl"] * 4, class_weight={"cow": 3.0}, verbose=0)
    with pytest.raises(DataError, match="labels: None of picture 1 is no word"):
        model.fit(x, ["cat", None, "owl"] * 4, verbose=0)
    part = pellucid.datasets.load("digits").test
    with pytest.raises(DataError, match=r"give its \.images as x and its \.labels as y"):
        model.fit(part, part.labels, verbose=0)
