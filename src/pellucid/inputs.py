"""What users hand over, checked once and brought into the one form that plans take."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from pellucid.datasets.batches import balanced_class_weights, stratified_split
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.layers import Layer
from pellucid.losses import Loss
from pellucid.ops.geometry import Array, Shape
from pellucid.plan import accuracy_kind
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
    @property
    def layers(self) -> Sequence[Layer]: ...
    def build(self, input_shape: Sequence[int | None] | None = None) -> None: ...


def standardize_images(x: Any, input_shape: Shape | None, name: str) -> Any:
    """Pictures as uint8 or float32, with the axes the model takes; lazy pictures pass through.

    Shapes: (M, H, W, C), or (M, H, W) where the model takes one channel.
    Errors: ShapeError for other axes or sizes; DataError for anything but real numbers.
    """
    try:
        images = x if hasattr(x, "dtype") and hasattr(x, "shape") else np.asarray(x)
    except ValueError as error:
        raise DataError(f"{name} needs pictures of one size, got a list that is no array: {error}") from error
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
    return np.ascontiguousarray(images) if isinstance(images, np.ndarray) else images


def _hint(given: Shape, expected: Shape) -> str:
    if len(given) == len(expected) and given[:-1] == expected[:-1]:
        return f"convert them to {expected[-1]} channel{'s' if expected[-1] > 1 else ''}"
    if len(given) == 3 and len(expected) == 3 and given[1:] == expected[:2] and given[0] == expected[2]:
        return "the channels come first; use images.transpose(0, 2, 3, 1)"
    return "resize them, or build the model for this input_shape"


def build_for(model: Receiver, x: Any) -> Any:
    """Pictures in the model's form; builds the model for them where nobody has said the shape of its input.

    Shapes: (M, H, W) builds for (H, W, 1), unless the first layer takes two axes.
    """
    if model.built or not model.layers:
        return standardize_images(x, model.input_shape, model.name)
    images = standardize_images(x, None, model.name)
    shape = tuple(images.shape[1:])
    try:
        model.build(shape)
    except ShapeError:
        if len(shape) != 2:
            raise
        model.build((*shape, 1))
    return standardize_images(images, model.input_shape, model.name)


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

    Errors: DataError for no pictures, and for labels that do not match the pictures or the model's classes;
    ConfigError for a validation_split outside [0, 1).
    """
    images = build_for(model, x)
    if len(images) == 0:
        raise DataError(f"{model.name} got no pictures; it needs at least one")
    examples = Examples(images, _targets(model, images, y), _sample_weights(sample_weight, len(images)))
    held: Examples | None = None
    if validation_data is not None:
        held = _validation(model, validation_data)
    elif not 0 <= validation_split < 1:
        raise ConfigError(f"validation_split must be at least 0 and below 1, got {validation_split!r}")
    elif validation_split > 0:
        examples, held = _split(examples, validation_split, model.seed)
    if class_weight is not None:  # for training alone: the held-out pictures are judged as they come
        factors = _class_factors(model, examples.targets, class_weight)
        examples.weights = factors if examples.weights is None else examples.weights * factors
    return examples, held


def _validation(model: Receiver, given: tuple[Any, ...]) -> Examples:
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ConfigError(f"validation_data must be (x, y) or (x, y, sample_weight), got {type(given).__name__}")
    images = standardize_images(given[0], model.input_shape, f"{model.name}, validation")
    if len(images) == 0:
        raise DataError(f"{model.name} got no validation pictures; leave validation_data out to judge without")
    weights = _sample_weights(given[2], len(images)) if len(given) == 3 else None
    return Examples(images, _targets(model, images, given[1]), weights)


def _split(examples: Examples, fraction: float, seed: int) -> tuple[Examples, Examples]:
    targets = examples.targets
    groups = targets if targets.dtype.kind == "i" else np.zeros(len(targets), np.int64)
    kept, held = stratified_split(groups, fraction, seed)
    if not len(held):
        raise DataError(
            f"validation_split={fraction:g} of {len(targets)} pictures holds out none: every class has a single one; "
            "give validation_data, or more pictures"
        )
    return _select(examples, kept), _select(examples, held)


def _targets(model: Receiver, images: Any, y: Any) -> Array:
    return np.ascontiguousarray(model.loss.prepare_targets(y, model.output_shape, examples=len(images)))


def _sample_weights(given: Any, count: int) -> Array | None:
    if given is None:
        return None
    weights = np.asarray(given, np.float32)
    if weights.shape == (count, 1):
        weights = weights[:, 0]
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError(
            f"sample_weight must be {count} numbers of at least 0, got shape {weights.shape} "
            f"from {weights.min(initial=np.inf):g} to {weights.max(initial=-np.inf):g}"
        )
    return np.ascontiguousarray(weights)


def _class_factors(model: Receiver, targets: Array, class_weight: Mapping[int, float] | str) -> Array:
    """The weight of each picture's class. Shapes: (M,) float32."""
    kind = accuracy_kind(model.loss.joint_activation, targets)
    units = int(np.prod(model.output_shape))
    if kind is None or (kind == "binary" and units > 1):
        raise ConfigError("class_weight needs one class a picture; for other targets give sample_weight")
    if kind == "binary":
        labels, classes = (targets.reshape(-1) >= 0.5).astype(np.int64), 2
    else:
        labels, classes = targets if targets.dtype.kind == "i" else targets.argmax(axis=-1), units
    if isinstance(class_weight, str):
        if class_weight.lower() != "balanced":
            raise ConfigError(f'class_weight must be "balanced" or {{class number: weight}}, got {class_weight!r}')
        table = np.asarray(balanced_class_weights(labels, classes), np.float32)
    else:
        wrong = [key for key in class_weight if not (isinstance(key, int | np.integer) and 0 <= key < classes)]
        if wrong:
            raise ConfigError(f"class_weight names classes {wrong}, but the classes are 0 to {classes - 1}")
        table = np.array([class_weight.get(k, 1.0) for k in range(classes)], np.float32)
        if not np.isfinite(table).all() or (table < 0).any():
            raise ConfigError(f"class_weight must hold numbers of at least 0, got {dict(class_weight)!r}")
    return np.ascontiguousarray(table[labels])


def _select(examples: Examples, rows: Array) -> Examples:
    images = examples.images
    chosen = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
    return Examples(chosen, examples.targets[rows], None if examples.weights is None else examples.weights[rows])


def input_range(images: Any) -> list[float] | None:
    """Least and largest finite value of the first float pictures; None for uint8, whose range is known."""
    if images.dtype == np.uint8:
        return None
    sample = np.asarray(images[:NUM_SAMPLED])
    sample = sample[np.isfinite(sample)]
    return [float(sample.min()), float(sample.max())] if sample.size else None


def check_range(images: Any, trained_on: Mapping[str, Any], name: str) -> None:
    """Warn where float pictures have quite another range than those the model was trained on."""
    if images.dtype == np.uint8 or "range" not in trained_on:
        return
    low, high = trained_on["range"] or (0.0, 1.0)
    given = input_range(images)
    if given is None:
        return
    then, now = max(abs(low), abs(high), 1e-6), max(abs(given[0]), abs(given[1]))
    if now > 4 * then or (0 < now < then / 4):
        warnings.warn(
            f"{name} was trained on values from {low:g} to {high:g}, these pictures hold {given[0]:g} to {given[1]:g}; "
            "scale them the same way, or give uint8 pictures, which are scaled for you",
            stacklevel=3,
        )
