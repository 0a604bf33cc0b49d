"""Connectionist temporal classification: a loss of words whose letters' places are not known, and their decoding.

Letters: N batch, T steps, K classes, L letters of a word. Between letters and around them stands a blank, or nothing.
Source: Graves et al. 2006, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pellucid.autodiff.rules import RULES, Pulls, Rule
from pellucid.autodiff.tensor import Tensor, apply
from pellucid.errors import ConfigError, DataError
from pellucid.keras.operation import operation
from pellucid.keras.tensor import tensor
from pellucid.keras.tensorflow.math import numbers, reduce_logsumexp
from pellucid.layers.symbolic import is_symbolic
from pellucid.ops import Array

__all__ = ["ctc_batch_cost", "ctc_decode"]

EPSILON = 1e-7
"""Added to each probability, as in Keras."""


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """-log of the probability of each word, over all ways to place its letters; the last class is the blank.

    Shapes: y_true (N,L) class numbers, y_pred (N,T,K) of a softmax, input_length and label_length (N,1) -> (N,1).
    Errors: DataError for letters that are no class, and lengths beyond the arrays.
    """
    logs = np.log(numbers(y_pred, "ctc_batch_cost") + EPSILON)
    logs = logs - reduce_logsumexp(logs, -1, keepdims=True)
    return word_losses(logs, y_true, input_length, label_length)


def word_losses(logs: Any, words: Any, steps: Any, letters: Any) -> Any:
    """The same of logarithms, see `losses`."""
    given = (logs, words, steps, letters)
    return operation(losses, given) if any(map(is_symbolic, given)) else apply(losses, given, {})


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Any], Any]:
    """([words (N,L), -1 behind their ends], the negative log of their likeliest paths (N,1)); the last class is the
    blank.

    Shapes: y_pred (N,T,K) of a softmax, input_length (N,).
    Errors: ConfigError for a search wider than the likeliest class of each step.
    """
    if not greedy or top_paths != 1:
        raise ConfigError("ctc_decode: only greedy=True with top_paths=1 is here: the likeliest class of each step")
    shares = np.asarray(y_pred)
    words, scores = [], []
    for rows, length in zip(shares, np.asarray(input_length).reshape(-1).astype(int), strict=True):
        best = rows[:length].argmax(axis=-1)
        scores.append(-np.log(rows[:length].max(axis=-1) + EPSILON).sum())
        new = np.append(True, best[1:] != best[:-1])[: len(best)]
        words.append(best[new & (best != rows.shape[-1] - 1)])
    padded = np.full((len(words), max(map(len, words), default=0)), -1)
    for row, word in zip(padded, words, strict=True):
        row[: len(word)] = word
    return [tensor(padded)], tensor(np.asarray(scores, np.float32)[:, None])


def losses(logs: Any, words: Any, steps: Any, letters: Any) -> Array:
    """-log P of each word. Shapes: logs (N,T,K), words (N,L), steps and letters (N,1) or (N,) -> (N,1)."""
    return _passes(np.asarray(logs), words, steps, letters)[0][:, None]


def _passes(logs: Array, words: Any, steps: Any, letters: Any) -> tuple[Array, Array]:
    """(losses (N,), and how likely each class stands at each step (N,T,K)) by going forward and backward."""
    n, count, classes = logs.shape
    word = np.asarray(words).reshape(n, -1).astype(int)
    ends, lengths = (np.asarray(each).reshape(-1).astype(int) for each in (steps, letters))
    beyond = np.arange(word.shape[1]) >= lengths[:, None]
    if (
        not ((word >= 0) & (word < classes - 1) | beyond).all()
        or ends.max(initial=0) > count
        or ends.min(initial=1) < 1
    ):
        raise DataError(
            f"ctc: words must be of the classes 0 to {classes - 2}, of at most {count} steps, got classes "
            f"{word[~beyond].min(initial=0)} to {word[~beyond].max(initial=0)} and {ends.max(initial=0)} steps"
        )
    places = np.full((n, 2 * word.shape[1] + 1), classes - 1)
    places[:, 1::2] = np.where(beyond, classes - 1, word)
    skips = np.zeros(places.shape, bool)  # from a letter to another, no blank between
    skips[:, 2:] = (places[:, 2:] != classes - 1) & (places[:, 2:] != places[:, :-2])
    own = np.take_along_axis(logs.astype(np.float64), places[:, None], axis=2).transpose(1, 0, 2)
    own = np.where(np.arange(places.shape[1]) <= 2 * lengths[:, None], own, -np.inf)
    with np.errstate(invalid="ignore"):
        before = _along(own, skips, np.zeros(n, int), first=True)
        place = np.arange(places.shape[1])
        last = (place == 2 * lengths[:, None]) | (place == 2 * lengths[:, None] - 1)
        total = np.logaddexp.reduce(np.where(last, before[ends - 1, np.arange(n)], -np.inf), axis=1)
        after = _along(own[::-1, :, ::-1], _turned(skips), count - ends, first=last[:, ::-1])[::-1, :, ::-1]
        shares = np.exp(before + after - own - total[:, None])
    shares = np.where(np.isfinite(shares), shares, 0).transpose(1, 0, 2)
    standing = np.zeros(logs.shape)
    rows, at = np.arange(n)[:, None, None], np.arange(count)[None, :, None]
    np.add.at(standing, (rows, at, places[:, None]), shares)
    return -total.astype(logs.dtype), standing.astype(logs.dtype)


def _turned(skips: Array) -> Array:
    """Which places are reached over one from behind."""
    turned = np.zeros_like(skips)
    turned[:, 2:] = skips[:, ::-1][:, :-2]
    return turned


def _along(own: Array, skips: Array, starts: Array, first: Any) -> Array:
    """The log of the sum over all ways to each place. Shapes: own (T,N,S), skips (N,S), starts (N,) -> (T,N,S)."""
    place = np.arange(own.shape[2])
    begun = np.where((place < 2) if first is True else first, 0.0, -np.inf)
    found = np.full(own.shape, -np.inf)
    for t, now in enumerate(own):
        if t:
            was = found[t - 1]
            ways = np.logaddexp(was, _shifted(was, 1))
            ways = np.logaddexp(ways, np.where(skips, _shifted(was, 2), -np.inf))
        else:
            ways = np.full(now.shape, -np.inf)
        found[t] = np.where((starts == t)[:, None], begun, ways) + now
    return found


def _shifted(x: Array, by: int) -> Array:
    return np.pad(x, ((0, 0), (by, 0)), constant_values=-np.inf)[:, : x.shape[1]]


def _standing(logs: Array, words: Any, steps: Any, letters: Any) -> Array:
    return _passes(logs, words, steps, letters)[1]


def _pulls(y: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> Pulls:
    def pull(d: Any, wanted: Sequence[int]) -> dict[int, Any]:
        # a gradient's gradient goes through what has no rule, and is refused
        standing = apply(_standing, arguments, {}) if isinstance(d, Tensor) else _standing(*arguments)
        none = {i: np.zeros(np.shape(arguments[i]), standing.dtype) for i in wanted}  # of words and lengths
        return {**none, 0: -d[:, :, None] * standing}

    return pull


RULES[losses] = Rule(lambda args: args, _pulls)
