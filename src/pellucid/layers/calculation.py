"""What layers compute, as calculations of recorded arrays whose gradients have gradients, for `Layer.calculate`.

A layer's own `backward` is quicker, and is what every first gradient comes from, see eager.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pellucid import ops
from pellucid.autodiff import Tensor, calculated, is_recording, node_of, recorded, tensor
from pellucid.ops import Pads, Pair
from pellucid.ops.geometry import output_size

if TYPE_CHECKING:
    from pellucid.layers.layer import Key, Layer
    from pellucid.layers.traits import Nonlinearity


class Form:
    """sum(y * d), y what a layer gives that is linear in each value it reads and in each of its weights but the bias.

    It is linear in each of these arrays and in d, so its gradient for one of them is what it is without that one, which
    a pass forward or back computes, and the gradient of such a gradient is of the same kind.
    """

    def __init__(self, layer: Layer, names: Sequence[str], training: bool, key: Key | None) -> None:
        self._layer, self._names, self._how = layer, list(names), {"training": training, "key": key}

    def without(self, number: int, arrays: Sequence[Any]) -> Tensor:
        """Its gradient for the array of this number. Arrays: values read, then weights, then d; there is None."""
        y = self._value(number, [None if each is None else np.asarray(each) for each in arrays])
        known = [i for i, each in enumerate(arrays) if node_of(each) is not None]
        if not is_recording() or not known:
            return tensor(y)

        def pull(d: Any, needed: Sequence[bool]) -> list[Any]:
            full = [d if i == number else each for i, each in enumerate(arrays)]
            return [
                self.without(i, [*full[:i], None, *full[i + 1 :]]) if need else None
                for i, need in zip(known, needed, strict=True)
            ]

        return recorded(y, [arrays[i].node for i in known], pull)

    def _value(self, number: int, arrays: list[Any]) -> Any:
        from pellucid.layers.activation import without_activation

        layer, last = self._layer, len(arrays) - 1
        count = last - len(self._names)
        weights = dict(zip(self._names, arrays[count:last], strict=True))
        for name, array in weights.items():  # what is asked for does not matter
            weights[name] = np.zeros_like(layer.params[name]) if array is None else np.ascontiguousarray(array)
        twin: Any = without_activation(layer)
        no_bias = {name: np.zeros_like(array) for name, array in layer.params.items()}
        twin._params = {**no_bias, **weights}
        values = arrays[:count]
        if number < count:
            values[number] = self._zeros[number]
        values = [np.ascontiguousarray(value) for value in values]
        y, cache = twin.forward(values if layer.merges else values[0], **self._how)
        if number == last:
            return y
        dx, grads = twin.backward(np.ascontiguousarray(arrays[last]), cache, need_dx=number < count)
        return grads[f"d{self._names[number - count]}"] if number >= count else dx[number] if layer.merges else dx

    def of(self, values: Sequence[Any], weights: Sequence[Any]) -> Tensor:
        """What the layer gives."""
        self._zeros = [np.zeros(value.shape, value.dtype) for value in values]
        return self.without(len(values) + len(weights), [*values, *weights, None])


def linear(layer: Layer, x: Any, weights: Mapping[str, Any], training: bool, key: Key | None) -> Any:
    """What a layer gives that says it is `linear`, with its bias and nonlinearity."""
    names = [name for name in weights if name != "bias"]
    y = Form(layer, names, training, key).of(x if layer.merges else [x], [weights[name] for name in names])
    return activated(y + weights["bias"] if "bias" in weights else y, layer.nonlinearity)


def activated(z: Any, how: Nonlinearity | None) -> Any:
    """What a nonlinearity makes of it."""
    from pellucid.layers.activation import OF_ROWS, activate

    if how is None:
        return z
    if how.kind == "softmax":
        return np.exp(OF_ROWS["log_softmax"][0](z))
    if how.mixes:
        return OF_ROWS[how.kind][0](z)
    z = z if how.steepness == 1 else z * how.steepness
    y, _ = activate(np.asarray(z), how)

    def pull(d: Any, needed: Sequence[bool], own: Any) -> list[Any]:
        return [ops.activation_gradient(d, z if how.reads_input else own, how.kind, **how.numbers)]

    made = calculated(y, [z.node], pull) if is_recording() and node_of(z) is not None else tensor(y)
    return made if how.amplitude == 1 else made * how.amplitude


def normalized(x: Any, axes: tuple[int, ...], epsilon: float) -> Any:
    """With mean 0 and variance 1 over these axes."""
    off = x - np.mean(x, axes, keepdims=True)
    return off / np.sqrt(np.mean(np.square(off), axes, keepdims=True) + epsilon)


def windows(x: Any, pool_size: Pair, strides: Pair, padding: Pads) -> Any:
    """The numbers of each window, padding as minus infinity. Shapes: (N,H,W,C) -> (N,OH,OW,C,KH*KW)."""
    padded = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-np.inf)
    size = output_size(padded.shape[1:3], pool_size, strides)
    rows, columns = (
        np.arange(count)[:, None] * step + np.arange(side)
        for count, step, side in zip(size, strides, pool_size, strict=True)
    )
    found = padded[:, rows][:, :, :, columns].transpose(0, 1, 3, 5, 2, 4)
    return found.reshape(*found.shape[:4], -1)


def first_largest(x: Any) -> Any:
    """Along the last axis the largest number, of equal ones the first."""
    return np.take_along_axis(x, np.argmax(np.asarray(x), -1)[..., None], -1)[..., 0]
