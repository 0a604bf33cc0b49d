"""Layers that make numbers of words and categories before a network: called on arrays, as in a data set's `map`."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid.errors import ConfigError, DataError, expect_known, shown
from pellucid.keras.tensor import tensor
from pellucid.layers.symbolic import is_symbolic

MODES = ("int", "one_hot", "multi_hot", "binary", "count", "tf_idf")


def _words(x: Any) -> Any:
    """An array of words, whatever held them."""
    given = np.asarray(x)
    if given.dtype.kind in "SO":
        flat = [one.decode() if isinstance(one, bytes) else str(one) for one in given.ravel()]
        given = np.array(flat, dtype=str).reshape(given.shape)
    return given


def _batches(data: Any) -> Iterable[Any]:
    if isinstance(data, np.ndarray | list | tuple) or np.ndim(data):
        return [data]
    return (one[0] if isinstance(one, tuple) else one for one in data)


class Encoded:
    """What they share: rows of numbers as they are, or as one row of all categories.

    Errors: ConfigError for arguments, and for a network's values: these are numbers already.
    """

    name: str

    def __init__(self, output_mode: str, name: str | None) -> None:
        self.output_mode = expect_known("output_mode", output_mode.replace("-", "_"), MODES)
        self.name = name or type(self).__name__.lower()

    def _size(self) -> int:
        raise NotImplementedError

    def _numbers(self, x: Any) -> Any:
        raise NotImplementedError

    def __call__(self, inputs: Any, count_weights: Any = None) -> Any:
        if is_symbolic(inputs):
            raise ConfigError(
                f"{type(self).__name__} makes numbers before a network, not in it: call it on arrays, or in "
                "dataset.map(lambda x, y: (layer(x), y))"
            )
        return tensor(self._encoded(self._numbers(inputs), count_weights))

    def _encoded(self, numbers: Any, weights: Any = None) -> Any:
        if self.output_mode == "int":
            return numbers
        size = self._size()
        if self.output_mode == "one_hot":
            flat = numbers[..., 0] if numbers.ndim and numbers.shape[-1] == 1 else numbers
            return np.eye(size, dtype=np.float32)[flat]
        rows = np.atleast_2d(numbers if numbers.ndim else numbers[None])
        found = np.zeros((len(rows), size), np.float32)
        shares = (
            np.ones(rows.shape, np.float32) if weights is None else np.broadcast_to(np.asarray(weights), rows.shape)
        )
        np.add.at(found, (np.arange(len(rows))[:, None], rows), shares)
        if self.output_mode in ("multi_hot", "binary"):
            found = (found > 0).astype(np.float32)
        elif self.output_mode == "tf_idf":
            found *= self._idf()
        return found if numbers.ndim > 1 else found[0]

    def _idf(self) -> Any:
        raise ConfigError(f"{type(self).__name__}: tf_idf needs adapt(data)")

    def get_config(self) -> dict[str, Any]:
        """What it was made with."""
        return {key: value for key, value in vars(self).items() if not key.startswith("_") and not callable(value)}


class Lookup(Encoded):
    """Numbers for the entries of a vocabulary; words that are not in it come by their hash under the first numbers.

    Errors: as `Encoded`; DataError before it has a vocabulary.
    """

    reserved: ClassVar[str | int] = "[UNK]"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: Any = None,
        oov_token: Any = None,
        vocabulary: Any = None,
        output_mode: str = "int",
        invert: bool = False,
        name: str | None = None,
        **neutral: Any,
    ) -> None:
        super().__init__(output_mode, name)
        self.max_tokens, self.num_oov_indices, self.mask_token = max_tokens, num_oov_indices, mask_token
        self.oov_token = self.reserved if oov_token is None else oov_token
        self.invert = invert
        self._terms: list[Any] = []
        self._counts: Counter[Any] = Counter()
        self._documents: Counter[Any] = Counter()
        self._count = 0
        if vocabulary is not None:
            self.set_vocabulary(vocabulary)

    def _first(self) -> list[Any]:
        mask = [] if self.mask_token is None or self.output_mode != "int" else [self.mask_token]
        return [*mask, *[self.oov_token] * self.num_oov_indices]

    def _entries(self, x: Any) -> Any:
        return _words(x)

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take the entries of these data, most frequent first, as the vocabulary; forget the one of before."""
        self._counts, self._documents, self._count = Counter(), Counter(), 0
        for batch in _batches(data):
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the entries of a batch."""
        for row in self._rows(data):
            self._count += 1
            self._counts.update(row)
            self._documents.update(set(row))

    def _rows(self, data: Any) -> Iterable[list[Any]]:
        entries = self._entries(data)
        return [np.atleast_1d(row).tolist() for row in (entries if entries.ndim else entries[None])]

    def finalize_state(self) -> None:
        """Make the vocabulary of what was counted; equally frequent ones in falling order, as Keras has them."""
        special = {self.mask_token, self.oov_token, ""}
        known = [one for one in self._counts if one not in special]
        known.sort(reverse=True)
        known.sort(key=lambda one: -self._counts[one])
        room = None if self.max_tokens is None else max(self.max_tokens - len(self._first()), 0)
        self._terms = known[:room]

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take a list of entries, or a file with a line each. Errors: DataError for one twice."""
        if isinstance(vocabulary, str):
            with open(vocabulary, encoding="utf-8") as file:
                vocabulary = file.read().splitlines()
        given = np.asarray(vocabulary).tolist()
        first = self._first()
        given = given[len(first) :] if first and given[: len(first)] == first else given
        if len(set(given)) < len(given):
            raise DataError(
                f"{type(self).__name__}: the vocabulary has {shown(Counter(given).most_common(1)[0][0])} twice"
            )
        self._terms = given
        self._given_idf = None if idf_weights is None else np.asarray(idf_weights, np.float32)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The entries in the order of their numbers."""
        first = self._first()
        if type(self).__name__ == "TextVectorization" and self.output_mode == "int":
            first = ["", *first[1:]]
        return [*(first if include_special_tokens else []), *self._terms]

    def vocabulary_size(self) -> int:
        """How many numbers there are."""
        return len(self._first()) + len(self._terms)

    def _size(self) -> int:
        return self.vocabulary_size()

    def _numbers(self, x: Any) -> Any:
        if not self._terms:
            raise DataError(f"{type(self).__name__} has no vocabulary yet; call adapt(data), or give vocabulary=[...]")
        if self.invert:
            table = self.get_vocabulary()
            return np.array(table)[np.clip(np.asarray(x, np.int64), 0, len(table) - 1)]
        first = len(self._first())
        numbers = {one: number for number, one in enumerate(self._terms, first)}
        if self.mask_token is not None and self.output_mode == "int":
            numbers[self.mask_token] = 0
        entries = self._entries(x)
        found = [numbers[one] if one in numbers else self._unknown(one) for one in entries.ravel().tolist()]
        return np.array(found, np.int64).reshape(entries.shape)

    def _unknown(self, one: Any) -> int:
        first = len(self._first())
        if not self.num_oov_indices:
            raise DataError(f"{type(self).__name__}: {shown(one)} is not in the vocabulary, and num_oov_indices=0")
        if self.num_oov_indices > 1:
            raise ConfigError(f"{type(self).__name__}: num_oov_indices above 1 is not here; 0 and 1 are")
        return first - 1

    def _idf(self) -> Any:
        given = getattr(self, "_given_idf", None)
        idf = [np.log(1 + self._count / (1 + self._documents[one])) for one in self._terms] if given is None else given
        known = np.asarray(idf, np.float32)
        return np.concatenate([np.full(len(self._first()), known.mean() if len(known) else 0, np.float32), known])


class StringLookup(Lookup):
    """Numbers for words, as `Lookup`. Shapes: any; one row of all for output modes other than "int"."""


class IntegerLookup(Lookup):
    """Numbers for whole numbers, as `Lookup`."""

    reserved = -1

    def _entries(self, x: Any) -> Any:
        return np.asarray(x).astype(np.int64)


class TextVectorization(Lookup):
    """Texts as rows of numbers: standardized, split into words, looked up; 0 is padding and 1 any other word.

    standardize: "lower_and_strip_punctuation", "lower", "strip_punctuation", a function, or None. split: "whitespace",
    "character", a function, or None. ngrams: also rows of so many words, or of as many as a tuple says.
    output_mode: "int", of output_sequence_length if that is said; "multi_hot", "count" or "tf_idf".
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: int | tuple[int, ...] | None = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        name: str | None = None,
        **neutral: Any,
    ) -> None:
        self.standardize, self.split, self.ngrams = standardize, split, ngrams
        self.output_sequence_length, self.pad_to_max_tokens = output_sequence_length, pad_to_max_tokens
        super().__init__(max_tokens, 1, "", "[UNK]", None, output_mode, name=name)
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        given = vocabulary if isinstance(vocabulary, str) else [one for one in vocabulary if one not in ("", "[UNK]")]
        super().set_vocabulary(given, idf_weights)

    def _split(self, text: str) -> list[str]:
        if callable(self.standardize):
            text = str(_words(self.standardize(text))[()])
        elif self.standardize is not None:
            text = text.lower() if "lower" in self.standardize else text
            if "strip_punctuation" in self.standardize:
                text = re.sub(f"[{re.escape(string.punctuation)}]", "", text)
        if callable(self.split):
            words = [str(one) for one in _words(self.split(text)).ravel()]
        else:
            words = list(text) if self.split == "character" else [text] if self.split is None else text.split()
        if self.ngrams is None:
            return words
        sizes = range(1, self.ngrams + 1) if isinstance(self.ngrams, int) else self.ngrams
        return [" ".join(words[i : i + n]) for n in sizes for i in range(len(words) - n + 1)]

    def _texts(self, x: Any) -> list[list[str]]:
        texts = _words(x)
        return [self._split(str(text)) for text in texts.ravel()]

    def _rows(self, data: Any) -> Iterable[list[Any]]:
        return self._texts(data)

    def __call__(self, inputs: Any, count_weights: Any = None) -> Any:
        if is_symbolic(inputs) or not self._terms:
            return super().__call__(inputs)
        single = np.ndim(inputs) == 0
        numbers = {one: number for number, one in enumerate(self._terms, len(self._first()))}
        unknown = len(self._first()) - 1
        rows = [[numbers.get(one, unknown) for one in row] for row in self._texts(inputs)]
        if self.output_mode == "int":
            long = self.output_sequence_length or max(map(len, rows), default=0)
            found = np.zeros((len(rows), long), np.int64)
            for place, row in zip(found, rows, strict=True):
                place[: len(row)] = row[:long]
        else:
            found = np.stack([self._encoded(np.array(row, np.int64)) for row in rows])
            if self.pad_to_max_tokens and self.max_tokens:
                found = np.pad(found, ((0, 0), (0, self.max_tokens - found.shape[1])))
        return tensor(found[0] if single else found)


