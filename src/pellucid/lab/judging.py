"""What a network answers for its test pictures while it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import metrics
from pellucid.datasets.dataset import Split
from pellucid.lab.rounds import Rounds
from pellucid.model import Model
from pellucid.ops import Array
from pellucid.visualise.answers import probabilities


class Judged(Rounds):
    """The newest answer for each test picture. Shapes: answers (N, classes)."""

    def __init__(self, model: Model, test: Split) -> None:
        super().__init__(len(test), self._judge)
        self.model, self.test = model, test
        self.answers = np.zeros((len(test), max(model.graph.output_shape[-1], 2)), np.float32)

    def _judge(self, rows: Array) -> None:
        self.answers[rows] = probabilities(self.model, self.test.images[rows[0] : rows[-1] + 1])

    def confusion(self) -> dict[str, Any]:
        """Rows what the pictures are, columns what they were taken for: {matrix, count, accuracy, steps}.

        Of those judged, with the weights of these steps, from the first to the last.
        """
        rows = np.flatnonzero(self.done)
        classes = self.answers.shape[1]
        if not rows.size:
            return {"matrix": np.zeros((classes, classes), int), "count": 0, "accuracy": None, "steps": (0, 0)}
        truth, answers = self.test.labels[rows], self.answers[rows]
        matrix = metrics.confusion_matrix(truth, answers, classes)
        accuracy = metrics.accuracy(truth, answers)
        return {"matrix": matrix, "count": int(rows.size), "accuracy": accuracy, "steps": self.steps()}

    def wrong_first(self, count: int, top: int = 3) -> list[dict[str, Any]]:
        """Of so many pictures {picture, label, top: [[class, probability], ...]}: the surest mistakes first, then the
        right answers that are least sure."""
        rows = np.flatnonzero(self.done)
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
