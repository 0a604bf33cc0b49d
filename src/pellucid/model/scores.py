"""What a network's outputs are to a reader: scores of classes, behind the activation that its loss contains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pellucid.errors import ConfigError
from pellucid.model.inputs import SEVERAL
from pellucid.plan.lowering import strip_head

if TYPE_CHECKING:
    from pellucid.model.model import Model


def per_pixel(model: Model) -> bool:
    """Whether it gives scores for each pixel, and none for the picture."""
    return len(model.graph.output_shape) == 3


def several_labels(model: Model) -> bool:
    """Whether it learned pictures with several labels each, so that each of its probabilities stands alone."""
    return bool(model.trained_on.get(SEVERAL))


def expect_classes(model: Model) -> None:
    """Errors: ConfigError for a network without one score a class."""
    if per_pixel(model):
        raise ConfigError(f"{model.name} gives a class for each pixel, so none for a picture; see pellucid show masks")
    if len(model.graph.output_shape) != 1:
        raise ConfigError(f"{model.name} gives {model.graph.output_shape} a picture, no row of scores, so no classes")


def closing_activation(model: Model) -> str | None:
    """What makes probabilities of its outputs: "softmax", "sigmoid", or None where they are such already.

    One score tells two classes apart: its sigmoid is how probable the second is.
    """
    if not all(strip_head(model.graph, joint) is model.graph for joint in ("softmax", "sigmoid")):
        return None
    return "sigmoid" if model.graph.output_shape[-1] == 1 or several_labels(model) else "softmax"


def class_names(model: Model, count: int) -> tuple[str, ...]:
    """The classes as people call them; their numbers where the model has no names."""
    return model.class_names or tuple(map(str, range(count)))
