"""Where the gradient of one weight comes from: a term for each output number that is computed with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, unknown_name
from pellucid.layers.activation import without_activation
from pellucid.model import Model
from pellucid.model.tracing import LayerTrace, trace
from pellucid.ops import Array
from pellucid.visualise.dissection.data import detail_of, fits, known
from pellucid.visualise.dissection.gradient import first_layer
from pellucid.visualise.dissection.terms import GradientDissection, gradient_of, summed

LARGEST = 100
"""Terms of a weight's gradient that are kept if nobody says: there is one for each place of each picture."""
ADDED = ("bias", "beta")
"""Parameters that are added to what the others make."""


def dissect_weight(
    model: Model,
    pictures: Any,
    labels: Any,
    layer: str | None = None,
    parameter: str = "kernel",
    index: Sequence[int] | None = None,
    *,
    most: int | None = LARGEST,
) -> GradientDissection:
    """Where the gradient of one weight comes from, of the mean loss for pictures and their labels.

    layer: by name; None for the first convolution, or the first layer. parameter: by the layer's own name for it.
    index: of the weight in it; None for the largest gradient. most: terms that are kept, the largest; None for all.
    Shapes: pictures (N, H, W, C), or (N, H, W), uint8 or float; labels as `fit` takes them.
    Errors: as `trace`; ConfigError for an unknown layer or parameter, an index outside, or a layer of your own.
    """
    seen = trace(model, pictures, labels)
    return dissect_weight_step(seen[layer or first_layer(seen)], parameter, index, most=most)


def dissect_weight_step(
    step: LayerTrace, parameter: str = "kernel", index: Sequence[int] | None = None, *, most: int | None = LARGEST
) -> GradientDissection:
    """The same of one layer of a trace that went back. Errors: as `dissect_weight`; ConfigError for one that did not.

    Terms of inputs that are 0 are none.
    """
    layer = known(step)
    gradient_of(step)
    gradients = gradients_of(step, parameter)
    at = expect_index(step, parameter, gradients, index)
    factors = _factors(step, parameter, at)
    examples, *places = np.nonzero(factors)
    return summed(
        step,
        examples,
        {"places": np.stack(places, axis=1), "factors": factors[(examples, *places)]},
        most,
        detail=detail_of(layer),
        kind=layer.role,
        of=parameter,
        position=at,
        source=0,
        example=None,
        value=float(layer.params[parameter][at]),
        computed=float(gradients[at]),
        gradients=gradients,
    )


def gradients_of(step: LayerTrace, parameter: str) -> Array:
    """Those of one parameter. Errors: ConfigError for an unknown one, or a trace without gradients of weights."""
    if parameter not in step.layer.params:
        raise unknown_name(f"parameter of {step.layer.place()}", parameter, list(step.layer.params))
    if parameter not in step.d_weights:
        raise ConfigError(f"{step.layer.place()} has no gradients of weights in this trace; give it labels")
    return step.d_weights[parameter]


def expect_index(step: LayerTrace, parameter: str, values: Array, index: Sequence[int] | None) -> tuple[int, ...]:
    """Where a weight is; None: the one of the largest gradient. Errors: ConfigError for an index outside."""
    if index is None:
        return tuple(int(i) for i in np.unravel_index(int(np.abs(values).argmax()), values.shape))
    if not fits(index, values.shape):
        raise ConfigError(
            f"{step.layer.place()}: {parameter} is {'x'.join(map(str, values.shape))}, so an index is from "
            f"{(0,) * values.ndim} to {tuple(size - 1 for size in values.shape)}, got {tuple(index)}"
        )
    return tuple(int(i) for i in index)


def _factors(step: LayerTrace, parameter: str, at: tuple[int, ...]) -> Array:
    """What each output before the activation changes by with the weight. Shapes: (N, ...) as the layer's output.

    Layers are linear in a weight: what they give where it is 1, less what they give where it is 0, with zeros for the
    weights beside it and for all that is added.
    """
    layer: Any = step.layer
    if layer.role == "distance":  # but for this one: minus a square
        (entry, unit), x = at, np.asarray(step.input, np.float64)
        factors = np.zeros(step.output.shape)
        factors[:, unit] = 2 * (x[:, entry] - float(layer.params[parameter][at]))
        return factors
    gone = layer.params if parameter in ADDED else (parameter, *ADDED)
    zero = {
        name: np.zeros(values.shape) if name in gone else np.asarray(values, np.float64)
        for name, values in layer.params.items()
    }
    one = {**zero, parameter: zero[parameter].copy()}
    one[parameter][at] = 1
    return _run(step, one) - _run(step, zero)


def _run(step: LayerTrace, weights: dict[str, Array]) -> Array:
    """What the layer makes of the batch with these weights; picture by picture where they do not depend on each other,
    as products of float64 take much memory."""
    bare, x = without_activation(step.layer), np.asarray(step.input, np.float64)
    bare.params, bare.state = weights, {name: np.asarray(each, np.float64) for name, each in step.layer.state.items()}
    size = len(x) if step.layer.role == "batch norm" else 1
    pieces = [bare.forward(x[i : i + size], training=step.training)[0] for i in range(0, len(x), size)]
    return np.concatenate(pieces)
