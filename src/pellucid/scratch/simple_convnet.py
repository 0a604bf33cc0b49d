"""The book's small network: convolution, ReLU, pooling, Affine, ReLU, Affine, softmax."""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pellucid.errors import ConfigError, DataError, ShapeError, unknown_name
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import output_size, pair, standardize_padding
from pellucid.scratch.gradient import numerical_gradient
from pellucid.scratch.layers import Affine, Convolution, Pooling, Relu
from pellucid.scratch.layout import as_floats
from pellucid.scratch.losses import SoftmaxWithLoss
from pellucid.scratch.merged import Backward, links
from pellucid.scratch.program import WholeNetwork

CONV_PARAM: Mapping[str, int] = MappingProxyType({"filter_num": 30, "filter_size": 5, "pad": 0, "stride": 1})
_GAINS = {"he": 2.0, "relu": 2.0, "xavier": 1.0, "sigmoid": 1.0}
_WEIGHTED = ("Conv1", "Affine1", "Affine2")


class SimpleConvNet:
    """conv - relu - pool 2x2 - affine - relu - affine - softmax.

    `params` holds W1, b1, W2, b2, W3, b3; `layers` the six layers by name, in order; `last_layer` the loss. What stands
    in `params` counts: it may be changed in place or replaced. In float32 the six layers run as one native
    program.
    weight_init_std: the standard deviation of the first weights, or "he" ("relu") for sqrt(2 / inputs), or "xavier"
    ("sigmoid") for sqrt(1 / inputs).
    Weights are drawn from np.random, in the page's order, and kept in float32; a pass works in the dtype of x.

    Differs from the page: its weights are float64, which takes twice the memory and a conversion in every pass (weights
    that are put into `params` keep their dtype); an odd map is pooled to its half rounded down, as the layer does it
    (the page halves before it rounds, and gets too many weights); pictures need not be square; `accuracy` counts the
    last, smaller batch; the words for weight_init_std do what the page's docstring says; a pickle is read without
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
        unknown = sorted(set(conv_param) - set(CONV_PARAM))
        if unknown:
            raise unknown_name("key of conv_param", unknown[0], CONV_PARAM)
        wanted = {**CONV_PARAM, **conv_param}
        filter_num, size = wanted["filter_num"], wanted["filter_size"]
        if len(input_dim) != 3:
            raise ConfigError(f"input_dim must be (channels, height, width), got {tuple(input_dim)}")
        flat = filter_num * math.prod(_pooled_size((input_dim[1], input_dim[2]), wanted))
        shapes = {
            "W1": (filter_num, input_dim[0], size, size),
            "W2": (flat, hidden_size),
            "W3": (hidden_size, output_size),
        }
        if min(min(shape) for shape in shapes.values()) < 1:
            raise ConfigError(f"every size must be at least 1, got weights of {', '.join(map(str, shapes.values()))}")
        self.params: dict[str, Array] = {}
        for number, (key, shape) in enumerate(shapes.items(), 1):
            drawn = _spread(weight_init_std, shape) * np.random.randn(*shape)
            self.params[key] = drawn.astype(np.float32)
            self.params[f"b{number}"] = np.zeros(shape[0] if number == 1 else shape[1], np.float32)

        W1, b1, W2, b2, W3, b3 = self.params.values()
        self.layers: OrderedDict[str, Any] = OrderedDict(
            Conv1=Convolution(W1, b1, wanted["stride"], wanted["pad"]),
            Relu1=Relu(),
            Pool1=Pooling(pool_h=2, pool_w=2, stride=2),
            Affine1=Affine(W2, b2),
            Relu2=Relu(),
            Affine2=Affine(W3, b3),
        )
        self.last_layer = SoftmaxWithLoss()
        self._chain: Sequence[Backward] | None = None
        self._whole: WholeNetwork | None = None
        self._going_back = False

    def predict(self, x: Any) -> Array:
        """Scores (N, output_size), before softmax."""
        self._bind()
        layers = tuple(self.layers.values())
        if WholeNetwork.covers(layers):
            if self._whole is None or self._whole.layers != layers:
                self._whole = WholeNetwork(layers)
            scores = self._whole.forward(x, back=self._going_back)
            if scores is not None:
                self._chain = [self._whole]
                return scores
        chain = links(layers)
        for link in chain:
            x = link.forward(x)
        self._chain = chain
        return np.asarray(x)

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy of a batch."""
        return self.last_layer.forward(self.predict(x), t)

    def accuracy(self, x: Any, t: Any, batch_size: int = 100) -> float:
        """The share of pictures whose largest score is that of t, a label or a row."""
        labels = np.asarray(t)
        labels = labels if labels.ndim == 1 else labels.argmax(axis=1)
        if len(labels) != len(x) or not len(x) or batch_size < 1:
            raise ShapeError(
                f"accuracy needs pictures, a label for each, and batches of at least 1; "
                f"got {len(x)} pictures, {len(labels)} labels, batch_size {batch_size}"
            )
        right = 0
        for start in range(0, len(x), batch_size):
            part = slice(start, start + batch_size)
            right += int(np.count_nonzero(self.predict(x[part]).argmax(axis=1) == labels[part]))
        return right / len(x)

    def numerical_gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by differences of the loss, in float64. Slow: two passes a weight."""
        x = as_floats(self, x)
        grads = {}
        for number in (1, 2, 3):
            for key in (f"W{number}", f"b{number}"):
                grads[key] = numerical_gradient(lambda _: self.loss(x, t), self.params[key])
        return grads

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by back-propagation, in the dtype of x."""
        self._chain, self._going_back = None, True
        try:
            self.loss(x, t)
        finally:
            self._going_back = False
        # without a chain somebody's own `predict` ran, through the layers themselves
        chain: Sequence[Backward] = list(self.layers.values()) if self._chain is None else self._chain
        dout: Any = self.last_layer.backward()
        for link in reversed(chain):
            dout = link.backward(dout)
        grads = {}
        for number, name in enumerate(_WEIGHTED, 1):
            grads[f"W{number}"], grads[f"b{number}"] = self.layers[name].dW, self.layers[name].db
        return grads

    def save_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Writes `params` as a pickle of a dict of arrays, which the book's own code reads.

        Errors: CheckpointError if it cannot be written; what stood there before then still does.
        """
        from pellucid.atomic import replacing

        with replacing(file_name) as file:
            pickle.dump({key: np.array(value) for key, value in self.params.items()}, file)

    def load_params(self, file_name: str | os.PathLike[str] = "params.pkl") -> None:
        """Reads a pickle of `save_params` or of the book; nothing in it is run.

        Errors: DataError if it cannot be read, asks to run something, or holds other arrays than this network.
        """
        from pellucid import safe_pickle

        loaded = safe_pickle.load(Path(file_name))
        wrong = _mismatches(loaded, self.params)
        if wrong:
            raise DataError(f"{file_name}: {'; '.join(wrong)}; make the network with the sizes that it was saved with")
        self.params.update((key, loaded[key]) for key in self.params)
        self._bind()

    def _bind(self) -> None:
        """The layers work on what stands in `params`."""
        for number, name in enumerate(_WEIGHTED, 1):
            if name in self.layers:
                self.layers[name].W, self.layers[name].b = self.params[f"W{number}"], self.params[f"b{number}"]


def _pooled_size(size: tuple[int, int], conv: Mapping[str, int]) -> tuple[int, int]:
    """Height and width behind the convolution and a 2x2 pooling."""
    pads = standardize_padding(conv["pad"], "pad")
    if isinstance(pads, str):
        raise ConfigError(f"pad must be a number of pixels, got {conv['pad']!r}")
    window, strides = pair(conv["filter_size"], "filter_size"), pair(conv["stride"], "stride")
    return output_size(output_size(size, window, strides, pads), (2, 2), (2, 2))


def _spread(weight_init_std: float | str, shape: Shape) -> float:
    """The standard deviation of the first weights."""
    if not isinstance(weight_init_std, str):
        return weight_init_std
    if weight_init_std.lower() not in _GAINS:
        raise unknown_name("weight_init_std", weight_init_std, _GAINS)
    inputs = shape[0] if len(shape) == 2 else math.prod(shape[1:])
    return math.sqrt(_GAINS[weight_init_std.lower()] / inputs)


def _mismatches(loaded: Any, params: Mapping[str, Array]) -> list[str]:
    """What a pickle lacks, or has otherwise, in words."""
    if not isinstance(loaded, dict):
        return [f"expected a dict of {', '.join(params)}, got {type(loaded).__name__}"]
    wrong = [f"{key!r} is not of this network" for key in loaded if key not in params]
    for key, own in params.items():
        value = loaded.get(key)
        if value is None:
            wrong.append(f"{key} is missing")
        elif not isinstance(value, np.ndarray) or value.dtype.kind != "f":
            wrong.append(f"{key} is no array of floats but {getattr(value, 'dtype', type(value).__name__)}")
        elif value.shape != own.shape:
            wrong.append(f"{key} is {value.shape}, this network's {own.shape}")
    return wrong
