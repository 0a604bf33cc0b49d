"""Texts as numbers, against Keras: rows of one length, vocabularies, and its data sets of texts."""

from __future__ import annotations

import json
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import keras as pk
from pellucid.errors import ConfigError, DataError
from pellucid.keras import reviews

keras = pytest.importorskip("keras", reason="Keras is not installed")

TEXTS = ["The cat sat on the mat.", "A dog, a cat & the bird!", "bird bird bird: fly", "nothing else"]


@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("maxlen", [None, 2, 5])
def test_rows_are_padded_and_cut_as_in_keras(padding: str, truncating: str, maxlen: int | None) -> None:
    rows = [[1], [2, 3, 4], [], [5, 6, 7, 8]]
    options: dict[str, Any] = {"maxlen": maxlen, "padding": padding, "truncating": truncating, "value": 9}
    ours, theirs = (each.utils.pad_sequences(rows, **options) for each in (pk, keras))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == theirs.dtype
    with pytest.raises(ConfigError, match="padding"):
        pk.utils.pad_sequences(rows, padding="middle")


in_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="Keras's own need TensorFlow for texts")


@in_tensorflow
@pytest.mark.parametrize(
    "options",
    [{}, {"max_tokens": 5}, {"output_sequence_length": 4}, {"ngrams": 2}, {"standardize": "lower"},
     {"split": "character"}, {"output_mode": "multi_hot"}, {"output_mode": "count", "max_tokens": 6},
     {"output_mode": "tf_idf"}],
)  # fmt: skip
def test_a_text_is_vectorized_as_in_keras(options: dict[str, Any]) -> None:
    ours, theirs = pk.layers.TextVectorization(**options), keras.layers.TextVectorization(**options)
    for layer in (ours, theirs):
        layer.adapt(np.array(TEXTS))
    assert ours.get_vocabulary() == [str(one) for one in theirs.get_vocabulary()]
    np.testing.assert_allclose(ours(TEXTS), np.asarray(theirs(np.array(TEXTS))), rtol=1e-6)
    assert np.asarray(ours("a new cat")).ndim == 1


@in_tensorflow
@pytest.mark.parametrize("mode", ["int", "multi_hot", "count"])
def test_words_and_numbers_are_looked_up_as_in_keras(mode: str) -> None:
    words, numbers = np.array([["a", "b", "a"], ["c", "zz", "b"]]), np.array([[5, 7, 5], [9, 1, 7]])
    for kind, known, given in (("StringLookup", ["a", "b", "c"], words), ("IntegerLookup", [5, 7, 9], numbers)):
        ours, theirs = (getattr(each.layers, kind)(vocabulary=known, output_mode=mode) for each in (pk, keras))
        np.testing.assert_array_equal(ours(given), np.asarray(theirs(given)))
    encoded = [
        each.layers.CategoryEncoding(num_tokens=4, output_mode="count")([[0, 1, 1], [3, 3, 3]]) for each in (pk, keras)
    ]
    np.testing.assert_array_equal(encoded[0], np.asarray(encoded[1]))
    ranges = [each.layers.Discretization([0.0, 1.5])(np.array([-1.0, 0.0, 1.0, 2.0])) for each in (pk, keras)]
    np.testing.assert_array_equal(ranges[0], np.asarray(ranges[1]))
    hashed = np.asarray(pk.layers.Hashing(5)(words))
    assert hashed.shape == words.shape and ((hashed >= 0) & (hashed < 5)).all() and hashed[0, 0] == hashed[0, 2]


def test_the_tokenizer_numbers_words_by_how_often_they_occur() -> None:
    tokenizer = pk.preprocessing.text.Tokenizer(num_words=4, oov_token="?")
    tokenizer.fit_on_texts(TEXTS)
    assert list(tokenizer.word_index.items())[:4] == [("?", 1), ("bird", 2), ("the", 3), ("cat", 4)]
    assert tokenizer.texts_to_sequences(["the bird sings"]) == [[3, 2, 1]]
    assert tokenizer.sequences_to_texts([[3, 2]]) == ["the bird"]
    matrix = tokenizer.texts_to_matrix(["the the bird"], mode="count")
    np.testing.assert_array_equal(matrix, [[0, 0, 1, 2]])
    again = pk.preprocessing.text.tokenizer_from_json(tokenizer.to_json())
    assert again.word_index == tokenizer.word_index and again.texts_to_sequences(TEXTS) == tokenizer.texts_to_sequences(
        TEXTS
    )
    assert pk.preprocessing.text.text_to_word_sequence("Ab, c!") == ["ab", "c"]
    assert all(1 <= number < 9 for number in pk.preprocessing.text.one_hot("some few words", 9))
    with pytest.raises(DataError, match="vocabulary"):
        pk.layers.StringLookup()(["a"])


def written(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{name: np.asarray(value, object if name[0] == "x" else None) for name, value in arrays.items()})
    return path


@pytest.mark.parametrize(
    "options",
    [{}, {"num_words": 8}, {"num_words": 8, "oov_char": None}, {"maxlen": 4}, {"start_char": None, "skip_top": 5}],
)
def test_reviews_come_as_in_keras(options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [[rng.integers(1, 12, rng.integers(1, 6)).tolist() for _ in range(9)] for _ in range(2)]
    labels = rng.integers(0, 2, (2, 9))
    for kind, arrays in (
        ("imdb", {"x_train": rows[0], "y_train": labels[0], "x_test": rows[1], "y_test": labels[1]}),
        ("reuters", {"x": rows[0], "y": labels[0]}),
    ):
        file = written(tmp_path / f"{kind}.npz", **arrays)
        monkeypatch.setattr(reviews, "place_of", lambda name, path=None, file=file: file)
        monkeypatch.setattr(getattr(keras.src.datasets, kind), "get_file", lambda *_, file=file, **__: str(file))
        ours, theirs = (getattr(each.datasets, kind).load_data(**options) for each in (pk, keras))
        for (x, y), (known, classes) in zip(ours, theirs, strict=True):
            assert [list(row) for row in x] == [list(row) for row in known]
            np.testing.assert_array_equal(y, classes)


class Harm:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("harm"),)


def test_a_data_set_that_names_a_program_or_is_another_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path / "bad.npz", x=[Harm()], y=[1])
    with pytest.raises(DataError, match="is not run"):
        reviews.arrays(file, ("x", "y"))
    assert not (tmp_path / "harm").exists() and pickle
    (tmp_path / "imdb.npz").write_bytes(b"other")
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    with pytest.raises(DataError, match="is not the known"):
        pk.datasets.imdb.load_data()
    monkeypatch.setattr(reviews, "HASHES", {**reviews.HASHES, "imdb_word_index.json": None})
    (tmp_path / "imdb_word_index.json").write_text(json.dumps({"film": 1}))
    assert pk.datasets.imdb.get_word_index() == {"film": 1}


def test_words_are_split_into_letters_and_joined_again() -> None:
    from pellucid.keras import tensorflow as tf

    letters = tf.strings.unicode_split(tf.constant("Größe"), input_encoding="UTF-8")
    assert letters.shape == (5,) and letters.numpy()[2].decode() == "ö"
    assert tf.strings.reduce_join(letters).numpy().decode("utf-8") == "Größe"
    rows = tf.strings.reduce_join(tf.constant([["a", "b"], ["c", "d"]]), axis=1, separator="-")
    assert rows.numpy().tolist() == [b"a-b", b"c-d"]
