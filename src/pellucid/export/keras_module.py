"""The layers of ours that Keras has not, as a module of its own, which is written beside a file that has any.

They are registered under the names that `convert.keras_layers` has for them, so that Keras finds them once the module
is imported; our reader needs no module.
"""

from __future__ import annotations

import json
from typing import Any

from pellucid.convert.keras_values import MODULE, REGISTERED

TEXT = '''"""Layers of Pellucid's that Keras has not: import this before keras.models.load_model."""

import keras
from keras import ops

registered = keras.saving.register_keras_serializable(package="Pellucid")


@registered
def gelu_tanh(x):
    """GELU by tanh."""
    return keras.activations.gelu(x, approximate=True)


class Layer(keras.layers.Layer):
    """Without weights; it keeps its arguments for the file."""

    def __init__(self, *, name=None, trainable=True, dtype=None, **arguments):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.arguments = arguments
        for argument, value in arguments.items():
            setattr(self, argument, value)

    def get_config(self):
        return {**super().get_config(), **self.arguments}


@registered
class LocalResponseNorm(Layer):
    """y[c] = x[c] / (k + alpha * sum of x^2 over the size nearest channels) ** beta."""

    def call(self, x):
        channels, before = x.shape[-1], self.size // 2
        ends = [[0, 0]] * (len(x.shape) - 1) + [[before, self.size - 1 - before]]
        squares = ops.pad(ops.square(x), ends)
        total = sum(squares[..., place : place + channels] for place in range(self.size))
        return x / (self.k + self.alpha * total) ** self.beta


@registered
class Padding2D(Layer):
    """A border of zeros ("constant"), of the picture mirrored ("reflect"), or of its edge repeated ("edge")."""

    def call(self, x):
        for axis, (before, behind) in enumerate(self.padding, start=1):
            size = x.shape[axis]
            places = list(range(-before, size + behind))
            if self.mode == "constant":
                x = ops.pad(x, [[before, behind] if axis == own else [0, 0] for own in range(4)])
                continue
            for number, place in enumerate(places):
                edge = 0 if place < 0 else size - 1
                if not 0 <= place < size:
                    places[number] = edge if self.mode == "edge" else 2 * edge - place
            x = ops.take(x, places, axis=axis)
        return x


class Pool(Layer):
    """padding: (before, behind) along each axis of a picture, or of a series; it counts as nothing."""

    def around(self, x, value):
        """x with its padding, and how the window moves."""
        flat = len(x.shape) == 3
        ends = [[0, 0], *([self.padding] if flat else self.padding), [0, 0]]
        x = ops.pad(x, ends, constant_values=value)
        size, steps = (each if flat else tuple(each) for each in (self.pool_size, self.strides))
        return x, {"pool_size": size, "strides": steps, "padding": "valid", "data_format": "channels_last"}


class MaxPool(Pool):
    def call(self, x):
        padded, window = self.around(x, float("-inf"))
        return ops.max_pool(padded, **window)


class AvgPool(Pool):
    def call(self, x):
        padded, window = self.around(x, 0.0)
        there, _ = self.around(ops.ones_like(x), 0.0)
        return ops.average_pool(padded, **window) / ops.average_pool(there, **window)


@registered
class MaxPool2D(MaxPool):
    """Largest value of each window."""


@registered
class MaxPool1D(MaxPool):
    """Largest value of each stretch."""


@registered
class AvgPool2D(AvgPool):
    """Mean of each window."""


@registered
class AvgPool1D(AvgPool):
    """Mean of each stretch."""
'''


def beside(config: Any) -> dict[str, bytes]:
    """The module by its file's name, where an architecture in Keras's JSON needs it; else nothing."""
    return {f"{MODULE}.py": TEXT.encode()} if REGISTERED in json.dumps(config) else {}
