"""Texts as numbers: words are counted and numbered, rows are made of one length. Keras's functions of old and new."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pellucid._arguments import word
from pellucid.errors import ConfigError, DataError, expect_known
from pellucid.ops.geometry import whole

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> Any:
    """Rows of one length, by default the longest's: what is too long is cut, what is too short begins with `value`.

    padding, truncating: "pre" or "post", at which end. Shapes: (N, maxlen).
    Errors: ConfigError for another word; DataError for what is no list of rows.
    """
    padding, truncating = (expect_known(name, given, ("pre", "post"))
                           for name, given in (("padding", padding), ("truncating", truncating)))  # fmt: skip
    if not hasattr(sequences, "__len__") or not all(hasattr(row, "__len__") for row in sequences):
        raise DataError("pad_sequences: expected a list of lists of numbers")
    length = max((len(row) for row in sequences), default=0) if maxlen is None else whole(maxlen, "maxlen")
    first = next((np.asarray(row).shape[1:] for row in sequences if len(row)), ())
    padded = np.full((len(sequences), length, *first), value, dtype)
    for row, given in zip(padded, sequences, strict=True):
        kept = np.asarray(given[-length:] if truncating == "pre" else given[:length], dtype)
        if len(kept):
            row[(length - len(kept) if padding == "pre" else 0) :][: len(kept)] = kept
    return padded


def text_to_word_sequence(input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " ") -> list[str]:
    """The words of a text, without the characters in `filters`."""
    text = input_text.lower() if lower else input_text
    table: dict[str, int | str | None] = dict.fromkeys(filters, split)
    return [one for one in text.translate(str.maketrans(table)).split(split) if one]


def hashing_trick(
    text: str,
    n: int,
    hash_function: Any = None,
    filters: str = FILTERS,
    lower: bool = True,
    split: str = " ",
    analyzer: Callable[[str], Sequence[str]] | None = None,
) -> list[int]:
    """A number from 1 to n - 1 for each word, by a hash of it.

    hash_function: a function, "md5", or None for Python's.
    """
    known: Callable[[str], int] = hash if hash_function is None else hash_function
    if hash_function == "md5":
        known = lambda one: int(hashlib.md5(one.encode(), usedforsecurity=False).hexdigest(), 16)  # noqa: E731
    words = analyzer(text) if analyzer else text_to_word_sequence(text, filters, lower, split)
    return [known(one) % (n - 1) + 1 for one in words]


def one_hot(
    input_text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ", analyzer: Any = None
) -> list[int]:
    """`hashing_trick` by Python's hash, which differs from run to run unless PYTHONHASHSEED is set."""
    return hashing_trick(input_text, n, None, filters, lower, split, analyzer)


