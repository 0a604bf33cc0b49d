"""What users hand over, checked once and brought into the one form that plans take."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid._arguments import several, within, word
from pellucid.datasets.labels import balanced_class_weights, stratified_split
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, DataError, PellucidError, shown
from pellucid.losses import CROSS_ENTROPIES
from pellucid.model.pictures import as_rows, build_for, standardize_images
from pellucid.ops import Array, float32_array, words_of
from pellucid.ops.geometry import number
from pellucid.plan import accuracy_kind
from pellucid.train import Examples

if TYPE_CHECKING:
    from pellucid.model.network import Network

SEVERAL = "several_labels"
"""In what a model was trained on: whether a picture could have several labels."""

NUM_SAMPLED = 1000
"""Pictures looked at to learn the range of their values."""


def make_examples(
    model: Network,
    x: Any,
    y: Any,
    class_weight: Mapping[int, float] | str | None,
    sample_weight: Any,
    *,
    validation_split: float = 0.0,
    validation_data: tuple[Any, ...] | None = None,
    training: bool = True,
) -> tuple[Examples, Examples | None]:
    """Pictures, labels and weights, checked against each other and the model, and the held-out ones.

    Labels may be words: where the model has no class names, those of training become them.
    Errors: DataError for no pictures, and for labels that do not match the pictures or the model's classes;
    ConfigError for a validation_split outside [0, 1), and for a softmax over one unit.
    """
    share, before = number(validation_split, "validation_split", 0.0, 1.0), model.class_names
    try:
        images = build_for(model, x)
        _refuse_softmax_of_one(model)
        if len(images) == 0:
            raise DataError(f"{model.name} got no pictures; it needs at least one")
        targets = targets_for(model, images, y, named=training)
        examples = Examples(images, targets, sample_weights(sample_weight, len(images)))
        held: Examples | None = None
        if validation_data is not None:
            held = validation_of(model, validation_data)
        elif share > 0:
            examples, held = _split(examples, share, None if model.holds_out_last else model.seed)
        if class_weight is not None:  # for training alone: the held-out pictures are judged as they come
            table, labels = class_table(model, examples.targets, class_weight)
            if labels.ndim > 1:
                examples.class_weights = table
            else:
                examples.weights = weighted_by_class(table, labels, examples.weights)
        if examples.weights is not None and not examples.weights.any():
            raise DataError("every picture has weight 0, so none counts; give weights above 0 to those that should")
        return examples, held
    except PellucidError:
        model.class_names = before
        raise


def _refuse_softmax_of_one(model: Network) -> None:
    """Such a layer gives 1 for every picture, and no gradient."""
    for visit in model.graph.walk():
        layer, shape = visit.layer, visit.output_shape
        how, axis = layer.nonlinearity, getattr(layer, "axis", -1)
        if how is not None and how.kind == "softmax" and shape[axis - (axis > 0)] == 1:
            raise ConfigError(
                f"{layer.place()}: a softmax over one unit is 1 for every picture, so nothing can be learned; "
                'use activation="sigmoid" with loss="binary_crossentropy", or one unit a class'
            )


def validation_of(model: Network, given: tuple[Any, ...]) -> Examples:
    """Held-out pictures, as `fit` takes them. Errors: ConfigError for another number of parts; DataError for none."""
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        raise ConfigError(f"validation_data must be (x, y) or (x, y, sample_weight), got {shown(given)}")
    pictures = as_rows(model, given[0])
    images = standardize_images(pictures, model.graph.input_shape, f"{model.name}, validation_data")
    if len(images) == 0:
        raise DataError(f"{model.name} got no validation pictures; leave validation_data out to judge without")
    targets = within("validation_data", lambda labels: targets_for(model, images, labels), given[1])
    weights = within("validation_data", lambda each: sample_weights(each, len(images)), (*given, None)[2])
    return Examples(images, targets, weights)


def _split(examples: Examples, fraction: float, seed: int | None) -> tuple[Examples, Examples]:
    """A share of each class held out, or with seed None the last pictures."""
    targets = examples.targets
    if seed is None:
        rows = np.arange(len(targets))
        kept, held = np.split(rows, [int(len(rows) * (1 - fraction))])
        return _select(examples, kept), _select(examples, held)
    groups = targets if targets.dtype.kind == "i" else np.zeros(len(targets), np.int64)  # of masks, too
    kept, held = stratified_split(groups, fraction, seed)
    if not len(held):
        raise DataError(
            f"validation_split={fraction:g} of {len(targets)} pictures holds out none: every class has a single one; "
            "give validation_data, or more pictures"
        )
    return _select(examples, kept), _select(examples, held)


def targets_for(model: Network, images: Any, y: Any, *, named: bool = False) -> Array:
    """Labels in the form of the model's loss; see `make_examples`."""
    if y is None:
        raise DataError(f"{model.name} got pictures without labels; give them as y, or as (x, y) where x are batches")
    words = words_of(y) if not isinstance(y, np.ndarray) or y.dtype.kind in "OUST" else None
    labels = _whole(model, y) if words is None else _numbered(model, words, named=named)
    targets = np.ascontiguousarray(model.loss.prepare_targets(labels, model.graph.output_shape, examples=len(images)))
    in_rows = words is None and np.shape(labels)[1:] == model.graph.output_shape and model.graph.output_shape[-1] > 1
    if model.labels_in_rows != in_rows:
        model.labels_in_rows = in_rows
    return targets


