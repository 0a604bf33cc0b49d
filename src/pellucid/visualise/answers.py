"""What a network answers: probabilities whatever it ends in, and what its classes are called."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import ops
from pellucid._text import clip
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError
from pellucid.metrics import THRESHOLD
from pellucid.model import Model
from pellucid.model.inputs import SEVERAL
from pellucid.ops import Array
from pellucid.plan.lowering import strip_head
from pellucid.visualise.drawing.labels import ENGLISH, Labels

CHUNK = 256
"""Pictures that are judged between two calls of `progress`."""


def per_pixel(model: Model) -> bool:
    """Whether it gives scores for each pixel, and none for the picture."""
    return len(model.graph.output_shape) == 3


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


def expect_classes(model: Model) -> None:
    """Errors: ConfigError for a network without one score a class."""
    if per_pixel(model):
        raise ConfigError(f"{model.name} gives a class for each pixel, so none for a picture; see pellucid show masks")
    if len(model.graph.output_shape) != 1:
        raise ConfigError(f"{model.name} gives {model.graph.output_shape} a picture, no row of scores, so no classes")


def as_probabilities(model: Model, outputs: Array) -> Array:
    """What a network gave, as `probabilities` has it. Shapes: (N, scores) -> (N, classes) float32."""
    bare = all(strip_head(model.graph, joint) is model.graph for joint in ("softmax", "sigmoid"))
    if outputs.shape[1] == 1:
        second = ops.activation(outputs, "sigmoid") if bare else outputs
        return np.hstack([1 - second, second])
    if bare and several_labels(model):
        return ops.activation(outputs, "sigmoid")
    return np.asarray(ops.softmax(outputs)) if bare and len(outputs) else outputs


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


def several_labels(model: Model) -> bool:
    """Whether it learned pictures with several labels each, so that each of its probabilities stands alone."""
    return bool(model.trained_on.get(SEVERAL))


def class_names(model: Model, count: int) -> tuple[str, ...]:
    """The classes as people call them; their numbers where the model has no names."""
    return model.class_names or tuple(map(str, range(count)))


def class_label(model: Model, index: int, width: int = 24) -> str:
    """A class as people call it, in at most `width` columns; its number where the model has no names."""
    return clip(model.class_names[index], width) if model.class_names else str(index)


def trained_note(model: Model, say: Labels = ENGLISH) -> str:
    """ ", not trained" for a network that never was, for titles; else nothing."""
    return "" if model.optimizer_state.num_epochs or model.trained_on else say(", not trained")
