"""25,000 reviews of films to learn from and 25,000 to judge, 1 for good ones; words as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras import reviews

__all__ = ["get_word_index", "load_data"]


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Any:
    """((x_train, y_train), (x_test, y_test)); x: arrays of lists of numbers, see `reviews.numbered`.

    Errors: DataError for a file that is not there, or not the known one, and where maxlen leaves none.
    """
    names = ("x_train", "y_train", "x_test", "y_test")
    x, y, x_test, y_test = reviews.arrays(reviews.place_of("imdb.npz", path), names)
    rng = np.random.RandomState(seed)
    parts = [reviews.shuffled(rng, x, y), reviews.shuffled(rng, x_test, y_test)]
    done = reviews.numbered(parts, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    first, second = ((reviews.as_objects(rows), labels) for rows, labels in done)
    return first, second


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """The number of each word, 1 the most frequent; `load_data` adds index_from."""
    return reviews.word_index("imdb_word_index.json", path)
