"""Intersection over union of classes of pixels, or of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from pellucid._arguments import flag, several
from pellucid._fixed import Taken, is_float32
from pellucid.errors import ConfigError, shown
from pellucid.metrics.functions import MAX_CLASSES, THRESHOLD, iou_of
from pellucid.metrics.metric import Metric, pair, weights_for
from pellucid.ops import IGNORED, Array
from pellucid.ops.geometry import number, whole


class IoU(Metric):
    """The mean over `target_class_ids` of: where a class is label and answer, over where it is either.

    Numbers that are no class are not counted, neither is ignore_class. sparse_y_true, sparse_y_pred: class numbers are
    given, not rows of `num_classes`; where rows come all the same, the largest is taken.
    Source: Jaccard 1901; Everingham et al. 2010, section 4.4 (PASCAL VOC's segmentation accuracy).
    """

    takes_rows = False
    taken: ClassVar[Mapping[str, Taken]] = {**Metric.taken, "dtype": lambda kind: is_float32(kind) or kind == "int32"}

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
    ) -> None:
        kind = type(self).__name__
        super().__init__(name)
        self.num_classes = whole(num_classes, f"{kind}: num_classes", MAX_CLASSES)
        targets = [
            whole(k, f"{kind}: target_class_ids", least=0) for k in several(target_class_ids, "target_class_ids")
        ]
        if not targets or max(targets) >= self.num_classes:
            raise ConfigError(f"{kind}: target_class_ids must be of 0 to {self.num_classes - 1}, got {shown(targets)}")
        self.target_class_ids, self.ignore_class = targets, ignore_class
        self.sparse_y_true = flag(sparse_y_true, f"{kind}: sparse_y_true")
        self.sparse_y_pred = flag(sparse_y_pred, f"{kind}: sparse_y_pred")
        self._matrix = self.add_weight("confusion", (self.num_classes, self.num_classes))

    def _numbers(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        t, y = pair(self, y_true, y_pred)
        rows = self.num_classes
        said = y.argmax(axis=-1) if y.shape[-1] == rows and (not self.sparse_y_pred or y.ndim > t.ndim) else y
        truth = t.argmax(axis=-1) if t.shape[-1] == rows and not self.sparse_y_true else t
        return truth.reshape(-1), said.reshape(-1)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        truth, said = self._numbers(y_true, y_pred)
        if sample_weight is None:
            weights = np.ones(len(truth))
        else:
            each = np.asarray(sample_weight).reshape(-1)
            places = truth.reshape(len(each), -1) if len(each) and len(truth) % len(each) == 0 else truth
            weights = weights_for(each, places).reshape(-1)
        inside = (truth >= 0) & (truth < self.num_classes) & (said >= 0) & (said < self.num_classes)
        for ignored in (self.ignore_class, IGNORED if self.num_classes <= IGNORED else None):
            inside &= truth != ignored if ignored is not None else True
        flat = truth[inside].astype(np.int64) * self.num_classes + said[inside].astype(np.int64)
        counts = np.bincount(flat, weights=weights[inside], minlength=self.num_classes**2)
        self._matrix += counts.reshape(self._matrix.shape)

    def result(self) -> float:
        matrix = np.array(self._matrix)
        shares = iou_of(np.stack([matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)]))[self.target_class_ids]
        there = shares[~np.isnan(shares)]
        return float(there.mean()) if there.size else 0.0


class MeanIoU(IoU):
    """The mean of the IoU of all classes that there are, in labels or answers."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
    ) -> None:
        classes = range(whole(num_classes, f"{type(self).__name__}: num_classes", MAX_CLASSES))
        super().__init__(num_classes, classes, name, ignore_class, sparse_y_true, sparse_y_pred)


class OneHotIoU(IoU):
    """IoU of rows: one-hot labels, and an answer for each class."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
    ) -> None:
        super().__init__(num_classes, target_class_ids, name, ignore_class, False, sparse_y_pred)


class OneHotMeanIoU(MeanIoU):
    """MeanIoU of rows: one-hot labels, and an answer for each class."""

    def __init__(
        self, num_classes: int, name: str | None = None, ignore_class: int | None = None, sparse_y_pred: bool = False
    ) -> None:
        super().__init__(num_classes, name, ignore_class, False, sparse_y_pred)


class BinaryIoU(IoU):
    """IoU of the classes 0 and 1, told apart at `threshold`."""

    takes_rows = True

    def __init__(
        self, target_class_ids: Sequence[int] = (0, 1), threshold: float = THRESHOLD, name: str | None = None
    ) -> None:
        super().__init__(2, target_class_ids, name)
        self.threshold = number(threshold, "BinaryIoU: threshold", 0.0, 1.0)

    def _numbers(self, y_true: Any, y_pred: Any) -> tuple[Array, Array]:
        t, y = pair(self, y_true, y_pred)
        return t.reshape(-1), (y >= self.threshold).astype(np.int64).reshape(-1)
