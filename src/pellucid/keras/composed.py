"""Layers of one's own as Keras's programs write them: a `call` that calls other layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Unpack

import numpy as np

import pellucid.layers.layer as ours
from pellucid.errors import ConfigError
from pellucid.keras.tensor import KerasInput, tensor, traced
from pellucid.layers.layer import Named
from pellucid.layers.symbolic import is_symbolic


class Layer(ours.Layer):
    """A layer of one's own: `call(self, x)` gives what other layers give, which stand in the network in its place.

    One with mathematics of its own needs a gradient, and so pellucid.layers.Layer with forward and backward.
    """

    def build(self, input_shape: Any = None, rng: Any = None) -> None:
        """For a `build` of one's own. Shapes: with the batch axis, which is None."""
        self.built = True

    def call(self, inputs: Any) -> Any:
        """What it gives, from other layers."""
        raise NotImplementedError(f"{type(self).__name__} has no call(self, inputs)")

    def __call__(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        kwargs.pop("training", None)
        if is_symbolic(x):
            if not self.built:
                self.build((None, *(x[0] if isinstance(x, list | tuple) else x).sizes))
                self.built = True
            return traced(lambda *each, **more: self.call(*each, **more), x) if args else traced(self.call, x)
        from pellucid.keras.model import Model

        batch = np.asarray(x, np.float32)
        inputs = KerasInput(batch.shape[1:])
        return tensor(Model(inputs, self(inputs))(batch))

    def add_weight(self, *args: Any, **kwargs: Any) -> Any:
        """Errors: ConfigError, always."""
        raise ConfigError(
            f"{type(self).__name__}: weights of one's own need their gradient: derive from pellucid.layers.Layer, make "
            "them in build(self, input_shape, rng) as self.params, and write forward and backward"
        )

    def get_config(self) -> dict[str, Any]:
        """What a `get_config` of one's own adds to."""
        return {"name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """The layer that `get_config` described."""
        return cls(**config)


class Lambda(Layer):
    """What a function makes of a value by layers, or by adding and multiplying numbers; it is called once.

    Errors: ConfigError for anything that NumPy or another library would have to compute.
    """

    def __init__(self, function: Callable[..., Any], output_shape: Any = None, **named: Unpack[Named]) -> None:
        super().__init__(**named)
        self.function = function

    def call(self, inputs: Any) -> Any:
        return self.function(inputs)