def _whole(model: Network, y: Any) -> Any:
    """The labels, or, where the model cuts them, what is whole in class numbers: masks that were scaled are between."""
    given = np.asarray(y)
    if not (model.cuts_labels and given.dtype.kind == "f" and type(model.loss) in CROSS_ENTROPIES):
        return y
    if given.shape[1:] == model.graph.output_shape or not np.isfinite(given).all() or (given == np.floor(given)).all():
        return y
    warnings.warn(
        f"class numbers such as {given[given != np.floor(given)][0]:g} are cut to whole ones, as in Keras; scale masks "
        'by method="nearest"',
        stacklevel=2,
    )
    return np.trunc(given)


def _numbered(model: Network, words: Sequence[str], *, named: bool) -> Array:
    """Labels that are words as class numbers; in training the words, sorted, become the model's class names."""
    units = math.prod(model.graph.output_shape)
    if model.class_names is None and named:
        found = tuple(sorted(set(words)))
        if len(found) != max(units, 2):
            raise DataError(
                f"the labels are words of {len(found)} classes, {shown(list(found))}, the last layer is for "
                f"{max(units, 2)}; give it one unit a class"
            )
        model.class_names = found
    if model.class_names is None:
        raise DataError(f"{model.name} has no class names, so the labels must be numbers, got {shown(words[0])}")
    unknown = sorted(set(words).difference(model.class_names))
    if unknown:
        raise DataError(f"unknown label {shown(unknown[0])}; the classes are {shown(list(model.class_names))}")
    numbers = {name: number for number, name in enumerate(model.class_names)}
    return np.array([numbers[word] for word in words], np.int64)


