"""11,228 news of Reuters' on 46 topics; words as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid.keras import reviews

__all__ = ["get_label_names", "get_word_index", "load_data"]

_LABELS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves ship cotton carcass "
    "crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin strategic-metal livestock retail ipi "
    "iron-steel rubber heat jobs lei bop zinc orange pet-chem dlr gas silver wpi hog lead"
)


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int = 3,
) -> Any:
    """((x_train, y_train), (x_test, y_test)); x: arrays of lists of numbers, see `reviews.numbered`.

    Errors: as imdb's.
    """
    x, y = reviews.arrays(reviews.place_of("reuters.npz", path), ("x", "y"))
    parts = [reviews.shuffled(np.random.RandomState(seed), x, y)]
    ((rows, labels),) = reviews.numbered(parts, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    end = int(len(rows) * (1 - test_split))
    return (reviews.as_objects(rows[:end]), labels[:end]), (reviews.as_objects(rows[end:]), labels[end:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """The number of each word, 1 the most frequent; `load_data` adds index_from."""
    return reviews.word_index("reuters_word_index.json", path)


def get_label_names() -> tuple[str, ...]:
    """The names of the topics."""
    return tuple(_LABELS.split())
