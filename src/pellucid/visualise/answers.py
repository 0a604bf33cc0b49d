"""What a network answers: probabilities whatever it ends in, and what its classes are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid._text import clip
from pellucid.datasets.download import Progress
from pellucid.errors import ShapeError
from pellucid.metrics import THRESHOLD
from pellucid.model import Model
from pellucid.model.scores import class_names as class_names
from pellucid.model.scores import closing_activation
from pellucid.model.scores import expect_classes as expect_classes
from pellucid.model.scores import per_pixel as per_pixel
from pellucid.model.scores import several_labels as several_labels
from pellucid.ops import Array
from pellucid.plan.task import activated
from pellucid.visualise.drawing.labels import ENGLISH, Labels

CHUNK = 256
"""Pictures that are judged between two calls of `progress`."""


def batch_of_one(model: Model, picture: Any) -> Array:
    """A picture as a batch of one. Shapes: (H,W,C), or (H,W) for one channel -> (1,H,W,C).

    Errors: ShapeError for a batch.
    """
    array, shape = np.asarray(picture), model.graph.input_shape
    if array.ndim > len(shape):
        raise ShapeError(
            f"{model.name} looks at one picture {shape} at a time here, got {array.shape}; take pictures[0]"
        )
    return array[None, ..., None] if array.ndim == 2 and shape[2:] == (1,) else array[None]


def probabilities(model: Model, images: Any, *, progress: Progress | None = None) -> Array:
    """How probable each class is to the network, picture by picture.

    A network that ends in logits is read through the softmax (one logit: the sigmoid) that its loss contains; one
    sigmoid tells two classes apart, of which it is the second.
    Shapes: images (N,H,W,C), an array or Pictures, read a few at a time -> (N, classes) float32.
    Errors: ConfigError for a network without one score a class; ShapeError and DataError as `predict`.
    """
    expect_classes(model)
    chunks = []
    for start in range(0, len(images), CHUNK):
        chunks.append(model.predict(images[start : start + CHUNK], verbose=0))
        if progress is not None:
            progress(min(start + CHUNK, len(images)), len(images), "judging pictures")
    return as_probabilities(
        model, np.concatenate(chunks) if chunks else np.zeros((0, *model.graph.output_shape), np.float32)
    )


def as_probabilities(model: Model, outputs: Array) -> Array:
    """What a network gave, as `probabilities` has it. Shapes: (N, scores) -> (N, classes) float32."""
    shares = activated(outputs, closing_activation(model)) if len(outputs) else outputs
    return np.hstack([1 - shares, shares]) if outputs.shape[1] == 1 else np.asarray(shares)


def ranked(model: Model, shares: Array, top: int | None) -> list[list[tuple[str, float]]]:
    """For each row of probabilities the `top` most probable classes, the most probable first.

    top: None for one, or, where a picture may have several labels, for all that are more probable than not.
    Shapes: shares (N, classes).
    """
    names, several = class_names(model, shares.shape[1]), top is None and several_labels(model)
    order = np.argsort(-shares, axis=1, kind="stable")
    return [
        [
            (names[k], round(float(row[k]), 6))
            for k in (places if several else places[: top or 1])
            if not several or row[k] > THRESHOLD
        ]
        for row, places in zip(shares, order, strict=True)
    ]


def class_label(model: Model, index: int, width: int = 24) -> str:
    """A class as people call it, in at most `width` columns; its number where the model has no names."""
    return clip(model.class_names[index], width) if model.class_names else str(index)


def trained_note(model: Model, say: Labels = ENGLISH) -> str:
    """ ", not trained" for a network that never was, for titles; else nothing."""
    return "" if model.optimizer_state.num_epochs or model.trained_on else say(", not trained")