class CategoryEncoding(Encoded):
    """Class numbers below num_tokens as rows: "multi_hot", "one_hot" or "count".

    Errors: DataError for a number that is none.
    """

    def __init__(
        self, num_tokens: int | None = None, output_mode: str = "multi_hot", name: str | None = None, **neutral: Any
    ) -> None:
        super().__init__(output_mode, name)
        self.num_tokens = num_tokens

    def _size(self) -> int:
        return int(self.num_tokens or 0)

    def _numbers(self, x: Any) -> Any:
        numbers = np.asarray(x).astype(np.int64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self._size()):
            raise DataError(f"CategoryEncoding: numbers must be 0 to {self._size() - 1}, got {numbers.max()}")
        return numbers


class Discretization(Encoded):
    """Which of the ranges between bin_boundaries a number lies in; `adapt` finds num_bins that hold as many each.

    Errors: DataError before it has boundaries.
    """

    def __init__(
        self,
        bin_boundaries: Sequence[float] | None = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        name: str | None = None,
        **neutral: Any,
    ) -> None:
        super().__init__(output_mode, name)
        self.num_bins = num_bins
        self.bin_boundaries = None if bin_boundaries is None else [float(one) for one in bin_boundaries]

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Take boundaries that part these data evenly."""
        values = np.concatenate([np.asarray(batch, np.float64).ravel() for batch in _batches(data)])
        shares = np.arange(1, int(self.num_bins or 1)) / int(self.num_bins or 1)
        self.bin_boundaries = np.quantile(values, shares).tolist()

    def _size(self) -> int:
        return len(self.bin_boundaries or ()) + 1

    def _numbers(self, x: Any) -> Any:
        if self.bin_boundaries is None:
            raise DataError("Discretization has no boundaries yet; call adapt(data), or give bin_boundaries=[...]")
        return np.digitize(np.asarray(x), self.bin_boundaries).astype(np.int64)


class Hashing(Encoded):
    """A number below num_bins for each entry, by a hash of it (not TensorFlow's: the numbers are others).

    mask_value: what comes under number 0, and nothing else does.
    """

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: int | None = None,
        output_mode: str = "int",
        name: str | None = None,
        **neutral: Any,
    ) -> None:
        super().__init__(output_mode, name)
        self.num_bins, self.mask_value, self.salt = num_bins, mask_value, salt

    def _size(self) -> int:
        return self.num_bins

    def _numbers(self, x: Any) -> Any:
        import hashlib

        def number(one: Any) -> int:
            if self.mask_value is not None and one == self.mask_value:
                return 0
            digest = hashlib.blake2b(f"{self.salt}:{one}".encode(), digest_size=8).digest()
            first = 0 if self.mask_value is None else 1
            return first + int.from_bytes(digest, "little") % (self.num_bins - first)

        entries = _words(x)
        return np.array([number(one) for one in entries.ravel().tolist()], np.int64).reshape(entries.shape)