class Tokenizer:
    """Numbers words by how often they occur, 1 the most frequent, and turns texts into rows of numbers.

    num_words: only numbers below it are given. oov_token: what stands, under number 1, for words that are not known.
    Errors: ConfigError for an unknown mode; DataError before `fit_on_texts`.
    """

    def __init__(
        self,
        num_words: int | None = None,
        filters: str = FILTERS,
        lower: bool = True,
        split: str = " ",
        char_level: bool = False,
        oov_token: str | None = None,
        analyzer: Callable[[str], Sequence[str]] | None = None,
        document_count: int = 0,
    ) -> None:
        self.num_words, self.filters, self.lower, self.split = num_words, filters, lower, split
        self.char_level, self.oov_token, self.analyzer = char_level, oov_token, analyzer
        self.document_count = document_count
        self.word_counts: dict[str, int] = {}
        self.word_docs: Counter[str] = Counter()
        self.word_index: dict[str, int] = {}
        self.index_word: dict[int, str] = {}

    def _words(self, text: Any) -> Sequence[str]:
        if self.char_level or isinstance(text, list):
            given = [one.lower() for one in text] if self.lower else list(text)
            return given
        if self.analyzer is not None:
            return self.analyzer(text)
        return text_to_word_sequence(text, self.filters, self.lower, self.split)

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of these texts, and number all that were counted so far."""
        for text in texts:
            self.document_count += 1
            words = self._words(text)
            for one in words:
                self.word_counts[one] = self.word_counts.get(one, 0) + 1
            self.word_docs.update(set(words))
        falling = sorted(self.word_counts, key=lambda one: -self.word_counts[one])
        known = [one for one in ([] if self.oov_token is None else [self.oov_token])] + falling
        self.word_index = {one: number for number, one in enumerate(dict.fromkeys(known), 1)}
        self.index_word = {number: one for one, number in self.word_index.items()}

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """The numbers of the words that are known; of others that of oov_token, if there is one."""
        return [[number for one in self._words(text) if (number := self._number(one))] for text in texts]

    def _number(self, one: str) -> int:
        found = self.word_index.get(one, 0)
        if found and (not self.num_words or found < self.num_words):
            return found
        return self.word_index.get(self.oov_token, 0) if self.oov_token is not None else 0

    def sequences_to_texts(self, sequences: Iterable[Sequence[int]]) -> list[str]:
        """The words of rows of numbers, with spaces between."""
        unknown = [] if self.oov_token is None else [self.oov_token]

        def known(number: int) -> list[str]:
            return [self.index_word[number]] if number in self.index_word else unknown

        return [" ".join(one for number in row for one in known(number)) for row in sequences]

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary") -> Any:
        """A row for each text with a number for each word, see `sequences_to_matrix`."""
        return self.sequences_to_matrix(self.texts_to_sequences(texts), mode)

    def sequences_to_matrix(self, sequences: Sequence[Sequence[int]], mode: str = "binary") -> Any:
        """mode: "binary", "count", "freq", or "tfidf": (1 + ln count) * ln(1 + texts / (1 + texts with the word))."""
        expect_known("mode", mode, ("binary", "count", "freq", "tfidf"))
        wide = self.num_words or len(self.word_index) + 1
        if not self.word_index and not self.num_words:
            raise DataError("Tokenizer: give num_words, or call fit_on_texts first")
        matrix = np.zeros((len(sequences), wide))
        for row, numbers in zip(matrix, sequences, strict=True):
            for number, count in Counter(one for one in numbers if one < wide).items():
                documents = 1 + self.word_docs.get(self.index_word.get(number, ""), 0)
                row[number] = {
                    "binary": 1, "count": count, "freq": count / len(numbers),
                    "tfidf": (1 + np.log(count)) * np.log(1 + self.document_count / documents),
                }[mode]  # fmt: skip
        return matrix

    def get_config(self) -> dict[str, Any]:
        """What it was made with, and what it learned, as JSON has it."""
        names = ("num_words", "filters", "lower", "split", "char_level", "oov_token", "document_count")
        learned = ("word_counts", "word_docs", "index_word", "word_index")
        return {**{name: getattr(self, name) for name in names},
                **{name: json.dumps(getattr(self, name)) for name in learned}}  # fmt: skip

    def to_json(self, **options: Any) -> str:
        """All of it as a text, which `tokenizer_from_json` reads."""
        return json.dumps({"class_name": "Tokenizer", "config": self.get_config()}, **options)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The Tokenizer that `to_json` described. Errors: ConfigError for anything else."""
    try:
        config = dict(json.loads(word(json_string, "tokenizer_from_json: json_string"))["config"])
        learned = {name: json.loads(config.pop(name)) for name in ("word_counts", "word_docs", "word_index")}
        config.pop("index_word", None)
        found = Tokenizer(**config)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"tokenizer_from_json: not what Tokenizer.to_json() writes: {error!s:.100}") from error
    found.word_counts, found.word_docs = learned["word_counts"], Counter(learned["word_docs"])
    found.word_index = {str(one): int(number) for one, number in learned["word_index"].items()}
    found.index_word = {number: one for one, number in found.word_index.items()}
    return found
