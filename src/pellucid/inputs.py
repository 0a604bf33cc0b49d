"""What users hand over, checked once and brought into the one form that plans take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pellucid.datasets.batches import balanced_class_weights, stratified_split
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.losses import Loss
from pellucid.ops.geometry import Array, Shape
from pellucid.train import Examples

NUM_SAMPLED = 1000
"""Pictures looked at to learn the range of their values."""


class Receiver(Protocol):
    """What is asked of a model here."""

    name: str
    seed: int

    @property
    def loss(self) -> Loss: ...
    @property
    def input_shape(self) -> Shape: ...
    @property
    def output_shape(self) -> Shape: ...
    @property
    def built(self) -> bool: ...
    def build(self, input_shape: Sequence[int | None] | None = None) -> None: ...


def standardize_images(x: Any, input_shape: Shape | None, name: str) -> Any:
    """Pictures as uint8 or float32, with the axes the model takes; lazy pictures pass through.

    Shapes: (M, H, W, C), or (M, H, W) where the model takes one channel.
    Errors: ShapeError for other axes or sizes; DataError for anything but real numbers, or none at all.
    """
    images = x if hasattr(x, "dtype") and hasattr(x, "shape") else np.asarray(x)
    kind = np.dtype(images.dtype).kind
    if kind not in "fiub":
        raise DataError(f"{name} needs pictures of real numbers, got {images.dtype}")
    if isinstance(images, np.ndarray) and images.dtype not in (np.uint8, np.float32):
        images = images.astype(np.float32)
    if input_shape is not None and tuple(images.shape[1:]) != tuple(input_shape):
        if isinstance(images, np.ndarray) and (*images.shape[1:], 1) == tuple(input_shape):
            images = images[..., None]
        else:
            given = tuple(images.shape)
            hint = "add the batch axis: images[None]" if given == tuple(input_shape) else _hint(given[1:], input_shape)
            raise ShapeError(f"{name} takes pictures (N, {', '.join(map(str, input_shape))}), got {given}; {hint}")
    if len(images) == 0:
        raise DataError(f"{name} got no pictures; it needs at least one")
    return np.ascontiguousarray(images) if isinstance(images, np.ndarray) else images


def _hint(given: Shape, expected: Shape) -> str:
    if len(given) == len(expected) and given[:-1] == expected[:-1]:
        return f"convert them to {expected[-1]} channel{'s' if expected[-1] > 1 else ''}"
    if len(given) == 3 and len(expected) == 3 and given[1:] == expected[:2] and given[0] == expected[2]:
        return "the channels come first; use images.transpose(0, 2, 3, 1)"
    return "resize them, or build the model for this input_shape"


def make_examples(
    model: Receiver,
    x: Any,
    y: Any,
    class_weight: Mapping[int, float] | str | None,
    sample_weight: Any,
    *,
    validation_split: float = 0.0,
    validation_data: tuple[Any, ...] | None = None,
) -> tuple[Examples, Examples | None]:
    """Pictures, labels and weights, checked against each other and the model, and the held-out ones.

    Errors: DataError for labels that do not match the pictures or the model's classes; ConfigError for a
    validation_split outside [0, 1).
    """
    images = standardize_images(x, model.input_shape if model.built else None, model.name)
    if not model.built:
        model.build(tuple(images.shape[1:]) if images.ndim > 3 or images.ndim == 2 else (*images.shape[1:], 1))
        images = standardize_images(images, model.input_shape, model.name)
    targets = _targets(model, images, y)
    examples = Examples(images, targets, _weights(targets, class_weight, sample_weight, model.output_shape[-1]))
    if validation_data is not None:
        if len(validation_data) not in (2, 3):
            raise ConfigError(
                f"validation_data must be (x, y) or (x, y, sample_weight), got {len(validation_data)} things"
            )
        held_images = standardize_images(validation_data[0], model.input_shape, f"{model.name}, validation")
        held_weight = validation_data[2] if len(validation_data) == 3 else None
        held_targets = _targets(model, held_images, validation_data[1])
        return examples, Examples(held_images, held_targets, _weights(held_targets, None, held_weight, 0))
    if not 0 <= validation_split < 1:
        raise ConfigError(f"validation_split must be at least 0 and below 1, got {validation_split!r}")
    if validation_split == 0:
        return examples, None
    groups = targets if targets.dtype.kind == "i" else np.zeros(len(targets), np.int64)
    kept, held = stratified_split(groups, validation_split, model.seed)
    return _select(examples, kept), _select(examples, held)


def _targets(model: Receiver, images: Any, y: Any) -> Array:
    return np.ascontiguousarray(model.loss.prepare_targets(y, model.output_shape, examples=len(images)))


def _weights(
    targets: Array, class_weight: Mapping[int, float] | str | None, sample_weight: Any, num_classes: int
) -> Array | None:
    if class_weight is None and sample_weight is None:
        return None
    weights = np.ones(len(targets), np.float32)
    if sample_weight is not None:
        given = np.asarray(sample_weight, np.float32)
        if given.shape != weights.shape or not np.isfinite(given).all() or (given < 0).any():
            raise DataError(
                f"sample_weight must be {len(targets)} numbers of at least 0, got shape {given.shape} "
                f"from {given.min(initial=np.inf):g} to {given.max(initial=-np.inf):g}"
            )
        weights *= given
    if class_weight is not None:
        labels = targets if targets.dtype.kind == "i" else targets.argmax(axis=-1)
        if isinstance(class_weight, str):
            if class_weight.lower() != "balanced":
                raise ConfigError(f'class_weight must be "balanced" or {{class number: weight}}, got {class_weight!r}')
            table = np.asarray(balanced_class_weights(labels, num_classes), np.float32)
        else:
            wrong = [key for key in class_weight if not (isinstance(key, int | np.integer) and 0 <= key < num_classes)]
            if wrong:
                raise ConfigError(f"class_weight names classes {wrong}, but the classes are 0 to {num_classes - 1}")
            table = np.array([class_weight.get(k, 1.0) for k in range(num_classes)], np.float32)
        weights *= table[labels]
    return weights


def _select(examples: Examples, rows: Array) -> Examples:
    images = examples.images
    chosen = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
    return Examples(chosen, examples.targets[rows], None if examples.weights is None else examples.weights[rows])


def input_range(images: Any) -> list[float] | None:
    """Least and largest of the first float pictures; None for uint8, whose range is known."""
    if images.dtype == np.uint8:
        return None
    sample = np.asarray(images[:NUM_SAMPLED])
    return [float(sample.min()), float(sample.max())]


def check_range(images: Any, trained_on: Mapping[str, Any], name: str) -> None:
    """Warn where float pictures have quite another range than those the model was trained on."""
    if images.dtype == np.uint8 or "range" not in trained_on:
        return
    low, high = trained_on["range"] or (0.0, 1.0)
    given = input_range(images)
    if given is None or not np.isfinite(given).all():
        return
    then, now = max(abs(low), abs(high), 1e-6), max(abs(given[0]), abs(given[1]))
    if now > 4 * then or (0 < now < then / 4):
        warnings.warn(
            f"{name} was trained on values from {low:g} to {high:g}, these pictures hold {given[0]:g} to {given[1]:g}; "
            "scale them the same way, or give uint8 pictures, which are scaled for you",
            stacklevel=3,
        )
