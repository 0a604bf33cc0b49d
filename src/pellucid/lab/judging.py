"""What a network answers for its test pictures while it trains: a few at a time, so that training hardly waits."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from pellucid import metrics
from pellucid.datasets.dataset import Split
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import probabilities

TURN_S = 0.02
"""Seconds that one turn of judging should take."""

LEAST, MOST = 4, 512
"""Pictures of one turn."""


class Judged:
    """The newest answer for each test picture, in rounds: the answers of a round are of steps close to each other.

    Shapes: answers (N, classes); judged (N,), which have an answer since the last `clear`.
    """

    def __init__(self, model: Model, test: Split) -> None:
        self.model, self.test = model, test
        classes = max(model.output_shape[-1], 2)
        self.answers = np.zeros((len(test), classes), np.float32)
        self.judged = np.zeros(len(test), bool)
        self.turns = 0
        """How many were taken: another number after each change."""
        self._next, self._size = 0, LEAST
        self._moments: Array = np.full((len(test), 2), -1)

    def clear(self) -> None:
        """Forget the answers: other weights."""
        self.judged[:] = False
        self.turns += 1

    def is_done(self, moment: tuple[int, int]) -> bool:
        """Whether all answers are of this moment."""
        return not len(self.test) or bool((self._moments == moment).all())

    def turn(self, moment: tuple[int, int]) -> bool:
        """Judge the next pictures with the weights of now; False where all answers are of this moment."""
        if self.is_done(moment):
            return False
        rows = np.arange(self._next, min(self._next + self._size, len(self.test)))
        start = time.perf_counter()
        self.answers[rows] = probabilities(self.model, self.test.images[rows[0] : rows[-1] + 1])
        took_s = time.perf_counter() - start
        self._size = int(np.clip(len(rows) * TURN_S / max(took_s, 1e-4), LEAST, MOST))
        self.judged[rows], self._moments[rows] = True, moment
        self._next = (self._next + len(rows)) % len(self.test)
        self.turns += 1
        return True

    def confusion(self) -> dict[str, Any]:
        """Rows what the pictures are, columns what they were taken for: {matrix, count, accuracy}; of those judged."""
        rows = np.flatnonzero(self.judged)
        classes = self.answers.shape[1]
        if not rows.size:
            return {"matrix": np.zeros((classes, classes), int), "count": 0, "accuracy": None}
        truth, answers = self.test.labels[rows], self.answers[rows]
        matrix = metrics.confusion_matrix(truth, answers, classes)
        return {"matrix": matrix, "count": int(rows.size), "accuracy": metrics.accuracy(truth, answers)}

    def wrong_first(self, count: int, top: int = 3) -> list[dict[str, Any]]:
        """Of so many pictures {picture, label, top: [[class, probability], ...]}: the surest mistakes first, then the
        right answers that are least sure."""
        rows = np.flatnonzero(self.judged)
        if not rows.size:
            return []
        truth, answers = self.test.labels[rows], self.answers[rows]
        own = answers[np.arange(len(rows)), truth]
        sure = answers.max(axis=1)
        order = np.lexsort((np.where(sure > own, -sure, own), answers.argmax(axis=1) == truth))[:count]
        found = []
        for index in order:
            best = np.argsort(-answers[index], kind="stable")[:top]
            found.append(
                {
                    "picture": int(rows[index]),
                    "label": int(truth[index]),
                    "top": [[int(each), float(answers[index, each])] for each in best],
                }
            )
        return found
