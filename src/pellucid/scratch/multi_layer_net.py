"""The book's fully connected networks of any depth: plain, and with dropout and batch normalization."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np

from pellucid.errors import expect_known
from pellucid.ops import Array
from pellucid.scratch.layers import Affine, Dropout, Relu, Sigmoid
from pellucid.scratch.network import PlainNetwork, drawn
from pellucid.scratch.normalization import BatchNormalization

__all__ = ["MultiLayerNet", "MultiLayerNetExtend"]

ACTIVATIONS: Mapping[str, Callable[[], Any]] = MappingProxyType({"relu": Relu, "sigmoid": Sigmoid})

Stage = tuple[str, Any, dict[str, Array]]
"""A layer's kind, the layer, and its parameters."""


class MultiLayerNet(PlainNetwork):
    """affine - activation, once for each of hidden_size_list, affine - softmax.

    `params` holds W1, b1, W2, b2, ... in float64, drawn from np.random as the book draws them; `layers` Affine1,
    Activation_function1, Affine2, ... Passes are in float64, as NumPy has them for such weights.
    weight_init_std: the standard deviation of the first weights, or "relu" ("he") for sqrt(2 / inputs), or "sigmoid"
    ("xavier") for sqrt(1 / inputs). weight_decay_lambda: the loss grows by 0.5 * lambda * sum(W^2) over all weights.

    Shapes: x (N,input_size); W1 (input_size, hidden), ..., b1 (hidden,), ...
    Errors: ConfigError for an unknown activation or word, or a size below 1.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 6.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
    ) -> None:
        expect_known("activation", activation, ACTIVATIONS)
        self.input_size, self.output_size = input_size, output_size
        self.hidden_size_list = hidden_size_list
        self.hidden_layer_num = len(hidden_size_list)
        self.weight_decay_lambda = weight_decay_lambda
        sizes = [input_size, *hidden_size_list, output_size]
        shapes = {f"W{number}": pair for number, pair in enumerate(pairwise(sizes), 1)}
        params = drawn(shapes, weight_init_std)
        layers: OrderedDict[str, Any] = OrderedDict()
        homes: dict[str, tuple[str, str]] = {}
        for number, units in enumerate(sizes[1:], 1):
            weights = {name: params[f"{name}{number}"] for name in ("W", "b")}
            stage: list[Stage] = [("Affine", Affine(*weights.values()), weights)]
            if number < len(sizes) - 1:
                stage += self._behind(units, ACTIVATIONS[activation]())
            for kind, layer, own in stage:
                layers[f"{kind}{number}"] = layer
                params |= {f"{name}{number}": array for name, array in own.items()}
                homes |= {f"{name}{number}": (f"{kind}{number}", name) for name in own}
        super().__init__(params, layers, homes)

    def _behind(self, units: int, activation: Any) -> Iterator[Stage]:
        """What stands behind a hidden Affine layer."""
        yield "Activation_function", activation, {}

    def loss(self, x: Any, t: Any) -> float:
        """Mean cross-entropy of a batch, and the weights' decay."""
        return super().loss(x, t) + self._decay()

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of every parameter by back-propagation."""
        grads = super().gradient(x, t)
        if self.weight_decay_lambda:
            for key in self._weights():
                grads[key] = grads[key] + self.weight_decay_lambda * self.params[key]
        return grads

    def _weights(self) -> list[str]:
        return [f"W{number}" for number in range(1, self.hidden_layer_num + 2)]

    def _decay(self) -> float:
        if not self.weight_decay_lambda:
            return 0.0
        return sum(0.5 * self.weight_decay_lambda * float(np.sum(self.params[key] ** 2)) for key in self._weights())


class MultiLayerNetExtend(MultiLayerNet):
    """MultiLayerNet with batch normalization before each activation and dropout behind it, where asked for.

    `params` also holds gamma1, beta1, ... (ones and zeros); `layers` BatchNorm1, Dropout1, ... Gradients are those in
    training; `predict` and `loss` work as in a test unless train_flg says otherwise.
    dropout_ration: the fraction dropped, in the book's spelling.

    Shapes: as MultiLayerNet; gamma1, beta1 (hidden,).
    Errors: as MultiLayerNet; ConfigError unless dropout_ration is from 0 to 1.
    Source: K. Saitoh, Deep Learning from Scratch, 2016, chapter 6.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: float | str = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
    ) -> None:
        self.use_dropout, self.use_batchnorm = use_dropout, use_batchnorm
        self._dropout_ratio = dropout_ration
        super().__init__(input_size, hidden_size_list, output_size, activation, weight_init_std, weight_decay_lambda)

    def _behind(self, units: int, activation: Any) -> Iterator[Stage]:
        if self.use_batchnorm:
            own = {"gamma": np.ones(units), "beta": np.zeros(units)}
            yield "BatchNorm", BatchNormalization(own["gamma"], own["beta"]), own
        yield from super()._behind(units, activation)
        if self.use_dropout:
            yield "Dropout", Dropout(self._dropout_ratio), {}

    def predict(self, x: Any, train_flg: bool = False) -> Array:
        """Scores (N, output_size), before softmax."""
        return self._scores(self._in_precision(x), train_flg)

    def loss(self, x: Any, t: Any, train_flg: bool = False) -> float:
        """Mean cross-entropy of a batch, and the weights' decay."""
        return self.last_layer.forward(self.predict(x, train_flg), t) + self._decay()

    def accuracy(self, X: Any, T: Any) -> float:
        """The share of examples whose largest score in a test is that of T, a label or a row."""
        return super().accuracy(X, T)

    def numerical_gradient(self, X: Any, T: Any) -> dict[str, Array]:
        """The gradient of every parameter by differences of the loss in training, in float64. Slow.

        Of dropout it is no gradient: every pass drops others.
        """
        return super().numerical_gradient(X, T)

    def _training_loss(self, x: Any, t: Any) -> float:
        return self.loss(x, t, train_flg=True)