def sample_weights(given: Any, count: int) -> Array | None:
    """Weights of pictures as float32 (count,). Errors: DataError for anything else."""
    if given is None:
        return None
    weights = float32_array(given, "sample_weight")
    if weights.shape == (count, 1):
        weights = weights[:, 0]
    if weights.shape != (count,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError(
            f"sample_weight must be {count} numbers of at least 0, got shape {weights.shape} "
            f"from {weights.min(initial=np.inf):g} to {weights.max(initial=-np.inf):g}"
        )
    return np.ascontiguousarray(weights)


def class_table(model: Network, targets: Array, class_weight: Mapping[int, float] | str) -> tuple[Array, Array]:
    """The weight of each class, and of which class each picture is, or each pixel.

    Shapes: (classes,) float32; (M,) or (M, H, W).
    """
    kind = accuracy_kind(model.loss.joint_activation, targets)
    units = int(model.graph.output_shape[-1])
    if kind is None or (kind == "binary" and np.prod(model.graph.output_shape) > 1):
        raise ConfigError("class_weight needs one class a picture; for other targets give sample_weight")
    if kind == "binary":
        labels, classes = (targets.reshape(-1) >= 0.5).astype(np.int64), 2
    else:
        labels, classes = targets if targets.dtype.kind in "iu" else targets.argmax(axis=-1), units
    if labels.ndim > 1 and (targets.dtype.kind == "f" or type(model.loss) not in CROSS_ENTROPIES):
        raise ConfigError("class_weight for pixels needs masks of class numbers, and categorical cross-entropy")
    wrong = ConfigError(f'class_weight must be "balanced" or {{class number: weight}}, got {shown(class_weight)}')
    if isinstance(class_weight, str):
        if class_weight.lower() != "balanced":
            raise wrong
        table = np.asarray(balanced_class_weights(labels, classes), np.float32)
    elif not isinstance(class_weight, Mapping):
        raise wrong
    else:
        numbers = {name: label for label, name in enumerate(model.class_names or ())}
        class_weight = {numbers.get(key, key) if isinstance(key, str) else key: w for key, w in class_weight.items()}
        others = [key for key in class_weight if isinstance(key, str) or key not in range(classes)]
        if others:
            known = f"0 to {classes - 1}" + (f", or {', '.join(numbers)}" if numbers else "")
            raise ConfigError(f"class_weight names classes {shown(others)}, but the classes are {known}")
        weights = [number(class_weight.get(k, 1.0), f"class_weight of class {k}", 0.0) for k in range(classes)]
        table = np.array(weights, np.float32)
    return table, labels


def weighted_by_class(table: Array, labels: Array, weights: Array | None) -> Array:
    """The weight of each picture, times that of its class. Shapes: (classes,), (M,), (M,) -> (M,)."""
    if weights is None:
        return np.ascontiguousarray(table[labels])
    return float32_array(table[labels] * weights.astype(np.float64), "sample_weight * class_weight")


def _select(examples: Examples, rows: Array) -> Examples:
    images = examples.images
    chosen = images[rows] if isinstance(images, np.ndarray) else images.select(rows)
    weights = None if examples.weights is None else examples.weights[rows]
    return Examples(chosen, examples.targets[rows], weights)


def input_range(images: Any) -> list[float] | None:
    """Least and largest finite value of the first float pictures; None for uint8, whose range is known."""
    if images.dtype == np.uint8:
        return None
    sample = np.asarray(images[:NUM_SAMPLED]).reshape(-1)
    if not sample.size:
        return None
    ends = [float(sample[sample.argmin()]), float(sample[sample.argmax()])]  # for one picture quicker than min and max
    if math.isfinite(ends[0]) and math.isfinite(ends[1]):
        return ends
    sample = sample[np.isfinite(sample)]
    return [float(sample.min()), float(sample.max())] if sample.size else None


def names_fit(names: tuple[str, ...] | None, outputs: int) -> bool:
    """Whether there is one name an output; one output tells two classes apart."""
    return names is None or len(names) in ((1, 2) if outputs == 1 else (outputs,))


def names_for(model: Any, names: Any) -> tuple[str, ...] | None:
    """What a model's class names are set to. Errors: ConfigError for no words, one twice, or another number of them."""
    if names is None:
        return None
    where = f"{model.name}: class_names"
    found = tuple(word(name, f"{where}: each") for name in several(names, where))
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise ConfigError(f"{where} has {shown(twice[0])} {found.count(twice[0])} times; name each class once")
    if model.built and not names_fit(found, model.graph.output_shape[-1]):
        raise ConfigError(
            f"{where} must be {model.graph.output_shape[-1]}, one an output, got {len(found)}: {shown(found)}"
        )
    return found


def scaling_for(model: Any, value: Any) -> Preprocessing:
    """What a model's preprocessing is set to. Errors: ConfigError for anything else, or other channels' numbers."""
    if not isinstance(value, Preprocessing):
        raise ConfigError(f"{model.name}: preprocessing must be a Preprocessing, got {shown(value)}")
    shape = vars(model).get("_input_shape")  # not there yet while the model is made
    if shape:
        with np.errstate(all="ignore"):
            value.scale_offset(shape[-1])
    return value


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
