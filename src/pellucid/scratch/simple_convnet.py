"""The book's small network: convolution, ReLU, pooling, Affine, ReLU, Affine, softmax."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, unknown_name
from pellucid.ops import Array
from pellucid.ops.geometry import output_size, pair
from pellucid.scratch.layers import Affine, Convolution, Pooling, Relu
from pellucid.scratch.layout import pads_of
from pellucid.scratch.network import SavedNetwork, drawn, homes
from pellucid.scratch.program import WholeNetwork

__all__ = ["SimpleConvNet"]

CONV_PARAM: Mapping[str, int] = MappingProxyType({"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1})


class SimpleConvNet(SavedNetwork):
    """conv - relu - pool 2x2 - affine - relu - affine - softmax.

    `params` holds W1, b1, W2, b2, W3, b3; `layers` the six layers by name, in order; `last_layer` the loss. What stands
    in `params` counts: it may be changed in place or replaced. In float32 the six layers run as one native program.
    weight_init_std: the standard deviation of the first weights, or "he" ("relu") for sqrt(2 / inputs), or "xavier"
    ("sigmoid") for sqrt(1 / inputs).
    Weights are drawn from np.random, in the book's order, and kept in float32; a pass works in the dtype of x.

    Differs from the book: its weights are float64, which takes twice the memory and a conversion in every pass (weights
    that are put into `params` keep their dtype); an odd map is pooled to its half rounded down, as the layer does it
    (the book halves before it rounds, and gets too many weights); pictures need not be square; `accuracy` counts the
    last, smaller batch; the words for weight_init_std do what the book's comments say; a pickle is read without
    running it.

    Shapes: input_dim (C,H,W); W1 (FN,C,FH,FW), W2 (FN*PH*PW, hidden_size), W3 (hidden_size, output_size).
    Units: filter_size, pad and stride in pixels.
    Errors: ConfigError or ShapeError for sizes that make no network.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 7.
    """

    def __init__(
        self,
        input_dim: Sequence[int] = (1, 28, 28),
        conv_param: Mapping[str, int] = CONV_PARAM,
        hidden_size: int = 100,
        output_size: int = 10,
        weight_init_std: float | str = 0.01,
    ) -> None:
        wanted = conv_settings("conv_param", conv_param, CONV_PARAM)
        filter_num, size = wanted["filter_num"], wanted["filter_size"]
        if len(input_dim) != 3:
            raise ConfigError(f"input_dim must be (channels, height, width), got {tuple(input_dim)}")
        flat = filter_num * math.prod(halved(convolved((input_dim[1], input_dim[2]), wanted)))
        shapes = {
            "W1": (filter_num, input_dim[0], size, size),
            "W2": (flat, hidden_size),
            "W3": (hidden_size, output_size),
        }
        params = drawn(shapes, weight_init_std, np.float32)
        W1, b1, W2, b2, W3, b3 = params.values()
        layers: OrderedDict[str, Any] = OrderedDict(
            Conv1=Convolution(W1, b1, wanted["stride"], wanted["pad"]),
            Relu1=Relu(),
            Pool1=Pooling(pool_h=2, pool_w=2, stride=2),
            Affine1=Affine(W2, b2),
            Relu2=Relu(),
            Affine2=Affine(W3, b3),
        )
        super().__init__(params, layers, homes(("Conv1", "Affine1", "Affine2")))
        self._whole: WholeNetwork | None = None
        self._going_back = False

    def predict(self, x: Any) -> Array:
        """Scores (N, output_size), before softmax."""
        self._bind()
        layers = tuple(self._in_order())
        if WholeNetwork.covers(layers):
            if self._whole is None or self._whole.layers != layers:
                self._whole = WholeNetwork(layers)
            scores = self._whole.forward(x, back=self._going_back)
            if scores is not None:
                self._chain = [self._whole]
                return scores
        return self._scores(x)

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by back-propagation, in the dtype of x."""
        self._going_back = True
        try:
            return super().gradient(x, t)
        finally:
            self._going_back = False


def conv_settings(name: str, given: Mapping[str, int], default: Mapping[str, int]) -> dict[str, int]:
    """How a network convolves; what is not given is the default's.

    Errors: ConfigError for a key that does not exist.
    """
    unknown = sorted(set(given) - set(default))
    if unknown:
        raise unknown_name(f"key of {name}", unknown[0], default)
    return {**default, **given}


def convolved(size: tuple[int, int], conv: Mapping[str, int]) -> tuple[int, int]:
    """Height and width behind a convolution."""
    window, strides = pair(conv["filter_size"], "filter_size"), pair(conv["stride"], "stride")
    return output_size(size, window, strides, pads_of(conv["pad"]))


def halved(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width behind a 2x2 pooling."""
    return output_size(size, (2, 2), (2, 2))
